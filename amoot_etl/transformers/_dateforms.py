"""Dates as people type them, one text at a time.

Nothing here is fast, and nothing needs to be: the common forms never come this way (`_datescan` and `_datetexts`
read whole arrays of them), and of the rest each distinct text comes once a chunk.

What is read, in either set of Persian digits, in full-width or in ASCII ones, with the letters of either
keyboard, with bidi marks and joiners wherever they got in:

- year first or year last, apart by a slash, dash, dot, comma or spaces: `1404/7/9`, `29.07.1404`
- eight digits: `14040729`, and `29071404` where year first makes no date (it does for 1201-1212 alone)
- a month by name, with or without ماه: `29 مهر 1404`, `1404 مهرماه 29`; a day of the week before it
- a time before or after it, with or without an offset: only its form is checked, the day is the written one
- two digits for the year: the century comes from the run's date (00 to this year's are of this century), the
  order is tried both ways, and where both are real dates that differ no day is read

A year tells the calendar: 1178-1501 is Jalali and 1799-2123 Gregorian. In the other calendar's field the span
is narrower (1200-1500 and 1900-2100): what is outside is not believed to be a mix-up, it is out of range.
Day and month of a Gregorian year that comes last may stand either way round (29/07/1990, 07/29/1990): where
both are real dates that differ no day is read, as with two digits.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
import re
import unicodedata
from typing import TYPE_CHECKING, Final, NamedTuple

from amoot_etl.transformers._days import FIRST_YEAR, LAST_YEAR, gregorian_months, jalali_months

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "LEAP_BY_2820",
    "MONTHS",
    "SENTINEL_DAY",
    "Calendar",
    "Note",
    "Reading",
    "State",
    "Time",
    "plain",
    "plain_texts",
    "read_text",
    "split_time",
]

SENTINEL_DAY: Final = -25567
"""1900-01-01, which stands for "no date" in many programs."""
_SENTINELS: Final = frozenset({(1, 1, 1), (1900, 1, 1), (9999, 12, 31), (9378, 10, 13)})
"""No date: the smallest and the largest that .NET knows, the latter in both calendars, and 1900-01-01."""


LEAP_BY_2820: Final = (1404, 1437, 1470)
"""Common years that the 2820-year rule calls leap: software with it is a day late in all of each."""


class Calendar(enum.Enum):
    """The calendar that a field is meant for."""

    GREGORIAN = "Gregorian"
    JALALI = "Jalali"


class State(enum.IntEnum):
    """What became of one text."""

    EMPTY = 0
    """Nothing was said: blank, or a sentinel."""
    DAY = 1
    """It names a day."""
    INVALID = 2
    """It cannot be read, or names a day that does not exist."""
    OUTSIDE = 3
    """It names a day outside 1178-1501 AP."""
    AMBIGUOUS = 4
    """It may name either of two days."""


class Note(enum.IntFlag):
    """What is remarkable about a text that was read."""

    NONE = 0
    MISPLACED = 1
    """It is a date of the other calendar."""
    TWO_DIGIT = 2
    """Its year has two digits: the century is a guess."""
    SENTINEL = 4
    """It is 1900-01-01, "no date"; a twin that names that very day says the same."""
    RULE_2820 = 8
    """It is a 30 Esfand that only the 2820-year rule knows."""


class Time(NamedTuple):
    """The time part of a text."""

    micros: int
    """Microseconds since midnight; 24:00 is a whole day."""
    offset: int | None
    """Minutes east of Greenwich, or None when the text does not say."""


class Reading(NamedTuple):
    """One text, read."""

    state: State
    day: int | None = None
    """Days since 1970-01-01, when `state` is `DAY`."""
    note: Note = Note.NONE
    time: Time | None = None


# NFKC does the full-width digits and the presentation forms; this does the rest.
_FOLD: Final = {
    **{ord(c): str(n) for n, c in enumerate("۰۱۲۳۴۵۶۷۸۹")},
    **{ord(c): str(n) for n, c in enumerate("٠١٢٣٤٥٦٧٨٩")},
    **dict.fromkeys(map(ord, "يىئ"), "ی"),
    **dict.fromkeys(map(ord, "كڪ"), "ک"),
    **dict.fromkeys(map(ord, "آأإٱ"), "ا"),
    **dict.fromkeys(map(ord, "،,؍٫\\–—‒‐‑−÷"), "/"),
    **dict.fromkeys(map(ord, "ـ¬\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"), None),
    **dict.fromkeys(range(0x202A, 0x202F), None),
    **dict.fromkeys(range(0x2066, 0x206A), None),
    **dict.fromkeys(range(0x064B, 0x0660), None),
}

MONTHS: Final = {
    "فروردین": 1,
    "اردیبهشت": 2,
    "خرداد": 3,
    "تیر": 4,
    "مرداد": 5,
    "امرداد": 5,
    "شهریور": 6,
    "مهر": 7,
    "ابان": 8,
    "اذر": 9,
    "دی": 10,
    "بهمن": 11,
    "اسفند": 12,
    "اسپند": 12,
}
"""Names of the months as `plain` writes them."""
_EDGE: Final = "\x00"
"""Stands between texts that are made plain as one; nothing joins with it, and no date has one."""
_LONGEST: Final = 100
"""Characters; no date is longer, and a regular expression should not see an address or worse."""

_EMPTY = re.compile(r"[\s0_\-./]*(?:t?[0:.]+z?)?")
_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[./](?P<fraction>\d+))?)?"
    r"(?:\s*(?P<half>am|pm|ق\.?ظ\.?|ب\.?ظ\.?|صبح|عصر))?"
    r"(?:\s*(?P<zone>z|utc|gmt|[+\-/]\d\d:?\d\d))?"
)
_TIME_LAST = re.compile(rf"(?P<rest>.*?\d)(?:t|\s*ساعت\s*|\s*[/\-]\s*|\s+){_CLOCK}")
_TIME_FIRST = re.compile(rf"(?:ساعت\s*)?{_CLOCK}(?:\s*[/\-]\s*|\s+)(?P<rest>.+)")
_WEEKDAY = re.compile(r"^(?:روز\s*)?(?:(?:یک|دو|سه|چهار|پنج)?\s*شنبه|جمعه|ادینه)\s*[:/\-]?\s*")
_BREAK = r"(?:\s*[/\-._]\s*|\s+)"
_THREE = re.compile(rf"(\d{{1,4}}){_BREAK}(\d{{1,2}}){_BREAK}(\d{{1,4}})")
_NAMED = re.compile(rf"(\d{{1,4}}){_BREAK}?([ء-ی ]+?){_BREAK}?(\d{{1,4}})")
_AROUND = re.compile(r"\s*(?:ماه)?\s*(?:سال)?\s*$")


def plain(text: str) -> str:
    """Give a text with ASCII digits, one set of letters and separators, without marks, in lower case.

    >>> plain("\u200fچهارشنبه ٢٩ مهر ۱۴۰۴")
    'چهارشنبه 29 مهر 1404'
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return text.translate(_FOLD).strip().lower()


