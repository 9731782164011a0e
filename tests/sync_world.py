"""What the tests of sync lean on: a small book, both opinions on what its tables are, and how they are compared."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import oracle
import pyarrow.parquet as pq
import pytest

from amoot_etl.demo import AddressBook
from amoot_etl.loaders import parquet
from amoot_etl.loaders.generations import require_current
from amoot_etl.pipeline import oldrows, tables

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

LISTING_RULES = {"duplicate_id", "record_unreadable"}


@pytest.fixture
def short_calendar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish one year of days: writing 200 is a third of a small publish, and no test of sync looks at them."""
    year = tables.calendar_table().slice(0, 365)
    monkeypatch.setattr(tables, "calendar_table", lambda: year)


@pytest.fixture
def short_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a table of a few contacts have several row groups, as one of a million has."""
    for module in (parquet, oldrows):
        monkeypatch.setattr(module, "GROUP_ROWS", 8)


class Tables(NamedTuple):
    """A published set, in plain Python."""

    contacts: dict[int, dict[str, Any]]
    members: dict[int, frozenset[int]]
    groups: dict[int, dict[str, Any]]
    issues: Counter[tuple[Any, ...]]
    raw: dict[str, dict[str, Any]]
    calendar: list[dict[str, Any]]


def read_tables(folder: Path) -> Tables:
    """Read the current set."""
    generation = require_current(folder)

    def rows(name: str) -> list[dict[str, Any]]:
        return pq.ParquetFile(generation.file(name)).read().to_pylist()

    contacts = {row["contact_id"]: _plain(row) for row in rows("contacts")}
    groups = {row["group_id"]: row for row in rows("groups")}
    pairs = rows("contact_groups")
    members = {g: frozenset(row["contact_id"] for row in pairs if row["group_id"] == g) for g in groups}
    assert sum(map(len, members.values())) == len(pairs)
    raw = rows("contacts_raw") if generation.entry("contacts_raw") else []
    return Tables(
        contacts,
        members,
        groups,
        Counter(tuple(row.values()) for row in rows("issues") if row["rule"] not in LISTING_RULES),
        # The group inside a contact differs from answer to answer and says nothing.
        {row["ID"]: {**_plain(row), "ContactGroupID": None} for row in raw},
        rows("calendar"),
    )


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "extra": json.loads(row["extra"]) if row["extra"] else None}


def expected_tables(book: AddressBook, *, today: date) -> oracle.Expected:
    """Work out what a book's tables must hold, apart from the product's code."""
    listings = {group: [json.loads(row) for row in book.listing(group)] for group in (*book.groups(), -1)}
    return oracle.expected_tables(listings, book.groups(), today=today)


def small_book(contacts: int = 12, groups: int = 3, **options: Any) -> AddressBook:
    """Give a book of a few contacts: the first third in the first group, the next in the second, the rest in none."""
    book = AddressBook(**options)
    ids = [book.add_group(f"گروه {number + 1}") for number in range(groups)]
    for number in range(contacts):
        place = number * 3 // contacts
        book.add(
            ids[place : place + 1] if place < 2 else (), FName=f"نام {number}", Mobile=9121230000 + number
        )
    return book
