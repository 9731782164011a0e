"""Read one number at a time: what is left when the chunk's plain Iranian mobiles have been read.

This is the careful reading, and the whole of the rules: it reads the plain ones too, and the fast path of
`mobile` must agree with it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from amoot_etl.transformers._digits import DIGITS, skeleton
from amoot_etl.transformers._mobile_plans import by_parsing, by_plan, split
from amoot_etl.transformers._mobile_ranges import RANGES

__all__ = ["BLOCKS", "KINDS", "OPERATORS", "UNLISTED_BLOCK", "One", "read_one"]

KINDS: Final = ("ir", "ir_unlisted", "foreign", "landline", "invalid")
"""The kinds of numbers; elsewhere in the package a kind is its place here."""

OPERATORS: Final = tuple(sorted({holder for _, _, holder in RANGES if holder}))
"""The holders of Iranian mobile ranges."""

UNLISTED_BLOCK: Final = -2
_IRAN: Final = 98


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


def read_one(text: str, marked: str | None = None) -> One | None:
    """Read one text of any form; None when it is empty.

    Args:
        text: As received.
        marked: Its `skeleton`, where it is known already.

    >>> read_one("+98 0912 123 4567").e164
    '+989121234567'
    >>> read_one("+964 770 123 4567").country
    'IQ'
    >>> read_one("9.12E+09").detail
    'a spreadsheet rounded the number: its digits are lost'
    """
    marked = skeleton(text) if marked is None else marked
    if "?" not in marked:
        return _read_digits(marked)
    bare = _TEL.sub("", text)
    marked = skeleton(bare)
    extension = _EXTENSION.search(bare) if "?" in marked else None
    if extension:
        marked = skeleton(bare[: extension.start()])
    if marked.strip("+").strip("0") and _ROUNDED.match(bare):
        return _invalid("a spreadsheet rounded the number: its digits are lost")
    one = _read_digits(marked)
    if extension and one and one.e164:
        return _invalid("a mobile has no extension")
    return one


def _read_digits(marked: str) -> One | None:
    """Read what `skeleton` makes of a text."""
    digits = marked.strip("+")
    explicit = digits != marked  # a plus at the end is one at the start, typed among right-to-left letters
    if not digits.strip("0"):
        return None
    if not digits.isdecimal():
        return _invalid("letters or signs stand among the digits")
    national = _iranian(digits, explicit=explicit)
    one = _mobile(national) if national else _ask_metadata(digits, explicit=explicit)
    if one is None:
        return _invalid(f"{len(digits)} digits that are no Iranian mobile and no valid number elsewhere")
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
    found = None
    if not explicit and (digits.startswith("0") or len(digits) <= 10):
        # Parsing has nothing to find out about a plain number, and takes most of the time.
        plain = _NATIONAL.fullmatch(digits)
        found = by_plan(_IRAN, digits.removeprefix("0")) if plain else by_parsing(digits, "IR")
    if found is None and (explicit or (len(digits) >= 10 and not digits.startswith("0"))):
        found = by_plan(*parts) if (parts := split(digits)) else by_parsing(f"+{digits}", None)
    if found is None:
        return None
    if not found.may_be_mobile:
        where = "" if found.country == "IR" else f" ({found.country or 'no one country'})"
        detail = f"a valid number that no mobile has{where}"
        return One(KINDS.index("landline"), found.country, detail=detail)
    if found.country == "IR":
        return _mobile(int(found.national))
    return One(KINDS.index("foreign"), found.country, f"+{found.code}{found.national}")
