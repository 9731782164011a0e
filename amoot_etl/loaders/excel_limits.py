"""What an Excel cell cannot hold, taken from the values before they are written, and counted.

Done first and vectorised, so that nothing can go wrong once cells are made. What comes out is of the types
that went in: whoever compares a workbook with another format compares with this.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.loaders.contract import Chunk, as_table

__all__ = ["CELL_UNITS", "FIRST_DAY", "reduced", "suspects"]

CELL_UNITS: Final = 32_767
"""UTF-16 units that a cell holds."""

FIRST_DAY: Final = -25_508
"""1 March 1900 in days since 1970: before it programs disagree on serial numbers, so a date goes as text."""

_FIRST_TEXT_DAY: Final = -719_162  # 0001-01-01, the first that ISO text tells in four digits
_LAST_DAY: Final = 2_932_896  # 9999-12-31

_ODD: Final = "[\\x00-\\x08\\x0b-\\x1f\\x{fffe}\\x{ffff}]"
_ODD_BYTES: Final = np.zeros(256, bool)
_ODD_BYTES[[*range(9), *range(11, 32), 0xEF]] = True  # U+FFFE and U+FFFF begin with 0xEF


def reduced(chunk: Chunk, **_options: object) -> tuple[pa.Table, dict[str, int]]:
    r"""Give a chunk as Excel holds it, and how many values that changed, by kind.

    Args:
        chunk: Rows of one table.

    Returns:
        The rows, columns and types as they came; and of these, what there was:
        `characters` (controls and U+FFFE/U+FFFF taken out), `line_breaks` (CR became LF), `long_text` (cut
        to 32,767 UTF-16 units), `empty_text` (became null), `not_finite` (NaN and infinities became null),
        `microseconds` (cut to milliseconds), `zone` (stamps shown as wall time without their zone),
        `early_dates` (before March 1900: written as ISO text), `far_dates` (outside the years 1-9999: null),
        `long_numbers` (more than 15 digits: written as text).

    >>> rows, losses = reduced(pa.table({"name": ["a\x00b", "", "c"]}))
    >>> rows["name"].to_pylist(), losses
    (['ab', None, 'c'], {'characters': 1, 'empty_text': 1})
    """
    table = as_table(chunk)
    losses: dict[str, int] = {}
    columns = []
    for column in table.columns:
        data_type = column.type
        if pa.types.is_dictionary(data_type) or pa.types.is_string(data_type):
            columns.append(pa.chunked_array([_text(part, losses) for part in column.chunks], data_type))
        elif pa.types.is_date32(data_type):
            columns.append(_dates(column, losses))
        elif pa.types.is_timestamp(data_type):
            columns.append(_stamps(column, losses))
        elif pa.types.is_floating(data_type):
            columns.append(_without(column, pc.invert(pc.is_finite(column)), "not_finite", losses))
        else:
            if pa.types.is_integer(data_type) or pa.types.is_decimal(data_type):
                _count(losses, "long_numbers", long_numbers(column))
            columns.append(column)
    return pa.table(columns, schema=table.schema), {kind: count for kind, count in losses.items() if count}


def long_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Tell which numbers have more than the 15 digits that Excel keeps.

    >>> long_numbers(pa.chunked_array([[999_999_999_999_999, -1_000_000_000_000_000]])).to_pylist()
    [False, True]
    """
    if pa.types.is_decimal(column.type):
        digits = pc.replace_substring_regex(column.cast(pa.string()), "[-.]|^-?0[.]0*", "")
        return pc.greater(pc.utf8_length(digits), 15)
    if column.type.bit_width < 64:
        return pc.and_kleene(pc.is_valid(column), pa.scalar(value=False))
    most = pa.scalar(10**15, column.type)
    big = pc.greater_equal(column, most)
    if pa.types.is_unsigned_integer(column.type):
        return big
    return pc.or_kleene(big, pc.less_equal(column, pa.scalar(-(10**15), column.type)))


