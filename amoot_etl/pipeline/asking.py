"""What a sync asks the portal, and where the answers go: into the records and into what is known of memberships."""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from amoot_etl import errors
from amoot_etl.extractors.contacts import contact_reader
from amoot_etl.extractors.groups import fetch_groups
from amoot_etl.pipeline.idsets import NOBODY, ids_of, union, without
from amoot_etl.pipeline.infull import InFull
from amoot_etl.pipeline.progress import Progress
from amoot_etl.pipeline.prove import Fetched, fetch_each

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt

    from amoot_etl.client import Client
    from amoot_etl.extractors.groups import Group
    from amoot_etl.pipeline.expect import Knowledge
    from amoot_etl.pipeline.learnt import Learnt

    Ids = npt.NDArray[np.int64]
    Wants = Callable[[Ids], npt.NDArray[np.bool_]]

__all__ = ["Asking"]

_log = logging.getLogger("amoot_etl.sync")

_COUNTS: Final = 3
"""How often the groups' counts are asked for again."""
_AT_ONCE: Final = 250
"""Contacts that are asked for before a look at how long that took, and whether to go on."""


class Asking:
    """One sync's questions.

    Args:
        client: A connection to the portal.
        learnt: Takes the records that come.
        knowledge: Takes what they say of memberships.
        groups: The groups, as the portal told of them when they and the list of changes were asked for.
        watch: Told how far the asking has come.
    """

    def __init__(
        self,
        client: Client,
        learnt: Learnt,
        knowledge: Knowledge,
        groups: list[Group],
        *,
        watch: Callable[[Progress], None] | None = None,
    ) -> None:
        self.groups = groups
        """The groups as the portal told of them last."""
        self.requests = Counter({"ContactGroupList": 1, "ContactListUpdates": 1})
        self.asked: Ids = NOBODY
        """Contacts that were asked for one by one, rising."""
        self.failed: Ids = NOBODY
        """Those of them for which the portal would not answer."""
        self.fetched = 0
        """Records that came one by one."""
        self.counts_left = _COUNTS
        self.at_a_time = client.settings.concurrency
        self._client = client
        self._learnt = learnt
        self._knowledge = knowledge
        self._watch = watch
        self._listings = 0
        self._ahead = 0
        learnt.watch = self._tell if watch else None
        knowledge.only_groups(group.group_id for group in groups)

    def ask_groups(self) -> None:
        """Ask again which groups there are, and for their counts."""
        self.groups = fetch_groups(self._client)
        self.requests["ContactGroupList"] += 1
        self._knowledge.only_groups(group.group_id for group in self.groups)

    def get(self, ids: Ids, *, at_most: float | None = None) -> None:
        """Ask for contacts one by one.

        Args:
            ids: The contacts, rising.
            at_most: Seconds that they may take; when it is seen that they will take longer, everything had better be
                exported.

        Raises:
            InFull: They would take longer, or the token may not ask.
        """
        begun = time.monotonic()
        for start in range(0, len(ids), _AT_ONCE):
            self._begin(0, len(ids) - start)
            self._get(ids[start : start + _AT_ONCE])
            done = start + _AT_ONCE
            left = (time.monotonic() - begun) / done * (len(ids) - done)
            if at_most is not None and left > at_most:
                raise InFull(
                    f"{len(ids) - done} more contacts one by one would take {left:.1f} s, an export {at_most:.1f} s"
                )

    def list(self, group_ids: Sequence[int], wants: Wants | None = None) -> None:
        """List groups; when one is gone meanwhile, ask which there are and leave it at that for now.

        Args:
            group_ids: The groups.
            wants: Says of which contacts the records are wanted; the others' only tell who is listed. Without it
                all are.
        """
        if not group_ids:
            return
        counts = {group.group_id: group.contacts_count or 0 for group in self.groups}
        self._begin(len(group_ids), sum(counts.get(group_id, 0) for group_id in group_ids))
        self.requests["ContactList"] += len(group_ids)
        try:
            listed = self._learnt.read_listings(group_ids, wants)
        except errors.NotFound:
            if self.counts_left <= 0:
                raise
            self.counts_left -= 1
            self.ask_groups()
            return
        self._knowledge.learn(self._learnt.ids, self._learnt.active)
        for group_id, one in listed.items():
            self._knowledge.learn_listing(group_id, one)

    # Inside

    def _get(self, ids: Ids) -> None:
        self.requests["ContactGet"] += len(ids)
        try:
            fetched: Fetched = fetch_each(self._client, ids.tolist())
        except errors.CredentialsError as error:
            raise InFull(f"the token may not call {error.subject}") from error
        self.asked = union(self.asked, ids)
        self.failed = without(union(self.failed, ids_of(fetched.unanswered)), self._learnt.ids)
        self.fetched += len(fetched.records)
        self._learnt.read_records(contact_reader().gather(fetched.records))
        self._knowledge.learn(self._learnt.ids, self._learnt.active)
        self._knowledge.remove(ids_of(fetched.gone))

    def _begin(self, listings: int, records: int) -> None:
        """Say what is asked for next."""
        self._listings, self._ahead = listings, self._learnt.received + records
        self._tell(0)

    def _tell(self, records: int) -> None:
        """Say how far it has come, with so many records of what is being read."""
        if self._watch:
            received = self._learnt.received + records
            self._watch(Progress(self._listings, 0, received, 0, max(self._ahead, received) or None))
