"""Which groups may hold others than we believe although their counts agree: moves that cancel.

Counts stay as they are when one contact leaves a group and another joins it. Both have moved then, and often one
can see that of each: a listing shows that a contact has joined or left; a contact is new; or its stamp has changed
and nothing in its record has, so that its groups are what changed. A group that held one of those and did not hold
another may have seen such a move, and is worth a look, as long as that does not cost much. A contact whose record
has changed too gives no such hint, nor does one that was moved without a stamp into groups whose counts agree: only
a full listing shows those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from amoot_etl.loaders.arrow import decoded_type
from amoot_etl.pipeline.idsets import NOBODY, common, inside, union, without

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from amoot_etl.pipeline.expect import Knowledge
    from amoot_etl.pipeline.learnt import Learnt

    Ids = npt.NDArray[np.int64]

__all__ = ["LOOK_AT", "Doubt", "only_restamped"]

LOOK_AT: Final = 1000
"""Changed contacts whose records are compared, at most: more are a change of another kind, and reading the old set
for them would cost more than a small sync may."""

_OF_THE_STAMP: Final = frozenset(
    {"contact_id", "groups", "updated_at", "updated_date", "updated_date_jalali"}
)
"""Columns that say nothing of a contact but when it changed, and its groups, which no record tells."""


class Doubt:
    """What makes groups doubtful, and what may still be spent on looking.

    Args:
        knowledge: What is known of memberships.
        allowance: Contacts that listings may hold which doubt alone is the reason for.
    """

    def __init__(self, knowledge: Knowledge, allowance: int) -> None:
        self._known = knowledge
        self.restamped: Ids = NOBODY
        """Contacts of which nothing is new but the stamp, rising."""
        self.left_out: set[int] = set()
        """Doubtful groups for which the allowance was too small."""
        self._allowance = allowance

    def groups(self, sizes: Mapping[int, int]) -> list[int]:
        """Give the groups to list for what may have moved in them, and take them from the allowance.

        Args:
            sizes: How many contacts each group has.
        """
        known = self._known
        new = without(known.received, known.held.ids)
        outside = known.outside
        movers = union(common(known.moved, known.held.ids), self.restamped)
        movers = without(movers, union(known.gone, outside))
        new = without(new, outside)
        if len(movers) + len(new) < 2:  # one to leave, and one to join
            return []
        doubtful = []
        for group in sorted(sizes, key=sizes.__getitem__):
            members = known.members.get(group, NOBODY)
            within = len(common(movers, members))
            if group in known.listed or not within or within == len(movers) + len(new):
                continue
            if self.allows(sizes[group]):
                doubtful.append(group)
            else:
                self.left_out.add(group)
        return doubtful

    def allows(self, size: int) -> bool:
        """Say whether a listing of so many contacts is within the allowance, and take it from it."""
        if size > self._allowance:
            return False
        self._allowance -= size
        return True


def only_restamped(contacts: Path, learnt: Learnt, changed: Ids) -> Ids:
    """Give the contacts of which nothing is new but the stamp.

    Args:
        contacts: The old set's table.
        learnt: The records received.
        changed: Contacts whose stamps changed, rising.

    Returns:
        Their IDs, rising; none when there are more to look at than that is worth.
    """
    alike = common(changed, learnt.ids)
    if not 0 < len(alike) <= LOOK_AT:
        return NOBODY
    records, _ = learnt.contacts(np.searchsorted(learnt.ids, alike))
    same: list[Ids] = []
    with pq.ParquetFile(contacts) as file:
        names = [name for name in file.schema_arrow.names if name not in _OF_THE_STAMP]
        for group in range(file.num_row_groups):
            ids = file.read_row_group(group, ["contact_id"])["contact_id"].to_numpy()
            rows = np.flatnonzero(inside(ids, alike))
            for name in names:
                if not len(rows):
                    break
                old = file.read_row_group(group, [name])[name].combine_chunks().take(pa.array(rows))
                new = records[name].combine_chunks().take(pa.array(np.searchsorted(alike, ids[rows])))
                rows = rows[_equal(old, new)]
            same.append(np.sort(ids[rows]))
    return union(*same)


def _equal(old: pa.Array, new: pa.Array) -> npt.NDArray[np.bool_]:
    kind = decoded_type(old.type)
    old, new = old.cast(kind), new.cast(kind)
    both_null = pc.and_(old.is_null(), new.is_null())
    equal: npt.NDArray[np.bool_] = pc.or_(pc.equal(old, new).fill_null(False), both_null).to_numpy(
        zero_copy_only=False
    )
    return equal
