"""Dates as people type them, and pairs of fields made one day: each rule fires, and only where it should."""

from __future__ import annotations

import datetime as dt
import json

import jdatetime
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from amoot_etl.transformers._dateforms import Calendar, Note, State, plain, plain_texts, read_text
from amoot_etl.transformers._datescan import NO_TIME, scan
from amoot_etl.transformers._datetexts import read_distinct
from amoot_etl.transformers.dates import DateFields, read_date_pair, read_date_pairs, read_dates
from amoot_etl.transformers.jalali import FIRST_DAY, LAST_DAY, days_to_text

TODAY = dt.date(2026, 11, 21)  # 1405/08/30
FIELDS = ("BornDate", "BornDatePer")
EPOCH = dt.date(1970, 1, 1).toordinal()
DAY = jdatetime.date(1404, 7, 29).togregorian()
MONTHS = "فروردین اردیبهشت خرداد تیر مرداد شهریور مهر آبان آذر دی بهمن اسفند".split()  # noqa: SIM905
PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
ARABIC = str.maketrans("0123456789یک", "٠١٢٣٤٥٦٧٨٩يك")
WIDE = str.maketrans("0123456789/", "０１２３４５６７８９／")


def pair(gregorian, jalali, *, birth=False):
    """Read one pair; give the Jalali day and the issues as (rule, value)."""
    read = read_date_pair(
        pa.array([gregorian], pa.string()),
        pa.array([jalali], pa.string()),
        column="birth_date",
        today=TODAY,
        birth=birth,
        fields=FIELDS,
    )
    [day] = read.jalali.to_pylist()
    [date] = read.date.to_pylist()
    assert (day is None) == (date is None)
    if date is not None:
        theirs = jdatetime.date.fromgregorian(date=date)
        assert day == f"{theirs.year}/{theirs.month:02}/{theirs.day:02}"
    assert all(finding.column == "birth_date" and finding.rows.tolist() == [0] for finding in read.findings)
    return day, [(finding.rule, finding.values[0].as_py()) for finding in read.findings]


def both(gregorian, jalali):
    """Give the value of an issue that is about both fields."""
    return json.dumps({"BornDate": gregorian, "BornDatePer": jalali}, ensure_ascii=False)


def day_of(text, calendar=Calendar.JALALI, today=TODAY):
    """Give the date that a text names, or its state."""
    reading = read_text(text, calendar, today)
    return reading.state if reading.day is None else dt.date.fromordinal(reading.day + EPOCH)


@pytest.mark.parametrize(
    "text",
    [
        "1404/07/29", "1404-7-29", "1404.07.29", "1404/7/29", "14040729", "29071404", "1404 07 29", "1404_07_29",
        r"1404\07\29", "1404،07،29", "1404–07–29", "۱۴۰۴/۰۷/۲۹", "٢٩ مهر ١٤٠٤", "29 مهر 1404", "29 مهرماه 1404",
        "۲۹ مهر ماه ۱۴۰۴", "29 مهر‌ماه 1404", "1404 مهر 29", "29مهر1404", "29-مهر-1404", "29 مهر ماه سال 1404",
        "29/07/1404", "29-7-1404", "سه‌شنبه 29 مهر 1404", "سه شنبه، ۲۹ مهر ۱۴۰۴", "سه‌شنبه 1404/07/29",
        "روز سه‌شنبه 29 مهر 1404", "سه\u200cشنبه: 29/7/1404", "1404/07/29 14:30", "1404/07/29 14:30:25.123",
        "1404/07/29T00:00:00", "1404/07/29 12:00:00 ق.ظ", "1404/07/29 ساعت 14:30", "14:30 1404/07/29",
        "1404/07/29 - 14:30", "29 مهر 1404 20:30", "\u200f1404/07/29\u200e", "\u202b1404/07/29\u202c",
        "14\u200c04/07/29", "\ufeff1404/07/29 ", "  1404 / 07 / 29  ", "１４０４／０７／２９", "1404/07/29T20:30:00Z",
        "1404/07/29T20:30:00+03:30", "1404/07/29T24:00:00", "29 ﻣﻬﺮ 1404", "29 مِهر 1404",
    ],
)  # fmt: skip
def test_what_people_type_is_read(text):
    """Every way of writing 29 Mehr 1404 is that day, in the Jalali field and in the Gregorian one."""
    assert day_of(text) == DAY
    assert read_text(text, Calendar.JALALI, TODAY).note is Note.NONE
    assert day_of(text, Calendar.GREGORIAN) == DAY
    assert read_text(text, Calendar.GREGORIAN, TODAY).note is Note.MISPLACED


