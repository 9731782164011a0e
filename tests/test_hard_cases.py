"""Ten hard cases: what pandas and the libraries make of them, executed, beside us; and the README's table of them.

Run this file as a program to print the table.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jdatetime
import pandas as pd
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from persiantools.jdatetime import JalaliDate

from amoot_etl import clean_contacts

if TYPE_CHECKING:
    from collections.abc import Callable

_README = Path(__file__).parent.parent / "README.md"
_BEGIN, _END = "<!-- hard cases -->\n", "<!-- /hard cases -->\n"


class Case(NamedTuple):
    """One value, what a library makes of it, and what we do."""

    field: str
    value: str
    library: str
    theirs: Callable[[str], object]
    says: str
    """What the library makes of it."""
    column: str
    ours: str
    """What stands in our column, and the rule that issues names, if any."""


def _day(moment: pd.Timestamp) -> dt.date:
    return moment.tz_localize("Asia/Tehran").tz_convert("UTC").date()


def _jdatetime(text: str) -> dt.date:
    return jdatetime.datetime.strptime(text, "%Y/%m/%d").togregorian().date()


def _stamp(text: str) -> pa.Array:
    return pc.cast(pa.array([text]), pa.timestamp("us"))


def _e164(text: str) -> str:
    number = phonenumbers.parse(text, "IR")
    valid = phonenumbers.is_valid_number(number)
    return f"{phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)}{'' if valid else ', invalid'}"


CASES = (
    Case("BornDatePer", "1403/12/30", "pandas", lambda text: pd.to_datetime(text).date(),
         "1403-12-30, a day of the Middle Ages", "birth_date", "2025-03-20"),
    Case("BornDatePer", "1404/12/30", "pandas", lambda text: pd.to_datetime(text).date(),
         "1404-12-30: 1404 has no such day", "birth_date", "null, date_invalid"),
    Case("BornDatePer", "2025/10/21", "jdatetime", _jdatetime,
         "2647-01-11", "birth_date", "2025-10-21, gregorian_in_jalali_field"),
    Case("BornDatePer", "۲۹ مهر ۱۴۰۴", "persiantools", lambda text: JalaliDate.strptime(text, "%Y/%m/%d"),
         "ValueError", "birth_date", "2025-10-21"),
    Case("BornDate", "1992-03-22T00:00:00", "pandas", lambda text: _day(pd.Timestamp(text)),
         "ValueError: Tehran had no midnight that day", "birth_date", "1992-03-22"),
    Case("BornDate", "1990-05-12T00:00:00", "pandas", lambda text: _day(pd.Timestamp(text)),
         "1990-05-11, once through UTC", "birth_date", "1990-05-12"),
    Case("UpdateDateTime", "2025-10-20T13:11:03.1234567", "pyarrow", _stamp,
         "ArrowInvalid: seven digits", "updated_at", "2025-10-20 13:11:03.123456+03:30"),
    Case("Mobile", "9647701234567", "phonenumbers", _e164,
         "+989647701234567, invalid", "mobile", "+9647701234567"),
    Case("Mobile", "9120000000.0", "phonenumbers", _e164,
         "+9891200000000, invalid", "mobile", "+989120000000"),
    Case("Mobile", "0912\u200c345\u200c6789", "phonenumbers", _e164,
         "NumberParseException", "mobile", "+989123456789"),
)  # fmt: skip


def _theirs(case: Case) -> str:
    try:
        return str(case.theirs(case.value))
    except Exception as error:  # noqa: BLE001 - that it fails is the finding
        return (
            "ValueError"
            if isinstance(error, ValueError) and "Arrow" not in type(error).__name__
            else type(error).__name__
        )


def _ours(case: Case) -> str:
    clean = clean_contacts(pd.DataFrame({"ID": ["1"], case.field: [case.value]}), today=dt.date(2026, 11, 1))
    value = clean.contacts[case.column][0]
    return ", ".join(["null" if pd.isna(value) else str(value), *clean.issues["rule"]])


def table() -> str:
    """Give the README's table."""
    lines = [
        "| the portal sends | as | what a library makes of it | amoot-etl |",
        "| --- | --- | --- | --- |",
    ]
    for case in CASES:
        shown = case.value.replace("\u200c", "[ZWNJ]")
        lines.append(f"| `{shown}` | {case.field} | {case.library}: {case.says} | {case.ours} |")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.field} {case.value}")
def test_hard_case(case):
    """The library does what the table says, and so do we."""
    assert _ours(case) == case.ours
    assert case.says.startswith(_theirs(case)), _theirs(case)


def test_readme_shows_these_cases():
    """The README's table is this one."""
    text = _README.read_text(encoding="utf-8")
    assert text.partition(_BEGIN)[2].partition(_END)[0] == table()


if __name__ == "__main__":
    print(table())  # noqa: T201 - it is what this file does as a program
