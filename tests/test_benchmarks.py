"""The benchmarks measure what they say: bodies like the portal's, results that agree, honest verdicts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from amoot_etl import Settings, export
from amoot_etl.schema import CONTACT_FIELDS
from benchmarks import bodies, equal, kernels, measure, profile, suite, table, world
from benchmarks.portal import DEMO_TOKEN, serving
from benchmarks.scripts import duckdb_bare, pandas_script
from benchmarks.targets import at_least, at_most


@pytest.fixture(autouse=True, scope="module")
def _elsewhere(tmp_path_factory):
    """Keep the bodies of these tests apart from the benchmarks' own, and small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "CHUNK", 1_000)
        patch.setattr(bodies, "CHUNK", 1_000)
        patch.setattr(bodies, "WORK", tmp_path_factory.mktemp("work"))
        yield


@pytest.fixture(scope="module")
def small(_elsewhere):
    """An account of 300 clean contacts."""
    return bodies.one(300)


@pytest.fixture(scope="module")
def exported(small, tmp_path_factory):
    """A small clean export, and the portal's address and folder of the others' results."""
    folder = tmp_path_factory.mktemp("exported")
    others = tmp_path_factory.mktemp("others")
    with serving(small) as url:
        export(Settings(base_url=url, token=DEMO_TOKEN, out=folder))
        pandas_script.main(url, DEMO_TOKEN, str(others))
    return folder, others


def _records(path):
    return json.loads(path.read_text("utf-8"))["Data"]


def test_a_body_is_what_the_portal_sends(small):
    """A generated body is valid JSON with the documented fields in their order, and its counts are true."""
    records = _records(small.folder / "2001.json")
    assert len(records) == small.contacts == 300
    assert all(list(record) == list(CONTACT_FIELDS) for record in records)
    assert json.loads(small.array.read_text("utf-8")) == records
    [group] = _records(small.folder / "ContactGroupList.json")
    assert group["ContactsCount"] == 300
    assert group["ContactsActiveCount"] == sum(record["Active"] for record in records)
    told = {
        entry["ID"]: entry["UpdateDateTime"] for entry in _records(small.folder / "ContactListUpdates.json")
    }
    assert told == {record["ID"]: record["UpdateDateTime"] for record in records}


def test_a_bigger_book_begins_with_the_smaller_one(small):
    """The same seed gives the same contacts, however many are wanted."""
    more = _records(bodies.one(400).folder / "2001.json")
    assert more[:300] == _records(small.folder / "2001.json")


def test_names_and_addresses_are_many(monkeypatch):
    """Twenty thousand contacts hold thousands of names, and addresses that hardly repeat."""
    monkeypatch.setattr(world, "CHUNK", 20_000)
    book = world.invent(world.World(), 0)
    distinct = {field: len(book.columns[field].unique()) for field in ("FName", "LName", "AddressText")}
    assert distinct["FName"] > 2_000
    assert distinct["LName"] > 5_000
    assert distinct["AddressText"] > 9_000


def test_dirt_is_the_share_that_was_asked_for(small):
    """A dirty book differs from the clean one in about that share of each field, and in nothing else."""
    dirty = _records(bodies.one(300, dirty=0.2).folder / "2001.json")
    clean = _records(small.folder / "2001.json")
    for field in ("Mobile", "FName", "AddressText", "BornDatePer", "UpdateDateTime"):
        there = [(old[field], new[field]) for old, new in zip(clean, dirty, strict=True) if old[field]]
        share = sum(old != new for old, new in there) / len(there)
        assert 0.1 < share < 0.3, field
    assert all(old["ID"] == new["ID"] for old, new in zip(clean, dirty, strict=True))


def test_many_labels_overlap_and_lose_nobody():
    """Every contact of an account with many labels is in one at least, in some labels' listings twice over."""
    account = bodies.many(5, 100)
    listed = [
        record["ID"] for group in account.groups for record in _records(account.folder / f"{group}.json")
    ]
    assert len(listed) == account.records == 500
    assert len(set(listed)) == account.contacts == 350
    assert np.array_equal(np.sort(list(set(listed))), bodies.ids_of(account))


def test_edits_are_told_the_same_everywhere():
    """An edited contact has its new stamp and job in the listing, in the list of changes and by itself."""
    before, after = bodies.one(2_000), bodies.one(2_000, edited=0.05)
    old = {record["ID"]: record for record in _records(before.folder / "2001.json")}
    new = {record["ID"]: record for record in _records(after.folder / "2001.json")}
    changed = {contact for contact in old if old[contact] != new[contact]}
    apart = [json.loads(line) for line in (after.folder / "edited.jsonl").read_text("utf-8").splitlines()]
    assert after.edited == len(changed) == len(apart)
    assert {record["ID"]: record for record in apart} == {contact: new[contact] for contact in changed}
    assert all(new[contact]["UpdateDateTime"] > old[contact]["UpdateDateTime"] for contact in changed)


def test_our_export_equals_the_plain_script(exported):
    """On clean contacts the export holds what the analyst's script makes, in every one of its columns."""
    folder, others = exported
    assert equal.same_as_pandas(folder / "contacts.parquet", others / "contacts.parquet") > 30