@given(
    day=st.integers(FIRST_DAY, LAST_DAY),
    form=st.sampled_from(
        [
            "{0}/{1:02}/{2:02}",
            "{0}-{1}-{2}",
            "{2}/{1}/{0}",
            "{2:02}.{1:02}.{0}",
            "{0}{1:02}{2:02}",
            "{2:02}{1:02}{0}",
            "{2} {3} {0}",
            "یکشنبه {2} {3}ماه {0}",
            "{0} {3} {2} 10:20",
        ]
    ),
    letters=st.sampled_from([{}, PERSIAN, ARABIC, WIDE]),
    around=st.sampled_from(["", " ", "\u200f", "\u202a"]),
)
def test_every_day_is_read_in_every_form(day, form, letters, around):
    """A day written in any form, with any digits and letters, comes back."""
    date = jdatetime.date.fromgregorian(date=dt.date.fromordinal(day + EPOCH))
    # 14121229 is a day of 1412: as a year that comes last, 1201-1231 cannot be told from a month and a day.
    assume(form != "{2:02}{1:02}{0}" or date.year > 1231)
    text = form.format(date.year, date.month, date.day, MONTHS[date.month - 1]).translate(letters)
    assert day_of(around + text + around) == dt.date.fromordinal(day + EPOCH)
    assert read_distinct(pa.array([around + text]), Calendar.JALALI, TODAY).days.tolist() == [day]


@pytest.mark.parametrize(
    ("name", "month"),
    [
        ("ارديبهشت", 2),
        ("اردی بهشت", 2),
        ("امرداد", 5),
        ("ابان", 8),
        ("آبان", 8),
        ("اذر", 9),
        ("اسپند", 12),
        ("دي", 10),
    ],
)
def test_months_are_known_by_all_their_names(name, month):
    """Arabic letters, no madda, a space inside and the old names are the same month."""
    assert day_of(f"5 {name} 1390") == jdatetime.date(1390, month, 5).togregorian()
    assert day_of(f"5 {name}ماه 1390") == jdatetime.date(1390, month, 5).togregorian()


@pytest.mark.parametrize(
    "text",
    [
        "1404/12/30", "1399/13/01", "1404/07/31", "1404/00/00", "1404/00/05", "1404/07/00", "1404/07",
        "1404", "140407", "7 مهر", "29 مرداب 1404", "abc", "نامشخص", "1404/07/29 25:61", "1404/07/29 10:60", "5/5/5",
        "1404/07/29/1", "1404//07//29", "12:30", "1371-12-30", "370 مهر 1404", "1404/07/29 13:00 ق.ظ", "9" * 500,
        "1404/07/29T10:00:00+99:00",
    ],
)  # fmt: skip
def test_what_names_no_day_is_invalid(text):
    """A day that does not exist, half a date and words are invalid in either field."""
    assert day_of(text) is State.INVALID
    assert day_of(text, Calendar.GREGORIAN) is State.INVALID
    assert pair(None, text) == (None, [("date_invalid", text)])
    assert pair(text, None) == (None, [("date_invalid", text)])


@pytest.mark.parametrize(
    "time", ["T25:00:00", "T10:60:00", "T10:00:60", "T10:00:0x", "T10-00-00", "T10:00:00."]
)
def test_a_time_that_is_none_makes_the_text_invalid(time):
    """Also where the date before it is good: who knows what was meant."""
    text = "2025-10-21" + time
    assert pair(text, None) == (None, [("date_invalid", text)])


def test_a_value_that_json_must_escape_is_told_whole():
    """A backslash parts a date like a slash, and stands escaped in the pair's JSON."""
    text = r"1404\07\25"
    assert pair("2025-10-21", text) == ("1404/07/29", [("date_mismatch", both("2025-10-21", text))])


SENTINELS = [
    "0001-01-01T00:00:00",
    "0001-01-01",
    "1900-01-01",
    "1900-01-01T00:00:00",
    "9999-12-31",
    "9999-12-31T23:59:59.9999999",
    "0000/00/00",
    "0000-00-00",
    "0000-00-00T00:00:00",
    "",
    " ",
    "-",
    "--",
    "____/__/__",
    "__",
    "_",
    "۰۰۰۰/۰۰/۰۰",
    "\u200f",
    "01/01/0001",
    "1900/1/1",
    "9378/10/13",
    "—",
    " - ",
]


