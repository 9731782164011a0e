"""Each way in which a transfer fails has its words, its class, and nothing in them that is secret."""

from __future__ import annotations

import gzip
import socket
import threading
from contextlib import contextmanager

import pytest
from proxy_world import HttpProxy, Relay

from amoot_etl.client import Client, wire
from amoot_etl.demo import AddressBook, Fault, Portal
from amoot_etl.errors import AmootError, PortalUnavailable, SettingsError, UnexpectedAnswer
from amoot_etl.settings import Settings

TOKEN = "planted-token-0123456789"


@contextmanager
def answering(*parts: bytes):
    """Listen, take one request a connection, say these bytes, and hang up; give the base URL."""

    def serve() -> None:
        for part in parts:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(part)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 16):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/rest"
        thread.join(30)


def failure(settings: Settings) -> AmootError:
    """Ask one small thing; give the error that it ends in."""
    with Client(settings) as client, pytest.raises(AmootError) as caught:
        client.call("ContactGroupList")
    assert TOKEN not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    return caught.value


def test_tls_that_is_not_agreed_on(settings):
    """A server that refuses our kind of TLS is told apart from a certificate that is not accepted."""
    refusal = b"\x15\x03\x01\x00\x02\x02\x28"
    with answering(refusal) as url:
        error = failure(settings(url.replace("http:", "https:")))
    assert error.status == "TLS"
    assert "no TLS connection could be made (" in str(error)
    assert "HANDSHAKE_FAILURE" in str(error)
    assert "certificate" not in str(error)


def test_nobody_listens(settings):
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error = failure(settings(f"http://127.0.0.1:{port}/rest"))
    assert isinstance(error, PortalUnavailable)
    assert error.status == "the connection was refused"
    assert str(error).startswith(
        "ContactGroupList: the connection was refused (NewConnectionError): check the "
    )


def test_a_name_that_nobody_knows(settings, monkeypatch):
    """A name that no name server knows."""

    def unknown(*_args, **_kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert failure(settings("http://portal.example/rest")).status == "the portal's name is not known"


def test_an_address_that_cannot_be_reached(settings):
    """An address to which there is no way is told at once, and not as a portal that keeps silent."""
    assert failure(settings("http://255.255.255.255:9/rest")).status == "no connection could be made"


def test_no_connection_in_time(settings, monkeypatch):
    """A port whose queue is full lets nobody in and turns nobody away."""
    monkeypatch.setattr(wire, "_CONNECT_TIMEOUT", 0.2)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        place = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(place)
        error = failure(settings(f"http://127.0.0.1:{place[1]}/rest"))
        for each in waiting:
            each.close()
    assert (type(error), error.status) == (PortalUnavailable, "no connection in time")


@pytest.mark.parametrize("where", ["before", "in"])
def test_no_answer_in_time(portal, settings, where):
    """A portal that hangs before its answer, or in it."""
    portal.plan(Fault.hang(where))
    error = failure(settings(portal.url, timeout=0.3))
    assert (type(error), error.status) == (PortalUnavailable, "no answer in time")


def test_a_connection_that_breaks(portal, settings):
    """A connection that is reset, before the answer or in it."""
    for where in ("before", "in"):
        portal.heal()
        portal.plan(Fault.reset(where))
        error = failure(settings(portal.url))
        assert (type(error), error.status) == (PortalUnavailable, "the connection broke")


@pytest.mark.parametrize(
    "said",
    [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, b"HTTP/1.1 2x0 OK\r\n\r\n"],
)
def test_an_answer_that_is_no_http(settings, said):
    """What answers nothing, or does not speak HTTP, is a connection that broke, not a body that was cut."""
    with answering(said) as url:
        error = failure(settings(url))
    assert (type(error), error.status) == (PortalUnavailable, "the connection broke")


@pytest.mark.parametrize(
    "said",
    [
        b"Content-Length: 100\r\n\r\n{}",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    ],
)
def test_a_body_that_is_shorter_than_it_said(settings, said):
    """A body that ends before its length, or before its last chunk, is never taken for a whole one."""
    with answering(b"HTTP/1.1 200 OK\r\n" + said) as url:
        error = failure(settings(url))
    assert (type(error), error.status) == (UnexpectedAnswer, "cut")


def test_a_gzip_that_is_broken(settings, monkeypatch):
    """A body that says it is gzip and is not."""
    body = gzip.compress(b"")[:10] + b"\xff" * 40
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    with answering(head + body) as url:
        error = failure(settings(url))
    assert (type(error), error.status) == (UnexpectedAnswer, "gzip")


def test_a_proxy_that_fails(portal, settings, monkeypatch):
    """A proxy that makes no tunnel, and one where nobody listens."""
    with HttpProxy(portal, authorization="Basic none") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        error = failure(settings("https://portal.example/rest"))
    assert (type(error), error.status) == (PortalUnavailable, "the proxy failed")
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    assert failure(settings("https://portal.example/rest")).status == "the proxy failed"


@pytest.mark.parametrize(
    "base_url",
    [
        "http://portal.example:99999",
        "http://exa mple",
        "http://[::1",
        "http://a..example",
        f"http://{'a' * 64}.example",
    ],
)
def test_an_address_that_is_none(base_url):
    """What can be no address is a setting to be put right, found when it is settled or when it is used."""

    def ask() -> None:
        with Client(Settings(base_url=base_url, token=TOKEN, retries=0)) as client:
            client.call("ContactGroupList")

    with pytest.raises(SettingsError) as caught:
        ask()
    assert caught.value.subject == "base_url"


def test_a_tunnel_that_is_cut(portal, settings, monkeypatch):
    """A proxy that hangs up in the middle of a body leaves a body that was cut."""
    portal.plan(Fault.cut(0.5))
    with Relay(portal) as relay:
        assert failure(settings(f"http://127.0.0.1:{relay.port}/rest")).status == "cut"


def test_a_client_that_is_closed():
    """The network is not blamed for it."""
    with Portal(AddressBook.invent(contacts=5), token=TOKEN) as portal:
        with Client(Settings(base_url=portal.url, token=TOKEN)) as client:
            assert client.call("ContactGroupList")
        with pytest.raises(SettingsError, match="this client is closed"):
            client.call("ContactGroupList")


def test_a_portal_that_was_asked_too_often():
    """The way out is to ask less."""
    with Portal(AddressBook.invent(contacts=5), token=TOKEN) as portal:
        portal.plan(Fault.http(429), "ContactGroupList")
        with (
            Client(Settings(base_url=portal.url, token=TOKEN, retries=0)) as client,
            pytest.raises(PortalUnavailable, match=r"asked too often: .*--max-rps or --concurrency"),
        ):
            client.call("ContactGroupList")
