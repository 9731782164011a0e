"""The commands as a user types them: what they print, and where."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from amoot_etl import Settings, export
from amoot_etl.cli import _COMMANDS, amoot_etl
from amoot_etl.demo import DEMO_TOKEN, WORDS, AddressBook, Fault, Portal, parse_fault
from amoot_etl.errors import SettingsError
from amoot_etl.schema import TABLES


@pytest.fixture(scope="module")
def portal():
    """Give a portal with a small invented book."""
    with Portal(AddressBook.invent(contacts=400)) as served:
        yield served


@pytest.fixture
def run(portal, tmp_path, monkeypatch):
    """Give a function that runs a command against the portal, in the test's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AMOOT_BASE_URL", portal.url)
    monkeypatch.setenv("AMOOT_TOKEN", DEMO_TOKEN)

    def call(*words: str):
        return CliRunner().invoke(amoot_etl, words, catch_exceptions=False)

    return call


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_has_help(name):
    """Help says in a sentence what the command does, and explains each option."""
    done = CliRunner().invoke(amoot_etl, [name, "--help"])
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: amoot-etl {name}")
    command = amoot_etl.get_command(click.Context(amoot_etl), name)
    assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_help_lists_every_command():
    """The front page names each command and what it does."""
    done = CliRunner().invoke(amoot_etl, ["--help"])
    for name, says in _COMMANDS.items():
        assert name in done.output
        assert says in " ".join(done.output.split())


def test_groups_shows_the_portals_groups(run, portal):
    """A line a group, as a table or as JSON."""
    table = run("groups").stdout
    assert all(title in table for title in portal.book.groups().values())
    rows = json.loads(run("groups", "--json").stdout)
    assert {row["group_id"] for row in rows} == set(portal.book.groups())


def test_contact_shows_clean_beside_raw(run, portal):
    """Each column that has something, what became of it, and the issues."""
    contact_id = portal.book.add(Mobile="0912 345 6789", FName="علي", BornDatePer="1404/12/30", Score=5)
    shown = run("contact", str(contact_id)).stdout
    assert "+989123456789" in shown
    assert "0912 345 6789" in shown
    assert "علی" in shown
    assert "علي" in shown
    assert "issue: birth_date: date_invalid" in shown
    told = json.loads(run("contact", str(contact_id), "--json").stdout)
    assert told["clean"]["mobile"] == "+989123456789"
    updated = dt.datetime.fromisoformat(told["clean"]["updated_at"])
    assert told["clean"]["updated_at"] == updated.isoformat()
    assert told["raw"]["FName"] == "علي"
    assert json.loads(told["clean"]["extra"]) == {"Score": 5}
    assert told["issues"][0]["rule"] == "date_invalid"


def test_schema_shows_every_column(run):
    """As a table, as JSON and as Markdown; a wrong table's nearest name is offered."""
    for form in ((), ("--json",), ("--markdown",)):
        shown = run("schema", *form).stdout
        assert all(name in shown for table in TABLES.values() for name in (table.name, *table.names))
    assert "calendar" not in run("schema", "groups").stdout


def test_export_prints_a_summary_and_json(run, tmp_path):
    """Counts, issues by rule, reconciliation, seconds and where to look; with --json the manifest."""
    shown = run("export", "--quiet").stdout
    for word in ("contacts", "received", "reconciled", "complete", "issues", "date_invalid", "seconds"):
        assert word in shown
    assert "output/contacts.parquet" in shown
    told = json.loads(run("export", "--quiet", "--json", "--dry-run").stdout)
    assert told["published"] is False
    assert told["manifest"]["counts"]["previous"] == told["manifest"]["counts"]["kept"]
    assert run("verify").exit_code == 0
    assert len(json.loads(run("generations", "--json").stdout)) == 1
    assert run("changes").stdout == "nothing changed\n"


def test_changes_and_rollback_follow_the_portal(run, portal):
    """`diff` and `changes` tell what a second export changed; rollback takes it back."""
    run("export", "--quiet")
    contact_id = portal.book.add(FName="تازه")
    run("export", "--quiet")
    assert [row["change"] for row in json.loads(run("diff", "--json").stdout)] == ["added"]
    [row] = json.loads(run("changes", "--json").stdout)
    assert row["contact_id"] == contact_id
    assert len(json.loads(run("changes", "--since", "2020-01-01", "--json").stdout)) == 1
    assert json.loads(run("changes", "--since", "2100-01-01T10:00", "--json").stdout) == []
    told = json.loads(run("diff", "--json", "--parquet", "diff.parquet").stdout)
    assert told == {"file": "diff.parquet", "changes": 1}
    assert run("changes", "--parquet", "feed.parquet").stdout == "1 changes in feed.parquet\n"
    assert run("rollback").exit_code == 0
    assert json.loads(run("generations", "--json").stdout)[1]["current"] is True


