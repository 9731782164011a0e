"""What the portal's list of changes tells of the contacts that we hold, and what it leaves open."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from amoot_etl.pipeline.absence import stand_out
from amoot_etl.pipeline.alignment import twins
from amoot_etl.pipeline.idsets import NOBODY, common, union, without
from amoot_etl.pipeline.synccost import FREE

if TYPE_CHECKING:
    import numpy.typing as npt

    from amoot_etl.pipeline.changelist import Updates
    from amoot_etl.pipeline.expect import Knowledge
    from amoot_etl.pipeline.held import Held
    from amoot_etl.pipeline.learnt import Learnt

    Ids = npt.NDArray[np.int64]

__all__ = ["Open", "Told", "left_open", "what_changed", "worth_asking"]


class Told(NamedTuple):
    """What differs between the list and the current set; each a set of contacts, rising."""

    restamped: Ids
    """Their stamps are not those that we hold."""
    news: Ids
    """We do not hold them."""
    absent: Ids
    """We hold them, and the list ought to have mentioned them."""
    standing_out: Ids
    """The list leaves them out although it reaches back further than their stamps."""


class Open(NamedTuple):
    """What the list leaves open after all was asked."""

    unmentioned: int
    """Contacts that it does not mention."""
    unexplained: int
    """Those of them that it ought to have mentioned, and that are there."""
    unsettled: int
    """Contacts that could not be had as it tells of them."""


def what_changed(held: Held, updates: Updates) -> Told:
    """Compare the list with the current set, contact by contact."""
    places = twins(held.ids, updates.ids)
    known = places >= 0
    places = places[known]
    differs = held.marks[places] != updates.marks[known]
    mentioned = np.zeros(len(held.ids), bool)
    mentioned[places] = True
    absent, standing_out = _absent(held, mentioned)
    return Told(updates.ids[known][differs], updates.ids[~known], absent, standing_out)


def _absent(held: Held, mentioned: npt.NDArray[np.bool_]) -> tuple[Ids, Ids]:
    """Give the contacts whose absence from the list is worth a question, and those that stand out."""
    count = int((~mentioned).sum())
    if not count:
        return NOBODY, NOBODY
    standing_out = held.ids[stand_out(held.marks, mentioned)]
    # A list that told of everybody, and now leaves out a few of the oldest, tells that those may be gone.
    if held.unmentioned == 0 and count <= min(FREE, len(mentioned) - count):
        return held.ids[~mentioned], standing_out
    # A list that left out as many before is just as incomplete as it was.
    return standing_out if len(standing_out) > held.unexplained else NOBODY, standing_out


def worth_asking(held: Held, news: Ids) -> Ids:
    """Give the contacts that we do not hold and that are to be asked for.

    A portal may go on telling of contacts that are no more. A few are asked for each time; when there are more, and
    not more than could not be had before, they are those. What is new in a group shows in its counts.
    """
    return NOBODY if FREE < len(news) <= held.unsettled else news


def left_open(told: Told, changed: Ids, updates: Updates, known: Knowledge, learnt: Learnt) -> Open:
    """Count what the list leaves open.

    Args:
        told: What it told.
        changed: Contacts of which a newer record was wanted, rising.
        updates: The list.
        known: What has become known.
        learnt: The records received.
    """
    both = common(learnt.ids, updates.ids)
    ours, theirs = np.searchsorted(learnt.ids, both), np.searchsorted(updates.ids, both)
    older = int((learnt.stamps[ours] < updates.stamps[theirs]).sum())
    not_had = without(union(changed, told.news), learnt.ids)
    return Open(
        unmentioned=len(without(known.ids(), updates.ids)),
        unexplained=len(without(told.standing_out, known.gone)),
        unsettled=older + len(without(not_had, known.gone)),
    )
