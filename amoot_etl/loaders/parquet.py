"""Parquet: what other tools read, and what a later sync starts from.

The file depends on the rows alone, not on how they came in chunks: rows are cut into groups of one length,
and each group's encoded columns get one dictionary in the order in which the values appear.
"""

from __future__ import annotations

import base64
import contextlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from amoot_etl.errors import SettingsError
from amoot_etl.loaders.arrow import arrow_schema, table_name
from amoot_etl.loaders.atomic import as_output_error
from amoot_etl.loaders.contract import (
    Chunk,
    Format,
    Rechunker,
    RunFacts,
    Written,
    as_table,
    closed_error,
    frame_of,
)
from amoot_etl.loaders.leaving import FolderTarget, Leavable, or_release
from amoot_etl.loaders.whole import write_whole
from amoot_etl.schema import table_of

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable, Sequence

    import pandas as pd

    from amoot_etl.schema import Table

__all__ = [
    "GROUP_ROWS",
    "PARQUET",
    "ParquetLoader",
    "ParquetTarget",
    "encoded_columns",
    "group_of",
    "open_writer",
    "read_parquet",
    "repeats",
    "streamed",
    "write_parquet",
]

COMPRESSIONS: Final = {"zstd": 1, "snappy": None}
"""The compressions on offer, with the level that measured best: zstd 3 takes a fifth longer to save 4 %."""

GROUP_ROWS: Final = 131_072
"""Rows of a row group: small enough to prune by and to hold, large enough for dictionaries to pay."""

_SAMPLE_ROWS: Final = 32_768
"""Rows that are enough to see that a column hardly repeats."""

_ENCODED: Final = pa.dictionary(pa.int32(), pa.string())


class ParquetLoader(Leavable):
    """Writes one table to one Parquet file.

    Args:
        path: The file.
        schema: As `arrow_schema` gives it; its metadata goes into the file.
        compression: `zstd` or `snappy`.

    Raises:
        SettingsError: Another compression.
        OutputError: The file cannot be made.
    """

    def __init__(self, path: Path, schema: pa.Schema, *, compression: str = "zstd") -> None:
        if compression not in COMPRESSIONS:
            known = " or ".join(COMPRESSIONS)
            raise SettingsError(f"compression can be {known}, not {compression!r}", subject="compression")
        self._path = path
        self._schema = schema
        self._compression = compression
        self._pieces = Rechunker(GROUP_ROWS)
        self._encoded: frozenset[str] = frozenset()
        self._writer: pq.ParquetWriter | None = None
        self._rows = 0
        self._written: Written | None = None
        with as_output_error(path):
            self._file: Any = path.open("wb")

    def append(self, chunk: Chunk) -> None:
        """Write some more rows; a row group goes to the file as soon as it is whole."""
        if self._file.closed:
            raise closed_error(self._path)
        table = as_table(chunk, self._schema)
        self._rows += table.num_rows
        for piece in self._pieces.add(table):
            self._write(piece)

    def close(self) -> Written:
        """Write the last row group and the footer; once more gives the same answer."""
        if self._written is None:
            if self._file.closed:
                raise closed_error(self._path)
            with or_release(self.release):
                if rest := self._pieces.rest():
                    self._write(rest)
                self._finish()
                with as_output_error(self._path):
                    self._file.close()
            self._written = Written(self._path, table_name(self._schema), "parquet", self._rows)
        return self._written

    def _write(self, piece: list[pa.Table]) -> None:
        """Write one row group."""
        if self._writer is None:
            # Decided once, by the first group: every group of a file is written in the same way.
            self._encoded = frozenset(
                field.name
                for at, field in enumerate(self._schema)
                if pa.types.is_string(field.type) and repeats([table.column(at) for table in piece])
            )
            with as_output_error(self._path):
                self._writer = open_writer(
                    self._file, self._schema, self._encoded, compression=self._compression
                )
        table = group_of(piece, self._schema, self._encoded)
        with as_output_error(self._path):
            self._writer.write_table(table, row_group_size=GROUP_ROWS)

    def _finish(self) -> None:
        """Write the footer."""
        if self._writer is None:
            self._write([])
        with as_output_error(self._path):
            assert self._writer is not None  # noqa: S101 - `_write` has opened it
            self._writer.close()

    def release(self) -> None:
        """Let go of the file."""
        # A writer adds its footer even when it is collected: without a file, half a table cannot look whole.
        with contextlib.suppress(OSError):  # a full disk refuses what is still to be flushed
            self._file.close()
        if self._writer is not None:
            with contextlib.suppress(Exception):
                self._writer.close()


