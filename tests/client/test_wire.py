"""What goes over the wire: one raw token, one form, no cookies, no netrc, and connections that are used again."""

from __future__ import annotations

import gzip
import sys

import pytest
from proxy_world import HttpProxy

from amoot_etl._version import __version__
from amoot_etl.client import Client
from amoot_etl.demo import AddressBook, Fault, Portal
from amoot_etl.errors import NotFound, UnexpectedAnswer
from amoot_etl.extractors.groups import fetch_groups
from amoot_etl.settings import Settings

TOKEN = "planted-token-0123456789"


def test_what_is_said(portal, settings):
    """The headers are few and always the same; a form has its type and its length, and nothing has none."""
    with Client(settings(portal.url)) as client:
        client.call("ContactGroupList")
        client.call("ContactGet", ContactID=100_001)
    host = portal.url.removeprefix("http://").removesuffix("/rest")
    common = {
        "host": host,
        "user-agent": f"amoot-etl/{__version__}",
        "accept": "application/json",
        "accept-encoding": "identity",
        "connection": "keep-alive",
    }
    first, second = (call.headers for call in portal.calls)
    assert first == common | {"content-length": "0"}
    form = {"content-type": "application/x-www-form-urlencoded", "content-length": "16"}
    assert second == common | form
    assert portal.calls[1].fields == {"ContactID": "100001"}


def test_no_netrc_is_read(portal, settings, monkeypatch, tmp_path):
    """A netrc file that knows the host does not put its password in the token's place."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password planted\ndefault login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    # Beyond loopback, too, as far as the settings know.
    monkeypatch.setattr(Settings, "on_loopback", False)
    with Client(settings(portal.url)) as client:
        assert client.call("ContactGroupList")


def test_no_cookie_is_kept(portal, settings):
    """A cookie that the portal sets is not brought back."""
    portal.plan(Fault.header(Set_Cookie="session=planted; Path=/"))
    with Client(settings(portal.url)) as client:
        client.call("ContactGroupList")
        client.call("ContactGroupList")
    assert [call.headers.get("cookie") for call in portal.calls] == [None, None]


def test_a_connection_is_used_again(portal, settings):
    """Answers that were read whole leave their connection to the next, whatever their framing."""
    with Client(settings(portal.url)) as client:
        for chunked in (False, True, False):
            portal.chunked = chunked
            client.call("ContactGroupList")
            client.call("ContactGet", ContactID=100_001)
    assert {call.connection for call in portal.calls} == {1}


def test_an_answer_left_unread_costs_its_connection(portal, settings):
    """What was not read to its end is not taken for the next answer's beginning."""
    portal.plan(Fault.http(503), calls=[1])
    with Client(settings(portal.url, retries=1, backoff=0.001)) as client:
        assert client.call("ContactGroupList")
    assert [call.connection for call in portal.calls] == [1, 2]


def test_an_answer_that_makes_no_sense_costs_its_connection(portal, settings):
    """Where it ends nobody knows; what is refused in plain words, or is gone, costs nothing."""
    plain = {"retries": 2, "backoff": 0.001}
    with Client(settings(portal.url, **plain)) as client:
        portal.plan(Fault.status("Failed"), times=2)
        assert client.call("ContactGroupList")
        with pytest.raises(NotFound):
            client.call("ContactGet", ContactID=1)
        portal.plan(Fault.html(), times=2)
        assert client.call("ContactGroupList")
        assert client.call("ContactGroupList")
    assert [call.connection for call in portal.calls] == [1, 1, 1, 1, 1, 2, 3, 3]


def test_a_connection_that_the_portal_has_closed(settings):
    """A connection that the portal closed while nobody asked is opened anew, without another try."""
    book = AddressBook.invent(contacts=3)
    with Portal(book, token=TOKEN) as portal, Client(settings(portal.url)) as client:
        assert client.call("ContactGroupList")
        portal.stop()
        portal.start()
        assert client.call("ContactGroupList")


@pytest.mark.parametrize("chunked", [False, True])
def test_gzip_is_unpacked_once(portal, settings, monkeypatch, chunked):
    """A packed body is unpacked as it comes, and one that is packed within is left as it is."""
    monkeypatch.setattr(Settings, "on_loopback", False)
    portal.chunked = chunked
    with Client(settings(portal.url)) as client:
        body = b'{"Status":"Success","Data":["' + b"a" * 3_000_000 + b'"]}'
        portal.plan(Fault.raw(body), times=1)
        assert client.call("ContactGroupList") == ["a" * 3_000_000]
        assert portal.calls[0].headers["accept-encoding"] == "gzip"
        portal.plan(Fault.raw(gzip.compress(body, 0)), times=1)
        with pytest.raises(UnexpectedAnswer, match="no UTF-8 text"):
            client.call("ContactGroupList")


def test_a_raw_line_break_inside_a_title(portal, settings):
    """It is no JSON, and can mean nothing else: a title with one does not stop every run."""
    body = b'{"Status":"Success","Data":[{"ContactGroupID":7,"Title":"one\ntwo\tthree","ContactsCount":1}]}'
    portal.plan(Fault.raw(body), times=1)
    with Client(settings(portal.url)) as client:
        assert [group.title for group in fetch_groups(client)] == ["one\ntwo\tthree"]


def test_nothing_shows_the_token(portal, settings):
    """The client's own repr, and that of its parts, is free of the token."""
    with Client(settings(portal.url)) as client:
        client.call("ContactGroupList")
        shown = [repr(part) for part in (client, *vars(client).values(), *vars(client._wire._pool).values())]
    assert TOKEN not in "".join(shown)


def test_a_name_in_letters_of_its_own(portal, settings, monkeypatch):
    """A portal's name in Persian is asked for as name servers know it, without a package for that."""
    monkeypatch.setitem(sys.modules, "idna", None)
    with HttpProxy(portal) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        with Client(settings("http://پرتال.example:8080/rest")) as client:
            assert client.call("ContactGroupList")
    assert proxy.asked[0][0] == "POST http://xn--mgbfu2f0n.example:8080/rest/ContactGroupList"


def test_a_base_url_without_a_path(settings):
    """A base URL that is a host alone has its methods at the root."""
    with Client(settings("http://portal.example")) as client:
        assert client._wire._target == "/"
