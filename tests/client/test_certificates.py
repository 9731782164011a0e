"""Whose certificates are trusted, by the environment's variables; nothing is trusted that they do not vouch for."""

from __future__ import annotations

import shutil

import pytest
from click.testing import CliRunner
from proxy_world import AUTHORITY, CERTIFICATES, HttpProxy, Relay, tls

from amoot_etl.cli import exit_code_of
from amoot_etl.cli.groups import command
from amoot_etl.client import Client
from amoot_etl.errors import PortalUnavailable, SettingsError

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
TOKEN = "planted-token-0123456789"


@pytest.fixture
def secure(portal):
    """A portal with TLS on loopback."""
    with Relay(portal, context=tls()) as relay:
        yield relay


@pytest.fixture
def folder(tmp_path):
    """A folder of certificates as OpenSSL wants it: each by the hash of its subject."""
    home = tmp_path / "certificates"
    home.mkdir()
    shutil.copy(AUTHORITY, home / "761a54b4.0")
    return home


def ask(settings) -> list:
    """Ask one small thing; give the groups."""
    with Client(settings) as client:
        return client.call("ContactGroupList")


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
def test_a_bundle_is_a_file(secure, settings, monkeypatch, name, host):
    """A bundle that a variable names is trusted, on loopback too."""
    with Relay(secure.server_address, host=host) as relay:
        monkeypatch.setenv(name, str(AUTHORITY))
        assert ask(settings(f"https://{host}:{relay.port}/rest"))


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("also", ["", ":/"])
def test_a_bundle_is_a_folder(secure, settings, monkeypatch, folder, name, also):  # noqa: PLR0917
    """A folder of certificates is as good as a file, and so are several folders."""
    monkeypatch.setenv(name, f"{folder}{also}")
    assert ask(settings(f"https://127.0.0.1:{secure.port}/rest"))


def test_which_bundle_comes_first(secure, settings, monkeypatch, tmp_path):
    """Of several variables the first counts alone; an empty one counts as not set."""
    for later in (1, 2, 3):
        monkeypatch.setenv(VARIABLES[later], str(tmp_path / "nowhere"))
    monkeypatch.setenv(VARIABLES[0], str(AUTHORITY))
    assert ask(settings(f"https://127.0.0.1:{secure.port}/rest"))
    monkeypatch.setenv(VARIABLES[0], "")
    with pytest.raises(SettingsError, match=f"^{VARIABLES[1]} names"):
        ask(settings(f"https://127.0.0.1:{secure.port}/rest"))


def test_an_authority_that_nobody_named(secure, settings):
    """Without a bundle certifi's authorities are trusted, and the tests' own is none of them."""
    with pytest.raises(PortalUnavailable, match="the portal's certificate was not accepted") as caught:
        ask(settings(f"https://127.0.0.1:{secure.port}/rest"))
    assert caught.value.status == "TLS"


@pytest.mark.usefixtures("known", "trusted")
def test_a_certificate_for_another_name(portal, settings):
    """A good certificate for another host's name is not accepted."""
    with (
        Relay(portal, context=tls("stranger")) as stranger,
        pytest.raises(PortalUnavailable, match="the portal's certificate was not accepted"),
    ):
        ask(settings(f"https://portal.example:{stranger.port}/rest"))
    assert portal.calls == []


@pytest.mark.usefixtures("trusted")
def test_a_certificate_for_another_name_in_a_tunnel(portal, settings, monkeypatch):
    """The host's name is checked through a proxy too."""
    with Relay(portal, context=tls("stranger")) as stranger, HttpProxy(stranger.server_address) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(PortalUnavailable, match="the portal's certificate was not accepted"):
            ask(settings("https://portal.example/rest"))
        assert ask(settings("https://stranger.example/rest"))


def test_a_port_that_speaks_no_tls(portal, settings):
    """What is no TLS is told as such."""
    with pytest.raises(
        PortalUnavailable, match="this address does not speak TLS: check the base URL"
    ) as caught:
        ask(settings(portal.url.replace("http:", "https:")))
    assert caught.value.status == "TLS"
    assert "certificate" not in str(caught.value)


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("nowhere.pem", "cannot be read (No such file or directory)"),
        ("empty.pem", "holds no certificates"),
        ("key.pem", "holds no certificates"),
    ],
)
def test_a_bundle_that_is_none(settings, monkeypatch, tmp_path, name, what, why):  # noqa: PLR0917
    """A bundle that is not there or holds no certificate is told by its variable, before anything is asked."""
    (tmp_path / "empty.pem").touch()
    text = (CERTIFICATES / "portal.pem").read_text()
    (tmp_path / "key.pem").write_text(text[: text.index("-----BEGIN CERTIFICATE")])
    monkeypatch.setenv(name, str(tmp_path / what))
    with pytest.raises(SettingsError) as caught:
        Client(settings("https://portal.example/rest"))
    assert str(caught.value) == f"{name} names {tmp_path / what}, which {why}: correct it, or unset it"
    assert caught.value.subject == name
    assert exit_code_of(type(caught.value)) == 2


def test_a_plain_portal_needs_no_bundle(portal, settings, monkeypatch, tmp_path):
    """Where no certificate is met, what is named for them does not matter."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nowhere.pem"))
    assert ask(settings(portal.url))
    monkeypatch.setenv("AMOOT_TOKEN", TOKEN)
    assert CliRunner().invoke(command, ["--base-url", portal.url]).exit_code == 0
