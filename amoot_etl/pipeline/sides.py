"""One side of a comparison: the table of contacts of a set, a column of a row group at a time.

A table that is held in memory stands as one row group.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple, Self, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    import numpy as np
    import numpy.typing as npt

    Ints: TypeAlias = npt.NDArray[np.int64]

__all__ = [
    "Chunk",
    "ColumnReader",
    "Rows",
    "Side",
    "TableFile",
    "ids_of",
    "lengths_of",
    "names_of",
    "same_bytes",
]

_BLOCK: Final = 1 << 20


class Chunk(NamedTuple):
    """The bytes of one column of one row group, and what must be known to read them."""

    start: int
    length: int
    how: tuple[object, ...]
    """Physical and logical type, levels, compression: equal bytes read in equal ways are equal values."""


class TableFile:
    """A Parquet file, its footer read once.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with pq.ParquetFile(path) as file:
            self.footer = file.metadata
            self.schema: pa.Schema = file.schema_arrow
        self.groups: list[int] = [
            self.footer.row_group(at).num_rows for at in range(self.footer.num_row_groups)
        ]

    def read(self, names: Sequence[str], groups: Sequence[int] | None = None) -> pa.Table:
        """Give some columns, of all row groups or of some."""
        with pq.ParquetFile(self.path, metadata=self.footer) as file:
            if groups is None:
                return file.read(list(names))
            return file.read_row_groups(list(groups), list(names))

    def is_encoded(self, name: str) -> bool:
        """Tell whether a column holds strings by number, in a dictionary."""
        if not self.groups or not pa.types.is_string(self.schema.field(name).type):
            return False
        return bool(self.footer.row_group(0).column(self._place(name)).has_dictionary_page)

    def chunk(self, group: int, name: str) -> Chunk:
        """Tell where one column of one row group stands in the file."""
        place = self._place(name)
        held, shape = self.footer.row_group(group).column(place), self.footer.schema.column(place)
        # Zero is how some writers say that there is no dictionary: a file begins with its magic bytes.
        start = min((at for at in (held.dictionary_page_offset, held.data_page_offset) if at), default=0)
        how = (
            held.physical_type,
            str(shape.logical_type),
            shape.length,
            shape.max_definition_level,
            shape.max_repetition_level,
            held.compression,
            self.schema.field(name).type,
        )
        return Chunk(start, held.total_compressed_size, how)

    def _place(self, name: str) -> int:
        # Our tables are flat, so a column of Arrow's is one of Parquet's, in the same place.
        return int(self.schema.get_field_index(name))


def same_bytes(one: BinaryIO, other: BinaryIO, chunk: Chunk, twin: Chunk) -> bool:
    """Tell whether a column of a row group of one file holds the same bytes as one of another.

    If so it holds the same values, and nothing need be decoded to know. If not, it still may.

    Args:
        one: A Parquet file, open and unbuffered.
        other: Another.
        chunk: Where the column stands in the first.
        twin: Where it stands in the second.
    """
    if chunk.length != twin.length or chunk.how != twin.how:
        return False
    one.seek(chunk.start)
    other.seek(twin.start)
    left = chunk.length
    while left > 0:
        held, found = one.read(min(left, _BLOCK)), other.read(min(left, _BLOCK))
        if not held or held != found:
            return False
        left -= len(held)
    return True


Rows: TypeAlias = "TableFile | pa.Table"
"""The contacts of one side."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two sets.

    Args:
        contacts: The path of its Parquet table of contacts; or a table of those rows that may differ, when it
            is known that the others do not.
        members: The path of its Parquet table of memberships.
    """

    contacts: Path | pa.Table
    members: Path

    @classmethod
    def of(cls, folder: Path) -> Side:
        """Give the set in a folder."""
        return cls(folder / "contacts.parquet", folder / "contact_groups.parquet")

    def rows(self) -> Rows:
        """Give the contacts, ready to be read."""
        return self.contacts if isinstance(self.contacts, pa.Table) else TableFile(self.contacts)


def lengths_of(rows: Rows) -> list[int]:
    """Give how many rows each row group has."""
    return rows.groups if isinstance(rows, TableFile) else [rows.num_rows]


def ids_of(rows: Rows) -> Ints:
    """Give the ids of contacts as they stand."""
    table = rows.read(["contact_id"]) if isinstance(rows, TableFile) else rows
    ids: Ints = table["contact_id"].to_numpy()
    return ids


def names_of(rows: Rows) -> list[str]:
    """Give the names of the columns."""
    return list(rows.schema.names)


class ColumnReader:
    """Reads one column of one side, a row group at a time; the last one read is kept.

    Args:
        rows: The contacts.
        name: The column.
        encoded: Leave strings encoded where the file holds them so.
    """

    def __init__(self, rows: Rows, name: str, *, encoded: bool = False) -> None:
        self._rows = rows
        self._name = name
        self._encoded = encoded
        self._open = ExitStack()
        self._file: pq.ParquetFile | None = None
        self._held: tuple[int, pa.Array] | None = None

    def __enter__(self) -> Self:
        """Give the reader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the file."""
        self._open.close()

    def read(self, group: int) -> pa.Array:
        """Give the values of one row group."""
        if self._held is None or self._held[0] != group:
            self._held = None  # so that two are never held at once
            self._held = (group, _one(self._column(group), encoded=self._encoded))
        return self._held[1]

    def size(self, group: int) -> int:
        """Estimate the bytes that the values of one row group take."""
        if not isinstance(self._rows, TableFile):
            return 0
        place = self._rows.schema.get_field_index(self._name)
        held = self._rows.footer.row_group(group).column(place)
        return int(held.total_uncompressed_size) + 4 * self._rows.groups[group]

    def _column(self, group: int) -> pa.ChunkedArray:
        if not isinstance(self._rows, TableFile):
            return self._rows[self._name]
        if self._file is None:
            wanted = [self._name] if self._encoded else None
            self._file = self._open.enter_context(
                pq.ParquetFile(self._rows.path, metadata=self._rows.footer, read_dictionary=wanted)
            )
        return self._file.read_row_group(group, columns=[self._name], use_threads=False)[self._name]


def _one(column: pa.ChunkedArray, *, encoded: bool) -> Any:
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries() if encoded else column.cast(column.type.value_type)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
