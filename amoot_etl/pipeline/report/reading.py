"""Read the columns of a published set that a figure needs, and no more."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amoot_etl.loaders.generations import Generation

__all__ = ["Tables"]


class Tables:
    """The tables of one generation; nothing is kept but which contacts are not marked deleted.

    Args:
        generation: The generation. Its files are opened anew for each column: one that is gone meanwhile raises
            `FileNotFoundError`.
    """

    def __init__(self, generation: Generation) -> None:
        self._generation = generation

    def schema(self, table: str) -> pa.Schema:
        """Give a table's columns."""
        return pq.read_schema(self._generation.file(table))

    def rows(self, table: str) -> int:
        """Give how many rows a table has."""
        return int(pq.read_metadata(self._generation.file(table)).num_rows)

    def read(self, table: str, columns: Sequence[str]) -> pa.Table:
        """Give some columns of a table, strings plain."""
        with pq.ParquetFile(self._generation.file(table)) as file:
            return file.read(columns=list(columns))

    def alive(self, column: str) -> pa.ChunkedArray | None:
        """Give a column of the contacts that are not marked deleted; None where the set has no such column."""
        if column not in self._columns:
            return None
        values = self.read("contacts", [column])[column]
        return values if self._mask is None else values.filter(self._mask)

    def members(self) -> pa.Table:
        """Give who is in which group, of the contacts that are not marked deleted: `contact_id`, `group_id`."""
        members = self.read("contact_groups", ["contact_id", "group_id"])
        if self._mask is None:
            return members
        deleted = self.read("contacts", ["contact_id"])["contact_id"].filter(pc.invert(self._mask))
        return members.filter(pc.invert(pc.is_in(members["contact_id"], deleted)))

    @cached_property
    def alive_count(self) -> int:
        """How many contacts are not marked deleted."""
        return self.rows("contacts") if self._mask is None else pc.sum(self._mask).as_py() or 0

    @cached_property
    def _columns(self) -> frozenset[str]:
        return frozenset(self.schema("contacts").names)

    @cached_property
    def _mask(self) -> pa.ChunkedArray | None:
        """Which contacts are not marked deleted; None where no column tells."""
        if "deleted" not in self._columns:
            return None
        return pc.invert(pc.fill_null(self.read("contacts", ["deleted"])["deleted"], fill_value=False))