def plain_texts(texts: list[str]) -> list[str]:
    """Do for many texts at once what `plain` does for one.

    >>> plain_texts(["چهارشنبه", " ٢٩ مهر ۱۴۰۴"])
    ['چهارشنبه', '29 مهر 1404']
    """
    joined = _EDGE.join(texts)
    if joined.count(_EDGE) >= len(texts):
        return [plain(text) for text in texts]
    if not joined.isascii():
        joined = unicodedata.normalize("NFKC", joined)
    return [text.strip() for text in joined.translate(_FOLD).lower().split(_EDGE)]


def split_time(text: str) -> tuple[str, Time | None] | None:
    """Part a plain text into its date and its time.

    Args:
        text: As `plain` gives it.

    Returns:
        The date and the time, None for a text that has no time; None when the time is not one (25:61).

    >>> split_time("1404-07-29t20:30:00z")
    ('1404-07-29', Time(micros=73800000000, offset=0))
    """
    if ":" not in text:
        return text, None
    found = _TIME_LAST.fullmatch(text) or _TIME_FIRST.fullmatch(text)
    if found is None:
        return None
    hour, minute, second = (int(found[part] or 0) for part in ("hour", "minute", "second"))
    micros = int((found["fraction"] or "")[:6].ljust(6, "0"))
    if found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found["half"][0] in "pبع" else 0)
    total = ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros
    if minute > 59 or second > 59 or total > 86_400_000_000:
        return None
    zone, offset = found["zone"], None
    if zone:
        digits = re.sub(r"\D", "", zone)
        offset = int(digits[:2]) * 60 + int(digits[2:]) if digits else 0
        offset = -offset if zone[0] in "-/" else offset
        if abs(offset) > 18 * 60:
            return None
    return found["rest"].strip(), Time(total, offset)


