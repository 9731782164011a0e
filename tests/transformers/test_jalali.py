"""The calendar arithmetic against jdatetime and persiantools, for every day, and the doors for pandas."""

from __future__ import annotations

import datetime as dt

import jdatetime
import numpy as np
import pandas as pd
import persiantools.jdatetime as persian
import pyarrow as pa
import pytest

from amoot_etl.transformers import jalali
from amoot_etl.transformers.jalali import to_gregorian, to_jalali, to_jdatetime

DAYS = np.arange(jalali.FIRST_DAY, jalali.LAST_DAY + 1, dtype=np.int32)
EPOCH = dt.date(1970, 1, 1).toordinal()


@pytest.fixture(scope="module")
def parts():
    """Give each day's year, month and day, as ours."""
    return list(zip(*(part.tolist() for part in jalali.days_to_ymd(DAYS)), strict=True))


def test_the_range_is_1178_to_1501():
    """The first and the last day are those of the years that every authority agrees on."""
    assert jdatetime.date(1178, 1, 1).togregorian().toordinal() - EPOCH == jalali.FIRST_DAY
    assert jdatetime.date(1501, 12, 29).togregorian().toordinal() - EPOCH == jalali.LAST_DAY
    assert len(DAYS) == 118_338


def test_every_day_equals_jdatetime_both_ways(parts):
    """Day to date and date to day are jdatetime's, for all 118,338 days."""
    for day, part in zip(DAYS.tolist(), parts, strict=True):
        date = jdatetime.date.fromgregorian(date=dt.date.fromordinal(day + EPOCH))
        assert (date.year, date.month, date.day) == part
        assert jdatetime.date(*part).togregorian().toordinal() - EPOCH == day


def test_every_day_equals_persiantools_both_ways(parts):
    """Day to date and date to day are persiantools', for all 118,338 days."""
    for day, part in zip(DAYS.tolist(), parts, strict=True):
        date = persian.JalaliDate.to_jalali(dt.date.fromordinal(day + EPOCH))
        assert (date.year, date.month, date.day) == part
        assert persian.JalaliDate(*part).to_gregorian().toordinal() - EPOCH == day


def test_the_way_back_is_the_same_way(parts):
    """`ymd_to_days` undoes `days_to_ymd`, and the texts are the dates."""
    assert (jalali.ymd_to_days(*jalali.days_to_ymd(DAYS)) == DAYS).all()
    assert jalali.days_to_text(DAYS).to_pylist() == [f"{y}/{m:02}/{d:02}" for y, m, d in parts]


def test_validity_equals_jdatetime():
    """A (year, month, day) is a day exactly when jdatetime makes a date of it: month 0-13, day 0-32."""
    years = range(jalali.FIRST_YEAR, jalali.LAST_YEAR + 1)
    # jdatetime refuses a day by comparing it with this table and with isleap: one look a month does for 33 days.
    last = {
        (year, month): jdatetime.j_days_in_month[month - 1]
        + (month == 12 and jdatetime.date(year, 1, 1).isleap())
        for year in years
        for month in range(1, 13)
    }
    for (year, month), day in last.items():
        jdatetime.date(year, month, day)
        with pytest.raises(ValueError, match="day"):
            jdatetime.date(year, month, day + 1)
    grid = (
        np.stack(np.meshgrid(years, range(14), range(33), indexing="ij"), -1).reshape(-1, 3).astype(np.int32)
    )
    ours = jalali.ymd_to_days(*(np.ascontiguousarray(column) for column in grid.T)) != jalali.NO_DAY
    theirs = [1 <= day <= last.get((year, month), 0) for year, month, day in grid.tolist()]
    assert len(theirs) == 149_688
    assert ours.tolist() == theirs


def test_years_outside_are_no_days():
    """1177 and 1502 have no days here, nor have numbers that would overflow."""
    years = np.int32([1177, 1502, 0, -1, 9999, 2**30 + 1178, 2**31 - 1, -(2**31)])
    ones = np.ones(len(years), np.int32)
    assert (jalali.ymd_to_days(years, ones, ones) == jalali.NO_DAY).all()
    assert jalali.days_to_text(np.int32([jalali.FIRST_DAY - 1, jalali.LAST_DAY + 1])).null_count == 2
    with pytest.raises(ValueError, match="outside 1178-1501"):
        jalali.days_to_ymd(np.int32([jalali.LAST_DAY + 1]))


def test_leap_years_are_the_published_ones():
    """The leap years of this century and the last are those of the University of Tehran's table."""
    leap = [year for year in range(1300, 1420) if jalali.is_leap(year)]
    published = (
        "1300 1304 1309 1313 1317 1321 1325 1329 1333 1337 1342 1346 1350 1354 1358 1362 1366 1370 1375"
    )
    published += " 1379 1383 1387 1391 1395 1399 1403 1408 1412 1416"
    assert leap == [int(year) for year in published.split()]
    for year in range(jalali.FIRST_YEAR, jalali.LAST_YEAR + 1):
        assert jalali.is_leap(year) == jdatetime.date(year, 1, 1).isleap() == persian.JalaliDate.is_leap(year)
    with pytest.raises(ValueError, match="1502 is outside"):
        jalali.is_leap(1502)