@pytest.mark.parametrize("text", SENTINELS)
def test_sentinels_and_blanks_are_null_without_an_issue(text):
    """What stands for "no date" is null in either field and no issue, and the twin is read."""
    assert pair(text, None) == pair(None, text) == pair(text, text) == (None, [])
    assert pair(text, "1404/07/29") == pair("2025-10-21", text) == ("1404/07/29", [])


def test_the_sentinel_1900_takes_its_twin_with_it():
    """1278/10/11 is 1900-01-01: beside the sentinel it says the same, alone it is a date."""
    assert pair("1900-01-01T00:00:00", "1278/10/11") == (None, [])
    assert pair(None, "1278/10/11") == ("1278/10/11", [])


@pytest.mark.parametrize(
    "text", ["0200-01-01", "1799-03-20", "2123-03-21", "1753-01-01T00:00:00", "2200-05-05", "1502-01-01"]
)
def test_a_gregorian_day_outside_the_range_is_told(text):
    """Before 1178 and after 1501 AP there is no date, and the twin is read."""
    assert pair(text, None) == (None, [("date_out_of_range", text)])
    assert pair(text, "1404/07/29") == ("1404/07/29", [("date_out_of_range", text)])


@pytest.mark.parametrize(
    "text", ["1177/12/29", "1502/01/01", "0900/05/05", "1850/01/01", "2101/01/01", "1177/12/30"]
)
def test_a_jalali_day_outside_the_range_is_told(text):
    """A year that is neither Jalali nor surely Gregorian is out of range, and the twin is read."""
    assert pair(None, text) == (None, [("date_out_of_range", text)])
    assert pair("2025-10-21", text) == ("1404/07/29", [("date_out_of_range", text)])


def test_the_edges_of_the_range_are_dates():
    """The first and the last day are read in both fields."""
    assert pair("1799-03-21T00:00:00", "1178/01/01") == ("1178/01/01", [])
    assert pair("2123-03-20T00:00:00", "1501/12/29") == ("1501/12/29", [])


SAME, OTHER = ("2025-10-21T00:00:00", "1404/07/29"), "1404/05/05"


@pytest.mark.parametrize(
    ("gregorian", "jalali", "day", "issues"),
    [
        (*SAME, "1404/07/29", []),
        (SAME[0], None, "1404/07/29", []),
        (None, SAME[1], "1404/07/29", []),
        (None, None, None, []),
        # two days
        (SAME[0], OTHER, "1404/07/29", [("date_mismatch", both(SAME[0], OTHER))]),
        (SAME[0], 'a "1404"', "1404/07/29", [("date_invalid", 'a "1404"')]),
        # one cannot be read
        ("2025-02-30", SAME[1], "1404/07/29", [("date_invalid", "2025-02-30")]),
        (SAME[0], "1404/13/01", "1404/07/29", [("date_invalid", "1404/13/01")]),
        ("x", "y", None, [("date_invalid", "x"), ("date_invalid", "y")]),
        ("x", "1502/01/01", None, [("date_invalid", "x"), ("date_out_of_range", "1502/01/01")]),
        ("x", "", None, [("date_invalid", "x")]),
        ("0001-01-01", "y", None, [("date_invalid", "y")]),
        # the other calendar
        ("1404-07-29T00:00:00", None, "1404/07/29", [("jalali_in_gregorian_field", "1404-07-29T00:00:00")]),
        (
            "1404-07-29T00:00:00",
            SAME[1],
            "1404/07/29",
            [("jalali_in_gregorian_field", "1404-07-29T00:00:00")],
        ),
        (None, "2025/10/21", "1404/07/29", [("gregorian_in_jalali_field", "2025/10/21")]),
        (SAME[0], "2025/10/21", "1404/07/29", [("gregorian_in_jalali_field", "2025/10/21")]),
        (
            SAME[0],
            "2025/10/25",
            "1404/07/29",
            [("date_mismatch", both(SAME[0], "2025/10/25")), ("gregorian_in_jalali_field", "2025/10/25")],
        ),
        (
            "1404-07-29",
            "1404/07/25",
            "1404/07/29",
            [
                ("date_mismatch", both("1404-07-29", "1404/07/25")),
                ("jalali_in_gregorian_field", "1404-07-29"),
            ],
        ),
        ("1404-07-31", None, None, [("date_invalid", "1404-07-31")]),
        # guesses
        (None, "70/05/13", "1370/05/13", [("date_ambiguous", "70/05/13")]),
        ("1991-08-04", "70/05/13", "1370/05/13", [("date_ambiguous", "70/05/13")]),
        (
            "1991-08-05",
            "70/05/13",
            "1370/05/14",
            [("date_mismatch", both("1991-08-05", "70/05/13")), ("date_ambiguous", "70/05/13")],
        ),
        (
            "1991-08-03T19:30:00Z",
            "70/05/13",
            "1370/05/13",
            [("date_shifted", both("1991-08-03T19:30:00Z", "70/05/13")), ("date_ambiguous", "70/05/13")],
        ),
        ("91-08-31", "1370/05/13", "1370/05/13", [("date_ambiguous", "91-08-31")]),
        (None, "10/11/12", None, [("date_ambiguous", "10/11/12")]),
        ("2025-10-21", "10/11/12", "1404/07/29", [("date_ambiguous", "10/11/12")]),
        ("x", "70/05/31", "1370/05/31", [("date_invalid", "x"), ("date_ambiguous", "70/05/31")]),
    ],
)
def test_every_row_of_the_table_holds(gregorian, jalali, day, issues):
    """Each combination of two fields gives the day and the issues that the module's table says."""
    assert pair(gregorian, jalali) == (day, issues)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("70/05/31", (1370, 5, 31)), ("31/05/70", (1370, 5, 31)), ("05/08/30", None), ("99/12/30", (1399, 12, 30)),
        ("04/07/29", None), ("05/05/05", (1405, 5, 5)), ("06/06/60", (1360, 6, 6)), ("5/5/85", (1385, 5, 5)),
        ("85/5/5", (1385, 5, 5)), ("06/05/06", (1306, 5, 6)), ("29 مهر 60", (1360, 7, 29)), ("29 مهر 04", None),
        ("31 مهر 60", "invalid"), ("98/12/30", "invalid"),
    ],
)  # fmt: skip
def test_a_year_of_two_digits_is_read_when_one_order_is_a_date(text, expected):
    """The century comes from the run's date; where both orders are dates that differ there is no day."""
    if expected == "invalid":
        assert pair(None, text) == (None, [("date_invalid", text)])
        return
    day = None if expected is None else "{}/{:02}/{:02}".format(*expected)
    assert pair(None, text) == (day, [("date_ambiguous", text)])


