"""The proxies of the environment, over real ones: which is taken, when none is, and that no password is seen."""

from __future__ import annotations

import logging
import sys
import threading
from base64 import b64encode

import pytest
from proxy_world import HttpProxy, Relay, SocksProxy, tls

from amoot_etl.client import Client
from amoot_etl.client.surroundings import proxy_for
from amoot_etl.demo import Fault
from amoot_etl.errors import PortalUnavailable, SettingsError, UnexpectedAnswer

TOKEN = "planted-token-0123456789"
USER, PASSWORD = "some user", "planted-påss:wörd@9/7"
IN_URL = "some%20user:planted-p%C3%A5ss:w%C3%B6rd%409%2F7"
SHOWN = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()

PLAIN = "http://portal.example/rest"
SECURE = "https://portal.example/rest"


def ask(settings) -> list:
    """Ask one small thing; give the groups."""
    with Client(settings) as client:
        return client.call("ContactGroupList")


def every_word(error: BaseException | None) -> str:
    """Give the words of an error and of all that it hangs on to."""
    words, seen = "", set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            words += f"{one} {one!r} {vars(one)}"
            waiting += [one.__cause__, one.__context__, *one.args]
    return words


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_plain_portal_through_a_proxy(portal, settings, monkeypatch, name):
    """A plain request goes to the proxy whole, with the portal's own address and the token for the portal."""
    with HttpProxy(portal) as proxy:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        with Client(settings(PLAIN)) as client:
            assert client.call("ContactGet", ContactID=100_001)["ID"] == 100_001
    ((line, headers),) = proxy.asked
    assert line == "POST http://portal.example/rest/ContactGet"
    assert headers["Host"] == "portal.example"
    assert "Proxy-Authorization" not in headers
    assert portal.calls[0].fields == {"ContactID": "100001"}


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.usefixtures("trusted")
def test_a_portal_with_tls_through_a_proxy(portal, settings, monkeypatch, name):
    """What goes to a portal with TLS goes through a tunnel, and the proxy sees no more than where it leads."""
    with Relay(portal, context=tls()) as secure, HttpProxy(secure.server_address) as proxy:
        monkeypatch.setenv(name, f"127.0.0.1:{proxy.port}")
        assert ask(settings(SECURE))
    ((line, headers),) = proxy.asked
    assert line == "CONNECT portal.example:443"
    assert TOKEN not in str(headers)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY"])
@pytest.mark.usefixtures("known", "trusted")
def test_a_proxy_for_the_other_scheme_is_not_taken(portal, settings, monkeypatch, name):
    """HTTP_PROXY says nothing of https, nor HTTPS_PROXY of http."""
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Relay(portal, context=tls() if name == "HTTP_PROXY" else None) as straight:
        scheme = "https" if name == "HTTP_PROXY" else "http"
        assert ask(settings(f"{scheme}://portal.example:{straight.port}/rest"))


def test_which_variable_comes_first(monkeypatch):
    """A scheme's own variable comes before ALL_PROXY, small letters before capitals, and an empty one names none."""
    monkeypatch.setenv("ALL_PROXY", "http://one.example:1")
    assert proxy_for(SECURE).url == "http://one.example:1"
    monkeypatch.setenv("HTTPS_PROXY", "http://two.example:2")
    assert proxy_for(SECURE).url == "http://two.example:2"
    monkeypatch.setenv("https_proxy", "http://three.example:3")
    assert proxy_for(SECURE).url == "http://three.example:3"
    monkeypatch.setenv("https_proxy", "")
    assert proxy_for(SECURE).variable == "ALL_PROXY"


def test_a_web_servers_client_names_no_proxy(monkeypatch):
    """In a CGI script HTTP_PROXY may be a visitor's header, and is not heeded; http_proxy cannot be."""
    monkeypatch.setenv("HTTP_PROXY", "http://visitor.example")
    monkeypatch.setenv("REQUEST_METHOD", "GET")
    assert proxy_for(PLAIN) is None
    monkeypatch.setenv("http_proxy", "http://ours.example")
    assert proxy_for(PLAIN).url == "http://ours.example"


