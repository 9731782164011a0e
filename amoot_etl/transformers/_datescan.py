"""Dates in the portal's own forms, whole arrays at a time, straight from the bytes.

A canonical text stands in fixed places: `yyyy-mm-dd` or `yyyy/mm/dd`, and after it perhaps `Thh:mm:ss` with a
fraction. So a column of them is parsed two digits at a time, all texts at once. Whatever does not stand there is left
for `_datetexts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from amoot_etl.transformers._arrow import bytes_of
from amoot_etl.transformers._dateforms import Calendar
from amoot_etl.transformers._daycells import YEAR_FIRST, numbers_of
from amoot_etl.transformers._days import NO_DAY, gregorian_months, jalali_months

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from amoot_etl.transformers._days import Ints

    Flags = npt.NDArray[np.bool_]

__all__ = ["NO_TIME", "Dates", "scan", "scan_dates"]

NO_TIME: Final = -1
"""Stands for "no time of day that could be told in UTC" in an array of seconds."""
_LONGEST_FRACTION: Final = 9


class Dates(NamedTuple):
    """Dates of some texts as numbers, in whatever calendar; every array is as long."""

    rows: npt.NDArray[np.int64]
    """The texts that they stand in, by their places."""
    year: Ints
    month: Ints
    day: Ints
    seconds: Ints
    """Second of the day, of texts that have a whole one, in no time zone or in UTC; else `NO_TIME`."""
    good: Flags
    """Whether the text is of the form that was looked for."""

    def days(self, calendar: Calendar) -> Ints:
        """Give the days that they name in a calendar, `NO_DAY` for those that name none or are not good."""
        months = gregorian_months() if calendar is Calendar.GREGORIAN else jalali_months()
        days = months.to_days(self.year, self.month, self.day)
        return np.where(self.good, days, np.int32(NO_DAY))


def scan(texts: pa.Array, calendar: Calendar) -> tuple[Ints, Ints]:
    """Read the texts that have a canonical form.

    Args:
        texts: An Arrow `string` array.
        calendar: Whose dates they are.

    Returns:
        Days, int32, `NO_DAY` for every other text; and seconds of the day as in `Dates`.
    """
    days, seconds = np.full(len(texts), NO_DAY, np.int32), np.full(len(texts), NO_TIME, np.int32)
    found = scan_dates(texts)
    days[found.rows], seconds[found.rows] = found.days(calendar), found.seconds
    return days, seconds


def scan_dates(texts: pa.Array, layout: np.dtype[np.void] = YEAR_FIRST) -> Dates:
    """Give the dates of the texts that may have a canonical form: they are 10 to 29 bytes long.

    Args:
        texts: An Arrow `string` array.
        layout: In what order the parts stand in the first ten bytes.
    """
    data, offsets = bytes_of(texts)
    lengths = np.diff(offsets)
    fitting = (lengths >= layout.itemsize) & (lengths <= layout.itemsize + 10 + _LONGEST_FRACTION)
    if texts.null_count:
        fitting &= texts.is_valid().to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(fitting)
    starts, lengths = offsets[rows].astype(np.intp), lengths[rows]
    windows = np.lib.stride_tricks.sliding_window_view(data, layout.itemsize) if len(rows) else data[:0]
    year, month, day, good = numbers_of(windows[starts].reshape(-1).view(layout))
    seconds = np.full(len(rows), NO_TIME, np.int32)
    timed = np.flatnonzero(lengths > layout.itemsize)
    if len(timed):
        at = starts[timed] + layout.itemsize
        seconds[timed], well = _scan_time(data, at, lengths[timed] - layout.itemsize)
        good[timed] &= well
    return Dates(rows, year, month, day, seconds, good)


def _scan_time(
    data: npt.NDArray[np.uint8], starts: npt.NDArray[np.intp], lengths: Ints
) -> tuple[Ints, Flags]:
    """Read `Thh:mm:ss` with or without a fraction; give the second of the day, and which are well formed."""
    good = lengths >= 9
    # Short ones are bad already; they are made to look at bytes that exist.
    starts = np.where(good, starts, 0 if len(data) < 9 else starts.clip(max=len(data) - 9))

    def byte(place: int) -> npt.NDArray[np.uint8]:
        return data[starts + place]

    def two(place: int, below: int) -> Ints:
        nonlocal good
        tens, ones = byte(place) - np.uint8(48), byte(place + 1) - np.uint8(48)
        value = tens.astype(np.int32) * 10 + ones
        good &= (tens <= 9) & (ones <= 9) & (value < below)
        return value

    lead = byte(0)
    good &= (lead == ord("T")) | (lead == ord("t")) | (lead == ord(" "))
    good &= (byte(3) == ord(":")) & (byte(6) == ord(":"))
    second = (two(1, 24) * 60 + two(4, 60)) * 60 + two(7, 60)
    for row in _distinct(lengths[good & (lengths > 9)]):
        rows = np.flatnonzero(good & (lengths == row))
        fraction = data[starts[rows, None] + np.arange(9, row)]
        digits = (fraction[:, 1:] - np.uint8(48) <= 9).all(axis=1)
        good[rows] &= digits & (fraction[:, 0] == ord(".")) & (row > 10)
        second[rows[(fraction[:, 1:] != ord("0")).any(axis=1)]] = NO_TIME
    # What is badly formed was read all the same, and may be another text's bytes.
    second[~good] = NO_TIME
    return second, good


def _distinct(lengths: Ints) -> list[int]:
    return np.flatnonzero(np.bincount(lengths)).tolist() if len(lengths) else []
