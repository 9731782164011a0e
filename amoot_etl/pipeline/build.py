"""From landed listings to the tables of contacts and issues, in bounded memory and one pass.

Workers take batches of landed segments: they read whose records those hold (`intake`), wait for their turn to enter
the batch on the roll (in the order of the listings, which settles which record of a contact counts), clean what
counts, and hand it on. One writer takes the clean batches in that same order.

A contact's groups are known once every listing has been read. With at most one group that has contacts they are
known at once; otherwise each batch is written all the same, and the column of groups laid in at the end. Whatever
turns out untrue on the way (a download that starts over) raises `StartOver`, and the tables are built anew from what
has landed; what is no longer there of it is fetched again.
"""

from __future__ import annotations

import os
import threading
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from amoot_etl.extractors.body import Raw
from amoot_etl.pipeline.alignment import once
from amoot_etl.pipeline.intake import Intake
from amoot_etl.pipeline.listing import Listing, StartOver
from amoot_etl.pipeline.memberships import Memberships
from amoot_etl.pipeline.roll import Roll
from amoot_etl.pipeline.sink import Batch, Sink
from amoot_etl.schema import CONTACT_FIELDS
from amoot_etl.transformers.contacts import CleanedTable, clean_table

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from amoot_etl.extractors.landing import Segment
    from amoot_etl.pipeline.intake import Item, Prepared
    from amoot_etl.pipeline.roll import Admission
    from amoot_etl.shape import Shape

__all__ = ["Build", "Tally"]

_BATCH_BYTES: Final = 12 << 20
_MOST_BYTES: Final = 2 * _BATCH_BYTES
"""Of a batch of whose records few count: each parsing and cleaning has a price of its own."""
_WORKERS: Final = max(1, min(4, os.cpu_count() or 1))
_WAITING: Final = 4 * _WORKERS
"""Batches that are worked on or wait for the writer in memory: some 14 MB each, as clean rows.

While a row group is written each worker makes three; with less room they would stand idle.
"""


@dataclass(slots=True)
class Tally:
    """What one listing held."""

    group_id: int
    received: int = 0
    distinct: int = 0
    active: int = 0
    """Distinct contacts that are active."""
    unreadable: list[str] = field(default_factory=list)
    repeated: Counter[int] = field(default_factory=Counter)
    """Contacts that stood in it more than once: how many times too often."""


