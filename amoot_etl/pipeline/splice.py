"""Lay what a sync has learnt into the old set: stream it, and replace, remove and add rows.

Rows keep the old set's order; a replaced row stands where the old one stood, new ones come at the end. The table of
contacts is laid in by row group and column: what no change touches is copied as bytes. Only one row group of the old
set and the received records that belong into it are in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from amoot_etl.ids import usable_ids
from amoot_etl.loaders.arrow import decoded_type
from amoot_etl.loaders.parquet_patch import ParquetPatch
from amoot_etl.pipeline.idsets import inside, union, without
from amoot_etl.pipeline.oldrows import batches, last_with_room, row_groups
from amoot_etl.pipeline.standing import Standing

if TYPE_CHECKING:
    import datetime as dt

    import numpy.typing as npt

    from amoot_etl.loaders.generations import Generation
    from amoot_etl.pipeline.expect import Knowledge
    from amoot_etl.pipeline.learnt import Learnt
    from amoot_etl.pipeline.memberships import Memberships
    from amoot_etl.pipeline.sink import Tables

    Ids = npt.NDArray[np.int64]

__all__ = ["Splice"]

_FEW: Final = 50_000
"""Contacts of which the old and the new rows may be held, to tell what changed without reading both sets again."""


class Splice:
    """One sync's laying in.

    Args:
        previous: The old set.
        learnt: The records received.
        knowledge: Who is gone and who is in which group.
        memberships: The same, with the groups' titles as they are now.
        regrouped: Contacts whose groups, or the titles of them, are not what the old set says; rising.
        today: The run's date in Tehran.
    """

    def __init__(  # noqa: PLR0913 - the old, the new, and what is known of both
        self,
        previous: Generation,
        learnt: Learnt,
        knowledge: Knowledge,
        memberships: Memberships,
        regrouped: Ids,
        *,
        today: dt.date,
    ) -> None:
        self._previous = previous
        self._learnt = learnt
        self._knowledge = knowledge
        self._gone = knowledge.gone
        self._memberships = memberships
        self._regrouped = regrouped
        self._today = today
        self.carried = 0
        """Rows of contacts that were taken over from the old set."""
        self._held = knowledge.held.ids
        self._stirred = union(knowledge.gone, learnt.ids, regrouped)
        with pq.ParquetFile(previous.file("contacts")) as file:
            fields = [pa.field(field.name, decoded_type(field.type)) for field in file.schema_arrow]
        self._schema = pa.schema(fields)
        self._before: list[pa.Table] = []
        self._after: list[pa.Table] = []

    @property
    def rows(self) -> tuple[pa.Table, pa.Table] | None:
        """The old and the new rows of every contact that may differ; None where that would be too many to hold."""
        if len(self._stirred) > _FEW:
            return None
        nothing = self._schema.empty_table()
        return pa.concat_tables([nothing, *self._before]), pa.concat_tables([nothing, *self._after])

    def write(self, tables: Tables) -> None:
        """Write contacts, `contacts_raw` where the old set has it, and all issues but those of the whole set."""
        stay = without(self._held, self._gone)
        new = self._learnt.in_order(np.flatnonzero(~inside(self._learnt.ids, stay)))
        self.carried = len(stay) - (len(self._learnt.ids) - len(new))
        self._write_contacts(tables, new)
        if self._previous.entry("contacts_raw") is not None:
            self._write_raw(tables, new)
        standing = Standing(self._previous, self._knowledge, self._learnt.ids, today=self._today)
        for issues in batches(self._previous.file("issues")):
            tables.write_issues(standing.of(issues))
        for issues in self._learnt.issues():
            tables.write_issues(issues)

    def _write_contacts(self, tables: Tables, new: npt.NDArray[np.int64]) -> None:
        source = self._previous.file("contacts")
        patch = tables.contacts if isinstance(tables.contacts, ParquetPatch) else None
        # New rows come after the last row group's, which they fill up where it has room.
        filled = last_with_room(source) if len(new) else None

        def in_full(group: int, ids: Ids) -> bool:
            return patch is None or group == filled or bool(inside(ids, self._stirred).any())

        for group, old in row_groups(source, in_full):
            ids = old.column("contact_id").to_numpy()
            changed = self._changed(old, ids)
            stays = ~inside(ids, self._gone)
            rows = pa.table({name: changed.get(name, old.column(name)) for name in old.column_names})
            rows = rows if stays.all() else rows.filter(pa.array(stays))
            if patch is None or group == filled:
                tables.contacts.append(rows)
            elif rows.num_rows < len(ids):
                patch.put(rows)
            else:
                patch.keep(group, changed)
            _note(tables, rows)
        if len(new):
            rows, _ = self._learnt.contacts(new)
            titles = self._memberships.titles_of(rows.column("contact_id").to_numpy())
            rows = self._plain(_with(rows, "groups", titles))
            self._hold(self._after, rows)
            tables.contacts.append(rows)
            _note(tables, rows)

    def _changed(self, rows: pa.Table, ids: Ids) -> dict[str, pa.Array]:
        """Give the columns of a row group in which anything changed, as they are now; and hold what may differ."""
        gone, received = inside(ids, self._gone), inside(ids, self._learnt.ids)
        at = np.flatnonzero((received | inside(ids, self._regrouped)) & ~gone)
        if gone.any():
            self._hold(self._before, self._plain(rows.filter(pa.array(gone))))
        if not len(at):
            return {}
        before = self._plain(rows.take(pa.array(at)))
        after = self._renewed(before, ids[at])
        self._hold(self._before, before)
        self._hold(self._after, after)
        return {
            name: _put(rows.column(name), at, after.column(name))
            for name in self._schema.names
            if not before.column(name).equals(after.column(name))
        }

    def _renewed(self, rows: pa.Table, ids: Ids) -> pa.Table:
        """Give some rows as they are now: the records that were received, and everybody's groups."""
        received = np.flatnonzero(inside(ids, self._learnt.ids))
        if len(received):
            records, _ = self._learnt.contacts(np.searchsorted(self._learnt.ids, ids[received]))
            order = np.arange(len(ids))
            order[received] = len(ids) + np.arange(len(received))
            rows = pa.concat_tables([rows, self._plain(records)]).take(pa.array(order))
        return self._plain(_with(rows, "groups", self._memberships.titles_of(ids)))

    def _plain(self, rows: pa.Table) -> pa.Table:
        """Give rows with the table's columns, strings plain."""
        return rows.select(self._schema.names).cast(self._schema)

    def _hold(self, held: list[pa.Table], rows: pa.Table) -> None:
        """Keep rows of contacts that may differ."""
        if len(self._stirred) <= _FEW:
            held.append(rows)

    def _write_raw(self, tables: Tables, rest: npt.NDArray[np.int64]) -> None:
        for batch in batches(self._previous.file("contacts_raw")):
            ids = usable_ids(batch.column("ID").cast(pa.string()))
            if ids is None:
                raise AssertionError("contacts_raw has a row without an ID")
            seats = _Seats(ids, self._gone, self._learnt.ids)
            if seats.stirred:
                rows = self._learnt.raw(seats.places) if len(seats.places) else None
                tables.write_raw(seats.taken(batch, rows))
            else:
                tables.write_raw(batch)
        if len(rest):
            tables.write_raw(self._learnt.raw(rest))


