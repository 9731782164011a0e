"""diff and the change feed: replayed over a generation, they give the next."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1]))

from publishing_world import Book, book_number, publish, write

from amoot_etl.errors import SettingsError
from amoot_etl.loaders.publish import Output
from amoot_etl.pipeline.diff import CHANGES_SCHEMA, changes, diff, write_changes
from amoot_etl.pipeline.differences import Side, differences
from amoot_etl.pipeline.generations import rollback
from amoot_etl.pipeline.read import read_export

BASE = Book().with_contact(1, city="تهران").with_contact(2, city="قم").with_contact(3).with_member(1, 1)


def changed(tmp_path, one, other):
    """Give what changed between two books, by contact: what, columns, joined, left."""
    output = Output(tmp_path)
    publish(output, one)
    publish(output, other, feed=True)
    rows = diff(tmp_path)
    assert pa.Table.from_pandas(rows, preserve_index=False).schema.remove_metadata() == CHANGES_SCHEMA
    fed = changes(tmp_path)
    assert rows.drop(columns="at").equals(fed.drop(columns="at"))
    rows = rows.astype(object).where(rows.notna(), None)
    names = ["change", "columns", "groups_joined", "groups_left"]
    return {row["contact_id"]: tuple(row[name] for name in names) for _, row in rows.iterrows()}


CASES = {
    "nothing": (BASE, {}),
    "added": (BASE.with_contact(4).with_member(4, 2), {4: ("added", None, "2", None)}),
    "removed": (BASE.without_contact(1), {1: ("removed", None, None, "1")}),
    "updated": (
        BASE.with_contact(2, city="ساوه", active=False),
        {2: ("updated", "active | city", None, None)},
    ),
    "to null": (BASE.with_contact(1, city=None), {1: ("updated", "city", None, None)}),
    "from null": (BASE.with_contact(3, city=""), {3: ("updated", "city", None, None)}),
    "joined": (BASE.with_member(2, 2).with_member(2, 1), {2: ("relabelled", "groups", "1 | 2", None)}),
    "moved": (BASE.without_member(1, 1).with_member(1, 2), {1: ("relabelled", "groups", "2", "1")}),
    "moved and edited": (
        BASE.without_member(1, 1).with_contact(1, city="قم"),
        {1: ("updated", "city | groups", None, "1")},
    ),
    "moved with its stamp": (
        BASE.with_member(2, 1).with_contact(
            2, updated_at=datetime(2026, 1, 1, tzinfo=UTC), updated_date_jalali="1404/10/11"
        ),
        {2: ("relabelled", "groups | updated_at | updated_date_jalali", "1", None)},
    ),
    "only its stamp": (
        BASE.with_contact(2, updated_date_jalali="1404/10/11"),
        {2: ("updated", "updated_date_jalali", None, None)},
    ),
    "another order": (Book(dict(reversed(BASE.contacts.items())), BASE.groups, BASE.members), {}),
    "a group renamed": (
        Book(BASE.contacts, {1: "نو", 2: "همکاران"}, BASE.members),
        {1: ("relabelled", "groups", None, None)},
    ),
    "everything": (
        Book(),
        {1: ("removed", None, None, "1"), 2: ("removed", None, None, None), 3: ("removed", None, None, None)},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_change_is_told_by_its_kind(tmp_path, case):
    """Each kind of change is told for the contacts it befell and no other."""
    after, expected = CASES[case]
    assert changed(tmp_path, BASE, after) == expected


def test_ids_may_be_as_large_as_they_get(tmp_path):
    """Ids at the end of what 64 bits hold are told apart like small ones."""
    large = 2**63 - 2
    book = BASE.with_contact(large).with_contact(large + 1).with_member(large, 1)
    after = book.without_member(large, 1).with_member(large + 1, 2)
    moved = {large: ("relabelled", "groups", None, "1"), large + 1: ("relabelled", "groups", "2", None)}
    assert changed(tmp_path, book, after) == moved


contact = st.fixed_dictionaries(
    {"active": st.booleans(), "deleted": st.just(value=False)},
    optional={
        "city": st.sampled_from(["تهران", "", "a | b", "'\"", "\u200c", None]),
        "extra": st.text(max_size=5).filter(lambda text: text.isprintable()),
        "birth_date": st.dates(),
        "updated_at": st.integers(-(10**9), 10**9).map(lambda second: datetime.fromtimestamp(second, UTC)),
    },
)


@st.composite
def books(draw):
    """Give small books that have much in common."""
    contacts = draw(st.dictionaries(st.integers(1, 8), contact, max_size=8))
    pairs = (
        st.tuples(st.sampled_from(sorted(contacts)), st.sampled_from([1, 2, 3])) if contacts else st.nothing()
    )
    members = draw(st.frozensets(pairs, max_size=10)) if contacts else frozenset()
    return Book(contacts, {1: "a", 2: "b", 3: "c"}, members)


def rows_of(folder):
    """Give a set's contacts by id, and its memberships."""
    contacts = {
        row["contact_id"]: row for row in pq.ParquetFile(folder / "contacts.parquet").read().to_pylist()
    }
    bridge = pq.ParquetFile(folder / "contact_groups.parquet").read().to_pylist()
    return contacts, {(row["contact_id"], row["group_id"]) for row in bridge}


