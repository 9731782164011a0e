"""Read the numbers that people type, a whole chunk at once: signs, thousands, a point, digits of every keyboard."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["PRECISION", "read_numbers"]

PRECISION: Final = 18
"""Digits that a number may have; both `int64` and `decimal128(18, ...)` hold them all."""

_EDGE: Final = "\x00"
"""Stands between texts that are folded as one."""

_EMPTY: Final = "^[ _-]*$"
_NUMBER: Final = r"^[+-]?(?:[0-9]+|[0-9]{1,3}(?:[, ][0-9]{3})+)(?:\.[0-9]*)?$|^[+-]?\.[0-9]+$"
_PARTS: Final = r"^(?P<sign>-?)0*(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*?)0*)?$"
_FOLDED: Final = {
    **{chr(zero + digit): str(digit) for zero in (0x660, 0x6F0, 0xFF10) for digit in range(10)},
    **dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\u2014\ufe63\uff0d", "-"),
    **dict.fromkeys("،٬，", ","),
    **dict.fromkeys("٫．", "."),
    "＋": "+",
    **dict.fromkeys("\t\n\v\f\r\x85\xa0\u2007\u2009\u200a\u202f\u3000", " "),
    **dict.fromkeys("\u0640\u200b\u200c\u200d\u200e\u200f\u061c\u2060\ufeff\xad", ""),
    **dict.fromkeys(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))), ""),
}
"""What people type where a number has an ASCII sign, and what cannot be seen in it."""


def read_numbers(texts: pa.Array, places: int | None) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Read texts as numbers.

    Args:
        texts: `string`, without nulls.
        places: Digits behind the point; None for whole numbers.

    Returns:
        The numbers, `int64` or `decimal128(18, places)`, null where there is none; which texts are neither a number
        that fits nor empty, `bool`; and what is wrong with them, `string`.

    >>> values, wrong, details = read_numbers(pa.array(["۱۲٬۵۰۰٫۵۰", "1/2", "2.125", " - "]), 2)
    >>> values.to_pylist()
    [Decimal('12500.50'), None, None, None]
    >>> [detail for detail, bad in zip(details.to_pylist(), wrong.to_pylist()) if bad]
    ['no number', 'more than 2 places']
    """
    written = _folded(texts)
    empty = pc.match_substring_regex(written, _EMPTY)
    shaped = pc.match_substring_regex(written, _NUMBER)
    bare = pc.replace_substring_regex(pc.if_else(shaped, written, pa.scalar("0")), "[, +]", "")
    parts = pc.extract_regex(bare, _PARTS)
    sign, whole, part = (pc.struct_field(parts, [at]) for at in range(3))
    fraction = places or 0
    long = pc.greater(pc.binary_length(whole), PRECISION - fraction)
    fine = pc.greater(pc.binary_length(part), fraction)
    whole = pc.if_else(pc.equal(whole, ""), pa.scalar("0"), whole)
    number = pc.binary_join_element_wise(sign, whole, "")
    if places:
        behind = pc.if_else(pc.equal(part, ""), pa.scalar("0"), part)
        number = pc.binary_join_element_wise(number, behind, ".")
    good = pc.and_not(shaped, pc.or_(long, fine))
    kind = pa.int64() if places is None else pa.decimal128(PRECISION, places)
    values = pc.if_else(good, number, pa.scalar(None, pa.string())).cast(kind)
    details = pc.case_when(
        pc.make_struct(pc.invert(shaped), long, fine),
        "no number",
        f"more than {PRECISION - fraction} digits",
        "no whole number" if places is None else f"more than {places} places",
    )
    return values, pc.invert(pc.or_(good, empty)), details


def _folded(texts: pa.Array) -> pa.Array:
    """Give texts with ASCII digits and signs; those that are so already are not looked at."""
    odd = pc.invert(pc.match_substring_regex(texts, "^[0-9.-]+$"))
    rows = texts.filter(odd).to_pylist()
    if not rows:
        return texts
    # All at once: a scan of the whole for each sign is faster than a look at each of its characters.
    joined = _EDGE.join(text.replace(_EDGE, "") for text in rows)
    for char in set(joined) & _FOLDED.keys():
        joined = joined.replace(char, _FOLDED[char])
    plain = [text.strip() for text in joined.split(_EDGE)]
    return pc.replace_with_mask(texts, odd, pa.array(plain, pa.string()))
