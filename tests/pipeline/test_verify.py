"""verify: a published set passes, and every way in which it can be wrong is named."""

from __future__ import annotations

import dataclasses
import errno
import json
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from publishing_world import Book, book_number, manifest, publish
from sync_world import short_calendar, small_book  # noqa: F401 - a fixture

from amoot_etl.demo import Portal
from amoot_etl.errors import SettingsError, VerificationError
from amoot_etl.loaders import csv
from amoot_etl.loaders.atomic import sha256_of
from amoot_etl.loaders.contract import as_table
from amoot_etl.loaders.csv import CSV
from amoot_etl.loaders.publish import Output
from amoot_etl.pipeline.export import export
from amoot_etl.pipeline.run import Keeping
from amoot_etl.pipeline.verify import verify, verify_generation
from amoot_etl.settings import Settings

ALL = ("parquet", "csv", "xlsx")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Give a folder with one published set, in all formats, that no test changes."""
    folder = tmp_path_factory.mktemp("published")
    publish(Output(folder, links=True), book_number(1), ALL)
    return folder


@pytest.fixture
def output(published, tmp_path):
    """Give a copy of that folder, to spoil."""
    return Output(shutil.copytree(published, tmp_path / "out", symlinks=True))


def rewrite(output, name, change, *, honest=False):
    """Change a file of the current set; with `honest` the manifest is made to say so."""
    generation = output.current()
    path = generation.path / name
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            rows = file.read()
        changed = change(rows)
        about = changed.schema.metadata or rows.schema.metadata
        pq.write_table(changed.replace_schema_metadata(about), path)
        count = pq.read_metadata(path).num_rows
    else:
        path.write_bytes(change(path.read_bytes()))
        count = None
    if honest:
        for entry in generation.files:
            if entry["path"] == name:
                entry["bytes"], entry["sha256"] = path.stat().st_size, sha256_of(path)
                entry["rows"] = entry["rows"] if count is None else count
        (generation.path / "manifest.json").write_text(json.dumps(generation.manifest))


def with_column(name, change):
    """Give a change of one column."""

    def apply(rows):
        at = rows.schema.get_field_index(name)
        return rows.set_column(at, rows.schema.field(at), change(rows[name]))

    return apply


def twice_the_first(rows):
    """Give the rows with the first one standing twice."""
    return pa.concat_tables([rows, rows.slice(0, 1)])


def another_id(column):
    """Give ids of which the first is known to nobody."""
    return pa.chunked_array([pa.array([999_999, *column.to_pylist()[1:]], column.type)])


@pytest.mark.parametrize(
    "book", [Book(), book_number(1), book_number(5, size=300)], ids=["empty", "small", "larger"]
)
@pytest.mark.parametrize("content", ["cheap", "full"])
def test_a_published_set_passes(tmp_path, book, content):
    """What was published is what its manifest says, in all formats."""
    generation = publish(Output(tmp_path), book, ALL)
    report = verify(tmp_path, content=content)
    assert (report.ok, report.problems, report.notes) == (True, [], [])
    assert report.run_id == generation.run_id
    report.require_ok()


@pytest.mark.parametrize("name", ["contacts.csv", "contacts.parquet"])
def test_a_disk_that_refuses_to_read_a_file_is_a_problem_of_that_file(output, monkeypatch, name):
    """What the disk will not give back is told as a line, and the rest is checked."""

    def refusing(path):
        if path.name == name:
            raise OSError(errno.EIO, "Input/output error", str(path))
        return sha256_of(path)

    monkeypatch.setattr("amoot_etl.pipeline.verify.sha256_of", refusing)
    report = verify(output.folder, content="full")
    assert report.problems == [f"{name}: cannot be read (Input/output error)"]


def test_a_set_can_be_checked_before_it_is_current(tmp_path):
    """A check given to publish() sees the whole set, and stops it by raising."""
    from publishing_world import write  # noqa: PLC0415

    output = Output(tmp_path)
    book = book_number(1)
    wrong = {**manifest(book), "issues": {"mobile_invalid": 7}}
    with (
        output.lock(),
        output.begin(output.new_run_id()) as draft,
        pytest.raises(VerificationError, match="mobile"),
    ):
        draft.publish(wrong, write(draft, book), check=lambda each: verify_generation(each).require_ok())
    assert output.current() is None


@pytest.mark.usefixtures("short_calendar")
def test_an_export_is_looked_at_as_deep_as_it_is_told(tmp_path, monkeypatch):
    """What only a full look sees (a value that differs in CSV) stops an export with `--verify full`, and no other."""
    real = csv.CsvTarget.close

    def spoil(target):
        real(target)
        path = target.written[0].path
        path.write_bytes(path.read_bytes().replace("نام 3".encode(), "نام 4".encode()))

    monkeypatch.setattr(csv.CsvTarget, "close", spoil)
    with Portal(small_book(), token="t") as portal:
        settings = Settings(base_url=portal.url, token="t", out=tmp_path)
        with pytest.raises(VerificationError, match=r"contacts.csv: contacts differs from Parquet"):
            export(settings, formats=["csv"], keeping=Keeping(check="full"))
        assert not (tmp_path / "contacts.csv").exists()
        assert export(settings, formats=["csv"]).published


@pytest.mark.usefixtures("short_calendar")
def test_without_the_extra_all_else_is_checked(tmp_path, monkeypatch):
    """A workbook that cannot be read back is a note, its bytes are looked at; who asks for a full look gets no less."""
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with Portal(small_book(), token="t") as portal:
        settings = Settings(base_url=portal.url, token="t", out=tmp_path)
        export(settings, formats=["csv", "xlsx"])
        report = verify(tmp_path)
        assert (report.ok, len(report.notes)) == (True, 1)
        assert report.notes[0].startswith("contacts.xlsx: not compared with Parquet: reading a workbook")
        with pytest.raises(SettingsError, match=r"contacts\.xlsx: not compared"):
            export(settings, keeping=Keeping(check="full"))
        path = (tmp_path / "contacts.csv").resolve()
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[::-1])
        assert verify(tmp_path).problems[0].startswith("contacts.csv: its bytes")


WRONG_BYTES = {
    "a missing file": ("groups.parquet", None, "groups.parquet: the file is missing"),
    "a cut file": (
        "contacts.parquet",
        lambda content: content[:-1],
        "contacts.parquet: .+ bytes, the manifest says",
    ),
    "a flipped bit": (
        "issues.csv",
        lambda content: content[:-3] + bytes([content[-3] ^ 1]) + content[-2:],
        "issues.csv: its bytes",
    ),
    "a file nobody named": ("extra.csv", lambda _content: b"x", "extra.csv: the manifest does not name it"),
}


@pytest.mark.parametrize("case", WRONG_BYTES)
def test_wrong_bytes_are_named(output, case):
    """A file that is missing, cut, changed or unknown is a problem that begins with its name."""
    name, change, expected = WRONG_BYTES[case]
    path = output.current().path / name
    if change is None:
        path.unlink()
    else:
        path.write_bytes(change(path.read_bytes() if path.exists() else b""))
    report = verify(output.folder)
    assert any(pc.match_substring_regex(pa.array(report.problems), f"^{expected}").to_pylist()), (
        report.problems
    )
    with pytest.raises(VerificationError, match=name):
        report.require_ok()


WRONG_TABLES = {
    "an id twice": ("contacts.parquet", twice_the_first, "contacts: 1 ids stand more than once"),
    "a null id": (
        "contacts.parquet",
        with_column(
            "contact_id", lambda ids: pa.chunked_array([pa.array([None, *ids.to_pylist()[1:]], ids.type)])
        ),
        "contacts: contact_id is null in 1 rows",
    ),
    "a group twice": ("groups.parquet", twice_the_first, "groups: 1 ids stand more than once"),
    "a member twice": ("contact_groups.parquet", twice_the_first, "contact_groups: 1 pairs stand twice"),
    "a member nobody knows": (
        "contact_groups.parquet",
        with_column("contact_id", another_id),
        "contact_groups: contact_id of 1 rows is not in contacts",
    ),
    "a group nobody knows": (
        "contact_groups.parquet",
        with_column("group_id", another_id),
        "contact_groups: group_id of 1 rows is not in groups",
    ),
    "an issue of nobody": (
        "issues.parquet",
        with_column("contact_id", another_id),
        "issues: contact_id of 1 rows is not in contacts",
    ),
    "a member lost": (
        "contact_groups.parquet",
        lambda rows: rows.slice(1),
        "groups: group 1 says 8 contacts, contact_groups has 7",
    ),
    "an issue lost": (
        "issues.parquet",
        lambda rows: rows.slice(1),
        "issues: 0 rows of mobile_invalid, the manifest says 1",
    ),
    "no info": ("export_info.parquet", lambda rows: rows.slice(1), "export_info: 0 rows, not one"),
    "another run's info": (
        "export_info.parquet",
        with_column("run_id", lambda _run: pa.array(["x"])),
        "export_info: run_id is x",
    ),
    "a contact lost": (
        "contacts.parquet",
        lambda rows: rows.slice(0, len(rows) - 1),
        "export_info: contacts is 21, not 20",
    ),
    "another type": (
        "contacts.parquet",
        lambda rows: rows.set_column(rows.schema.get_field_index("city"), "city", pa.array([1] * len(rows))),
        "contacts: column city is int64, not string",
    ),
    "a value of Parquet alone": (
        "contacts.parquet",
        with_column("city", lambda city: pa.array(["elsewhere", *city.to_pylist()[1:]])),
        "contacts.csv: contacts differs from Parquet in city, 1 rows",
    ),
    "a value of a workbook": (
        "contacts.parquet",
        with_column("city", lambda city: pa.array(["elsewhere", *city.to_pylist()[1:]])),
        "contacts.xlsx: contacts differs from Parquet in city, 1 rows",
    ),
    "a value of CSV alone": (
        "contacts.csv",
        lambda content: content.replace(b"book 1", b"book 7", 2),
        "contacts.csv: contacts differs from Parquet in city, 2 rows",
    ),
    "a row lost in CSV": (
        "groups.csv",
        lambda content: content.rstrip().rpartition(b"\n")[0] + b"\n",
        "groups.csv: groups has 1 rows, Parquet has 2",
    ),
    "not CSV of ours": (
        "groups.csv",
        lambda _content: b"a,b\n1,2\n",
        "groups.csv: groups cannot be read back",
    ),
}


@pytest.mark.parametrize("case", WRONG_TABLES)
def test_tables_that_disagree_are_named(output, case):
    """Even when the manifest vouches for a file, what its tables say of each other must agree."""
    name, change, expected = WRONG_TABLES[case]
    rewrite(output, name, change, honest=True)
    problems = verify(output.folder).problems
    assert any(problem.startswith(expected) for problem in problems), problems
    assert verify(output.folder, content="cheap").run_id


def test_a_file_of_another_run_is_named(output):
    """A Parquet file that another run made does not pass for this one's."""
    first = output.current()
    second = publish(output, book_number(1), ("parquet",))
    foreign = (first.path / "calendar.parquet").read_bytes()
    (second.path / "calendar.parquet").write_bytes(foreign)
    assert (
        f"calendar.parquet: made by run {first.run_id}, not by {second.run_id}"
        in verify(output.folder).problems
    )


