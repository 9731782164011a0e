"""Write a Parquet file of which one column is told only when all rows have come.

Rows go into a draft as they come and are encoded once. When the column is known, each row group is copied out of
the draft as bytes, and only that column is encoded beside it. Rows that count no more by then are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from amoot_etl.loaders.contract import Rechunker
from amoot_etl.loaders.leaving import Leavable
from amoot_etl.loaders.parquet import ParquetLoader
from amoot_etl.loaders.parquet_patch import ParquetPatch

if TYPE_CHECKING:
    from collections.abc import Iterable
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
        draft = self._draft.close()
        if not draft.rows:
            self._table = ParquetLoader(self._path, self._schema, compression=self._compression)
            return
        self._table = patch = ParquetPatch(
            self._path, self._schema, draft.path, anew=self._late, compression=self._compression
        )
        pieces = Rechunker(patch.sizes[0])
        group = 0
        for chunk in told:
            for piece in pieces.add(chunk):
                self._lay_in(patch, group, pa.concat_tables(piece))
                group += 1
        if piece := pieces.rest():
            self._lay_in(patch, group, pa.concat_tables(piece))
            group += 1
        if group != len(patch.sizes):
            raise ValueError(f"{self._path.name}: rows of its draft were not told of")

    def _lay_in(self, patch: ParquetPatch, group: int, told: pa.Table) -> None:
        late = {self._late: told.column(self._late)} if self._late in self._schema.names else {}
        if pc.all(told.column(STAYS)).as_py():
            patch.keep(group, late)
            return
        with pq.ParquetFile(self._draft.close().path) as file:
            rows = file.read_row_group(group).replace_schema_metadata()
        for name, column in late.items():
            rows = rows.set_column(rows.column_names.index(name), name, column)
        patch.put(rows.filter(told.column(STAYS)))

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
