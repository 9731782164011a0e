"""Find where bytes stand in a big body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["places_of"]

_STEP: Final = 1 << 20
"""Bytes looked at together: what is compared stays in the processor's cache, and no copy of a body is made."""


def places_of(data: npt.NDArray[np.uint8], text: bytes) -> npt.NDArray[np.int64]:
    """Give the places where a text of one byte or more begins, rising.

    >>> places_of(np.frombuffer(b'{"ID":7,"Note":null}', np.uint8), b'":').tolist()
    [4, 13]
    """
    found = []
    for start in range(0, len(data) - len(text) + 1, _STEP):
        part = data[start : start + _STEP + len(text) - 1]
        count = len(part) - len(text) + 1
        here = part[:count] == text[0]
        for at, byte in enumerate(text[1:], 1):
            here &= part[at : at + count] == byte
        places = np.flatnonzero(here)
        places += start
        found.append(places)
    return np.concatenate(found) if found else np.empty(0, np.int64)
