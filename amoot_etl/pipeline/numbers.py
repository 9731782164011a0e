"""Which contacts share a number: found on disk, so that memory does not grow with the book."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from amoot_etl.pipeline.alignment import once
from amoot_etl.pipeline.idsets import inside
from amoot_etl.pipeline.spill import Spill, Spilled

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

__all__ = ["SharedNumbers"]

_NONE: Final = np.empty((2, 0), np.int64)
_PER_PASS: Final = 1 << 20
"""Numbers compared at a time: 16 MiB of them, and as much again to sort."""


class SharedNumbers:
    """Every contact's number, to be asked which ones several contacts share.

    >>> numbers = SharedNumbers()
    >>> numbers.add(np.array([1, 2, 3]), np.array([98912, 98935, 0]))
    >>> numbers.add(np.array([4]), np.array([98912]))
    >>> numbers.add(np.array([5, 6, 7]), np.array([98901, 98901, 98901]))
    >>> numbers.shared()
    {1: 2, 4: 2, 5: 3, 6: 3, 7: 3}
    """

    def __init__(self) -> None:
        self._spill = Spill()
        self._parts: list[Spilled] = []
        self._count = 0

    def add(self, contacts: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64]) -> None:
        """Enter contacts and their numbers; 0 is none."""
        some = numbers > 0
        both = np.concatenate((contacts[some], numbers[some]), dtype=np.int64)
        self._parts.append(self._spill.put(both))
        self._count += len(both) // 2

    def shared(self) -> dict[int, int]:
        """Give each contact whose number others have too, and how many share it."""
        passes = self._count // _PER_PASS + 1
        shared: dict[int, int] = {}
        for number in range(passes):
            contacts, numbers = np.concatenate([_NONE, *self._blocks(number, passes)], axis=1)
            rising = np.sort(numbers)
            several = once(rising[1:][rising[1:] == rising[:-1]])
            rows = np.flatnonzero(inside(numbers, several))
            counts = np.searchsorted(rising, several, "right") - np.searchsorted(rising, several)
            counts = counts[np.searchsorted(several, numbers[rows])]
            shared.update(zip(contacts[rows].tolist(), counts.tolist(), strict=True))
        return shared

    def close(self) -> None:
        """Let go of what is on disk."""
        self._spill, self._parts = Spill(), []

    def _blocks(self, number: int, passes: int) -> Iterator[npt.NDArray[np.int64]]:
        """Give contacts above their numbers, of one pass: numbers fall to passes by their remainder."""
        for part in self._parts:
            both = part.read().reshape(2, -1)
            yield both[:, both[1] % passes == number] if passes > 1 else both
