"""The calendar table: one row a day, 1300-1500 AP, for BI tools to join dates with.

A week begins on Saturday, and week 1 is the one that holds 1 Farvardin, however few of its days are left, as
Iran counts; the last days of Esfand stay in their own year. Names of months, days and seasons stand beside
numbers to sort them by.

Holidays are only those that the Jalali calendar fixes, by the present law and for every year alike: the table
does not say what was a holiday before 1979, when most of these did not exist, and holidays of the lunar
calendar, which are announced, are not in it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.schema import TABLES
from amoot_etl.transformers._days import (
    FIRST_DAY,
    day_texts,
    days_to_ymd,
    jalali_months,
    ymd_to_days,
)

if TYPE_CHECKING:
    import pandas as pd

    from amoot_etl.transformers._days import Ints

__all__ = ["FIRST_CALENDAR_YEAR", "HOLIDAYS", "LAST_CALENDAR_YEAR", "calendar", "calendar_table"]

FIRST_CALENDAR_YEAR: Final = 1300
LAST_CALENDAR_YEAR: Final = 1500

HOLIDAYS: Final = {
    (1, 1): "نوروز",
    (1, 2): "نوروز",
    (1, 3): "نوروز",
    (1, 4): "نوروز",
    (1, 12): "روز جمهوری اسلامی",
    (1, 13): "روز طبیعت",
    (3, 14): "رحلت امام خمینی",
    (3, 15): "قیام ۱۵ خرداد",
    (11, 22): "پیروزی انقلاب اسلامی",
    (12, 29): "روز ملی شدن صنعت نفت",
    (12, 30): "آخرین روز سال کبیسه",
}
"""Holidays by month and day."""

_MONTHS: Final = (
    "فروردین",
    "اردیبهشت",
    "خرداد",
    "تیر",
    "مرداد",
    "شهریور",
    "مهر",
    "آبان",
    "آذر",
    "دی",
    "بهمن",
    "اسفند",
)
_SEASONS: Final = ("بهار", "تابستان", "پاییز", "زمستان")
_WEEKDAYS: Final = ("شنبه", "یکشنبه", "دوشنبه", "سه‌شنبه", "چهارشنبه", "پنجشنبه", "جمعه")


def calendar() -> pd.DataFrame:
    """Give the calendar table as a frame.

    Returns:
        73,414 rows, a day each, from 1300/01/01 to 1500/12/29; Arrow-backed columns as the schema declares.

    >>> days = calendar().set_index("jalali_date")
    >>> days.loc["1404/07/29", ["weekday", "jalali_week", "jalali_season"]].tolist()
    [4, 32, 'پاییز']
    """
    import pandas as pd  # noqa: PLC0415 - only who calls this has frames

    table = calendar_table()
    return pd.DataFrame(
        {name: pd.Series(pd.arrays.ArrowExtensionArray(table[name])) for name in table.column_names}
    )


@functools.cache
def calendar_table() -> pa.Table:
    """Give the calendar table; the same object each time, which nothing can change.

    Returns:
        Columns and types of `TABLES["calendar"]`, dates rising.

    >>> calendar_table().num_rows
    73414
    """
    first, last = (
        int(ymd_to_days(*(np.array([part], np.int32) for part in (year, 1, 1)))[0])
        for year in (FIRST_CALENDAR_YEAR, LAST_CALENDAR_YEAR + 1)
    )
    days = np.arange(first, last, dtype=np.int32)
    year, month, day = days_to_ymd(days)
    years = jalali_months().starts[::12]
    new_year = years[year - jalali_months().first_year]
    next_year = years[year - jalali_months().first_year + 1]
    day_of_year = days - new_year + 1
    quarter = (month + 2) // 3
    weekday = _weekday(days)
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    texts = day_texts().slice(first - FIRST_DAY, len(days))
    holiday = _holidays(month, day)
    columns = {
        "date": pa.array(days).view(pa.date32()),
        "jalali_date": texts,
        "jalali_key": year * 10_000 + month * 100 + day,
        "jalali_year": year,
        "jalali_month": month,
        "jalali_day": day,
        "jalali_month_name": _names(_MONTHS, month),
        "jalali_year_month": pc.utf8_slice_codeunits(texts, 0, 7),
        "jalali_quarter": quarter,
        "jalali_season": _names(_SEASONS, quarter),
        "jalali_week": (day_of_year - 1 + _weekday(new_year) - 1) // 7 + 1,
        "jalali_day_of_year": day_of_year,
        "is_leap": next_year - new_year == 366,
        "weekday": weekday,
        "weekday_name": _names(_WEEKDAYS, weekday),
        "is_weekend": weekday == 7,
        "is_holiday": holiday.is_valid(),
        "holiday_name": holiday,
        "year": (dates.astype("datetime64[Y]").astype(np.int32) + 1970),
        "month": (months.astype(np.int32) % 12 + 1),
        "day": ((dates - months.astype("datetime64[D]")).astype(np.int32) + 1),
    }
    return pa.table({name: columns[name] for name in TABLES["calendar"].names})


def _weekday(days: Ints) -> Ints:
    """Give the day of the week, Saturday = 1: 1970-01-01 was a Thursday."""
    return (days + 5) % 7 + 1


def _names(names: tuple[str, ...], numbers: Ints) -> pa.Array:
    """Give the names of numbers that count from 1."""
    return pa.array(names).take(pa.array(numbers - 1))


def _holidays(month: Ints, day: Ints) -> pa.Array:
    """Give the name of the holiday on each day, null for none."""
    places = np.full((13, 32), -1, np.int32)
    for place, (of_month, of_day) in enumerate(HOLIDAYS):
        places[of_month, of_day] = place
    found = places[month, day]
    return pa.array(list(HOLIDAYS.values())).take(pa.array(found, mask=found < 0))
