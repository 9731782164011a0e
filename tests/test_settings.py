"""Settings: which source wins, what is refused, where a token comes from, and accounts that keep apart."""

from __future__ import annotations

import logging
import os
import tomllib

import pytest
from click.testing import CliRunner

from amoot_etl.cli.init import TEMPLATE
from amoot_etl.cli.init import command as init
from amoot_etl.errors import SettingsError
from amoot_etl.settings import Settings, load_settings, settle
from amoot_etl.settings.token import token_from

TOKEN = "planted-token-0123456789"
TWO = """
out = "sets"
retries = 3
[accounts.shop]
token_env = "TOKEN_SHOP"
[accounts.clinic]
token_file = "clinic.token"
out = "clinic-out"
base_url = "https://clinic.example/rest"
[accounts.clinic.mapping.custom_text_1]
name = "file_number"
type = "text"
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Write a settings file in a folder of its own, and give its path."""
    monkeypatch.chdir(tmp_path)

    def write(text: str):
        path = tmp_path / "settings.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def secret(folder, text=TOKEN, mode=0o600, name="token"):
    """Write a token file."""
    path = folder / name
    path.write_text(text + "\n")
    path.chmod(mode)
    return path


def test_flags_then_environment_then_file_then_default(config):
    """Each setting comes from the first source that gives it, and its source is told."""
    path = config("retries = 1\ntimeout = 11\nbackoff = 0.5\n")
    settled = settle(config=path, environ={"AMOOT_RETRIES": "2", "AMOOT_TIMEOUT": "22"}, retries=3)
    assert (
        settle(config=str(path), environ={"AMOOT_RETRIES": "2", "AMOOT_TIMEOUT": "22"}, retries=3) == settled
    )
    assert (settled.settings.retries, settled.settings.timeout, settled.settings.backoff) == (3, 22.0, 0.5)
    assert settled.sources["retries"] == "--retries"
    assert settled.sources["timeout"] == "AMOOT_TIMEOUT"
    assert settled.sources["backoff"] == str(path)
    assert settled.sources["concurrency"] == "default"


def test_a_token_never_shows(config):
    """Neither the repr nor a problem with a token shows it."""
    assert TOKEN not in repr(Settings(token=TOKEN))
    with pytest.raises(SettingsError) as caught:
        Settings(token=f"{TOKEN}\u200c")
    assert TOKEN not in str(caught.value)
    with pytest.raises(SettingsError, match="does not belong into this file") as caught:
        load_settings(config=config(f'token = "{TOKEN}"'), environ={})
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("retires = 3", r"line 1: retires: unknown key; did you mean retries\?"),
        ("qwerty = 3", "unknown key; known are base_url, "),
        (
            '[accounts.shop]\ntoken_evn = "X"',
            r"line 2: accounts.shop.token_evn: unknown key; did you mean token_env\?",
        ),
        ('[accounts.shop]\nout = "a"', "accounts.shop: needs token_env or token_file"),
        ("accounts = 3", "must be a table for each"),
        ('retries = "many"', "line 1: retries must be a whole number"),
        ("retries = 2.5", "must be a whole number"),
        (f"timeout = {10**400}", "line 1: timeout must be a number"),
        ("timeout = true", "must be a number"),
        ('deadline = "soon"', "must be a number of seconds, or 90m, 2h"),
        (f'max_body = "{"9" * 400}"', "must be a size such as 500MB or 2GB"),
        ('max_body = "2 bananas"', "must be a size such as 500MB or 2GB"),
        ('token_env = "A"\ntoken_file = "b"', "either token_env or token_file"),
        ("retries =", "Invalid value"),
        ('out = ""', "line 1: out is empty: give it a value, or leave it away"),
        ('base_url = " "', "line 1: base_url is empty"),
        ('[accounts.shop]\ntoken_file = ""', "line 2: accounts.shop.token_file is empty"),
        ("timeout = 5\nretries = -1", "line 2: retries must be from 0 to 100"),
        ("keep_for = 3", "line 1: keep_for can be said by --keep-for alone, not in this file"),
        ('\nlabels = "de"', "line 2: labels can be en or fa"),
        (
            'out = "a"\n[account.shop]\ntoken_env = "X"',
            r"line 2: account: unknown key; did you mean accounts\?",
        ),
    ],
)
def test_a_wrong_file_is_told_with_its_line(config, text, message):
    """What is wrong with a settings file is told with the file, the line, and the nearest right word."""
    path = config(text)
    with pytest.raises(SettingsError, match=message) as caught:
        load_settings(config=path, environ={})
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"retries": -1},
        {"retries": 101},
        {"timeout": 1e10},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"backoff": float("inf")},
        {"concurrency": 0},
        {"concurrency": 10**6},
        {"max_rps": 0},
        {"max_rps": 1e-300},
        {"deadline": -1},
        {"deadline": 1e10},
        {"max_body": 0},
        {"out": os.fsdecode(b"\xff")},
        {"base_url": "ftp://x"},
        {"base_url": "https://user:word@x"},
        {"base_url": "https://[x"},
        {"base_url": "https://x:99999"},
        {"base_url": "https://x:y"},
    ],
)
def test_a_value_out_of_its_range(wrong):
    """A value that no run could work with is refused by its name."""
    with pytest.raises(SettingsError) as caught:
        Settings(**wrong)
    assert caught.value.subject == next(iter(wrong))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"environ": {"AMOOT_RETRIES": "-1"}}, "^AMOOT_RETRIES must be from 0 to 100"),
        ({"environ": {"AMOOT_TOKEN": "a b"}}, "^AMOOT_TOKEN: the token holds a character"),
        ({"environ": {}, "max_rps": 0}, "^--max-rps must be from 0.001 to 1000000"),
        ({"environ": {}, "out": ""}, "^--out is empty"),
        ({"environ": {}, "out": os.fsdecode(b"\xff")}, "^--out must be a folder whose name is UTF-8 text"),
        ({"environ": {}, "retries": "x"}, "^--retries must be a whole number"),
        ({"environ": {}, "columns": "mobile"}, "^--columns must be a list of texts"),
        (
            {"environ": {}, "columns": ("mobil",)},
            r"^--columns: contacts has no column mobil; did you mean mobile\?",
        ),
        (
            {"environ": {}, "account": "shop", "config": "two"},
            r"line 6: accounts.shop.timeout must be from 0.001 to 86400",
        ),
    ],
)
def test_a_value_out_of_its_range_is_told_with_where_it_came_from(config, given, message):
    """Who finds a value refused learns which variable, flag or line to change."""
    if "config" in given:
        given = given | {"config": config(TWO.replace('"TOKEN_SHOP"', '"TOKEN_SHOP"\ntimeout = 0'))}
    with pytest.raises(SettingsError, match=message):
        load_settings(**given)


