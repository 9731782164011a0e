"""CSV in two profiles: `plain` for programs, `excel` for people who open it by a double click.

`plain` is UTF-8 without a byte order mark, lines end in LF, text is quoted as RFC 4180 says, null is nothing
and the empty text is `""`; dates and stamps are ISO 8601. Our reader gives the very same table back.

`excel` begins with a byte order mark, ends lines in CRLF and quotes everything. Text that people typed and a
spreadsheet would run as a formula gets an apostrophe in front; mobiles lose their plus, because a
spreadsheet takes `+989121234567` for a sum. Our reader takes both back.
"""

from __future__ import annotations

import contextlib
import gzip
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import pyarrow as pa
import pyarrow.csv as pacsv

from amoot_etl.errors import SettingsError
from amoot_etl.loaders.arrow import headings, table_name
from amoot_etl.loaders.atomic import as_output_error
from amoot_etl.loaders.contract import (
    Chunk,
    Format,
    RunFacts,
    Written,
    as_table,
    closed_error,
)
from amoot_etl.loaders.csv_reader import iter_csv, read_csv
from amoot_etl.loaders.csv_text import PROFILES, as_text, for_spreadsheets, returned
from amoot_etl.loaders.leaving import FolderTarget, Leavable, or_release
from amoot_etl.loaders.whole import write_whole

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from concurrent.futures import Future

    from amoot_etl.schema import Table

__all__ = ["CSV", "CsvLoader", "CsvTarget", "write_csv"]

COMPRESSIONS: Final = {"none": "", "gzip": ".gz", "zstd": ".zst"}
"""The compressions on offer, with what they add to a file's name."""

_BATCH_ROWS: Final = (
    8_192  # measured best: at 65,536 the writer's buffers leave the cache, and it takes half more
)
_WAITING: Final = 8
"""Parts that wait to be written at most: enough to write on while 65,536 rows are read, and memory stays bounded."""


class CsvLoader(Leavable):
    """Writes one table to one CSV file.

    Rows are laid out and written by a thread behind, while the next ones are read: what goes wrong there is raised
    by an append after, or by the close.

    Args:
        path: The file.
        schema: As `arrow_schema` gives it.
        profile: `plain` or `excel`.
        labels: Headings in `en` or `fa`.
        compression: `none`, `gzip` or `zstd`.

    Raises:
        SettingsError: Another profile, language or compression.
        OutputError: The file cannot be made.
    """

    def __init__(
        self,
        path: Path,
        schema: pa.Schema,
        *,
        profile: str = "plain",
        labels: str = "en",
        compression: str = "none",
    ) -> None:
        _known("csv_profile", profile, PROFILES)
        _known("csv_compression", compression, COMPRESSIONS)
        self._path = path
        self._schema = schema
        self._profile = profile
        self._rows = 0
        self._losses: dict[str, int] = {}
        self._written: Written | None = None
        self._behind = ThreadPoolExecutor(max_workers=1, thread_name_prefix="amoot-csv")
        self._pending: deque[Future[None]] = deque()
        names = headings(schema, labels)
        texts = profile == "excel"
        with as_output_error(path):
            self._file: Any = path.open("wb")
            self._stream = _compressed(self._file, compression)
            if texts:
                self._stream.write("\ufeff".encode())
        self._columns = pa.schema(
            [
                pa.field(name, pa.string() if texts else _written_as(field.type))
                for name, field in zip(names, schema, strict=True)
            ]
        )
        options = pacsv.WriteOptions(
            batch_size=_BATCH_ROWS,
            eol="\r\n" if texts else "\n",
            quoting_style="all_valid" if texts else "needed",
        )
        with as_output_error(path):
            self._writer = pacsv.CSVWriter(self._stream, self._columns, write_options=options)

    def append(self, chunk: Chunk) -> None:
        """Write some more rows."""
        if self._file.closed:
            raise closed_error(self._path)
        table = as_table(chunk, self._schema)
        self._rows += table.num_rows
        if self._profile == "excel":
            table, losses = for_spreadsheets(table, table_name(self._schema))
            for kind, count in losses.items():
                self._losses[kind] = self._losses.get(kind, 0) + count
        for start in range(0, table.num_rows, _BATCH_ROWS):
            part = self._as_told(table.slice(start, _BATCH_ROWS))
            self._await_writing(_WAITING - 1)
            self._pending.append(self._behind.submit(self._write, part))

    def close(self) -> Written:
        """Finish the file; once more gives the same answer."""
        if self._written is None:
            if self._file.closed:
                raise closed_error(self._path)
            with or_release(self.release), as_output_error(self._path):
                self._await_writing(0)
                self._behind.shutdown()
                self._writer.close()
                self._stream.close()
                self._file.close()
            self._written = Written(
                self._path, table_name(self._schema), "csv", self._rows, dict(self._losses)
            )
        return self._written

    def release(self) -> None:
        """Let go of the file."""
        self._behind.shutdown(cancel_futures=True)
        # A full disk refuses what is still to be flushed, and Arrow refuses what Python closed before it.
        for held in (self._writer, self._stream, self._file):
            with contextlib.suppress(OSError, ValueError):
                held.close()

    def _as_told(self, part: pa.Table) -> pa.Table:
        """Give some rows as the writer takes them."""
        columns = [
            as_text(column) if pa.types.is_string(field.type) else column
            for column, field in zip(part.columns, self._columns, strict=True)
        ]
        if self._profile == "excel":
            columns = [column.fill_null("") for column in columns]
        return pa.table(columns, schema=self._columns)

    def _write(self, part: pa.Table) -> None:
        with as_output_error(self._path):
            self._writer.write_table(part)

    def _await_writing(self, waiting: int) -> None:
        """Wait until only so many parts wait to be written, and raise what went wrong with the others."""
        while len(self._pending) > waiting:
            self._pending.popleft().result()