def test_a_path_that_shows_something_else_is_named(output):
    """A stable path that was replaced or leads nowhere is a problem; one that is missing is a note."""
    (output.folder / "contacts.csv").unlink()
    (output.folder / "contacts.csv").write_text("mine")
    (output.folder / "groups.csv").unlink()
    (output.folder / "groups.csv").symlink_to("nowhere")
    (output.folder / "issues.csv").unlink()
    report = verify(output.folder)
    assert sorted(report.problems) == [
        "contacts.csv: is not a file that was published",
        "groups.csv: the path leads nowhere",
    ]
    assert report.notes == ["issues.csv: not shown yet; the next run will"]


def test_without_links_a_path_that_is_behind_is_a_note(tmp_path):
    """A path that still shows an earlier kept set is whole, and is told as that; an edited one is a problem."""
    output = Output(tmp_path, links=False)
    first = publish(output, book_number(1), ("parquet", "csv"))
    publish(output, book_number(2), ("parquet", "csv"))
    (tmp_path / "contacts.csv").unlink()
    (tmp_path / "contacts.csv").write_bytes((first.path / "contacts.csv").read_bytes())
    report = verify(tmp_path)
    assert report.ok
    assert report.notes == ["contacts.csv: still shows an earlier set; the next run will bring it up to date"]
    (tmp_path / "contacts.csv").write_text("edited")
    assert verify(tmp_path).problems == ["contacts.csv: is not a file that was published"]


