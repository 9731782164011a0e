"""One listing on its way to disk: a thread lands it, and a reader takes its segments meanwhile.

A download that fails after some of its segments were taken starts the listing over, and the reader is told so by
`StartOver`: what it built is no longer true.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
from typing import TYPE_CHECKING

from amoot_etl.extractors.landing import Landing, Segment
from amoot_etl.pipeline.crew import TICK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from amoot_etl.pipeline.backlog import Backlog

__all__ = ["Listing", "StartOver", "Unwanted"]

_log = logging.getLogger("amoot_etl.export")


class StartOver(Exception):  # noqa: N818 - a turn of the road, not a fault
    """What was built so far is not what the portal tells; build anew from what has landed."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Unwanted(Exception):  # noqa: N818 - a turn of the road, not a fault
    """Nobody waits for this listing any more."""


class Listing:
    """One listing on its way to disk.

    Args:
        group_id: The group; 0 for all contacts, -1 for those without a label.
        folder: Where its bodies land, an attempt a folder.
        backlog: Counts what waits to be read. Where there is much, segments are removed once they are read; without it
            none is.
    """

    def __init__(self, group_id: int, folder: Path, backlog: Backlog | None = None) -> None:
        self.group_id = group_id
        self.torn = False
        """Whether a cut went through a record, so that only a stream can read it."""
        self.reused = False
        """Whether an earlier run landed it."""
        self.on_wait: Callable[[], None] | None = None
        """Called about twice a second while a reader waits for the network."""
        self.passing = False
        """Whether segments are removed once they are read: they come faster than that."""
        self.gone = False
        """Whether one was removed: it has to be fetched anew to be read from its beginning."""
        self._folder = folder
        self._backlog = backlog
        self._landing: Landing | None = None
        self._changed = threading.Condition()
        self._segments: list[Segment] = []
        self._attempt = 0
        self._taken = 0
        self._done = False
        self._unwanted = False
        self._error: BaseException | None = None

    def landing(self) -> Landing:
        """Begin an attempt."""
        self._check()
        with self._changed:
            self._attempt += 1
            dropped, self._segments = self._segments[self._taken :], []
            self.passing = self.gone = False
            self._changed.notify_all()
        if self._backlog:
            self._backlog.dropped(_bytes_in(dropped))
        self.folder.mkdir(parents=True, mode=0o700)
        landing = self._landing = Landing(
            "ContactList",
            self.folder,
            on_block=self._check,
            before_segment=self._wait_a_moment,
            on_segment=self._announce,
        )
        return landing

    def succeed(self, segments: list[Segment]) -> None:
        """Say that the whole body has landed."""
        with self._changed:
            if self._backlog:
                # Where its status comes last, a body's segments are told of only now.
                self._backlog.landed(_bytes_in(segments[len(self._segments) :]))
            self._segments = segments
            self._done = True
            self._changed.notify_all()
        told = {"event": "landed", "group_id": self.group_id, "bytes": self.received_bytes}
        _log.info("the listing of %d has landed: %d bytes", self.group_id, self.received_bytes, extra=told)

    def adopt(self, segments: Sequence[Segment]) -> None:
        """Say that an earlier run landed it."""
        with self._changed:
            self._segments = list(segments)
            self._done = self.reused = True

    def forget(self) -> None:
        """Forget what an earlier run landed: it is fetched after all."""
        with self._changed:
            self._segments = []
            self._done = self.reused = self.torn = self.gone = False
        shutil.rmtree(self.folder, ignore_errors=True)

    def drop(self) -> None:
        """Say that nobody waits for it any more."""
        self._unwanted = True

    def fail(self, error: BaseException) -> None:
        """Say that it never will."""
        with self._changed:
            self._error = error
            self._changed.notify_all()

    @property
    def landed(self) -> bool:
        """Whether the whole body is on disk."""
        return self._done

    @property
    def failed(self) -> bool:
        """Whether it never will be."""
        return self._error is not None

    @property
    def received_bytes(self) -> int:
        """Bytes that the latest attempt has taken in."""
        return self._landing.received if self._landing else 0

    @property
    def folder(self) -> Path:
        """Where its latest attempt lands."""
        return self._folder / f"{self.group_id}-{self._attempt}"

    def wait(self) -> list[Segment]:
        """Wait for the whole body and give its segments."""
        with self._changed:
            self._wait_for(lambda: self._done or self._error is not None)
            self._raise()
            return list(self._segments)

    def segments(self) -> Iterator[Segment]:
        """Give the segments as they land.

        Raises:
            StartOver: An attempt failed after segments of it were given.
            AmootError: The download failed for good.
        """
        with self._changed:
            attempt = None
            self._taken = 0
        while True:
            with self._changed:
                if not self._is_known():
                    with self._backlog.starving() if self._backlog else contextlib.nullcontext():
                        self._wait_for(self._is_known)
                self._raise()
                if self._taken and attempt != self._attempt:
                    raise StartOver(f"the listing of {self.group_id} had to be downloaded again")
                if self._taken >= len(self._segments):
                    return
                attempt = self._attempt
                segment = self._segments[self._taken]
                self._taken += 1
            if self._backlog and segment.cut and not self.reused:
                self._backlog.taken(segment.size)
            yield segment

    def let_go(self, segment: Segment) -> None:
        """Say that a segment was read, and will not be again as long as nothing starts over."""
        if self._backlog and not self.reused:
            self._backlog.read(segment.size)
        with self._changed:
            if self.passing and self._backlog and not self._backlog.closed:
                self.gone = True
                # Whoever cannot remove a file that is mapped leaves it to the end of the run.
                with contextlib.suppress(OSError):
                    segment.path.unlink()

    def ready(self) -> bool:
        """Say whether the next segment is there already (or is no longer to come)."""
        return self._taken < len(self._segments) or (self._taken > 0 and not self._segments)

    def _is_known(self) -> bool:
        """Say whether the next segment is there, or it is known that none comes."""
        return self.ready() or self._done or self._error is not None

    def _wait_for(self, come: Callable[[], bool]) -> None:
        while not self._changed.wait_for(come, TICK):
            if self.on_wait:
                self.on_wait()

    def _raise(self) -> None:
        if self._error:
            raise self._error

    def _check(self) -> None:
        if self._unwanted:
            raise Unwanted

    def _wait_a_moment(self) -> None:
        if self._backlog and self._backlog.wait():
            self.passing = True

    def _announce(self, segment: Segment) -> None:
        if self._backlog:
            self._backlog.landed(_bytes_in([segment]))
        with self._changed:
            self._segments.append(segment)
            self._changed.notify_all()


def _bytes_in(segments: Sequence[Segment]) -> int:
    """Add up what readers take by the segment; what only a stream can read lands whole before anybody begins."""
    return sum(segment.size for segment in segments if segment.cut)
