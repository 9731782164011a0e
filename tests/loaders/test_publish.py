"""Publishing: one atomic step, nothing of anyone else's touched, nothing left over."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from publishing_world import assert_sound, assert_tidy, book_number, manifest, mode_of, publish, seen, write

from amoot_etl.errors import (
    CredentialsError,
    OutputError,
    PortalUnavailable,
    RefusedError,
    SettingsError,
    UnexpectedAnswer,
    VerificationError,
)
from amoot_etl.loaders import landings
from amoot_etl.loaders.generations import list_generations, new_run_id
from amoot_etl.loaders.publish import STEPS, Output

NOW = timedelta(0)
LINKS = pytest.mark.parametrize("links", [True, False], ids=["links", "copies"])


@LINKS
def test_what_is_published_is_current_and_shown(tmp_path, links):
    """After a publish the current generation is the new one and every stable path shows it."""
    output = Output(tmp_path / "out", links=links)
    generation = publish(output, book_number(1), ("parquet", "csv"))
    assert output.current() == generation
    assert set(seen(output.folder).values()) == {generation.run_id, "whole"}
    assert "contacts.csv" in seen(output.folder)
    assert_sound(output.folder)
    assert_tidy(output.folder)


@LINKS
def test_a_second_publish_moves_every_path(tmp_path, links):
    """Every stable path shows the second set, and the change files of the feed stand beside it."""
    output = Output(tmp_path, links=links)
    publish(output, book_number(1))
    second = publish(output, book_number(2), feed=True)
    third = publish(output, book_number(3), feed=True)
    shown = seen(tmp_path)
    assert {run for path, run in shown.items() if path.endswith(".parquet") and "changes" not in path} == {
        third.run_id
    }
    assert [path.stem for path in third.changes()] == [second.run_id, third.run_id]
    assert f"changes/{second.run_id}.parquet" in shown
    assert_sound(tmp_path)
    assert_tidy(tmp_path)


@LINKS
def test_a_format_that_goes_leaves_no_path(tmp_path, links):
    """The paths of a format that the new set lacks are gone, and never dangle on the way."""
    steps = []

    def look(step):
        steps.append(step)
        assert "dangling" not in seen(tmp_path).values()

    output = Output(tmp_path, links=links, step=look)
    publish(output, book_number(1), ("parquet", "csv"))
    publish(output, book_number(2), ("parquet",))
    assert not list(tmp_path.glob("*.csv"))
    assert set(steps) == set(STEPS)
    assert_tidy(tmp_path)


def test_a_folder_can_change_from_links_to_copies_and_back(tmp_path):
    """A folder may be published with links, then without, then with: each time whole and tidy."""
    for number, links in enumerate([True, False, False, True, True]):
        publish(Output(tmp_path, links=links), book_number(number), ("parquet", "csv"), feed=True)
        assert (tmp_path / "contacts.csv").is_symlink() is links
        assert (tmp_path / ".amoot" / "current").is_symlink() is links
        assert_sound(tmp_path)
        assert_tidy(tmp_path)


def test_without_saying_a_folder_stays_as_it_is(tmp_path):
    """The kind of paths and the modes that a folder was published with hold for later runs."""
    publish(Output(tmp_path, links=False, mode="group"), book_number(1))
    publish(Output(tmp_path), book_number(2))
    assert not (tmp_path / "contacts.parquet").is_symlink()
    assert mode_of(tmp_path / "contacts.parquet") == 0o640


def test_links_are_found_out_where_the_system_refuses_them(tmp_path, monkeypatch):
    """Where making a link fails, files are replaced one by one, unless links were asked for."""

    def refuse(*_args, **_kwargs):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    publish(Output(tmp_path), book_number(1))
    assert not (tmp_path / "contacts.parquet").is_symlink()
    assert_sound(tmp_path)
    with pytest.raises(OutputError, match="allows no links"):
        publish(Output(tmp_path, links=True), book_number(2))
    assert_sound(tmp_path)


def test_without_hard_links_the_paths_are_copies(tmp_path, monkeypatch):
    """Where the disk has no hard links either, the paths are copies of the generation's files."""

    def refuse(*_args, **_kwargs):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    output = Output(tmp_path, links=False)
    for number in range(3):
        generation = publish(output, book_number(number), feed=True)
    assert (tmp_path / "contacts.parquet").stat().st_nlink == 1
    assert set(output.paths.behind(generation)) == set()
    assert_sound(tmp_path)
    assert_tidy(tmp_path)


