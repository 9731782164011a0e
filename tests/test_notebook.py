"""What a notebook begins with: an invented account, or your own with a token that is asked for."""

from __future__ import annotations

import datetime as dt

import pytest

from amoot_etl import notebook
from amoot_etl.errors import SettingsError
from amoot_etl.notebook import connect


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """Work in an empty folder, with no settings of the machine's user."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_an_invented_account_is_exported_when_first_looked_at():
    """The first look exports, the second only reads; the manifest names the demo and not a port."""
    account = connect(demo=True, contacts=150)
    first = account.current()
    assert len(first.contacts) == len(account.book) == 150
    assert account.current().run_id == first.run_id
    assert first.manifest["base_url"] == "demo"
    assert account.export().run_id != first.run_id


def test_an_invented_account_can_be_changed_and_synced():
    """The book's verbs change the world, a sync brings the change in, a full one lists everything."""
    account = connect(demo=True, contacts=150)
    account.export()
    changed = min(account.book)
    account.book.edit(changed, CityName="یزد")
    assert account.sync().outcome == "synced"
    contacts = account.current().contacts.set_index("contact_id")
    assert contacts.loc[changed, "city"] == "یزد"
    assert account.sync().outcome == "unchanged"
    assert account.sync(full=True).outcome == "exported"


def test_your_own_account_asks_for_a_token_that_is_not_set(monkeypatch):
    """The token typed is used, shown nowhere, and today is Tehran's day."""
    asked = []
    monkeypatch.setattr(notebook, "getpass", lambda prompt: asked.append(prompt) or " typed-token\n")
    account = connect()
    assert len(asked) == 1
    assert account.settings.token == "typed-token"
    assert "typed-token" not in repr(account)
    assert abs(account.today - dt.datetime.now(dt.UTC).date()) <= dt.timedelta(1)
    assert account.book is None


def test_a_token_that_is_set_is_not_asked_for(monkeypatch):
    """With AMOOT_TOKEN nobody has to type."""
    monkeypatch.setenv("AMOOT_TOKEN", "from-the-environment")
    monkeypatch.setattr(notebook, "getpass", lambda _: pytest.fail("asked"))
    assert connect().settings.token == "from-the-environment"


def test_no_token_is_an_error_that_says_what_to_do(monkeypatch):
    """An empty answer does not go to the portal."""
    monkeypatch.setattr(notebook, "getpass", lambda _: "  ")
    with pytest.raises(SettingsError, match="AMOOT_TOKEN"):
        connect()
