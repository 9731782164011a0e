"""Which contacts share a number: found on disk, so that memory does not grow with the book."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.pipeline.alignment import once
from amoot_etl.pipeline.shelf import Shelf, Shelved

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

__all__ = ["SharedNumbers"]

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
        self._shelf = Shelf()
        self._parts: list[Shelved] = []
        self._count = 0

    def add(self, contacts: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64]) -> None:
        """Enter contacts and their numbers; 0 is none."""
        some = numbers > 0
        pairs = np.column_stack((contacts[some], numbers[some])).astype(np.int64, copy=False)
        self._parts.append(self._shelf.put(pairs.ravel()))
        self._count += len(pairs)

    def shared(self) -> dict[int, int]:
        """Give each contact whose number others have too, and how many share it."""
        passes = self._count // _PER_PASS + 1
        shared: dict[int, int] = {}
        for number in range(passes):
            pairs = np.concatenate([np.empty((0, 2), np.int64), *self._blocks(number, passes)])
            numbers = np.ascontiguousarray(pairs[:, 1])
            rising = np.sort(numbers)
            several = once(rising[1:][rising[1:] == rising[:-1]])
            # Few are shared: a look into a small hash table each, in a third of the time of a search.
            rows = np.flatnonzero(
                pc.is_in(pa.array(numbers), pa.array(several)).to_numpy(zero_copy_only=False)
            )
            counts = np.searchsorted(rising, several, "right") - np.searchsorted(rising, several)
            counts = counts[np.searchsorted(several, numbers[rows])]
            shared.update(zip(pairs[rows, 0].tolist(), counts.tolist(), strict=True))
        return shared

    def close(self) -> None:
        """Let go of what is on disk."""
        self._shelf, self._parts = Shelf(), []

    def _blocks(self, number: int, passes: int) -> Iterator[npt.NDArray[np.int64]]:
        """Give the pairs of one pass: numbers fall to passes by their remainder."""
        for part in self._parts:
            pairs = part.read().reshape(-1, 2)
            yield pairs[pairs[:, 1] % passes == number] if passes > 1 else pairs
