"""The listings of one attempt: fetched now, or landed by a run that died."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from amoot_etl.errors import UnexpectedAnswer
from amoot_etl.pipeline.fetch import Fetch
from amoot_etl.pipeline.listing import StartOver
from amoot_etl.pipeline.resume import Reused, Shelf
from amoot_etl.tehran import iso

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from amoot_etl.client import Client
    from amoot_etl.extractors.groups import Group
    from amoot_etl.extractors.landing import Segment
    from amoot_etl.pipeline.build import Build
    from amoot_etl.pipeline.listing import Listing
    from amoot_etl.pipeline.resume import Resume

__all__ = ["Listings"]

_log = logging.getLogger("amoot_etl.export")


class Listings:
    """What one attempt lists, in part perhaps taken over.

    Args:
        client: A connection to the portal.
        group_ids: The listings wanted, in order.
        groups: All groups of the account.
        folder: Where bodies land; it exists.
        run_id: The run.
        now: Gives the time.
        resume: What may be taken over from runs that died; None nothing.
    """

    def __init__(  # noqa: PLR0913 - what one attempt needs to know
        self,
        client: Client,
        group_ids: Sequence[int],
        *,
        groups: Sequence[Group],
        folder: Path,
        run_id: str,
        now: Callable[[], dt.datetime],
        resume: Resume | None,
    ) -> None:
        self._client = client
        self._group_ids = list(group_ids)
        self._counts = {group.group_id: group.contacts_count for group in groups}
        self._folder = folder
        self._now = now
        self._shelf = Shelf(folder, run_id, client.settings, groups, now)
        self._reused: dict[int, Reused] = resume.adopt(self._shelf, group_ids) if resume else {}
        self._landed_at: dict[int, dt.datetime] = {}
        self._fetch: Fetch | None = None

    @property
    def bytes_there(self) -> int:
        """Bytes that need not be fetched."""
        return sum(one.bytes for one in self._reused.values())

    def begin(self) -> Fetch:
        """Begin to fetch what is not there."""
        # The older ones first: of two records with the same stamp the later one counts.
        ordered = sorted(self._group_ids, key=lambda group_id: group_id not in self._reused)
        there = {group_id: one.segments for group_id, one in self._reused.items()}
        self._fetch = Fetch(
            self._client, ordered, self._folder, keep=False, there=there, on_landed=self._landed
        )
        return self._fetch

    def read(self, build: Build) -> None:
        """Read every listing, and see that those taken over hold what the portal counts.

        Raises:
            StartOver: One does not, or something else is not true any more; what is needed is being fetched.
            AmootError: A download failed, or a body was not what the portal documents.
        """
        try:
            build.read()
        except UnexpectedAnswer:
            if not self._reused or self._fetch is None or self._fetch.failed:
                raise
            # What cannot be read may be what was taken over.
            self._again(list(self._reused))
        self._again(
            [
                tally.group_id
                for tally in build.tallies
                if tally.group_id in self._reused and tally.distinct != self._counts[tally.group_id]
            ]
        )

    def in_order(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Give the manifest's lines of the listings in the portal's order, each with its time.

        One that was taken over also names the run that landed it.
        """
        told = []
        for line in sorted(lines, key=lambda line: self._group_ids.index(line["group_id"])):
            one = self._reused.get(line["group_id"])
            at = one.at if one else self._landed_at[line["group_id"]]
            landed_by = {"landed_by": one.run_id} if one else {}
            told.append({**line, "at": iso(at), **landed_by})
        return told

    def _landed(self, listing: Listing, segments: Sequence[Segment]) -> None:
        self._landed_at[listing.group_id] = self._now()
        if not listing.passing:
            self._shelf.note(listing.group_id, listing.folder, segments)

    def _again(self, group_ids: Collection[int]) -> None:
        if not group_ids or self._fetch is None:
            return
        for group_id in group_ids:
            del self._reused[group_id]
        self._fetch.again(group_ids)
        raise StartOver(f"{len(group_ids)} listings that had landed before are fetched after all") from None
