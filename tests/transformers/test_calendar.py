"""The calendar table against Python's own calendar, jdatetime and ICU, for every one of its days."""

from __future__ import annotations

import datetime as dt
import hashlib

import jdatetime
import pyarrow as pa
import pytest

from amoot_etl.schema import TABLES
from amoot_etl.transformers.calendar import HOLIDAYS, calendar, calendar_table

# Node's answer (ICU 78.2): the SHA-256 of one line a day, made by
#   node -e 'const f = new Intl.DateTimeFormat("fa-u-ca-persian-nu-latn", {timeZone: "UTC", year: "numeric",
#     month: "long", day: "numeric", weekday: "long"}), h = require("crypto").createHash("sha256")
#   for (let t = Date.UTC(1921, 2, 21), y, n; t <= Date.UTC(2122, 2, 20); t += 864e5) {
#     const p = Object.fromEntries(f.formatToParts(t).map((x) => [x.type, x.value]))
#     n = p.year === y ? n + 1 : 1; y = p.year
#     h.update(`${t / 864e5} ${y} ${p.month} ${p.day} ${p.weekday} ${n}\n`) } console.log(h.digest("hex"))'
ICU_DIGEST = "9ee8b4c8cbd26a0404f6b745817e798cbc9fcd0386fa16f0012a2915efbc0347"


@pytest.fixture(scope="module")
def days():
    """Give the columns of the table as lists."""
    return {
        name: column.to_pylist()
        for name, column in zip(TABLES["calendar"].names, calendar_table(), strict=True)
    }


def test_every_column_has_the_declared_type_and_place():
    """Names, order and types are those of the schema, and so is the frame."""
    declared = [
        (column.name, "date32[day]" if column.type == "date32" else column.type)
        for column in TABLES["calendar"].columns
    ]
    assert [(field.name, str(field.type)) for field in calendar_table().schema] == declared
    frame = calendar()
    assert [(name, str(dtype.pyarrow_dtype)) for name, dtype in frame.dtypes.items()] == declared
    assert len(frame) == 73_414
    assert frame["date"].is_unique


def test_only_a_holiday_name_may_be_missing():
    """No other column has a null."""
    nulls = {
        name
        for name, column in zip(calendar_table().column_names, calendar_table(), strict=True)
        if column.null_count
    }
    assert nulls == {"holiday_name"}


def test_days_names_and_day_of_year_equal_icu(days):
    """Date, month's name, weekday's name and day of the year are what ICU says, for all 73,414 days."""
    numbers = calendar_table()["date"].combine_chunks().view(pa.int32()).to_pylist()
    columns = ("jalali_year", "jalali_month_name", "jalali_day", "weekday_name", "jalali_day_of_year")
    lines = zip(numbers, *(days[name] for name in columns), strict=True)
    text = "".join(" ".join(map(str, line)) + "\n" for line in lines)
    assert hashlib.sha256(text.encode()).hexdigest() == ICU_DIGEST


def test_weekday_equals_pythons(days):
    """Saturday is 1 and Friday, the weekend, is 7, as `date.weekday` has them."""
    for date, weekday, weekend in zip(days["date"], days["weekday"], days["is_weekend"], strict=True):
        assert weekday == (date.weekday() + 2) % 7 + 1
        assert weekend == (date.weekday() == 4)


def test_gregorian_parts_are_the_dates(days):
    """`year`, `month` and `day` are the date's, and dates follow each other."""
    assert days["date"][0] == dt.date(1921, 3, 21)
    assert days["date"] == [days["date"][0] + dt.timedelta(n) for n in range(73_414)]
    parts = list(zip(days["year"], days["month"], days["day"], strict=True))
    assert parts == [(date.year, date.month, date.day) for date in days["date"]]


def test_jalali_parts_equal_jdatetime(days):
    """Year, month, day, key, text, quarter, day of the year and leap year agree with jdatetime every day."""
    date, day_of_year = jdatetime.date(1300, 1, 1), 0
    rows = zip(
        *(days[name] for name in TABLES["calendar"].names[1:9] if not name.endswith("_name")), strict=True
    )
    for row, row_in_year, leap in zip(rows, days["jalali_day_of_year"], days["is_leap"], strict=True):
        day_of_year = 1 if (date.month, date.day) == (1, 1) else day_of_year + 1
        text = f"{date.year}/{date.month:02}/{date.day:02}"
        key = int(text.replace("/", ""))
        assert row == (text, key, date.year, date.month, date.day, text[:7], (date.month - 1) // 3 + 1)
        assert (row_in_year, leap) == (day_of_year, date.isleap())
        date += jdatetime.timedelta(1)
    assert (date.year, date.month, date.day) == (1501, 1, 1)


def test_a_week_begins_on_saturday_and_the_first_holds_1_farvardin(days):
    """The week's number rises on Saturdays only, and begins again at 1 on 1 Farvardin."""
    before = None
    for row in zip(days["jalali_week"], days["weekday"], days["jalali_day_of_year"], strict=True):
        week, weekday, day_of_year = row
        if day_of_year == 1:
            assert week == 1
        elif before is not None:
            assert week == before + (weekday == 1)
        before = week


def test_holidays_fall_on_their_days_every_year(days):
    """Eleven days a leap year and ten in others are holidays, each by its name, and no others."""
    rows = zip(
        days["jalali_month"], days["jalali_day"], days["is_holiday"], days["holiday_name"], strict=True
    )
    for month, day, is_holiday, name in rows:
        assert name == HOLIDAYS.get((month, day))
        assert is_holiday == (name is not None)
    assert list(HOLIDAYS) == [
        (1, 1), (1, 2), (1, 3), (1, 4), (1, 12), (1, 13), (3, 14), (3, 15), (11, 22), (12, 29), (12, 30),
    ]  # fmt: skip
    assert sum(days["is_holiday"]) == 201 * 10 + sum(
        leap for leap, n in zip(days["is_leap"], days["jalali_day_of_year"], strict=True) if n == 366
    )


def test_seasons_are_quarters_by_name(days):
    """Each quarter has one season."""
    pairs = set(zip(days["jalali_quarter"], days["jalali_season"], strict=True))
    assert pairs == {(1, "بهار"), (2, "تابستان"), (3, "پاییز"), (4, "زمستان")}


def test_a_changed_frame_leaves_the_next_one_alone():
    """Each call gives a frame of its own."""
    frame = calendar()
    frame.loc[0, "jalali_year"] = 1
    assert calendar()["jalali_year"].iloc[0] == 1300
