"""Arrays put away on disk until somebody looks, so that memory does not grow with the book."""

from __future__ import annotations

import tempfile
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import BufferedRandom

    import numpy.typing as npt

__all__ = ["Spill", "Spilled", "laid_together"]


class Spilled(NamedTuple):
    """An array that was put away."""

    file: BufferedRandom
    place: int
    """Its first byte in the file."""
    length: int
    dtype: np.dtype[Any]

    def read(self) -> npt.NDArray[Any]:
        """Give a copy of it that may be written to."""
        array = np.empty(self.length, self.dtype)
        self.read_into(array)
        return array

    def read_into(self, array: npt.NDArray[Any]) -> None:
        """Copy it into an array of its length and type, whose values lie side by side."""
        self.file.seek(self.place)
        self.file.readinto(array.view(np.uint8).data)


class Spill:
    """A file without a name that holds arrays; one thread at a time may use it.

    >>> spill = Spill()
    >>> first, second = spill.put(np.array([1, 2])), spill.put(np.array([0.5]))
    >>> first.read().tolist(), second.read().tolist()
    ([1, 2], [0.5])
    """

    def __init__(self) -> None:
        self._file: BufferedRandom | None = None
        self._end = 0

    def put(self, array: npt.NDArray[Any]) -> Spilled:
        """Put away an array of one dimension."""
        if self._file is None:
            # Made when there is something to keep, and closed when nobody knows of this spill any more.
            self._file = tempfile.TemporaryFile(prefix="amoot-")  # noqa: SIM115 - see above
            weakref.finalize(self, self._file.close)
        self._file.seek(self._end)
        self._file.write(np.ascontiguousarray(array).view(np.uint8).data)
        spilled = Spilled(self._file, self._end, len(array), array.dtype)
        self._end += array.nbytes
        return spilled


def laid_together(parts: Sequence[npt.NDArray[np.int64] | Spilled]) -> npt.NDArray[np.int64]:
    """Lay whole numbers end to end, wherever they are; of those on disk no second copy is made.

    >>> spill = Spill()
    >>> laid_together([np.array([1, 2]), spill.put(np.array([3]))]).tolist()
    [1, 2, 3]
    """
    lengths = [part.length if isinstance(part, Spilled) else len(part) for part in parts]
    whole = np.empty(sum(lengths), np.int64)
    end = 0
    for part, length in zip(parts, lengths, strict=True):
        place = whole[end : end + length]
        if isinstance(part, Spilled):
            part.read_into(place)
        else:
            place[:] = part
        end += length
    return whole
