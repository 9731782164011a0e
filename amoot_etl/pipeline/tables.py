"""The tables beside contacts, and the issues that only the whole set can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from amoot_etl.loaders.parquet import streamed
from amoot_etl.pipeline.crew import meanwhile
from amoot_etl.pipeline.idsets import ids_of, inside
from amoot_etl.pipeline.memory import give_back
from amoot_etl.schema import TABLES
from amoot_etl.transformers.calendar import calendar_table
from amoot_etl.transformers.issues import ISSUE_TYPES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from amoot_etl.extractors.groups import Group
    from amoot_etl.loaders.contract import Target
    from amoot_etl.pipeline.memberships import Memberships
    from amoot_etl.pipeline.run import Run
    from amoot_etl.pipeline.sink import Tables

__all__ = [
    "GroupFacts",
    "Tallied",
    "listing_name",
    "write_beside",
    "write_info",
    "write_late",
]

_NO_GROUP: Final = {0: "the listing of all contacts", -1: "the listing of contacts without a label"}


class GroupFacts(NamedTuple):
    """One group: what the portal counts and what we hold."""

    group: Group
    title: str | None
    exported: int
    active_exported: int
    reconciled: bool

    @property
    def counted(self) -> str:
        """What the portal counts, in words: it may tell no number, or none that can be read."""
        count = self.group.contacts_count
        counts = "tells no count" if count is None else f"counts {count:,} contacts"
        return f"group {self.group.group_id}: the portal {counts}"


class Tallied(Protocol):
    """What one listing held, as far as its issues go."""

    @property
    def group_id(self) -> int:
        """The group; 0 for all contacts, -1 for those in none."""

    @property
    def unreadable(self) -> Sequence[str]:
        """Its records without a usable ID."""

    @property
    def repeated(self) -> Mapping[int, int]:
        """Contacts that stood in it more than once: how many times too often."""


def write_late(tables: Tables, tallies: Sequence[Tallied]) -> None:
    """Finish contacts, and the issues with those that only the whole can tell.

    Args:
        tables: What was written: all contacts, and their own issues.
        tallies: What each listing held.
    """
    # The last row group is encoded while the numbers are sorted.
    with meanwhile(tables.close_contacts, "close"):
        shared = tables.shared_mobiles()
    give_back()
    for chunk in _late_issues(tables, tallies, shared, tables.contacts.close().path):
        tables.write_issues(chunk)
    tables.issues.close()


def write_info(target: Target, run: Run, *, contacts: int, groups: int, finished_at: dt.datetime) -> None:
    """Write `export_info`.

    Args:
        target: Where the tables go.
        run: The run.
        contacts: How many contacts were written.
        groups: How many groups there are.
        finished_at: The end of the run.
    """
    told = run.info() | {"finished_at": finished_at, "contacts": contacts, "groups": groups}
    moment = pa.timestamp("us", "Asia/Tehran")
    with target.open(TABLES["export_info"]) as loader:
        columns = {
            name: pa.array([told[name]], moment if name == "finished_at" else None)
            for name in TABLES["export_info"].names
        }
        loader.append(pa.table(columns))


def write_beside(target: Target, groups: Sequence[GroupFacts], memberships: Memberships) -> None:
    """Write the tables that stand beside contacts: groups, contact_groups and calendar.

    Args:
        target: Where the tables go.
        groups: What there is to say of each group.
        memberships: Who is in which.
    """
    columns = {
        "group_id": [facts.group.group_id for facts in groups],
        "title": [facts.title for facts in groups],
        "contacts_count": [facts.group.contacts_count for facts in groups],
        "contacts_active_count": [facts.group.contacts_active_count for facts in groups],
        "contacts_exported": [facts.exported for facts in groups],
        "contacts_active_exported": [facts.active_exported for facts in groups],
        "reconciled": [facts.reconciled for facts in groups],
    }
    with target.open(TABLES["groups"]) as loader:
        types = [pa.int64(), pa.string(), *[pa.int64()] * 4, pa.bool_()]
        loader.append(
            pa.table(
                [pa.array(values, kind) for values, kind in zip(columns.values(), types, strict=True)],
                list(columns),
            )
        )
    with target.open(TABLES["contact_groups"]) as loader:
        for chunk in memberships.chunks():
            loader.append(chunk)
    with target.open(TABLES["calendar"]) as loader:
        loader.append(calendar_table())


def _late_issues(
    tables: Tables, tallies: Sequence[Tallied], shared: Mapping[int, int], contacts: Path
) -> Iterator[pa.Table]:
    """Give the issues that only the whole set can tell, in chunks.

    Args:
        tables: What was written.
        tallies: What each listing held.
        shared: The contacts whose number others have too, and how many share it.
        contacts: The finished Parquet table of contacts.
    """
    yield from _shared_mobiles(shared, contacts)
    for tally in tallies:
        yield _repeated(tally)
        yield _issues(
            (None, "contact_id", "record_unreadable", text, f"in {listing_name(tally.group_id)}")
            for text in tally.unreadable
        )
    yield _issues(
        (None, "extra", "unknown_field", field, f"{_contacts(count)} it")
        for field, count in sorted(tables.unknown_fields.items())
    )


def _shared_mobiles(shared: Mapping[int, int], contacts: Path) -> Iterator[pa.Table]:
    if not shared:
        return
    wanted = ids_of(shared)
    with streamed(contacts) as file:
        # Who leaves the number out of contacts does not want it in issues.
        names = [name for name in ("contact_id", "mobile_raw") if name in file.schema_arrow.names]
        for part in file.iter_batches(columns=names):
            rows = part.take(pa.array(np.flatnonzero(inside(part.column("contact_id").to_numpy(), wanted))))
            ids = rows.column("contact_id").to_pylist()
            raws = rows.column("mobile_raw").to_pylist() if "mobile_raw" in names else [None] * len(ids)
            yield _issues(
                (contact, "mobile", "mobile_duplicate", raw, f"{shared[contact]} contacts share this number")
                for contact, raw in zip(ids, raws, strict=True)
            )


def _repeated(tally: Tallied) -> pa.Table:
    return _issues(
        (
            contact,
            "contact_id",
            "duplicate_id",
            str(contact),
            f"{count + 1} times in {listing_name(tally.group_id)}",
        )
        for contact, count in sorted(tally.repeated.items())
    )


def _issues(rows: Iterable[tuple[int | None, str | None, str, str | None, str]]) -> pa.Table:
    columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True)) or [()] * len(ISSUE_TYPES)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, ISSUE_TYPES, strict=True)]
    return pa.table(arrays, schema=ISSUE_TYPES)


def listing_name(group_id: int) -> str:
    """Give the words by which an issue names a listing."""
    return _NO_GROUP.get(group_id, f"the listing of group {group_id}")


def _contacts(count: int) -> str:
    return f"{count} contact has" if count == 1 else f"{count} contacts have"
