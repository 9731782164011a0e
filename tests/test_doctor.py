"""doctor finds what is wrong, names the way out, ends in the code of the first problem, and changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import socket
from datetime import UTC, datetime, timedelta

import click
import pytest
from click.testing import CliRunner
from proxy_world import AUTHORITY, HttpProxy, Relay, leave_no_way_named, tls

from amoot_etl import Settings, export
from amoot_etl.cli import amoot_etl
from amoot_etl.demo import METHODS, AddressBook, Fault, Portal
from amoot_etl.loaders.generations import require_current
from amoot_etl.loaders.publish import Output

TOKEN = "planted-token-0123456789"
MOBILE = 9121234567


@pytest.fixture
def portal():
    """A small portal whose listing is as long as a portal likes."""
    book = AddressBook.invent(contacts=200, labels=2, dirty=False)
    book.edit(100_001, Mobile=MOBILE)
    with Portal(book, token=TOKEN) as portal:
        yield portal


@pytest.fixture
def doctor(portal, tmp_path, monkeypatch):
    """Run `doctor --json` against the portal; give its exit code and its findings by check."""
    monkeypatch.chdir(tmp_path)
    leave_no_way_named(monkeypatch)
    monkeypatch.setenv("AMOOT_BASE_URL", portal.url)
    monkeypatch.setenv("AMOOT_TOKEN", TOKEN)

    def run(*arguments: str):
        command = amoot_etl.get_command(click.Context(amoot_etl), "doctor")
        done = CliRunner().invoke(
            command, ["--json", "--out", "out", "--backoff", "0.001", *arguments], standalone_mode=False
        )
        assert done.exception is None, done.exception
        assert TOKEN not in done.output
        assert str(MOBILE) not in done.output
        told = json.loads(done.stdout)
        assert done.return_value == told["exit"]
        return told["exit"], {finding["check"]: finding for finding in told["findings"]}

    return run


def test_a_healthy_portal(doctor, portal, tmp_path):
    """When all is well the code is 0, every method is allowed, and nothing was written."""
    code, found = doctor()
    assert code == 0
    assert {finding["state"] for finding in found.values()} == {"ok"}
    assert set(METHODS) <= set(found)
    assert found["settings"]["details"]["settings"]["base_url"]["from"] == "AMOOT_BASE_URL"
    assert found["token"]["details"] == {"present": True, "from": "AMOOT_TOKEN"}
    assert found["first byte"]["details"]["seconds"] < 60
    assert list(tmp_path.iterdir()) == []
    # One look at each method, and the groups to know how much room they need.
    assert len(portal.calls) == 5


@pytest.mark.parametrize("method", METHODS)
def test_a_method_that_is_not_allowed(doctor, portal, method):
    """A refused method is told with what to ask of the panel: fatal for listings, a warning for the others."""
    portal.plan(Fault.status("Token_NotAllowMethod"), method)
    code, found = doctor()
    fatal = method in {"ContactGroupList", "ContactList"}
    assert code == (3 if fatal else 0)
    assert found[method]["state"] == ("problem" if fatal else "warning")
    assert found[method]["way_out"] == "allow this method for the token in the panel"
    assert not found[method]["details"]["allowed"]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (lambda: Fault.status("Token_Expired", "number"), 3),
        (lambda: Fault.status("Token_NotAllowIP", "plain"), 3),
        (lambda: Fault.http(503), 4),
        (lambda: Fault.status("System_Disabled"), 4),
        (Fault.html, 5),
        (Fault.redirect, 5),
    ],
)
def test_a_portal_that_refuses(doctor, portal, fault, code):
    """The code is that of the first problem, and a portal that is down is not asked again and again."""
    portal.plan(fault())
    got, found = doctor()
    assert got == code
    assert found["ContactGroupList"]["state"] == "problem"
    if code == 4:
        assert found["methods"]["state"] == "unknown"
        assert len(portal.calls) == 1


def test_a_contact_that_fails_is_no_refusal(doctor, portal):
    """A portal that answers Failed for a contact it lacks allows the method."""
    portal.book.missing = "Failed"
    assert doctor()[1]["ContactGet"]["state"] == "ok"


def test_no_token_and_no_name(doctor, monkeypatch):
    """Without a token nothing is asked; a name that nobody knows is told before anything is tried."""
    monkeypatch.delenv("AMOOT_TOKEN")
    code, found = doctor()
    assert (code, found["token"]["state"], found["methods"]["state"]) == (2, "problem", "unknown")
    monkeypatch.setenv("AMOOT_TOKEN", TOKEN)

    def unknown(*_args, **_kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("amoot_etl.pipeline.reach.socket.getaddrinfo", unknown)
    monkeypatch.setenv("AMOOT_BASE_URL", "https://portal.invalid/rest")
    code, found = doctor()
    assert (code, found["name"]["state"]) == (4, "problem")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("REQUESTS_CA_BUNDLE", "nowhere.pem", "cannot be read"),
        ("ALL_PROXY", "ftp://a:planted@b", "names no proxy"),
    ],
)
def test_an_environment_that_cannot_be(doctor, portal, monkeypatch, name, value, told):  # noqa: PLR0917
    """A bundle that is not there and a proxy that is none are found before anything is tried, and end in 2."""
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("AMOOT_BASE_URL", "https://portal.invalid/rest")
    code, found = doctor()
    assert (code, found["environment"]["state"], found["methods"]["state"]) == (2, "problem", "unknown")
    assert found["environment"]["told"].startswith(name)
    assert told in found["environment"]["told"]
    assert "planted" not in json.dumps(found)


def test_a_portal_behind_a_proxy(doctor, portal, monkeypatch):
    """What is behind a proxy is asked through it, and its name is left to the proxy."""
    with HttpProxy(portal) as proxy:
        monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("AMOOT_BASE_URL", "http://portal.example/rest")
        code, found = doctor()
    assert (code, found["name"]["state"], found["ContactGet"]["state"]) == (0, "unknown", "ok")
    assert "ALL_PROXY" in found["name"]["told"]


def test_a_certificate_that_is_trusted(doctor, portal, monkeypatch):
    """A certificate of an authority that a variable names is accepted, and one of nobody's is not."""
    with Relay(portal, context=tls()) as secure:
        monkeypatch.setenv("AMOOT_BASE_URL", f"https://127.0.0.1:{secure.port}/rest")
        assert doctor()[0] == 4
        monkeypatch.setenv("CURL_CA_BUNDLE", str(AUTHORITY))
        code, found = doctor()
    assert (code, found["TLS"]["state"]) == (0, "ok")


