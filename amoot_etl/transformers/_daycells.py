"""Dates in the portal's own form, two digits at a time.

A text such as `1370/05/12` or `1991-08-03T00:00:00` has its digits in fixed places, and a column of such texts is
one packed record a text. Two digits are one 16-bit number, and a table of all of those says what they mean: four
looks and the day is known, without asking which texts are distinct. Everything else is left to `_datetexts`.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from amoot_etl.transformers._arrow import blocks, bytes_of
from amoot_etl.transformers._dateforms import Calendar
from amoot_etl.transformers._days import NO_DAY, gregorian_months, jalali_months

if TYPE_CHECKING:
    import numpy.typing as npt

    from amoot_etl.transformers._days import Ints

__all__ = ["YEAR_FIRST", "YEAR_LAST", "blank", "canonical_days", "numbers_of"]

YEAR_FIRST: Final[np.dtype[np.void]] = np.dtype(
    [
        ("century", "<u2"),
        ("year", "<u2"),
        ("mark", "u1"),
        ("month", "<u2"),
        ("other_mark", "u1"),
        ("day", "<u2"),
    ]
)
"""Where the parts of `1370/05/12` stand."""
YEAR_LAST: Final[np.dtype[np.void]] = np.dtype(
    [
        ("day", "<u2"),
        ("mark", "u1"),
        ("month", "<u2"),
        ("other_mark", "u1"),
        ("century", "<u2"),
        ("year", "<u2"),
    ]
)
"""Where the parts of `12/05/1370` stand."""
_MIDNIGHT: Final = (("hours", "<u8"), ("second", "u1"))
_CELLS: Final = {
    Calendar.JALALI: YEAR_FIRST,
    Calendar.GREGORIAN: np.dtype([*YEAR_FIRST.descr, *_MIDNIGHT]),
}
_HOURS, _SECOND = int.from_bytes(b"T00:00:0", "little"), ord("0")


@functools.cache
def _pairs() -> npt.NDArray[np.int8]:
    """Give what two bytes mean, read as one number: 0-99, or -1 where they are not both digits."""
    table = np.full(1 << 16, -1, np.int8)
    table[[int.from_bytes(b"%02d" % number, "little") for number in range(100)]] = np.arange(100)
    return table


def canonical_days(texts: pa.Array, calendar: Calendar) -> Ints:
    """Read the texts that have the form in which the portal writes a date of this calendar.

    Args:
        texts: An Arrow `string` array.
        calendar: Jalali: `1370/05/12`. Gregorian: `1991-08-03T00:00:00`. Dashes and slashes are one.

    Returns:
        Days since 1970-01-01, int32, `NO_DAY` for every other text and for null.

    >>> canonical_days(pa.array(["1370/05/12", "1370/5/12", "", None]), Calendar.JALALI).tolist()
    [7884, -2147483648, -2147483648, -2147483648]
    """
    cell = _CELLS[calendar]
    data, offsets = bytes_of(texts)
    fits = np.diff(offsets) == cell.itemsize
    if texts.null_count:
        fits &= texts.is_valid().to_numpy(zero_copy_only=False)
    if np.count_nonzero(fits) * cell.itemsize != len(data):
        data, _ = bytes_of(texts.filter(pa.array(fits)))
    cells = data.view(cell)
    found = np.empty(len(cells), np.int32)
    for some in blocks(len(cells)):
        found[some] = _days(cells[some], calendar)
    if len(found) == len(texts):
        return found
    days = np.full(len(texts), NO_DAY, np.int32)
    days[fits] = found
    return days


def blank(texts: pa.Array) -> npt.NDArray[np.bool_]:
    """Say which texts are empty or null."""
    _, offsets = bytes_of(texts)
    empty: npt.NDArray[np.bool_] = offsets[1:] == offsets[:-1]
    if texts.null_count:
        empty |= texts.is_null().to_numpy(zero_copy_only=False)
    return empty


def numbers_of(cells: npt.NDArray[np.void]) -> tuple[Ints, Ints, Ints, npt.NDArray[np.bool_]]:
    """Give year, month and day of records such as `YEAR_FIRST`, int32, and whether each is digits between marks."""
    pairs = _pairs()
    century, year, month, day = (pairs[cells[name]] for name in ("century", "year", "month", "day"))
    mark = cells["mark"]
    # No digits are -1, whose sign lasts through any "or".
    good = ((century | year | month | day) >= 0) & (mark == cells["other_mark"])
    good &= (mark == ord("/")) | (mark == ord("-"))
    return century.astype(np.int32) * np.int32(100) + year, month.astype(np.int32), day.astype(np.int32), good


def _days(cells: npt.NDArray[np.void], calendar: Calendar) -> Ints:
    year, month, day, good = numbers_of(cells)
    if calendar is Calendar.GREGORIAN:
        good &= (cells["hours"] == _HOURS) & (cells["second"] == _SECOND)
        months = gregorian_months()
    else:
        months = jalali_months()
    days = months.to_days(year, month, day)
    return days if good.all() else np.where(good, days, np.int32(NO_DAY))
