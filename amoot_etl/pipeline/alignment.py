"""Which row of one table is which row of another, told by contact and by row group."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from amoot_etl.pipeline.idsets import places_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    Ints: TypeAlias = npt.NDArray[np.int64]

__all__ = ["Alignment", "Pair", "aligned", "is_rising", "once", "twins"]

_MOST_RUNS: Final = 64
"""Runs of neighbours that are worth comparing slice by slice; with more, rows are picked one by one."""

Part: TypeAlias = "tuple[slice | Ints, slice | Ints]"


class Pair(NamedTuple):
    """The contacts that a row group of the old table shares with one of the new."""

    old: int
    new: int
    parts: tuple[Part, ...]
    """Rows of the old group and of the new one that belong together: runs of neighbours, or one by one."""
    whole: bool
    """Whether both groups hold the same contacts in the same order, and no others."""


class Alignment(NamedTuple):
    """How two tables of contacts lie beside each other."""

    pairs: list[Pair]
    """Sorted by the old group, then by the new."""
    in_order: bool
    """Whether going through the pairs, the new groups come in their order too, each met in one go."""
    added: Ints
    """Contacts that only the new table has, rising."""
    removed: Ints
    """Contacts that only the old table has, rising."""


def is_rising(values: Ints) -> bool:
    """Tell whether each value is larger than the one before.

    >>> is_rising(np.array([1, 3, 9])), is_rising(np.array([1, 1]))
    (True, False)
    """
    return bool((values[1:] > values[:-1]).all())


def once(values: Ints) -> Ints:
    """Give the distinct values, rising.

    `np.unique` hashes first, which for a million ids in order takes forty times as long.

    >>> once(np.array([3, 1, 3])).tolist()
    [1, 3]
    """
    if is_rising(values):
        return values
    if (values[1:] < values[:-1]).any():
        values = np.sort(values)
    distinct: Ints = values[np.append(True, values[1:] != values[:-1])]
    return distinct


def aligned(earlier: Ints, ids: Ints, old_groups: Sequence[int], new_groups: Sequence[int]) -> Alignment:
    """Lay two tables of contacts beside each other.

    Args:
        earlier: The ids of the old table, unique, in any order.
        ids: Those of the new one.
        old_groups: How many rows each row group of the old table has.
        new_groups: Those of the new one.

    >>> both = aligned(np.array([1, 2, 3]), np.array([2, 3, 4]), [2, 1], [3])
    >>> [(pair.old, pair.new, pair.parts) for pair in both.pairs]
    [(0, 0, ((slice(1, 2, None), slice(0, 1, None)),)), (1, 0, ((slice(0, 1, None), slice(1, 2, None)),))]
    >>> both.added.tolist(), both.removed.tolist()
    ([4], [1])
    """
    counterparts = twins(earlier, ids)
    starts = np.cumsum([0, *old_groups])
    pairs: list[Pair] = []
    met = np.zeros(len(earlier), np.bool_)
    for group, (start, stop) in enumerate(pairwise(np.cumsum([0, *new_groups]).tolist())):
        here = counterparts[start:stop]
        rows = np.flatnonzero(here >= 0)
        places = here[rows]
        met[places] = True
        pairs += _pairs(group, stop - start, rows, places, starts)
    pairs.sort(key=lambda pair: (pair.old, pair.new))
    in_order = all(one.new <= other.new for one, other in pairwise(pairs))
    return Alignment(pairs, in_order, np.sort(ids[counterparts < 0]), np.sort(earlier[~met]))


def twins(earlier: Ints, ids: Ints) -> Ints:
    """Give for each new row the old row of the same contact, or -1.

    Args:
        earlier: The old contacts, unique, in any order.
        ids: The new ones.

    >>> twins(np.array([1, 2, 3]), np.array([3, 4])).tolist()
    [2, -1]
    """
    if np.array_equal(earlier, ids):
        return np.arange(len(ids))
    if not len(earlier):
        return np.full(len(ids), -1)
    order = None if is_rising(earlier) else np.argsort(earlier, kind="stable")
    known = earlier if order is None else earlier[order]
    if is_rising(ids):
        places = _found(known, ids)
    else:
        # Looking rising values up walks through memory, others leap: sorting first is the cheaper way.
        seen = np.argsort(ids, kind="stable")
        places = np.empty(len(ids), np.int64)
        places[seen] = _found(known, ids[seen])
    if order is None:
        return places
    rows: Ints = np.where(places < 0, -1, order[places])
    return rows


def _found(known: Ints, ids: Ints) -> Ints:
    """Give the places of ids among known ones, rising; -1 for an unknown one."""
    held, found = places_in(ids, known)
    places = np.full(len(ids), -1, np.int64)
    places[held] = found
    return places


def _pairs(group: int, length: int, rows: Ints, places: Ints, starts: Ints) -> Iterator[Pair]:
    """Give the pairs of one new row group: its rows that have a twin, and where the twins stand."""
    if not len(rows):
        return
    if is_rising(places):
        cuts = np.searchsorted(places, starts)
        for old in np.flatnonzero(np.diff(cuts)).tolist():
            part = slice(cuts[old], cuts[old + 1])
            yield _pair(old, group, length, rows[part], places[part], starts)
        return
    owners = np.searchsorted(starts, places, "right") - 1
    order = np.argsort(owners, kind="stable")
    rows, places = rows[order], places[order]
    cuts = np.searchsorted(owners[order], np.arange(len(starts)))
    for old in np.flatnonzero(np.diff(cuts)).tolist():
        part = slice(cuts[old], cuts[old + 1])
        yield _pair(old, group, length, rows[part], places[part], starts)


def _pair(old: int, new: int, length: int, rows: Ints, places: Ints, starts: Ints) -> Pair:  # noqa: PLR0913, PLR0917
    places = places - starts[old]
    breaks = np.flatnonzero((np.diff(rows) != 1) | (np.diff(places) != 1)) + 1
    if len(breaks) >= _MOST_RUNS:
        return Pair(old, new, ((_run(places), _run(rows)),), whole=False)
    parts = []
    for start, stop in pairwise([0, *breaks.tolist(), len(rows)]):
        first, twin, count = int(rows[start]), int(places[start]), stop - start
        parts.append((slice(twin, twin + count), slice(first, first + count)))
    whole = len(parts) == 1 and len(rows) == length == starts[old + 1] - starts[old]
    return Pair(old, new, tuple(parts), whole=whole)


def _run(rows: Ints) -> slice | Ints:
    """Give rows as a slice where they are neighbours."""
    first, count = int(rows[0]), len(rows)
    if int(rows[-1]) - first == count - 1 and is_rising(rows):
        return slice(first, first + count)
    return rows