def test_the_century_turns_with_the_run():
    """In 1405 the year 05 is 1405 and 06 is 1306; a day before 1405 began, 05 was 1305."""
    assert day_of("1/6/05") == jdatetime.date(1405, 6, 1).togregorian()
    assert day_of("1/6/06") == jdatetime.date(1306, 6, 1).togregorian()
    assert day_of("1/6/05", today=dt.date(2026, 3, 20)) == jdatetime.date(1305, 6, 1).togregorian()
    assert day_of("1/6/05", today=dt.date(2026, 3, 21)) == jdatetime.date(1405, 6, 1).togregorian()
    assert day_of("85-05-31", Calendar.GREGORIAN) == dt.date(1985, 5, 31)
    assert day_of("1/5/26", Calendar.GREGORIAN) == dt.date(2026, 5, 1)
    assert day_of("1/5/27", Calendar.GREGORIAN) == dt.date(1927, 5, 1)
    assert day_of("70/05/31", today=None) is State.INVALID


def test_a_gregorian_year_that_comes_last_may_be_either_way_round():
    """21/10/2025 and 10/21/2025 are one day, 10/11/2025 may be two, 10/10/2025 is one."""
    assert day_of("21/10/2025", Calendar.GREGORIAN) == day_of("10/21/2025", Calendar.GREGORIAN) == DAY
    assert day_of("10/11/2025", Calendar.GREGORIAN) is State.AMBIGUOUS
    assert day_of("10/10/2025", Calendar.GREGORIAN) == dt.date(2025, 10, 10)
    assert pair("10/11/2025", "1404/07/18") == ("1404/07/18", [("date_ambiguous", "10/11/2025")])


def test_the_silent_trap_of_other_libraries_is_none_here():
    """A Gregorian date in the Jalali field is read as that, not as a day in the year 2647."""
    assert day_of("2025/10/21") == DAY