@pytest.mark.parametrize(
    ("listed", "base_url", "exempt"),
    [
        ("portal.example", PLAIN, True),
        ("other.example, PORTAL.example", SECURE, True),
        (".example", PLAIN, True),
        ("example", PLAIN, True),
        ("tal.example", PLAIN, False),
        ("portal.example.org", PLAIN, False),
        ("*", PLAIN, True),
        ("portal.example:80", PLAIN, True),
        ("portal.example:443", SECURE, True),
        ("portal.example:443", PLAIN, False),
        ("portal.example:8080", "http://portal.example:8080/rest", True),
        ("10.1.2.3", "http://10.1.2.3/rest", True),
        ("10.1.2.3:81", "http://10.1.2.3:81/rest", True),
        ("10.1.2.3:81", "http://10.1.2.3/rest", False),
        ("10.1.2.4", "http://10.1.2.3/rest", False),
        ("10.0.0.0/8", "http://10.1.2.3/rest", True),
        ("10.1.2.9/24", "http://10.1.2.3/rest", True),
        ("10.0.0.0/16", "http://10.1.2.3/rest", False),
        ("10.0.0.0/8", PLAIN, False),
        ("10.0.0.0/99, nonsense/8, ,", "http://10.1.2.3/rest", False),
        ("2001:db8::1", "http://[2001:db8::1]:8080/rest", True),
        ("[2001:db8::1]", "http://[2001:db8:0:0::1]/rest", True),
        ("2001:db8::/32", "http://[2001:db8::1]/rest", True),
        ("2001:db8::/32", "http://10.1.2.3/rest", False),
        ("", PLAIN, False),
    ],
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_what_no_proxy_exempts(monkeypatch, name, listed, base_url, exempt):
    """NO_PROXY exempts by name, domain, port, address and network, and nothing that only looks alike."""
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv(name, listed)
    assert (proxy_for(base_url) is None) is exempt


@pytest.mark.usefixtures("known")
def test_an_exempt_portal_is_reached_straight(portal, settings, monkeypatch):
    """A portal that NO_PROXY names is asked without the proxy, and one that it does not through it."""
    with Relay(portal) as straight, HttpProxy(portal) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", f"portal.example:{straight.port}")
        assert ask(settings(f"http://portal.example:{straight.port}/rest"))
        assert proxy.asked == []
        assert ask(settings(f"http://stranger.example:{straight.port}/rest"))
        assert len(proxy.asked) == 1


def test_a_portal_on_this_machine_needs_no_proxy(portal, settings, monkeypatch):
    """A portal on loopback is asked straight, whatever the environment names."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "no proxy at all")
    assert ask(settings(portal.url))


@pytest.mark.parametrize("base_url", [PLAIN, SECURE])
@pytest.mark.usefixtures("trusted")
def test_user_and_password(portal, settings, monkeypatch, caplog, base_url):
    """The user and the password in a proxy's URL reach the proxy as they are meant, and nobody else."""
    caplog.set_level(logging.DEBUG)
    secure = base_url == SECURE
    with (
        Relay(portal, context=tls() if secure else None) as relay,
        HttpProxy(relay.server_address, authorization=SHOWN) as proxy,
    ):
        monkeypatch.setenv("ALL_PROXY", f"http://{IN_URL}@127.0.0.1:{proxy.port}/")
        with Client(settings(base_url)) as client:
            assert client.call("ContactGroupList")
            assert client.call("ContactGroupList")
            shown = [repr(each) for each in (client, client._wire, client._wire._pool, proxy_for(base_url))]
    assert "planted" not in "".join(shown)
    assert all(headers["Proxy-Authorization"] == SHOWN for _, headers in proxy.asked)
    assert len(proxy.asked) == (1 if secure else 2)
    assert "proxy-authorization" not in portal.calls[0].headers
    for secret in ("planted", SHOWN[6:], TOKEN):
        assert secret not in caplog.text


@pytest.mark.parametrize("base_url", [PLAIN, SECURE])
def test_a_proxy_that_refuses(portal, settings, monkeypatch, caplog, base_url):
    """A wrong password is told without showing it, in no error of the chain and in no log."""
    caplog.set_level(logging.DEBUG)
    with HttpProxy(portal, authorization="Basic another") as proxy:
        monkeypatch.setenv("ALL_PROXY", f"http://{IN_URL}@127.0.0.1:{proxy.port}")
        error = PortalUnavailable if base_url == SECURE else UnexpectedAnswer
        with pytest.raises(error, match="the proxy failed" if base_url == SECURE else "HTTP 407") as caught:
            ask(settings(base_url))
    for secret in ("planted", SHOWN[6:], TOKEN):
        assert secret not in every_word(caught.value) + caplog.text


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("http://planted user:planted@exa mple:80", "names no proxy"),
        ("http://planted:planted@proxy.example:99999", "names no proxy"),
        ("ftp://planted:planted@proxy.example", "names no proxy"),
        ("http://", "names no proxy"),
        ("planted", ""),
    ],
)
def test_what_is_no_proxy(settings, monkeypatch, text, word):
    """A proxy's address that is none is told by the variable that holds it, and never shown."""
    monkeypatch.setenv("HTTPS_PROXY", text)
    if not word:
        assert proxy_for(SECURE).url == "http://planted"
        return
    with pytest.raises(SettingsError, match=f"^HTTPS_PROXY {word}") as caught:
        Client(settings(SECURE))
    assert caught.value.subject == "HTTPS_PROXY"
    assert "planted" not in every_word(caught.value)


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1", "http://nobody.invalid:8080"])
@pytest.mark.parametrize("base_url", [PLAIN, SECURE])
def test_a_proxy_that_is_not_there(settings, monkeypatch, base_url, proxy):
    """The portal is not blamed for it."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(PortalUnavailable, match=r"the proxy failed .*check the network and the proxy"):
        ask(settings(base_url))


@pytest.mark.parametrize("base_url", [PLAIN, SECURE])
@pytest.mark.usefixtures("known", "trusted")
def test_a_proxy_with_tls(portal, settings, monkeypatch, base_url):
    """A proxy that is itself reached by TLS is checked as the portal is."""
    inner = tls() if base_url == SECURE else None
    with Relay(portal, context=inner) as relay, HttpProxy(relay.server_address, context=tls()) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"https://proxy.example:{proxy.port}")
        assert ask(settings(base_url))
        assert len(proxy.asked) == 1
        monkeypatch.setenv("ALL_PROXY", f"https://stranger.example:{proxy.port}")
        with pytest.raises(PortalUnavailable, match="the proxy failed"):
            ask(settings(base_url))


@pytest.mark.parametrize("way", ["http", "https", "socks5h"])
@pytest.mark.usefixtures("known", "trusted")
def test_a_transfer_through_a_proxy_can_be_ended(portal, settings, monkeypatch, way):
    """A cancel wakes whoever hangs in a connection through a proxy, also where one TLS is inside another."""
    portal.plan(Fault.hang())
    asked = threading.Event()
    portal.plan(Fault.meanwhile(asked.set))
    kind = SocksProxy if way == "socks5h" else HttpProxy
    if kind is SocksProxy:
        pytest.importorskip("socks")
    with (
        Relay(portal, context=tls()) as relay,
        kind(relay.server_address, context=tls() if way == "https" else None) as proxy,
    ):
        # PySocks asks the system itself where a proxy is.
        host = "127.0.0.1" if way == "socks5h" else "proxy.example"
        monkeypatch.setenv("ALL_PROXY", f"{way}://{host}:{proxy.port}")
        # Without the cancel it would hang for longer than a test may.
        with Client(settings(SECURE, timeout=3600.0)) as client:
            threading.Thread(target=lambda: (asked.wait(30), client.cancel()), daemon=True).start()
            with pytest.raises(PortalUnavailable, match="ContactGroupList: cancelled"):
                client.call("ContactGroupList")


@pytest.mark.parametrize(
    ("scheme", "kind", "host"), [("socks5", 1, "127.0.0.1"), ("socks5h", 3, "portal.example")]
)
@pytest.mark.parametrize("base_url", [PLAIN, SECURE])
@pytest.mark.usefixtures("known", "trusted")
def test_socks(portal, settings, monkeypatch, scheme, kind, host, base_url):  # noqa: PLR0917
    """A SOCKS proxy is told an address by socks5:// and the portal's name by socks5h://."""
    pytest.importorskip("socks")
    with (
        Relay(portal, context=tls() if base_url == SECURE else None) as relay,
        SocksProxy(relay.server_address) as proxy,
    ):
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{proxy.port}")
        assert ask(settings(base_url))
    assert proxy.asked == [(kind, host, None)]


