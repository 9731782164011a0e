"""Prove that an export is complete: compare it with `ContactListUpdates`, contact by contact.

The list may hold every contact or only recent ones, so it can show that something is missing, and never that
something is gone. An empty list, or one that lacks contacts we hold, proves nothing and is no error.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from amoot_etl.errors import AmootError, CredentialsError, NotFound, PortalUnavailable, UnexpectedAnswer
from amoot_etl.extractors.contacts import fetch_contact
from amoot_etl.extractors.landing import land_updates
from amoot_etl.extractors.updates import entries
from amoot_etl.pipeline.absence import stand_out
from amoot_etl.pipeline.alignment import once
from amoot_etl.pipeline.crew import in_background, in_threads
from amoot_etl.pipeline.idsets import NOBODY, places_in, union
from amoot_etl.transformers.stamps import stamp_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future
    from pathlib import Path

    import numpy.typing as npt

    from amoot_etl.client import Client
    from amoot_etl.extractors.careful import Record
    from amoot_etl.pipeline.roll import Roll

__all__ = [
    "Fetched",
    "Gap",
    "ask_for_updates",
    "compare",
    "fetch_each",
    "few",
    "not_asked",
]

_METHOD: Final = "ContactListUpdates"
_BLOCK: Final = 1 << 20


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
        return union(self.missing, self.moved)


class Fetched(NamedTuple):
    """What became of contacts that were asked for one by one."""

    records: list[Record]
    gone: list[int]
    """The portal says that there is no such contact."""
    unanswered: list[int]
    """The portal would not say."""


def ask_for_updates(
    client: Client,
    folder: Path,
    *,
    after: Callable[[], object] | None = None,
    in_haste: Callable[[], bool] = lambda: True,
) -> Future[Path]:
    """Fetch the list of changes in a thread, while other work goes on.

    Args:
        client: A connection to the portal.
        folder: Where the body lands.
        after: Waits for what has to be there before the list is asked for.
        in_haste: Says whether somebody waits for it already.

    Returns:
        A file for `compare`, or the client's errors and those of `after`.
    """

    def fetch() -> Path:
        if after is not None:
            after()
        return _note_updates(client, folder, in_haste)

    return in_background(fetch, "updates")


def _note_updates(client: Client, folder: Path, in_haste: Callable[[], bool]) -> Path:
    """Fetch the list, and leave its numbers on disk: memory is not to grow with the book."""
    segments = land_updates(client, folder)
    path = segments[0].path.with_name("numbers") if segments else folder / "no-updates"
    with path.open("wb") as file:
        for numbers, texts in entries(segments, in_haste=in_haste):
            file.write(np.column_stack((numbers, stamp_order(texts))).tobytes())
    for segment in segments:
        segment.path.unlink()
    return path


def compare(updates: Path, roll: Roll) -> Gap:
    """Say what the list shows that the roll lacks.

    Args:
        updates: The list's numbers, as `ask_for_updates` leaves them.
        roll: The contacts that were listed.
    """
    ids = roll.ids()
    stamps = roll.find(ids)[1]
    mentioned = np.zeros(len(ids), bool)
    missing: list[npt.NDArray[np.int64]] = [NOBODY]
    moved: list[npt.NDArray[np.int64]] = [NOBODY]
    with updates.open("rb") as file:
        while block := file.read(_BLOCK):
            told, their_stamps = np.frombuffer(block, np.int64).reshape(-1, 2).T
            held, places = places_in(told, ids)
            missing.append(told[~held])
            mentioned[places] = True
            moved.append(told[held][their_stamps[held] > stamps[places]])
    unmentioned = len(ids) - int(np.count_nonzero(mentioned))
    unexplained = int(stand_out(stamps, mentioned).sum()) if unmentioned else 0
    return Gap(once(np.concatenate(missing)), once(np.concatenate(moved)), unmentioned, unexplained)


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
    answers: list[tuple[int, Record]] = []

    def ask(contact_id: int) -> None:
        # Appending is atomic, and each list has its own order of arrival; all are sorted at the end.
        try:
            answers.append((contact_id, fetch_contact(client, contact_id)))
        except NotFound:
            fetched.gone.append(contact_id)
        except PortalUnavailable as error:
            if error.status != "Failed":
                raise
            fetched.unanswered.append(contact_id)

    in_threads(ask, ids, client.settings.concurrency)
    fetched.records.extend(record for _, record in sorted(answers, key=itemgetter(0)))
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
