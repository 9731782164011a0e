"""`amoot-etl schema`: generated from the declarations, with the user's mapping applied."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from amoot_etl.cli.schema import command, dictionary
from amoot_etl.errors import SettingsError
from amoot_etl.loaders.arrow import arrow_schema
from amoot_etl.pipeline.diff import CHANGES_SCHEMA
from amoot_etl.schema import CHANGES, RULES, TABLES
from amoot_etl.shape import Shape

ROOT = Path(__file__).parents[2]

MAPPING = """\
[mapping.custom_text_1]
name = "national_id"
label = "کد ملی"
type = "national_id"
"""


@pytest.fixture
def schema(tmp_path, monkeypatch):
    """Run the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))

    def run(*arguments: str) -> str:
        return CliRunner().invoke(command, arguments, catch_exceptions=False).output

    return run


@pytest.fixture
def mapped(tmp_path):
    """Give a settings file with a mapping."""
    path = tmp_path / "mine.toml"
    path.write_text(MAPPING, encoding="utf-8")
    return str(path)


def test_the_data_dictionary_is_what_the_declarations_say():
    """docs/data-dictionary.md is the command's own output: nobody edits it by hand."""
    page = (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
    assert page == dictionary([*Shape().tables.values(), CHANGES]), (
        "amoot-etl schema --markdown > docs/data-dictionary.md"
    )


def test_markdown_is_the_data_dictionary(schema):
    """Without a mapping the command prints the page in docs."""
    assert schema("--markdown") == (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8")


def test_every_column_of_every_table_is_described(schema):
    """No column goes without a heading and a sentence, and all of them are shown."""
    shown = schema()
    for table in [*TABLES.values(), CHANGES]:
        for column in table.columns:
            assert column.label.strip()
            assert column.description.endswith((".", "`."))
            assert re.search(rf"^{column.name} .*{re.escape(column.description)}$", shown, re.MULTILINE)


def test_every_rule_that_the_code_knows_is_described():
    """A rule that stands in a transformer or in the pipeline stands in the dictionary, and the other way."""
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "amoot_etl").rglob("*.py")
                   if path.parent.name in {"transformers", "pipeline"})  # fmt: skip
    words = set(re.findall(r'"([a-z]+(?:_[a-z]+)+)"', code))
    kinds = "invalid|landline|duplicate|mismatch|shifted|ambiguous|out_of_range|in_future|field|unreadable"
    named = {word for word in words if re.search(rf"_({kinds})$", word)} | ({"duplicate_id"} & words)
    assert named == set(RULES)


def test_the_mapping_is_shown_in_place(schema, mapped):
    """A mapped column has its name and its type, where the custom one stood."""
    shown = schema("contacts", "--config", mapped).splitlines()
    at = next(number for number, line in enumerate(shown) if line.startswith("national_id "))
    assert "string (national_id)" in shown[at]
    assert shown[at - 1].startswith("anniversary_date_jalali ")
    assert shown[at + 1].startswith("custom_text_2 ")
    assert not any(line.startswith("custom_text_1 ") for line in shown)


def test_the_mapping_is_in_json_and_markdown_too(schema, mapped):
    """Both machine forms carry the user's names, types and headings."""
    (contacts,) = json.loads(schema("contacts", "--json", "--config", mapped))
    column = next(column for column in contacts["columns"] if column["name"] == "national_id")
    assert (column["kind"], column["label"], column["source"]) == ("national_id", "کد ملی", ["CustomText1"])
    assert "| national_id | string (national_id) | کد ملی | CustomText1 |" in schema(
        "--markdown", "--config", mapped
    )


def test_a_mapping_in_this_folder_is_found(schema, tmp_path):
    """./amoot.toml needs no flag."""
    (tmp_path / "amoot.toml").write_text(MAPPING, encoding="utf-8")
    assert "national_id" in schema("contacts")


def test_the_changes_are_described_as_they_are_written(schema):
    """The feed's columns are those of a change file, in name, type and order, and the command knows them."""
    assert arrow_schema(CHANGES).equals(CHANGES_SCHEMA)
    assert schema("changes").startswith("changes: One row a contact that a run changed")


def test_an_unknown_table_is_told_the_nearest_one(schema):
    """A slip of the finger is answered with the right word."""
    with pytest.raises(SettingsError, match="there is no table contact; did you mean contacts"):
        schema("contact")
