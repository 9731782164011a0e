"""How values are told in CSV, and how text is made harmless for a spreadsheet, and back.

An apostrophe is put in front of text that begins with what a spreadsheet runs, and also of text that begins
with apostrophes before it: so the way back is certain, and no value is lost.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["PROFILES", "as_text", "for_spreadsheets", "returned"]

PROFILES: Final = ("plain", "excel")

OURS: Final = frozenset(
    {
        *("mobile", "mobile_national", "mobile_kind", "mobile_country", "mobile_prefix_operator", "gender"),
        *("jalali_date", "jalali_month_name", "jalali_year_month", "jalali_season", "weekday_name"),
        *("holiday_name", "column", "rule", "run_id", "mode", "tool_version"),
    }
)
"""Text columns that our own code formats; a Jalali twin is one too. All other text is what people typed."""

E164: Final = "mobile"
"""The column that always begins with a plus."""

_DANGEROUS: Final = "=+@\t\r\n\0＝＋－＠"
_LEADING: Final = f"^('*[{_DANGEROUS}-])"
_DEFUSED: Final = f"^'('*[{_DANGEROUS}-])"
_FIRST_BYTES: Final = np.zeros(256, bool)
_FIRST_BYTES[list(b"=+-@\t\r\n\0'\xef")] = True  # the full-width signs begin with 0xEF


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Give a column as the text that CSV holds; strings as they are.

    A stamp with a zone is told as its wall time and its offset in minutes; where the zone's offset had
    seconds (Tehran before 1935), the wall time moves with it, so that the instant stays the same.

    >>> import datetime as dt
    >>> noon = pa.chunked_array([[dt.datetime(2025, 10, 21, 12)]], pa.timestamp("us", "Asia/Tehran"))
    >>> as_text(noon).to_pylist()
    ['2025-10-21T15:30:00.000000+03:30']
    """
    data_type = column.type
    if pa.types.is_timestamp(data_type):
        return _stamps(column)
    if pa.types.is_dictionary(data_type) and not pa.types.is_string(data_type.value_type):
        column = column.cast(data_type.value_type)
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _stamps(column: pa.ChunkedArray) -> pa.ChunkedArray:
    unit, zone = column.type.unit, column.type.tz
    instants = column.cast(pa.timestamp(unit))
    if zone is None:
        return pc.binary_replace_slice(instants.cast(pa.string()), 10, 11, "T")
    minute = {"s": 60, "ms": 60_000, "us": 60_000_000, "ns": 60_000_000_000}[unit]
    apart = pc.subtract(pc.local_timestamp(column).cast(pa.int64()), instants.cast(pa.int64()))
    # Division cuts towards zero: the rest moves the wall time, not the instant.
    offsets = pc.divide(apart, minute).combine_chunks().dictionary_encode()
    if isinstance(offsets, pa.ChunkedArray):
        offsets = offsets.combine_chunks()
    told = pa.array(
        [
            f"{'-' if m < 0 else '+'}{abs(m) // 60:02d}:{abs(m) % 60:02d}"
            for m in offsets.dictionary.to_pylist()
        ],
        pa.string(),
    )
    minutes = pc.multiply(offsets.dictionary, minute).take(offsets.indices)
    wall = pc.add(instants.cast(pa.int64()).combine_chunks(), minutes).cast(pa.timestamp(unit))
    text = pc.binary_replace_slice(wall.cast(pa.string()), 10, 11, "T")
    return pa.chunked_array([pc.binary_join_element_wise(text, told.take(offsets.indices), "")])


def for_spreadsheets(table: pa.Table, name: str) -> tuple[pa.Table, dict[str, int]]:
    """Give a table's text as the `excel` profile holds it, and count what that changed.

    Args:
        table: Rows of one table.
        name: The table's name; in a table of ours some columns are known to be harmless.

    Returns:
        The rows, and `defused` (values that got an apostrophe) and `empty_text` (empty texts, which become
        null, since everything is quoted) where there are any.
    """
    losses = {"defused": 0, "empty_text": 0}
    columns = []
    for field, column in zip(table.schema, table.columns, strict=True):
        if not _is_text(field.type):
            columns.append(column)
            continue
        ours = _ours(field.name, name)
        chunks = []
        for chunk in column.chunks:
            array = chunk.dictionary_decode() if pa.types.is_dictionary(chunk.type) else chunk
            empty = pc.equal(array, "")
            if found := pc.sum(empty).as_py():
                losses["empty_text"] += found
                array = pc.if_else(empty, pa.scalar(None, pa.string()), array)
            if field.name == E164 and ours:
                array = pc.utf8_replace_slice(array, 0, 1, "")
            elif not ours:
                array, found = _defused(array)
                losses["defused"] += found
            chunks.append(array)
        columns.append(pa.chunked_array(chunks, pa.string()))
    return pa.table(columns, names=table.column_names), {kind: n for kind, n in losses.items() if n}


def returned(table: pa.Table, name: str) -> pa.Table:
    """Give a table's text as it was before `for_spreadsheets`, but for empty texts."""
    columns = []
    for field, column in zip(table.schema, table.columns, strict=True):
        if not _is_text(field.type):
            columns.append(column)
        elif _ours(field.name, name):
            columns.append(pc.binary_join_element_wise("+", column, "") if field.name == E164 else column)
        else:
            columns.append(pc.replace_substring_regex(column, _DEFUSED, r"\1"))
    return pa.table(columns, names=table.column_names)


def _is_text(data_type: pa.DataType) -> bool:
    if pa.types.is_dictionary(data_type):
        return bool(pa.types.is_string(data_type.value_type))
    return bool(pa.types.is_string(data_type))


def _ours(column: str, table: str) -> bool:
    known = table in ("contacts", "groups", "contact_groups", "issues", "calendar", "export_info")
    return known and (column in OURS or column.endswith("_jalali"))


def _defused(array: pa.StringArray) -> tuple[pa.Array, int]:
    """Put an apostrophe in front of what a spreadsheet would run; only suspects are looked at closely."""
    if len(array) == 0 or array.buffers()[2] is None:
        return array, 0
    starts = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array)]
    data = np.frombuffer(array.buffers()[2], np.uint8)
    if len(data) == 0:
        return array, 0
    # An empty text at the very end starts where the data ends.
    suspects = _FIRST_BYTES[data[np.minimum(starts, len(data) - 1)]]
    if not suspects.any():
        return array, 0
    rows = pa.array(np.flatnonzero(suspects))
    values = array.take(rows)
    hit = pc.fill_null(pc.match_substring_regex(values, _LEADING), fill_value=False)
    mask = np.zeros(len(array), bool)
    mask[rows.to_numpy()] = hit.to_numpy(zero_copy_only=False)
    found = int(mask.sum())
    if found == 0:
        return array, 0
    fresh = pc.binary_join_element_wise("'", array.filter(pa.array(mask)), "")
    return pc.replace_with_mask(array, pa.array(mask), fresh), found