def test_a_file_in_another_encoding(config):
    """It is told with the way out, and nothing of what is in it."""
    path = config("")
    path.write_text('out = "خروجی"', encoding="utf-16")
    with pytest.raises(SettingsError) as caught:
        load_settings(config=path, environ={})
    assert str(caught.value) == f"{path}: this is not UTF-8: save it as UTF-8"


def test_an_output_folder_that_is_a_file(config, tmp_path):
    """It is told with where it was named, before anything is asked or written; what is not there yet is made."""
    (tmp_path / "taken").touch()
    path = config('out = "taken"')
    for given, place in (
        ({"environ": {}, "config": path}, f"{path}, line 1: out"),
        ({"environ": {"AMOOT_OUT": "taken"}}, "AMOOT_OUT"),
        ({"environ": {}, "out": "taken"}, "--out"),
    ):
        with pytest.raises(SettingsError) as caught:
            load_settings(**given)
        assert str(caught.value) == f"{place}: taken is a file and not a folder: choose another"
    assert load_settings(environ={"AMOOT_OUT": "not-yet"}).out.name == "not-yet"


def test_an_empty_variable_is_not_set(config):
    """`AMOOT_OUT=` in a schedule means that nothing is said there."""
    assert load_settings(environ={"AMOOT_OUT": "", "AMOOT_RETRIES": " "}).out.name == "output"


def test_spans_and_sizes_have_units():
    """A deadline may be told in seconds, minutes or hours, a size in bytes or what people say."""
    assert load_settings(environ={"AMOOT_DEADLINE": "90m"}).deadline == 5400
    assert load_settings(environ={}, deadline="1.5h").deadline == 5400
    assert load_settings(environ={"AMOOT_MAX_BODY": "2GB"}).max_body == 2 * 10**9
    assert load_settings(environ={}, max_body="700").max_body == 700


@pytest.mark.parametrize(
    ("mode", "refused", "warned"),
    [(0o600, False, False), (0o640, False, False), (0o440, False, False), (0o444, False, True),
     (0o644, False, True), (0o622, True, False), (0o660, True, False), (0o666, True, False)],
)  # fmt: skip
def test_who_may_touch_a_token(tmp_path, caplog, mode, refused, warned):
    """A token that others may write is refused; one that everybody may read is taken with a warning."""
    path = secret(tmp_path, mode=mode)
    with caplog.at_level(logging.WARNING, "amoot_etl"):
        if refused:
            with pytest.raises(SettingsError, match="others may write this token: chmod 600 it"):
                token_from(path)
        else:
            assert token_from(path) == TOKEN
    assert ("anybody on this machine may read" in caplog.text) == warned
    assert TOKEN not in caplog.text


def test_secrets_of_docker_and_kubernetes(tmp_path):
    """Docker's secret is a file that all may read, Kubernetes' a link to one through a folder that is a link."""
    version = tmp_path / "..2026_11_22"
    version.mkdir()
    secret(version, mode=0o644, name="amoot")
    (tmp_path / "..data").symlink_to(version.name)
    (tmp_path / "amoot").symlink_to("..data/amoot")
    assert load_settings(environ={}, token_file=tmp_path / "amoot").token == TOKEN
    assert load_settings(environ={"AMOOT_TOKEN_FILE": str(secret(tmp_path, mode=0o444))}).token == TOKEN