def test_every_moment_in_json_has_one_form(run, portal):
    """ISO 8601 with a T and Tehran's offset, whichever command tells it."""
    run("export", "--quiet")
    portal.book.add(FName="تازه")
    told = json.loads(run("export", "--quiet", "--json").stdout)["manifest"]["finished_at"]
    kept = [each["published_at"] for each in json.loads(run("generations", "--json").stdout)]
    changed = [row["at"] for name in ("diff", "changes") for row in json.loads(run(name, "--json").stdout)]
    for moment in [told, *kept, *changed]:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+03:30", moment)
    assert set(changed) == {told}


@pytest.mark.parametrize("command", ["export", "sync"])
def test_formats_come_and_go(run, command):
    """Several are apart by commas, what is held stays, and Parquet alone ends the others."""

    def formats(*flags):
        run(command, "--quiet", *flags)
        manifest = json.loads(Path("output/manifest.json").read_text(encoding="utf-8"))
        return {file["format"] for file in manifest["files"]}

    assert formats("--format", "csv, xlsx") == {"parquet", "csv", "xlsx"}
    assert formats() == {"parquet", "csv", "xlsx"}
    assert formats("--format", "parquet") == {"parquet"}
    assert formats() == {"parquet"}
    assert formats("--format", "parquet,csv") == {"parquet", "csv"}


def test_changes_since_a_day_of_either_calendar(run, portal):
    """A Jalali day begins at Tehran's midnight, with slashes or dashes; what is no time is told with what a time is."""
    run("export", "--quiet")
    portal.book.add(FName="تازه")
    run("export", "--quiet")
    for since in ("1405-01-01", "1405/1/1", "۱۴۰۵/۰۱/۰۱", "2026-03-21"):
        assert len(json.loads(run("changes", "--since", since, "--json").stdout)) == 1
    for since in ("1479-01-01", "1479/01/01", "2100-03-21T00:00"):
        assert json.loads(run("changes", "--since", since, "--json").stdout) == []
    for since in ("1h", "1405/13/01", "1405/09/01 22:00", "yesterday"):
        with pytest.raises(
            SettingsError, match=r"is no run of the feed and no time: give .* 2026-11-22T22:00"
        ):
            run("changes", "--since", since)
    with pytest.raises(SettingsError, match="does not know run"):
        run("changes", "--since", "20200101T000000Z-0000")


def test_how_the_folder_is_kept(run, tmp_path):
    """Files for a group, none kept but the one just replaced, and a full look before a set is current."""
    for _ in range(3):
        done = run("export", "-q", "--mode", "group", "--keep", "1", "--keep-for", "0h", "--verify", "full")
        assert done.exit_code == 0
    assert (tmp_path / "output" / "contacts.parquet").stat().st_mode & 0o777 == 0o640
    assert len(json.loads(run("generations", "--json").stdout)) == 2
    refused = run("sync", "-q", "--keep-for", "5")
    assert refused.exit_code == 2
    assert "5 is no age: give 15m, 12h, 7d, 2w, 0 or never" in refused.stderr


@pytest.mark.parametrize("age", ["15m", "12h", "7d", "2w", "0", "never"])
@pytest.mark.parametrize("option", ["--keep-for", "--resume-within", "--full-every"])
def test_ages_that_a_refusal_names(option, age):
    """Every age that is offered to who gave none is taken."""
    command = amoot_etl.get_command(click.Context(amoot_etl), "sync")
    command.make_context("sync", [option, age])


def _command(*words: str, **environment: str) -> list[str]:
    return [sys.executable, "-m", "amoot_etl", *words]


def test_demo_prints_how_to_point_a_client_at_it(tmp_path):
    """The two lines can be pasted into a shell, and the portal behind them answers."""
    with subprocess.Popen(_command("demo", "--contacts", "350"), stdout=subprocess.PIPE, text=True) as demo:
        try:
            lines = [demo.stdout.readline().split("=", 1) for _ in range(2)]
            assert [name for name, _ in lines] == ["export AMOOT_BASE_URL", "export AMOOT_TOKEN"]
            values = {name.removeprefix("export "): value.strip() for name, value in lines}
            done = subprocess.run(
                _command("export", "--json", "-q"),
                cwd=tmp_path,
                env=os.environ | values,
                check=True,
                capture_output=True,
            )
            assert json.loads(done.stdout)["manifest"]["counts"]["kept"] == 350
        finally:
            demo.send_signal(signal.SIGTERM)
    assert demo.returncode == 143


