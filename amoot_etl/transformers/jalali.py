"""Between the Jalali and the Gregorian calendar, a whole column at a time.

```
to_jalali(s)      dates, or text of either calendar  ->  "1370/05/12"
to_gregorian(s)   Jalali text as people type it      ->  date32
to_jdatetime(s)   either                             ->  jdatetime.date objects
```

Each takes a Series of text (object, string, Arrow), of dates and times (`datetime64`, Arrow, `datetime`) or of
`jdatetime` objects, keeps its index and name, and leaves it alone. A time of day is dropped and never moves
the day: what counts is the date as it stands, in whatever time zone. What cannot be read, and what lies outside
1178-1501 AP, is null; to learn why, read the column with `dates.read_dates`.

Beneath them, on arrays: `ymd_to_days`, `days_to_ymd`, `days_to_text` (a day is days since 1970-01-01).
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.transformers._arrow import encoded, need_series, series, strings
from amoot_etl.transformers._dateforms import Calendar
from amoot_etl.transformers._datetexts import read_distinct
from amoot_etl.transformers._daycells import canonical_days
from amoot_etl.transformers._days import (
    FIRST_DAY,
    FIRST_YEAR,
    LAST_DAY,
    LAST_YEAR,
    NO_DAY,
    days_to_text,
    days_to_ymd,
    distinct_days,
    is_leap,
    ymd_to_days,
)

if TYPE_CHECKING:
    from amoot_etl.transformers._days import Ints

__all__ = [
    "FIRST_DAY",
    "FIRST_YEAR",
    "LAST_DAY",
    "LAST_YEAR",
    "NO_DAY",
    "days_to_text",
    "days_to_ymd",
    "is_leap",
    "to_gregorian",
    "to_jalali",
    "to_jdatetime",
    "ymd_to_days",
]

_EPOCH = dt.date(1970, 1, 1).toordinal()


def to_jalali(values: pd.Series) -> pd.Series:
    """Give dates as Jalali text.

    Args:
        values: Dates: `datetime64`, Arrow dates or timestamps, `datetime` or `jdatetime` objects, or text. Text
            is taken for Gregorian unless its year is Jalali (1200-1500).

    Returns:
        Arrow `string`, `1404/07/29`; null for what is no date within 1178-1501 AP.

    >>> import pandas as pd
    >>> to_jalali(pd.Series(["2025-10-21", "2025-03-20T23:30:00", "soon"])).tolist()
    ['1404/07/29', '1403/12/30', <NA>]
    """
    return series(days_to_text(_days(values, Calendar.GREGORIAN)), values)


def to_gregorian(values: pd.Series) -> pd.Series:
    """Give Jalali dates, as people type them, as real dates.

    Args:
        values: Jalali text in any form that `dates` reads, or `jdatetime` objects. What is Gregorian (by its
            type, or by its year: 1900-2100) is read as that. A year of two digits is not read here: its century
            is a guess that hangs on the day of the run, which `dates.read_dates` takes.

    Returns:
        Arrow `date32`; null for what is no date within 1178-1501 AP.

    >>> import pandas as pd
    >>> to_gregorian(pd.Series(["1404/07/29", "۲۹ مهر ۱۴۰۴", "1404/12/30"])).tolist()
    [datetime.date(2025, 10, 21), datetime.date(2025, 10, 21), <NA>]
    """
    days = _days(values, Calendar.JALALI)
    return series(_array(days).view(pa.date32()), values)


def to_jdatetime(values: pd.Series) -> pd.Series:
    """Give a column of dates of either calendar as `jdatetime.date` objects.

    Args:
        values: As `to_gregorian` takes them.

    Returns:
        object: `jdatetime.date`, or None for what is no date within 1178-1501 AP.

    >>> import pandas as pd
    >>> to_jdatetime(pd.Series(["1404/07/29", None])).tolist()
    [jdatetime.date(1404, 7, 29), None]
    """
    import jdatetime  # noqa: PLC0415 - only this function makes its objects, and it is slow to import

    distinct, [places] = distinct_days(_days(values, Calendar.JALALI))
    parts = zip(*(part.tolist() for part in days_to_ymd(distinct)), strict=True)
    # The last place is what position -1 of "no day" finds.
    objects = np.empty(len(distinct) + 1, object)
    objects[:-1] = [jdatetime.date(*part) for part in parts]
    return pd.Series(objects[places], index=values.index, name=values.name, dtype=object)


def _days(values: pd.Series, calendar: Calendar) -> Ints:
    """Give the days of a Series, `NO_DAY` for none and for those outside 1178-1501 AP."""
    need_series(values)
    array = _temporal(values)
    if array is not None:
        # Arrow takes the day of a zoned timestamp from its own clock, not from UTC's.
        return _within(pc.cast(array, pa.date32(), safe=False).view(pa.int32()).fill_null(NO_DAY).to_numpy())
    if values.dtype != object:
        return _text_days(values, calendar)
    # A date object is a day whatever its year; text among them is read for itself.
    days = np.array([_object_day(value) for value in values], np.int32)
    dates = days != NO_DAY
    if dates.all():
        return _within(days)
    return np.where(dates, _within(days), _text_days(values.mask(dates), calendar))


def _temporal(values: pd.Series) -> pa.Array | None:
    """Give a Series of dates or timestamps as an Arrow array; None when it is neither."""
    dtype: Any = values.dtype
    if isinstance(dtype, pd.ArrowDtype):
        if not (pa.types.is_date(dtype.pyarrow_dtype) or pa.types.is_timestamp(dtype.pyarrow_dtype)):
            return None
        return pa.chunked_array(values.array.__arrow_array__()).combine_chunks()
    return pa.array(values) if pd.api.types.is_datetime64_any_dtype(dtype) else None


def _object_day(value: Any) -> int:
    """Give the day of a `datetime` or `jdatetime` object; `NO_DAY` for anything else."""
    # jdatetime's say so themselves, so that a column without any does not have to import it.
    if hasattr(value, "togregorian"):
        value = value.togregorian()
    if not isinstance(value, dt.date) or value is pd.NaT:
        return NO_DAY
    return value.toordinal() - _EPOCH


def _text_days(values: pd.Series, calendar: Calendar) -> Ints:
    """Give the days that texts name."""
    texts = strings(values)
    days = canonical_days(texts, calendar)
    rest = np.flatnonzero(days == NO_DAY)
    if len(rest):
        odd = encoded(texts if len(rest) == len(texts) else texts.take(pa.array(rest)))
        found = np.append(read_distinct(odd.dictionary, calendar, None).days, np.int32(NO_DAY))
        days[rest] = found[odd.indices.fill_null(len(odd.dictionary)).to_numpy()]
    return days


def _within(days: Ints) -> Ints:
    return np.where((days >= FIRST_DAY) & (days <= LAST_DAY), days, np.int32(NO_DAY))


def _array(days: Ints) -> pa.Array:
    none = days == NO_DAY
    return pa.array(days, mask=none if none.any() else None)
