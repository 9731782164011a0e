"""Arrays put away on disk until somebody looks, so that memory does not grow with the book."""

from __future__ import annotations

import tempfile
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from io import BufferedRandom

    import numpy.typing as npt

__all__ = ["Shelf", "Shelved"]


class Shelved(NamedTuple):
    """An array that was put away."""

    file: BufferedRandom
    place: int
    """Its first byte in the file."""
    length: int
    dtype: np.dtype[Any]

    def read(self) -> npt.NDArray[Any]:
        """Give a copy of it that may be written to."""
        array = np.empty(self.length, self.dtype)
        self.file.seek(self.place)
        self.file.readinto(array.view(np.uint8).data)
        return array


class Shelf:
    """A file without a name that holds arrays; one thread at a time may use it.

    >>> shelf = Shelf()
    >>> first, second = shelf.put(np.array([1, 2])), shelf.put(np.array([0.5]))
    >>> first.read().tolist(), second.read().tolist()
    ([1, 2], [0.5])
    """

    def __init__(self) -> None:
        self._file: BufferedRandom | None = None
        self._end = 0

    def put(self, array: npt.NDArray[Any]) -> Shelved:
        """Put away an array of one dimension."""
        if self._file is None:
            # Made when there is something to keep, and closed when nobody knows of this shelf any more.
            self._file = tempfile.TemporaryFile(prefix="amoot-")  # noqa: SIM115 - see above
            weakref.finalize(self, self._file.close)
        self._file.seek(self._end)
        self._file.write(np.ascontiguousarray(array).view(np.uint8).data)
        shelved = Shelved(self._file, self._end, len(array), array.dtype)
        self._end += array.nbytes
        return shelved
