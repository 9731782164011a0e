"""Write a Parquet file of which one column is told only when all rows have come.

Rows go into a draft as they come and are encoded once. When the column is known, each row group is copied out of
the draft as bytes, and only that column is encoded beside it. Rows that count no more by then are left out; from the
first of them on all are encoded anew, so that the file depends on the rows alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from amoot_etl.loaders.contract import Rechunker
from amoot_etl.loaders.leaving import Leavable
from amoot_etl.loaders.parquet import ParquetLoader, encoded_columns
from amoot_etl.loaders.parquet_patch import ParquetPatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from amoot_etl.loaders.contract import Chunk, Written

__all__ = ["STAYS", "ParquetDraft"]


STAYS: Final = "_stays"
"""Says of each row of a draft whether it counts by now."""


class ParquetDraft(Leavable):
    """Writes one table to one Parquet file: rows first, one of their columns last.

    Args:
        path: The file.
        schema: As `arrow_schema` gives it; its metadata goes into the file.
        late: The string column that comes last; the table may be without it.
        draft: The file of the draft. It is not removed.
        compression: `zstd` or `snappy`.

    Raises:
        OutputError: A file cannot be made.
    """

    def __init__(
        self, path: Path, schema: pa.Schema, late: str, draft: Path, *, compression: str = "zstd"
    ) -> None:
        self._path = path
        self._schema = schema
        self._late = late
        self._compression = compression
        self._draft = ParquetLoader(draft, schema, compression=compression)
        self._table: ParquetLoader | None = None
        self._patch: ParquetPatch | None = None
        """The same, as long as groups are copied."""

    def append(self, chunk: Chunk) -> None:
        """Write some more rows to the draft; what they hold in the late column counts for nothing."""
        self._draft.append(chunk)

    def settle(self, told: Iterable[pa.Table]) -> None:
        """Make the table of the draft.

        Args:
            told: The late column and `STAYS` of every row, in the order of the rows and in chunks of any length.

        Raises:
            ValueError: They are not as many as the rows.
        """
        path = self._draft.close().path
        unlike = f"{self._path.name}: what is told does not match the rows of its draft"
        with pq.ParquetFile(path) as file:
            encoded = encoded_columns(file)
        with pq.ParquetFile(path, read_dictionary=encoded) as draft:
            sizes = [draft.metadata.row_group(group).num_rows for group in range(draft.num_row_groups)]
            rows = sum(sizes)
            copying = True
            for group, piece in enumerate(_pieces(told, max([1, *sizes]))):
                if sizes[group : group + 1] != [piece.num_rows]:
                    raise ValueError(unlike)
                rows -= piece.num_rows
                # Where a row is left out, those behind it move up: from there on no group is what it was.
                copying = copying and bool(pc.all(piece.column(STAYS)).as_py())
                self._lay_in(draft, group, piece, copying=copying)
        if rows:
            raise ValueError(unlike)
        if self._table is None:
            self._table = ParquetLoader(self._path, self._schema, compression=self._compression)

    def _lay_in(self, draft: pq.ParquetFile, group: int, told: pa.Table, *, copying: bool) -> None:
        if self._table is None and copying:
            self._table = self._patch = ParquetPatch(
                self._path,
                self._schema,
                self._draft.close().path,
                anew=self._late,
                compression=self._compression,
            )
        elif self._table is None:
            self._table = ParquetLoader(self._path, self._schema, compression=self._compression)
        late = {self._late: told.column(self._late)} if self._late in self._schema.names else {}
        if copying and self._patch is not None:
            self._patch.keep(group, late)
            return
        rows = draft.read_row_group(group).replace_schema_metadata()
        for name, column in late.items():
            rows = rows.set_column(rows.column_names.index(name), name, column)
        self._table.append(rows.filter(told.column(STAYS)))

    def close(self) -> Written:
        """Finish the file; once more gives the same answer."""
        if self._table is None:
            raise ValueError(f"{self._path.name}: its draft is not settled")
        return self._table.close()

    def release(self) -> None:
        """Let go of both files."""
        self._draft.release()
        if self._table is not None:
            self._table.release()


def _pieces(told: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """Cut chunks of any length into tables of one length, the last one shorter."""
    pieces = Rechunker(rows)
    for chunk in told:
        yield from map(pa.concat_tables, pieces.add(chunk))
    if rest := pieces.rest():
        yield pa.concat_tables(rest)
