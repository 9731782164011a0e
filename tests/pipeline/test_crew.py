"""Things done side by side: none is left behind by another's failure."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amoot_etl.pipeline import crew
from amoot_etl.pipeline.crew import ahead, meanwhile


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


def test_what_is_made_ahead_comes_in_its_order():
    """Each of a pair waits until the other is made, the second of it first: whoever is ready, turns are kept."""
    made = [threading.Event() for _ in range(10)]

    def make(number):
        if number % 2 == 0:
            assert made[number + 1].wait(30), "nobody makes the next one meanwhile"
        made[number].set()
        return number

    assert list(ahead(make, range(10), 2)) == list(range(10))


@given(st.integers(0, 20), st.integers(1, 3))
def test_whatever_the_number_all_are_made(size, threads):
    """None is left in the queue, and none is asked for that is not there."""
    assert list(ahead(str, range(size), threads)) == [str(number) for number in range(size)]


def test_no_more_is_made_ahead_than_room_is_meant_for():
    """What is made waits in memory: a book's worth of it must not."""
    made = []
    making = ahead(lambda number: made.append(number) or number, range(1000), 2)
    assert next(making) == 0
    making.close()
    assert len(made) <= 5


def test_what_goes_wrong_ahead_is_raised_in_its_turn():
    """What was made before it is had, and nobody goes on making once that is over."""

    def make(number):
        if number == 2:
            raise OSError("full")
        return number

    making = ahead(make, range(9), 2)
    assert [next(making), next(making)] == [0, 1]
    with pytest.raises(OSError, match="full"):
        next(making)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("amoot-ahead")]