def open_writer(
    file: Any, schema: pa.Schema, encoded: Collection[str], *, compression: str
) -> pq.ParquetWriter:
    """Open a writer for row groups as `group_of` gives them.

    Args:
        file: A path, or an open file.
        schema: The columns; its metadata goes into the file.
        encoded: The string columns that get a dictionary.
        compression: `zstd` or `snappy`.
    """
    writer = pq.ParquetWriter(
        file,
        _physical(schema, encoded),
        compression=compression,
        compression_level=COMPRESSIONS[compression],
        use_dictionary=[field.name for field in schema if field.name in encoded],
        # Bounds of names or addresses prune nothing, and finding them is a third of the writer's work.
        write_statistics=[field.name for field in schema if not pa.types.is_string(field.type)],
        store_schema=False,
    )
    # The writer would note its own types, and readers would get encoded columns they never asked for.
    noted = base64.b64encode(schema.serialize().to_pybytes()).decode()
    facts = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    writer.add_key_value_metadata(facts | {"ARROW:schema": noted})
    return writer


def group_of(piece: Sequence[pa.Table], schema: pa.Schema, encoded: Collection[str]) -> pa.Table:
    """Give tables laid end to end as one row group, repeating strings encoded.

    Args:
        piece: Tables with the schema's columns, each encoded or plain.
        schema: The columns.
        encoded: The string columns that get a dictionary: each value once, in the order of its first row.
    """
    columns = []
    for at, field in enumerate(schema):
        chunks = [chunk for table in piece for chunk in table.column(at).chunks]
        if field.name in encoded:
            columns.append(_one_dictionary(chunks))
        else:
            columns.append(pa.chunked_array([_plain(chunk) for chunk in chunks], field.type))
    return pa.table(columns, schema=_physical(schema, encoded))


def streamed(path: Path, *, encoded: Collection[str] = ()) -> pq.ParquetFile:
    """Open a file to be read batch by batch.

    Args:
        path: The file.
        encoded: The string columns that are given encoded.
    """
    # Arrow would keep every byte that it has read of it until the file is closed (apache/arrow#39808).
    return pq.ParquetFile(path, read_dictionary=list(encoded), pre_buffer=False)


def encoded_columns(file: pq.ParquetFile) -> list[str]:
    """Give the string columns of a file that have a dictionary."""
    if not file.metadata.num_row_groups:
        return []
    group = file.metadata.row_group(0)
    columns = (group.column(at) for at in range(group.num_columns))
    return [
        column.path_in_schema
        for column in columns
        if column.physical_type == "BYTE_ARRAY" and column.has_dictionary_page
    ]


def _physical(schema: pa.Schema, encoded: Collection[str]) -> pa.Schema:
    """Give the schema as the writer is handed it: repeating strings encoded."""
    return pa.schema([field.with_type(_ENCODED) if field.name in encoded else field for field in schema])


def _plain(array: pa.Array) -> pa.Array:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def repeats(columns: list[pa.ChunkedArray]) -> bool:
    """Tell whether a string column is worth a dictionary: its values come twice or more, on average."""
    values = pa.chunked_array([_plain(chunk) for column in columns for chunk in column.chunks], pa.string())
    # Numbers and addresses show in their first rows what they are, and counting them all would be dear.
    sample = values.slice(0, _SAMPLE_ROWS).drop_null()
    if 10 * len(sample.unique()) > 9 * len(sample):
        return False
    return bool(2 * len(values.unique()) <= len(values) - values.null_count)


