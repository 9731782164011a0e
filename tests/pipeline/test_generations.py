"""The kept generations, and going back to one of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from publishing_world import assert_sound, assert_tidy, book_number, publish, seen

from amoot_etl.errors import OutputLocked, SettingsError, VerificationError
from amoot_etl.loaders.publish import Output
from amoot_etl.pipeline.generations import generations, rollback
from amoot_etl.pipeline.read import read_export


def city(folder):
    """Give the one city of the current set's contacts."""
    with read_export(folder) as export:
        (name,) = set(export.contacts["city"])
        return name


def test_generations_lists_the_latest_first(tmp_path):
    """Each kept generation is listed with its size and its formats, and the current one is marked."""
    assert generations(tmp_path) == []
    output = Output(tmp_path)
    first, second = publish(output, book_number(1)), publish(output, book_number(2), ("parquet", "csv"))
    listed = generations(tmp_path)
    assert [each.run_id for each in listed] == [second.run_id, first.run_id]
    assert [each.current for each in listed] == [True, False]
    assert [each.contacts for each in listed] == [22, 21]
    assert listed[0].formats == ("parquet", "csv")
    assert listed[0].mode == "export"
    assert listed[0].bytes == sum((second.path / name).stat().st_size for name in second.names[:-1])


@pytest.mark.parametrize("links", [True, False], ids=["links", "copies"])
def test_rollback_shows_the_generation_before(tmp_path, links):
    """Going back moves every path in one step, formats that come and go included; going forward too."""
    output = Output(tmp_path, links=links)
    first = publish(output, book_number(1), ("parquet",))
    second = publish(output, book_number(2), ("parquet", "csv"))
    assert rollback(tmp_path).run_id == first.run_id
    assert city(tmp_path) == "book 1"
    assert not (tmp_path / "contacts.csv").exists()
    assert (tmp_path / "contacts.parquet").is_symlink() is links
    assert_sound(tmp_path)
    assert_tidy(tmp_path)
    rollback(tmp_path, second.run_id)
    assert city(tmp_path) == "book 2"
    assert set(seen(tmp_path).values()) == {second.run_id, "whole"}
    publish(output, book_number(3))
    assert city(tmp_path) == "book 3"
    assert_tidy(tmp_path)


def test_rollback_goes_only_where_there_is_something_whole(tmp_path):
    """Without a generation before, of that name, or whole, nothing is changed."""
    with pytest.raises(SettingsError, match="no export"):
        rollback(tmp_path)
    assert not (tmp_path / ".amoot").exists()
    output = Output(tmp_path)
    first = publish(output, book_number(1))
    with pytest.raises(SettingsError, match="keeps no generation before"):
        rollback(tmp_path)
    second = publish(output, book_number(2))
    with pytest.raises(SettingsError, match=f"it keeps {first.run_id}, {second.run_id}"):
        rollback(tmp_path, "x")
    first.file("issues").unlink()
    with pytest.raises(VerificationError, match=r"not whole: issues\.parquet"):
        rollback(tmp_path)
    assert city(tmp_path) == "book 2"


def test_rollback_from_a_damaged_set(tmp_path):
    """A current set without its manifest does not stand in the way of going back."""
    output = Output(tmp_path)
    publish(output, book_number(1))
    second = publish(output, book_number(2))
    (second.path / "manifest.json").unlink()
    rollback(tmp_path)
    assert city(tmp_path) == "book 1"
    assert_sound(tmp_path)


def test_rollback_waits_its_turn(tmp_path):
    """While a run holds the folder there is no going back."""
    output = Output(tmp_path)
    publish(output, book_number(1))
    publish(output, book_number(2))
    with output.lock(), pytest.raises(OutputLocked, match="held by export"):
        rollback(tmp_path)
