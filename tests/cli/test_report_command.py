"""amoot-etl report: where the page goes, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from publishing_world import book_number, publish

from amoot_etl.cli.report import command
from amoot_etl.errors import SettingsError
from amoot_etl.loaders.publish import Output


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command in a folder with a published set, `output`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    publish(Output(tmp_path / "output"), book_number(1))

    def call(*arguments: str) -> str:
        return CliRunner().invoke(command, arguments, catch_exceptions=False).output

    return call


def test_the_page_stands_in_the_folder_one_is_in(run):
    """Without options the page is about ./output, in English, and no part of the published set."""
    assert run().startswith("amoot-report.html (")
    html = Path("amoot-report.html").read_text(encoding="utf-8")
    assert '<html lang="en" dir="ltr">' in html
    assert not list(Path("output").glob("*.html"))


def test_the_options_choose_language_file_and_generation(run):
    """--lang, --output, --out and --run do what they say; --json tells it to a machine."""
    first = publish(Output("output"), book_number(2)).manifest["previous"]
    told = json.loads(run("--out", "output", "--lang", "fa", "--output", "fa.html", "--run", first, "--json"))
    html = Path("fa.html").read_text(encoding="utf-8")
    assert '<html lang="fa" dir="rtl">' in html
    assert first in html
    assert told == {"path": "fa.html", "bytes": Path("fa.html").stat().st_size, "lang": "fa"}


def test_a_wrong_call_changes_nothing(run):
    """An unknown language or run leaves no file behind."""
    assert "'de' is not one of 'en', 'fa'" in run("--lang", "de")
    with pytest.raises(SettingsError):
        run("--run", "20200101T000000Z-0000")
    assert not list(Path().glob("*.html"))