@pytest.mark.parametrize("year", [1404, 1437, 1470])
def test_the_2820_year_rule_is_named(year):
    """A twin one day late in 1404, 1437 or 1470 is told for what it is; one day early or another year is not."""

    def detail(gregorian, jalali):
        frame = read_dates(pd.Series([str(gregorian)]), pd.Series([jalali]), today=TODAY)
        assert frame["issue"].tolist() == ["date_mismatch"]
        return frame["detail"].iloc[0]

    date = jdatetime.date(year, 5, 12).togregorian()
    assert "2820-year rule" in detail(date, f"{year}/05/13")
    assert "2820-year rule" not in detail(date, f"{year}/05/14")
    assert "2820-year rule" not in detail(date, f"{year}/05/11")
    assert "2820-year rule" not in detail(jdatetime.date(year - 2, 5, 12).togregorian(), f"{year - 2}/05/13")
    # What such software makes of the first and the last day of the year.
    assert "2820-year rule" in detail(jdatetime.date(year - 1, 12, 30).togregorian(), f"{year}/01/01")
    last = read_dates(
        pd.Series([str(jdatetime.date(year, 12, 29).togregorian())]),
        pd.Series([f"{year}/12/30"]),
        today=TODAY,
    )
    assert last["jalali"].tolist() == [f"{year}/12/29"]
    assert last["issue"].tolist() == ["date_invalid"]
    assert "2820-year rule" in last["detail"].iloc[0]


@pytest.mark.parametrize(
    ("gregorian", "jalali", "shifted"),
    [
        ("1991-01-10T20:30:00", "1369/10/21", True),
        ("1991-01-10T20:30:00Z", "1369/10/21", True),
        ("1991-01-10T20:30:00.000Z", "1369/10/21", True),
        ("1991-01-10T20:30:00.0000000", "1369/10/21", True),
        ("1991-01-10 20:30:00+00:00", "1369/10/21", True),
        ("1991-08-02T19:30:00", "1370/05/12", True),
        ("1991-08-02T20:30:00", "1370/05/12", False),
        ("1991-01-10T19:30:00", "1369/10/21", False),
        ("2022-03-21T20:30:00Z", "1401/01/02", True),
        ("1930-05-05T20:30:00Z", "1309/02/16", True),
        ("1930-05-05T20:34:16Z", "1309/02/16", True),
        ("1991-01-10T20:30:00.5Z", "1369/10/21", False),
        ("1991-01-10T20:30:00+03:30", "1369/10/21", False),
        ("1991-01-10T20:30:01Z", "1369/10/21", False),
        ("1991-01-10T00:00:00", "1369/10/21", False),
        ("1991-01-10T20:30:00", "1369/10/22", False),
        ("1991-01-10T20:30:00", "1369/10/19", False),
    ],
)
def test_a_midnight_told_in_utc_is_the_twins_day(gregorian, jalali, shifted):
    """Tehran's midnight of the twin's day, in UTC as it was that night, gives way; any other time does not."""
    day, issues = pair(gregorian, jalali)
    assert issues == [("date_shifted" if shifted else "date_mismatch", both(gregorian, jalali))]
    assert (day == jalali) == shifted


def test_a_midnight_told_in_utc_counts_as_written_without_a_twin():
    """Without a twin one day later the date part is the day."""
    assert pair("1991-01-10T20:30:00Z", None) == ("1369/10/20", [])
    assert pair("1991-01-10T20:30:00Z", "1369/10/20") == ("1369/10/20", [])


def test_days_without_a_midnight_survive():
    """Birthdays on the days that Tehran's clock skipped midnight keep their day, with a time, an offset or neither."""
    days = np.arange("1935-01-01", "2023-01-01", dtype="datetime64[D]")
    midnights = pa.array(days.astype("datetime64[us]"))
    local = pc.assume_timezone(midnights, "Asia/Tehran", ambiguous="earliest", nonexistent="latest")
    gone = (
        pc.filter(midnights, pc.not_equal(pc.local_timestamp(local), midnights)).cast(pa.date32()).to_pylist()
    )
    assert len(gone) == 34
    for ending in ("", "T00:00:00", "T00:00:00Z", "T00:00:00+03:30", "T00:30:00.123"):
        texts = pa.array([day.isoformat() + ending for day in gone])
        read = read_date_pair(texts, pa.nulls(len(gone), pa.string()), column="birth_date", today=TODAY)
        assert read.date.to_pylist() == gone
        assert read.findings == []


def test_a_birth_in_the_future_is_told_and_kept():
    """After the run's date it is an issue of births alone, told by the field that the day came from."""
    assert pair("2026-11-21", None, birth=True) == ("1405/08/30", [])
    assert pair("2026-11-22", None, birth=True) == ("1405/09/01", [("date_in_future", "2026-11-22")])
    assert pair(None, "1405/09/01", birth=True) == ("1405/09/01", [("date_in_future", "1405/09/01")])
    assert pair("2026-11-22", "1405/09/01", birth=False) == ("1405/09/01", [])
    day, issues = pair("2027-01-10", "1405/10/21", birth=True)
    assert (day, [rule for rule, _ in issues]) == ("1405/10/20", ["date_mismatch", "date_in_future"])


