"""Catch up with the portal: find out, with few requests, what is no longer as the current set has it.

Two requests tell whether anything changed: the groups' counts, and each contact's stamp. Then, in this order: groups
that have gained contacts are listed; contacts that changed, and those whose absence stands out, are asked for; groups
whose counts still differ from what follows are listed, until all agree; contacts that have lost their last group are
looked for. A contact is taken out only when the portal says that there is none, or when complete listings of all its
groups and of the contacts without a group lack it.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np

from amoot_etl import errors
from amoot_etl.extractors.contacts import ALL, NO_LABEL, contact_reader
from amoot_etl.extractors.groups import Group, fetch_groups
from amoot_etl.pipeline.absence import stand_out
from amoot_etl.pipeline.expect import Knowledge
from amoot_etl.pipeline.idsets import NOBODY, common, ids_of, inside, union, without
from amoot_etl.pipeline.prove import Updates, fetch_each, fetch_updates
from amoot_etl.pipeline.synccost import FREE, RECORD_BYTES, Pace, choose, most_gets, seconds
from amoot_etl.transformers.text import clean

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from amoot_etl.client import Client
    from amoot_etl.pipeline.held import Held
    from amoot_etl.pipeline.learnt import Learnt

    Ids = npt.NDArray[np.int64]

__all__ = ["CatchUp", "InFull"]

_log = logging.getLogger("amoot_etl.sync")

_RATE: Final = 25e6
"""Bytes a second, as long as no body was large enough to measure by."""
_LARGE: Final = 1 << 20
_COUNTS: Final = 3
"""How often the groups' counts are asked for again."""


