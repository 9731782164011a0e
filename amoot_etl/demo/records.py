"""What one record looks like on the wire: its fields in the portal's order, compact JSON, stamps, Jalali twins."""

from __future__ import annotations

import json
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import jdatetime

from amoot_etl.schema import CONTACT_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["blank", "decode", "encode", "json_text", "per", "stamp_text", "with_twins"]

_TWINS: Final = tuple(field for field in CONTACT_FIELDS if f"{field}Per" in CONTACT_FIELDS)
_EMPTY_TEXT: Final = frozenset({"GenderTypeStr", *(f"{field}Per" for field in _TWINS)})
_BLANK: Final[dict[str, Any]] = {
    **{field: "" if field in _EMPTY_TEXT else None for field in CONTACT_FIELDS},
    "Active": True,
    "ContactGroupID": 0,
    "Deleted": False,
}
_write = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_write_ascii = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


def blank() -> dict[str, Any]:
    """Give a contact of which nothing is known, with every documented field in the portal's order.

    >>> list(blank())[:3], blank()["GenderType"], blank()["BornDatePer"]
    (['ID', 'Active', 'ContactGroupID'], None, '')
    """
    return dict(_BLANK)


def json_text(value: Any) -> bytes:
    """Give any JSON value as compact UTF-8; half of a surrogate pair, which UTF-8 cannot hold, is escaped.

    >>> json_text({"ID": 1, "FName": None})
    b'{"ID":1,"FName":null}'
    """
    try:
        return _write(value).encode()
    except UnicodeEncodeError:
        return _write_ascii(value).encode()


def encode(record: Mapping[str, Any]) -> bytes:
    """Give a record as the portal sends it, its fields in the order that they have."""
    return json_text(dict(record))


def decode(record: bytes) -> dict[str, Any]:
    """Give a record as a dict, its fields in the order that they were sent in."""
    fields: dict[str, Any] = json.loads(record)
    return fields


def stamp_text(moment: datetime) -> str:
    """Give a moment as the portal writes it: to the hundredth of a second, the fraction's last zeros cut.

    >>> stamp_text(datetime(2025, 10, 21, 11, 3, 41, 960_000))
    '2025-10-21T11:03:41.96'
    >>> stamp_text(datetime(2025, 10, 21, 11, 3, 41))
    '2025-10-21T11:03:41'
    """
    whole = moment.isoformat(timespec="seconds")
    fraction = f"{moment.microsecond // 10_000:02d}".rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


@lru_cache(maxsize=100_000)
def per(day: date) -> str:
    """Give a day's Jalali twin as the portal writes it.

    >>> per(date(2025, 10, 21))
    '1404/07/29'
    """
    jalali = jdatetime.date.fromgregorian(date=day)
    return f"{jalali.year:04d}/{jalali.month:02d}/{jalali.day:02d}"


def with_twins(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Give the same fields, each Gregorian date that comes without its Jalali twin with the right one.

    >>> with_twins({"BornDate": "1991-08-03T00:00:00"})["BornDatePer"]
    '1370/05/12'
    >>> with_twins({"BornDate": None})["BornDatePer"]
    ''
    """
    whole = dict(fields)
    for field in _TWINS:
        if field in whole and f"{field}Per" not in whole:
            try:
                whole[f"{field}Per"] = per(date.fromisoformat(str(whole[field])[:10]))
            except ValueError:  # no date, or one outside the calendar: the portal has no twin for it either
                whole[f"{field}Per"] = ""
    return whole
