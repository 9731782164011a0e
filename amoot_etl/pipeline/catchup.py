"""Catch up with the portal: find out, with few requests, what is no longer as the current set has it.

Two requests tell whether anything changed: the groups' counts, and each contact's stamp. Then, in this order: groups
that have gained contacts are listed; contacts that changed, and those whose absence stands out, are asked for; groups
whose counts still differ from what follows are listed, until all agree; groups in which moves may have cancelled are
listed as far as that is cheap; contacts that are new, or have lost their last group, are looked for until some
listing has them. A contact is taken out only when the portal says that there is none, or when complete listings of
all its groups and of the contacts without a group lack it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from amoot_etl.extractors.groups import ALL, NO_LABEL
from amoot_etl.pipeline.asking import Asking
from amoot_etl.pipeline.doubt import Doubt, only_restamped
from amoot_etl.pipeline.expect import Knowledge
from amoot_etl.pipeline.idsets import NOBODY, common, inside, union, without
from amoot_etl.pipeline.infull import InFull
from amoot_etl.pipeline.synccost import (
    FREE,
    RECORD_BYTES,
    SLACK,
    choose,
    most_gets,
    most_in_doubt,
    seconds,
)
from amoot_etl.pipeline.told import Open, left_open, what_changed, worth_asking
from amoot_etl.transformers.text import clean

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from amoot_etl.client import Client
    from amoot_etl.extractors.groups import Group
    from amoot_etl.pipeline.changelist import Updates
    from amoot_etl.pipeline.first import FirstAnswers
    from amoot_etl.pipeline.held import Held
    from amoot_etl.pipeline.learnt import Learnt
    from amoot_etl.pipeline.progress import Progress

    Ids = npt.NDArray[np.int64]

__all__ = ["CatchUp"]

_log = logging.getLogger("amoot_etl.sync")


class CatchUp:
    """One sync's finding out.

    Args:
        client: A connection to the portal.
        held: The current set.
        contacts: Its table of contacts.
        learnt: Takes the records that come.
        first: What every sync asks, answered.
        updates: The list of changes among it, read.
        watch: Told how far the asking has come.
    """

    def __init__(  # noqa: PLR0913 - what is known, whom to ask, and who is told
        self,
        client: Client,
        held: Held,
        contacts: Path,
        learnt: Learnt,
        *,
        first: FirstAnswers,
        updates: Updates,
        watch: Callable[[Progress], None] | None = None,
    ) -> None:
        self.held = held
        self.learnt = learnt
        self.knowledge = Knowledge(held)
        self.moved: set[int] = set()
        """Groups that kept changing while they were listed: the next sync lists them again."""
        self.open = Open(0, 0, 0)
        self._ask = Asking(client, learnt, self.knowledge, first.groups, watch=watch)
        self._contacts = contacts
        self._doubt = Doubt(self.knowledge, most_in_doubt(len(held.ids)))
        self._updates = updates
        self._pace = first.pace
        self.sifted: set[int] = set()
        """Groups that were listed for some contacts alone: of the others, only who they are was read."""
        self._accepted: set[int] = set()
        """Listed groups of which the portal counts otherwise than it lists."""
        self._settled = NOBODY
        self._export_seconds = 0.0
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
        told = what_changed(self.held, self._updates)
        changed = union(told.restamped, self.held.aged)
        wanted = union(changed, told.absent)
        must = [group.group_id for group in self.groups if self.knowledge.has_gained(group)]
        asked = worth_asking(self.held, told.news)
        differs = len(wanted) or len(asked) or must or not self._as_held()
        if differs:
            self._need_counts()
            self._list(must, self._choose(wanted, must), wanted)
            self._look_for(wanted, told.news)
            self._doubt.restamped = only_restamped(self._contacts, self.learnt, told.restamped)
            while self._step():
                pass
        self.open = left_open(told, changed, self._updates, self.knowledge, self.learnt)
        return self.held.born_since or bool(differs and self._differs())

    @property
    def groups(self) -> list[Group]:
        """The groups as the portal told of them last."""
        return self._ask.groups

    @property
    def requests(self) -> Counter[str]:
        """How often each method was needed."""
        return self._ask.requests

    @property
    def fetched(self) -> int:
        """Records that came one by one."""
        return self._ask.fetched

    @property
    def unchecked(self) -> set[int]:
        """Groups in which moves may have cancelled, and that were too large to be listed for that."""
        return self._doubt.left_out - self.knowledge.listed.keys()

    @property
    def no_label(self) -> int:
        """The listing of those that no group lists; an account without groups has one listing of all."""
        return NO_LABEL if self.groups else ALL

    def titles(self) -> dict[int, str | None]:
        """Give the groups' titles, cleaned."""
        return {group.group_id: clean(group.title or "") or None for group in self.groups}

    # What changed.

    def _differs(self) -> bool:
        """Say whether anything was learnt, now that everything was asked."""
        known, held = self.knowledge, self.held
        told = {group.group_id: group[2:] for group in self.groups}
        before = {group_id: group[1:3] for group_id, group in held.groups.items()}
        moved = any(known.members.get(group) is not members for group, members in held.members.items())
        learnt = len(self.learnt.ids) or len(known.gone)
        return bool(learnt) or moved or told != before or not self._as_held()

    def _as_held(self) -> bool:
        """Say whether the groups, their titles and their counts are as the current set has them."""
        held = {group_id: group.title for group_id, group in self.held.groups.items()}
        return self.titles() == held and all(self.knowledge.agrees(group) for group in self.groups)

    def _need_counts(self) -> None:
        """Insist on counts: without them nothing but a listing shows that a contact has joined a group or left it."""
        if any(group.contacts_count is None or group.contacts_count < 0 for group in self.groups):
            raise InFull(
                "something changed, and the portal does not tell how many contacts are in each group"
            )

    def _choose(self, wanted: Ids, must: Sequence[int]) -> Sequence[int]:
        members = dict(self.knowledge.members)
        sizes = self._sizes()
        members[self.no_label] = without(self.held.ids, union(*members.values()))
        sizes[self.no_label] = self._outside = len(members[self.no_label])
        choice = choose(wanted, members, sizes, must, len(self.held.ids), self._pace)
        _log.info("%d contacts to ask for, %d groups to list", len(choice.gets), len(choice.listings))
        if choice.why:
            raise InFull(choice.why)
        self._export_seconds = choice.export_seconds + SLACK
        return choice.listings

    def _list(self, must: Sequence[int], chosen: Sequence[int], wanted: Ids) -> None:
        """List what has to be listed, and what is listed for the wanted contacts in it: of those, only these."""
        members, sizes = self.knowledge.members, self._sizes()
        # Where most are wanted the others are read along.
        full = [
            group
            for group in chosen
            if group in must or 2 * len(common(wanted, members.get(group, NOBODY))) > sizes.get(group, 0) > 0
        ]
        rest = [group for group in chosen if group not in full]
        self._ask.list(full)
        self._ask.list(rest, lambda ids: inside(ids, wanted) | ~inside(ids, self.held.ids))
        listed = self.knowledge.listed
        # Where all were wanted nothing was left out.
        self.sifted = {
            group for group in rest if group in listed and len(without(listed[group].ids, self.learnt.ids))
        }

    # One step after another.

    def _look_for(self, wanted: Ids, news: Ids) -> None:
        """Get contacts that no listing has shown so far."""
        new = worth_asking(self.held, without(news, self.learnt.ids))
        size = (self._outside + len(new)) * RECORD_BYTES
        # New contacts that no group has gained are in no group: many of them come cheaper in one listing.
        if len(new) > FREE and seconds(1, size, self._pace) < seconds(
            len(new), len(new) * RECORD_BYTES, self._pace
        ):
            self._ask.list([self.no_label])
        rest = self._not_settled(union(wanted, new))
        if len(rest) > most_gets(len(self.held.ids)) and self.no_label not in self.knowledge.listed:
            self._ask.list([self.no_label])
            rest = self._not_settled(rest)
        if len(rest) > most_gets(len(self.held.ids)):
            raise InFull(f"{len(rest):,} contacts would have to be asked for one by one")
        self._ask.get(rest, at_most=self._export_seconds)

    def _not_settled(self, wanted: Ids) -> Ids:
        """Leave out contacts of which there is a record, and those that complete listings show to be nowhere."""
        rest = without(wanted, self.learnt.ids)
        if self.no_label not in self.knowledge.listed:
            return rest
        unmentioned = without(rest, self._updates.ids)
        return without(rest, unmentioned[~self.knowledge.labelled(unmentioned)])

    def _step(self) -> bool:
        """Do what is next; say whether there may be more to do."""
        listed = self.knowledge.listed
        differing = [
            group.group_id
            for group in self.groups
            if group.group_id not in self._accepted and not self.knowledge.agrees(group)
        ]
        failed = without(self._ask.failed, self.learnt.ids)
        settling = self.knowledge.groups_of(failed)
        settling += [self.no_label] if len(failed) else []
        wanted = [group for group in dict.fromkeys((*differing, *settling)) if group not in listed]
        # A group of which not all was read may differ by what was left.
        wanted += [group for group in differing if group in self.sifted]
        if wanted:
            self.sifted -= set(wanted)
            self._ask.list(wanted)
        elif differing:
            self._count_again()
        elif doubtful := self._doubt.groups(self._sizes()):
            self._ask.list(doubtful)
        else:
            return self._find()
        return True

    def _sizes(self) -> dict[int, int]:
        return {group.group_id: group.contacts_count or 0 for group in self.groups}

    def _count_again(self) -> None:
        """Ask for the counts again before one is called wrong; list again what has moved meanwhile."""
        before = {group.group_id: group[2:] for group in self.groups}
        self._ask.counts_left -= 1
        self._ask.ask_groups()
        again = []
        for group in self.groups:
            group_id = group.group_id
            if group_id not in self.knowledge.listed or self.knowledge.agrees(group):
                continue
            if group[2:] == before.get(group_id):
                self._accepted.add(group_id)
            elif self._ask.counts_left > 0:
                # Also one whose counts agreed before: what was listed is older than what is counted now.
                self._accepted.discard(group_id)
                again.append(group_id)
            else:
                self._accepted.add(group_id)
                self.moved.add(group_id)
        self._ask.list(again)

    def _find(self) -> bool:
        """Look for contacts that no listing has; say whether that showed anything."""
        known, limit = self.knowledge, most_gets(len(self.held.ids))
        if self.no_label not in known.listed:
            return self._find_outside(limit)
        everybody = known.ids()
        stray = everybody[~known.labelled(everybody)]
        stray = without(stray, union(known.outside, self._settled))
        unasked = without(stray, union(self._ask.asked, self.learnt.ids))
        if 0 < len(unasked) <= limit:
            self._ask.get(unasked)
            return True
        # Its groups were listed, or are no more, and so were those in none: it is in neither.
        there = union(self._updates.ids, self.learnt.ids)
        proved = without(stray, there)
        if len(proved):
            known.remove(proved)
            return True
        # It is there, so it has a group, whose counts do not show it: the smallest are the cheapest to ask.
        sizes = self._sizes()
        rest = sorted((group for group in sizes if group not in known.listed), key=sizes.__getitem__)
        if len(stray) and rest:
            self._ask.list(rest[: self._ask.at_a_time])
            return True
        self._settled = union(self._settled, stray)
        return False

    def _find_outside(self, limit: int) -> bool:
        """Look among those in no group for contacts that have lost theirs, or are new and in none that we know."""
        known = self.knowledge
        lost = known.lost()
        mentioned = union(self._updates.ids, self.learnt.ids)
        doubtful = without(lost, union(mentioned, self._ask.asked))
        if 0 < len(doubtful) <= limit:
            self._ask.get(doubtful)
            return True
        new = without(self.learnt.ids, self.held.ids)
        new = new[~known.labelled(new)]
        # Where all counts agree the new ones are in no group, but for moves that cancel: no reason for much.
        if len(lost) or (len(new) and self._doubt.allows(self._outside + len(new))):
            self._ask.list([self.no_label])
            return True
        return False
