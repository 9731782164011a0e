"""Excel: one workbook, a sheet a table, written in constant memory.

Rows become XML as they come and wait, compressed, in a nameless file beside the workbook; when the workbook
is closed everything is known that stands before the rows, and all goes into one package. Why this is our own
code and not a library's: `docs/design-excel.md`.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from amoot_etl.loaders.arrow import arrow_schema, headings, table_name
from amoot_etl.loaders.atomic import as_output_error
from amoot_etl.loaders.contract import (
    Chunk,
    Format,
    RunFacts,
    Written,
    as_table,
    closed_error,
)
from amoot_etl.loaders.excel_about import about_rows, about_schema
from amoot_etl.loaders.excel_cells import HEADER, rows_xml
from amoot_etl.loaders.excel_limits import reduced
from amoot_etl.loaders.excel_parts import Part, sheet_ends, sheet_name, widths, workbook_parts
from amoot_etl.loaders.excel_pieces import iter_excel
from amoot_etl.loaders.excel_reader import read_excel
from amoot_etl.loaders.leaving import Leavable
from amoot_etl.loaders.whole import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from amoot_etl.schema import Table

__all__ = ["EXCEL", "ExcelLoader", "ExcelTarget", "write_excel"]

SHEET_ROWS: Final = 1_048_575
"""Rows that a sheet holds below its heading."""

_ORDER: Final = ("contacts", "groups", "contact_groups", "issues")
_ELSEWHERE: Final = ("calendar", "export_info")  # a day is no contact's; the run stands on the about sheet
_STEP_ROWS: Final = 16_384  # rows made into XML at once: about 25 MB
_COPY_BYTES: Final = 1 << 20
_LEVEL: Final = 1  # of deflate: the best one takes three times as long, and saves a fifth
_DAWN: Final = (1980, 1, 1, 0, 0, 0)  # a package's earliest time: equal rows give equal files


class _Spool:
    """The XML of one sheet's rows, waiting for its workbook."""

    def __init__(self, folder: Path) -> None:
        self.rows = 0
        # In the workbook's folder, which is as private as the workbook; nameless, so that nothing is left over.
        self._file: Any = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it outlives this call
        # Arrow's streams close what they are given; this one has to be read again.
        self._stream: Any = pa.CompressedOutputStream(open(os.dup(self._file.fileno()), "wb"), "zstd")  # noqa: PTH123, SIM115

    def write(self, rows: pa.StringArray) -> None:
        # Strings lie end to end: their bytes are the XML.
        start, end = rows.offset, rows.offset + len(rows)
        offsets = memoryview(rows.buffers()[1]).cast("i")
        self._stream.write(memoryview(rows.buffers()[2])[offsets[start] : offsets[end]])
        self.rows += len(rows)

    def pieces(self) -> Iterator[bytes]:
        """Give all that was written."""
        self._stream.close()
        self._file.seek(0)
        stream = pa.CompressedInputStream(pa.PythonFile(self._file, "r"), "zstd")
        while piece := stream.read(_COPY_BYTES):
            yield piece

    def release(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # what cannot be flushed is not wanted any more
            self._stream.close()
        self._file.close()


class ExcelLoader(Leavable):
    """Writes one table to a sheet of a workbook, and on to further sheets when it is full.

    Args:
        book: The workbook.
        schema: As `arrow_schema` gives it.
    """

    def __init__(self, book: ExcelTarget, schema: pa.Schema) -> None:
        self.schema = schema
        self.spools: list[_Spool] = []
        self._book = book
        self._losses: dict[str, int] = {}
        self._written: Written | None = None
        self._open = True
        self._next()

    def _next(self) -> _Spool:
        with as_output_error(self._book.path):
            self.spools.append(_Spool(self._book.path.parent))
        return self.spools[-1]

    def append(self, chunk: Chunk) -> None:
        """Write some more rows, less what Excel cannot hold."""
        if not self._open:
            raise closed_error(self._book.path)
        table, losses = reduced(as_table(chunk, self.schema))
        for kind, count in losses.items():
            self._losses[kind] = self._losses.get(kind, 0) + count
        while table.num_rows:
            spool = self.spools[-1] if self.spools[-1].rows < SHEET_ROWS else self._next()
            length = min(_STEP_ROWS, table.num_rows, SHEET_ROWS - spool.rows)
            with as_output_error(self._book.path):
                spool.write(rows_xml(table.slice(0, length), spool.rows + 2))
            table = table.slice(length)

    def close(self) -> Written:
        """Finish the table; once more gives the same answer."""
        if self._written is None:
            if not self._open:
                raise closed_error(self._book.path)
            self._open = False
            rows = sum(spool.rows for spool in self.spools)
            name = table_name(self.schema)
            self._written = Written(self._book.path, name, "xlsx", rows, dict(self._losses))
        return self._written

    def release(self) -> None:
        """Let go of the rows."""
        self._open = False
        for spool in self.spools:
            spool.release()


class _Alone(ExcelLoader):
    """Writes a workbook of one table: closing the table closes the book."""

    def close(self) -> Written:
        written = super().close()
        self._book.close()
        return written

    def release(self) -> None:
        super().release()
        self._book.release()


class ExcelTarget(Leavable):
    """The workbook of one run: `contacts.xlsx`, with a sheet a table and one about the run and its columns.

    Args:
        folder: Where it goes; it exists.
        run: The run that the about sheet tells of.
        labels: Headings and sheet names in `en` or `fa`.
        name: The workbook's name.

    Raises:
        SettingsError: Another language.
        OutputError: The file cannot be made.
    """

    def __init__(
        self, folder: Path, run: RunFacts | None, *, labels: str = "en", name: str = "contacts.xlsx"
    ) -> None:
        headings(pa.schema([]), labels)
        self.path = folder / name
        self._run = run
        self._labels = labels
        self._loaders: list[ExcelLoader] = []
        self._closed = False
        with as_output_error(self.path):
            self._file: Any = self.path.open("wb")

    def open(self, table: Table) -> ExcelLoader:
        """Start one table."""
        return self.add(ExcelLoader(self, arrow_schema(table, self._run)))

    def add(self, loader: ExcelLoader) -> ExcelLoader:
        """Take in a loader, whose sheets come in their place whenever it was opened."""
        self._loaders.append(loader)
        return loader

    @property
    def written(self) -> tuple[Written, ...]:
        """What was written, a table each."""
        return tuple(loader.close() for loader in self._loaders)

    def close(self) -> None:
        """Put the workbook together; once more does nothing."""
        if self._closed:
            return
        if self._file.closed:
            raise closed_error(self.path)
        self._closed = True
        rank = {name: at for at, name in enumerate(_ORDER)}
        loaders = sorted(self._loaders, key=lambda loader: rank.get(table_name(loader.schema), len(rank)))
        about = ExcelLoader(self, about_schema())
        about.append(about_rows([(x.schema, ExcelLoader.close(x)) for x in loaders], self._run))
        try:
            with as_output_error(self.path):
                self._assemble([*loaders, about])
                self._file.close()
        finally:
            about.release()
            self.release()

    def release(self) -> None:
        """Let go of the file, and of the rows that wait for it."""
        for loader in self._loaders:
            # Not its own way, which may be to let go of the book.
            ExcelLoader.release(loader)
        with contextlib.suppress(OSError):  # a full disk refuses what is still to be flushed
            self._file.close()

    def _assemble(self, loaders: list[ExcelLoader]) -> None:
        parts: list[Part] = []
        with zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as package:
            for loader in loaders:
                title = (loader.schema.metadata or {}).get(b"label_fa" if self._labels == "fa" else b"table")
                texts = headings(loader.schema, self._labels)
                head_row = rows_xml(
                    pa.table([[text] for text in texts], names=loader.schema.names), 1, HEADER
                )
                for at, spool in enumerate(loader.spools, 1):
                    name = sheet_name((title or b"").decode(), [part.name for part in parts], at)
                    parts.append(Part(name, len(texts), spool.rows + 1))
                    ends = sheet_ends(parts[-1], widths(loader.schema, texts), first=len(parts) == 1)
                    with package.open(
                        _entry(f"xl/worksheets/sheet{len(parts)}.xml"), "w", force_zip64=True
                    ) as member:
                        member.write(ends[0] + head_row[0].as_py().encode())
                        for piece in spool.pieces():
                            member.write(piece)
                        member.write(ends[1])
            for path, text in workbook_parts(parts).items():
                package.writestr(_entry(path), text, compresslevel=_LEVEL)


def _entry(path: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, _DAWN)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def write_excel(
    rows: Chunk | Iterable[Chunk],
    path: str | os.PathLike[str],
    table: Table | str | None = None,
    *,
    run: RunFacts | None = None,
    labels: str = "en",
) -> Written:
    """Write a DataFrame, or chunks that do not fit in memory, to one workbook.

    The file appears whole or not at all; one that is there is replaced.

    Args:
        rows: A DataFrame, an Arrow table or batch, or an iterable of them.
        path: The file.
        table: What the columns are, when they are one of our tables, by name too; else they are what they come as.
        run: The run to tell of on the about sheet.
        labels: Headings and sheet names in `en` or `fa`; `fa` needs a table.

    Returns:
        What was written; `losses` counts what Excel cannot hold, as `excel_limits.reduced` names it.

    Raises:
        ValueError: There is no chunk to tell the columns from, or the chunks differ.
        SettingsError: Another language, no such table, or `fa` without one.
        OutputError: The file cannot be written.

    >>> import tempfile
    >>> import pandas as pd
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     people = pd.DataFrame({"name": ["علی", "=1+1"], "mobile": ["+989121234567", None]})
    ...     written = write_excel(people, Path(folder) / "people.xlsx")
    >>> written.table, written.rows, written.losses
    ('people', 2, {})
    """

    def start(part: Path, schema: pa.Schema) -> ExcelLoader:
        book = ExcelTarget(part.parent, run, labels=labels, name=part.name)
        return book.add(_Alone(book, schema))

    return write_whole(rows, Path(path), table, run, start, labels=labels)


EXCEL: Final = Format(
    name="xlsx",
    holds=lambda table: table not in _ELSEWHERE,
    target=ExcelTarget,
    read=read_excel,
    pieces=iter_excel,
    reduced=reduced,
)
"""Excel, for the registry of formats."""
