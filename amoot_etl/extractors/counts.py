"""Count the values in a body without reading it: what proves that a fast reading lost nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from amoot_etl.extractors.places import places_of

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["count_values"]

_BLANKS: Final = (b" ", b"\t", b"\n", b"\r")
_DIGITS: Final = range(24)


def count_values(data: npt.NDArray[np.uint8]) -> int | None:
    """Count the values that are not null in compact or spaced JSON; None where only a careful reading is safe.

    Every key ends in an unescaped quote and a colon, and nothing else does. What follows says what the value is.
    Not safe are nested values (they hold keys of their own), and numbers that are not plain digits (`1.10` must
    not become `1.1`).
    """
    ends = places_of(data, b'":')
    if len(ends) and ends[-1] + 4 >= len(data):
        return None
    escaped = data[ends - 1] == ord("\\")
    if escaped.any():
        # A quote after an escaped backslash does end a key, but no key of the portal's holds one.
        if (data[ends[escaped] - 2] == ord("\\")).any():
            return None
        ends = ends[~escaped]
    if any(_ends_a_key(data, colon) for blank in _BLANKS for colon in places_of(data, blank + b":").tolist()):
        return None
    starts = ends + 2
    first = data[starts]
    spaced = first == ord(" ")
    if spaced.any():
        starts = starts + spaced
        first = data[starts]
    kinds = np.bincount(first, minlength=256)
    numbers = int(kinds[ord("0") : ord("9") + 1].sum())
    plain = int(kinds[[ord('"'), ord("t"), ord("f"), ord("n")]].sum())
    if numbers + plain != len(ends) or not _plain_numbers(data, starts, first, numbers):
        return None
    return len(ends) - int(kinds[ord("n")])


def _ends_a_key(data: npt.NDArray[np.uint8], place: int) -> bool:
    """Say whether the white space at a place, which a colon follows, may stand behind a key: it was not counted."""
    while place > 0 and data[place : place + 1].tobytes() in _BLANKS:
        place -= 1
    return bool(data[place] == ord('"'))


def _plain_numbers(
    data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], first: npt.NDArray[np.uint8], count: int
) -> bool:
    """Say whether every number is digits up to the comma or bracket that ends it."""
    if not count:
        return True
    at = starts[(first >= ord("0")) & (first <= ord("9"))]
    for _ in _DIGITS:
        at = at + 1
        if len(at) and at.max() >= len(data):
            return False
        byte = data[at]
        digit = (byte >= ord("0")) & (byte <= ord("9"))
        ended = (byte == ord(",")) | (byte == ord("}"))
        if not (digit | ended).all():
            return False
        at = at[digit]
        if not len(at):
            return True
    return False
