"""Dates in the portal's own forms, whole arrays at a time, straight from the bytes.

A canonical text stands in fixed places: `yyyy-mm-dd` or `yyyy/mm/dd`, and after it perhaps `Thh:mm:ss` with a
fraction. So a column of them is parsed by looking at byte 0 of all texts, then at byte 1 of all, and so on.
Whatever does not stand there, or names no day in range, is left for `_dateforms`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa

from amoot_etl.transformers._dateforms import SENTINEL_DAY, Calendar, Note, State, plain, read_plain
from amoot_etl.transformers._days import NO_DAY, gregorian_months, jalali_months

if TYPE_CHECKING:
    import datetime as dt

    import numpy.typing as npt

    from amoot_etl.transformers._days import Ints

    Flags = npt.NDArray[np.bool_]

__all__ = ["NO_TIME", "Readings", "read_distinct", "scan"]

NO_TIME: Final = -1
"""Stands for "no time of day that could be told in UTC" in `Readings.seconds`."""
_LONGEST_FRACTION: Final = 9
_MANY: Final = 64
"""Odd texts that are worth whole arrays; fewer are read one by one in less time."""


class Readings(NamedTuple):
    """What became of an array of texts; every array is as long as it."""

    days: Ints
    """Days since 1970-01-01, `NO_DAY` where there is none."""
    states: npt.NDArray[np.uint8]
    """`State` of each."""
    notes: npt.NDArray[np.uint8]
    """`Note` of each."""
    seconds: Ints
    """Second of the day, of texts that have a whole one, in no time zone or in UTC; else `NO_TIME`."""


class _Layout(NamedTuple):
    """Where the parts of a date stand in ten bytes."""

    year: tuple[int, int, int, int]
    month: tuple[int, int]
    day: tuple[int, int]
    marks: tuple[int, int]


_YEAR_FIRST: Final = _Layout((0, 1, 2, 3), (5, 6), (8, 9), (4, 7))
_YEAR_LAST: Final = _Layout((6, 7, 8, 9), (3, 4), (0, 1), (2, 5))
_BELIEVED: Final = {
    # 1200-1500 AP in a Gregorian field; 1900-2100, but not the sentinel 1900-01-01, in a Jalali one.
    Calendar.JALALI: (-54342, 55595),
    Calendar.GREGORIAN: (SENTINEL_DAY + 1, 47846),
}
"""The days that are believed when a date stands in the other calendar's field."""


def scan(texts: pa.Array, calendar: Calendar, layout: _Layout = _YEAR_FIRST) -> tuple[Ints, Ints]:
    """Read the texts that have a canonical form.

    Args:
        texts: An Arrow `string` array.
        calendar: Whose dates they are.
        layout: In what order the parts stand.

    Returns:
        Days, int32, `NO_DAY` for every other text; and seconds of the day as in `Readings`.
    """
    _, offset_buffer, data_buffer = texts.buffers()
    size = len(texts)
    days, seconds = np.full(size, NO_DAY, np.int32), np.full(size, NO_TIME, np.int32)
    if size == 0 or data_buffer is None:
        return days, seconds
    offsets = np.frombuffer(offset_buffer, np.int32)[texts.offset : texts.offset + size + 1]
    data = np.frombuffer(data_buffer, np.uint8)
    lengths = np.diff(offsets)
    fitting = (lengths >= 10) & (lengths <= 20 + _LONGEST_FRACTION)
    if texts.null_count:
        fitting &= texts.is_valid().to_numpy(zero_copy_only=False)
    starts = offsets[:-1].astype(np.intp)
    if fitting.all():
        return _scan(data, starts, lengths, calendar, layout)
    rows = np.flatnonzero(fitting)
    if len(rows):
        days[rows], seconds[rows] = _scan(data, starts[rows], lengths[rows], calendar, layout)
    return days, seconds


