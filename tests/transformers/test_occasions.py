"""Birthdays come back by the Jalali calendar, those of 30 Esfand too."""

from __future__ import annotations

import datetime as dt

import jdatetime
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amoot_etl.transformers.occasions import anniversary_in, jalali_month, occasions

DAY = pd.ArrowDtype(pa.date32())
jalali_days = st.dates(dt.date(1921, 3, 21), dt.date(2100, 3, 20))


def plain_return(day: dt.date, year: int) -> dt.date:
    """Say the same as `anniversary_in`, one day at a time, with jdatetime."""
    born = jdatetime.date.fromgregorian(date=day)
    try:
        return born.replace(year=year).togregorian()
    except ValueError:
        return jdatetime.date(year, 12, 29).togregorian()


@given(st.lists(jalali_days | st.none(), max_size=30), st.integers(1300, 1478))
def test_every_date_comes_back_as_jdatetime_has_it(days, year):
    """The day in another year is jdatetime's, 29 Esfand where the year has no 30th."""
    values = pd.Series(days, index=range(7, 7 + len(days)), name="x", dtype=DAY)
    back = anniversary_in(values, year)
    assert back.index.equals(values.index)
    assert (back.name, str(back.dtype)) == ("x", "date32[day][pyarrow]")
    assert [None if pd.isna(day) else day for day in back] == [
        day and plain_return(day, year) for day in days
    ]


@given(jalali_days, st.integers(-30, 30))
def test_months_follow_each_other(day, ahead):
    """A month begins on its first day and ends the day before the next one begins."""
    first, last = jalali_month(day, ahead)
    begins = jdatetime.date.fromgregorian(date=first)
    here = jdatetime.date.fromgregorian(date=day)
    assert begins.day == 1
    assert begins.year * 12 + begins.month == here.year * 12 + here.month + ahead
    assert jalali_month(day, ahead + 1)[0] == last + dt.timedelta(1)
    assert jalali_month(first, 0) == jalali_month(last, 0) == (first, last)


def book(*rows, **more):
    """Give a table of contacts from pairs of ID and birthday."""
    table = {"contact_id": [row[0] for row in rows], "birth_date": [row[1] for row in rows]}
    return pd.DataFrame(table | more)


def test_who_was_born_on_30_esfand_is_not_forgotten():
    """In a common year the birthday is on 29 Esfand, in a leap year on the 30th."""
    contacts = book((1, "1399/12/30"), (2, "1400/12/29"))
    common = occasions(contacts, *jalali_month(jdatetime.date(1404, 12, 1).togregorian()))
    assert common["occasion_date_jalali"].tolist() == ["1404/12/29", "1404/12/29"]
    assert common["occasion_years"].tolist() == [5, 4]
    leap = occasions(contacts, *jalali_month(jdatetime.date(1403, 12, 1).togregorian()))
    assert leap[["contact_id", "occasion_date_jalali"]].to_numpy().tolist() == [
        [2, "1403/12/29"],
        [1, "1403/12/30"],
    ]


def test_a_stretch_over_new_year_counts_both_years():
    """From Esfand into Farvardin everyone is found once, in the order of the days."""
    contacts = book((1, "1370/01/05"), (2, "1370/12/20"), (3, "1370/06/31"))
    found = occasions(contacts, dt.date(2026, 3, 1), dt.date(2026, 4, 1))
    assert found["contact_id"].tolist() == [2, 1]
    assert found["occasion_date_jalali"].tolist() == ["1404/12/20", "1405/01/05"]
    assert found["occasion_years"].tolist() == [34, 35]


def test_a_long_stretch_counts_each_return():
    """Over two years a birthday comes twice."""
    found = occasions(book((1, "1370/05/12")), dt.date(2024, 3, 20), dt.date(2026, 3, 20))
    assert found["occasion_years"].tolist() == [33, 34]


def test_the_day_itself_and_the_future_are_no_return():
    """Nobody has a birthday before the first, or on the day of birth."""
    contacts = book((1, "1404/12/10"), (2, "1405/12/10"), (3, "1403/12/10"))
    found = occasions(contacts, *jalali_month(jdatetime.date(1404, 12, 1).togregorian()))
    assert found[["contact_id", "occasion_years"]].to_numpy().tolist() == [[3, 1]]


def test_the_deleted_and_the_dateless_are_left_out_and_the_table_stays():
    """Only living contacts with a date are found; what was given is not changed."""
    contacts = book((1, "1370/05/12"), (2, "1370/05/12"), (3, None), (4, "1370/05/01"))
    contacts["deleted"] = [False, True, False, None]
    before = contacts.copy()
    found = occasions(contacts, *jalali_month(dt.date(2026, 8, 1)))
    assert found["contact_id"].tolist() == [4, 1]
    assert list(found.columns[:3]) == ["occasion_date", "occasion_date_jalali", "occasion_years"]
    assert [str(dtype) for dtype in found.dtypes[:3]] == [
        "date32[day][pyarrow]",
        "string[pyarrow]",
        "int64[pyarrow]",
    ]
    pd.testing.assert_frame_equal(contacts, before)


def test_nobody_is_an_empty_table():
    """No contacts, or none in the stretch, give no rows and all columns."""
    found = occasions(book(), dt.date(2026, 8, 1), dt.date(2026, 8, 31))
    assert (len(found), found.shape[1]) == (0, 5)


@pytest.mark.parametrize("column", ["anniversary_date", "custom_date_1"])
def test_any_date_of_a_contact_can_come_back(column):
    """The column is the caller's choice; the day is the Jalali one, which Gregorian dates drift around."""
    contacts = pd.DataFrame({"contact_id": [1], column: [dt.date(2020, 9, 1)]})
    found = occasions(contacts, *jalali_month(dt.date(2026, 9, 1)), column=column)
    assert found["occasion_date"].tolist() == [dt.date(2026, 9, 2)]
    assert found["occasion_years"].tolist() == [6]


def test_wrong_days_are_told():
    """A stretch that ends before it begins, and years that no rule is proved for, are errors."""
    with pytest.raises(ValueError, match="before the first"):
        occasions(book(), dt.date(2026, 8, 2), dt.date(2026, 8, 1))
    with pytest.raises(ValueError, match="outside 1178-1501"):
        occasions(book(), dt.date(1700, 8, 2), dt.date(2026, 8, 1))
    with pytest.raises(ValueError, match="1502 is outside"):
        anniversary_in(pd.Series(["1370/05/12"]), 1502)
    with pytest.raises(ValueError, match="outside 1178-1501 AP"):
        jalali_month(dt.date(2123, 3, 1), 1)
