"""How values get dirty: what people type, what old programs write, what is plainly wrong.

Each way takes a clean value and gives the dirty one; most can be read all the same, some cannot, as in life.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Way = Callable[[Any], Any]

__all__ = ["WAYS"]

_PERSIAN: Final = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
_ARABIC_KEYBOARD: Final = str.maketrans("یک", "يك")
_MONTHS: Final = [
    "فروردین",
    "اردیبهشت",
    "خرداد",
    "تیر",
    "مرداد",
    "شهریور",
    "مهر",
    "آبان",
    "آذر",
    "دی",
    "بهمن",
    "اسفند",
]
_MIDNIGHT: Final = "T00:00:00"


def _ten(number: Any) -> str:
    """Give a number's last ten digits."""
    return f"{int(number) % 10**10:010d}"


_MOBILE: Final[Sequence[Way]] = (
    lambda n: f"0{_ten(n)[:3]} {_ten(n)[3:6]} {_ten(n)[6:]}",
    lambda n: f"+98-{_ten(n)[:3]}-{_ten(n)[3:6]}-{_ten(n)[6:]}",
    lambda n: f"0{_ten(n)}".translate(_PERSIAN),
    lambda n: f"0098{_ten(n)}",
    lambda n: f"(0{_ten(n)[:3]}) {_ten(n)[3:]}",
    lambda n: f"021{_ten(n)[-8:]}",
    lambda n: f"+49151{_ten(n)[-8:]}",
    lambda n: _ten(n)[:9],
)
_TEXT: Final[Sequence[Way]] = (
    lambda text: text.translate(_ARABIC_KEYBOARD),
    lambda text: f" {text}  ",
    lambda text: text.replace(" ", "\u00a0") + "\u200f",
    lambda text: text[:2] + "ـ" + text[2:],
    lambda text: f"{text}\u200c",
    lambda text: text.replace(" ", "  ") + "\r\n",
)
_ADDRESS: Final[Sequence[Way]] = (
    *_TEXT,
    lambda text: f'{text} "طبقه اول"',
    lambda text: text.replace("،", "\n"),
)
_EMAIL: Final[Sequence[Way]] = (
    lambda text: text.partition("@")[0] + "@" + text.partition("@")[2].upper(),
    lambda text: f" {text}\u200e",
    lambda text: text.replace("@", ""),
    lambda text: text.replace("@", "@@"),
)
_STAMP: Final[Sequence[Way]] = (
    lambda text: text.replace("T", " "),
    lambda text: text.partition(".")[0] + ".1234567",
    lambda text: text.partition(".")[0] + "Z",
    lambda text: text[:16],
)


def _pairs(change: Callable[[dt.date], tuple[str | None, str]]) -> Way:
    return lambda text: change(dt.date.fromisoformat(text[:10]))


def _jalali(day: dt.date) -> tuple[int, int, int]:
    import jdatetime  # noqa: PLC0415 - only dirt needs it value by value

    date = jdatetime.date.fromgregorian(date=day)
    return date.year, date.month, date.day


def _slashed(day: dt.date) -> str:
    year, month, number = _jalali(day)
    return f"{year:04d}/{month:02d}/{number:02d}"


def _in_words(day: dt.date) -> str:
    year, month, number = _jalali(day)
    return f"{number} {_MONTHS[month - 1]} {year}".translate(_PERSIAN)


def _unpadded(day: dt.date) -> str:
    return "-".join(str(part) for part in _jalali(day))


_DAY: Final = dt.timedelta(days=1)
_DATE: Final[Sequence[Way]] = (
    _pairs(lambda day: (day.isoformat() + _MIDNIGHT, _slashed(day).translate(_PERSIAN))),
    _pairs(lambda day: (None, _in_words(day))),
    _pairs(lambda day: (None, _unpadded(day))),
    _pairs(lambda day: (day.isoformat() + _MIDNIGHT, _slashed(day + _DAY))),
    _pairs(lambda day: ((day - _DAY).isoformat() + "T20:30:00", _slashed(day))),
    _pairs(lambda day: (_slashed(day), "")),
    _pairs(lambda day: (None, _slashed(day)[:5] + "13/45")),
    lambda _: ("0001-01-01T00:00:00", ""),
)

WAYS: Final[Mapping[str, Sequence[Way]]] = {
    "Mobile": _MOBILE,
    "text": _TEXT,
    "AddressText": _ADDRESS,
    "Email": _EMAIL,
    "UpdateDateTime": _STAMP,
    "GenderTypeStr": (lambda text: "خانم" if text == "آقا" else "آقا", lambda text: f"{text} "),
    "date": _DATE,
}
"""Field (or kind of field) to its ways; a date's way gives both fields of its pair."""
