"""What the tables must hold, worked out one record at a time, slowly and plainly.

This is the other opinion that the product's tables are compared with. It was written from the written rules alone
and shares no line with the product: dates go through jdatetime, numbers through phonenumbers, zones through
zoneinfo, text through unicodedata. Where it is slow or clumsy, that is so that it can be read.

    row, issues = expected_contact(record, today=date(2026, 11, 1), groups=["مشتریان"])
    tables = expected_tables({5: [record, ...], -1: [...]}, {5: "مشتریان"}, today=...)

An issue is `(column, rule)`, once for each pair of them in a contact.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import jdatetime
import phonenumbers
from phonenumbers import PhoneNumberType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Issues = list[tuple[str, str]]

TEHRAN = ZoneInfo("Asia/Tehran")

KNOWN_FIELDS = {
    *(
        "ID",
        "Active",
        "ContactGroupID",
        "Mobile",
        "FName",
        "LName",
        "GenderType",
        "GenderTypeStr",
        "CompanyTitle",
    ),
    *("JobTitle", "Email", "CityName", "AddressText", "BornDate", "BornDatePer", "AnniversaryDate"),
    *("AnniversaryDatePer", "Deleted", "UpdateDateTime"),
    *(f"CustomText{n}" for n in range(1, 7)),
    *(f"CustomDate{n}{twin}" for n in range(1, 4) for twin in ("", "Per")),
}

RANGES = (
    *(
        (90000, 90599, "Irancell"),
        (91000, 91999, "MCI"),
        (92000, 92399, "Rightel"),
        (93000, 93099, "Irancell"),
    ),
    *(
        (93100, 93199, "Spadan"),
        (93200, 93299, "MCI"),
        (93300, 93399, "Irancell"),
        (93400, 93499, "TeleKish"),
    ),
    *((93500, 93999, "Irancell"), (99000, 99499, "MCI"), (99510, 99510, None), (99550, 99559, "Irancell")),
    *((99600, 99699, "MCI"), (99810, 99832, "Rightel"), (99888, 99888, "Rightel"), (99900, 99909, "MCI")),
    *((99910, 99919, "Irancell"), (99920, 99929, "Rightel"), (99930, 99939, "ApTel"), (99950, 99959, "MCI")),
    *((99969, 99969, "MCI"), (99977, 99977, None), (99987, 99989, "Rightel"), (99990, 99999, "Rightel")),
)
"""Blocks of five digits that libphonenumber lists, and who holds them."""

TEXTS = {
    "first_name": "FName",
    "last_name": "LName",
    "company": "CompanyTitle",
    "job_title": "JobTitle",
    "city": "CityName",
    "address": "AddressText",
    **{f"custom_text_{n}": f"CustomText{n}" for n in range(1, 7)},
}
DATES = {
    "birth_date": "BornDate",
    "anniversary_date": "AnniversaryDate",
    **{f"custom_date_{n}": f"CustomDate{n}" for n in range(1, 4)},
}


# One contact.


def expected_contact(
    record: Mapping[str, Any],
    *,
    today: date,
    groups: Sequence[str] = (),
    mobile_ranges: Sequence[tuple[int, int, str | None]] = RANGES,
) -> tuple[dict[str, Any], Issues]:
    """Give one record's row of `contacts` and its issues.

    Args:
        record: The record as parsed from JSON; it has a usable ID.
        today: The day of the run.
        groups: The titles of its groups, by group ID.
        mobile_ranges: Listed blocks of numbers and their holders.
    """
    record = {name: _without_halves(value) for name, value in record.items()}
    issues: Issues = []
    row: dict[str, Any] = {"contact_id": read_id(record.get("ID"))}
    for column, name in (("active", "Active"), ("deleted", "Deleted")):
        row[column] = _boolean(record.get(name), column, issues)
    row |= _mobile(record.get("Mobile"), mobile_ranges, issues)
    for column, name in TEXTS.items():
        row[column] = _text(record.get(name), column, issues)
    names = [row[column] for column in ("first_name", "last_name") if row[column] is not None]
    row["full_name"] = " ".join(names) or None
    row["gender"] = _gender(record.get("GenderType"), record.get("GenderTypeStr"), issues)
    row["email"] = _email(record.get("Email"), issues)
    for column, name in DATES.items():
        day = _pair(record.get(name), record.get(f"{name}Per"), column, today, issues)
        row[column] = day
        row[f"{column}_jalali"] = _jalali(day)
    row["updated_at"] = moment = _stamp(record.get("UpdateDateTime"), today, issues)
    row["updated_date"] = None if moment is None else moment.date()
    row["updated_date_jalali"] = _jalali(row["updated_date"])
    row["groups"] = " | ".join(title for title in map(clean, groups) if title) or None
    extra = {name: value for name, value in record.items() if name not in KNOWN_FIELDS and value is not None}
    row["extra"] = json.dumps(extra, ensure_ascii=False, separators=(",", ":")) if extra else None
    return row, list(dict.fromkeys(issues))


def read_id(value: Any) -> int | None:
    """Give a usable ID: a whole number above 0, also as digits or as `N.0`."""
    if isinstance(value, bool) or value is None:
        return None
    found = re.fullmatch(r"\s*(\d+)(\.0+)?\s*", str(value), re.ASCII)
    number = int(found[1]) if found else 0
    return number if 0 < number < 2**63 else None


def _as_text(value: Any) -> str | None:
    """Give the text of a JSON value that has one."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _without_halves(value: Any) -> Any:
    """Replace halves of surrogate pairs, which are no characters."""
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, list):
        return [_without_halves(item) for item in value]
    if isinstance(value, dict):
        return {_without_halves(key): _without_halves(item) for key, item in value.items()}
    return value


