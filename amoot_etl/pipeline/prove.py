"""Prove that an export is complete: compare it with `ContactListUpdates`, contact by contact.

The list may hold every contact or only recent ones, so it can show that something is missing, and never that
something is gone. An empty list, or one that lacks contacts we hold, proves nothing and is no error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from amoot_etl.errors import AmootError, CredentialsError, NotFound, PortalUnavailable, UnexpectedAnswer
from amoot_etl.extractors.body import usable_ids
from amoot_etl.extractors.contacts import fetch_contact
from amoot_etl.extractors.landing import Landing
from amoot_etl.extractors.updates import update_reader
from amoot_etl.pipeline.absence import stand_out
from amoot_etl.pipeline.crew import in_threads
from amoot_etl.pipeline.marks import marks_of
from amoot_etl.transformers.stamps import stamp_order

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable
    from pathlib import Path

    import numpy.typing as npt

    from amoot_etl.client import Client
    from amoot_etl.extractors.careful import Record
    from amoot_etl.pipeline.roll import Roll

__all__ = ["Fetched", "Gap", "Updates", "compare", "fetch_each", "fetch_updates", "few", "not_asked"]

_METHOD: Final = "ContactListUpdates"


class Updates(NamedTuple):
    """The entries of `ContactListUpdates`, by ID."""

    ids: npt.NDArray[np.int64]
    stamps: npt.NDArray[np.int64]
    marks: npt.NDArray[np.int64]
    """The stamps as `marks` has them; empty unless they were asked for."""
    bytes: int = 0
    """Size of the body."""


class Gap(NamedTuple):
    """What a comparison showed."""

    missing: npt.NDArray[np.int64]
    """Contacts that the portal tells of and no listing held."""
    moved: npt.NDArray[np.int64]
    """Contacts that changed after they were listed."""
    unmentioned: int
    """Contacts that we hold and the list does not mention."""
    unexplained: int
    """Those of them that stand out: the list reaches back further than their stamps."""

    @property
    def ids(self) -> npt.NDArray[np.int64]:
        """The contacts to fetch, rising."""
        return np.union1d(self.missing, self.moved)


class Fetched(NamedTuple):
    """What became of contacts that were asked for one by one."""

    records: list[Record]
    gone: list[int]
    """The portal says that there is no such contact."""
    unanswered: list[int]
    """The portal would not say."""


def fetch_updates(client: Client, folder: Path, *, today: dt.date | None = None) -> Updates:
    """Give the portal's list of changes, the newest entry of each contact.

    Args:
        client: A connection to the portal.
        folder: Where the body lands.
        today: The run's date, if marks are wanted.

    Raises:
        CredentialsError, PortalUnavailable, UnexpectedAnswer: As the client's.
    """
    attempt = 0

    def landing() -> Landing:
        nonlocal attempt
        attempt += 1
        place = folder / f"updates-{attempt}"
        place.mkdir(parents=True, mode=0o700, exist_ok=True)
        return Landing(_METHOD, place)

    segments = client.download(_METHOD, landing, ContactGroupID=0)
    ids: list[npt.NDArray[np.int64]] = [np.empty(0, np.int64)]
    stamps: list[npt.NDArray[np.int64]] = [np.empty(0, np.int64)]
    marks: list[npt.NDArray[np.int64]] = [np.empty(0, np.int64)]
    for raw in update_reader().read_all(segments):
        numbers = usable_ids(raw.table.column("ID"))
        if numbers is not None:
            ids.append(numbers)
            texts = raw.table.column("UpdateDateTime").combine_chunks()
            stamps.append(stamp_order(texts))
            if today is not None:
                marks.append(marks_of(texts, today=today))
    size = 0
    for segment in segments:
        size += segment.path.stat().st_size
        segment.path.unlink()
    all_ids, all_stamps, all_marks = np.concatenate(ids), np.concatenate(stamps), np.concatenate(marks)
    order = np.lexsort((all_stamps, all_ids))
    last = order[np.append(np.diff(all_ids[order]) != 0, True)[: len(order)]]
    return Updates(all_ids[last], all_stamps[last], all_marks[last] if len(all_marks) else all_marks, size)


def compare(updates: Updates, roll: Roll) -> Gap:
    """Say what the list shows that the roll lacks."""
    held, stamps = roll.find(updates.ids)
    moved = held & (updates.stamps > stamps)
    unmentioned = roll.size - int(held.sum())
    unexplained = 0
    if unmentioned:
        ids = roll.ids()
        mentioned = np.isin(ids, updates.ids)
        unexplained = int(stand_out(roll.find(ids)[1], mentioned).sum())
    return Gap(updates.ids[~held], updates.ids[moved], unmentioned, unexplained)


def few(count: int, contacts: int) -> bool:
    """Say whether so many contacts may be asked for one by one; beyond that listing again is cheaper.

    >>> few(20, 100), few(500, 10_000), few(500, 100_000)
    (True, False, True)
    """
    return count <= max(50, min(1000, contacts // 100))


def fetch_each(client: Client, ids: Iterable[int]) -> Fetched:
    """Ask for contacts one by one, several at a time.

    Raises:
        CredentialsError: The token may not call `ContactGet`.
        PortalUnavailable, UnexpectedAnswer: The portal kept failing.
    """
    fetched = Fetched([], [], [])

    def ask(contact_id: int) -> None:
        # Appending is atomic, and each list has its own order of arrival; records are sorted at the end.
        try:
            fetched.records.append(fetch_contact(client, contact_id))
        except NotFound:
            fetched.gone.append(contact_id)
        except PortalUnavailable as error:
            if error.status != "Failed":
                raise
            fetched.unanswered.append(contact_id)

    in_threads(ask, ids, client.settings.concurrency)
    fetched.records.sort(key=lambda record: int((record.text["ID"] or "0").split(".")[0]))
    fetched.gone.sort()
    fetched.unanswered.sort()
    return fetched


def not_asked(error: AmootError) -> str:
    """Say in the manifest's words why the portal gave no list."""
    if isinstance(error, CredentialsError):
        return f"the token may not call {error.subject}"
    if isinstance(error, PortalUnavailable | UnexpectedAnswer):
        return f"{error.subject} did not answer ({error.status or 'another shape'})"
    raise error
