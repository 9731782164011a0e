"""A portal, settings that try once, names that this machine knows, and an authority that it trusts."""

from __future__ import annotations

import socket

import pytest
from proxy_world import AUTHORITY, leave_no_way_named

from amoot_etl.demo import AddressBook, Portal
from amoot_etl.settings import Settings

TOKEN = "planted-token-0123456789"
NAMES = ("portal.example", "proxy.example", "stranger.example")


@pytest.fixture(autouse=True)
def _plain_surroundings(monkeypatch):
    """Keep the tests apart from how this machine reaches portals."""
    leave_no_way_named(monkeypatch)


@pytest.fixture
def portal():
    """A small portal."""
    with Portal(AddressBook.invent(contacts=20, labels=2, dirty=False), token=TOKEN) as portal:
        yield portal


@pytest.fixture
def known(monkeypatch):
    """Let the name server of this machine know the portal's and the proxy's names."""
    look_up = socket.getaddrinfo

    def getaddrinfo(host, *more, **most):
        return look_up("127.0.0.1" if host in NAMES else host, *more, **most)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture
def trusted(monkeypatch):
    """Trust the tests' own authority."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(AUTHORITY))


@pytest.fixture
def settings():
    """Give settings that point somewhere, and try once."""

    def make(base_url: str, **more) -> Settings:
        return Settings(**{"base_url": base_url, "token": TOKEN, "retries": 0, "timeout": 30.0} | more)

    return make
