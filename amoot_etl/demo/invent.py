"""How an address book is invented: one lifelike contact after another, all from one seed."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from amoot_etl.demo.dirty import DIRTY, FIRST_DIRTY_ID
from amoot_etl.demo.names import (
    CITIES,
    COMPANY_KINDS,
    COMPANY_NAMES,
    CUSTOM_TEXTS,
    FEMALE,
    JOBS,
    LABELS,
    LAST,
    MAIL_HOSTS,
    MALE,
    STREETS,
    latin,
)
from amoot_etl.demo.records import per, stamp_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amoot_etl.demo.book import AddressBook

__all__ = ["fill"]

_FIRST_ID: Final = 100_001
_THREE_YEARS: Final = 3 * 365 * 24 * 3600
_PREFIXES: Final = (
    *(912, 912, 912, 919, 910, 911, 913, 914, 915, 916, 917, 918, 990, 991, 992, 993, 994),
    *(935, 935, 936, 937, 938, 939, 930, 933, 901, 902, 903, 905, 904, 900),
    *(920, 921, 922, 931, 932, 934),
)
_ARABIC_KEYBOARD: Final = str.maketrans("یک", "يك")
_MIDNIGHT: Final = "T00:00:00"


def fill(book: AddressBook, *, contacts: int, seed: int, labels: int, dirty: bool | None) -> None:
    """Fill an empty book with invented contacts.

    Args:
        book: An empty book; its clock says when now is.
        contacts: How many contacts, the dirty ones among them.
        seed: Where chance begins.
        labels: How many labels.
        dirty: Whether the contacts of `DIRTY` are the last ones; by default when they are the smaller half.

    Raises:
        ValueError: There is no room for the dirty contacts.
    """
    dirty = contacts >= 2 * len(DIRTY) if dirty is None else dirty
    plain = contacts - len(DIRTY) if dirty else contacts
    if plain < 0:
        raise ValueError(f"{contacts} contacts leave no room for the {len(DIRTY)} dirty ones")
    chance = random.Random(seed)
    for number in range(labels):
        title = LABELS[number] if number < len(LABELS) else f"برچسب {number + 1}"
        book.add_group(title, 2001 + number)
    groups = list(book.groups())
    for contact_id in range(_FIRST_ID, _FIRST_ID + plain):
        book.put(contact_id, _contact(chance, contact_id, book.now), _labels(chance, groups))
    for number, row in enumerate(DIRTY if dirty else ()):
        contact_id = FIRST_DIRTY_ID + number
        mine = [groups[number % labels]] if labels and number % 5 else []
        book.put(contact_id, row.record(contact_id), mine)


def _labels(chance: random.Random, groups: Sequence[int]) -> list[int]:
    """Most contacts have one label, some two or three, one in nine none; the first labels are the big ones."""
    draw = chance.random()
    how_many = 0 if draw < 0.11 else 1 if draw < 0.70 else 2 if draw < 0.92 else 3
    return [groups[int(chance.random() ** 2 * len(groups))] for _ in range(how_many)] if groups else []


def _pick(chance: random.Random, words: Sequence[str]) -> str:
    # random.choice asks for random bits in a loop, which is four times slower.
    return words[int(chance.random() * len(words))]


def _contact(chance: random.Random, contact_id: int, now: datetime) -> dict[str, Any]:
    """Invent one contact, its fields in the portal's order."""
    draw = chance.random
    male = draw() < 0.54
    first, last = _pick(chance, MALE if male else FEMALE), _pick(chance, LAST)
    city = _pick(chance, CITIES)
    born = _day(chance, 1940, 2007) if draw() < 0.58 else None
    record: dict[str, Any] = {
        "ID": contact_id,
        "Active": draw() < 0.94,
        "ContactGroupID": 0,
        "Mobile": _mobile(chance),
        "FName": first if draw() < 0.97 else _pick(chance, ("", "  ")),
        "LName": last if draw() < 0.98 else None,
        "GenderType": male if draw() < 0.86 else None,
        "GenderTypeStr": "",
        "CompanyTitle": f"{_pick(chance, COMPANY_KINDS)} {_company(chance)}" if draw() < 0.34 else None,
        "JobTitle": _pick(chance, JOBS) if draw() < 0.41 else None,
        "Email": _email(chance, first, last, born) if draw() < 0.33 else None,
        "CityName": city if draw() < 0.72 else None,
        "AddressText": _address(chance, city) if draw() < 0.46 else None,
        **_pair("BornDate", born),
        **_pair("AnniversaryDate", _day(chance, 1970, 2025) if draw() < 0.12 else None),
        "CustomText1": _pick(chance, CUSTOM_TEXTS[0]) if draw() < 0.25 else None,
        "CustomText2": _pick(chance, CUSTOM_TEXTS[1]) if draw() < 0.20 else "",
        "CustomText3": _pick(chance, CUSTOM_TEXTS[2]) if draw() < 0.10 else None,
        "CustomText4": f"{int(draw() * 10**10):010d}" if draw() < 0.15 else None,
        "CustomText5": f"PO-{int(draw() * 10**6):06d}" if draw() < 0.08 else None,
        "CustomText6": None,
        **_pair("CustomDate1", _day(chance, 2019, 2026) if draw() < 0.15 else None),
        **_pair("CustomDate2", _day(chance, 2023, 2028) if draw() < 0.06 else None),
        **_pair("CustomDate3", None),
        "Deleted": draw() < 0.004,
        "UpdateDateTime": stamp_text(
            now - timedelta(seconds=int(draw() * _THREE_YEARS), milliseconds=int(draw() * 1000))
        ),
    }
    if record["GenderType"] is not None:
        record["GenderTypeStr"] = "آقا" if male else "خانم"
    if draw() < 0.05:  # typed on an Arabic keyboard
        for field in ("FName", "LName", "CompanyTitle", "CityName", "AddressText"):
            record[field] = record[field] and record[field].translate(_ARABIC_KEYBOARD)
    if draw() < 0.1 and record["ContactGroupID"] == 0:
        record["ContactGroupID"] = 2001 + int(draw() * 3)
    return record


