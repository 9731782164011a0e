"""The flags and the file by which `amoot-etl export` shapes what it writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from amoot_etl.cli.export import command
from amoot_etl.demo import DEMO_TOKEN, AddressBook, Portal


@pytest.fixture(scope="module")
def portal():
    """Serve a small book."""
    book = AddressBook()
    book.add([book.add_group("دوستان")], FName="مینا", CustomText1="84575948", CustomText2="vip")
    book.add(FName="=1+1", CustomText1="123", CustomText2="?")
    with Portal(book) as served:
        yield served


@pytest.fixture
def run(portal, tmp_path, monkeypatch):
    """Run the command in an empty folder; its manifest comes back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AMOOT_TOKEN", DEMO_TOKEN)
    monkeypatch.setenv("AMOOT_BASE_URL", portal.url)

    def export(*arguments: str) -> dict:
        outcome = CliRunner().invoke(command, ["-q", "--json", *arguments], catch_exceptions=False)
        return json.loads(outcome.output)["manifest"]

    return export


def test_a_csv_profile_asks_for_csv(run):
    """Neither profile nor compression needs --format csv beside it."""
    manifest = run("--csv-profile", "excel", "--csv-compression", "gzip")
    assert manifest["shape"]["options"] == {
        "csv": {"profile": "excel", "labels": "en", "compression": "gzip"},
    }
    assert Path("output/contacts.csv.gz").is_file()


def test_columns_are_named_by_commas_and_by_repeating(run):
    """--columns a,b --columns c takes three, --exclude takes one away."""
    manifest = run("--columns", "mobile, full_name", "--columns", "email", "--exclude", "mobile")
    assert list(manifest["shape"]["columns"]) == ["contact_id", "full_name", "email"]


def test_labels_go_into_every_format_that_has_headings(run):
    """--labels fa writes Persian headings into CSV; Parquet keeps its names."""
    manifest = run("--labels", "fa", "--format", "csv", "--format", "xlsx")
    assert {form: options["labels"] for form, options in manifest["shape"]["options"].items()} == {
        "csv": "fa", "xlsx": "fa",
    }  # fmt: skip
    assert Path("output/contacts.csv").read_text(encoding="utf-8").startswith('"شناسه مخاطب"')


def test_the_file_shapes_a_run_without_flags(run):
    """Mapping, columns and formats' options in ./amoot.toml are those of a run that says nothing."""
    Path("amoot.toml").write_text(
        'labels = "fa"\ncsv_profile = "excel"\ncolumns = ["national_id", "level"]\n'
        '[mapping.custom_text_1]\nname = "national_id"\ntype = "national_id"\n'
        '[mapping.custom_text_2]\nname = "level"\ntype = "choice"\nchoices = { gold = "VIP" }\n',
        encoding="utf-8",
    )
    manifest = run("--format", "csv")
    assert list(manifest["shape"]["columns"]) == ["contact_id", "national_id", "level"]
    assert manifest["shape"]["options"]["csv"]["profile"] == "excel"
    assert manifest["issues"] == {"custom_invalid": 2}
    assert '"0084575948","gold"' in Path("output/contacts.csv").read_text(encoding="utf-8-sig")


@pytest.mark.parametrize(
    ("text", "arguments", "told"),
    [
        ('[mapping.custom_text_1]\n\ntype = "nationalid"\n', (), "did you mean national_id?"),
        ('[mapping.custom_text_1]\n\ntype = "nationalid"\n', (), "line 3: mapping.custom_text_1.type: there is"),
        ('[mapping.custom_text_9]\nname = "a"\n', (), "line 1: mapping.custom_text_9: there is no custom column"),
        ('[mapping.custom_text_1]\nname = "mobile"\n', (), "line 2: mapping.custom_text_1.name: mobile is taken"),
        ("", ("--columns", "fullname"), "did you mean full_name?"),
        ("", ("--exclude", "contact_id"), "always stays"),
        ("", ("--labels", "de"), "--labels"),
    ],
)  # fmt: skip
def test_a_wrong_shape_is_exit_2(portal, tmp_path, text, arguments, told):
    """The program ends with code 2 and one line that names the place and the right word; nothing is written."""
    (tmp_path / "amoot.toml").write_text(text, encoding="utf-8")
    outcome = subprocess.run(
        [sys.executable, "-m", "amoot_etl", "export", "--base-url", portal.url, *arguments],
        cwd=tmp_path, env={"AMOOT_TOKEN": DEMO_TOKEN}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert outcome.returncode == 2
    assert told in outcome.stderr
    assert not (tmp_path / "output").exists()


def test_a_shaped_set_verifies_from_the_command_line(portal, tmp_path):
    """In processes of their own, export writes every format with a mapping, and verify finds all of them whole."""
    (tmp_path / "amoot.toml").write_text(
        'labels = "fa"\ncsv_profile = "excel"\n[mapping.custom_text_1]\nname = "national_id"\ntype = "national_id"\n',
        encoding="utf-8",
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "amoot_etl", *arguments],
            cwd=tmp_path, env={"AMOOT_TOKEN": DEMO_TOKEN}, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    exported = run("export", "--base-url", portal.url, "--format", "csv", "--format", "xlsx")
    assert exported.returncode == 0, exported.stderr
    verified = run("verify")
    assert verified.returncode == 0, verified.stderr
    assert "is whole" in verified.stdout