class _Seats:
    """Which rows of a batch stay, which are replaced, and by what.

    Args:
        ids: The batch's contacts.
        gone: Contacts that go, rising.
        learnt: Contacts that there is a record of, rising.
    """

    def __init__(self, ids: Ids, gone: Ids, learnt: Ids) -> None:
        stays = ~inside(ids, gone)
        replaced = inside(ids, learnt) & stays
        self.places = np.searchsorted(learnt, ids[replaced])
        """Where the records that replace rows stand among the learnt, in the order of the rows."""
        self.stirred = not stays.all() or bool(replaced.any())
        order = np.arange(len(ids))
        order[replaced] = len(ids) + np.arange(len(self.places))
        self._order: npt.NDArray[np.int64] = order[stays]

    def taken(self, batch: pa.Table, rows: pa.Table | None) -> pa.Table:
        """Give the new rows of a batch.

        Args:
            batch: The old rows.
            rows: The records that replace some, in the order of `places`; None where there are none.
        """
        index = pa.array(self._order)
        if rows is None:
            return batch.take(index)
        columns = [_one(batch.column(name), rows.column(name)).take(index) for name in batch.column_names]
        return pa.table(columns, names=batch.column_names)


def _one(old: pa.ChunkedArray, new: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Give two columns end to end, as one array of the first one's type."""
    if pa.types.is_dictionary(old.type):
        new = new if pa.types.is_dictionary(new.type) else new.dictionary_encode()
    elif new.type != old.type:
        new = new.cast(old.type)
    chunks = [*old.chunks, *(new.chunks if isinstance(new, pa.ChunkedArray) else [new])]
    if pa.types.is_dictionary(old.type):
        return pa.chunked_array(chunks).unify_dictionaries().combine_chunks()
    return pa.concat_arrays(chunks)


def _with(table: pa.Table, name: str, column: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


def _put(column: pa.ChunkedArray, at: npt.NDArray[np.int64], values: pa.ChunkedArray) -> pa.Array:
    """Give a column with other values at some places."""
    index = np.arange(len(column))
    index[at] = len(column) + np.arange(len(at))
    return _one(column, values).take(pa.array(index))


def _note(tables: Tables, rows: pa.Table) -> None:
    digits = pc.cast(pc.ascii_ltrim(rows.column("mobile").cast(pa.string()), "+"), pa.int64())
    numbers = digits.fill_null(0).to_numpy()
    tables.note(rows.column("contact_id").to_numpy(), numbers, rows.column("extra"))