def _known(setting: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise SettingsError(f"{setting} can be {' or '.join(known)}, not {value!r}", subject=setting)


def _compressed(file: Any, compression: str) -> Any:
    """Give what compresses into a file; neither time nor name goes in, so that equal rows give equal files."""
    if compression == "gzip":
        return gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=1, mtime=0)
    if compression == "zstd":
        return pa.CompressedOutputStream(file, "zstd")
    return file


def _written_as(data_type: pa.DataType) -> pa.DataType:
    """Give the type that Arrow's writer is handed: what it does not print as we want goes as text."""
    plain = pa.types.is_integer(data_type) or pa.types.is_boolean(data_type) or pa.types.is_date32(data_type)
    return data_type if plain or pa.types.is_floating(data_type) else pa.string()


class CsvTarget(FolderTarget):
    """The CSV files of one run: `<table>.csv` in one folder, with `.gz` or `.zst` behind when compressed.

    Args:
        folder: Where they go; it exists.
        run: The run; a CSV file has no place to name it.
        profile: `plain` or `excel`.
        labels: Headings in `en` or `fa`.
        compression: `none`, `gzip` or `zstd`.
    """

    def __init__(
        self,
        folder: Path,
        run: RunFacts,
        *,
        profile: str = "plain",
        labels: str = "en",
        compression: str = "none",
    ) -> None:
        _known("csv_compression", compression, COMPRESSIONS)
        start = partial(CsvLoader, profile=profile, labels=labels, compression=compression)
        super().__init__(folder, run, ".csv" + COMPRESSIONS[compression], start)


def write_csv(  # noqa: PLR0913 - each is a choice the user has
    rows: Chunk | Iterable[Chunk],
    path: str | os.PathLike[str],
    table: Table | str | None = None,
    *,
    profile: str = "plain",
    labels: str = "en",
    compression: str | None = None,
) -> Written:
    """Write a DataFrame, or chunks that do not fit in memory, to one CSV file.

    The file appears whole or not at all; one that is there is replaced.

    Args:
        rows: A DataFrame, an Arrow table or batch, or an iterable of them.
        path: The file.
        table: What the columns are, when they are one of our tables, by name too; else they are what they come as.
        profile: `plain` for programs, `excel` for people who open it by a double click.
        labels: Headings in `en` or `fa`; `fa` needs a table.
        compression: `none`, `gzip` or `zstd`; by default what the path's ending (`.gz`, `.zst`) says.

    Returns:
        What was written; with `excel`, `losses` counts `defused` formulas and `empty_text` become null.

    Raises:
        ValueError: There is no chunk to tell the columns from, or the chunks differ.
        SettingsError: Another profile, language or compression, no such table, or `fa` without one.
        OutputError: The file cannot be written.

    >>> import tempfile
    >>> import pandas as pd
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "names.csv"
    ...     written = write_csv(pd.DataFrame({"name": ["علی", "", None, 'a,b'], "age": [1, 2, 3, 4]}), path)
    ...     print(path.read_text(encoding="utf-8"))
    "name","age"
    "علی",1
    "",2
    ,3
    "a,b",4
    <BLANKLINE>
    """
    if compression is None:
        endings = {ending: name for name, ending in COMPRESSIONS.items() if ending}
        compression = endings.get(Path(path).suffix, "none")
    start = partial(CsvLoader, profile=profile, labels=labels, compression=compression)
    return write_whole(rows, Path(path), table, None, start, labels=labels)


def _reduced(
    chunk: Chunk, *, profile: str = "plain", name: str = "contacts", **_options: object
) -> tuple[pa.Table, dict[str, int]]:
    """Give a chunk as this profile holds it."""
    table = as_table(chunk)
    if profile == "plain":
        return table, {}
    texts, losses = for_spreadsheets(table, name)
    return cast("pa.Table", returned(texts, name)), losses


CSV: Final = Format(
    name="csv",
    holds=lambda _table: True,
    target=CsvTarget,
    read=read_csv,
    reduced=_reduced,
    pieces=iter_csv,
)
"""CSV, for the registry of formats."""
