"""Find who has a birthday or an anniversary in a stretch of days, by the Jalali calendar.

Such a day comes back on the same day and month of each Jalali year. Who was born on 30 Esfand, which only leap
years have, is congratulated on 29 Esfand in the others: the last day of the year either way.

```
first, last = jalali_month(today, ahead=1)     # the coming month, as real dates
occasions(book.contacts, first, last)          # who, on which day, for which time
```
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.transformers._days import (
    FIRST_DAY,
    LAST_DAY,
    LAST_YEAR,
    NO_DAY,
    days_to_text,
    days_to_ymd,
    jalali_months,
    ymd_to_days,
)
from amoot_etl.transformers._flags import are_true
from amoot_etl.transformers.jalali import to_gregorian

if TYPE_CHECKING:
    from amoot_etl.transformers._days import Ints

__all__ = ["anniversary_in", "jalali_month", "occasions"]

_EPOCH: Final = dt.date(1970, 1, 1).toordinal()


def jalali_month(day: dt.date, ahead: int = 0) -> tuple[dt.date, dt.date]:
    """Give the first and the last day of a Jalali month.

    Args:
        day: A day; its month is counted from.
        ahead: How many months later: 0 for the month of the day itself, 1 for the coming one, -1 for the last.

    Raises:
        ValueError: The day, or the month, is outside 1178-1501 AP.

    >>> import datetime
    >>> jalali_month(datetime.date(2026, 2, 25), ahead=1)
    (datetime.date(2026, 3, 21), datetime.date(2026, 4, 20))
    """
    (year,), (month,), _ = days_to_ymd(_numbers(day))
    months = jalali_months()
    slot = (int(year) - months.first_year) * 12 + int(month) - 1 + ahead
    if not 0 <= slot < len(months.starts):
        raise ValueError(f"the month {ahead} months from {day} is outside 1178-1501 AP")
    start = int(months.starts[slot])
    return _date(start), _date(start + int(months.lengths[slot]) - 1)


def anniversary_in(values: pd.Series, year: int) -> pd.Series:
    """Give the days on which dates come back in one Jalali year.

    Args:
        values: Dates, as `to_gregorian` takes them: real dates, or Jalali text.
        year: A Jalali year, 1178-1501.

    Returns:
        Arrow `date32`, with the index and name of `values`: the same day and month of that year, 29 Esfand for
        30 Esfand where the year has none; null for no date.

    Raises:
        ValueError: The year is outside 1178-1501.

    >>> import pandas as pd
    >>> anniversary_in(pd.Series(["1399/12/30", "1370/05/12", None]), 1404).tolist()
    [datetime.date(2026, 3, 20), datetime.date(2025, 8, 3), <NA>]
    """
    if not jalali_months().first_year <= year <= LAST_YEAR:
        raise ValueError(f"the Jalali year {year} is outside 1178-1501")
    days = _days(values)
    back = np.full(len(days), NO_DAY, np.int32)
    there = days != NO_DAY
    back[there] = _back_in(days[there], np.int32(year))
    array = pa.array(back, mask=~there).view(pa.date32())
    return pd.Series(_column(array), index=values.index, name=values.name)


def occasions(
    contacts: pd.DataFrame, first: dt.date, last: dt.date, *, column: str = "birth_date"
) -> pd.DataFrame:
    """Give the contacts whose date comes back between two days; those marked deleted are left out.

    Args:
        contacts: A table with `contact_id` and `column`, and `deleted` if it has one.
        first: The first day that counts.
        last: The last day that counts.
        column: The date that comes back: `birth_date`, `anniversary_date`, or a custom date.

    Returns:
        The rows of `contacts`, all columns, after `occasion_date` (date32), `occasion_date_jalali` (string) and
        `occasion_years` (int64: Jalali years since, so on a birthday the age that is reached), by day and
        contact_id, with a new index. A contact stands once for each time that its date comes back; the date
        itself, and what is before it, is no return.

    Raises:
        KeyError: A column is missing.
        TypeError: `deleted` holds no booleans, as in a table that was read as text.
        ValueError: The days are outside 1178-1501 AP, or the last is before the first.

    >>> import datetime
    >>> import pandas as pd
    >>> table = pd.DataFrame({"contact_id": [1, 2], "birth_date": ["1399/12/30", "1370/05/12"]})
    >>> first, last = jalali_month(datetime.date(2026, 3, 1))
    >>> occasions(table, first, last).to_dict("records")  # doctest: +NORMALIZE_WHITESPACE
    [{'occasion_date': datetime.date(2026, 3, 20), 'occasion_date_jalali': '1404/12/29',
      'occasion_years': 5, 'contact_id': 1, 'birth_date': '1399/12/30'}]
    """
    if last < first:
        raise ValueError(f"the last day {last} is before the first {first}")
    bounds = _numbers(first, last)
    years = days_to_ymd(bounds)[0]
    if "deleted" in contacts.columns:
        contacts = contacts[~are_true(contacts["deleted"])]
    days = _days(contacts[column])
    rows = np.flatnonzero(days != NO_DAY)
    days = days[rows]
    since = days_to_ymd(days)[0]
    found = []
    for year in range(int(years[0]), int(years[1]) + 1):
        back = _back_in(days, np.int32(year))
        hit = (back >= bounds[0]) & (back <= bounds[1]) & (since < year)
        found.append((rows[hit], back[hit], year - since[hit]))
    places, back, count = (np.concatenate(parts) for parts in zip(*found, strict=True))
    given = contacts.take(places)
    dates = pa.array(back).view(pa.date32())
    given.insert(0, "occasion_date", pd.Series(_column(dates), index=given.index))
    given.insert(1, "occasion_date_jalali", pd.Series(_column(days_to_text(dates)), index=given.index))
    given.insert(2, "occasion_years", pd.Series(_column(pa.array(count, pa.int64())), index=given.index))
    return given.sort_values(["occasion_date", "contact_id"], ignore_index=True)


def _back_in(days: Ints, year: np.int32) -> Ints:
    """Give the days on which days come back in a year, the last of Esfand for one that the year lacks."""
    _, month, day = days_to_ymd(days)
    years = np.full(len(days), year, np.int32)
    back = ymd_to_days(years, month, day)
    missing = back == NO_DAY
    back[missing] = ymd_to_days(years[missing], month[missing], day[missing] - 1)
    return back


def _days(values: pd.Series) -> Ints:
    """Give the days of a column of dates of either calendar, `NO_DAY` for none."""
    array = pa.chunked_array(to_gregorian(values).array.__arrow_array__())
    days: Ints = pc.fill_null(array.combine_chunks().view(pa.int32()), NO_DAY).to_numpy()
    return days


def _numbers(*days: dt.date) -> Ints:
    """Give dates as days.

    Raises:
        ValueError: One is outside 1178-1501 AP.
    """
    numbers = np.array([day.toordinal() - _EPOCH for day in days], np.int32)
    if numbers.min() < FIRST_DAY or numbers.max() > LAST_DAY:
        raise ValueError(f"{' or '.join(str(day) for day in days)} is outside 1178-1501 AP")
    return numbers


def _date(day: int) -> dt.date:
    return dt.date.fromordinal(day + _EPOCH)


def _column(array: pa.Array) -> pd.api.extensions.ExtensionArray:
    return pd.arrays.ArrowExtensionArray(array)