def read_text(text: str, calendar: Calendar, today: dt.date | None = None) -> Reading:
    """Read one text as a date.

    Args:
        text: As received.
        calendar: What its field is meant to hold.
        today: The run's date, by which a two-digit year gets its century; without it such a text is invalid.

    Returns:
        What became of it.

    >>> read_text("چهارشنبه ۲۹ مهرماه ۱۴۰۴", Calendar.JALALI).day
    20382
    >>> read_text("2025/10/21", Calendar.JALALI)
    Reading(state=<State.DAY: 1>, day=20382, note=<Note.MISPLACED: 1>, time=None)
    """
    return read_plain(plain(text), calendar, today)


# A wrong or an empty date is seldom alone: the same few are met again in every chunk.
@functools.lru_cache(maxsize=16_384)
def read_plain(text: str, calendar: Calendar, today: dt.date | None) -> Reading:
    """Read one text that `plain` has gone over; else as `read_text`."""
    if len(text) > _LONGEST:
        return Reading(State.INVALID)
    if _EMPTY.fullmatch(text):
        return Reading(State.EMPTY)
    parts = split_time(_WEEKDAY.sub("", text))
    if parts is None:
        return Reading(State.INVALID)
    date, time = parts
    date = _WEEKDAY.sub("", date)
    if found := _THREE.fullmatch(date):
        reading = _read_three(found[1], found[2], found[3], calendar, today)
    elif re.fullmatch(r"\d{8}", date):
        reading = _read_eight(date, calendar)
    elif found := _NAMED.fullmatch(date):
        month = MONTHS.get(_AROUND.sub("", found[2]).replace(" ", ""))
        reading = _read_named(found[1], month, found[3], calendar, today)
    else:
        reading = Reading(State.INVALID)
    return reading if time is None else reading._replace(time=time)


def _read_three(first: str, middle: str, last: str, calendar: Calendar, today: dt.date | None) -> Reading:
    """Read a year, a month and a day, in numbers."""
    a, b, c = int(first), int(middle), int(last)
    if len(first) > 2 and len(last) <= 2:
        return _read_full(a, b, c, calendar)
    if len(last) > 2 and len(first) <= 2:
        day_first = _read_full(c, b, a, calendar)
        if c < gregorian_months().first_year:
            return day_first
        return _one_of([day_first, _read_full(c, a, b, calendar)])
    if len(first) > 2 or today is None:
        return Reading(State.INVALID)
    tries = []
    if len(first) == 2:
        tries.append(_read_full(_century(a, calendar, today), b, c, calendar))
    if len(last) == 2:
        tries.append(_read_full(_century(c, calendar, today), b, a, calendar))
    return _guessed(tries)


