"""Two things at once: neither is left behind by the other's failure."""

from __future__ import annotations

import threading
import time

import pytest

from amoot_etl.pipeline import crew
from amoot_etl.pipeline.crew import meanwhile


def test_what_was_begun_has_ended_when_the_block_fails():
    """Nobody goes on writing to a folder that is given up."""
    failed, ended = threading.Event(), threading.Event()

    def write():
        failed.wait(30)
        time.sleep(0.2)
        ended.set()

    def fail():
        failed.set()
        raise ValueError("here")

    with pytest.raises(ValueError, match="here"), meanwhile(write, "write"):
        fail()
    assert ended.is_set()


def test_an_interrupt_waits_for_what_was_begun(monkeypatch):
    """A file must not be closed under the thread that is writing it, however often somebody presses Ctrl-C."""
    interrupted, ended = threading.Event(), threading.Event()
    real, presses = crew.wait, iter(range(2))

    def pressed(*waited):
        if next(presses, None) is not None:
            raise KeyboardInterrupt
        interrupted.set()
        return real(*waited)

    def write():
        interrupted.wait(30)
        ended.set()

    monkeypatch.setattr(crew, "wait", pressed)
    with pytest.raises(KeyboardInterrupt), meanwhile(write, "write"):
        pass
    assert ended.is_set()


def test_what_goes_wrong_there_is_raised_here():
    """A full disk is told, whichever thread met it."""

    def write():
        raise OSError("full")

    with pytest.raises(OSError, match="full"), meanwhile(write, "write"):
        pass
