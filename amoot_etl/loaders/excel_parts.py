"""The parts of a workbook that are not rows: OOXML (ECMA-376, Part 1), as little of it as a good file needs."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa

from amoot_etl.loaders.excel_cells import DATE, INTEGER, LTR, STAMP, column_letters, style

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Part", "sheet_ends", "sheet_name", "widths", "workbook_parts"]

_XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_KIND: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"

_NAME_UNITS: Final = 31
_WIDTHS: Final = {INTEGER: 13.0, DATE: 12.0, STAMP: 20.0, LTR: 16.0}
_NAMED_WIDTHS: Final = {
    "email": 28.0,
    "full_name": 24.0,
    "company": 24.0,
    "groups": 30.0,
    "address": 44.0,
    "extra": 30.0,
    "value": 30.0,
    "detail": 44.0,
    "title": 30.0,
    "description": 70.0,
    "mobile_prefix_operator": 18.0,
}

# The order of cellXfs is that of the looks in excel_cells.
_STYLES: Final = (
    f'{_XML}<styleSheet xmlns="{_MAIN}"><numFmts count="3"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/>'
    # Excel shows a boolean in words whatever its format; LibreOffice needs to be told.
    '<numFmt numFmtId="166" formatCode="&quot;TRUE&quot;;&quot;TRUE&quot;;&quot;FALSE&quot;"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/><family val="2"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/><family val="2"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="8">'
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyAlignment="1">'
    '<alignment horizontal="right" readingOrder="1"/></xf>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="1" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="166" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


class Part(NamedTuple):
    """One sheet as the workbook lists it."""

    name: str
    columns: int
    rows: int
    """Rows with the heading."""

    @property
    def range(self) -> str:
        """The cells of the sheet, `A1:C9`."""
        return f"A1:{column_letters(self.columns - 1)}{self.rows}"


def sheet_name(wanted: str, taken: Iterable[str], continued: int = 1) -> str:
    """Give a sheet a name that Excel allows and that no other sheet has.

    Args:
        wanted: The table's name or heading.
        taken: The names that are there; Excel does not tell large letters from small.
        continued: 2 and up for a sheet that goes on where another is full.

    >>> sheet_name("groups", []), sheet_name("groups", [], 2), sheet_name("Groups", ["groups"])
    ('groups', 'groups 2', 'Groups (2)')
    >>> sheet_name("what/ever?", [])
    'what ever'
    """
    base = re.sub(r"[\[\]:*?/\\\x00-\x1f\ufffe\uffff]", " ", wanted).strip().strip("'").strip() or "sheet"
    lower = {name.lower() for name in taken}
    for n in range(1, len(lower) + 2):
        ending = (f" {continued}" if continued > 1 else "") + (f" ({n})" if n > 1 else "")
        room = 2 * (_NAME_UNITS - len(ending))
        name = base.encode("utf-16-le")[:room].decode("utf-16-le", "ignore").rstrip(" '") + ending
        # Excel keeps this name for itself.
        if name.lower() not in lower and name.lower() != "history":
            return name
    return sheet_name(f"{base} sheet", taken, continued)


def widths(schema: pa.Schema, headings: Iterable[str]) -> list[float]:
    """Give each column a width in characters: by what it holds, and never less than its heading needs."""
    return [
        max(
            min(len(heading) + 4.0, 40.0),
            _NAMED_WIDTHS.get(field.name, 0.0),
            0.0 if field.name in _NAMED_WIDTHS else _WIDTHS.get(style(field.name, field.type), 18.0),
        )
        if not pa.types.is_boolean(field.type)
        else max(min(len(heading) + 4.0, 40.0), 9.0)
        for field, heading in zip(schema, headings, strict=True)
    ]


def sheet_ends(part: Part, column_widths: list[float], *, first: bool) -> tuple[bytes, bytes]:
    """Give what stands before and behind the rows of a sheet.

    The sheet runs from right to left, its heading stays in sight and filters, and Excel is told that numbers
    kept as text are meant so.

    Args:
        part: The sheet.
        column_widths: As `widths` gives them.
        first: Whether it is the one that shows when the workbook opens.
    """
    selected = ' tabSelected="1"' if first else ""
    columns = "".join(
        f'<col min="{at}" max="{at}" width="{width}" customWidth="1"/>'
        for at, width in enumerate(column_widths, 1)
    )
    head = (
        f'{_XML}<worksheet xmlns="{_MAIN}"><dimension ref="{part.range}"/><sheetViews>'
        f'<sheetView rightToLeft="1"{selected} workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
        '<selection pane="bottomLeft" activeCell="A2" sqref="A2"/></sheetView></sheetViews>'
        f'<sheetFormatPr defaultRowHeight="15"/><cols>{columns}</cols><sheetData>'
    )
    tail = (
        f'</sheetData><autoFilter ref="{part.range}"/>'
        '<pageMargins left="0.7" right="0.7" top="0.75" bottom="0.75" header="0.3" footer="0.3"/>'
        f'<ignoredErrors><ignoredError sqref="{part.range}" numberStoredAsText="1"/></ignoredErrors></worksheet>'
    )
    return head.encode(), tail.encode()


def workbook_parts(sheets: list[Part]) -> dict[str, str]:
    """Give every part of the workbook but its sheets, by its path in the package.

    >>> sorted(workbook_parts([Part("contacts", 42, 5001)]))[:3]
    ['[Content_Types].xml', '_rels/.rels', 'xl/_rels/workbook.xml.rels']
    """
    numbered = list(enumerate(sheets, 1))
    types = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_KIND}.worksheet+xml"/>'
        for n, _ in numbered
    )
    listed = "".join(
        f'<sheet name="{escape(part.name)}" sheetId="{n}" r:id="rId{n}"/>' for n, part in numbered
    )
    # The filter of a sheet is also a name, by the book; without it LibreOffice shows no arrows.
    filters = "".join(
        f'<definedName name="_xlnm._FilterDatabase" localSheetId="{n - 1}" hidden="1">{_range(part)}</definedName>'
        for n, part in numbered
    )
    related = "".join(
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n, _ in numbered
    )
    return {
        "[Content_Types].xml": (
            f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>{types}'
            f'<Override PartName="/xl/styles.xml" ContentType="{_KIND}.styles+xml"/></Types>'
        ),
        "_rels/.rels": (
            f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
            f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
        ),
        "xl/workbook.xml": (
            f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><bookViews><workbookView/></bookViews>'
            f"<sheets>{listed}</sheets><definedNames>{filters}</definedNames></workbook>"
        ),
        "xl/_rels/workbook.xml.rels": (
            f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{related}<Relationship '
            f'Id="rId{len(sheets) + 1}" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>'
        ),
        "xl/styles.xml": _STYLES,
    }


def _range(part: Part) -> str:
    quoted = part.name.replace("'", "''")
    return escape(f"'{quoted}'!$A$1:${column_letters(part.columns - 1)}${part.rows}", quote=False)