def _read_eight(digits: str, calendar: Calendar) -> Reading:
    """Read eight digits, year first; or year last, where that makes no date."""
    year_first = _read_full(int(digits[:4]), int(digits[4:6]), int(digits[6:]), calendar)
    if year_first.state in (State.DAY, State.EMPTY):
        return year_first
    year_last = _read_three(digits[:2], digits[2:4], digits[4:], calendar, None)
    return year_first if year_last.state in (State.INVALID, State.OUTSIDE) else year_last


def _read_named(
    first: str, month: int | None, last: str, calendar: Calendar, today: dt.date | None
) -> Reading:
    """Read a date of which the month is told by name, so that it is Jalali whatever its field."""
    if month is None:
        return Reading(State.INVALID)
    if len(first) > 2 or len(last) > 2:
        year, day = (first, last) if len(first) > 2 else (last, first)
        return Reading(State.INVALID) if len(day) > 2 else _read_jalali(int(year), month, int(day), calendar)
    if today is None:
        return Reading(State.INVALID)
    return _guessed(
        _read_jalali(_century(int(year), Calendar.JALALI, today), month, int(day), calendar)
        for year, day in ((first, last), (last, first))
        if len(year) == 2
    )


def _read_full(year: int, month: int, day: int, calendar: Calendar) -> Reading:
    """Read a date whose year is told in full, in the calendar that the year tells."""
    if (year, month, day) in _SENTINELS:
        return Reading(State.EMPTY, note=Note.SENTINEL if year == 1900 else Note.NONE)
    if calendar is Calendar.GREGORIAN:
        if 1200 <= year <= 1500:
            return _read_jalali(year, month, day, calendar)
    elif not 1900 <= year <= 2100:
        return _read_jalali(year, month, day, calendar)
    number = gregorian_months().to_day(year, month, day)
    if number is not None:
        note = Note.NONE if calendar is Calendar.GREGORIAN else Note.MISPLACED
        return Reading(State.DAY, number, note)
    try:
        dt.date(year, month, day)
    except ValueError:
        return Reading(State.INVALID)
    return Reading(State.OUTSIDE)


def _read_jalali(year: int, month: int, day: int, calendar: Calendar) -> Reading:
    number = jalali_months().to_day(year, month, day)
    if number is not None:
        note = Note.NONE if calendar is Calendar.JALALI else Note.MISPLACED
        return Reading(State.DAY, number, note)
    if month == 12 and day == 30 and year in LEAP_BY_2820:
        return Reading(State.INVALID, note=Note.RULE_2820)
    # Outside the tables nobody can say whether 30 Esfand exists: where the year stands is what is wrong then.
    real = 1 <= month <= 12 and 1 <= day <= (31 if month <= 6 else 30)
    return Reading(State.OUTSIDE if real and not FIRST_YEAR <= year <= LAST_YEAR else State.INVALID)


def _century(year: int, calendar: Calendar, today: dt.date) -> int:
    """Give the full year for two digits: up to this year's of this century, beyond it of the last."""
    if calendar is Calendar.GREGORIAN:
        now = today.year
    else:
        new_years = jalali_months().starts[::12]
        now = FIRST_YEAR + int((new_years <= (today - dt.date(1970, 1, 1)).days).sum()) - 1
    return now - now % 100 + year - (100 if year > now % 100 else 0)


def _guessed(tries: Iterable[Reading]) -> Reading:
    reading = _one_of(list(tries))
    return reading._replace(note=reading.note | Note.TWO_DIGIT) if reading.state is State.DAY else reading


def _one_of(tries: list[Reading]) -> Reading:
    """Give the one reading that is a real date; two that are, on different days, make it ambiguous."""
    real = [reading for reading in tries if reading.state is State.DAY]
    if len({reading.day for reading in real}) > 1:
        return Reading(State.AMBIGUOUS)
    return real[0] if real else (tries[0] if tries else Reading(State.INVALID))
