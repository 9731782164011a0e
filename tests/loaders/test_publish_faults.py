"""Disk faults: whatever the disk refuses, the last set is whole, the error is told, and the next run works."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from publishing_world import assert_sound, assert_tidy, book_number, publish, seen

from amoot_etl.errors import OutputError
from amoot_etl.loaders import atomic
from amoot_etl.loaders.generations import current_run
from amoot_etl.loaders.publish import STEPS, Output
from amoot_etl.pipeline.read import read_export

BEFORE = STEPS[: STEPS.index("swap") + 1]
AFTER = [step for step in STEPS if step in {"confirm", "show"}]


def failing(at, code):
    """Give a hook that fails a step as the disk would."""

    def step(name):
        if name == at:
            raise OSError(code, os.strerror(code))

    return step


def city(folder):
    """Give the one city that all contacts of the current set have."""
    with read_export(folder) as export:
        (name,) = set(export.contacts["city"])
        (run,) = set(export.export_info["run_id"])
        assert run == export.run_id
        return name


# Up to `hold` both layouts do the same: those steps are tried without links by the slow tests alone.
LAYOUTS_BEFORE = [
    pytest.param(
        at, links, id=f"{at}-{name}", marks=() if links or at in {"hold", "swap"} else pytest.mark.slow
    )
    for at in BEFORE
    for links, name in ((True, "links"), (False, "copies"))
]


@pytest.mark.parametrize(("at", "links"), LAYOUTS_BEFORE)
def test_a_fault_before_the_swap_changes_nothing(tmp_path, at, links):
    """A full disk at any step up to the swap is told with its way out, and the old set stays as it was."""
    first = publish(Output(tmp_path, links=links), book_number(1), ("parquet", "csv"))
    before = seen(tmp_path)
    with pytest.raises(OutputError, match="disk is full: make room"):
        publish(Output(tmp_path, step=failing(at, errno.ENOSPC)), book_number(2))
    assert current_run(tmp_path) == first.run_id
    assert seen(tmp_path) == before
    assert_sound(tmp_path)
    publish(Output(tmp_path), book_number(3))
    assert city(tmp_path) == "book 3"
    assert_tidy(tmp_path)


@pytest.mark.parametrize("links", [True, False], ids=["links", "copies"])
@pytest.mark.parametrize("at", AFTER)
def test_a_fault_after_the_swap_says_that_the_set_is_current(tmp_path, at, links):
    """A refusal after the swap names the set that is current all the same, and the next run finishes it."""
    publish(Output(tmp_path, links=links), book_number(1))
    with pytest.raises(OutputError, match=r"is current, but: .+ access is denied"):
        publish(Output(tmp_path, step=failing(at, errno.EACCES)), book_number(2), ("parquet", "csv"))
    assert city(tmp_path) == "book 2"
    assert_sound(tmp_path)
    with Output(tmp_path).lock():
        pass
    assert_sound(tmp_path)
    assert_tidy(tmp_path)


def test_a_fault_while_pruning_is_not_the_run_s(tmp_path):
    """What cannot be pruned is left for the next run; the publish is a success."""
    publish(Output(tmp_path, step=failing("prune", errno.EBUSY)), book_number(1))
    assert city(tmp_path) == "book 1"


def test_an_fsync_that_fails_stops_the_publish(tmp_path, monkeypatch):
    """A disk that does not confirm what was written is an error, and the old set stays current."""
    publish(Output(tmp_path), book_number(1))

    def fail(_handle):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(atomic.os, "fsync", fail)
    with pytest.raises(OutputError, match="the disk failed"):
        publish(Output(tmp_path), book_number(2))
    monkeypatch.undo()
    assert city(tmp_path) == "book 1"
    assert_sound(tmp_path)


def test_every_file_and_folder_is_synced_before_the_swap(tmp_path, monkeypatch):
    """Every file and folder of the set is on disk by the swap, the swap itself before anything is removed."""
    events = []
    real = os.fsync

    def note(handle):
        events.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        real(handle)

    output = Output(tmp_path, step=events.append)
    monkeypatch.setattr(atomic.os, "fsync", note)
    generation = publish(output, book_number(1), ("parquet", "csv"))
    wanted = {str(generation.path / name) for name in generation.names if name != "manifest.json"}
    wanted |= {str(generation.path), str(generation.path.parent), str(generation.path / ".manifest.json.new")}
    swap, prune = events.index("swap"), events.index("prune")
    assert wanted <= set(events[:swap])
    assert {str(output.home), str(tmp_path)} <= set(events[swap:prune])


def test_a_path_held_open_stops_no_other(tmp_path, monkeypatch):
    """Without links a file that cannot be replaced keeps its old content; all others are replaced."""
    output = Output(tmp_path, links=False)
    publish(output, book_number(1), ("parquet", "csv"))
    real = Path.replace

    def held(self, target):
        if Path(target).name == "contacts.csv" and Path(target).parent == tmp_path:
            raise PermissionError(errno.EACCES, "held open", str(target))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", held)
    with pytest.raises(OutputError, match=r"is current, but: cannot write .+contacts\.csv"):
        publish(output, book_number(2), ("parquet", "csv"))
    monkeypatch.undo()
    assert "book 1" in (tmp_path / "contacts.csv").read_text()
    assert city(tmp_path) == "book 2"
    assert seen(tmp_path)["contacts.parquet"] == current_run(tmp_path)
    assert output.paths.behind(output.current()) == ["contacts.csv"]
    assert_sound(tmp_path)
    with output.lock():
        pass
    assert "book 2" in (tmp_path / "contacts.csv").read_text()
    assert_tidy(tmp_path)


@pytest.fixture
def small_disk(tmp_path):
    """Give a folder on a disk of its own of half a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up(small_disk):
    """On a disk that really is full a run fails with what to do, and the last set stays whole."""
    publish(Output(small_disk), book_number(1))
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"), filler.open("wb") as file:
        file.write(b"\0" * (1 << 20))
    with pytest.raises(OutputError):
        publish(Output(small_disk), book_number(2))
    assert city(small_disk) == "book 1"
    assert_sound(small_disk)
    filler.unlink()
    publish(Output(small_disk), book_number(3))
    assert city(small_disk) == "book 3"
    assert_tidy(small_disk)


def test_a_disk_that_is_read_only(small_disk):
    """On a disk that really is read-only a run says so, and readers go on reading."""
    publish(Output(small_disk), book_number(1))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(OutputError, match="read-only"):
        publish(Output(small_disk), book_number(2))
    assert city(small_disk) == "book 1"
    assert_sound(small_disk)


def test_a_file_larger_than_the_account_may_write(tmp_path):
    """When a limit cuts a file short, the run fails and the last set stays whole."""
    publish(Output(tmp_path), book_number(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(OutputError):
            publish(Output(tmp_path), book_number(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert city(tmp_path) == "book 1"
    assert_sound(tmp_path)
    with Output(tmp_path).lock():
        pass
    assert_tidy(tmp_path)


def test_a_folder_whose_place_is_taken_by_a_file(tmp_path):
    """An output folder that cannot be made is an error that names it."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="taken"):
        publish(Output(tmp_path / "taken" / "out"), book_number(1))
