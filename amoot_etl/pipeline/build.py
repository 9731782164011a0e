"""From landed listings to the tables of contacts and issues, in bounded memory and one pass.

Workers take batches of landed segments: they parse, wait for their turn to enter the batch on the roll (in the
order of the listings, which settles which record of a contact counts), clean what counts, and hand it on. Where
contacts are expected more than once, or only some are wanted, the bytes tell whose records a batch holds, and only
what counts is parsed, after the turn. One writer takes the clean batches in that same order.

A contact's groups are known once every listing has been read. With at most one group that has contacts they are
known at once; otherwise each batch is written all the same, and the column of groups laid in at the end. Whatever
turns out untrue on the way (a download that starts over) raises `StartOver`, and the tables are built anew from what
has landed.
"""

from __future__ import annotations

import os
import threading
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.errors import UnexpectedAnswer
from amoot_etl.extractors.body import LITERALS, Raw, usable_ids
from amoot_etl.extractors.contacts import contact_reader
from amoot_etl.extractors.landing import open_private
from amoot_etl.extractors.sift import Records, find_records, write_records
from amoot_etl.pipeline.alignment import once
from amoot_etl.pipeline.fetch import Listing, StartOver
from amoot_etl.pipeline.memberships import Memberships
from amoot_etl.pipeline.roll import Admission, Entries, Roll
from amoot_etl.pipeline.sink import Batch, Sink
from amoot_etl.schema import CONTACT_FIELDS
from amoot_etl.transformers.contacts import CleanedTable, clean_table
from amoot_etl.transformers.stamps import stamp_order

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from amoot_etl.extractors.landing import Segment
    from amoot_etl.shape import Shape

__all__ = ["Build", "Tally"]

