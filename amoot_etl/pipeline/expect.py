"""What a sync knows of memberships, and what the portal's counts should then be.

No answer names a contact's groups; only a listing does. But the portal counts each group's contacts and active
contacts, so what is believed of a group can be checked: from the counts that the current set noted, and from what has
become known since (contacts gone, contacts that are active now or no longer), follow the counts that the portal
should tell. A group for which it tells others is listed again. A lasting difference between the portal's count and
ours is carried along: it says how this portal counts, not that something changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from amoot_etl.extractors.groups import NO_LABEL
from amoot_etl.pipeline.held import look_up
from amoot_etl.pipeline.idsets import NOBODY, common, inside, union, without

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from amoot_etl.extractors.groups import Group
    from amoot_etl.pipeline.held import Held

    Ids = npt.NDArray[np.int64]

__all__ = ["Knowledge", "Listed"]


class Listed(NamedTuple):
    """What one listing held."""

    ids: npt.NDArray[np.int64]
    """Its contacts, rising."""
    received: int
    active: int
    unreadable: list[str]
    repeated: dict[int, int]
    """Contacts that stood in it more than once: how many times too often."""


class Knowledge:
    """Contacts and memberships as far as they are known.

    Args:
        held: The current set.
    """

    def __init__(self, held: Held) -> None:
        self.held = held
        self.members: dict[int, Ids] = dict(held.members)
        self.listed: dict[int, Listed] = {}
        """What was listed in this run, -1 or 0 among it."""
        self.received: Ids = NOBODY
        """Contacts of which this run has a record, rising."""
        self.gone: Ids = NOBODY
        """Contacts of the current set that are proved to be gone, rising."""
        self.left: Ids = NOBODY
        """Contacts that are out of a group that held them, or whose group is no more, rising."""
        self.moved: Ids = NOBODY
        """Contacts that a listing showed to have joined a group or to have left one, rising."""
        self._active: npt.NDArray[np.bool_] = np.empty(0, bool)
        self._turned: Ids = NOBODY
        """Those of the received that are active now and were not, or the other way round; rising."""
        self._counted: dict[int, tuple[int, int]] = {}
        """What `counts` gave since something last became known: each group's are asked for several times."""

    # What becomes known.

    def learn(self, received: Ids, active: npt.NDArray[np.bool_]) -> None:
        """Take over which contacts this run has a record of (all of them, rising), and which are active."""
        self._counted.clear()
        self.received, self._active = received, active
        self._turned = received[active != self.held.active_of(received)]
        # One that answers again is not gone.
        self.gone = without(self.gone, received)

    def learn_listing(self, group_id: int, listed: Listed) -> None:
        """Take over what a listing held; a listing of -1 says who is in no group."""
        self._counted.clear()
        self.listed[group_id] = listed
        if group_id > 0:
            self._now_in(group_id, listed.ids)
        if group_id != NO_LABEL:
            return
        for group in [group for group in self.members if group not in self.listed]:
            if len(common(self.members[group], listed.ids)):
                self._now_in(group, without(self.members[group], listed.ids))

    def remove(self, gone: Ids) -> None:
        """Take out contacts that are proved to be gone."""
        self._counted.clear()
        self.gone = union(self.gone, common(gone, self.held.ids))
        for group, members in self.members.items():
            if len(common(members, gone)):
                self.members[group] = without(members, gone)

    def only_groups(self, groups: Iterable[int]) -> None:
        """Forget the groups that are no more."""
        self._counted.clear()
        wanted = set(groups)
        for group in [group for group in self.members if group not in wanted]:
            self.left = union(self.left, self.members[group])
            del self.members[group]
            self.listed.pop(group, None)

    # What follows.

    @property
    def outside(self) -> Ids:
        """Contacts that stood in the listing of those in no group, rising; nobody when it was not read."""
        listed = self.listed.get(NO_LABEL)
        return NOBODY if listed is None else listed.ids

    def agrees(self, group: Group) -> bool:
        """Say whether the portal's counts of a group are those that follow from what is known."""
        group_id = group.group_id
        all_of_them, active = self.counts(group_id)
        if (listed := self.listed.get(group_id)) is not None:
            odd = len(listed.unreadable)
            counted = group.contacts_count in (all_of_them, all_of_them + odd)
            return counted and _within(group.contacts_active_count, active, active + odd)
        before = self.held.groups.get(group_id)
        if before is None:
            return not group.contacts_count and not group.contacts_active_count
        if before.contacts_count is None or before.contacts_active_count is None:
            told = (group.contacts_count, group.contacts_active_count)
            return told == before[1:3] and all_of_them == before.exported and active == before.active_exported
        return (
            group.contacts_count == before.contacts_count + all_of_them - before.exported
            and group.contacts_active_count == before.contacts_active_count + active - before.active_exported
        )

    def has_gained(self, group: Group) -> bool:
        """Say whether a group has contacts that we do not know to be in it, whoever may be gone."""
        before = self.held.groups.get(group.group_id)
        if before is None:
            return bool(group.contacts_count or group.contacts_active_count)
        if self.held.listings.get(group.group_id, {}).get("moved"):
            return True
        if group.contacts_count is None or before.contacts_count is None:
            return not self.agrees(group)
        return group.contacts_count > before.contacts_count

    def reconciled(self, group: Group) -> bool:
        """Say whether the portal's count of a group's contacts is ours, as an export would say it."""
        ours = len(self.members.get(group.group_id, NOBODY))
        if (listed := self.listed.get(group.group_id)) is not None:
            return group.contacts_count in (ours, ours + len(listed.unreadable))
        before = self.held.groups.get(group.group_id)
        if group.contacts_count == ours:
            return True
        if before is None or not before.reconciled or None in (group.contacts_count, before.contacts_count):
            return False
        return (group.contacts_count or 0) - ours == (before.contacts_count or 0) - before.exported

    def counts(self, group_id: int) -> tuple[int, int]:
        """Give how many contacts of a group we know of, and how many of them are active."""
        if group_id not in self._counted:
            self._counted[group_id] = self._count(group_id)
        return self._counted[group_id]

    def _count(self, group_id: int) -> tuple[int, int]:
        now = self.members.get(group_id, NOBODY)
        before = self.held.groups.get(group_id)
        if group_id in self.listed or before is None:
            return len(now), int(self.active_of(now).sum())
        # Only what changed is looked at: most groups are as they were.
        old = self.held.members.get(group_id, NOBODY)
        left = NOBODY if now is old else without(old, now)
        turned = common(now, self._turned)
        active = before.active_exported - int(self.held.active_of(left).sum())
        active += int(self.active_of(turned).sum()) - int(self.held.active_of(turned).sum())
        return before.exported - len(left), active

    def active_of(self, ids: Ids) -> npt.NDArray[np.bool_]:
        """Say which of some contacts are active, by the latest record."""
        flags = self.held.active_of(ids)
        known = inside(ids, self.received)
        flags[known] = look_up(self.received, self._active, ids[known])
        return flags

    def ids(self) -> Ids:
        """Give every contact there is, rising."""
        stay = without(self.held.ids, self.gone)
        return union(stay, self.received)

    def labelled(self, ids: Ids) -> npt.NDArray[np.bool_]:
        """Say which of some contacts, rising, are in a group."""
        found = np.zeros(len(ids), bool)
        for members in self.members.values():
            found[np.searchsorted(ids, common(members, ids))] = True
        return found

    def lost(self) -> Ids:
        """Give contacts that were in a group, are in none that we know of, and are not known to be gone."""
        left = without(self.left, self.gone)
        return left[~self.labelled(left)]

    def groups_of(self, ids: Ids) -> list[int]:
        """Give the groups that hold some of these contacts, as far as is known."""
        return [group for group, members in self.members.items() if len(common(members, ids))]

    def _now_in(self, group_id: int, ids: Ids) -> None:
        old = self.members.get(group_id, NOBODY)
        gone, come = without(old, ids), without(ids, old)
        self.left = union(self.left, gone)
        self.moved = union(self.moved, gone, come)
        self.members[group_id] = ids


def _within(count: int | None, lowest: int, highest: int) -> bool:
    return count is not None and lowest <= count <= highest
