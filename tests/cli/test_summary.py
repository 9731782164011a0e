"""The summary of a run: what a person should know of it stands there."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from amoot_etl.cli import amoot_etl
from amoot_etl.demo import DEMO_TOKEN, AddressBook, Portal


@pytest.fixture
def summary(tmp_path, monkeypatch):
    """Export a book whose first two companies have so many letters, and give what is printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    book = AddressBook.invent(contacts=30)
    with Portal(book) as portal:
        monkeypatch.setenv("AMOOT_BASE_URL", portal.url)
        monkeypatch.setenv("AMOOT_TOKEN", DEMO_TOKEN)

        def export(*words: str, letters: int) -> str:
            for contact_id in list(book)[:2]:
                book.edit(contact_id, CompanyTitle="x" * letters)
            done = CliRunner().invoke(amoot_etl, ["export", "--quiet", *words], catch_exceptions=False)
            return done.stdout

        yield export


def test_text_that_a_cell_cannot_hold_is_told(summary):
    """Two companies longer than a cell are two texts cut, in one line."""
    told = summary("--format", "xlsx", letters=40_000)
    assert re.findall(r"^lost in .*$", told, re.MULTILINE) == [
        "lost in xlsx                 2 texts cut to what a cell holds"
    ]


def test_what_every_workbook_lacks_is_no_news(summary):
    """Stamps without their zone are in each workbook, and a format that holds all loses nothing: no line then."""
    assert "lost in" not in summary("--format", "xlsx", letters=32_767)


def test_a_format_that_holds_it_loses_nothing(summary):
    """CSV has no longest text."""
    assert "lost in" not in summary("--format", "csv", letters=40_000)