class InFull(Exception):  # noqa: N818 - a turn of the road, not a fault
    """Exporting anew is the better way, or the only one."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class CatchUp:
    """One sync's asking.

    Args:
        client: A connection to the portal.
        held: The current set.
        learnt: Takes the records that come.
        folder: Where the list of changes lands.
        today: The run's date in Tehran.
    """

    def __init__(self, client: Client, held: Held, learnt: Learnt, folder: Path, *, today: dt.date) -> None:
        self.held = held
        self.learnt = learnt
        self.knowledge = Knowledge(held)
        self.groups: list[Group] = []
        """The groups as the portal told of them last."""
        self.moved: set[int] = set()
        """Groups that kept changing while they were listed: the next sync lists them again."""
        self.requests: Counter[str] = Counter()
        self.unmentioned = 0
        self.unexplained = 0
        self.unsettled = 0
        self.fetched = 0
        self._client = client
        self._folder = folder
        self._today = today
        self._updates = Updates(NOBODY, NOBODY, NOBODY)
        self._stand_out = NOBODY
        self._asked = NOBODY
        self._failed = NOBODY
        """Contacts for which the portal would not answer."""
        self._accepted: set[int] = set()
        """Listed groups of which the portal counts otherwise than it lists."""
        self._settled = NOBODY
        self._counts_left = _COUNTS
        self._latency = 0.0
        self._outside = 0
        """Contacts that stand in the listing of those without a group."""

    def run(self) -> bool:
        """Ask until all is known.

        Returns:
            Whether anything is not as the current set has it.

        Raises:
            InFull: The whole had better be exported.
            CredentialsError, PortalUnavailable, UnexpectedAnswer: As the client's.
        """
        self._ask_groups()
        pace = self._ask_updates()
        changed, news, absent = self._compare()
        wanted = union(changed, absent)
        must = [group.group_id for group in self.groups if self._has_gained(group)]
        asked = self._worth_asking(news)
        if not len(wanted) and not len(asked) and not must and self._as_held():
            self._count_up(changed, news)
            return self.held.born_since
        listings = self._choose(wanted, must, pace)
        self._list(listings)
        self._look_for(wanted, news, pace)
        while self._step():
            pass
        self._count_up(changed, news)
        return self.held.born_since or self._differs()

    @property
    def no_label(self) -> int:
        """The listing of those that no group lists; an account without groups has one listing of all."""
        return NO_LABEL if self.groups else ALL

    def titles(self) -> dict[int, str | None]:
        """Give the groups' titles, cleaned."""
        return {group.group_id: clean(group.title or "") or None for group in self.groups}

    # What changed.

    def _compare(self) -> tuple[Ids, Ids, Ids]:
        """Give the contacts that changed, that we do not hold, and that ought to have been mentioned."""
        held, updates = self.held, self._updates
        known = inside(updates.ids, held.ids)
        places = np.searchsorted(held.ids, updates.ids[known])
        differs = held.marks[places] != updates.marks[known]
        changed = union(updates.ids[known][differs], held.aged)
        mentioned = np.zeros(len(held.ids), bool)
        mentioned[places] = True
        return changed, updates.ids[~known], self._absent(mentioned)

    def _absent(self, mentioned: npt.NDArray[np.bool_]) -> Ids:
        """Give the contacts whose absence from the list is worth a question."""
        held, count = self.held, int((~mentioned).sum())
        if not count:
            return NOBODY
        out = stand_out(held.marks, mentioned)
        self._stand_out = held.ids[out]
        # A list that told of everybody, and now leaves out a few of the oldest, tells that those may be gone.
        if held.unmentioned == 0 and count <= min(FREE, len(mentioned) - count):
            return held.ids[~mentioned]
        # A list that left out as many before is just as incomplete as it was.
        return self._stand_out if len(self._stand_out) > held.unexplained else NOBODY

    def _worth_asking(self, news: Ids) -> Ids:
        """Give the contacts that we do not hold and that are to be asked for.

        A portal may go on telling of contacts that are no more. A few are asked for each time; when there are more,
        and not more than could not be had before, they are those. What is new in a group shows in its counts.
        """
        return NOBODY if FREE < len(news) <= self.held.unsettled else news

    def _differs(self) -> bool:
        """Say whether anything was learnt, now that everything was asked."""
        known, held = self.knowledge, self.held
        told = {group.group_id: group[2:] for group in self.groups}
        before = {group_id: group[1:3] for group_id, group in held.groups.items()}
        moved = any(known.members.get(group) is not members for group, members in held.members.items())
        learnt = len(self.learnt.ids) or len(known.gone) or len(self.learnt.loose_unreadable)
        return bool(learnt) or moved or told != before or not self._as_held()

    def _has_gained(self, group: Group) -> bool:
        """Say whether a group has contacts that we do not know to be in it, whoever may be gone."""
        before = self.held.groups.get(group.group_id)
        if before is None:
            return bool(group.contacts_count or group.contacts_active_count)
        if self.held.listings.get(group.group_id, {}).get("moved"):
            return True
        if group.contacts_count is None or before.contacts_count is None:
            return not self.knowledge.agrees(group)
        return group.contacts_count > before.contacts_count

    def _as_held(self) -> bool:
        """Say whether the groups, their titles and their counts are as the current set has them."""
        held = {group_id: group.title for group_id, group in self.held.groups.items()}
        return self.titles() == held and all(self.knowledge.agrees(group) for group in self.groups)

    def _choose(self, wanted: Ids, must: Sequence[int], pace: Pace) -> Sequence[int]:
        members = dict(self.knowledge.members)
        sizes = {group.group_id: group.contacts_count or 0 for group in self.groups}
        members[self.no_label] = without(self.held.ids, union(*members.values()))
        sizes[self.no_label] = self._outside = len(members[self.no_label])
        choice = choose(wanted, members, sizes, must, len(self.held.ids), pace)
        _log.info("%d contacts to ask for, %d groups to list", len(choice.gets), len(choice.listings))
        if choice.why:
            raise InFull(choice.why)
        return choice.listings

    # One step after another.

    def _look_for(self, wanted: Ids, news: Ids, pace: Pace) -> None:
        """Get contacts that no listing has shown so far."""
        new = self._worth_asking(without(news, self.learnt.ids))
        size = (self._outside + len(new)) * RECORD_BYTES
        # New contacts that no group has gained are in no group: many of them come cheaper in one listing.
        if len(new) > FREE and seconds(1, size, pace) < seconds(len(new), len(new) * RECORD_BYTES, pace):
            self._list([self.no_label])
        rest = without(union(wanted, new), self.learnt.ids)
        if len(rest) > most_gets(len(self.held.ids)):
            raise InFull(f"{len(rest)} contacts would have to be asked for one by one")
        self._get(rest)

    def _step(self) -> bool:
        """Do what is next; say whether there may be more to do."""
        listed = self.knowledge.listed
        differing = [
            group.group_id
            for group in self.groups
            if group.group_id not in self._accepted and not self.knowledge.agrees(group)
        ]
        self._failed = without(self._failed, self.learnt.ids)
        doubtful = self.knowledge.groups_of(self._failed)
        doubtful += [self.no_label] if len(self._failed) else []
        wanted = [group for group in dict.fromkeys((*differing, *doubtful)) if group not in listed]
        if wanted:
            self._list(wanted)
        elif differing:
            self._count_again(differing)
        else:
            return self._find()
        return True

    def _count_again(self, differing: Sequence[int]) -> None:
        """Ask for the counts again before one is called wrong; list again what has moved meanwhile."""
        before = {group.group_id: group[2:] for group in self.groups}
        self._counts_left -= 1
        self._ask_groups()
        for group in self.groups:
            if group.group_id not in differing or self.knowledge.agrees(group):
                continue
            if group[2:] == before.get(group.group_id):
                self._accepted.add(group.group_id)
            elif self._counts_left > 0:
                self._list([group.group_id])
            else:
                self._accepted.add(group.group_id)
                self.moved.add(group.group_id)

    def _find(self) -> bool:
        """Look for contacts that no group holds any more; say whether that showed anything."""
        known, limit = self.knowledge, most_gets(len(self.held.ids))
        outside = known.listed.get(self.no_label)
        if outside is None:
            lost = known.lost()
            mentioned = union(self._updates.ids, self.learnt.ids)
            doubtful = without(lost, union(mentioned, self._asked))
            if 0 < len(doubtful) <= limit:
                self._get(doubtful)
            elif len(lost):
                self._list([self.no_label])
            return len(lost) > 0
        everybody = known.ids()
        stray = everybody[~known.labelled(everybody)]
        stray = without(stray, union(outside.ids, self._settled))
        unasked = without(stray, union(self._asked, self.learnt.ids))
        if 0 < len(unasked) <= limit:
            self._get(unasked)
            return True
        # Its groups were listed, or are no more, and so were those in none: it is in neither.
        there = union(self._updates.ids, self.learnt.ids)
        proved = without(stray, there)
        if len(proved):
            known.remove(proved)
            return True
        rest = [group.group_id for group in self.groups if group.group_id not in known.listed]
        if len(stray) and rest:
            self._list(rest)
            return True
        self._settled = union(self._settled, stray)
        return False

    # Asking.

    def _ask_groups(self) -> None:
        begun = time.monotonic()
        self.groups = fetch_groups(self._client)
        self._latency = time.monotonic() - begun
        self.requests["ContactGroupList"] += 1
        self.knowledge.only_groups(group.group_id for group in self.groups)

    def _ask_updates(self) -> Pace:
        begun = time.monotonic()
        self.requests["ContactListUpdates"] += 1
        try:
            self._updates = fetch_updates(self._client, self._folder, today=self._today)
        except errors.CredentialsError as error:
            raise InFull(f"the token may not call {error.subject}") from error
        spent = time.monotonic() - begun - self._latency
        size = self._updates.bytes
        rate = size / spent if size >= _LARGE and spent > 0 else _RATE
        return Pace(self._latency, rate, self._client.settings.concurrency)

    def _get(self, ids: Ids) -> None:
        """Ask for contacts one by one."""
        if not len(ids):
            return
        self.requests["ContactGet"] += len(ids)
        try:
            fetched = fetch_each(self._client, ids.tolist())
        except errors.CredentialsError as error:
            raise InFull(f"the token may not call {error.subject}") from error
        self._asked = union(self._asked, ids)
        self._failed = union(self._failed, ids_of(fetched.unanswered))
        self.fetched += len(fetched.records)
        self.learnt.read_records(contact_reader().gather(fetched.records))
        self.knowledge.learn(self.learnt.ids, self.learnt.active)
        self.knowledge.remove(ids_of(fetched.gone))

    def _list(self, group_ids: Sequence[int]) -> None:
        """List groups; when one is gone meanwhile, ask which there are and leave it at that for now."""
        if not group_ids:
            return
        self.requests["ContactList"] += len(group_ids)
        try:
            listed = self.learnt.read_listings(group_ids)
        except errors.NotFound:
            if self._counts_left <= 0:
                raise
            self._counts_left -= 1
            self._ask_groups()
            return
        self.knowledge.learn(self.learnt.ids, self.learnt.active)
        for group_id, one in listed.items():
            self.knowledge.learn_listing(group_id, one)

    # What it came to.

    def _count_up(self, changed: Ids, news: Ids) -> None:
        """Count what the list leaves open."""
        known, updates = self.knowledge, self._updates
        self.unmentioned = len(without(known.ids(), updates.ids))
        self.unexplained = len(without(self._stand_out, known.gone))
        open_ones = without(union(changed, news), self.learnt.ids)
        both = common(self.learnt.ids, updates.ids)
        ours, theirs = np.searchsorted(self.learnt.ids, both), np.searchsorted(updates.ids, both)
        older = int((self.learnt.stamps[ours] < updates.stamps[theirs]).sum())
        self.unsettled = older + len(without(open_ones, known.gone))