def _boolean(value: Any, column: str, issues: Issues) -> bool | None:
    text = "?" if isinstance(value, (list, dict)) else (_as_text(value) or "").strip().lower()
    if text in {"true", "1"}:
        return True
    if text in {"false", "0"}:
        return False
    if text:
        issues.append((column, "type_mismatch"))
    return None


# Text.


def _text(value: Any, column: str, issues: Issues) -> str | None:
    if isinstance(value, (list, dict)):
        issues.append((column, "type_mismatch"))
        return None
    return clean(_as_text(value) or "") or None


DELETED = (
    "\u0640\u200b\ufeff\u2060\u00ad"  # tatweel, zero-width space, byte order mark, word joiner, soft hyphen
    "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # bidi
)


def clean(text: str) -> str:
    """Clean a text for display, step by step in the order of the rules."""
    text = unicodedata.normalize("NFC", text)
    text = "".join(
        unicodedata.normalize("NFKC", char)
        if "\ufb50" <= char <= "\ufdff" or "\ufe70" <= char <= "\ufefc" or "\uff01" <= char <= "\uff5e"
        else char
        for char in text
    )
    for letters, letter in (("\u064a\u0649", "\u06cc"), ("\u0643\u06aa", "\u06a9")):
        for old in letters:
            text = text.replace(old, letter)
    kept = []
    for place, char in enumerate(text):
        if char == "\u200d":
            before, after = text[place - 1 : place], text[place + 1 : place + 2]
            if not (before and after and _emoji(before) and _emoji(after)):
                continue
        elif char in "\t\r\n" or unicodedata.category(char) in {"Zs", "Zl", "Zp"}:
            char = " "  # noqa: PLW2901 - this is the step
        elif char in DELETED or unicodedata.category(char) == "Cc":
            continue
        kept.append(char)
    text = "".join(kept).replace("\u00ac", "\u200c")
    text = re.sub("\u200c+", "\u200c", text)
    text = re.sub("(?:^|(?<= ))\u200c|\u200c(?= |$)", "", text)
    return re.sub(" +", " ", text).strip(" ")


def _emoji(char: str) -> bool:
    return (
        unicodedata.category(char) == "So" or char in "\ufe0f\u20e3" or "\U0001f3fb" <= char <= "\U0001f3ff"
    )


