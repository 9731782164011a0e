"""Update stamps: every change of Tehran's clock, fractions, offsets, sentinels, and what cannot be read."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from amoot_etl.transformers.stamps import (
    NO_STAMP,
    STAMP_TYPE,
    _read_odd,
    read_stamps,
    read_update_times,
    stamp_order,
)

TODAY = dt.date(2026, 11, 21)
ZONE = zoneinfo.ZoneInfo("Asia/Tehran")
NAIVE_TIMES = st.datetimes(dt.datetime(1900, 1, 2), dt.datetime(2123, 1, 1))  # noqa: DTZ001 - naive is the point


def told(*texts):
    """Give the stamps as ISO text with the offset, and the rules they broke."""
    stamps = read_stamps(pa.array(texts, pa.string()), today=TODAY)
    rules = [(finding.rule, finding.rows.tolist()) for finding in stamps.findings]
    return [None if time is None else time.isoformat() for time in stamps.updated_at.to_pylist()], rules


def expected(texts):
    """Give what Arrow's own localising makes of naive texts."""
    naive = pc.cast(pa.array(texts), pa.timestamp("us"))
    return pc.assume_timezone(naive, "Asia/Tehran", ambiguous="earliest", nonexistent="latest")


def changes(first, last):
    """Give the days between two years on which Tehran's clock changed, by asking the zone for each day."""
    day, found = dt.datetime(first, 1, 1, tzinfo=dt.UTC), []
    while day.year <= last:
        later = day + dt.timedelta(1)
        if day.astimezone(ZONE).utcoffset() != later.astimezone(ZONE).utcoffset():
            found.append(day.astimezone(ZONE).date())
        day = later
    return found


def test_every_change_of_the_clock_from_1977_to_2022_is_right():
    """Every ten minutes from two days before to two days after each change equal Arrow's slow way."""
    days = changes(1977, 2022)
    # A zone that has lost its history would prove nothing.
    assert len(days) >= 60
    step = np.arange(-2 * 144, 4 * 144) * np.timedelta64(10, "m")
    for day in days:
        texts = np.datetime_as_string(np.datetime64(day.isoformat() + "T00:00:00") + step).tolist()
        stamps = read_stamps(pa.array(texts))
        assert stamps.updated_at.equals(expected(texts))
        assert stamps.updated_date.to_pylist() == [dt.date.fromisoformat(text[:10]) for text in texts]
        assert stamps.findings == []


def test_noon_of_every_day_from_1799_to_2123_is_right():
    """The offset of each day is the time zone database's, before 1935 with its seconds."""
    days = np.arange("1799-03-21", "2123-03-21", dtype="datetime64[D]")
    days = days[days != np.datetime64("1900-01-01")]
    texts = np.datetime_as_string(days.astype("datetime64[s]") + np.timedelta64(12, "h")).tolist()
    assert read_stamps(pa.array(texts)).updated_at.equals(expected(texts))


def test_the_34_days_without_midnight_keep_their_day():
    """Where midnight never came the time is the moment of the change, and the day is the written one."""
    days = []
    for day in (dt.date(1935, 1, 1) + dt.timedelta(n) for n in range(88 * 366)):
        midnight = dt.datetime(day.year, day.month, day.day, tzinfo=ZONE)
        if midnight.astimezone(dt.UTC).astimezone(ZONE).replace(tzinfo=None) != midnight.replace(tzinfo=None):
            days.append(day)
    assert len(days) == 34
    stamps = read_stamps(pa.array([f"{day}T00:00:00" for day in days]))
    assert stamps.updated_date.to_pylist() == days
    assert [time.isoformat()[11:19] for time in stamps.updated_at.to_pylist()] == ["00:04:16"] + [
        "01:00:00"
    ] * 33
    assert stamps.findings == []


def test_an_hour_that_came_twice_is_the_earlier():
    """23:30 on 30 Shahrivar 1401 is summer time's."""
    assert told("2022-09-21T23:30:00") == (["2022-09-21T23:30:00+04:30"], [])


@pytest.mark.parametrize("digits", range(10))
def test_a_fraction_of_any_length_is_cut_to_microseconds(digits):
    """No digit to nine digits: the first six count, the others are not rounded."""
    fraction = "987654999"[:digits]
    text = "2025-10-21T11:03:41" + ("." + fraction if fraction else "")
    [time] = read_stamps(pa.array([text])).updated_at.to_pylist()
    assert time.microsecond == int(fraction[:6].ljust(6, "0"))
    assert told(text)[1] == []


@given(st.lists(NAIVE_TIMES, min_size=1, max_size=20), st.booleans())
def test_what_is_written_comes_back(times, trimmed):
    """Any naive time survives, its fraction trimmed or padded, beside an odd text or not."""
    texts = [time.isoformat(timespec="microseconds") for time in times]
    texts = [text.rstrip("0").rstrip(".") if trimmed else text + "0" for text in texts]
    for odd in ([], ["never"]):
        stamps = read_stamps(pa.array(texts + odd))
        assert stamps.updated_at.slice(0, len(texts)).equals(expected([time.isoformat() for time in times]))
        assert stamps.updated_date.to_pylist()[: len(texts)] == [time.date() for time in times]


