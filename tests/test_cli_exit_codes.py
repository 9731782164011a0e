"""The command line ends in the exit code of its error, says one line on stderr, and hears Ctrl-C."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from amoot_etl import cli, errors
from amoot_etl.demo import AddressBook, Fault, Portal
from amoot_etl.loaders.publish import Output

TOKEN = "planted-token-0123456789"
MOBILE = 9121234567
FAST = ("--retries", "1", "--backoff", "0.001")


@pytest.fixture
def portal(monkeypatch):
    """A portal that the environment points to."""
    book = AddressBook.invent(contacts=12, labels=1, dirty=False)
    book.edit(100_001, Mobile=MOBILE, FName="Planted-Name")
    with Portal(book, token=TOKEN) as portal:
        monkeypatch.setenv("AMOOT_BASE_URL", portal.url)
        monkeypatch.setenv("AMOOT_TOKEN", TOKEN)
        yield portal


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run the command line in this process, in a folder of its own; give its code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger("amoot_etl")
    before, level = list(root.handlers), root.level
    handler = signal.getsignal(signal.SIGTERM)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["amoot-etl", *arguments])
        with pytest.raises(SystemExit) as done:
            cli.main()
        told = capsys.readouterr()
        assert TOKEN not in told.out + told.err
        return done.value.code, told.out, told.err

    yield call
    root.handlers[:] = before
    root.setLevel(level)
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize(
    ("fault", "code", "word"),
    [
        (lambda: Fault.status("Token_Expired"), 3, "Token_Expired (-204)"),
        (lambda: Fault.http(403), 3, "HTTP 403"),
        (lambda: Fault.status("System_Disabled", "plain"), 4, "System_Disabled"),
        (lambda: Fault.http(503), 4, "HTTP 503"),
        (lambda: Fault.reset("in"), 4, "the connection broke"),
        (Fault.hang, 4, "no answer in time"),
        (Fault.html, 5, "an HTML page"),
        (lambda: Fault.cut(0.5, "close"), 5, "cut"),
        (lambda: Fault.http(404), 5, "HTTP 404"),
        (lambda: Fault.redirect("http://127.0.0.1:9/"), 5, "redirect"),
        (lambda: Fault.status("Tea_Time"), 5, "Tea_Time"),
    ],
)
def test_a_fault_that_lasts(portal, run, tmp_path, fault, code, word):  # noqa: PLR0917
    """Through the command line, a lasting fault ends in its code, and its last line says what and how on."""
    portal.plan(fault(), "ContactGroupList")
    soon = ("--timeout", "0.3") if word == "no answer in time" else ()
    got, out, err = run("export", "--out", str(tmp_path / "out"), *FAST, *soon)
    assert (got, out) == (code, "")
    last = err.splitlines()[-1]
    assert last.startswith("amoot-etl: ContactGroupList: ")
    assert word in last
    assert "Traceback" not in err
    assert str(MOBILE) not in err
    assert not (tmp_path / "out" / "contacts.parquet").exists()


def test_no_token_is_a_matter_of_settings(portal, run, monkeypatch):
    """Without a token nothing is asked of the portal, and the code is 2."""
    monkeypatch.delenv("AMOOT_TOKEN")
    code, _, err = run("export")
    assert (code, err) == (2, "amoot-etl: no token: set AMOOT_TOKEN or --token-file\n")
    assert portal.calls == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "--group", "77"),
        ("contact", "5"),
        ("contact", "0"),
        ("contact", "abc"),
        ("export", "--format", "cvs"),
        ("export", "--deadline", "soon"),
        ("export", "--max-body", "-3"),
        ("export", "--account", "shop"),
        ("export", "--no-such-flag"),
        ("exprot",),
        ("groups", "--config", "nowhere.toml"),
    ],
)
def test_a_wrong_call(portal, run, arguments):
    """What is wrong with the call itself ends in 2, with a line that says what."""
    code, _, err = run(*arguments)
    assert code == 2
    assert "Traceback" not in err
    assert err.strip()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("export", "--columns", ""), "--columns"),
        (("export", "--columns="), "--columns"),
        (("export", "--columns", ","), "--columns"),
        (("export", "--exclude", " "), "--exclude"),
        (("export", "--format", " ,"), "--format"),
        (("export", "--group", ""), "--group"),
        (("export", "--out", ""), "--out"),
        (("groups", "--account", ""), "--account"),
        (("groups", "--base-url="), "--base-url"),
        (("changes", "--since", ""), "--since"),
        (("rollback", ""), "an argument"),
    ],
)
def test_an_empty_value(portal, run, tmp_path, arguments, named):
    """What a variable that is not set leaves behind is refused, and nothing is asked of the portal or written."""
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"amoot-etl: {named} (is empty|names nothing): give .*, or leave it away\n", err)
    assert portal.calls == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_contact(portal, run):
    """An ID that the portal does not know is told by the portal's own code, and a text that is none as such."""
    assert "ContactID_Invalid" in run("contact", "5", *FAST)[2]
    calls = len(portal.calls)
    assert "abc is no contact's ID: give a number" in run("contact", "abc")[2]
    assert len(portal.calls) == calls
    assert run("contact", "۱۰۰۰۰۱", *FAST)[0] == 0


def test_a_folder_that_is_held(portal, run, tmp_path):
    """While another run holds the folder, the code is 7 and the line says who."""
    with Output(tmp_path / "out").lock(purpose="export"):
        code, _, err = run("export", "--out", str(tmp_path / "out"))
    assert code == 7
    assert f"pid {os.getpid()}" in err