@pytest.mark.parametrize(("mode", "file", "folder"), [("private", 0o600, 0o700), ("group", 0o640, 0o750)])
def test_modes_are_as_promised_whatever_the_umask(tmp_path, mode, file, folder):
    """Published files and folders have the modes of their kind; landed bodies are private in both."""
    output = Output(tmp_path / "out", mode=mode)
    before = os.umask(0o000)
    try:
        publish(output, book_number(1))
        generation = publish(output, book_number(2), feed=True)
        with output.lock():
            landing = output.landing("x")
            assert mode_of(landing) == mode_of(landing.parent) == 0o700
        assert mode_of(output.log_folder()) == 0o700
    finally:
        os.umask(before)
    assert {mode_of(generation.path / name) for name in generation.names} == {file}
    folders = [output.folder, output.home, generation.path, generation.path / "changes"]
    assert {mode_of(each) for each in folders} == {folder}
    assert mode_of(output.home / "lock") == 0o600


@LINKS
@pytest.mark.parametrize("name", ["contacts.parquet", "manifest.json", "changes"])
def test_a_file_of_someone_else_is_never_overwritten(tmp_path, links, name):
    """A path taken by a file that we did not put there stops the run and is left as it is."""
    taken = tmp_path / name
    if name == "changes":
        taken.mkdir()
        taken = taken / "notes.txt"
    taken.write_text("mine")
    output = Output(tmp_path, links=links)
    if name == "changes":
        if not links:
            pytest.skip("a folder of the user's may hold our files beside his own")
        publish(output, book_number(1), feed=True)
        with pytest.raises(OutputError, match="not ours"):
            publish(output, book_number(2), feed=True)
    else:
        with pytest.raises(OutputError, match=f"{name} is not ours"):
            publish(output, book_number(1))
        assert output.current() is None
    assert taken.read_text() == "mine"


@LINKS
def test_other_files_in_the_folder_are_left_alone(tmp_path, links):
    """What else a user keeps in the folder is neither used nor removed."""
    for name in ("notes.txt", ".gitkeep", "contacts.xlsx"):
        (tmp_path / name).write_text(name)
    output = Output(tmp_path, links=links)
    publish(output, book_number(1), ("parquet", "csv"))
    publish(output, book_number(2))
    assert {name: (tmp_path / name).read_text() for name in ("notes.txt", ".gitkeep", "contacts.xlsx")} == {
        "notes.txt": "notes.txt",
        ".gitkeep": ".gitkeep",
        "contacts.xlsx": "contacts.xlsx",
    }


def test_generations_are_kept_by_number_and_by_age(tmp_path):
    """The last three are kept, and any that was current within the time; the rest goes."""
    output = Output(tmp_path, keep=3, keep_for=NOW)
    runs = [publish(output, book_number(number)).run_id for number in range(5)]
    assert [each.run_id for each in list_generations(tmp_path)] == runs[2:]
    patient = Output(tmp_path, keep=1, keep_for=timedelta(hours=24))
    runs.append(publish(patient, book_number(5)).run_id)
    assert [each.run_id for each in list_generations(tmp_path)] == runs[2:]
    hasty = Output(tmp_path, keep=1, keep_for=NOW)
    runs.append(publish(hasty, book_number(6)).run_id)
    # The one that was current a moment ago may have readers that began just then.
    assert [each.run_id for each in list_generations(tmp_path)] == runs[5:]
    assert_tidy(tmp_path)


def test_a_generation_s_age_counts_from_when_it_was_replaced(tmp_path):
    """A set published two days ago and replaced just now is kept; one replaced two days ago is not."""
    output = Output(tmp_path, keep=1, keep_for=timedelta(hours=24))
    first, second = (publish(output, book_number(number)) for number in range(2))
    old = datetime.now(UTC).timestamp() - 48 * 3600
    for generation in (first, second):
        os.utime(generation.path / "manifest.json", (old, old))
    third = publish(output, book_number(2))
    assert [each.run_id for each in list_generations(tmp_path)] == [second.run_id, third.run_id]


