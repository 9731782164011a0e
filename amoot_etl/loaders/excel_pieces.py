"""Reading back a workbook of ours a piece at a time, in bounded memory.

A reader of workbooks holds a whole sheet, which for a million contacts is gigabytes. Our sheets are rows of XML one
after the other (`<` stands in no text), so a run of them, put into a small workbook of its own beside the parts that
say how cells look, is read by the same reader, and the pieces together are the sheet.
"""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from amoot_etl.loaders.arrow import arrow_schema, headings
from amoot_etl.loaders.excel_cells import column_letters
from amoot_etl.loaders.excel_reader import calamine, cells_table, sheets_of, workbook

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from typing import IO, Any

    import pyarrow as pa

    from amoot_etl.schema import Table

__all__ = ["iter_excel"]

_PIECE_BYTES: Final = 8 << 20
_BLOCK: Final = 1 << 20
_FIRST: Final = re.compile(rb'<row r="([0-9]{1,7})"')
_HEAD: Final = b"<sheetData>"
_TAIL: Final = b"</sheetData>"
_SHEETS: Final = "xl/worksheets/"


def iter_excel(path: str | os.PathLike[str], table: Table) -> Iterator[pa.Table]:
    """Give the rows of one table of a workbook of ours, piece by piece.

    Args:
        path: The workbook.
        table: The table, which names the sheet, with its further sheets.

    Yields:
        What was written, after the losses that writing it declared.

    Raises:
        SettingsError: The extra `excel` is not installed.
        ValueError: There is no such sheet, its headings are not the table's, a cell is not of its type, or the
            sheet is not laid out as ours are.
    """
    path, schema = Path(path), arrow_schema(table)
    with workbook(path) as book:
        names = list(book.sheet_names)
    with zipfile.ZipFile(path) as package:
        looks = {name: package.read(name) for name in package.namelist() if not name.startswith(_SHEETS)}
        for name in sheets_of(names, table):
            part = f"{_SHEETS}sheet{names.index(name) + 1}.xml"
            with package.open(part) as sheet:
                for number, (first, there, xml) in enumerate(_runs(sheet)):
                    rows = _cells({**looks, part: _sheet(xml, first, len(schema))}, name)[first > 1 :]
                    if number == 0:
                        found = [str(cell) for cell in rows.pop(0)]
                        if found not in (headings(schema), headings(schema, "fa")):
                            raise ValueError(f"sheet {name} of {path.name} has other columns than its table")
                    # Rows without any value come back only where a row with one follows them.
                    rows += [[""] * len(schema)] * (there - (number == 0) - len(rows))
                    yield cells_table(rows, schema)


def _runs(sheet: IO[bytes]) -> Iterator[tuple[int, int, bytes]]:
    """Cut a sheet's rows into runs: the number of the first row, how many there are, and their XML."""
    buffer, begun, more = b"", False, True
    while more:
        block = sheet.read(_BLOCK)
        more = bool(block)
        buffer += block
        if not begun:
            start = buffer.find(_HEAD)
            if start < 0:
                continue
            buffer, begun = buffer[start + len(_HEAD) :], True
        end = buffer.find(_TAIL)
        if end >= 0:
            buffer, more = buffer[:end], False
        cut = buffer.rfind(b"</row>") + len(b"</row>")
        if more and (len(buffer) < _PIECE_BYTES or cut < len(b"</row>")):
            continue
        if first := _FIRST.match(buffer):
            yield int(first[1]), buffer.count(b"<row ", 0, cut), buffer[:cut]
            buffer = buffer[cut:]
    if buffer or not begun:
        raise ValueError("the sheet is not laid out as ours are")


def _sheet(rows: bytes, first: int, columns: int) -> bytes:
    """Make a sheet of a run of rows, below a row that has every cell, so that the reader begins at the first column."""
    ruler = ""
    if first > 1:
        cells = "".join(
            f'<c r="{column_letters(at)}{first - 1}" t="inlineStr"><is><t>.</t></is></c>'
            for at in range(columns)
        )
        ruler = f'<row r="{first - 1}">{cells}</row>'
    return b"".join(
        (
            b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">',
            _HEAD,
            ruler.encode(),
            rows,
            _TAIL,
            b"</worksheet>",
        )
    )


def _cells(parts: dict[str, bytes], name: str) -> list[list[Any]]:
    """Give the cells of a small workbook's sheet."""
    small = io.BytesIO()
    with zipfile.ZipFile(small, "w", zipfile.ZIP_STORED) as package:
        for part, content in parts.items():
            package.writestr(part, content)
    small.seek(0)
    with calamine().from_filelike(small) as book:
        # Without the empty rows above the first one, which may be a million.
        rows: list[list[Any]] = book.get_sheet_by_name(name).to_python(skip_empty_area=True)
    return rows