def _plain(text: str) -> str:
    """Give what someone meant to type: ASCII digits, Persian letters, nothing invisible, single spaces."""
    out = []
    for char in unicodedata.normalize("NFKC", text):
        if char.isdecimal():
            out.append(str(unicodedata.decimal(char)))
        elif unicodedata.category(char) != "Cf":
            out.append(" " if char.isspace() else char)
    text = "".join(out).replace("ي", "ی").replace("ى", "ی").replace("ك", "ک")
    return re.sub(" +", " ", text).strip()


# E-mail and gender.


def _email(value: Any, issues: Issues) -> str | None:
    if isinstance(value, (list, dict)):
        issues.append(("email", "type_mismatch"))
        return None
    text = _plain(_as_text(value) or "")
    if not text:
        return None
    local, at, domain = text.rpartition("@")
    labels = domain.lower().split(".")
    good = (
        at
        and re.fullmatch(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", local)
        and len(labels) > 1
        and all(re.fullmatch(r"[^\W_]([\w-]*[^\W_])?", label) for label in labels)
        and not labels[-1].isdigit()
        and len(labels[-1]) > 1
    )
    if good:
        return f"{local}@{domain.lower()}"
    issues.append(("email", "email_invalid"))
    return None


WORDS = {
    "male": {"آقا", "آقای", "مرد", "مذکر", "male", "m", "mr", "man"},
    "female": {"خانم", "بانو", "زن", "مؤنث", "female", "f", "mrs", "ms", "miss", "woman"},
}


def _gender(kind: Any, words: Any, issues: Issues) -> str | None:
    found: Issues = []
    told = {True: "male", False: "female", None: None}[_boolean(kind, "gender", found)]
    issues += found
    if isinstance(words, (list, dict)):
        issues.append(("gender", "type_mismatch"))
        return told
    word = clean(_as_text(words) or "").casefold().strip(".")
    said = next((gender for gender, known in WORDS.items() if word in known), None)
    contradicts = told and said and told != said
    # The words are no column: what they say beside the boolean would be lost.
    says_nothing_known = word and not said
    if contradicts or says_nothing_known:
        issues.append(("gender", "gender_mismatch"))
    return told or said


# Mobiles.


def _mobile(value: Any, ranges: Sequence[tuple[int, int, str | None]], issues: Issues) -> dict[str, Any]:
    row = dict.fromkeys(
        ("mobile", "mobile_national", "mobile_kind", "mobile_country", "mobile_prefix_operator", "mobile_raw")
    )
    if isinstance(value, (list, dict)):
        issues.append(("mobile", "type_mismatch"))
        return row | {"mobile_raw": json.dumps(value, ensure_ascii=False, separators=(",", ":"))}
    row["mobile_raw"] = _as_text(value)
    typed = _plain(_as_text(value) or "")
    if not typed or not typed.strip("0-_./ "):
        return row  # nothing, or the zero that stands for nothing in a number field
    kind, e164, country = _number(typed)
    if kind == "ir_unlisted" and any(first <= int(str(e164)[3:8]) <= last for first, last, _ in ranges):
        kind = "ir"
    row |= {"mobile_kind": kind, "mobile": e164, "mobile_country": country}
    if kind == "ir":
        row["mobile_prefix_operator"] = next(
            holder for first, last, holder in ranges if first <= int(str(e164)[3:8]) <= last
        )
    if kind in {"ir", "ir_unlisted"}:
        row["mobile_national"] = "0" + str(e164)[3:]
    if kind in {"invalid", "landline"}:
        issues.append(("mobile", f"mobile_{kind}"))
    return row


def _number(typed: str) -> tuple[str, str | None, str | None]:
    """Give a number's kind, its E.164 if it can be a mobile, and its country."""
    typed = re.sub(r"(?<=\d)\.0+$", "", typed)
    digits = re.sub(r"[\s\-./()_–—]", "", typed)
    if not re.fullmatch(r"\+?\d+", digits):
        return "invalid", None, None
    for prefix in ("+", "00"):
        if digits.startswith(prefix):
            digits = digits.removeprefix(prefix)
            return _iranian(digits[2:]) if digits.startswith("98") else _abroad(digits)
    if digits.startswith("0") or re.fullmatch(r"9\d{9}", digits):
        return _iranian(digits)
    if re.fullmatch(r"980?\d{10}", digits):
        return _iranian(digits[2:])
    # Without a "+", the number as it stands is first tried as Iranian where it has ten digits (a landline that
    # lost its 0), and else as a foreign one.
    tries = (_iranian, _abroad) if len(digits) == 10 else (_abroad, _iranian)
    answers = [read(digits) for read in tries]
    return next((answer for answer in answers if answer[0] != "invalid"), answers[0])


def _iranian(national: str) -> tuple[str, str | None, str | None]:
    national = national.removeprefix("0")
    if re.fullmatch(r"9\d{9}", national):
        return "ir_unlisted", f"+98{national}", "IR"  # until the table is asked
    number = _parsed(f"+98{national}")
    if number and phonenumbers.number_type(number) == PhoneNumberType.FIXED_LINE:
        return "landline", None, "IR"
    return "invalid", None, None


def _abroad(digits: str) -> tuple[str, str | None, str | None]:
    number = _parsed(f"+{digits}")
    if number is None:
        return "invalid", None, None
    country = phonenumbers.region_code_for_number(number)
    kind = phonenumbers.number_type(number)
    if kind in {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}:
        return "foreign", phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), country
    if kind == PhoneNumberType.FIXED_LINE:
        return "landline", None, country
    return "invalid", None, None


