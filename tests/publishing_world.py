"""A small invented address book and the verbs to publish it: what the tests of publishing are written with."""

from __future__ import annotations

import dataclasses
import importlib
import os
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from amoot_etl.loaders.arrow import arrow_schema
from amoot_etl.loaders.contract import RunFacts
from amoot_etl.pipeline.diff import write_changes
from amoot_etl.pipeline.verify import verify
from amoot_etl.schema import TABLES

FORMATS = {
    "parquet": ("amoot_etl.loaders.parquet", "PARQUET"),
    "csv": ("amoot_etl.loaders.csv", "CSV"),
    "xlsx": ("amoot_etl.loaders.excel", "EXCEL"),
}


@dataclass(frozen=True)
class Book:
    """An address book: contacts by id (columns that differ from null), groups by id, who is in which."""

    contacts: dict[int, dict[str, object]] = field(default_factory=dict)
    groups: dict[int, str] = field(default_factory=lambda: {1: "مشتریان", 2: "همکاران"})
    members: frozenset[tuple[int, int]] = frozenset()

    def with_contact(self, contact: int, **columns: object) -> Book:
        """Give the book with a contact added, or changed in some columns."""
        row = {**self.contacts.get(contact, {"active": True, "deleted": False}), **columns}
        return dataclasses.replace(self, contacts={**self.contacts, contact: row})

    def without_contact(self, contact: int) -> Book:
        """Give the book without a contact."""
        contacts = {key: row for key, row in self.contacts.items() if key != contact}
        members = frozenset(pair for pair in self.members if pair[0] != contact)
        return dataclasses.replace(self, contacts=contacts, members=members)

    def with_member(self, contact: int, group: int) -> Book:
        """Give the book with a contact in a group."""
        return dataclasses.replace(self, members=self.members | {(contact, group)})

    def without_member(self, contact: int, group: int) -> Book:
        """Give the book with a contact out of a group."""
        return dataclasses.replace(self, members=self.members - {(contact, group)})

    def tables(self, run_id: str) -> dict[str, pa.Table]:
        """Give the published tables of the book."""
        ids = list(self.contacts)
        titles = {
            contact: " | ".join(self.groups[g] for c, g in sorted(self.members) if c == contact) or None
            for contact in ids
        }
        rows = [{"contact_id": c, **self.contacts[c], "groups": titles[c]} for c in ids]
        size = {group: sum(g == group for _, g in self.members) for group in self.groups}
        groups = [
            {"group_id": g, "title": title, "contacts_count": size[g], "contacts_exported": size[g]}
            for g, title in self.groups.items()
        ]
        info = {"run_id": run_id, "contacts": len(ids), "groups": len(self.groups)}
        return {
            "contacts": _table("contacts", rows),
            "groups": _table("groups", groups),
            "contact_groups": _table(
                "contact_groups", [{"contact_id": c, "group_id": g} for c, g in sorted(self.members)]
            ),
            "issues": _table("issues", [{"contact_id": c, "rule": "mobile_invalid"} for c in ids[:1]]),
            "calendar": _table("calendar", [{"jalali_key": 14040729}]),
            "export_info": _table("export_info", [info]),
        }


def _table(name: str, rows: list[dict[str, object]]) -> pa.Table:
    schema = pa.schema([(each.name, each.type) for each in arrow_schema(TABLES[name])])
    return pa.Table.from_pylist(rows, schema)


def book_number(number: int, size: int = 20) -> Book:
    """Give the book of a number: every contact's city tells the number, so a mixed set would show."""
    book = Book()
    for contact in range(1, size + number % 7 + 1):
        book = book.with_contact(
            contact, city=f"book {number}", first_name="پری\u200cسا", custom_text_1='"; ,'
        )
        if (contact + number) % 3:
            book = book.with_member(contact, 1 + (contact + number) % 2)
    return book


def write(draft, book: Book, formats: tuple[str, ...] = ("parquet",), step=lambda _step: None) -> list:
    """Write a book's tables into a draft, in some formats, by the real loaders; `step` hears of each table."""
    written = []
    for name in formats:
        module, word = FORMATS[name]
        form = getattr(importlib.import_module(module), word)
        with form.target(draft.folder, RunFacts(draft.run_id, mode="export")) as target:
            for table, rows in book.tables(draft.run_id).items():
                if form.holds(table):
                    with target.open(TABLES[table]) as loader:
                        loader.append(rows)
                        step("write")
        written += target.written
    return written


def manifest(book: Book, **more: object) -> dict[str, object]:
    """Give what the pipeline would put into the manifest."""
    return {
        "mode": "export",
        "schema_version": 1,
        "scope": "full",
        "base_url": "https://portal.example/rest",
        "finished_at": datetime.now(UTC).isoformat(),
        "counts": {"kept": len(book.contacts)},
        "issues": {"mobile_invalid": min(1, len(book.contacts))},
        **more,
    }


def publish(
    output,
    book: Book,
    formats: tuple[str, ...] = ("parquet",),
    *,
    feed: bool = False,
    step=lambda _step: None,
    **more: object,
):
    """Publish a book as an export would; with `feed` also the change file, when there is a set to change."""
    with output.lock():
        old = output.current()
        with output.begin(output.new_run_id()) as draft:
            written = write(draft, book, formats, step)
            if feed and old is not None:
                written.append(write_changes(old, draft, datetime.now(UTC)))
            return draft.publish(manifest(book, **more), written)


def seen(folder: Path) -> dict[str, str]:
    """Give what each path outside `.amoot/` shows: the run that wrote it, or how it is broken."""
    found = {}
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if name != ".amoot"]
        for name in names:
            path = Path(place) / name
            found[path.relative_to(folder).as_posix()] = _run_of(path)
    return found


def _run_of(path: Path) -> str:
    if not path.exists():
        return "dangling"
    if path.suffix == ".parquet":
        try:
            with pq.ParquetFile(path) as file:
                file.read()
                return (file.schema_arrow.metadata or {}).get(b"run_id", b"").decode()
        except pa.ArrowInvalid:
            return "torn"
    return "whole" if path.stat().st_size else "empty"


def assert_sound(folder: Path) -> None:
    """Assert what must hold at every moment and after every crash."""
    from amoot_etl.loaders.generations import current_generation  # noqa: PLC0415 - read anew, as a reader would

    current = current_generation(folder)
    shown = seen(folder)
    assert not {"dangling", "torn", "empty"} & set(shown.values()), shown
    if current is None:
        assert not shown, shown
        return
    report = verify(folder)
    assert report.ok, report.problems


def assert_tidy(folder: Path) -> None:
    """Assert that nothing is left over after a run in order: outside and inside `.amoot/`."""
    from amoot_etl.loaders.generations import current_generation  # noqa: PLC0415

    current = current_generation(folder)
    assert sorted(seen(folder)) == sorted(current.names if current else ())
    home = folder / ".amoot"
    known = {"current", "generations", "lock", "logs", "last-check.json", "landing"}
    assert {path.name for path in home.iterdir()} <= known
    landing = home / "landing"
    assert not landing.exists() or not list(landing.iterdir())
    for generation in (home / "generations").iterdir():
        assert not (generation / ".draft").exists()
        assert (generation / "manifest.json").exists()


def mode_of(path: Path) -> int:
    """Give the permission bits of a path."""
    return stat.S_IMODE(path.stat().st_mode)