def test_a_set_that_would_shrink(portal, run, tmp_path):
    """Far fewer contacts than before end in 8, and the old set stays."""
    assert run("export", "--out", "out", *FAST)[0] == 0
    before = (tmp_path / "out" / "contacts.parquet").read_bytes()
    for contact_id in list(portal.book)[2:]:
        portal.book.delete(contact_id)
    assert run("export", "--out", "out", *FAST)[0] == 8
    assert (tmp_path / "out" / "contacts.parquet").read_bytes() == before


def test_a_damaged_set(portal, run, tmp_path):
    """`verify` ends in 6 where a published file was changed."""
    assert run("export", "--out", "out", *FAST)[0] == 0
    file = (tmp_path / "out" / "groups.parquet").resolve()
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-9] + b"123456789")
    code, out, err = run("verify", "--out", "out")
    assert code == 6
    assert out.startswith("groups.parquet: ")
    assert err.endswith("is not what it should be: 1 problem, told on standard output\n")
    code, _, err = run("verify", "--out", "out", "--json")
    assert code == 6
    assert "is not what it should be: groups.parquet: " in err


def test_a_bug(portal, run, monkeypatch):
    """An error that is none of ours ends in 1: one line, and a file with frames and no values."""

    def broken(*_args, **_kwargs):
        raise ZeroDivisionError(f"{MOBILE}")

    monkeypatch.setattr("amoot_etl.extractors.groups.fetch_groups", broken)
    code, _, err = run("groups")
    assert code == 1
    path = err.partition("please send us ")[2].partition(";")[0]
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - a path out of a message
        told = file.read()
    os.unlink(path)  # noqa: PTH108
    assert "ZeroDivisionError" in told
    assert str(MOBILE) not in told + err


def test_every_class_of_error_has_a_code():
    """Each error that we raise on purpose has an exit code of its kind, and every code a kind."""

    def kinds(kind: type[errors.AmootError]):
        yield kind
        for each in kind.__subclasses__():
            yield from kinds(each)

    codes = {kind: cli.exit_code_of(kind) for kind in kinds(errors.AmootError)}
    general = {errors.AmootError, errors._PortalError}
    assert {kind for kind, code in codes.items() if code == 1} == general
    assert set(codes.values()) == {1, 2, 3, 4, 5, 6, 7, 8}


def test_events_for_machines(portal, run, tmp_path):
    """With `--log-json` every line of stderr is an object with a time, a run and an event; stdout is untouched."""
    portal.plan(Fault.http(503), "ContactList", times=1)
    code, out, err = run("export", "--out", "out", "--json", "--log-json", *FAST)
    assert code == 0
    run_id = json.loads(out)["manifest"]["run_id"]
    events = [json.loads(line) for line in err.splitlines()]
    assert {"at", "run_id", "level", "event", "message"} <= set.intersection(
        *(set(event) for event in events)
    )
    assert {event["run_id"] for event in events} == {run_id}
    names = [event["event"] for event in events]
    assert (names[0], names[-1]) == ("began", "done")
    assert {"retry", "landed", "progress"} <= set(names)
    assert events[-1]["kept"] == 12
    portal.plan(Fault.http(404))
    code, _, err = run("export", "--out", "out", "--log-json", *FAST)
    last = json.loads(err.splitlines()[-1])
    assert (code, last["event"], last["code"]) == (5, "exit", 5)


def test_lines_for_cron(portal, run):
    """Away from a terminal a run says little: that it began, and each retry as it happens; `-q` nothing at all."""
    portal.plan(Fault.http(503), "ContactList", times=1)
    code, out, err = run("export", "--out", "out", *FAST)
    assert code == 0
    lines = err.splitlines()
    assert (
        lines[0] == "amoot-etl: began: 2 listings to read, 11 contacts by the portal's counts"
        or len(lines) == 2
    )
    assert any("HTTP 503" in line and "trying again in" in line for line in lines)
    assert len(lines) == 2
    assert "Published" in out
    portal.plan(Fault.http(503), "ContactList", times=1)
    assert run("export", "--out", "out", "-q", *FAST)[2] == ""


# Signals, in a process of its own


@pytest.mark.parametrize(
    ("number", "code", "method", "fault"),
    [
        (signal.SIGINT, 130, "ContactList", lambda: Fault.hang("in")),
        (signal.SIGTERM, 143, "ContactGroupList", Fault.hang),
        (signal.SIGINT, 130, "ContactGet", Fault.hang),
    ],
)
def test_a_signal_ends_a_run_that_hangs(portal, tmp_path, number, code, method, fault):  # noqa: PLR0917
    """Ctrl-C and SIGTERM end a run within about a second, also while its threads hang in the network."""
    asked = threading.Event()
    portal.plan(Fault.meanwhile(asked.set), method)
    portal.plan(fault(), method)
    if method == "ContactGet":
        portal.plan(Fault.meanwhile(lambda: portal.book.add(FName="Late")), "ContactListUpdates", times=1)
    with subprocess.Popen(
        [sys.executable, "-m", "amoot_etl", "export", "--out", str(tmp_path / "out"), "--timeout", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as victim:
        try:
            assert asked.wait(60)
            started = time.monotonic()
            victim.send_signal(number)
            _, err = victim.communicate(timeout=60)
        finally:
            victim.kill()
    # Well before the answer would be given up; on a machine that does nothing else it takes a third of a second.
    assert time.monotonic() - started < 30
    assert victim.returncode == code
    assert err.splitlines()[-1].endswith("nothing was changed")
    assert not (tmp_path / "out" / "contacts.parquet").exists()
