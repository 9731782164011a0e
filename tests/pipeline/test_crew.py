"""Two things at once: neither is left behind by the other's failure."""

from __future__ import annotations

import threading

import pytest

from amoot_etl.pipeline import crew
from amoot_etl.pipeline.crew import meanwhile


@pytest.mark.parametrize("presses", [0, 2])
def test_what_was_begun_has_ended_when_the_block_fails(monkeypatch, presses):
    """A file must not be closed under the thread that is writing it, however often somebody presses Ctrl-C."""
    waited_for, ended = threading.Event(), threading.Event()
    real, left = crew.wait, iter(range(presses))

    def pressed(*waited):
        if next(left, None) is not None:
            raise KeyboardInterrupt
        waited_for.set()
        return real(*waited)

    def write():
        waited_for.wait(30)
        ended.set()

    monkeypatch.setattr(crew, "wait", pressed)
    with pytest.raises(KeyboardInterrupt if presses else ValueError), meanwhile(write, "write"):
        raise ValueError("here")
    assert ended.is_set()


def test_what_goes_wrong_there_is_raised_here():
    """A full disk is told, whichever thread met it."""

    def write():
        raise OSError("full")

    with pytest.raises(OSError, match="full"), meanwhile(write, "write"):
        pass
