"""What has landed and waits to be read; where that is much, the portal is let wait for a moment.

A portal that sends faster than its records are read would fill the disk with what takes less time to fetch again than
to read. So a listing that had to wait is removed as it is read, and its place on the disk and in memory is soon written
to again: on a virtual machine the first touch of a page costs many times what writing to it does, a sixth of an
export's processor time in all. A portal that sends more slowly is never let wait, and all that it sent is kept until
the run ends, for the next one to go on with if this one dies.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Backlog"]

_MUCH: Final = 64 << 20
"""Bytes that have landed and are not read: more than those who read need to go on without a break."""
_IN_HAND: Final = 24 << 20
"""Bytes that those who read have before them: with less they may soon be idle, if what they want next is not there."""
_MOMENT: Final = 1.0
"""Seconds for each segment: no server gives up on somebody who takes sixteen megabytes in that time."""


class Backlog:
    """Counts the bytes that have landed until they are read; threads may share it.

    >>> backlog = Backlog()
    >>> backlog.landed(1000)
    >>> backlog.wait()
    False
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._unread = 0
        self._in_hand = 0
        self._starved = False
        self._closed = False

    def wait(self) -> bool:
        """Wait as long as there is much, for a moment at most; say whether there was."""
        with self._changed:
            if not self._is_much():
                return False
            self._changed.wait_for(lambda: not self._is_much(), _MOMENT)
            return True

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether nobody waits any more."""
        return self._closed

    @contextmanager
    def starving(self) -> Iterator[None]:
        """Say, for as long as the block lasts, that what is wanted next has not landed, whatever else has."""
        with self._changed:
            self._starved = True
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._starved = False

    def landed(self, size: int) -> None:
        """Count what has landed."""
        with self._changed:
            self._unread += size

    def taken(self, size: int) -> None:
        """Count what somebody is about to read."""
        with self._changed:
            self._in_hand += size

    def read(self, size: int) -> None:
        """Count what was taken and has been read."""
        with self._changed:
            self._in_hand -= size
            self._unread -= size
            self._changed.notify_all()

    def dropped(self, size: int) -> None:
        """Count what had landed and nobody will take."""
        with self._changed:
            self._unread -= size
            self._changed.notify_all()

    def _is_much(self) -> bool:
        busy = self._in_hand >= _IN_HAND or not self._starved
        return busy and self._unread >= _MUCH and not self._closed