def test_the_2820_year_rule_would_fail():
    """Birashk's rule puts the leap day a year late three times in 1300-1500, and all of those years are wrong."""

    def birashk_days_before(year):
        # The 2820-year rule in its usual form: years are counted from 474, 682 leap years in 2816.
        in_cycle = (year - 474) % 2820 + 474
        return (in_cycle * 682 - 110) // 2816 + (in_cycle - 1) * 365 + (year - 474) // 2820 * 1_029_983

    years = range(1300, 1501)
    ours = jalali.ymd_to_days(
        np.array(years, np.int32), np.ones(201, np.int32), np.ones(201, np.int32)
    ).tolist()
    shift = ours[0] - birashk_days_before(1300)
    wrong = [year for year, day in zip(years, ours, strict=True) if birashk_days_before(year) + shift != day]
    assert wrong == [1404, 1437, 1470]
    leap = [
        year for year in range(1300, 1500) if birashk_days_before(year + 1) - birashk_days_before(year) == 366
    ]
    assert set(leap) ^ {year for year in range(1300, 1500) if jalali.is_leap(year)} == {
        1403, 1404, 1436, 1437, 1469, 1470,
    }  # fmt: skip


DAY = dt.date(2025, 10, 21)
KINDS = {
    "object text": pd.Series(["2025-10-21", None], dtype=object),
    "str": pd.Series(["2025-10-21", None], dtype="str"),
    "string": pd.Series(["2025-10-21", None], dtype="string"),
    "Arrow string": pd.Series(["2025-10-21", None], dtype=pd.ArrowDtype(pa.string())),
    "Arrow large_string": pd.Series(["2025-10-21", None], dtype=pd.ArrowDtype(pa.large_string())),
    "category": pd.Series(["2025-10-21", None], dtype="category"),
    "integers": pd.Series([20251021, None], dtype="Int64"),
    "floats": pd.Series([14040729.0, None]),
    "Persian text": pd.Series(["۱۴۰۴/۰۷/۲۹", ""]),
    "date32": pd.Series([DAY, None], dtype=pd.ArrowDtype(pa.date32())),
    "date64": pd.Series([DAY, None], dtype=pd.ArrowDtype(pa.date64())),
    "Arrow timestamp": pd.Series(
        [pd.Timestamp("2025-10-21T23:59"), None], dtype=pd.ArrowDtype(pa.timestamp("us"))
    ),
    "datetime64": pd.Series(pd.to_datetime(["2025-10-21T23:59:59", None])),
    "datetime64, Tehran": pd.Series(pd.to_datetime(["2025-10-21T00:30", None])).dt.tz_localize("Asia/Tehran"),
    "dates": pd.Series([DAY, None], dtype=object),
    "datetimes": pd.Series([dt.datetime(2025, 10, 21, 23, 59), pd.NaT], dtype=object),  # noqa: DTZ001
    "jdatetime dates": pd.Series([jdatetime.date(1404, 7, 29), None], dtype=object),
    "jdatetime datetimes": pd.Series([jdatetime.datetime(1404, 7, 29, 23, 59), None], dtype=object),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_series_is_taken(kind):
    """Each function takes each kind, keeps index and name, leaves it alone and gives Arrow-backed values."""
    values = KINDS[kind].set_axis(["a", "b"]).rename("born")
    before = values.copy()
    for change, dtype, expected in (
        (to_jalali, "string[pyarrow]", "1404/07/29"),
        (to_gregorian, "date32[day][pyarrow]", DAY),
        (to_jdatetime, "object", jdatetime.date(1404, 7, 29)),
    ):
        changed = change(values)
        assert (changed.name, changed.index.tolist(), str(changed.dtype)) == ("born", ["a", "b"], dtype)
        assert changed.iloc[0] == expected
        assert pd.isna(changed.iloc[1])
    pd.testing.assert_series_equal(values, before)


def test_objects_of_all_kinds_may_be_mixed():
    """Text, dates and jdatetime's dates in one Series are each read as what they are, whatever their year."""
    values = pd.Series(
        [jdatetime.date(1230, 1, 1), dt.date(1851, 3, 21), "1230/01/01", dt.date(1, 1, 1), 7.5]
    )
    assert to_jalali(to_gregorian(values)).tolist() == ["1230/01/01"] * 3 + [pd.NA] * 2


def test_a_time_before_1970_does_not_move_the_day():
    """The day is rounded down, not towards 1970."""
    values = pd.Series(pd.to_datetime(["1950-01-01T23:59", "1950-01-01T00:00", "1969-12-31T12:00"]))
    assert to_gregorian(values).tolist() == [dt.date(1950, 1, 1), dt.date(1950, 1, 1), dt.date(1969, 12, 31)]


def test_a_zoned_time_counts_on_its_own_clock():
    """23:00 in UTC is that day, and the same instant in Tehran is the next."""
    utc = pd.Series(pd.to_datetime(["2025-10-21T23:00Z"]))
    assert to_jalali(utc).tolist() == ["1404/07/29"]
    assert to_jalali(utc.dt.tz_convert("Asia/Tehran")).tolist() == ["1404/07/30"]


def test_a_year_of_two_digits_is_not_guessed():
    """Without the run's date there is no century, so there is no day."""
    assert to_gregorian(pd.Series(["70/05/12"])).isna().all()


def test_an_empty_series_stays_empty():
    """No rows in, no rows out, of the right type."""
    for change in (to_jalali, to_gregorian, to_jdatetime):
        assert len(change(pd.Series([], dtype=object))) == 0
        assert len(change(pd.Series([], dtype="str"))) == 0
