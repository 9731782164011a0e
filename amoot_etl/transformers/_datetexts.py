"""The distinct texts of a chunk's dates, read: those in fixed places at once, the common oddities at once too.

What people type most often besides the portal's own forms is Persian digits, a month or a day of one digit, a month
by its name, the year at the end, and the other calendar. A text of such a form is read with all others of it. What is
then left is read one by one by `_dateforms`, which is the whole of the rules: it would read the others alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.transformers._dateforms import (
    MONTHS,
    SENTINEL_DAY,
    Calendar,
    Note,
    State,
    plain,
    plain_texts,
    read_plain,
)
from amoot_etl.transformers._datescan import NO_TIME, Dates, scan, scan_dates
from amoot_etl.transformers._daycells import YEAR_LAST
from amoot_etl.transformers._days import NO_DAY

if TYPE_CHECKING:
    import datetime as dt

    import numpy.typing as npt

    from amoot_etl.transformers._days import Ints

__all__ = ["Readings", "read_distinct"]

_MANY: Final = 64
"""Odd texts that are worth whole arrays; fewer are read one by one in less time."""

_BELIEVED: Final = {
    # 1200-1500 AP in a Gregorian field; 1900-2100, but not the sentinel 1900-01-01, in a Jalali one.
    Calendar.JALALI: (-54342, 55595),
    Calendar.GREGORIAN: (SENTINEL_DAY + 1, 47846),
}
"""The days that are believed when a date stands in the other calendar's field."""

_SHORT: Final = r"^(?P<year>\d{4})[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})$"
_NAMED: Final = r"^(?P<day>\d{1,2}) (?P<month>[^ \d]+) (?P<year>\d{4})$"
_NAMES: Final = pa.array(list(MONTHS), pa.string())
_NUMBERS: Final = np.array([*MONTHS.values(), 0], np.int32)


class Readings(NamedTuple):
    """What became of an array of texts; every array is as long as it."""

    days: Ints
    """Days since 1970-01-01, `NO_DAY` where there is none."""
    states: npt.NDArray[np.uint8]
    """`State` of each."""
    notes: npt.NDArray[np.uint8]
    """`Note` of each."""
    seconds: Ints
    """Second of the day, as in `Dates`."""


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
        values: list[str | None] = texts.take(pa.array(odd)).to_pylist()
        if len(odd) >= _MANY:
            folded = plain_texts([value or "" for value in values])
            values = [None if value is None else text for value, text in zip(values, folded, strict=True)]
            _read_many(pa.array(folded, pa.string()), odd, calendar, readings)
        else:
            values = [None if value is None else plain(value) for value in values]
        for place in np.flatnonzero(days[odd] == NO_DAY).tolist():
            row, value = odd[place], values[place]
            if value is None:
                states[row] = State.EMPTY
                continue
            reading = read_plain(value, calendar, today)
            states[row], notes[row] = reading.state, reading.note
            days[row] = NO_DAY if reading.day is None else reading.day
            time, seconds[row] = reading.time, NO_TIME
            if time is not None and not time.offset and time.micros % 1_000_000 == 0:
                seconds[row] = time.micros // 1_000_000
    if calendar is Calendar.GREGORIAN:
        sentinel = np.flatnonzero((days == SENTINEL_DAY) & (notes == Note.NONE))
        days[sentinel], states[sentinel], notes[sentinel] = NO_DAY, State.EMPTY, Note.SENTINEL
    return readings


def _read_many(folded: pa.Array, odd: npt.NDArray[np.int64], calendar: Calendar, readings: Readings) -> None:
    """Read the common oddities, in place.

    Args:
        folded: The texts, as `plain` gives them.
        odd: Their places in the readings.
        calendar: What the column is meant to hold.
        readings: Takes what is read.
    """

    def take(dates: Dates, whose: Calendar, *, believed: bool = True) -> None:
        days = dates.days(whose)
        good = days != NO_DAY
        if whose is not calendar and believed:
            first, last = _BELIEVED[whose]
            good &= (days >= first) & (days <= last)
        rows = odd[dates.rows[good]]
        readings.days[rows], readings.seconds[rows] = days[good], dates.seconds[good]
        readings.notes[rows] = Note.NONE if whose is calendar else Note.MISPLACED

    other = Calendar.JALALI if calendar is Calendar.GREGORIAN else Calendar.GREGORIAN
    for dates in (scan_dates(folded), _matching(folded, _SHORT)):
        take(dates, calendar)
        take(dates, other)
    take(scan_dates(folded, YEAR_LAST), Calendar.JALALI)
    # A month by its name tells the calendar, whatever the year.
    take(_matching(folded, _NAMED), Calendar.JALALI, believed=False)


def _matching(texts: pa.Array, form: str) -> Dates:
    """Give the dates of the texts that match a regular expression with the groups `year`, `month` and `day`."""
    found = pc.extract_regex(texts, form)
    rows = np.flatnonzero(found.is_valid().to_numpy(zero_copy_only=False))
    parts = found.take(pa.array(rows))
    year, day = (parts.field(name).cast(pa.int32()).to_numpy() for name in ("year", "day"))
    month = parts.field("month")
    if form == _NAMED:
        months = _NUMBERS[pc.index_in(month, _NAMES).fill_null(len(_NAMES)).to_numpy()]
    else:
        months = month.cast(pa.int32()).to_numpy()
    return Dates(rows, year, months, day, np.full(len(rows), NO_TIME, np.int32), np.ones(len(rows), np.bool_))