def test_a_draft_that_is_left_is_gone(tmp_path):
    """A run that fails before publishing changes nothing outside `.amoot/` and leaves nothing in it."""
    output = Output(tmp_path)
    first = publish(output, book_number(1))
    with output.lock(), pytest.raises(ZeroDivisionError), output.begin(output.new_run_id()) as draft:  # noqa: PT012
        write(draft, book_number(2))
        raise ZeroDivisionError
    assert output.current() == first
    assert_sound(tmp_path)
    assert_tidy(tmp_path)


def test_what_a_dead_run_left_is_swept(tmp_path):
    """A draft, a landing and temporary names of a run that was killed are gone after the next lock."""
    output = Output(tmp_path)
    publish(output, book_number(1))
    with output.lock():
        draft = output.begin(output.new_run_id())
        write(draft, book_number(2))
        (output.landing(draft.run_id) / "body.json").write_text("{}")
        (output.home / "link.new").write_text("")
        (output.home / "trash" / "x").mkdir(parents=True)
    with output.lock():
        pass
    assert_tidy(tmp_path)


def landed(output, run_id):
    """Land one listing, as a run does; give its note."""
    listing = output.landing(run_id) / "listings-1" / "7-1"
    listing.mkdir(parents=True)
    landings.write_note(listing.parent / landings.PLAN, {})
    (listing / "00000.json").write_text("[]")
    landings.write_note(listing / landings.LANDED, {})
    return listing / landings.LANDED


def test_landed_bodies_stay_for_the_resume_window_and_go_on_success(tmp_path):
    """A dead run's listings can be found within the window, not past it, and go when a run succeeds."""
    output = Output(tmp_path, resume_within=timedelta(minutes=15))
    with output.lock():
        note = landed(output, "20261121T203011Z-0001")
        for run_id in ("20261121T203011Z-0001", "20261121T203011Z-0002"):
            (output.landing(run_id) / "body.json").write_text("{}")
    with output.lock():
        assert [run for run, _ in output.landings()] == ["20261121T203011Z-0001"]
        assert note.exists()
        assert [path.name for path in output.landing("20261121T203011Z-0001").iterdir()] == ["listings-1"]
    old = datetime.now(UTC).timestamp() - 16 * 60
    os.utime(note, (old, old))
    with output.lock():
        assert output.landings() == []
        landed(output, "20261121T203011Z-0002")
    publish(output, book_number(1))
    assert output.landings() == []


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (PortalUnavailable("down"), True),
        (CredentialsError("expired"), True),
        (UnexpectedAnswer("cut"), True),
        (SettingsError("no such group"), True),
        (RefusedError("shrunk"), True),
        (KeyboardInterrupt(), True),
        (OutputError("the disk is full"), False),
        (VerificationError("not what was written"), False),
        (ZeroDivisionError(), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_how_a_run_ends_decides_what_the_next_may_use(tmp_path, error, kept):
    """Landed listings outlive the portal's failures and interrupts, not a full disk, a failed check or a bug."""
    output = Output(tmp_path, resume_within=timedelta(minutes=15))
    with pytest.raises(type(error)), output.lock():  # noqa: PT012
        landed(output, "20261121T203011Z-0001")
        raise error
    assert bool(output.landings()) == kept


def test_writing_needs_the_lock(tmp_path):
    """Everything that writes insists on the lock."""
    output = Output(tmp_path)
    with pytest.raises(RuntimeError, match="lock"):
        output.begin("20261121T203011Z-0001")
    with pytest.raises(RuntimeError, match="lock"):
        output.landing("20261121T203011Z-0001")
    with pytest.raises(RuntimeError, match="lock"):
        output.prune()


def test_a_run_sorts_after_all_before_it(tmp_path):
    """Names rise even when two runs share a second or the clock has gone back, and begin() insists on it."""
    moment = datetime(2026, 11, 21, 20, 30, 11, tzinfo=UTC)
    names = [new_run_id(moment, 7)]
    for _ in range(60):
        names.append(new_run_id(moment - timedelta(hours=1), 0, names[-1]))
    assert names == sorted(set(names))
    output = Output(tmp_path)
    publish(output, book_number(1))
    with output.lock(), pytest.raises(ValueError, match="no name for a new run"):
        output.begin("20200101T000000Z-0000")


def test_a_file_no_loader_told_of_is_not_published(tmp_path):
    """A stray file in the draft stops the publish: every file has its manifest entry."""
    output = Output(tmp_path)
    with output.lock(), output.begin(output.new_run_id()) as draft:
        written = write(draft, book_number(1))
        (draft.folder / "stray.csv").write_text("x")
        with pytest.raises(ValueError, match=r"stray\.csv"):
            draft.publish(manifest(book_number(1)), written)
    for name in ("manifest.json", "changes", "../x", ".hidden", "a/b"):
        with pytest.raises(ValueError, match="cannot be the name"):
            draft.path(name)


def test_what_cannot_be_read_back_is_not_published(tmp_path):
    """A file that is not what its loader said stops the publish before anything has changed."""
    output = Output(tmp_path)
    first = publish(output, book_number(1))
    with output.lock(), output.begin(output.new_run_id()) as draft:
        written = write(draft, book_number(2))
        path = draft.path("contacts.parquet")
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(OutputError, match=r"read back: contacts\.parquet"):
            draft.publish(manifest(book_number(2)), written)
    assert output.current() == first
    assert_sound(tmp_path)


class Terminated(BaseException):
    """What the command line makes of SIGTERM is an exception of its own."""


@pytest.mark.parametrize("verb", ["publish", "go back"])
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, Terminated])
@pytest.mark.parametrize("at", STEPS[STEPS.index("confirm") :])
def test_an_interrupt_after_the_swap_comes_too_late(tmp_path, at, interrupt, verb):
    """Ctrl-C or SIGTERM once the set is current: what is left is done, and it is a success."""

    def step(name):
        if name == at and not hit:
            hit.append(name)
            raise interrupt

    hit = []
    if verb == "publish":
        generation = publish(Output(tmp_path, step=step), book_number(1), ("parquet", "csv"))
    else:
        generation = publish(Output(tmp_path), book_number(1), ("parquet", "csv"))
        publish(Output(tmp_path), book_number(2), ("parquet",))
        output = Output(tmp_path, step=step)
        with output.lock():
            output.make_current(generation)
    assert hit or verb == "go back"
    assert Output(tmp_path).current() == generation
    assert_sound(tmp_path)
    assert_tidy(tmp_path)