def test_a_manifest_that_is_damaged_or_gone_is_an_error(output):
    """Without its manifest nothing can be said of a set."""
    path = output.current().path / "manifest.json"
    whole = json.loads(path.read_text())
    entry = whole["files"][0]
    others = (
        *([], {}, {"files": 7}, {**whole, "files": [7]}, {**whole, "counts": 7}),
        *({**whole, "files": [{**entry, "rows": "7"}]}, {**whole, "files": [{**entry, "path": None}]}),
    )
    for text in ("{", *map(json.dumps, others)):
        path.write_text(text)
        with pytest.raises(VerificationError, match="damaged"):
            verify(output.folder)
    path.unlink()
    with pytest.raises(VerificationError, match="missing"):
        verify(output.folder)


def test_a_pointer_of_other_bytes_leads_to_no_set(tmp_path):
    """Where links are not allowed a small file names the current set; a bad byte in it is told as what it is."""
    publish(Output(tmp_path, links=False), book_number(1))
    (tmp_path / ".amoot" / "current").write_bytes(b"2026\xff")
    with pytest.raises(VerificationError, match="missing"):
        verify(tmp_path)


def test_a_manifest_s_own_counts_are_checked(tmp_path):
    """Counts of the manifest that the tables do not bear out are a problem."""
    publish(Output(tmp_path), book_number(1), counts={"kept": 7})
    assert verify(tmp_path).problems == ["manifest.json: counts 7 contacts, contacts has 21 rows"]