def test_a_token_that_cannot_be_had_is_told_when_it_is_needed(tmp_path):
    """Commands that need no token work without; the others say where it was looked for."""
    found = load_settings(environ={}, token_file=tmp_path / "nowhere")
    assert found.token == ""
    with pytest.raises(SettingsError, match="nowhere: the token cannot be read"):
        found.need_token()
    with pytest.raises(SettingsError, match="set AMOOT_TOKEN or --token-file"):
        load_settings(environ={}).need_token()
    secret(tmp_path, text="")
    with pytest.raises(SettingsError, match="the token is empty"):
        load_settings(environ={}, token_file=tmp_path / "token").need_token()


def test_a_token_that_windows_wrote(tmp_path):
    """The mark that Notepad and PowerShell set before UTF-8 is no part of it; UTF-16 is told with the way out."""
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\r\n", encoding="utf-8-sig")
    path.chmod(0o600)
    assert load_settings(environ={}, token_file=path).need_token() is None
    assert token_from(path) == TOKEN
    path.write_text(TOKEN, encoding="utf-16")
    with pytest.raises(SettingsError, match=r"token: the token cannot be read, .*: save it as UTF-8"):
        token_from(path)


@pytest.mark.parametrize("environ", [{}, {"AMOOT_TOKEN": "of-somebody-else"}])
def test_a_token_that_is_none_is_told_with_where_it_came_from(config, tmp_path, environ):
    """A file or a variable with two words in it is named, whatever else stands in the environment."""
    path = secret(tmp_path, f"{TOKEN} {TOKEN}")
    from_file = load_settings(environ=environ, token_file=path)
    from_variable = load_settings(
        environ=environ | {"TOKEN_SHOP": f"{TOKEN} {TOKEN}"}, config=config(TWO), account="shop"
    )
    for found, place in ((from_file, str(path)), (from_variable, "TOKEN_SHOP")):
        with pytest.raises(SettingsError) as caught:
            found.need_token()
        assert str(caught.value) == f"{place}: the token holds a character that no token has: copy it anew"
        assert found.token == ""


def test_an_account_brings_its_own_token_and_folder(config, tmp_path):
    """A chosen account's settings win over the environment; what it does not say holds as for all."""
    path = config(TWO)
    secret(tmp_path, "clinic-token", name="clinic.token")
    environ = {"AMOOT_TOKEN": "of-somebody-else", "TOKEN_SHOP": "shop-token", "AMOOT_OUT": "elsewhere"}
    shop = load_settings(config=path, environ=environ, account="shop")
    assert (shop.account, shop.token, shop.out.as_posix(), shop.retries) == (
        "shop",
        "shop-token",
        "elsewhere/shop",
        3,
    )
    clinic = load_settings(config=path, environ={**environ, "AMOOT_ACCOUNT": "clinic"})
    assert (clinic.token, clinic.out.as_posix()) == ("clinic-token", "clinic-out")
    assert clinic.base_url == "https://clinic.example/rest"
    assert [field.name for field in clinic.mapping] == ["file_number"]
    assert load_settings(config=path, environ=environ, account="shop", out="here").out.as_posix() == "here"
    with pytest.raises(SettingsError, match="TOKEN_SHOP, which is not set"):
        load_settings(config=path, environ={"AMOOT_TOKEN": "of-somebody-else"}, account="shop").need_token()


def test_accounts_that_are_not_there_or_not_apart(config):
    """An unknown account is told with the nearest one; two accounts never share a folder."""
    path = config(TWO)
    with pytest.raises(SettingsError, match=r"no account shp in .*; did you mean shop\?"):
        load_settings(config=path, environ={}, account="shp")
    with pytest.raises(
        SettingsError, match=r"^there is no account shop, since there is no amoot\.toml to name it: "
    ):
        settle(environ={}, account="shop")
    same = TWO.replace('out = "clinic-out"', 'out = "x"').replace('"TOKEN_SHOP"', '"TOKEN_SHOP"\nout = "./x"')
    with pytest.raises(SettingsError, match="is the folder of shop too"):
        load_settings(config=config(same), environ={})


def test_init_writes_a_file_that_says_everything(tmp_path, monkeypatch):
    """The file that `init` writes is valid as it is and with every line switched on, and is never written over."""
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(init, []).exit_code == 0
    path = tmp_path / "amoot.toml"
    assert tomllib.loads(path.read_text(encoding="utf-8")) == {}
    on = [
        line.removeprefix("# ")
        for line in TEMPLATE.splitlines()
        if line.startswith(("# [", "#  ")) or (line.startswith("# ") and " = " in line)
    ]
    path.write_text(
        "\n".join(line for line in on if not line.startswith('token_file = "amoot')), encoding="utf-8"
    )
    settled = settle(config=path, environ={})
    assert settled.accounts == ("shop", "clinic")
    unsaid = {"token", "account", "token_problem"}
    assert {name for name, source in settled.sources.items() if source == "default"} <= unsaid
    with pytest.raises(SettingsError, match="is there already"):
        CliRunner().invoke(init, [], catch_exceptions=False, standalone_mode=False)