_BATCH_BYTES: Final = 6 << 20
_MOST_BYTES: Final = 4 * _BATCH_BYTES
"""Of a batch of whose records few count: each parsing and cleaning has a price of its own."""
_ACTIVE: Final = pa.array(["true", "1"])
_WORKERS: Final = max(1, min(4, os.cpu_count() or 1))
_WAITING: Final = 4 * _WORKERS
"""Batches that are worked on or wait for the writer in memory: some 7 MB each, as clean rows.

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


class _Prepared(NamedTuple):
    """A batch of which it is known whose records it holds."""

    entries: Entries
    unreadable: list[tuple[int, str]]
    table: pa.Table | None
    """Its records, parsed; None as long as `found` tells enough of them."""
    found: list[Records]


class Build:
    """One attempt at the tables.

    Args:
        listings: The listings, in order.
        titles: Group to its clean title.
        sink: Where clean batches go.
        today: The run's date in Tehran.
        shape: The tables as the user wants them.
        fingerprints: Whether contacts are expected more than once: their records are then compared, so that one
            that says the same as another replaces nothing.
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
        self.loose_unreadable: list[str] = []
        """Records fetched by themselves that had no usable ID."""
        self._listings = listings
        self._titles = titles
        self._sink = sink
        self._today = today
        self._fingerprints = fingerprints
        self._shape = shape
        self._wants = wants
        self._watch = watch
        self._reader = contact_reader()
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
        pending: deque[Future[Batch]] = deque()
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

    def _items(self) -> Iterator[list[tuple[int, Segment | Raw]]]:
        """Group what lands into batches: segments of one or more listings, or chunks of a stream."""
        batch: list[tuple[int, Segment | Raw]] = []
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
            size += _size_of(item)
            # Small segments go together; but work with what is there rather than wait for the network.
            if size >= self._enough or not more_waits:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _landed(self) -> Iterator[tuple[int, Segment | Raw, bool]]:
        """Give what lands, in order: the listing's number, a segment or a chunk, and whether more is there."""
        for number, listing in enumerate(self._listings):
            if listing.torn:
                yield from ((number, raw, True) for raw in self._reader.read_carefully(listing.wait()))
                continue
            following = self._listings[number + 1] if number + 1 < len(self._listings) else None
            for segment in listing.segments():
                if segment.cut:
                    more = not segment.last or (following is not None and following.landed)
                    yield number, segment, more
                else:
                    # It lands last and whole, and only a stream can read it.
                    yield from ((number, raw, True) for raw in self._reader.read_carefully([segment]))

    def _process(self, number: int, items: Sequence[tuple[int, Segment | Raw]]) -> Batch:
        with self._in_turn(number) as enter:
            prepared = self._prepare(items)
            enter()
            admission = self.roll.admit(number, prepared.entries)
            self._tell(prepared, admission)
        if not self._fingerprints and (admission.first_in_listing & ~admission.keep).any():
            raise StartOver("a contact stands in more than one listing")
        entries, table = prepared.entries, prepared.table
        kept = admission.keep if self._wants is None else admission.keep & self._wants(entries.ids)
        if table is None:
            # The next ones are to be so large that about a batch of each is parsed.
            self._enough = min(_MOST_BYTES, _BATCH_BYTES * len(kept) // max(1, int(kept.sum())))
            table = self._parsed(number, items, prepared, kept)
        else:
            self._enough = _BATCH_BYTES
            table = table if kept.all() else table.filter(pa.array(kept))
        clean = clean_table(table, today=self._today, shape=self._shape)
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

    def _prepare(self, items: Sequence[tuple[int, Segment | Raw]]) -> _Prepared:
        # Where contacts are expected twice, or not all are wanted, records are parsed when it is known which.
        found = self._found(items) if self._fingerprints or self._wants is not None else []
        if found:
            return self._entered(items, found)
        tables: list[pa.Table] = []
        listings: list[npt.NDArray[np.int32]] = []
        unreadable: list[tuple[int, str]] = []
        for number, item in items:
            for raw in self._raws(number, item):
                tables.append(raw.table)
                listings.append(np.full(raw.table.num_rows, number, np.int32))
                unreadable += [(number, text) for text in raw.unreadable]
        table = _joined(tables)
        ids = usable_ids(table.column("ID"))
        if ids is None:
            raise AssertionError("the reader gave a record without a usable ID")
        entries = Entries(
            ids,
            stamp_order(_one(table.column("UpdateDateTime"))),
            self._contents(table) if self._fingerprints else None,
            np.concatenate(listings) if listings else np.empty(0, np.int32),
            _active(table),
        )
        return _Prepared(entries, unreadable, table, [])

    def _found(self, items: Sequence[tuple[int, Segment | Raw]]) -> list[Records]:
        """Find the records of segments by their bytes; nothing unless those of all are found."""
        all_found = []
        for number, item in items:
            if isinstance(item, Raw):
                return []
            # Read, not mapped: each map holds a file open, and a batch may be of a thousand small listings.
            with self._there(number), pa.OSFile(str(item.path)) as file:
                found = find_records(np.frombuffer(file.read_buffer(), np.uint8))
            if found is None:
                return []
            all_found.append(found)
        return all_found

    def _entered(self, items: Sequence[tuple[int, Segment | Raw]], found: list[Records]) -> _Prepared:
        """Give a batch as what was found of it tells."""
        active = np.concatenate([records.active for records in found])
        contents = None
        if self._fingerprints:
            hashes = [
                self._reader.hashes(pa.table({"content": records.contents()}))[::2] for records in found
            ]
            contents = np.concatenate(hashes)
            # Whether a contact is active stands before what was hashed.
            contents[active] = ~contents[active]
        entries = Entries(
            np.concatenate([records.ids for records in found]),
            stamp_order(pa.concat_arrays([records.stamps for records in found])),
            contents,
            np.repeat(
                np.array([number for number, _ in items], np.int32), [len(records.ids) for records in found]
            ),
            active,
        )
        return _Prepared(entries, [], None, found)

    def _parsed(
        self,
        number: int,
        items: Sequence[tuple[int, Segment | Raw]],
        prepared: _Prepared,
        kept: npt.NDArray[np.bool_],
    ) -> pa.Table:
        """Parse those records of a batch that are kept."""
        if not kept.any():
            return _joined([])
        entries = prepared.entries
        try:
            raws = self._raws_of(number, items, prepared.found, kept)
        except UnexpectedAnswer:
            raws = []
        table = _joined([raw.table for raw in raws])
        ids = usable_ids(table.column("ID"))
        if (
            ids is None
            or any(raw.unreadable for raw in raws)
            or not np.array_equal(ids, entries.ids[kept])
            or not np.array_equal(_active(table), entries.active[kept])
        ):
            for listing, _ in items:
                self._listings[listing].torn = True
            raise StartOver("records that are not what their bytes say")
        return table

    def _raws_of(
        self,
        number: int,
        items: Sequence[tuple[int, Segment | Raw]],
        found: list[Records],
        kept: npt.NDArray[np.bool_],
    ) -> list[Raw]:
        """Parse those records of segments that are kept; some are."""
        (listing, first), *others = items
        if isinstance(first, Raw):
            raise TypeError("only segments are parsed late")
        with self._there(listing):
            if kept.all() and not others:
                return self._reader.read(first)
            some = replace(first, path=first.path.with_name(f"kept-{number}.json"))
            parts = np.split(kept, np.cumsum([len(records.ids) for records in found])[:-1])
            try:
                with open_private(some.path) as file:
                    write_records(file, list(zip(found, parts, strict=True)))
                # Their bytes are in the file now.
                found.clear()
                return self._reader.read(some)
            finally:
                some.path.unlink(missing_ok=True)

    @contextmanager
    def _there(self, number: int) -> Iterator[None]:
        """Start over where a failed attempt has just taken a segment away."""
        try:
            yield
        except FileNotFoundError:
            group_id = self._listings[number].group_id
            raise StartOver(f"the listing of {group_id} had to be downloaded again") from None

    def _raws(self, number: int, item: Segment | Raw) -> Sequence[Raw]:
        if isinstance(item, Raw):
            return [item]
        listing = self._listings[number]
        try:
            with self._there(number):
                return self._reader.read(item)
        except UnexpectedAnswer:
            listing.torn = True
            raise StartOver(f"a record of the listing of {listing.group_id} was cut in two") from None

    def _contents(self, table: pa.Table) -> npt.NDArray[np.uint64]:
        """Give each record's fingerprint; ContactGroupID differs from answer to answer and says nothing."""
        names = sorted(name for name in table.column_names if name not in {"ContactGroupID", LITERALS})
        return self._reader.hashes(table.select(names))

    def _tell(self, prepared: _Prepared, admission: Admission) -> None:
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
            if number < 0:
                self.loose_unreadable.append(text)
                continue
            self.tallies[number].received += 1
            self.tallies[number].unreadable.append(text)
        self._received += len(entries.ids) + len(prepared.unreadable)
        if self._watch:
            self._watch(self._received)


def _joined(tables: list[pa.Table]) -> pa.Table:
    """Give tables as one whose columns are single arrays; a field that some lack is null there."""
    if not tables:
        return contact_reader().gather([]).table
    table = tables[0] if len(tables) == 1 else pa.concat_tables(tables, promote_options="default")
    return table.combine_chunks()


def _active(table: pa.Table) -> npt.NDArray[np.bool_]:
    """Say of each record whether the contact is active."""
    active: npt.NDArray[np.bool_] = pc.is_in(
        pc.utf8_lower(pc.utf8_trim_whitespace(table.column("Active"))), _ACTIVE
    ).to_numpy()
    return active


def _raw_rows(table: pa.Table, clean: CleanedTable) -> pa.Table:
    """Give raw records as the rows of `contacts_raw`: the documented fields, the others in `extra`."""
    return table.select(list(CONTACT_FIELDS)).append_column("extra", clean.contacts.column("extra"))


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _size_of(segment: Segment) -> int:
    """Give a segment's bytes; none where a failed attempt has just taken it away, which its reader will meet."""
    try:
        return segment.path.stat().st_size
    except FileNotFoundError:
        return 0