def test_offsets_and_z_give_the_instant_and_tehrans_day():
    """A stamp that tells its offset is converted; its day is Tehran's, also behind a long fraction."""
    times, rules = told(
        "2025-10-21T22:00:00Z",
        "2025-10-21T22:00:00.1234567Z",
        "2025-10-21T11:03:41.96+03:30",
        "2025-10-21T22:00:00.123456-05:00",
        "2021-07-01T12:00:00+00:00",
    )
    assert times == [
        "2025-10-22T01:30:00+03:30",
        "2025-10-22T01:30:00.123456+03:30",
        "2025-10-21T11:03:41.960000+03:30",
        "2025-10-22T06:30:00.123456+03:30",
        "2021-07-01T16:30:00+04:30",
    ]
    assert rules == []
    # A Z that stands behind the last digit that counts is seen also when all else is usual.
    assert told("2025-10-21T22:00:00.1234567Z") == ([times[1]], [])
    stamps = read_stamps(pa.array(["2025-10-21T22:00:00Z"]))
    assert stamps.updated_date_jalali.to_pylist() == ["1404/07/30"]


def test_the_second_of_two_like_hours_can_be_told_by_its_offset():
    """With an offset even the hour that came twice is exact."""
    assert told("2022-09-21T23:30:00+03:30", "2022-09-21T20:00:00Z")[0] == ["2022-09-21T23:30:00+03:30"] * 2


def test_other_forms_of_a_time_are_read():
    """A space for the T, a date alone, no seconds, Persian digits, noon by ق.ظ and ب.ظ."""
    times, rules = told(
        "2025-10-21 11:03:41.96", "2025-10-21", "2025-10-21 11:03", "۲۰۲۵-۱۰-۲۱T۱۱:۰۳:۴۱",
        "2025/10/21 01:15:00 ب.ظ", "2025/10/21 12:15:00 ق.ظ", "2025/10/21 11:03:41",
    )  # fmt: skip
    assert [time[11:19] for time in times] == [
        "11:03:41",
        "00:00:00",
        "11:03:00",
        "11:03:41",
        "13:15:00",
        "00:15:00",
        "11:03:41",
    ]
    assert {time[:10] for time in times} == {"2025-10-21"}
    assert rules == []


def test_24_00_is_the_midnight_that_ends_the_day():
    """As in ISO 8601; 24:01 is no time."""
    assert told("2025-10-21T24:00:00", "2025-10-21T24:01:00") == (
        ["2025-10-22T00:00:00+03:30", None],
        [("date_invalid", [1])],
    )


def test_empty_and_sentinels_are_null_without_an_issue():
    """Nulls, blanks, dashes and the three sentinels, whatever their time."""
    texts = (None, "", "  ", "-", "0001-01-01T00:00:00", "1900-01-01T00:00:00", "9999-12-31T23:59:59.9999999")
    texts += ("0000-00-00T00:00:00", "0001-01-01T00:00:00Z", "1900-01-01", "9999-12-31")
    assert told(*texts) == ([None] * len(texts), [])
    assert told(None, None) == ([None, None], [])
    assert told() == ([], [])


def test_what_cannot_be_read_is_told_and_the_rest_is_read():
    """Each odd stamp gets its rule, and spoils no other."""
    texts = [
        "2025-10-21T11:03:41",
        "2025-02-30T00:00:00",
        "1753-01-01T00:00:00",
        "1404-07-29T11:03:41",
        "x",
        "2025-10-21T25:00:00",
    ]
    times, rules = told(*texts, "04/13/29 10:00")
    assert times[0] == times[3] == "2025-10-21T11:03:41+03:30"
    assert times[1] is times[2] is times[4] is times[5] is None
    assert sorted(rules) == [
        ("date_invalid", [1, 4, 5, 6]),
        ("date_out_of_range", [2]),
        ("jalali_in_gregorian_field", [3]),
    ]
    stamps = read_stamps(pa.array(texts), today=TODAY)
    for finding in stamps.findings:
        assert finding.values.to_pylist() == [texts[row] for row in finding.rows]
        assert finding.column == "updated_at"


def test_the_edges_of_the_range_hold():
    """The first and last instants of 1178-1501 AP are read; beyond them, by an offset or 24:00 too, none is."""
    times, rules = told(
        "1799-03-21T00:00:00",
        "2123-03-20T23:59:59.999999",
        "1799-03-20T23:59:59",
        "2123-03-21T00:00:00",
        "2123-03-20T24:00:00",
        "2123-03-20T23:00:00Z",
        "1799-03-21T00:00:00+14:00",
    )
    assert [time is not None for time in times] == [True, True, False, False, False, False, False]
    assert rules == [("date_out_of_range", [2, 3, 4, 5, 6])]


