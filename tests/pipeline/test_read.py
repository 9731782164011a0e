"""read_export: one generation's tables, whatever happens to the folder meanwhile."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from publishing_world import book_number, publish

from amoot_etl.errors import OutputError, SettingsError
from amoot_etl.loaders.publish import Output
from amoot_etl.pipeline import read
from amoot_etl.pipeline.read import read_export


def test_an_export_gives_its_tables(tmp_path):
    """Each table comes as a DataFrame with Arrow types, read once, with the run and the manifest."""
    generation = publish(Output(tmp_path), book_number(1))
    with read_export(tmp_path) as export:
        assert export.run_id == generation.run_id == export.manifest["run_id"]
        assert export.tables() == (
            "contacts",
            "groups",
            "contact_groups",
            "issues",
            "calendar",
            "export_info",
        )
        assert len(export.contacts) == 21
        assert export.contacts is export.table("contacts")
        assert all(isinstance(dtype, pd.ArrowDtype) for dtype in export.contacts.dtypes)
        assert [
            len(each) for each in (export.groups, export.issues, export.calendar, export.export_info)
        ] == [2, 1, 1, 1]
        assert repr(export) == f"<Export {export.run_id}: {', '.join(export.tables())}>"
        with pytest.raises(KeyError, match="no table contacts_raw"):
            _ = export.contacts_raw


def test_an_export_outlives_its_generation(tmp_path):
    """A reader that has begun gets all of its set, though it was pruned before it asked for a table."""
    output = Output(tmp_path, keep=1, keep_for=timedelta(0))
    publish(output, book_number(1))
    with read_export(tmp_path) as export:
        for number in range(2, 5):
            publish(output, book_number(number))
        assert not export.generation.path.exists()
        assert set(export.contacts["city"]) == {"book 1"}
        assert len(export.contact_groups) == len(book_number(1).members)


def test_a_set_pruned_while_it_is_opened_is_not_what_is_read(tmp_path, monkeypatch):
    """When the current set is replaced and pruned amid opening, the new one is read instead."""
    output = Output(tmp_path, keep=1, keep_for=timedelta(0))
    publish(output, book_number(1))
    real, calls = read.open_export, []

    def late(generation):
        calls.append(generation.run_id)
        if len(calls) == 1:
            for number in range(2, 5):
                publish(output, book_number(number))
        return real(generation)

    monkeypatch.setattr(read, "open_export", late)
    with read_export(tmp_path) as export:
        assert set(export.contacts["city"]) == {"book 4"}
    assert len(calls) == 2


def test_an_earlier_generation_can_be_read(tmp_path):
    """A kept generation is read by its name; one that is not kept is an error."""
    output = Output(tmp_path)
    first = publish(output, book_number(1))
    publish(output, book_number(2))
    with read_export(tmp_path, run_id=first.run_id) as export:
        assert set(export.contacts["city"]) == {"book 1"}
    with pytest.raises(SettingsError, match=f"holds no generation 2020.+: it keeps {first.run_id}"):
        read_export(tmp_path, run_id="20200101T000000Z-0000")


def test_nothing_to_read_says_what_to_do(tmp_path):
    """A folder without an export is an error of the call; a set that lost a file is told with its name."""
    with pytest.raises(SettingsError, match="run `amoot-etl export` first"):
        read_export(tmp_path)
    generation = publish(Output(tmp_path), book_number(1))
    generation.file("groups").unlink()
    with pytest.raises(OutputError, match=r"verify"):
        read_export(tmp_path)


def test_the_folder_of_the_settings_is_the_default(tmp_path, monkeypatch):
    """Without a folder the one that AMOOT_OUT names is read."""
    publish(Output(tmp_path / "here"), book_number(1))
    monkeypatch.setenv("AMOOT_OUT", str(tmp_path / "here"))
    with read_export() as export:
        assert len(export.contacts) == 21