class Build:
    """One attempt at the tables.

    Args:
        listings: The listings, in order.
        titles: Group to its clean title.
        sink: Where clean batches go.
        today: The run's date in Tehran.
        shape: The tables as the user wants them.
        fingerprints: Whether records of the same contact are compared, so that one that says the same as another
            replaces nothing.
        wants: Says of which contacts the records are wanted; the others' only tell who is listed. Without it all are.
        watch: Told of the records received so far.
    """

    def __init__(  # noqa: PLR0913 - what one attempt works with
        self,
        listings: Sequence[Listing],
        titles: dict[int, str | None],
        sink: Sink,
        *,
        today: dt.date,
        shape: Shape | None = None,
        fingerprints: bool = True,
        wants: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]] | None = None,
        watch: Callable[[int], None] | None = None,
    ) -> None:
        self.roll = Roll()
        self.memberships = Memberships(titles)
        self.tallies = [Tally(listing.group_id) for listing in listings]
        self._listings = listings
        self._titles = titles
        self._sink = sink
        self._today = today
        self._shape = shape
        self._wants = wants
        self._watch = watch
        self._intake = Intake(listings, fingerprints=fingerprints, sift=fingerprints or wants is not None)
        self._pending: deque[Future[Batch]] = deque()
        self._turn = threading.Condition()
        self._next = 0
        self._batches = 0
        self._enough = _BATCH_BYTES
        self._received = 0

    def read(self) -> None:
        """Read every listing.

        Raises:
            StartOver: What was written is not true any more.
            AmootError: A download failed, or a body was not what the portal documents.
        """
        pending = self._pending
        with ExitStack() as stack:
            pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="amoot-clean")
            stack.callback(pool.shutdown, wait=True, cancel_futures=True)
            stack.callback(self._open_gate)
            for items in self._items():
                pending.append(pool.submit(self._process, self._batches, items))
                self._batches += 1
                # A row group keeps the writer busy for a while; workers go on as long as there is room.
                while len(pending) > _WAITING or (pending and pending[0].done()):
                    self._sink.put(pending.popleft().result())
            while pending:
                self._sink.put(pending.popleft().result())

    def add(self, raws: Sequence[Raw], number: int) -> None:
        """Read contacts that were fetched by themselves.

        Args:
            raws: Their records.
            number: Which round of such contacts it is, from 1.
        """
        items = [(-number, raw) for raw in raws]
        self._sink.put(self._process(self._batches, items))
        self._batches += 1

    def strike(self, contacts: npt.NDArray[np.int64]) -> None:
        """Take contacts out that the portal says are gone."""
        self._sink.replace(self.roll.strike(contacts))

    def settle(self) -> None:
        """Leave no membership of a contact that is not there."""
        self.memberships.keep(self.roll.ids())

    # Inside

    def _items(self) -> Iterator[list[Item]]:
        """Group what lands into batches: segments of one or more listings, or chunks of a stream."""
        batch: list[Item] = []
        size = 0
        for number, item, more_waits in self._landed():
            if isinstance(item, Raw):
                # It is as large as a batch, and comes after whatever waits.
                if batch:
                    yield batch
                yield [(number, item)]
                batch, size = [], 0
                continue
            batch.append((number, item))
            size += item.size
            # Small segments go together; but work with what is there rather than be idle and wait for the network.
            if size >= self._enough or not (more_waits or self._all_busy()):
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _all_busy(self) -> bool:
        """Say whether every worker has a batch before it, and another one waits."""
        return sum(not batch.done() for batch in self._pending) > _WORKERS

    def _landed(self) -> Iterator[tuple[int, Segment | Raw, bool]]:
        """Give what lands, in order: the listing's number, a segment or a chunk, and whether more is there."""
        for number, listing in enumerate(self._listings):
            if listing.torn:
                yield from ((number, raw, True) for raw in self._intake.stream(listing.wait()))
                continue
            following = self._listings[number + 1] if number + 1 < len(self._listings) else None
            for segment in listing.segments():
                if segment.cut:
                    more = not segment.last or (following is not None and following.landed)
                    yield number, segment, more
                else:
                    # It lands last and whole, and only a stream can read it.
                    yield from ((number, raw, True) for raw in self._intake.stream([segment]))

    def _process(self, number: int, items: Sequence[Item]) -> Batch:
        with self._in_turn(number) as enter:
            prepared = self._intake.read(items)
            enter()
            admission = self.roll.admit(number, prepared.entries)
            self._tell(prepared, admission)
        # Within one listing a record that comes again takes the place of the first; nothing has to be known for that.
        separate = len(self._listings) > 1 and not self._sink.takes_overlap
        if separate and (admission.first_in_listing & ~admission.keep).any():
            raise StartOver("a contact stands in more than one listing")
        entries = prepared.entries
        kept = admission.keep if self._wants is None else admission.keep & self._wants(entries.ids)
        # Of batches that are parsed late the next ones are to be so large that about a batch of each is parsed.
        wanted = int(kept.sum()) if prepared.table is None else len(kept)
        self._enough = min(_MOST_BYTES, _BATCH_BYTES * len(kept) // max(1, wanted))
        table = self._intake.rows(number, items, prepared, kept)
        clean = clean_table(table, today=self._today, shape=self._shape)
        for listing, item in items:
            if not isinstance(item, Raw):
                self._listings[listing].let_go(item)
        # Batches wait for the writer: what nobody wants of them is let go here.
        raw = _raw_rows(table, clean) if self._sink.wants_raw else None
        return Batch(number, clean, raw, entries.ids[kept], entries.listings[kept], admission.replaced)

    @contextmanager
    def _in_turn(self, number: int) -> Iterator[Callable[[], None]]:
        """Let a block wait for its turn by calling what it is given; the turn passes on however it ends."""

        def enter() -> None:
            with self._turn:
                self._turn.wait_for(lambda: self._next >= number)

        try:
            yield enter
        finally:
            enter()
            with self._turn:
                self._next = max(self._next, number + 1)
                self._turn.notify_all()

    def _open_gate(self) -> None:
        """Let everybody through: the attempt is over."""
        with self._turn:
            self._next = 1 << 62
            self._turn.notify_all()

    def _tell(self, prepared: Prepared, admission: Admission) -> None:
        """Enter a batch into the tallies and the memberships."""
        entries, first = prepared.entries, admission.first_in_listing
        for number in once(entries.listings.astype(np.int64)).tolist():
            here = entries.listings == number
            if number < 0:
                continue
            tally = self.tallies[number]
            tally.received += int(here.sum())
            new = here & first
            tally.distinct += int(new.sum())
            tally.active += int((new & entries.active).sum())
            tally.repeated.update(entries.ids[here & ~first].tolist())
            if tally.group_id in self._titles:
                self.memberships.add(tally.group_id, entries.ids if new.all() else entries.ids[new])
        for number, text in prepared.unreadable:
            self.tallies[number].received += 1
            self.tallies[number].unreadable.append(text)
        self._received += len(entries.ids) + len(prepared.unreadable)
        if self._watch:
            self._watch(self._received)


def _raw_rows(table: pa.Table, clean: CleanedTable) -> pa.Table:
    """Give raw records as the rows of `contacts_raw`: the documented fields, the others in `extra`."""
    return table.select(list(CONTACT_FIELDS)).append_column("extra", clean.contacts.column("extra"))