def _scan(
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.intp],
    lengths: Ints,
    calendar: Calendar,
    layout: _Layout,
) -> tuple[Ints, Ints]:
    """Read texts of 10 to 29 bytes that begin at `starts`."""
    good = np.ones(len(starts), np.bool_)

    def number(places: tuple[int, ...]) -> Ints:
        nonlocal good
        value = np.zeros(len(starts), np.int32)
        for place in places:
            # A byte below "0" wraps round to something large, so one comparison tells a digit.
            digit = data[starts + place] - np.uint8(48)
            good &= digit <= 9
            value = value * np.int32(10) + digit
        return value

    year, month, day = number(layout.year), number(layout.month), number(layout.day)
    mark = data[starts + layout.marks[0]]
    good &= (mark == data[starts + layout.marks[1]]) & ((mark == ord("-")) | (mark == ord("/")))
    months = gregorian_months() if calendar is Calendar.GREGORIAN else jalali_months()
    days = months.to_days(year, month, day)
    seconds = np.full(len(starts), NO_TIME, np.int32)
    timed = lengths > 10
    if timed.any():
        if timed.all():
            seconds, well = _scan_time(data, starts + 10, lengths - 10)
            good &= well
        else:
            rows = np.flatnonzero(timed)
            seconds[rows], well = _scan_time(data, starts[rows] + 10, lengths[rows] - 10)
            good[rows] &= well
    return np.where(good, days, np.int32(NO_DAY)), seconds


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
    good &= ((lead == ord("T")) | (lead == ord(" "))) & (byte(3) == ord(":")) & (byte(6) == ord(":"))
    second = (two(1, 24) * 60 + two(4, 60)) * 60 + two(7, 60)
    for row in _distinct(lengths[good & (lengths > 9)]):
        rows = np.flatnonzero(good & (lengths == row))
        fraction = data[starts[rows, None] + np.arange(9, row)]
        digits = (fraction[:, 1:] - np.uint8(48) <= 9).all(axis=1)
        good[rows] &= digits & (fraction[:, 0] == ord(".")) & (row > 10)
        second[rows[(fraction[:, 1:] != ord("0")).any(axis=1)]] = NO_TIME
    return second, good


def _distinct(lengths: Ints) -> list[int]:
    return np.flatnonzero(np.bincount(lengths)).tolist() if len(lengths) else []


def read_distinct(texts: pa.Array, calendar: Calendar, today: dt.date | None) -> Readings:
    """Read the distinct values of a column, whatever their form.

    Args:
        texts: An Arrow `string` array.
        calendar: What the column is meant to hold.
        today: The run's date, for two-digit years.

    Returns:
        One reading a text; a null is empty.
    """
    days, seconds = scan(texts, calendar)
    states = np.full(len(texts), State.DAY, np.uint8)
    notes = np.zeros(len(texts), np.uint8)
    readings = Readings(days, states, notes, seconds)
    odd = np.flatnonzero(days == NO_DAY)
    if len(odd):
        values = texts.take(pa.array(odd)).to_pylist()
        if len(odd) >= _MANY:
            _scan_odd(values, odd, calendar, readings)
        for place in np.flatnonzero(days[odd] == NO_DAY).tolist():
            row, value = odd[place], values[place]
            if value is None:
                states[row] = State.EMPTY
                continue
            reading = read_plain(plain(value), calendar, today)
            states[row], notes[row] = reading.state, reading.note
            days[row] = NO_DAY if reading.day is None else reading.day
            time = reading.time
            if time is not None and not time.offset and time.micros % 1_000_000 == 0:
                seconds[row] = time.micros // 1_000_000
    if calendar is Calendar.GREGORIAN:
        sentinel = np.flatnonzero((days == SENTINEL_DAY) & (notes == Note.NONE))
        days[sentinel], states[sentinel], notes[sentinel] = NO_DAY, State.EMPTY, Note.SENTINEL
    return readings


def _scan_odd(
    values: list[str | None], odd: npt.NDArray[np.int64], calendar: Calendar, readings: Readings
) -> None:
    """Read the common oddities, in place: other digits, the other calendar, a Jalali year that comes last."""
    folded = pa.array([plain(text) if text and not text.isascii() else text for text in values], pa.string())
    other = Calendar.JALALI if calendar is Calendar.GREGORIAN else Calendar.GREGORIAN
    for whose, layout in ((calendar, _YEAR_FIRST), (other, _YEAR_FIRST), (Calendar.JALALI, _YEAR_LAST)):
        days, seconds = scan(folded, whose, layout)
        good = days != NO_DAY
        if whose is not calendar:
            first, last = _BELIEVED[whose]
            good &= (days >= first) & (days <= last)
        rows = odd[good]
        readings.days[rows], readings.seconds[rows] = days[good], seconds[good]
        readings.notes[rows] = Note.NONE if whose is calendar else Note.MISPLACED