def _mobile(chance: random.Random) -> int | None:
    """A number of a real range, an integer; a few with the country code, a few missing."""
    draw = chance.random()
    if draw < 0.004:
        return None
    prefix = _PREFIXES[int(chance.random() * len(_PREFIXES))]
    # 0912 555 .... is kept for the dirty contacts, so that no plain one shares a number with them.
    rest = int(chance.random() * 10**7)
    if prefix == 912 and rest // 10_000 == 555:
        rest += 10_000
    number = prefix * 10**7 + rest
    return number + 98 * 10**10 if draw < 0.03 else number


def _day(chance: random.Random, first_year: int, last_year: int) -> date:
    start = date(first_year, 1, 1).toordinal()
    return date.fromordinal(start + int(chance.random() * (date(last_year, 12, 31).toordinal() - start)))


def _pair(field: str, day: date | None) -> dict[str, str | None]:
    if day is None:
        return {field: None, f"{field}Per": ""}
    return {field: day.isoformat() + _MIDNIGHT, f"{field}Per": per(day)}


def _company(chance: random.Random) -> str:
    name = _pick(chance, COMPANY_NAMES)
    return (
        f"{name} {_pick(chance, CITIES if chance.random() < 0.5 else LAST)}"
        if chance.random() < 0.7
        else name
    )


def _email(chance: random.Random, first: str, last: str, born: date | None) -> str:
    draw = chance.random()
    number = str(born.year if born and draw < 0.5 else int(draw * 1000)) if draw < 0.8 else ""
    return f"{latin(first)}{'._'[draw < 0.3]}{latin(last)}{number}@{_pick(chance, MAIL_HOSTS)}"


def _address(chance: random.Random, city: str) -> str:
    draw = chance.random
    address = (
        f"{city}، خیابان {_pick(chance, STREETS)}، کوچه {_pick(chance, STREETS)}"
        f"{f' {int(draw() * 40) + 1}' if draw() < 0.6 else ''}، پلاک {int(draw() * 400) + 1}"
    )
    if draw() < 0.5:
        address += f"، واحد {int(draw() * 20) + 1}"
    if draw() < 0.2:
        address += f"، کد پستی {int(draw() * 9 * 10**9) + 10**9}"
    return address
