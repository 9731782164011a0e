"""What the README says of requests and of settings is what happens, case by case and name by name."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from amoot_etl import Settings, export, load_settings, sync
from amoot_etl.cli import amoot_etl
from amoot_etl.cli.init import TEMPLATE
from amoot_etl.demo import AddressBook, Portal
from amoot_etl.errors import SettingsError
from amoot_etl.mapping import _KEYS, KINDS
from amoot_etl.settings import _ENVIRONMENT, _in_files
from amoot_etl.settings.file import TOKEN_SOURCES

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def move_one(book: AddressBook) -> None:
    """Move a contact that is in one group alone to another."""
    contact_id = next(each for each in book if book.labels(each) == {2001})
    book.relabel(contact_id, add=[2003], remove=[2001])


def edit(book: AddressBook, count: int) -> None:
    """Edit the first so many contacts."""
    for contact_id in list(book)[:count]:
        book.edit(contact_id, CityName="یزد")


CASES = {
    "nothing changed": lambda book: None,
    "20 contacts edited": lambda book: edit(book, 20),
    "a contact deleted": lambda book: book.delete(min(book)),
    "a contact added to a group": lambda book: book.add([2001], FName="مریم"),
    "a contact moved between groups": move_one,
    "a group renamed": lambda book: book.rename_group(2001, "نام نو"),
    "every contact edited": lambda book: edit(book, len(book)),
}


def rows(name: str) -> list[list[str]]:
    """Give the rows of a marked table of the README."""
    text = README.partition(f"<!-- {name} -->\n")[2].partition("<!-- /")[0]
    return [line.strip("| ").split(" | ") for line in text.splitlines()[2:]]


@pytest.mark.parametrize(("case", "told"), rows("sync cases"), ids=[row[0] for row in rows("sync cases")])
def test_a_sync_asks_for_what_the_readme_says(case, told, tmp_path):
    """Beyond one ContactGroupList and one ContactListUpdates it is what the row says, so often and no oftener."""
    book = AddressBook.invent(contacts=600)
    with Portal(book, token="t") as portal:
        settings = Settings(base_url=portal.url, token="t", out=tmp_path / "output")
        export(settings)
        CASES[case](book)
        asked = dict(sync(settings).requests)
    assert asked.pop("ContactGroupList") == asked.pop("ContactListUpdates") == 1
    wanted = re.match(r"nothing|(?P<count>\d+ )?(?P<method>Contact\w+)", told)
    if not wanted["method"]:
        assert asked == {}
    else:
        every = len(book.groups()) + 1  # and -1, those in no group
        assert asked == {wanted["method"]: int(wanted["count"] or every)}


def test_every_case_of_the_readme_is_tried():
    """No case is left in the tests alone."""
    assert [row[0] for row in rows("sync cases")] == list(CASES)


def settings_rows() -> list[list[str]]:
    """Give the rows of the table of settings: variable, option, key in the file, default, meaning."""
    text = README.partition("| environment | flag |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]


def test_the_readme_says_what_the_file_takes(tmp_path):
    """Each key of the table is read from a file; any other is told its flag. The mapping has a part of its own."""
    keys = [key for _, _, key, _, _ in settings_rows() if key]
    assert sorted(keys) == sorted({*_in_files(), *TOKEN_SOURCES} - {"mapping"})
    path = tmp_path / "amoot.toml"
    for variable, option, key, _, _ in settings_rows():
        if not key:
            wanted = (option or variable).removeprefix("--").replace("-", "_").lower()
            path.write_text(f"{wanted.removeprefix('amoot_')} = 1\n", encoding="utf-8")
            told = (
                f"can be said by {option} alone"
                if not variable
                else "unknown key|does not belong into this file"
            )
            with pytest.raises(SettingsError, match=told):
                load_settings(config=path, environ={})


def test_the_file_that_init_writes_has_every_key():
    """Whatever the file takes stands in it, commented out."""
    for _, _, key, _, _ in settings_rows():
        assert not key or re.search(rf"^# {key} = ", TEMPLATE, re.MULTILINE), key
    for key in _KEYS:
        assert re.search(rf"^# {key} = ", TEMPLATE.partition("[mapping.")[2], re.MULTILINE), key


@pytest.mark.parametrize("row", settings_rows(), ids=lambda row: row[1] or row[2] or row[0])
def test_a_flag_of_the_readme_is_a_flag(row):
    """Each option of the table is one of `export`, or of `sync`."""
    pages = [CliRunner().invoke(amoot_etl, [name, "--help"]).output for name in ("export", "sync")]
    assert not row[1] or any(f"{row[1]} " in page for page in pages)


def test_the_readme_has_every_variable():
    """Each variable of the environment stands there with the option that beats it and the default that it beats."""
    told = {variable: (option, default) for variable, option, _, default, _ in settings_rows() if variable}
    assert set(told) == {*_ENVIRONMENT.values(), "AMOOT_TOKEN_FILE", "AMOOT_ACCOUNT"}
    page = CliRunner().invoke(amoot_etl, ["export", "--help"]).output
    defaults = {each.name: each.default for each in fields(Settings)}
    for name, variable in _ENVIRONMENT.items():
        option, default = told[variable]
        if name == "token":
            assert option == default == ""
            continue
        assert option == f"--{name.replace('_', '-')}"
        assert f"{option} " in page
        known = defaults[name]
        assert default == (
            "no limit" if known is None else f"{known:g}" if isinstance(known, float) else str(known)
        )
    assert (told["AMOOT_TOKEN_FILE"][0], told["AMOOT_ACCOUNT"][0]) == ("--token-file", "--account")


def test_the_readme_has_every_type_of_a_custom_field():
    """The types stand there in one sentence, all of them."""
    sentence = README.partition("Types are ")[2].partition(". ")[0]
    assert re.findall(r"`(\w+)`", sentence) == list(KINDS)