def replay(contacts, members, feed, newer):
    """Apply a feed to a state, taking the values it names from the newer generation."""
    contacts, members = {key: dict(row) for key, row in contacts.items()}, set(members)
    for row in feed.astype(object).where(feed.notna(), None).to_dict("records"):
        key = row["contact_id"]
        if row["change"] == "removed":
            del contacts[key]
        elif row["change"] == "added":
            contacts[key] = newer[key]
        else:
            for name in (row["columns"] or "").split(" | ") if row["columns"] else []:
                contacts[key][name] = newer[key][name]
        members |= {(key, int(group)) for group in (row["groups_joined"] or "").split(" | ") if group}
        members -= {(key, int(group)) for group in (row["groups_left"] or "").split(" | ") if group}
    return contacts, members


@settings(max_examples=25)
@given(one=books(), other=books())
def test_replaying_the_feed_gives_the_next_generation(one, other):
    """For any two books, the older one plus the feed is the newer one, contact by contact."""
    with TemporaryDirectory() as place:
        older, newer = Path(place) / "older", Path(place) / "newer"
        for folder, book in ((older, one), (newer, other)):
            folder.mkdir()
            for name, rows in book.tables("x").items():
                pq.write_table(rows, folder / f"{name}.parquet")
        feed = differences(Side.of(older), Side.of(newer)).to_pandas(types_mapper=pd.ArrowDtype)
        assert replay(*rows_of(older), feed, rows_of(newer)[0]) == rows_of(newer)


def test_the_feed_goes_on_over_many_generations(tmp_path):
    """Any kept generation replayed step by step to the end gives the current one."""
    output = Output(tmp_path)
    made = [publish(output, book_number(number), feed=True) for number in range(4)]
    for start in range(3):
        state = rows_of(made[start].path)
        for older, newer in zip(made[start:], made[start + 1 :], strict=False):
            feed = changes(tmp_path, since=older.run_id)
            state = replay(*state, feed[feed["run_id"] == newer.run_id], rows_of(newer.path)[0])
        assert state == rows_of(made[-1].path)


def test_since_takes_what_came_after(tmp_path):
    """The feed can be read from a run or a moment on; after the last there is nothing."""
    output = Output(tmp_path)
    made = [publish(output, book_number(number), feed=True) for number in range(3)]
    assert set(changes(tmp_path)["run_id"]) == {made[1].run_id, made[2].run_id}
    assert set(changes(tmp_path, since=made[1].run_id)["run_id"]) == {made[2].run_id}
    assert len(changes(tmp_path, since=made[2].run_id)) == 0
    assert len(changes(tmp_path, since=datetime.now(UTC))) == 0
    everything = len(changes(tmp_path))
    assert len(changes(tmp_path, since=datetime.now(UTC) - timedelta(hours=1))) == everything