def test_user_and_password_for_socks(portal, settings, monkeypatch, caplog):
    """A SOCKS proxy is shown the user and the password; a refusal is told without them."""
    pytest.importorskip("socks")
    caplog.set_level(logging.DEBUG)
    with SocksProxy(portal, password=PASSWORD) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"socks5h://{IN_URL}@127.0.0.1:{proxy.port}")
        assert ask(settings(PLAIN))
        assert proxy.asked == [(3, "portal.example", USER)]
        monkeypatch.setenv("ALL_PROXY", f"socks5h://planted:planted-wrong@127.0.0.1:{proxy.port}")
        with pytest.raises(PortalUnavailable, match="no connection could be made") as caught:
            ask(settings(PLAIN))
    assert "planted" not in every_word(caught.value) + caplog.text


def test_socks_without_its_package(settings, monkeypatch):
    """Where PySocks is missing, the error says so and names the variable that asks for it."""
    monkeypatch.setitem(sys.modules, "socks", None)
    monkeypatch.setenv("ALL_PROXY", "socks5://planted:planted@127.0.0.1:9")
    with pytest.raises(SettingsError, match=r"^ALL_PROXY names a SOCKS proxy.*pip install PySocks") as caught:
        Client(settings(PLAIN))
    assert "planted" not in every_word(caught.value)