def suspects(array: pa.StringArray, flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> bool:
    """Tell whether any byte of a string array is flagged: one look over its bytes, whatever its rows.

    Args:
        array: Strings; a slice is looked at with its neighbours only where its own bytes end.
        flags: 256 flags, by byte.
    """
    if len(array) == 0 or array.buffers()[2] is None:
        return False
    ends = np.frombuffer(array.buffers()[1], np.int32)[[array.offset, array.offset + len(array)]]
    data = np.frombuffer(array.buffers()[2], np.uint8)[ends[0] : ends[1]]
    return bool(flags[data].any())


def _count(losses: dict[str, int], kind: str, hit: pa.ChunkedArray | pa.Array) -> int:
    found = int(pc.sum(hit).as_py() or 0)
    losses[kind] = losses.get(kind, 0) + found
    return found


def _without(
    column: pa.ChunkedArray, hit: pa.ChunkedArray, kind: str, losses: dict[str, int]
) -> pa.ChunkedArray:
    """Make null what is hit."""
    if not _count(losses, kind, hit):
        return column
    return pc.if_else(hit, pa.scalar(None, column.type), column)


def _text(array: pa.Array, losses: dict[str, int]) -> pa.Array:
    """Reduce strings; of encoded ones each distinct value once, counted by the rows that have it."""
    if not pa.types.is_dictionary(array.type):
        fresh, hits = _values(array)
        for kind, hit in hits.items():
            _count(losses, kind, hit)
        return fresh
    if not pa.types.is_string(array.type.value_type):
        array = array.dictionary_decode().cast(pa.string()).dictionary_encode()
    fresh, hits = _values(array.dictionary)
    if not hits:
        return array
    for kind, hit in hits.items():
        _count(losses, kind, hit.take(array.indices))
    # Two values may have become one, or null: decoding and encoding makes it a clean dictionary again.
    return pa.DictionaryArray.from_arrays(array.indices, fresh).dictionary_decode().dictionary_encode()


def _values(array: pa.StringArray) -> tuple[pa.StringArray, dict[str, pa.Array]]:
    """Reduce plain strings; give them with, for each kind of loss, which ones it met."""
    hits: dict[str, pa.Array] = {}
    if suspects(array, _ODD_BYTES):
        returns = pc.match_substring(array, "\r")
        if pc.any(returns).as_py():
            hits["line_breaks"] = returns
            array = pc.replace_substring(pc.replace_substring(array, "\r\n", "\n"), "\r", "\n")
        odd = pc.match_substring_regex(array, _ODD)
        if pc.any(odd).as_py():
            hits["characters"] = odd
            array = pc.if_else(odd, pc.replace_substring_regex(array, _ODD, ""), array)
    # No text has more UTF-16 units than bytes.
    maybe = pc.greater(pc.binary_length(array), CELL_UNITS)
    if pc.any(maybe).as_py():
        cut = [_cut(text) for text in array.filter(maybe).to_pylist()]
        fresh = pc.replace_with_mask(array, pc.fill_null(maybe, fill_value=False), pa.array(cut, pa.string()))
        changed = pc.not_equal(fresh, array)
        if pc.any(changed).as_py():
            hits["long_text"] = changed
            array = fresh
    empty = pc.equal(array, "")
    if pc.any(empty).as_py():
        hits["empty_text"] = empty
        array = pc.if_else(empty, pa.scalar(None, pa.string()), array)
    return array, hits


def _cut(text: str) -> str:
    units = text.encode("utf-16-le")
    # A pair that the cut would halve goes as a whole.
    return text if len(units) <= 2 * CELL_UNITS else units[: 2 * CELL_UNITS].decode("utf-16-le", "ignore")


def _dates(column: pa.ChunkedArray, losses: dict[str, int]) -> pa.ChunkedArray:
    days = column.cast(pa.int32())
    far = pc.or_kleene(pc.less(days, _FIRST_TEXT_DAY), pc.greater(days, _LAST_DAY))
    column = _without(column, far, "far_dates", losses)
    _count(losses, "early_dates", pc.less(column.cast(pa.int32()), FIRST_DAY))
    return column


def _stamps(column: pa.ChunkedArray, losses: dict[str, int]) -> pa.ChunkedArray:
    """Cut to milliseconds; where clocks go back, wall time alone names two instants, and the first is meant."""
    data_type = column.type
    second = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[data_type.unit]
    instants = column.cast(pa.int64())
    low, high = (_FIRST_TEXT_DAY + 1) * 86_400 * second, _LAST_DAY * 86_400 * second
    if data_type.unit != "ns":  # whose whole range is within
        far = pc.or_kleene(pc.less(instants, low), pc.greater_equal(instants, high))
        column = _without(column, far, "far_dates", losses)
    if second > 1_000:
        # Without the zone: rounding a wall time refuses the hour that clocks go back over.
        utc = column.cast(pa.timestamp(data_type.unit))
        whole = pc.floor_temporal(utc, unit="millisecond")
        if _count(losses, "microseconds", pc.not_equal(utc, whole)):
            column = whole if data_type.tz is None else pc.assume_timezone(whole, "UTC").cast(data_type)
    wall = column if data_type.tz is None else pc.local_timestamp(column)
    days = pc.floor_temporal(wall, unit="day").cast(pa.int64())
    _count(losses, "early_dates", pc.less(days, FIRST_DAY * 86_400 * second))
    if data_type.tz is None:
        return column
    losses["zone"] = losses.get("zone", 0) + len(column) - column.null_count
    return pc.assume_timezone(wall, data_type.tz, ambiguous="earliest", nonexistent="latest").cast(data_type)
