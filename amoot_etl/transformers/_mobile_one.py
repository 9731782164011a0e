"""Read one number at a time: what is left when the chunk's plain Iranian mobiles have been read.

This is the careful reading, and the whole of the rules: it reads the plain ones too, and the fast path of
`mobile` must agree with it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from amoot_etl.transformers._digits import DIGITS, skeleton
from amoot_etl.transformers._mobile_ranges import RANGES

if TYPE_CHECKING:
    from collections.abc import Callable

    import phonenumbers

__all__ = ["BLOCKS", "KINDS", "OPERATORS", "UNLISTED_BLOCK", "One", "read_one"]

KINDS: Final = ("ir", "ir_unlisted", "foreign", "landline", "invalid")
"""The kinds of numbers; elsewhere in the package a kind is its place here."""

OPERATORS: Final = tuple(sorted({holder for _, _, holder in RANGES if holder}))
"""The holders of Iranian mobile ranges."""

UNLISTED_BLOCK: Final = -2


def _block_table() -> npt.NDArray[np.int8]:
    table = np.full(10_000, UNLISTED_BLOCK, np.int8)
    for first, last, holder in RANGES:
        table[first - 90_000 : last - 89_999] = OPERATORS.index(holder) if holder else -1
    return table


BLOCKS: Final = _block_table()
"""For each block of five digits from 90000: its holder's place in `OPERATORS`, -1 for none, -2 if unlisted."""

_TEL: Final = re.compile(r"^[\s\u200e\u200f\u202a-\u202e\u2066-\u2069]*tel:", re.IGNORECASE)
_EXTENSION: Final = re.compile(
    rf"\s*(?:;ext=|ext\.?|x|#|داخلی|داخلي)[\s:.]*[{DIGITS}]{{1,6}}\s*$", re.IGNORECASE
)
_NATIONAL: Final = re.compile(r"0[1-9][0-9]{9}|(?!0|98)[0-9]{4,10}")
"""Digits in Iran's national form, whose national number is plain: no prefix but one zero can stand in them."""

_ROUNDED: Final = re.compile(rf"^\s*[{DIGITS}]+(?:[.,٫][{DIGITS}]+)?e\+?[{DIGITS}]+\s*$", re.IGNORECASE)


class One(NamedTuple):
    """What one text turned out to be."""

    kind: int
    country: str | None = None
    e164: str | None = None
    national: int = 0
    """The ten digits of an Iranian mobile, else 0."""
    detail: str | None = None
    """What is wrong, when something is."""


def read_one(text: str) -> One | None:
    """Read one text of any form; None when it is empty.

    >>> read_one("+98 0912 123 4567").e164
    '+989121234567'
    >>> read_one("+964 770 123 4567").country
    'IQ'
    >>> read_one("9.12E+09").detail
    'a spreadsheet rounded the number: its digits are lost'
    """
    bare = _TEL.sub("", text)
    marked = skeleton(bare)
    extension = _EXTENSION.search(bare) if "?" in marked else None
    if extension:
        marked = skeleton(bare[: extension.start()])
    digits = marked.strip("+")
    explicit = digits != marked  # a plus at the end is one at the start, typed among right-to-left letters
    if not digits.strip("0"):
        return None
    if _ROUNDED.match(bare):
        return _invalid("a spreadsheet rounded the number: its digits are lost")
    if not digits.isdecimal():
        return _invalid("letters or signs stand among the digits")
    national = _iranian(digits, explicit=explicit)
    one = _mobile(national) if national else _ask_metadata(digits, explicit=explicit)
    if one is None:
        return _invalid(f"{len(digits)} digits that are no Iranian mobile and no valid number elsewhere")
    if extension and one.e164:
        return _invalid("a mobile has no extension")
    return one


def _invalid(detail: str) -> One:
    return One(KINDS.index("invalid"), detail=detail)


def _mobile(national: int) -> One:
    unlisted = BLOCKS[national // 10**5 - 90_000] == UNLISTED_BLOCK
    return One(KINDS.index("ir_unlisted" if unlisted else "ir"), "IR", f"+98{national}", national)


def _iranian(digits: str, *, explicit: bool) -> int:
    """Give the ten national digits of what is written as an Iranian mobile, 0 for everything else."""
    head, national = digits[:-10], digits[-10:]
    if len(national) < 10 or not national.startswith("9") or (explicit and not head):
        return 0  # a plus and ten digits is a number of the country that its first digits name
    return int(national) if head in {"", "0", "98", "098", "0098", "980", "00980"} else 0


def _ask_metadata(digits: str, *, explicit: bool) -> One | None:
    """Ask `phonenumbers`; None when no reading of the digits is valid.

    An integer has lost its `+` and its zeros, so digits that are no Iranian number are read as if a `+` stood
    before them; but only ten or more, for of the shorter ones most would be some small country's.

    Args:
        digits: ASCII digits.
        explicit: Whether a `+` stood beside them.
    """
    import phonenumbers  # noqa: PLC0415 - most chunks need it for no row, and it takes a while to load

    kinds = phonenumbers.PhoneNumberType
    readings: list[Callable[[], phonenumbers.PhoneNumber]] = []
    if not explicit and (digits.startswith("0") or len(digits) <= 10):
        if _NATIONAL.fullmatch(digits):
            # Parsing has nothing to find out here, and takes most of the time.
            readings.append(lambda: phonenumbers.PhoneNumber(98, int(digits)))
        else:
            readings.append(lambda: phonenumbers.parse(digits, "IR"))
    if explicit or (len(digits) >= 10 and not digits.startswith("0")):
        readings.append(lambda: phonenumbers.parse("+" + digits))
    for read in readings:
        try:
            number = read()
        except phonenumbers.NumberParseException:
            continue
        kind = phonenumbers.number_type(number)
        if kind == kinds.UNKNOWN:
            continue
        code = phonenumbers.region_code_for_number(number)
        country = None if code == "001" else code  # a satellite network belongs to no country
        if kind not in {kinds.MOBILE, kinds.FIXED_LINE_OR_MOBILE, kinds.PERSONAL_NUMBER, kinds.PAGER}:
            where = "" if country == "IR" else f" ({country or 'no one country'})"
            return One(KINDS.index("landline"), country, detail=f"a valid number that no mobile has{where}")
        if country == "IR":
            return _mobile(int(number.national_number or 0))
        e164 = f"+{number.country_code}{phonenumbers.national_significant_number(number)}"
        return One(KINDS.index("foreign"), country, e164)
    return None
