"""The schedules in `examples/` say what our command line understands, and alert on every exit code."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import click
import pytest

from amoot_etl.cli import EXIT_CODES, amoot_etl

EXAMPLES = Path(__file__).parents[1] / "examples"
TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


def command_lines() -> dict[str, str]:
    """Give the arguments of every call of ours that stands in an example, by its file."""
    found = {}
    for path in sorted(EXAMPLES.rglob("*")):
        if path.suffix in {".service", ".cmd"} or path.name == "crontab":
            called = re.findall(
                r"""amoot-etl(?:\.exe)?"? (export [^|>\n]*?)(?: 2?>.*| \|\|.*)?$""",
                path.read_text("utf-8"),
                re.MULTILINE,
            )
            found |= {f"{path.name} {number}": line for number, line in enumerate(called, 1)}
    return found


def test_every_call_is_understood():
    """Each call of amoot-etl in an example parses as our command line."""
    lines = command_lines()
    assert {name.split()[0] for name in lines} == {"amoot-etl.service", "crontab", "amoot-etl.cmd"}
    for line in lines.values():
        name, *rest = shlex.split(line.replace("\\", "/"))
        command = amoot_etl.get_command(click.Context(amoot_etl), name)
        context = command.make_context(name, rest)
        assert context.params["deadline"] == "3h"
        assert context.params["token_file"]


@pytest.mark.parametrize("name", ["amoot-etl.service", "amoot-etl.timer", "amoot-etl-alert@.service"])
def test_units_parse(name):
    """The units are INI files with the sections that systemd expects."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string((EXAMPLES / "systemd" / name).read_text())
    assert unit["Unit"]["Description"]
    kind = "Timer" if name.endswith(".timer") else "Service"
    assert unit[kind].get("OnCalendar" if kind == "Timer" else "ExecStart")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
def test_systemd_accepts_the_units(tmp_path):
    """Systemd itself finds nothing wrong with the units, and the timer's calendar is a real one."""
    for path in (EXAMPLES / "systemd").iterdir():
        text = re.sub(r"/opt/amoot-etl/(bin/amoot-etl|share/alert.sh)", "/bin/true", path.read_text())
        (tmp_path / path.name).write_text(text)
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.glob("amoot-etl.*")))],
        capture_output=True,
        text=True,
        check=False,
    )
    about_us = [line for line in told.stderr.splitlines() if "amoot" in line]
    assert about_us == []
    calendar = re.search(r"OnCalendar=(.*)", (EXAMPLES / "systemd" / "amoot-etl.timer").read_text())[1]
    subprocess.run(["systemd-analyze", "calendar", calendar], check=True, capture_output=True)


def test_the_crontab_line_is_one():
    """The crontab holds comments, variables, and lines of five fields and a command that `sh` can parse."""
    for line in (EXAMPLES / "cron" / "crontab").read_text().splitlines():
        if line.startswith("#") or re.fullmatch(r"[A-Z_]+=\S+", line):
            continue
        match = re.fullmatch(r"((?:[\d*/,-]+ ){5})(.+)", line)
        assert match, line
        # A percent sign ends a command in a crontab.
        assert "%" not in match[2]
        subprocess.run(["sh", "-n", "-c", match[2]], check=True)


def test_the_windows_task_parses():
    """The task is XML of the Task Scheduler's namespace: a daily trigger, a limit, and our script."""
    root = ET.parse(EXAMPLES / "windows" / "amoot-etl.xml").getroot()  # noqa: S314 - our own file
    assert root.tag == f"{TASK}Task"
    assert root.findtext(f".//{TASK}ScheduleByDay/{TASK}DaysInterval") == "1"
    assert root.findtext(f".//{TASK}ExecutionTimeLimit") == "PT4H"
    script = root.findtext(f".//{TASK}Exec/{TASK}Command")
    assert (EXAMPLES / "windows" / script.rpartition("\\")[2]).is_file()


@pytest.mark.parametrize("code", [0, 1, *EXIT_CODES.values(), 130, 143, 99])
def test_alerts(code):
    """Every exit code of ours has an alert of its own; a success and an interrupt have none."""
    told = subprocess.run(
        ["sh", str(EXAMPLES / "alert.sh"), "nightly", str(code)], capture_output=True, text=True, check=True
    ).stdout
    if code in {0, 130, 143}:
        assert told == ""
    else:
        assert re.match(r"(now|today|whenever): nightly: ", told)
        assert (f"ended with {code}" in told) == (code == 99)


def test_the_table_of_codes_is_whole():
    """The README of the examples explains every exit code."""
    text = (EXAMPLES / "README.md").read_text()
    for code in (0, 1, *EXIT_CODES.values()):
        assert f"\n| {code} | " in text