def test_our_export_equals_duckdb(exported, small, tmp_path):
    """On clean contacts the export holds what DuckDB reads from the same body."""
    duckdb_bare.main(str(small.array), str(tmp_path))
    assert equal.same_as_received(exported[0] / "contacts.parquet", [tmp_path / "contacts.parquet"]) > 5
    assert equal.same_as_bodies(exported[0], small) == 300


@pytest.mark.parametrize("column", ["mobile", "birth_date_jalali", "updated_at"])
def test_a_difference_is_seen(exported, tmp_path, column):
    """One value that differs is enough to refuse a comparison of times."""
    folder, others = exported
    theirs = pq.read_table(others / "contacts.parquet")
    values = theirs.column(column).to_pylist()
    place = next(number for number, value in enumerate(values) if value)
    values[place] = None
    index = theirs.column_names.index(column)
    changed = theirs.set_column(index, column, pa.array(values, theirs.schema.field(column).type))
    pq.write_table(changed, tmp_path / "contacts.parquet")
    with pytest.raises(equal.Different, match=column):
        equal.same_as_pandas(folder / "contacts.parquet", tmp_path / "contacts.parquet")


@pytest.mark.parametrize("kernel", kernels.KERNELS, ids=lambda kernel: f"{kernel.name}, {kernel.library}")
def test_kernels_agree_with_the_libraries(kernel):
    """Each kernel gives what the library beside it gives; a wrong one is refused."""
    assert kernels.measure(kernel, 200, 40).rate > 0
    wrong = kernels.Kernel(
        kernel.name, 0, kernel.values, kernel.ours, kernel.library, lambda _: "something else"
    )
    with pytest.raises(AssertionError, match="something else"):
        kernels.measure(wrong, 20, 5)


def test_a_command_is_measured_with_all_its_processes():
    """Memory is summed over a process and its child, and the clock covers both."""
    # The sleep is what is measured: a command that takes so long.
    child = "import time; held = b'x' * (60 << 20); time.sleep(0.3)"
    parent = (
        f"import subprocess, sys; held = b'x' * (60 << 20); subprocess.run([sys.executable, '-c', {child!r}])"
    )
    alone = measure.run([sys.executable, "-c", child])
    both = measure.run([sys.executable, "-c", parent])
    assert alone.seconds > 0.3
    assert alone.peak > 60 << 20
    assert both.peak > alone.peak + (60 << 20)


def test_a_command_that_fails_is_no_measurement():
    """A side that ends badly raises, and what it said is in the message."""
    with pytest.raises(RuntimeError, match="went wrong"):
        measure.run([sys.executable, "-c", "raise SystemExit('went wrong')"])


def test_a_target_that_is_missed_is_shown_as_missed():
    """A line says yes only where its figure keeps to its target."""
    assert at_most("a", "", "", 1.2, 1.2).cells[-1] == "yes"
    assert at_most("a", "", "", 1.21, 1.2).cells[-1] == "**not met**"
    assert at_least("a", "", "", 9.9, 10).cells[-1] == "**not met**"
    assert at_least("a", "", "", 10, 10).cells[-1] == "yes"


def test_the_readme_keeps_what_stands_between_the_marks(tmp_path):
    """Writing the figures changes nothing but what is between their marks, and a lost mark is an error."""
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- table -->\nold\n<!-- end -->\nafter\n", "utf-8")
    table.between_marks(page, {"table": table.markdown([["1|2", "b"]], ("x", "y"))})
    assert page.read_text("utf-8") == (
        "before\n<!-- table -->\n\n| x | y |\n| --- | --- |\n| 1\\|2 | b |\n\n<!-- end -->\nafter\n"
    )
    with pytest.raises(ValueError, match="profile"):
        table.between_marks(page, {"profile": ""})


def test_what_the_profile_times_is_there():
    """Every function that the profile names exists under that name."""
    for _, module, path in profile.PARTS:
        assert callable(profile.found(module, path)[-1])


def test_every_part_of_the_short_form_is_known():
    """The parts are those that the command offers."""
    assert list(suite.PARTS) == ["export", "others", "growth", "formats", "sync", "verify", "start"]


def test_a_hasty_form_measures_less_often_and_no_less():
    """Fewer runs can be asked for; sizes stay as they are, and no side runs more often than it would."""
    hasty = suite.hasty(suite.FULL, 2)
    assert (hasty.runs, hasty.contacts) == (2, suite.FULL.contacts)
    assert hasty.growth.keys() == suite.FULL.growth.keys()
    assert max(hasty.growth.values()) == 2
    assert suite.hasty(suite.SHORT, 99) == suite.SHORT


@pytest.mark.parametrize(
    ("page", "headings"), [("README.md", table.HEADINGS), ("README.fa.md", table.PERSIAN_HEADINGS)]
)
def test_each_page_has_the_figures_under_headings_of_its_own(page, headings):
    """What a run would write into a README has the headings that stand there."""
    text = (Path(__file__).parents[1] / page).read_text(encoding="utf-8")
    shown = text.partition("<!-- speed -->\n")[2].strip()
    assert shown.startswith(table.markdown([], headings))
