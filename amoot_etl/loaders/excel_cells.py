"""From Arrow columns to the XML of a sheet's rows, without a step of Python for a row or a cell.

Every cell says where it stands and how it looks, and text stands in the cell itself: so rows can be written
as they come, and whatever a text begins with, it is never a formula and never a link.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.loaders.excel_limits import FIRST_DAY, long_numbers, suspects

__all__ = [
    "DATE",
    "FLAG",
    "HEADER",
    "INTEGER",
    "LTR",
    "NUMBER",
    "STAMP",
    "TEXT",
    "column_letters",
    "rows_xml",
    "style",
]

NUMBER, HEADER, TEXT, LTR, DATE, STAMP, INTEGER, FLAG = range(8)
"""The looks of a cell: their numbers in the workbook's list of styles."""

_LEFT_TO_RIGHT: Final = frozenset(
    {
        *("mobile", "mobile_national", "mobile_kind", "mobile_country", "mobile_prefix_operator"),
        *("mobile_raw", "gender", "email", "extra", "column", "rule"),
    }
)
"""Text that is no Persian: from right to left, `+98912...` would show its plus at the wrong end."""

_MARKUP: Final = np.zeros(256, bool)
_MARKUP[list(b"&<>_")] = True
_SPACES: Final = np.zeros(256, bool)
_SPACES[list(b" \t\n\xc2\xe1\xe2\xe3")] = True  # and what Unicode's other spaces begin with
_TEXT_DATE: Final = 10  # characters of `1370-05-12`


def style(name: str, data_type: pa.DataType) -> int:
    """Give the look of a column's cells.

    >>> style("mobile", pa.string()) == LTR, style("birth_date", pa.date32()) == DATE
    (True, True)
    """
    if pa.types.is_boolean(data_type):
        return FLAG
    if pa.types.is_date32(data_type):
        return DATE
    if pa.types.is_timestamp(data_type):
        return STAMP
    if pa.types.is_integer(data_type):
        return INTEGER
    if pa.types.is_dictionary(data_type) or pa.types.is_string(data_type):
        return LTR if name in _LEFT_TO_RIGHT or name.endswith("_jalali") else TEXT
    return NUMBER


def column_letters(at: int) -> str:
    """Give the letters of a column, counted from 0.

    >>> column_letters(0), column_letters(25), column_letters(26), column_letters(701), column_letters(702)
    ('A', 'Z', 'AA', 'ZZ', 'AAA')
    """
    letters = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def rows_xml(table: pa.Table, first_row: int, look: int | None = None) -> pa.StringArray:
    """Give the XML of a table's rows, one string a row.

    Args:
        table: Rows that `excel_limits.reduced` has been over.
        first_row: Where the first one stands, counted from 1.
        look: One look for every cell; by default each column's own.

    >>> rows_xml(pa.table({"n": [7, None], "t": ["a<b", "c"]}), 2).to_pylist()[1]
    '<row r="3"><c r="B3" s="2" t="inlineStr"><is><t>c</t></is></c></row>'
    """
    numbers = pa.array(np.arange(first_row, first_row + table.num_rows)).cast(pa.string())
    parts: list[pa.Array | str] = [pc.binary_join_element_wise('<row r="', numbers, '">', "")]
    for at, field in enumerate(table.schema):
        body = _bodies(table.column(at), style(field.name, field.type) if look is None else look)
        if body.null_count < len(body):
            parts.append(pc.binary_join_element_wise(f'<c r="{column_letters(at)}', numbers, body, ""))
    return pc.binary_join_element_wise(*parts, "</row>", "", null_handling="replace", null_replacement="")


def _bodies(column: pa.ChunkedArray, look: int) -> pa.Array:  # noqa: PLR0911 - one a type
    """Give each cell's XML from behind its place on; null where there is no cell."""
    data_type = column.type
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks else pa.array([], data_type)
    if pa.types.is_dictionary(data_type):
        return _text_bodies(array.dictionary, look).take(array.indices)
    if pa.types.is_string(data_type):
        return _text_bodies(array, look)
    if pa.types.is_boolean(data_type):
        flags = pc.if_else(array, pa.scalar("1"), pa.scalar("0"))
        return pc.binary_join_element_wise(f'" s="{look}" t="b"><v>', flags, "</v></c>", "")
    if pa.types.is_date32(data_type):
        return _date_bodies(array, look)
    if pa.types.is_timestamp(data_type):
        return _stamp_bodies(array, look)
    if pa.types.is_integer(data_type) or pa.types.is_decimal(data_type):
        text = array.cast(pa.string())
        long = long_numbers(pa.chunked_array([array])).combine_chunks()
        return _either(long, _text_bodies(text, LTR), _number_bodies(text, look))
    if pa.types.is_floating(data_type):
        return _number_bodies(array.cast(pa.float64()).cast(pa.string()), look)
    return _text_bodies(array.cast(pa.string()), TEXT)


def _either(hit: pa.Array, yes: pa.Array, no: pa.Array) -> pa.Array:
    return pc.if_else(hit, yes, no) if pc.any(hit).as_py() else no


def _number_bodies(text: pa.StringArray, look: int) -> pa.StringArray:
    return pc.binary_join_element_wise(f'" s="{look}"><v>', text, "</v></c>", "")


def _text_bodies(text: pa.StringArray, look: int) -> pa.StringArray:
    """Give text cells; what XML or Excel would read as more than text is escaped, edge spaces are kept."""
    if suspects(text, _MARKUP):
        for plain, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = pc.replace_substring(text, plain, escaped)
        # Excel reads _x0041_ as the letter A; that underscore has a code of its own.
        text = pc.replace_substring_regex(text, "_(x[0-9A-Fa-f]{4})", r"_x005F_\1")
    opening: pa.Array | str = "<t>"
    if suspects(text, _SPACES):
        edges = pc.match_substring_regex(text, r"^\p{Z}|\p{Z}$|[\t\n]|  ")
        opening = pc.if_else(edges, pa.scalar('<t xml:space="preserve">'), pa.scalar("<t>"))
    start = f'" s="{look}" t="inlineStr"><is>'
    return pc.binary_join_element_wise(start, opening, text, "</t></is></c>", "")


def _date_bodies(days: pa.Array, look: int) -> pa.StringArray:
    """Give date cells: the number of days that Excel counts, or ISO text before it counts reliably."""
    count = days.cast(pa.int32())
    serial = pc.add(count, 25_569).cast(pa.string())
    early = pc.less(count, FIRST_DAY)
    return _either(early, _text_bodies(days.cast(pa.string()), LTR), _number_bodies(serial, look))


def _stamp_bodies(stamps: pa.Array, look: int) -> pa.StringArray:
    """Give cells of wall time: days and a fraction, or ISO text before Excel counts reliably."""
    wall = stamps if stamps.type.tz is None else pc.local_timestamp(stamps)
    text = pc.binary_replace_slice(wall.cast(pa.string()), _TEXT_DATE, _TEXT_DATE + 1, "T")
    wall = wall.cast(pa.timestamp("ms"))
    thousandths = wall.cast(pa.int64())
    serial = pc.add(pc.divide(thousandths.cast(pa.float64()), 86_400_000.0), 25_569.0).cast(pa.string())
    early = pc.less(thousandths, FIRST_DAY * 86_400_000)
    return _either(early, _text_bodies(text, LTR), _number_bodies(serial, look))