@pytest.mark.parametrize("at", STEPS[1 : STEPS.index("swap") + 1])
def test_an_interrupt_before_the_swap_changes_nothing(tmp_path, at):
    """Ctrl-C at any earlier step leaves the last set as it was, and nothing of the new one."""
    first = publish(Output(tmp_path), book_number(1), ("parquet", "csv"))
    before = seen(tmp_path)

    def interrupt(step):
        if step == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(Output(tmp_path, step=interrupt), book_number(2), ("parquet",))
    assert Output(tmp_path).current() == first
    assert seen(tmp_path) == before
    assert_sound(tmp_path)
    with Output(tmp_path).lock():
        pass
    assert_tidy(tmp_path)


def test_a_damaged_current_set_can_be_published_over(tmp_path):
    """A current set that has lost its manifest stops neither the next publish nor the sweep."""
    output = Output(tmp_path)
    first = publish(output, book_number(1))
    (first.path / "manifest.json").unlink()
    with output.lock(), output.begin(output.new_run_id()) as draft:
        draft.publish(manifest(book_number(2)), write(draft, book_number(2)))
    assert_sound(tmp_path)


def test_a_note_is_replaced_whole(tmp_path):
    """A small file such as last-check.json is the old one or the new one, private, and nothing is beside it."""
    output = Output(tmp_path)
    for number in range(2):
        output.write_note("last-check.json", {"number": number})
    path = output.home / "last-check.json"
    assert path.read_text() == '{\n  "number": 1\n}\n'
    assert mode_of(path) == 0o600
    with pytest.raises(TypeError):
        output.write_note("last-check.json", {"number": object()})
    assert '"number": 1' in path.read_text()
    assert not list(output.home.glob("*.new")) + list(output.home.glob(".*.new"))


def test_a_file_in_the_folder_s_place(tmp_path):
    """It is told as what it is, not as a file that exists, and stays."""
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(OutputError, match="taken: a part of the path is a file, not a folder"):
        publish(Output(tmp_path / "taken"), book_number(1))
    assert (tmp_path / "taken").read_text() == "mine"