def _one_dictionary(chunks: list[pa.Array]) -> pa.DictionaryArray:
    """Give chunks as one encoded array with each value once, in the order of its first row."""
    encoded = [chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode() for chunk in chunks]
    # Each chunk may bring its own dictionary, values that no row has, and one value under two numbers.
    array = pa.chunked_array(encoded, _ENCODED).unify_dictionaries().combine_chunks()
    values = array.dictionary
    if values.null_count or len(values.unique()) < len(values):
        array = array.dictionary_decode().dictionary_encode()
        values = array.dictionary
    rows, unused = len(array), len(array)
    # One number past the last stands for null.
    numbers = array.indices.fill_null(len(values)).to_numpy()
    first = np.full(len(values) + 1, unused, np.int32)
    # Written from the last row to the first, so that the first has the last word.
    first[numbers[::-1]] = np.arange(rows - 1, -1, -1, dtype=np.int32)
    first[-1] = unused
    order = np.argsort(first, kind="stable")[: np.count_nonzero(first < unused)]
    rank = np.zeros(len(values) + 1, np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    mask = None if array.null_count == 0 else array.is_null().to_numpy(zero_copy_only=False)
    indices = pa.array(rank[numbers], pa.int32(), mask=mask)
    return pa.DictionaryArray.from_arrays(indices, values.take(pa.array(order)), safe=False)


class ParquetTarget(FolderTarget):
    """The Parquet files of one run: `<table>.parquet` in one folder.

    Args:
        folder: Where they go; it exists.
        run: The run that the files' metadata names.
        compression: `zstd` or `snappy`.
    """

    def __init__(self, folder: Path, run: RunFacts, *, compression: str = "zstd") -> None:
        super().__init__(folder, run, ".parquet", partial(ParquetLoader, compression=compression))


def write_parquet(
    rows: Chunk | Iterable[Chunk],
    path: str | os.PathLike[str],
    table: Table | str | None = None,
    *,
    run: RunFacts | None = None,
    compression: str = "zstd",
) -> Written:
    """Write a DataFrame, or chunks that do not fit in memory, to one Parquet file.

    The file appears whole or not at all; one that is there is replaced.

    Args:
        rows: A DataFrame, an Arrow table or batch, or an iterable of them.
        path: The file.
        table: What the columns are, when they are one of our tables, by name too; else they are what they come as.
        run: The run to name in the file's metadata.
        compression: `zstd` or `snappy`.

    Returns:
        What was written.

    Raises:
        ValueError: There is no chunk to tell the columns from, or the chunks differ.
        OutputError: The file cannot be written.

    >>> import tempfile
    >>> import pandas as pd
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "names.parquet"
    ...     written = write_parquet(pd.DataFrame({"name": ["علی", None]}), path)
    ...     back = read_parquet(path)
    >>> written.rows, back["name"].tolist()
    (2, ['علی', <NA>])
    """
    return write_whole(rows, Path(path), table, run, partial(ParquetLoader, compression=compression))


def read_parquet(path: str | os.PathLike[str], table: Table | str | None = None) -> pd.DataFrame:
    """Read a Parquet file into a DataFrame with Arrow types.

    Args:
        path: The file.
        table: What the columns must be, by name too; without it, whatever they are.

    Raises:
        SettingsError: There is no table of that name.
        ValueError: The file's columns are not the table's.
    """
    # Not read_table: it takes a folder or a pattern for a path, and a `name=value` folder for a column.
    with pq.ParquetFile(Path(path)) as file:
        rows = file.read()
    return frame_of(as_table(rows, None if table is None else arrow_schema(table_of(table))))


def _same(chunk: Chunk, **_options: object) -> tuple[pa.Table, dict[str, int]]:
    """Give a chunk as Parquet holds it: as it is."""
    return as_table(chunk), {}


PARQUET: Final = Format(
    name="parquet", holds=lambda _table: True, target=ParquetTarget, read=read_parquet, reduced=_same
)
"""Parquet, for the registry of formats."""