POOL = [
    None, "", "-", "0001-01-01T00:00:00", "1900-01-01", "2025-10-21T00:00:00", "2025-10-20T20:30:00Z", "1404/07/29",
    "1404/07/30", "1404-07-29T00:00:00", "2025/10/21", "۱۴۰۴/۰۷/۲۹", "29 مهر 1404", "1404/12/30", "x", "70/05/31",
    "10/11/12", "1600/01/01", "2200-01-01", "1278/10/11", "04/07/30", "2050-01-01", "10/11/2025", 'q"\\\n',
]  # fmt: skip
OWN_RULES = {
    "date_invalid",
    "date_out_of_range",
    "date_ambiguous",
    "jalali_in_gregorian_field",
    "gregorian_in_jalali_field",
}


def test_nothing_is_lost_and_nothing_is_told_twice_in_any_combination():
    """For all pairs of a pool of texts: both columns agree, what is unread is told, and told once."""
    gregorian = [first for first in POOL for _ in POOL]
    jalali = [second for _ in POOL for second in POOL]
    together = read_date_pair(
        pa.array(gregorian, pa.string()), pa.array(jalali, pa.string()),
        column="birth_date", today=TODAY, birth=True, fields=FIELDS,
    )  # fmt: skip
    issues = [[] for _ in gregorian]
    for finding in together.findings:
        assert finding.rows.tolist() == sorted(set(finding.rows.tolist()))
        for row, value in zip(finding.rows.tolist(), finding.values.to_pylist(), strict=True):
            issues[row].append((finding.rule, value))
    for row, (first, second) in enumerate(zip(gregorian, jalali, strict=True)):
        if row % 7 == 0:
            # One row alone is read as it is among others.
            assert pair(first, second, birth=True) == (together.jalali[row].as_py(), issues[row])
        pairs = [value for rule, value in issues[row] if rule in {"date_mismatch", "date_shifted"}]
        own = [value for rule, value in issues[row] if rule in OWN_RULES]
        assert len(pairs) <= 1
        assert all(value == both(first, second) for value in pairs)
        assert not (pairs and {"date_invalid", "date_out_of_range"} & {rule for rule, _ in issues[row]})
        assert (
            len(own) == len({rule for rule, _ in issues[row]} & OWN_RULES) or first == second or len(own) == 2
        )
        states = [
            read_text(text or "", calendar, TODAY).state
            for text, calendar in ((first, Calendar.GREGORIAN), (second, Calendar.JALALI))
        ]
        unread = [text for text, state in zip((first, second), states, strict=True) if state > State.DAY]
        assert all(own.count(text) >= unread.count(text) for text in unread)
        assert (together.jalali[row].as_py() is not None) == (State.DAY in states) or first == "1900-01-01"


@given(
    st.lists(
        st.tuples(st.one_of(st.none(), st.text(max_size=40)), st.one_of(st.none(), st.text(max_size=40)))
    )
)
def test_no_text_breaks_the_reader(rows):
    """Any text at all is read or told, and comes back in the issue as it was."""
    rows = [
        [None if text is None else text.encode(errors="replace").decode() for text in row] for row in rows
    ]
    first, second = (pa.array([row[side] for row in rows], pa.string()) for side in (0, 1))
    read = read_date_pair(first, second, column="birth_date", today=TODAY, fields=FIELDS)
    assert len(read.date) == len(read.jalali) == len(rows)
    for finding in read.findings:
        if finding.rule in OWN_RULES:
            for row, value in zip(finding.rows.tolist(), finding.values.to_pylist(), strict=True):
                assert value in rows[row]


