"""Read the records of a batch: all at once, or first whose they are and then only those that count.

Where contacts are expected more than once, or only some are wanted, the bytes of a batch tell whose records it holds
(`extractors.sift`), and it is parsed when it is known which of them count. What the bytes tell is believed only as far
as parsing bears it out.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.errors import UnexpectedAnswer
from amoot_etl.extractors.body import LITERALS, Raw
from amoot_etl.extractors.contacts import contact_reader
from amoot_etl.extractors.landing import open_private
from amoot_etl.extractors.sift import Records, find_records, some_records
from amoot_etl.ids import usable_ids
from amoot_etl.pipeline.listing import Listing, StartOver
from amoot_etl.pipeline.roll import Entries
from amoot_etl.transformers.stamps import stamp_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from amoot_etl.extractors.landing import Segment

    Item: TypeAlias = tuple[int, Segment | Raw]
    """A segment or chunk, and the number of its listing; below 0 for contacts that were fetched by themselves."""

__all__ = ["Intake", "Prepared"]

_ACTIVE: Final = pa.array(["true", "1"])
_WORTH_MAPPING: Final = 1 << 18
"""Bytes of a segment."""


class Prepared(NamedTuple):
    """A batch of which it is known whose records it holds."""

    entries: Entries
    unreadable: list[tuple[int, str]]
    table: pa.Table | None
    """Its records, parsed; None as long as `found` tells enough of them."""
    found: list[Records]


class Intake:
    """Reads batches; threads may share it.

    Args:
        listings: The listings, in order.
        fingerprints: Whether records are compared with each other.
        sift: Whether to look whose records a batch holds before it is parsed.
    """

    def __init__(self, listings: Sequence[Listing], *, fingerprints: bool, sift: bool) -> None:
        self._listings = listings
        self._fingerprints = fingerprints
        self._sift = sift
        self._reader = contact_reader()

    def stream(self, segments: Iterable[Segment]) -> Iterator[Raw]:
        """Give the records of segments that only a stream can read, in chunks."""
        return self._reader.read_carefully(segments)

    def read(self, items: Sequence[Item]) -> Prepared:
        """Tell whose records a batch holds.

        Raises:
            StartOver: A segment is gone, or was cut inside a record.
        """
        found = self._found(items) if self._sift else []
        if found:
            return self._sifted(items, found)
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
        return Prepared(entries, unreadable, table, [])

    def rows(
        self, number: int, items: Sequence[Item], prepared: Prepared, kept: npt.NDArray[np.bool_]
    ) -> pa.Table:
        """Give those records of a batch that are kept, parsed.

        Args:
            number: The batch.
            items: What it is made of.
            prepared: What `read` told of it; what was found of its bytes is let go of.
            kept: Which of its records are kept.

        Raises:
            StartOver: A segment is gone, or its records are not what their bytes said.
        """
        if prepared.table is not None:
            return prepared.table if kept.all() else prepared.table.filter(pa.array(kept))
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

    # Inside

    def _found(self, items: Sequence[Item]) -> list[Records]:
        """Find the records of segments by their bytes; nothing unless those of all are found."""
        all_found = []
        for number, item in items:
            if isinstance(item, Raw):
                return []
            with self._there(number):
                found = find_records(_bytes_of(item))
            if found is None:
                return []
            all_found.append(found)
        return all_found

    def _sifted(self, items: Sequence[Item], found: list[Records]) -> Prepared:
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
        return Prepared(entries, [], None, found)

    def _raws_of(
        self,
        number: int,
        items: Sequence[Item],
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
            parts = np.split(kept, np.cumsum([len(records.ids) for records in found])[:-1])
            body = some_records(list(zip(found, parts, strict=True)))
            # Their bytes are in there now.
            found.clear()
            raw = self._reader.read_alike(body)
            if raw is not None:
                return [raw]
            some = replace(first, path=first.path.with_name(f"kept-{number}.json"), size=len(body))
            try:
                with open_private(some.path) as file:
                    file.write(body.data)
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


def _bytes_of(segment: Segment) -> npt.NDArray[np.uint8]:
    """Give a segment's bytes: mapped, not copied, unless it is one of a thousand small ones."""
    # Unlike NumPy's, this map holds no file open; but of maps, too, a process may have only so many.
    opened = pa.memory_map if segment.size >= _WORTH_MAPPING else pa.OSFile
    with opened(str(segment.path)) as file:
        return np.frombuffer(file.read_buffer(), np.uint8)


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


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