def test_nobody_listens_and_no_tls(doctor, portal, monkeypatch):
    """A closed port and a port that speaks no TLS are told apart."""
    monkeypatch.setenv("AMOOT_BASE_URL", portal.url.replace("http:", "https:"))
    code, found = doctor()
    assert (code, found["TLS"]["state"]) == (4, "problem")
    assert found["TLS"]["told"].endswith("this address does not speak TLS")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("AMOOT_BASE_URL", f"http://127.0.0.1:{port}/rest")
    code, found = doctor()
    assert code == 4
    assert "no connection" in found["connection"]["told"]


def test_a_clock_that_is_wrong(doctor, monkeypatch):
    """A clock that differs from the portal's by more than a minute is a warning."""
    assert doctor()[1]["clock"]["state"] == "ok"
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    monkeypatch.setattr("amoot_etl.client.read_moment", lambda _: an_hour_ago)
    code, found = doctor()
    assert (code, found["clock"]["state"]) == (0, "warning")
    assert abs(found["clock"]["details"]["seconds_ahead"] - 3600) < 60


def test_a_current_set_whose_manifest_is_damaged(doctor, portal, tmp_path):
    """It is not told as if nothing had been published."""
    export(Settings(base_url=portal.url, token=TOKEN, out=tmp_path / "out"))
    assert doctor()[1]["generations"]["state"] == "ok"
    manifest = require_current(tmp_path / "out").path / "manifest.json"
    manifest.chmod(0o600)
    manifest.write_text("{")
    code, found = doctor()
    assert (code, found["generations"]["state"]) == (0, "warning")
    assert "manifest" in found["generations"]["told"]


def test_the_disk(doctor, tmp_path, monkeypatch):
    """Too little room, and a folder that cannot be written, end in 7."""
    monkeypatch.setattr(
        "amoot_etl.pipeline.doctor.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 1000)
    )
    code, found = doctor()
    assert (code, found["disk"]["state"]) == (7, "problem")


def test_a_folder_that_cannot_be_written(doctor, tmp_path):
    """A file where the folder should be, or a folder without rights, ends in 7."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".amoot").write_text("in the way")
    code, found = doctor()
    assert (code, found["rights"]["state"]) == (7, "problem")
    assert found["rights"]["told"].endswith(".amoot is a file and not a folder")
    assert found["last check"]["state"] == "ok"


def test_the_lock_and_the_note_of_a_dead_run(doctor, tmp_path):
    """A run that holds the folder is named; a note that a dead one left is told too."""
    with Output(tmp_path / "out").lock(purpose="export"):
        _, found = doctor()
        assert found["lock"]["state"] == "warning"
        assert f"pid {os.getpid()}" in found["lock"]["told"]
    (tmp_path / "out" / ".amoot" / "lock.json").write_text('{"pid": 1}')
    assert "died" in doctor()[1]["lock"]["told"]
    # Looking must not have taken the lock away from the next run.
    with Output(tmp_path / "out").lock():
        pass