@given(
    st.text(alphabet="0123456789/-T:. Z+۱مهر", max_size=29)
    | st.from_regex(r"[12]\d{3}-[01]\d-[0-3]\d(T\d\d:\d\d:\d\d(\.\d{0,9})?)?", fullmatch=True)
    | st.from_regex(r"(1[2345]|19|20)\d\d[-/.]1?\d[-/][123]?\d", fullmatch=True)
    | st.from_regex(rf"[123]?\d ({'|'.join(MONTHS)}|مهر ماه|مه) (1[2345]|20)?\d\d", fullmatch=True)
    | st.from_regex(r"[0-3]\d/[01]\d/(1[34]|19|20)\d\d", fullmatch=True),
    st.sampled_from(Calendar),
)
@example("5 مهر 2020", Calendar.GREGORIAN)
@example("5 مهر 1404", Calendar.GREGORIAN)
@example("1900-1-1", Calendar.JALALI)
@example("1890-5-6", Calendar.JALALI)
@example("1190/5/6", Calendar.GREGORIAN)
@example("07/08/1190", Calendar.GREGORIAN)
def test_the_fast_way_and_the_careful_way_agree(text, calendar):
    """What is read from the bytes is what the parser makes of the same text: day, state and note."""
    slow = read_text(text, calendar, TODAY)
    for count in (1, 64):  # one by one, and as whole arrays
        fast = read_distinct(pa.array([text] * count), calendar, TODAY)
        assert set(fast.states.tolist()) == {slow.state}
        if slow.day is not None:
            assert (set(fast.days.tolist()), set(fast.notes.tolist())) == ({slow.day}, {slow.note})


@given(st.lists(st.text(alphabet="0۱２٣ ي/ـ،\u200f\x00eΣﷲ²\u0301é\n") | st.text(), max_size=5))
def test_texts_made_plain_together_are_what_each_is_alone(texts):
    """Folding many texts as one changes none of them otherwise, whatever stands at their edges."""
    assert plain_texts(texts) == [plain(text) for text in texts]


def test_all_days_are_read_both_ways_from_the_bytes():
    """For all 118,338 days the portal's own forms agree, with no issue."""
    days = np.arange(FIRST_DAY, LAST_DAY + 1, dtype=np.int32)
    texts = np.datetime_as_string(days.astype("datetime64[D]").astype("datetime64[s]"))
    read = read_date_pair(pa.array(texts.tolist()), days_to_text(days), column="birth_date", today=TODAY)
    expected = pa.array(days, mask=days == (dt.date(1900, 1, 1).toordinal() - EPOCH)).view(pa.date32())
    assert read.date.equals(expected)
    assert read.findings == []


@st.composite
def nearly_canonical(draw):
    """Give two fields as the portal writes them, one of them perhaps spoilt."""
    day = dt.date.fromordinal(draw(st.integers(FIRST_DAY, LAST_DAY)) + EPOCH)
    twin = jdatetime.date.fromgregorian(date=day + dt.timedelta(draw(st.sampled_from([0, 0, 0, -1, 1]))))
    fields = [
        draw(
            st.sampled_from([f"{day}T00:00:00", None, "", "1900-01-01T00:00:00", f"{day}T20:30:00", f"{day}"])
        ),
        draw(st.sampled_from([f"{twin.year:04}/{twin.month:02}/{twin.day:02}", None, "", "1278/10/11"])),
    ]
    spoilt = draw(st.integers(0, 5))
    if spoilt < 2 and fields[spoilt]:
        at = draw(st.integers(0, len(fields[spoilt]) - 1))
        byte = draw(st.sampled_from("0139/-T: x"))
        fields[spoilt] = fields[spoilt][:at] + byte + fields[spoilt][at + 1 :]
    return fields


def told_by(read):
    """Give all that was found in a pair: rule, row, value and detail."""
    return sorted(
        (
            finding.rule,
            row,
            finding.values[place].as_py(),
            finding.detail if isinstance(finding.detail, str) else finding.detail[place].as_py(),
        )
        for finding in read.findings
        for place, row in enumerate(finding.rows.tolist())
    )


@given(st.lists(nearly_canonical(), max_size=12), st.booleans(), st.integers(0, 3))
def test_the_quick_way_and_the_careful_way_agree_on_a_column(rows, birth, cut):
    """What is read two digits at a time is what reading each distinct text gives, findings and all."""
    plain = [pa.array([row[side] for row in rows], pa.string()).slice(cut) for side in (0, 1)]
    quick, careful = (
        read_date_pair(*arrays, column="birth_date", today=TODAY, birth=birth)
        for arrays in (plain, [array.dictionary_encode() for array in plain])
    )
    assert quick.date.to_pylist() == careful.date.to_pylist()
    assert quick.jalali.to_pylist() == careful.jalali.to_pylist()
    assert told_by(quick) == told_by(careful)


