"""Results and remarks that cannot be written as they are: a full disk, a closed pipe, an encoding without Persian."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from amoot_etl.demo import DEMO_TOKEN, AddressBook, Portal

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")


@pytest.fixture(scope="module")
def portal():
    """A small portal."""
    book = AddressBook.invent(contacts=20, labels=1, dirty=False)
    with Portal(book) as served:
        yield served


@pytest.fixture
def run(portal, tmp_path):
    """Run a command in a process of its own, where its streams are as a shell would make them."""

    def call(*words: str, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **environment: str):
        address = {"AMOOT_BASE_URL": portal.url, "AMOOT_TOKEN": DEMO_TOKEN}
        return subprocess.run(
            [sys.executable, "-m", "amoot_etl", *words],
            cwd=tmp_path,
            env=os.environ | address | environment,
            stdout=stdout,
            stderr=stderr,
            check=False,
        )

    return call


@needs_full
@pytest.mark.parametrize("words", [("schema",), ("schema", "--json"), ("groups",), ("--help",)])
def test_a_result_that_cannot_be_written(run, words):
    """It is no bug: one line says what is wrong, and the code is that of an output that cannot be written."""
    with FULL.open("w") as full:
        done = run(*words, stdout=full)
    assert done.returncode == 7
    assert done.stderr == b"amoot-etl: standard output cannot be written (No space left on device)\n"


@needs_full
def test_a_summary_that_cannot_be_written(run):
    """What was published stays, and the line says so."""
    for command in ("export", "sync"):
        with FULL.open("w") as full:
            done = run(command, "--quiet", *(("--full",) if command == "sync" else ()), stdout=full)
        assert done.returncode == 7
        [line] = done.stderr.decode().splitlines()
        assert line.endswith(
            "cannot be written (No space left on device); what was published stays published"
        )
        assert run("verify").returncode == 0


@needs_full
def test_remarks_that_nobody_can_read_end_no_run(run):
    """A run goes on where standard error is full, or its reader has gone."""
    with FULL.open("w") as full:
        done = run("export", stderr=full)
    assert done.returncode == 0
    assert b"Published" in done.stdout
    read, write = os.pipe()
    os.close(read)
    done = run("export", stderr=write)
    os.close(write)
    assert done.returncode == 0
    assert b"Published" in done.stdout


def test_a_process_without_standard_error(tmp_path):
    """A run needs none: a service may be started without."""
    command = f'"{sys.executable}" -m amoot_etl export --demo 2>&-'
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, check=False)  # noqa: S602
    assert done.returncode == 0
    assert b"Published" in done.stdout


def test_letters_that_the_encoding_lacks(run, portal):
    """They are written as escapes, and JSON stays what a machine reads."""
    title = next(iter(portal.book.groups().values()))
    assert not title.isascii()
    shown = run("groups", PYTHONIOENCODING="cp1252")
    assert (shown.returncode, shown.stderr) == (0, b"")
    escaped = title.encode("cp1252", "backslashreplace")
    assert escaped != title.encode()
    assert escaped in shown.stdout
    told = run("groups", "--json", PYTHONIOENCODING="cp1252")
    assert [group["title"] for group in json.loads(told.stdout.decode("cp1252"))] == [title]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_letters_as_they_are(run, portal, encoding):
    """They are written in UTF-8, also where the system knows of no encoding at all."""
    title = next(iter(portal.book.groups().values()))
    for words in (("groups",), ("groups", "--json")):
        assert title in run(*words, PYTHONIOENCODING=encoding).stdout.decode("utf-8")


def test_half_a_letter(run, portal):
    """What no encoding can hold, half of a pair, is shown as an escape."""
    contact_id = portal.book.add(FName="\ud83d")
    for words in (("contact", str(contact_id)), ("contact", str(contact_id), "--json")):
        done = run(*words)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"\\ud83d" in done.stdout