WRONG_MANIFESTS = {
    "another run": (
        lambda manifest: manifest.update(run_id="20200101T000000Z-0001"),
        "manifest.json: of run 20200101T000000Z-0001, in the folder of ",
    ),
    "a table less": (
        lambda manifest: manifest.update(files=[x for x in manifest["files"] if x["table"] != "calendar"]),
        "calendar: the manifest names no Parquet file of it",
    ),
    "other columns": (
        lambda manifest: manifest.update(shape={"columns": {"contact_id": "int64"}}),
        "contacts: its columns are not those that the manifest names",
    ),
    "another schema version": (
        lambda manifest: manifest.update(schema_version=2),
        "contacts: schema version 1, the manifest says 2",
    ),
    "another format": (
        lambda manifest: manifest["files"].append({**manifest["files"][0], "format": "orc"}),
        "calendar.csv: this version cannot read orc",
    ),
}


@pytest.mark.parametrize("case", WRONG_MANIFESTS)
def test_a_manifest_that_is_of_something_else_is_named(output, case):
    """A manifest that does not belong to the set that it lies in is a problem."""
    change, expected = WRONG_MANIFESTS[case]
    path = output.current().path / "manifest.json"
    about = json.loads(path.read_text())
    about["files"].sort(key=lambda entry: entry["path"])
    change(about)
    path.write_text(json.dumps(about))
    problems = verify(output.folder).problems
    assert any(problem.startswith(expected) for problem in problems), problems


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        (
            "calendar.parquet",
            lambda rows: rows.replace_schema_metadata({**rows.schema.metadata, b"table": b"issues"}),
            "calendar: the file says that it is issues",
        ),
        (
            "groups.parquet",
            lambda rows: rows.drop_columns(["group_id"]),
            "groups: column group_id is missing",
        ),
        (
            "issues.parquet",
            lambda rows: rows.rename_columns([f"{name}_" for name in rows.column_names]),
            "issues.csv: issues cannot be read back",
        ),
    ],
)
def test_a_file_that_is_another_table_is_named(output, name, change, expected):
    """A Parquet file that says that it is another table, lacks a key, or has other columns is a problem."""
    rewrite(output, name, change, honest=True)
    problems = verify(output.folder).problems
    assert any(problem.startswith(expected) for problem in problems), problems


def test_a_format_that_lacks_a_column_is_named(output, monkeypatch):
    """A loader that made a column less of what Parquet holds than it wrote does not pass."""
    broken = dataclasses.replace(CSV, reduced=lambda chunk, **_: (as_table(chunk).remove_column(0), {}))
    monkeypatch.setattr(csv, "CSV", broken)
    assert "groups.csv: groups cannot be read back (ValueError)" in verify(output.folder).problems


def test_a_file_of_other_rows_is_named(output):
    """The cheap look sees a footer that counts other rows than the manifest, and a workbook that is none."""
    rewrite(output, "contacts.xlsx", lambda content: b"x" * len(content), honest=True)
    generation = output.current()
    for entry in generation.files:
        if entry["path"] == "contact_groups.parquet":
            entry["rows"] += 1
    (generation.path / "manifest.json").write_text(json.dumps(generation.manifest))
    rows = generation.entry("contact_groups")["rows"]
    assert verify(output.folder, content="cheap").problems == [
        f"contact_groups.parquet: {rows - 1} rows, the manifest says {rows}",
        "contacts.xlsx: not a workbook",
    ]


def test_an_earlier_generation_can_be_checked(output):
    """Verify looks at a kept generation by name, and says when there is none, or no export at all."""
    first = output.current()
    publish(output, book_number(2))
    assert verify(output.folder, run_id=first.run_id).run_id == first.run_id
    with pytest.raises(SettingsError, match="holds no export"):
        verify(output.folder / "elsewhere")


def test_no_problem_quotes_a_contact(output):
    """What is wrong is told by file, column and count, never by the values of a contact."""
    rewrite(output, "contacts.csv", lambda content: content.replace(b"book 1", b"PLANTED", 2), honest=True)
    assert not any("PLANTED" in problem or "book 1" in problem for problem in verify(output.folder).problems)
