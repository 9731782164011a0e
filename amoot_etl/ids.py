"""Read contact IDs from the text that the portal sends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["usable_id", "usable_ids"]

_ID: Final = re.compile(r"([0-9]{1,19})(?:\.0+)?")


def usable_id(text: str | None) -> int | None:
    """Read one ID from its text, as `usable_ids`.

    >>> usable_id("7.0"), usable_id("0"), usable_id("12x"), usable_id(str(1 << 63))
    (7, None, None, None)
    """
    match = _ID.fullmatch(text or "")
    number = int(match[1]) if match else 0
    return number if 1 <= number < 1 << 63 else None


def usable_ids(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.int64] | None:
    """Read IDs from their text: whole numbers from 1 up, as `7` or `7.0`; None unless every one is usable.

    >>> usable_ids(pa.array(["7", "8.0"])), usable_ids(pa.array(["7", "0x10"]))
    (array([7, 8]), None)
    """
    try:
        ids = pc.cast(column, pa.int64())
    except pa.ArrowInvalid:
        whole = pc.replace_substring_regex(column, r"^([0-9]{1,19})\.0+$", r"\1")
        try:
            ids = pc.cast(whole, pa.int64())
        except pa.ArrowInvalid:
            return None
    if ids.null_count or _any_hex(column):
        return None
    numbers: npt.NDArray[np.int64] = ids.to_numpy()
    return None if len(numbers) and numbers.min() < 1 else numbers


def _any_hex(column: pa.ChunkedArray | pa.Array) -> bool:
    """Say whether a number is written as `0x10`, which Arrow reads as sixteen."""
    # Nearly always all are digits, which is told in a sixth of the time.
    return not pc.all(pc.ascii_is_decimal(column)).as_py() and any(
        pc.any(pc.match_substring(column, letter)).as_py() for letter in "xX"
    )