def test_ctrl_c_is_how_demo_ends():
    """It says nothing and ends with 0: nobody was interrupted."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(_command("demo", "--contacts", "350"), text=True, **streams) as demo:
        for _ in range(2):
            demo.stdout.readline()
        demo.send_signal(signal.SIGINT)
        told = demo.communicate(timeout=60)
    assert (demo.returncode, *told) == (0, "", "")


def test_every_fault_that_demo_lists_can_be_planned(run):
    """Who wants to see a run fail finds the words, and what stands behind each."""
    listed = [
        line.split("  ") for line in run("demo", "--faults").stdout.partition("goes wrong\n")[2].splitlines()
    ]
    assert {line[0] for line in listed} == set(WORDS)
    for line in listed:
        assert line[-1].strip()
        needed = "=Failed" if line[0].startswith("status") else ""
        assert parse_fault(f"ContactList:1:{line[0]}{needed}").method == "ContactList"


def test_demo_on_a_port_that_is_taken(run, portal):
    """It says so, and what else to do."""
    port = portal.url.rpartition(":")[2].partition("/")[0]
    with pytest.raises(SettingsError, match=f"--port {port}: Address already in use: choose another"):
        run("demo", "--port", port, "--contacts", "3")


def test_results_go_to_stdout_and_the_rest_to_stderr(tmp_path):
    """A pipe gets only results; an error is one line with a way out, and its exit code."""
    done = subprocess.run(_command("export"), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "amoot-etl: no token: set AMOOT_TOKEN or --token-file\n"
    done = subprocess.run(_command("exprot"), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "did you mean export?" in done.stderr


def test_a_sync_tells_what_it_asks_for_and_a_warning_once(tmp_path):
    """On stderr, in a process of its own, where nobody but the command has set up logging."""
    book = AddressBook.invent(contacts=60)
    with Portal(book) as portal:
        settings = Settings(base_url=portal.url, token=DEMO_TOKEN, out=tmp_path / "output")
        export(settings)
        book.updates, book.now = "recent", book.now + timedelta(days=90)
        book.edit(min(book), CityName="یزد")
        command = [sys.executable, "-m", "amoot_etl", "sync", "--out", str(tmp_path / "output")]
        environment = {**os.environ, "AMOOT_BASE_URL": portal.url, "AMOOT_TOKEN": DEMO_TOKEN}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    first, second = done.stderr.splitlines()
    assert first == "amoot-etl: began: 1 contacts to ask for one by one"
    assert second.startswith("amoot-etl: warning: the portal's list of changes does not mention 59")


def test_small_commands_tell_their_retries(run, portal, monkeypatch):
    """`groups` and `contact` say on stderr why they are slow, unless they are to be quiet."""
    monkeypatch.setenv("AMOOT_BACKOFF", "0")
    for words in (("groups",), ("contact", str(next(iter(portal.book))))):
        for quiet, told in (((), 1), (("--quiet",), 0)):
            portal.plan(Fault.http(503), times=1)
            done = run(*words, *quiet)
            assert done.exit_code == 0
            assert done.stderr.count("HTTP 503") == told
            assert done.stderr.count("maintenance; trying again in 0.0 s") == told


def test_commands_over_a_folder_know_accounts(run, tmp_path):
    """What an account published is verified, listed and reported by the account's name."""
    (tmp_path / "own.toml").write_text('[accounts.shop]\ntoken_env = "AMOOT_TOKEN"\nout = "of-shop"\n')
    shop = ("--account", "shop", "--config", "own.toml")
    run("export", "--quiet", *shop)
    assert (tmp_path / "of-shop" / "contacts.parquet").exists()
    for words in (("verify",), ("generations",), ("changes",), ("report",)):
        assert run(*words, *shop).exit_code == 0
    assert "kept; 20" in run("doctor", *shop).stdout


@pytest.mark.parametrize(
    "words", [("generations",), ("verify",), ("diff",), ("changes",), ("rollback",), ("report",)]
)
def test_a_folder_without_an_export(run, words):
    """Every command that looks at a folder says that nothing was published there."""
    with pytest.raises(SettingsError, match="nowhere holds no export"):
        run(*words, "--out", "nowhere")


def test_a_reader_that_has_seen_enough_is_no_failure():
    """A command whose output goes into a pipe that closes ends with 0, and says nothing about it."""
    shown = "import sys; from amoot_etl.cli import main; sys.argv[1:] = ['schema', '--markdown']; main()"
    with subprocess.Popen(
        [sys.executable, "-c", shown], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as command:
        command.stdout.close()
        assert command.stderr.read() == ""
    assert command.returncode == 0
