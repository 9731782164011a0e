"""Download listings side by side, and give their segments in order as they land.

Threads fetch the listings in the order they are wanted, a bounded number at a time. The reader takes segments in
that order while later ones are still coming in. A download that fails after some of its segments were taken
starts that listing over, and the reader is told so by `StartOver`: what it built is no longer true.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import shutil
import threading
from typing import TYPE_CHECKING

from amoot_etl.extractors.landing import Landing, Segment
from amoot_etl.pipeline.backlog import Backlog
from amoot_etl.pipeline.crew import TICK

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from amoot_etl.client import Client

__all__ = ["Fetch", "Listing", "StartOver"]

_log = logging.getLogger("amoot_etl.export")


class StartOver(Exception):  # noqa: N818 - a turn of the road, not a fault
    """What was built so far is not what the portal tells; build anew from what has landed."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class _Unwanted(Exception):  # noqa: N818 - a turn of the road, not a fault
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
            raise _Unwanted

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


class Fetch:
    """Downloads listings, as many at a time as the settings allow.

    Args:
        client: A connection to the portal.
        group_ids: The listings wanted, in order.
        folder: Where bodies land.
        keep: Whether all that lands is kept, even what comes faster than it is read.
        there: What an earlier run landed of them.
        on_landed: Told of each listing that has landed whole, by the thread that fetched it.
    """

    def __init__(  # noqa: PLR0913 - what is fetched, and what for
        self,
        client: Client,
        group_ids: Sequence[int],
        folder: Path,
        *,
        keep: bool = True,
        there: Mapping[int, Sequence[Segment]] | None = None,
        on_landed: Callable[[Listing, Sequence[Segment]], None] | None = None,
    ) -> None:
        self._client = client
        self._on_landed = on_landed
        self._backlog = None if keep else Backlog()
        self.listings = [Listing(group_id, folder, self._backlog) for group_id in group_ids]
        self._waiting: queue.SimpleQueue[Listing] = queue.SimpleQueue()
        for listing in self.listings:
            if there and listing.group_id in there:
                listing.adopt(there[listing.group_id])
        self._hiring = threading.Condition()
        self._at_work = 0
        self._begin([listing for listing in self.listings if not listing.reused])

    @property
    def failed(self) -> bool:
        """Whether a download failed for good."""
        return any(listing.failed for listing in self.listings)

    def wait(self) -> None:
        """Wait until every listing has landed.

        Raises:
            AmootError: A download failed.
        """
        for listing in self.listings:
            listing.wait()

    def stop(self) -> None:
        """Take nothing more in, and wait until nothing more comes."""
        for listing in self.listings:
            listing.drop()
        if self._backlog:
            self._backlog.close()
        self._fail_waiting(_Unwanted())
        with self._hiring:
            while not self._hiring.wait_for(lambda: not self._at_work, TICK):
                pass

    def rewind(self) -> None:
        """Let everything be read from its beginning: what is gone is fetched again, and nothing more goes.

        Raises:
            AmootError: A download failed.
        """
        if self._backlog:
            self._backlog.close()
        # Where one failed, what is gone would never come: nothing is built any more.
        for listing in sorted(self.listings, key=lambda listing: not listing.failed):
            if listing.failed or listing.gone:
                listing.wait()
        self.again([listing.group_id for listing in self.listings if listing.gone])

    def again(self, group_ids: Collection[int]) -> None:
        """Fetch listings after all that an earlier run landed."""
        doubtful = [listing for listing in self.listings if listing.group_id in group_ids]
        for listing in doubtful:
            listing.forget()
        self._begin(doubtful)

    def _begin(self, listings: Sequence[Listing]) -> None:
        with self._hiring:
            for listing in listings:
                self._waiting.put(listing)
            wanted = min(self._client.settings.concurrency, self._at_work + len(listings))
            # Daemons: a thread that hangs in the network must not keep an interrupted run alive.
            for number in range(self._at_work, wanted):
                self._at_work += 1
                threading.Thread(target=self._work, name=f"amoot-fetch-{number}", daemon=True).start()

    def _next(self) -> Listing | None:
        with self._hiring:
            try:
                return self._waiting.get_nowait()
            except queue.Empty:
                self._at_work -= 1
                self._hiring.notify_all()
                return None

    def _work(self) -> None:
        while (listing := self._next()) is not None:
            try:
                segments = self._client.download(
                    "ContactList", listing.landing, ContactGroupID=listing.group_id
                )
                if self._on_landed:
                    self._on_landed(listing, segments)
            except BaseException as error:  # noqa: BLE001 - told to the reader, who raises it
                listing.fail(error)
                self._fail_waiting(error)
            else:
                listing.succeed(segments)

    def _fail_waiting(self, error: BaseException) -> None:
        """Let none of those begin that wait for their turn, and tell whoever waits for them."""
        while True:
            try:
                self._waiting.get_nowait().fail(error)
            except queue.Empty:
                return