@given(st.lists(st.lists(nearly_canonical(), min_size=4, max_size=4), min_size=1, max_size=4), st.booleans())
def test_dates_read_together_are_what_each_is_alone(columns, encoded):
    """Several dates of one chunk, each with its own names, give the columns and findings of each by itself."""
    pairs = []
    for number, rows in enumerate(columns):
        sides = [pa.array([row[side] for row in rows], pa.string()) for side in (0, 1)]
        if encoded and number:
            sides = [side.dictionary_encode() for side in sides]
        names = (f"Date{number}", f"Date{number}Per")
        pairs.append(DateFields(*sides, f"date_{number}", names, birth=number == 1))
    for pair, read in zip(pairs, read_date_pairs(pairs, today=TODAY), strict=True):
        alone = read_date_pair(
            pair.gregorian, pair.jalali, column=pair.column, today=TODAY, birth=pair.birth, fields=pair.fields
        )
        assert read.date.equals(alone.date)
        assert read.jalali.to_pylist() == alone.jalali.to_pylist()
        assert told_by(read) == told_by(alone)
        assert all(finding.column == pair.column and len(finding.rows) for finding in read.findings)


def test_encoded_sliced_and_null_arrays_are_read_alike():
    """A dictionary, a slice, large strings and an all-null side give what plain arrays give."""
    texts = pa.array(["skip", "2025-10-21T00:00:00", None, "x", "2025-10-21"])
    nulls = pa.nulls(4, pa.string())
    for array in (texts.slice(1), texts.dictionary_encode().slice(1), texts.slice(1).cast(pa.large_string())):
        read = read_date_pair(array, nulls, column="c", today=TODAY)
        assert read.date.to_pylist() == [DAY, None, None, DAY]
        assert [(finding.rule, finding.rows.tolist()) for finding in read.findings] == [("date_invalid", [2])]
    for side in (nulls, pa.nulls(4), nulls.dictionary_encode()):
        read = read_date_pair(side, nulls, column="c", today=TODAY)
        assert (read.date.type, read.jalali.type) == (pa.date32(), pa.dictionary(pa.int32(), pa.string()))
        assert read.date.null_count == read.jalali.null_count == 4


def test_the_door_for_pandas_tells_each_row():
    """Columns, index, rules joined, and inputs left alone; jdatetime objects are dates too."""
    gregorian = pd.Series(["2025-10-21", "2025-02-30", None], index=[5, 6, 7], name="BornDate")
    jalali = pd.Series(["1404/07/29", "x", jdatetime.date(1404, 7, 29)], index=[5, 6, 7], dtype=object)
    before = gregorian.copy(), jalali.copy()
    frame = read_dates(gregorian, jalali, today=TODAY, birth=True)
    assert frame.columns.tolist() == ["date", "jalali", "issue", "detail"]
    assert frame.index.tolist() == [5, 6, 7]
    assert frame["date"].tolist() == [DAY, pd.NA, DAY]
    assert frame["issue"].tolist() == [pd.NA, "date_invalid | date_invalid", pd.NA]
    assert [str(dtype) for dtype in frame.dtypes] == ["date32[day][pyarrow]"] + ["string[pyarrow]"] * 3
    pd.testing.assert_series_equal(gregorian, before[0])
    pd.testing.assert_series_equal(jalali, before[1])
    with pytest.raises(ValueError, match="different indexes"):
        read_dates(gregorian, jalali.reset_index(drop=True), today=TODAY)
    with pytest.raises(ValueError, match="at least one"):
        read_dates(None, None, today=TODAY)


@pytest.mark.parametrize(
    "gregorian",
    [
        "1990-01-05-20:30:00+03:30",
        "1990-01-05/20:30:00-05:00",
        "1990/01/05-20:30:00.7",
        "1990-01-05T20:30:00+03:30",
    ],
)
def test_only_a_whole_time_in_utc_shifts_a_day(gregorian):
    """Half past eight is Tehran's midnight in UTC; told in another zone, or in an odd way, it is not."""
    read = read_dates(pd.Series([gregorian]), pd.Series(["1368/10/16"]), today=TODAY)
    assert (read.date[0], read.issue[0]) == (dt.date(1990, 1, 5), "date_mismatch")
    assert scan(pa.array([gregorian]), Calendar.GREGORIAN)[1].tolist() == [NO_TIME]


def test_a_date_does_not_hang_on_its_neighbour():
    """The bytes behind a short text are the next one's."""
    pair = pd.Series(["1990.01.05 ", "20:30:00"]), pd.Series(["1368/10/16", None])
    assert read_dates(*pair, today=TODAY).date[0] == dt.date(1990, 1, 5)