def _parsed(text: str) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


# Dates.

MONTHS = [
    *("فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد", "شهریور"),
    *("مهر", "آبان", "آذر", "دی", "بهمن", "اسفند"),
]
WEEKDAYS = ["یکشنبه", "دوشنبه", "سهشنبه", "چهارشنبه", "پنجشنبه", "شنبه", "جمعه"]
TIME = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d+))?)?\s*(Z|[+-]\d{2}:?\d{2})?"
SENTINELS = {(1, 1, 1), (1900, 1, 1), (9999, 12, 31), (0, 0, 0)}


class Reading(NamedTuple):
    """What one field of a pair says: a day, or nothing, and the rules it breaks."""

    day: date | None = None
    rules: tuple[str, ...] = ()
    time: str = ""


def _pair(gregorian: Any, jalali: Any, column: str, today: date, issues: Issues) -> date | None:
    """Settle a date and its twin."""
    first, second = _read(gregorian, "gregorian", today), _read(jalali, "jalali", today)
    issues += [(column, rule) for reading in (first, second) for rule in reading.rules]
    day = first.day or second.day
    if first.day and second.day and first.day != second.day:
        if second.day == _tehran_midnight(first):
            issues.append((column, "date_shifted"))
            day = second.day
        else:
            issues.append((column, "date_mismatch"))
    if column == "birth_date" and day is not None and day > today:
        issues.append((column, "date_in_future"))
    return day


def _tehran_midnight(reading: Reading) -> date | None:
    """Give the day that begins in Tehran at a moment told in UTC, if one does."""
    found = re.fullmatch(TIME, reading.time)
    if (
        not found
        or reading.day is None
        or found[5] not in {None, "Z", "+00:00", "+0000"}
        or int(found[4] or 0)
    ):
        return None
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    local = datetime.combine(reading.day, time(hour, minute, second), UTC).astimezone(TEHRAN)
    return local.date() if local.time() == time(0) else None


