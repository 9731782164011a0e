"""A round of an export: the portal's groups, and their listings on their way to disk.

Nothing here brings in Arrow: bytes come in while it is being loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from amoot_etl.errors import SettingsError
from amoot_etl.extractors.groups import ALL, NO_LABEL, Group, fetch_groups
from amoot_etl.loaders.atomic import remove_tree
from amoot_etl.pipeline.listings import Listings
from amoot_etl.pipeline.room import check_room
from amoot_etl.tehran import now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from amoot_etl.client import Client
    from amoot_etl.pipeline.resume import Resume
    from amoot_etl.pipeline.run import Run

__all__ = ["Round"]


class Round:
    """What one round asks of the portal; making it begins the downloads.

    Args:
        client: A connection to the portal.
        run: The run.
        landing: Where bodies land; private, and removed after the run.
        number: Which round of the run it is, from 1.
        formats: Formats that will be made of the tables, beside Parquet.
        resume: What may be taken over from runs that died before; None nothing.

    Raises:
        SettingsError: A group that was asked for does not exist.
        CredentialsError, PortalUnavailable, UnexpectedAnswer: As the client's.
        OutputError: The disk has no room for it.
    """

    def __init__(  # noqa: PLR0913 - whom to ask for what, and where it goes
        self,
        client: Client,
        run: Run,
        landing: Path,
        *,
        number: int = 1,
        formats: Sequence[str] = (),
        resume: Resume | None = None,
    ) -> None:
        groups = fetch_groups(client)
        self.groups = _wanted(groups, run.groups)
        """The groups to list, as the portal told of them before."""
        self.folder = landing / f"listings-{number}"
        """Where bodies land and batches wait."""
        self.folder.mkdir(mode=0o700)
        wanted = [group.group_id for group in self.groups]
        if not run.groups:
            wanted = [*wanted, NO_LABEL] if wanted else [ALL]
        self.listings = Listings(
            client,
            wanted,
            groups=groups,
            folder=self.folder,
            run_id=run.run_id,
            now=now,
            resume=resume,
        )
        records = sum(group.contacts_count or 0 for group in self.groups)
        check_room(landing, records, raw=run.raw, formats=formats, landed=self.listings.bytes_there)
        self.fetch = self.listings.begin()

    def forget(self) -> None:
        """Stop, and remove what landed: it is of no use any more, and the disk may have no room for it twice."""
        self.fetch.stop()
        remove_tree(self.folder)


def _wanted(groups: list[Group], only: Sequence[int]) -> list[Group]:
    if not only:
        return groups
    known = {group.group_id: group for group in groups}
    for group_id in only:
        if group_id not in known:
            raise SettingsError(
                f"there is no group {group_id}: `amoot-etl groups` lists them", subject="group"
            )
    return [known[group_id] for group_id in only]
