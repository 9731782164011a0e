"""Write a Parquet file out of another one: columns of which nothing changed are copied, not read and written anew.

A row group holds each column as one run of bytes, and the footer says where. A column in which no row changed is
copied as it is and its place noted; only the others are encoded. A change of a few rows then costs what changed, and
the reading of bytes that need not be understood.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

from amoot_etl.loaders.atomic import as_output_error
from amoot_etl.loaders.parquet import ParquetLoader, group_of, open_writer, repeats
from amoot_etl.loaders.parquet_footer import MAGIC, Field, Record, decode, encode, number, read_footer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from io import BufferedReader
    from pathlib import Path

__all__ = ["ParquetPatch", "groups_to_patch"]

# Fields of the footer, of a row group, of a column in it, and of what that one says of itself.
_SCHEMA, _ROWS, _GROUPS, _ENCRYPTION, _SIGNATURE = 2, 3, 4, 8, 9
_COLUMNS, _GROUP_SIZE, _GROUP_ROWS, _GROUP_START, _GROUP_BYTES = 1, 2, 3, 5, 6
_OTHER_FILE, _NOTED_AT, _ABOUT, *_INDEXES = 1, 2, 3, 4, 5, 6, 7, 8, 9
_NAME, _SIZE, _BYTES, _DATA, _INDEX, _DICTIONARY, _BLOOM = 3, 6, 7, 9, 10, 11, 14
_STRUCT: Final = 12


class _Chunk(NamedTuple):
    """A column of a row group: what the footer says of it, and its bytes."""

    record: Record
    data: bytes | memoryview

    @property
    def about(self) -> Record:
        about: Record = self.record[_ABOUT].value
        return about


def groups_to_patch(source: Path, schema: pa.Schema) -> list[Record]:
    """Give the row groups of a file of whose columns another one can be made, as its footer has them.

    Args:
        source: The file.
        schema: The columns of the new one.

    Returns:
        Nothing where it has none, where the columns are not the same, or where it is not written as we write.
    """
    with source.open("rb") as file:
        try:
            footer = read_footer(file)
        except ValueError:
            return []
    if _ENCRYPTION in footer or _SIGNATURE in footer or footer[_SCHEMA] != _empty(schema)[_SCHEMA]:
        return []
    groups = _groups(footer)
    # Parts that have places of their own, which we never write, would have to be moved too.
    odd = any(
        not {_OTHER_FILE, *_INDEXES}.isdisjoint(column)
        or not {_INDEX, _BLOOM}.isdisjoint(column[_ABOUT].value)
        for group in groups
        for column in _columns(group)
    )
    return [] if odd else groups


class ParquetPatch(ParquetLoader):
    """Writes a table to a Parquet file, most of it out of another one.

    Row groups that are kept or put come first, rows that are appended after them.

    Args:
        path: The file.
        schema: As `arrow_schema` gives it; its metadata goes into the file.
        source: The other file.
        groups: Its row groups, where `groups_to_patch` gave them; else they are read, of a file that is ours.
        anew: A string column that every row group is given anew: whether it repeats is told by its first values,
            not by the other file.
        compression: `zstd` or `snappy`, for what is encoded anew.

    Raises:
        OutputError: The file cannot be made, or the other one not be read.
    """

    def __init__(  # noqa: PLR0913 - a file, another one, and what is known of both
        self,
        path: Path,
        schema: pa.Schema,
        source: Path,
        *,
        groups: Sequence[Record] | None = None,
        anew: str | None = None,
        compression: str = "zstd",
    ) -> None:
        super().__init__(path, schema, compression=compression)
        self._anew = anew
        with as_output_error(source):
            self._source: BufferedReader = source.open("rb")
            self._old = groups or _groups(read_footer(self._source))
        # As the other file has it: every group of a file is written in the same way.
        self._encoded = frozenset(
            _name_of(column) for column in _columns(self._old[0]) if _DICTIONARY in column[_ABOUT].value
        )
        self._new: list[Record] = []
        with as_output_error(path):
            self._file.write(MAGIC)

    def keep(self, group: int, columns: Mapping[str, pa.ChunkedArray | pa.Array]) -> None:
        """Write a row group of the other file, with some columns in place of its own.

        Args:
            group: Its number.
            columns: Column to all its values, as many as the group has rows.
        """
        old = self._old[group]
        rows = old[_GROUP_ROWS].value
        if any(len(column) != rows for column in columns.values()):
            raise ValueError("a column has not as many values as its row group has rows")
        self._learn([pa.table(dict(columns))])
        fresh = self._encode([pa.table(dict(columns))]) if columns else {}
        chunks = []
        for column in _columns(old):
            chunk = fresh.get(_name_of(column))
            if chunk is None:
                start, size = _place_of(column)
                with as_output_error(self._path):
                    self._source.seek(start)
                    chunk = _Chunk(column, self._source.read(size))
            chunks.append(chunk)
        self._put(chunks, rows)
        self._rows += rows

    def put(self, rows: pa.Table) -> None:
        """Write rows as a row group of their own."""
        if rows.num_rows:
            self._write([rows])
            self._rows += rows.num_rows

    def release(self) -> None:
        """Let go of both files."""
        self._source.close()
        super().release()

    # Inside

    def _learn(self, piece: Sequence[pa.Table]) -> None:
        """Learn from its first values whether the column that comes anew repeats."""
        if self._anew is None or self._anew not in piece[0].column_names:
            return
        if repeats([table.column(self._anew) for table in piece]):
            self._encoded |= {self._anew}
        self._anew = None

    def _write(self, piece: list[pa.Table]) -> None:
        self._learn(piece)
        fresh = self._encode(piece)
        self._put([fresh[name] for name in self._schema.names], sum(table.num_rows for table in piece))

    def _finish(self) -> None:
        footer = _empty(self._schema)
        footer[_GROUPS] = Field(footer[_GROUPS].kind, (_STRUCT, self._new))
        footer[_ROWS] = number(self._rows)
        data = encode(footer)
        with as_output_error(self._path):
            self._file.write(data + len(data).to_bytes(4, "little") + MAGIC)
        self._source.close()

    def _encode(self, piece: Sequence[pa.Table]) -> dict[str, _Chunk]:
        """Encode columns as one row group, in memory."""
        names = set(piece[0].column_names)
        schema = pa.schema([field for field in self._schema if field.name in names])
        table = group_of([table.select(schema.names) for table in piece], schema, self._encoded)
        sink = pa.BufferOutputStream()
        with open_writer(sink, schema, self._encoded, compression=self._compression) as writer:
            writer.write_table(table, row_group_size=table.num_rows)
        data = memoryview(sink.getvalue())
        size = int.from_bytes(data[-8:-4], "little")
        [group] = _groups(decode(bytes(data[-8 - size : -8])))
        chunks = {}
        for column in _columns(group):
            start, length = _place_of(column)
            chunks[_name_of(column)] = _Chunk(column, data[start : start + length])
        return chunks

    def _put(self, chunks: Sequence[_Chunk], rows: int) -> None:
        """Write a row group, and note where its columns stand."""
        at = first = self._file.tell()
        columns = []
        for chunk in chunks:
            with as_output_error(self._path):
                self._file.write(chunk.data)
            columns.append(_moved(chunk.record, at - _place_of(chunk.record)[0]))
            at += len(chunk.data)
        sizes = {field: sum(chunk.about[field].value for chunk in chunks) for field in (_SIZE, _BYTES)}
        self._new.append(
            {
                _COLUMNS: Field(9, (_STRUCT, columns)),
                _GROUP_SIZE: number(sizes[_SIZE]),
                _GROUP_ROWS: number(rows),
                _GROUP_START: number(first),
                _GROUP_BYTES: number(sizes[_BYTES]),
            }
        )


def _empty(schema: pa.Schema) -> Record:
    """Give the footer of a file without rows."""
    sink = pa.BufferOutputStream()
    open_writer(sink, schema, (), compression="zstd").close()
    data = sink.getvalue().to_pybytes()
    return decode(data[-8 - int.from_bytes(data[-8:-4], "little") : -8])


def _groups(footer: Record) -> list[Record]:
    groups: list[Record] = footer[_GROUPS].value[1]
    return groups


def _columns(group: Record) -> list[Record]:
    columns: list[Record] = group[_COLUMNS].value[1]
    return columns


def _name_of(column: Record) -> str:
    _, path = column[_ABOUT].value[_NAME].value
    return ".".join(part.decode() for part in path)


def _place_of(column: Record) -> tuple[int, int]:
    """Give where a column's bytes begin, and how many they are."""
    about: Record = column[_ABOUT].value
    starts = [about[field].value for field in (_DATA, _DICTIONARY) if field in about]
    return min(starts), about[_BYTES].value


def _moved(column: Record, by: int) -> Record:
    """Give what the footer says of a column that now stands so much further on."""
    about: Record = column[_ABOUT].value
    places = {field: number(about[field].value + by) for field in (_DATA, _DICTIONARY) if field in about}
    noted = column[_NOTED_AT].value
    moved: dict[int, Any] = {
        _NOTED_AT: number(noted + by if noted else 0),
        _ABOUT: Field(_STRUCT, about | places),
    }
    return column | moved
