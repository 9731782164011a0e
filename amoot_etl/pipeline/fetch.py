"""Download listings side by side, a bounded number at a time, in the order in which they are wanted."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from amoot_etl.pipeline.backlog import Backlog
from amoot_etl.pipeline.crew import TICK
from amoot_etl.pipeline.listing import Listing, Unwanted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from amoot_etl.client import Client
    from amoot_etl.extractors.landing import Segment

__all__ = ["Fetch"]


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
        self._fail_waiting(Unwanted())
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
