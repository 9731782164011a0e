"""Sets of IDs as rising arrays: joined, parted and looked up by search, whatever their sizes.

NumPy's own set functions hash or sort both sides anew; here a few IDs against a million cost a few searches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy.typing as npt

    Ids = npt.NDArray[np.int64]

__all__ = ["NOBODY", "common", "ids_of", "inside", "places_in", "union", "without"]

NOBODY: Final[Ids] = np.empty(0, np.int64)
"""No IDs."""

_MANY: Final = 8
_ENDS: Final = 1 << 16


def inside(ids: Ids, many: Ids) -> npt.NDArray[np.bool_]:
    """Say which of some IDs, in any order, are among rising ones.

    >>> inside(np.array([5, 1, 9]), np.array([1, 5])).tolist()
    [True, True, False]
    """
    if not len(many) or not len(ids):
        return np.zeros(len(ids), bool)
    if len(ids) < _ENDS // 256 or len(many) > _ENDS // 4:
        return places_in(ids, many)[0]
    # Most are told apart by their last bits, in a table that stays in the processor's cache: a third of searching.
    ends = np.zeros(_ENDS, bool)
    ends[many & (_ENDS - 1)] = True
    found: npt.NDArray[np.bool_] = ends[ids & (_ENDS - 1)]
    rows = np.flatnonzero(found)
    found[rows] = places_in(ids[rows], many)[0]
    return found


def places_in(ids: Ids, many: Ids) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """Say which of some IDs, in any order, are among rising ones, and where those stand there.

    >>> held, places = places_in(np.array([5, 1, 9]), np.array([1, 5]))
    >>> held.tolist(), places.tolist()
    ([True, True, False], [1, 0])
    """
    if not len(many) or not len(ids):
        return np.zeros(len(ids), bool), np.empty(0, np.intp)
    # Two books hardly differ: nearly always all stand side by side, and a look is a tenth of a search.
    start = int(np.searchsorted(many, ids[0]))
    if np.array_equal(ids, many[start : start + len(ids)]):
        return np.ones(len(ids), bool), np.arange(start, start + len(ids))
    places = np.minimum(np.searchsorted(many, ids), len(many) - 1)
    held: npt.NDArray[np.bool_] = many[places] == ids
    return held, places[held]


def common(one: Ids, other: Ids) -> Ids:
    """Give the IDs that two rising arrays share.

    >>> common(np.array([1, 3, 5]), np.array([3, 4, 5, 6])).tolist()
    [3, 5]
    """
    few, many = (one, other) if len(one) < len(other) else (other, one)
    return few[inside(few, many)]


def without(ids: Ids, others: Ids) -> Ids:
    """Give the IDs of a rising array that another one lacks.

    >>> without(np.array([1, 3, 5]), np.array([3])).tolist()
    [1, 5]
    """
    if len(others) < len(ids):
        kept = np.ones(len(ids), bool)
        if len(others):
            places = np.searchsorted(ids, others)
            places = places[ids[np.minimum(places, len(ids) - 1)] == others]
            kept[places] = False
        return ids[kept]
    return ids[~inside(ids, others)]


def union(*arrays: Ids) -> Ids:
    """Give the IDs of several rising arrays, each once, rising.

    >>> union(np.array([1, 5]), np.array([3, 5])).tolist()
    [1, 3, 5]
    """
    some = [array for array in arrays if len(array)]
    if len(some) < 2:
        return some[0] if some else NOBODY
    ids = np.concatenate(some)
    # A few runs that rise already are merged in less time than all is sorted, many are not.
    ids.sort(kind="stable" if len(some) < _MANY else None)
    once: Ids = ids[np.append(True, ids[1:] != ids[:-1])]
    return once


def ids_of(numbers: Collection[int]) -> Ids:
    """Give numbers as a set.

    >>> ids_of([7, 3, 7]).tolist()
    [3, 7]
    """
    ids: Ids = np.sort(np.fromiter(numbers, np.int64, len(numbers)))
    once: Ids = ids[np.append(True, ids[1:] != ids[:-1])[: len(ids)]]
    return once
