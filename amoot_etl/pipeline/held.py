"""What the current generation says: all that a sync knows before it asks the portal."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jdatetime
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from amoot_etl.pipeline.crew import meanwhile
from amoot_etl.pipeline.idsets import NOBODY, ids_of, places_in
from amoot_etl.pipeline.marks import instants, text_mark
from amoot_etl.transformers.stamps import NO_STAMP

if TYPE_CHECKING:
    import numpy.typing as npt

    from amoot_etl.loaders.generations import Generation

    Ids = npt.NDArray[np.int64]

__all__ = [
    "Held",
    "HeldGroup",
    "look_up",
    "members_of",
    "read_held",
]


class HeldGroup(NamedTuple):
    """A group as the current set has it."""

    title: str | None
    contacts_count: int | None
    contacts_active_count: int | None
    exported: int
    active_exported: int
    reconciled: bool


@dataclass(slots=True)
class Held:
    """The current set, as far as it decides what to ask for.

    Args:
        ids: Its contacts, rising.
        marks: The mark of each one's stamp.
        active: Whether each one is active.
        members: Group to its contacts, rising.
        groups: The groups.
        listings: The manifest's line of each listing, -1 or 0 among them.
        unmentioned: Contacts that the portal's list did not mention; None where that is not known.
        unexplained: Those of them that the list reached back to.
        unsettled: Contacts that the list told of and that could not be had as it told of them.
        aged: Contacts whose values were read with another date in mind, rising.
        born_since: Whether a birth that was in the future no longer is.
    """

    ids: Ids
    marks: npt.NDArray[np.int64]
    active: npt.NDArray[np.bool_]
    members: dict[int, Ids]
    groups: dict[int, HeldGroup]
    listings: dict[int, dict[str, Any]]
    unmentioned: int | None
    unexplained: int
    unsettled: int
    aged: Ids
    born_since: bool

    def active_of(self, ids: Ids) -> npt.NDArray[np.bool_]:
        """Say which of some contacts are held and active."""
        return look_up(self.ids, self.active, ids)


def look_up(ids: Ids, flags: npt.NDArray[np.bool_], wanted: Ids) -> npt.NDArray[np.bool_]:
    """Give the flags of the wanted IDs; False for one that is not there.

    Args:
        ids: Rising.
        flags: One an ID.
        wanted: Any IDs.
    """
    there, places = places_in(wanted, ids)
    found = np.zeros(len(wanted), bool)
    found[there] = flags[places]
    return found


def read_held(generation: Generation, *, today: dt.date) -> Held:
    """Read what a sync starts from.

    Args:
        generation: The current set; its tables have the columns that a sync needs.
        today: The run's date in Tehran.
    """
    pairs = ["contact_id", "group_id"]
    with meanwhile(lambda: members_of(_columns(generation, "contact_groups", pairs)), "members") as members:
        contacts = _columns(generation, "contacts", ["contact_id", "updated_at", "active"])
        ids: Ids = contacts["contact_id"].to_numpy()
        marks = instants(contacts["updated_at"])
        active = contacts["active"].fill_null(False).to_numpy()
        order = np.argsort(ids, kind="stable")
        ids, marks, active = ids[order], marks[order], active[order]
    issues = _columns(generation, "issues", ["contact_id", "column", "rule", "value"])
    _mark_unreadable(ids, marks, issues)
    manifest = generation.manifest
    reconciliation = manifest.get("reconciliation", {})
    updates = reconciliation.get("updates", {})
    return Held(
        ids=ids,
        marks=marks,
        active=active,
        members=members.result(),
        groups=_groups(generation),
        listings={line["group_id"]: line for line in reconciliation.get("groups", [])},
        unmentioned=updates.get("unmentioned"),
        unexplained=int(updates.get("unexplained", 0)),
        unsettled=int(updates.get("unsettled", 0)),
        aged=_aged(issues, manifest, today),
        born_since=_born_since(generation, issues, today),
    )


def members_of(pairs: pa.Table) -> dict[int, Ids]:
    """Give each group's contacts, rising, from the rows of `contact_groups`."""
    if not pairs.num_rows:
        return {}
    contacts = pairs["contact_id"].to_numpy()
    groups = pairs["group_id"].combine_chunks().dictionary_encode()
    numbers = groups.indices.to_numpy()
    # The rows are by contact already, and small numbers are sorted by their digits: a third of sorting by both.
    if (contacts[1:] < contacts[:-1]).any():
        order = np.argsort(contacts, kind="stable")
        contacts, numbers = contacts[order], numbers[order]
    small = numbers.astype(np.uint16) if len(groups.dictionary) <= 1 << 16 else numbers
    parts = np.split(contacts[np.argsort(small, kind="stable")], np.cumsum(np.bincount(numbers))[:-1])
    return dict(sorted(zip(groups.dictionary.to_pylist(), parts, strict=True)))


def _mark_unreadable(ids: Ids, marks: npt.NDArray[np.int64], issues: pa.Table) -> None:
    """Give contacts whose stamp could not be read the mark of its text."""
    told = issues.filter(pc.equal(issues["column"], "updated_at"))
    for contact, text in zip(told["contact_id"].to_pylist(), told["value"].to_pylist(), strict=True):
        place = int(np.searchsorted(ids, contact)) if contact is not None else len(ids)
        if place < len(ids) and ids[place] == contact and marks[place] == NO_STAMP and text is not None:
            marks[place] = text_mark(text)


def _groups(generation: Generation) -> dict[int, HeldGroup]:
    names = ["group_id", "title", "contacts_count", "contacts_active_count", "contacts_exported"]
    names += ["contacts_active_exported", "reconciled"]
    rows = _columns(generation, "groups", names).to_pylist()
    return {row["group_id"]: HeldGroup(*(row[name] for name in names[1:])) for row in rows}


def _aged(issues: pa.Table, manifest: dict[str, Any], today: dt.date) -> Ids:
    """Give contacts that hold a two-digit year, once the year by which its century was chosen is over."""
    before = dt.date.fromisoformat(manifest.get("today") or manifest["started_at"][:10])
    if _years(before) == _years(today):
        return NOBODY
    told = issues.filter(pc.equal(issues["rule"], "date_ambiguous"))
    return ids_of(told["contact_id"].drop_null().to_numpy())


def _years(day: dt.date) -> tuple[int, int]:
    return day.year, jdatetime.date.fromgregorian(date=day).year


def _born_since(generation: Generation, issues: pa.Table, today: dt.date) -> bool:
    """Say whether a birth that was called one of the future has come."""
    told = issues.filter(pc.equal(issues["rule"], "date_in_future"))
    if not told.num_rows:
        return False
    births = _columns(generation, "contacts", ["contact_id", "birth_date"])
    births = births.filter(pc.is_in(births["contact_id"], told["contact_id"].combine_chunks()))
    return bool(pc.any(pc.less_equal(births["birth_date"], pa.scalar(today, pa.date32()))).as_py())


def _columns(generation: Generation, table: str, names: list[str]) -> pa.Table:
    with pq.ParquetFile(generation.file(table)) as file:
        return file.read(names)