@pytest.fixture(params=["UTC", "Asia/Tehran", "America/Los_Angeles"])
def _zone(request, monkeypatch):
    """Let the machine's clock be one of this zone."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_zone")
def test_a_moment_without_a_zone_is_one_of_tehran(tmp_path):
    """Whatever the machine's clock shows; texts are read as the command line reads them."""
    before = datetime.now(ZoneInfo("Asia/Tehran")).replace(tzinfo=None) - timedelta(minutes=1)
    output = Output(tmp_path)
    for number in range(2):
        publish(output, book_number(number), feed=True)
    everything = len(changes(tmp_path))
    for since in (before, before.isoformat(), before.date(), before.date().isoformat(), "1405/01/01"):
        assert len(changes(tmp_path, since=since)) == everything > 0
    for since in (before + timedelta(hours=1), before.date() + timedelta(days=2), "1479/01/01"):
        assert len(changes(tmp_path, since=since)) == 0
    with pytest.raises(SettingsError, match="no run of the feed and no time"):
        changes(tmp_path, since="yesterday")


def test_a_follower_ahead_of_a_rollback_is_told(tmp_path):
    """A follower whose last run was rolled back gets an error and not a feed with a hole."""
    output = Output(tmp_path)
    made = [publish(output, book_number(number), feed=True) for number in range(3)]
    rollback(tmp_path)
    with pytest.raises(SettingsError, match="does not know run"):
        changes(tmp_path, since=made[2].run_id)
    assert set(changes(tmp_path)["run_id"]) == {made[1].run_id}
    after = publish(output, book_number(3), feed=True)
    # The set that was rolled back is older by name, and is not what this one was published over.
    assert list(changes(tmp_path, since=made[1].run_id)["run_id"].unique()) == [after.run_id]
    assert rows_of(after.path) == replay(*rows_of(made[1].path), diff(tmp_path), rows_of(after.path)[0])


def test_a_caller_that_knows_what_it_touched_need_not_compare_the_rest(tmp_path):
    """Given the old and new rows of the contacts that may differ, the change file is the same."""
    output = Output(tmp_path)
    old = publish(output, BASE)
    book = BASE.with_contact(2, city="ساوه").with_contact(4).without_contact(3).with_member(1, 2)
    with output.lock(), output.begin(output.new_run_id()) as draft:
        write(draft, book)
        at = datetime.now(UTC)
        whole = pq.ParquetFile(write_changes(old, draft, at).path).read()
        touched = pa.array([1, 2, 3, 4])
        rows = [pq.ParquetFile(each / "contacts.parquet").read() for each in (old.path, draft.folder)]
        rows = [each.filter(pc.is_in(each["contact_id"], touched)) for each in rows]
        part = pq.ParquetFile(write_changes(old, draft, at, tuple(rows)).path).read()
    assert part.equals(whole)
    assert whole["change"].to_pylist() == ["relabelled", "updated", "removed", "added"]


def test_generations_of_other_columns_are_compared_by_name(tmp_path):
    """A column that one side lacks, or has in another type, is told as changed where its text differs."""
    output = Output(tmp_path)
    older = publish(output, BASE)
    newer = publish(output, BASE)
    rows = pq.ParquetFile(newer.file("contacts")).read()
    rows = rows.rename_columns(["national_id" if name == "city" else name for name in rows.column_names])
    at = rows.schema.get_field_index("active")
    pq.write_table(rows.set_column(at, "active", rows["active"].cast(pa.string())), newer.file("contacts"))
    found = diff(tmp_path, older.run_id, newer.run_id)
    assert found["columns"].tolist() == ["national_id | city", "national_id | city"]


def test_paths_that_look_like_patterns_are_plain(tmp_path):
    """A folder whose name holds a pattern's signs, a quote or an equals sign is a folder like any other."""
    output = Output(tmp_path / "it's [1] a*b?=c")
    publish(output, book_number(1))
    publish(output, book_number(2), feed=True)
    assert len(diff(output.folder)) == len(changes(output.folder)) > 0
    with read_export(output.folder) as export:
        assert len(export.contacts) == 22


def test_what_is_not_kept_cannot_be_compared(tmp_path):
    """A generation that is not there is named, with those that are."""
    output = Output(tmp_path)
    only = publish(output, BASE)
    with pytest.raises(SettingsError, match=f"keeps no generation before {only.run_id}"):
        diff(tmp_path)
    with pytest.raises(SettingsError, match=f"no generation x: it keeps {only.run_id}"):
        diff(tmp_path, "x")
    with pytest.raises(SettingsError, match="holds no export"):
        diff(tmp_path / "elsewhere")
    assert len(changes(tmp_path)) == 0