def _read(value: Any, calendar: Literal["gregorian", "jalali"], today: date | None) -> Reading:  # noqa: PLR0911 - each way it ends
    """Read one field."""
    if isinstance(value, (list, dict)):
        return Reading(rules=("type_mismatch",))
    text = _plain(_as_text(value) or "")
    if not text.strip(" -_/."):
        return Reading()
    parts, clock = _parts(text)
    if parts is None:
        return Reading(rules=("date_invalid",))
    year, month, day = (int(part) for part in parts)
    if (year, month, day) in SENTINELS and len(parts[0]) == 4:
        return Reading()
    if len(parts[0]) <= 2:
        return _two_digits(parts, today, clock) if today else Reading(rules=("date_invalid",))
    is_jalali = 1200 <= year <= 1500 if calendar == "gregorian" else 1178 <= year <= 1501
    if calendar == "jalali" and not is_jalali and not 1900 <= year <= 2100:
        return Reading(rules=("date_out_of_range",))
    found = (_jalali_day if is_jalali else _gregorian_day)(year, month, day)
    if found is None:
        return Reading(rules=("date_invalid",))
    if not _in_range(found):
        return Reading(rules=("date_out_of_range",))
    if is_jalali == (calendar == "jalali"):
        return Reading(found, (), clock)
    rule = "jalali_in_gregorian_field" if is_jalali else "gregorian_in_jalali_field"
    return Reading(found, (rule,), clock)


def _parts(text: str) -> tuple[tuple[str, str, str] | None, str]:
    """Give year, month and day as typed, and the time after them."""
    clock = ""
    if found := re.search(rf"[T ]\s*({TIME})$", text):
        text, clock = text[: found.start()].strip(), found[1]
    if re.fullmatch(r"\d{8}", text):
        return (text[:4], text[4:6], text[6:]), clock
    if found := re.fullmatch(r"(\d{1,4}) ?[/.-] ?(\d{1,2}) ?[/.-] ?(\d{1,4})", text):
        first, month, last = found.groups()
        return ((last, month, first) if len(first) <= 2 < len(last) else (first, month, last)), clock
    return _named_month(text.replace("،", " ").replace(",", " ")), clock


def _named_month(text: str) -> tuple[str, str, str] | None:
    """Read `سه‌شنبه 29 مهرماه 1404`."""
    for weekday in WEEKDAYS:
        joined = "".join(f"{letter} ?" for letter in weekday)
        text = re.sub(rf"^{joined}", "", text.strip())
    names = "|".join(MONTHS)
    found = re.fullmatch(rf"(\d{{1,4}}) ?({names}) ?(?:ماه)? ?(\d{{1,4}})", text.strip())
    if not found:
        return None
    first, name, last = found.groups()
    month = str(MONTHS.index(name) + 1)
    return (first, month, last) if len(first) > 2 else (last, month, first)


def _two_digits(parts: tuple[str, str, str], today: date, clock: str) -> Reading:
    """Read a year of two digits in both orders; one real day is read, two are none."""
    now = jdatetime.date.fromgregorian(date=today).year % 100
    days = []
    for year, month, day in (parts, parts[::-1]):
        century = 1400 if int(year) <= now else 1300
        if len(year) <= 2 and (found := _jalali_day(century + int(year), int(month), int(day))):
            days.append(found)
    if not days:
        return Reading(rules=("date_invalid",))
    return Reading(days[0] if len(days) == 1 else None, ("date_ambiguous",), clock)


def _jalali_day(year: int, month: int, day: int) -> date | None:
    try:
        found: date = jdatetime.date(year, month, day).togregorian()
    except ValueError:
        return None
    return found


def _gregorian_day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _in_range(day: date) -> bool:
    return date(1799, 3, 21) <= day <= date(2123, 3, 20)  # 1178/01/01 and 1501/12/29


def _jalali(day: date | None) -> str | None:
    if day is None:
        return None
    jalali = jdatetime.date.fromgregorian(date=day)
    return f"{jalali.year:04d}/{jalali.month:02d}/{jalali.day:02d}"


# Stamps.


def _stamp(value: Any, today: date, issues: Issues) -> datetime | None:
    """Read the time of the last change."""
    rule, moment = _moment(value, today)
    if rule:
        issues.append(("updated_at", rule))
    return moment


