"""Days and dates: the arithmetic of both calendars, on whole arrays, by tables.

A day is a number, days since 1970-01-01, as Arrow's `date32` counts. A date is a year, a month and a day of
one calendar. Between them stand two small tables a calendar (where each month begins, how long it is), and
one row a day for the way back. The tables hold 1178-1501 AP (1799-03-21 to 2123-03-20), the years in which
the 33-year rule, the published table of the University of Tehran and the PersianCalendar of .NET agree:
outside them a day has no Jalali date here.

The tables are built on first use, in a few milliseconds, so that importing this module costs nothing.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int32]

__all__ = [
    "FIRST_DAY",
    "FIRST_YEAR",
    "LAST_DAY",
    "LAST_YEAR",
    "NO_DAY",
    "Months",
    "day_keys",
    "day_texts",
    "days_to_text",
    "days_to_ymd",
    "distinct_days",
    "gregorian_months",
    "is_leap",
    "jalali_months",
    "ymd_to_days",
]

FIRST_YEAR: Final = 1178
LAST_YEAR: Final = 1501
FIRST_DAY: Final = -62377
"""1178/01/01, that is 1799-03-21."""
LAST_DAY: Final = 55960
"""1501/12/29, that is 2123-03-20."""
NO_DAY: Final = -(2**31)
"""Stands for "no such day" in an int32 array of days."""
_MOST: Final = 2**31 - 1


def is_leap(year: int) -> bool:
    """Tell whether a Jalali year has 366 days.

    The rule is the 33-year cycle with leap years 1, 5, 9, 13, 17, 22, 26 and 30.

    Args:
        year: A Jalali year, 1178-1501.

    Raises:
        ValueError: The year is outside 1178-1501, where the rule is not proved.

    >>> is_leap(1403), is_leap(1404)
    (True, False)
    """
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"the Jalali year {year} is outside {FIRST_YEAR}-{LAST_YEAR}")
    return (25 * year + 11) % 33 < 8


class Months(NamedTuple):
    """One calendar's months in a row, from January or Farvardin of its first year here."""

    first_year: int
    starts: Ints
    """The day on which each month begins."""
    lengths: Ints
    """How many days each has."""

    def to_days(self, year: Ints, month: Ints, day: Ints) -> Ints:
        """Give the days that dates name; `NO_DAY` where there is no such date within 1178-1501 AP.

        Args:
            year: int32.
            month: int32, as long.
            day: int32, as long.

        Returns:
            int32, as long.
        """
        good = (year >= self.first_year) & (year < self.first_year + len(self.starts) // 12)
        good &= (month >= 1) & (month <= 12)
        slot = np.where(good, (year - self.first_year) * 12 + (month - 1), 0)
        days = self.starts[slot] + (day - 1)
        good &= (day >= 1) & (day <= self.lengths[slot]) & (days >= FIRST_DAY) & (days <= LAST_DAY)
        return np.where(good, days, np.int32(NO_DAY))

    def to_day(self, year: int, month: int, day: int) -> int | None:
        """Give the day that one date names, or None: for values that are looked at one by one."""
        slot = (year - self.first_year) * 12 + month - 1
        if not (1 <= month <= 12 and 0 <= slot < len(self.starts) and 1 <= day <= self.lengths[slot]):
            return None
        number = int(self.starts[slot]) + day - 1
        return number if FIRST_DAY <= number <= LAST_DAY else None


@functools.cache
def jalali_months() -> Months:
    """Give the months of 1178-1501 AP."""
    years = np.arange(FIRST_YEAR, LAST_YEAR + 1, dtype=np.int32)
    lengths = np.tile(np.array([31] * 6 + [30] * 5 + [29], np.int32), len(years))
    lengths[11::12] += (25 * years + 11) % 33 < 8
    starts = FIRST_DAY + np.cumsum(lengths, dtype=np.int32) - lengths
    return Months(FIRST_YEAR, starts, lengths)


@functools.cache
def gregorian_months() -> Months:
    """Give the months of 1799-2123, all that 1178-1501 AP touches."""
    edges = np.arange("1799-01", "2124-02", dtype="datetime64[M]").astype("datetime64[D]").astype(np.int32)
    return Months(1799, edges[:-1], np.diff(edges))


@functools.cache
def day_keys() -> Ints:
    """Give each day of 1178-1501 AP as yyyymmdd (14040729), int32, from `FIRST_DAY` on."""
    months = jalali_months()
    number = np.arange(len(months.starts), dtype=np.int32)
    first = (FIRST_YEAR + number // 12) * 10_000 + (number % 12 + 1) * 100 + 1
    days = np.arange(FIRST_DAY, LAST_DAY + 1, dtype=np.int32)
    return np.repeat(first - months.starts, months.lengths) + days


@functools.cache
def day_texts() -> pa.Array:
    """Give each day of 1178-1501 AP as `yyyy/mm/dd`, an Arrow `string` array, from `FIRST_DAY` on."""
    keys = day_keys()
    characters = np.empty((len(keys), 10), np.uint8)
    for column in (9, 8, 6, 5, 3, 2, 1, 0):
        keys, digit = np.divmod(keys, np.int32(10))
        characters[:, column] = digit + ord("0")
    characters[:, [4, 7]] = ord("/")
    offsets = np.arange(0, characters.size + 1, 10, dtype=np.int32)
    return pa.StringArray.from_buffers(len(characters), pa.py_buffer(offsets), pa.py_buffer(characters))


def ymd_to_days(year: Ints, month: Ints, day: Ints) -> Ints:
    """Give the days that Jalali dates name.

    Args:
        year: Jalali years, int32.
        month: 1-12, int32, as long.
        day: 1-31, int32, as long.

    Returns:
        Days since 1970-01-01, int32, as long; `NO_DAY` where there is no such date within 1178-1501.

    >>> import numpy as np
    >>> ymd_to_days(np.int32([1404, 1404]), np.int32([1, 12]), np.int32([1, 30])).tolist()
    [20168, -2147483648]
    """
    return jalali_months().to_days(year, month, day)


def days_to_ymd(days: Ints) -> tuple[Ints, Ints, Ints]:
    """Give the Jalali dates of days.

    Args:
        days: Days since 1970-01-01, int32, all of them within 1178-1501 AP.

    Returns:
        Years, months and days of the month, each int32 and as long.

    Raises:
        ValueError: A day is outside 1178-1501 AP.

    >>> import numpy as np
    >>> [part.item() for part in days_to_ymd(np.int32([20168]))]
    [1404, 1, 1]
    """
    if len(days) and (days.min() < FIRST_DAY or days.max() > LAST_DAY):
        raise ValueError(f"a day is outside {FIRST_YEAR}-{LAST_YEAR} AP")
    keys = day_keys()[days - FIRST_DAY]
    return keys // 10_000, keys // 100 % 100, keys % 100


def days_to_text(days: Ints | pa.Array) -> pa.Array:
    """Give days as Jalali text.

    Args:
        days: Days since 1970-01-01: int32 with `NO_DAY` for none, or an Arrow `date32` or `int32` array.

    Returns:
        An Arrow `string` array, as long, `1404/01/01`; null for no day and outside 1178-1501 AP.

    >>> import numpy as np
    >>> days_to_text(np.int32([20168, -719162])).to_pylist()
    ['1404/01/01', None]
    """
    if isinstance(days, pa.Array):
        days = days.view(pa.int32()).fill_null(NO_DAY).to_numpy()
    inside = (days >= FIRST_DAY) & (days <= LAST_DAY)
    if inside.all():
        return day_texts().take(pa.array(days - FIRST_DAY))
    return day_texts().take(pa.array(np.where(inside, days, FIRST_DAY) - FIRST_DAY, mask=~inside))


def distinct_days(*groups: Ints) -> tuple[Ints, list[Ints]]:
    """Give the distinct days of several arrays, and each array as positions among them.

    This is what a dictionary column is made of; a table of all days finds them without sorting.

    Args:
        groups: Days within 1178-1501 AP or `NO_DAY`, int32.

    Returns:
        The distinct days, rising, int32, and for each group its positions, int32, -1 for `NO_DAY`.

    >>> import numpy as np
    >>> days, [positions] = distinct_days(np.int32([5, 3, NO_DAY, 5]))
    >>> days.tolist(), positions.tolist()
    ([3, 5], [1, 0, -1, 1])
    """
    last = max(int(days.max(initial=NO_DAY)) for days in groups)
    # Less one, "no day" turns round to the largest number there is.
    first = min(int((days - np.int32(1)).min(initial=_MOST)) for days in groups) + 1
    if last == NO_DAY:
        return np.empty(0, np.int32), [np.full(len(days), -1, np.int32) for days in groups]
    # One place more than there are days: "no day" is put there, and told apart by it.
    nowhere = last - first + 1
    places = [np.where(days == NO_DAY, nowhere, days - np.int32(first)) for days in groups]
    seen = np.zeros(nowhere + 1, np.bool_)
    for place in places:
        seen[place] = True
    seen[nowhere] = False
    ranks = np.cumsum(seen, dtype=np.int32) - np.int32(1)
    ranks[nowhere] = -1
    return np.flatnonzero(seen).astype(np.int32) + np.int32(first), [ranks[place] for place in places]