def test_encoded_and_sliced_arrays_are_read_alike():
    """A dictionary, a slice and large strings give what a plain array gives."""
    texts = pa.array(["skip", "2025-10-21T11:03:41.96", None, "x", "2025-10-21T11:03:41.1234567"])
    plain = read_stamps(pa.array(texts.to_pylist()[1:]))
    for array in (texts.slice(1), texts.dictionary_encode().slice(1), texts.slice(1).cast(pa.large_string())):
        stamps = read_stamps(array)
        assert stamps.updated_at.equals(plain.updated_at)
        assert stamps.updated_date.equals(plain.updated_date)
        assert stamps.findings[0].rows.tolist() == [2]


def test_types_are_the_schemas():
    """Instant, day and text have their types also when all is null."""
    for array in (pa.array(["2025-10-21"]), pa.nulls(2, pa.string()), pa.array(["x"])):
        stamps = read_stamps(array)
        assert stamps.updated_at.type == STAMP_TYPE
        assert stamps.updated_date.type == pa.date32()
        assert stamps.updated_date_jalali.type == pa.dictionary(pa.int32(), pa.string())


@given(st.lists(st.one_of(NAIVE_TIMES, st.none()), min_size=1, max_size=20))
def test_keys_sort_as_times(times):
    """Keys order stamps as their times do, and nothing is newer than null is old."""
    keys = stamp_order(pa.array([time and time.isoformat() for time in times], pa.string())).tolist()
    order = [dt.datetime.min if time is None else time for time in times]  # noqa: DTZ901
    assert sorted(range(len(times)), key=keys.__getitem__) == sorted(range(len(times)), key=order.__getitem__)
    assert [key == NO_STAMP for key in keys] == [time is None for time in times]


def test_a_key_reads_what_a_stamp_reads():
    """An offset counts in the order, and what cannot be read is older than all."""
    keys = stamp_order(
        pa.array(["2025-10-21T11:00:00", "2025-10-21T08:00:00Z", "soon", "1900-01-01"])
    ).tolist()
    assert keys[1] > keys[0] > keys[2] == keys[3] == NO_STAMP


def test_the_door_for_pandas_keeps_index_and_name():
    """A Series comes back with its index and name, Arrow-backed, and is left alone."""
    values = pd.Series(["2025-10-21T11:03:41.96", None, 5], index=[3, 1, 2], name="UpdateDateTime")
    before = values.copy()
    read = read_update_times(values)
    assert str(read.dtype) == "timestamp[us, tz=Asia/Tehran][pyarrow]"
    assert (read.index.tolist(), read.name) == ([3, 1, 2], "UpdateDateTime")
    assert read.isna().tolist() == [False, True, True]
    pd.testing.assert_series_equal(values, before)


def test_a_two_digit_year_is_told_by_the_date_of_the_run():
    """With the run's date such a stamp is ambiguous, without it there is nothing to read; also in one process."""
    stamps = pa.array(["21/10/25"])
    for today, rule in (
        (None, "date_invalid"),
        (dt.date(2026, 11, 21), "date_ambiguous"),
        (None, "date_invalid"),
    ):
        assert [finding.rule for finding in read_stamps(stamps, today=today).findings] == [rule]


ZONES = st.one_of(
    st.sampled_from(["", "Z", "z", "+18:00", "+18:01", "-17:59", "+03:75", "+0330", "+03"]),
    st.builds("{}{:02}:{:02}".format, st.sampled_from("+-"), st.integers(0, 19), st.integers(0, 60)),
)
CLOCKS = st.builds(
    "{}{:02}:{:02}{}".format,
    st.sampled_from("T "),
    st.integers(0, 24),
    st.integers(0, 60),
    st.sampled_from(["", ":00", ":59", ":60", ":41.9", ":41.1234567", ":41."]),
)
DAYS = st.one_of(
    st.dates(dt.date(1799, 3, 19), dt.date(1799, 3, 23)).map(str),
    st.dates(dt.date(2123, 3, 18), dt.date(2123, 3, 22)).map(str),
    st.sampled_from(["2025-02-30", "2025-13-01", "0001-01-01", "1900-01-01", "1404-07-29", "2025/10/21"]),
    st.dates().map(str),
)


@example("2025-10-21T10:00:00+18:01")
@example("2025-10-21/10:00:00")
@given(st.builds("{}{}{}".format, DAYS, CLOCKS, ZONES))
def test_a_stamp_reads_the_same_in_any_company(text):
    """The ways for whole arrays give what the careful way gives, whatever stands beside the stamp."""
    alone = _read_odd(text, None)
    for other in (
        None,
        "never",
        "2025-02-30T00:00:00",
        "2025-10-21T11:03:41.1234567",
        "2025-10-21T11:03:41Z",
    ):
        stamps = read_stamps(pa.array([text, other]))
        rules = [(finding.rule, finding.detail) for finding in stamps.findings if finding.rows[0] == 0]
        assert rules == ([alone.trouble] if alone.trouble else [])
        if alone.instant is None:
            assert stamp_order(pa.array([text, other])).tolist()[0] == alone.naive
        else:
            assert stamps.updated_at.view(pa.int64()).to_pylist()[0] == alone.instant
