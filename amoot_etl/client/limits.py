"""What slows a run or ends it: the wished rate, what the portal asked for, waits in all, a deadline, a cancel."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
import weakref
from typing import TYPE_CHECKING, Final

from amoot_etl import errors
from amoot_etl.client.answers import CANCELLED, DEADLINE, LONGEST_OBEYED, asked_wait

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

__all__ = ["LONGEST_IN_ALL", "End", "Gate", "Patience", "back_off"]

LONGEST_IN_ALL: Final = 3600.0
"""Seconds that one run waits between tries in all; a portal that needs more is not well enough to be listed."""
_LONGEST_WAIT: Final = 60.0
"""Back-off stops doubling here: a portal that is down for minutes is asked once a minute."""


def back_off(tried: int, first: float, asked: float | None = None) -> float:
    """Say how many seconds to wait before the next try: a time that doubles, half of it by chance.

    Args:
        tried: Tries so far.
        first: The wait after the first of them.
        asked: What the portal asked for, if it did; never less than that.

    >>> 4 <= back_off(4, 1.0) <= 8, 30 <= back_off(400, 1.0) <= 60, back_off(1, 1.0, asked=120.0)
    (True, True, 120.0)
    """
    own = min(first * 2.0 ** min(tried - 1, 99), max(first, _LONGEST_WAIT))
    pause = random.uniform(own / 2, own)  # noqa: S311 - threads that failed together must not come back together
    return pause if asked is None else max(pause, asked)


class End:
    """The end of a run before its time: cancelled, or past its deadline. It wakes whoever waits, also a transfer."""

    def __init__(self, deadline: float | None) -> None:
        self._came = threading.Event()
        self._why = CANCELLED
        self._seconds = deadline
        self._at = None if deadline is None else time.monotonic() + deadline
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        if deadline is not None:
            self._timer = threading.Timer(deadline, self.come, [DEADLINE])
            self._timer.daemon = True
            self._timer.start()

    def disarm(self) -> None:
        """Forget the deadline."""
        if self._timer:
            self._timer.cancel()

    def come(self, why: str) -> None:
        """End everything."""
        with self._lock:
            if not self._came.is_set():
                self._why = why
            self._came.set()
            sockets = list(self._sockets)
        for each in sockets:
            shut(each)

    def check(self, method: str) -> None:
        """Raise if the end has come.

        Raises:
            PortalUnavailable: It has; never tried again.
        """
        if not self._came.is_set():
            return
        what = (
            f"not done within the deadline of {self._seconds:g} s: give more with --deadline, or try again later"
            if self._why == DEADLINE
            else CANCELLED
        )
        raise errors.PortalUnavailable(f"{method}: {what}", subject=method, status=self._why)

    def comes_within(self, seconds: float) -> bool:
        """Say whether waiting so long would be in vain."""
        return self._came.is_set() or (self._at is not None and time.monotonic() + seconds >= self._at)

    def wait(self, seconds: float) -> None:
        """Wait, but not past the end."""
        self._came.wait(seconds)

    def watch(self, connected: socket.socket) -> None:
        """Shut a connection when the end comes."""
        with self._lock:
            self._sockets.add(connected)
        if self._came.is_set():
            shut(connected)


class Patience:
    """How long a run has waited between tries, in all its threads."""

    def __init__(self) -> None:
        self._left = LONGEST_IN_ALL
        self._lock = threading.Lock()

    def spend(self, seconds: float) -> bool:
        """Take so much of what is left, and say whether there was so much."""
        with self._lock:
            if seconds > self._left:
                return False
            self._left -= seconds
            return True


class Gate:
    """What slows every thread together: the wished rate, and what the portal asked of any of them."""

    def __init__(self, max_rps: float | None, end: End) -> None:
        self._gap = 1 / max_rps if max_rps else 0.0
        self._end = end
        self._lock = threading.Lock()
        self._next = 0.0
        self._shut_until = 0.0

    def wait(self) -> None:
        """Wait for this thread's turn."""
        with self._lock:
            turn = max(time.monotonic(), self._next)
            self._next = turn + self._gap
        # What the portal asks of another thread while this one waits holds for it too.
        while not self._end.comes_within(0) and (left := max(turn, self._shut_until) - time.monotonic()) > 0:
            self._end.wait(left)

    def heed(self, response: BaseHTTPResponse) -> None:
        """Hold everybody back for as long as the answer's headers ask."""
        seconds = asked_wait(response)
        if seconds:
            with self._lock:
                self._shut_until = max(self._shut_until, time.monotonic() + min(seconds, LONGEST_OBEYED))


def shut(connected: socket.socket) -> None:
    # Closed already is well.
    with contextlib.suppress(OSError):
        # The plain socket's own: TLS' would first change what the reading thread is using.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