def _moment(value: Any, today: date | None = None) -> tuple[str, datetime | None]:
    """Read a stamp: a day as any Gregorian field may tell it, typed by hand or Jalali, and a time that is kept."""
    reading = _read(value, "gregorian", today)
    rule = "".join(reading.rules)
    if reading.day is None:
        return rule, None
    found = re.fullmatch(TIME, reading.time or "0:00")
    if found is None:
        return "date_invalid", None
    hour, minute, second = (int(part or 0) for part in found.groups()[:3])
    fraction = int((found[4] or "0")[:6].ljust(6, "0"))
    if minute > 59 or second > 59 or (hour, minute, second, fraction) > (24, 0, 0, 0):
        return "date_invalid", None
    # 24:00 is the midnight that ends the day.
    naive = datetime.combine(reading.day, time(hour % 24, minute, second, fraction)) + timedelta(
        days=hour // 24
    )
    if found[5]:
        zone = found[5].replace("Z", "+00:00")
        return rule, datetime.fromisoformat(naive.isoformat() + zone).astimezone(TEHRAN)
    return rule, _local(naive)


def _local(naive: datetime) -> datetime:
    """Put a naive time into Tehran: the earlier of two, and the end of the gap for one that never was."""
    early = naive.replace(tzinfo=TEHRAN, fold=0)
    if early.astimezone(UTC).astimezone(TEHRAN).replace(tzinfo=None) == naive:
        return early
    after, before = early.astimezone(UTC), naive.replace(tzinfo=TEHRAN, fold=1).astimezone(UTC)
    offset = before.astimezone(TEHRAN).utcoffset()
    while after - before > timedelta(microseconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(TEHRAN).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.astimezone(TEHRAN)


# Whole tables.


@dataclass
class Expected:
    """What the tables must hold, but for the raw values and the words of the issues."""

    contacts: dict[int, dict[str, Any]] = field(default_factory=dict)
    contact_groups: set[tuple[int, int]] = field(default_factory=set)
    issues: set[tuple[int | None, str, str]] = field(default_factory=set)
    """`(contact_id, column, rule)`."""


def expected_tables(
    listings: Mapping[int, Sequence[Any]], titles: Mapping[int, str], *, today: date
) -> Expected:
    """Give the tables for whole listings.

    Args:
        listings: The records of each group's listing, of -1, or of 0 alone, in the order of the answers.
        titles: The groups' titles.
        today: The day of the run.
    """
    tables = Expected()
    newest: dict[int, tuple[datetime, Mapping[str, Any]]] = {}
    unknown: set[str] = set()
    for group_id, records in listings.items():
        seen: Counter[int] = Counter()
        for record in records:
            contact_id = read_id(record.get("ID")) if isinstance(record, dict) else None
            if contact_id is None:
                tables.issues.add((None, "contact_id", "record_unreadable"))
                continue
            seen[contact_id] += 1
            if group_id > 0:
                tables.contact_groups.add((contact_id, group_id))
            moment = _moment(record.get("UpdateDateTime"))[1] or datetime.min.replace(tzinfo=UTC)
            if contact_id not in newest or moment >= newest[contact_id][0]:
                newest[contact_id] = (moment, record)
        tables.issues |= {(i, "contact_id", "duplicate_id") for i, times in seen.items() if times > 1}
    for contact_id, (_, record) in newest.items():
        mine = [titles[g] for g in sorted(titles) if (contact_id, g) in tables.contact_groups]
        row, issues = expected_contact(record, today=today, groups=mine)
        tables.contacts[contact_id] = row
        tables.issues |= {(contact_id, column, rule) for column, rule in issues}
        unknown |= {name for name in record if name not in KNOWN_FIELDS}
    numbers = Counter(row["mobile"] for row in tables.contacts.values() if row["mobile"])
    tables.issues |= {
        (contact_id, "mobile", "mobile_duplicate")
        for contact_id, row in tables.contacts.items()
        if numbers[row["mobile"]] > 1
    }
    if unknown:
        tables.issues.add((None, "extra", "unknown_field"))
    return tables
