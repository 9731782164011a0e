"""Which memberships one set has and another lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.pipeline.alignment import once
from amoot_etl.pipeline.sides import TableFile, same_bytes

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Ints: TypeAlias = npt.NDArray[np.int64]
    Pairs: TypeAlias = tuple[Ints, Ints]

__all__ = ["moves"]

_COLUMNS = ("contact_id", "group_id")


def moves(old: Path, new: Path) -> tuple[Pairs, Pairs]:
    """Give the memberships that only the new set has, and those that only the old one has.

    Args:
        old: The Parquet table of memberships of one set, each pair once.
        new: That of another.

    Returns:
        Contacts and groups of each, as two arrays, by contact and group.

    Raises:
        OSError: A file cannot be read.
    """
    before, after = TableFile(old), TableFile(new)
    alike = _alike(before, after)
    return _moved(_pairs(before, alike), _pairs(after, alike))


def _alike(before: TableFile, after: TableFile) -> set[int]:
    """Give the row groups that hold the same bytes on both sides, whose pairs nobody gained or lost."""
    shared = range(min(len(before.groups), len(after.groups)))
    with before.path.open("rb", buffering=0) as one, after.path.open("rb", buffering=0) as other:
        return {
            group
            for group in shared
            if all(
                same_bytes(one, other, before.chunk(group, each), after.chunk(group, each))
                for each in _COLUMNS
            )
        }


def _pairs(side: TableFile, without: set[int]) -> Pairs:
    groups = [group for group in range(len(side.groups)) if group not in without]
    if not groups:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    table = side.read(_COLUMNS, groups)
    return table["contact_id"].to_numpy(), table["group_id"].to_numpy()


def _moved(old: Pairs, new: Pairs) -> tuple[Pairs, Pairs]:
    groups = once(np.concatenate([_distinct(old[1]), _distinct(new[1])]))
    count = max(1, len(groups))
    # A pair as one number, while it fits: comparing those is many times faster than comparing pairs.
    held = [each for each in (old[0], new[0]) if len(each)]
    small = all(each.min() >= 0 and int(each.max()) < 2**63 // count for each in held)
    known = None if small else once(np.concatenate([old[0], new[0]]))

    def keys(side: Pairs) -> Ints:
        ids = side[0] if known is None else np.searchsorted(known, side[0])
        pairs: Ints = ids * count + np.searchsorted(groups, side[1])
        return once(pairs)

    before, after = keys(old), keys(new)
    gained, lost = (
        (each // count if known is None else known[each // count], groups[each % count])
        for each in (_without(after, before), _without(before, after))
    )
    return gained, lost


def _distinct(groups: Ints) -> Ints:
    # A set of contacts has few groups: noting each once is quicker than sorting them all.
    distinct: Ints = pc.unique(pa.array(groups)).to_numpy()
    return distinct


def _without(keys: Ints, others: Ints) -> Ints:
    """Give the rising keys that are not among the rising others."""
    if not len(others):
        return keys
    place = np.minimum(np.searchsorted(others, keys), len(others) - 1)
    alone: Ints = keys[others[place] != keys]
    return alone
