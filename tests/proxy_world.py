"""Real proxies on loopback: one that forwards and tunnels HTTP, one that speaks SOCKS 5, and TLS before a portal.

Whatever name they are asked for, they connect to the one portal that they were made for; so a test can give a
portal any name without a name server.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import socketserver
import ssl
import struct
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import pytest

    from amoot_etl.demo import Portal

CERTIFICATES = Path(__file__).parent / "client" / "certificates"
AUTHORITY = CERTIFICATES / "authority.pem"


def leave_no_way_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take out of the environment what says how portals are reached."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT_") or name.endswith("_CA_BUNDLE"):
            monkeypatch.delenv(name)


def tls(name: str = "portal") -> ssl.SSLContext:
    """Give a server's side of TLS, with a certificate of the tests' own authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / f"{name}.pem")
    return context


class Relay(socketserver.ThreadingTCPServer):
    """Listens on loopback, and brings every connection to one place.

    Args:
        portal: That place, or an address.
        context: Speak TLS with whoever connects.
        host: Where to listen.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(
        self,
        portal: Portal | tuple[str, int],
        *,
        context: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        if not isinstance(portal, tuple):
            parts = urlsplit(portal.url)
            portal = (str(parts.hostname), int(parts.port or 80))
        self.place = portal
        self.context = context
        self.asked: list[Any] = []
        """What it was asked for, in order."""
        self._open: list[socket.socket] = []
        super().__init__((host, 0), self.handler)

    class handler(socketserver.BaseRequestHandler):  # noqa: N801 - a subclass puts a method or a class here
        """Passes bytes on both ways."""

        server: Relay

        def handle(self) -> None:
            """Pass them on."""
            with contextlib.suppress(OSError), socket.create_connection(self.server.place) as there:
                pipe(self.request, there)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def get_request(self) -> tuple[socket.socket, Any]:
        """Take the next connection; its handshake is its own thread's."""
        connection, address = super().get_request()
        if self.context:
            connection = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._open.append(connection)
        return connection, address

    def handle_error(self, _request: Any, _address: Any) -> None:
        """Say nothing: a client that does not trust us hangs up, and is meant to."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        for connection in self._open:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            connection.close()
        self.server_close()


class HttpProxy(Relay):
    """A proxy for plain requests, which it forwards, and for CONNECT.

    Args:
        portal, context, host: As `Relay`.
        authorization: The `Proxy-Authorization` without which it answers 407.
    """

    def __init__(
        self, portal: Portal | tuple[str, int], *, authorization: str | None = None, **more: Any
    ) -> None:
        self.authorization = authorization
        super().__init__(portal, **more)

    class handler(BaseHTTPRequestHandler):  # noqa: N801
        """One connection."""

        server: HttpProxy

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _admitted(self) -> bool:
            wanted = self.server.authorization
            self.server.asked.append((f"{self.command} {self.path}", dict(self.headers)))
            if wanted is not None and self.headers.get("Proxy-Authorization") != wanted:
                self.send_error(407)
                return False
            return True

        def do_CONNECT(self) -> None:
            """Make a tunnel."""
            if self._admitted():
                with socket.create_connection(self.server.place) as there:
                    self.send_response(200, "Connection established")
                    self.end_headers()
                    pipe(self.connection, there)

        def do_POST(self) -> None:
            """Forward a plain request."""
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if not self._admitted():
                return
            there = http.client.HTTPConnection(*self.server.place)
            with contextlib.closing(there):
                headers = {name: text for name, text in self.headers.items() if not name.startswith("Proxy-")}
                there.request("POST", urlsplit(self.path).path, body, headers)
                answer = there.getresponse()
                whole = answer.read()
                self.send_response(answer.status)
                for name, text in answer.getheaders():
                    if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                        self.send_header(name, text)
                self.send_header("Content-Length", str(len(whole)))
                self.end_headers()
                self.wfile.write(whole)


class SocksProxy(Relay):
    """A SOCKS 5 proxy; it notes the kind of address, the host, and the user and password, in `asked`.

    Args:
        portal, context, host: As `Relay`.
        password: It admits only those who show a user and this password.
    """

    def __init__(self, portal: Portal | tuple[str, int], *, password: str | None = None, **more: Any) -> None:
        self.password = password
        super().__init__(portal, **more)

    class handler(socketserver.StreamRequestHandler):  # noqa: N801
        """One connection."""

        server: SocksProxy

        def handle(self) -> None:
            """Shake hands, and pass bytes on."""
            _, methods = self.rfile.read(2)
            self.rfile.read(methods)
            user = self._user()
            if user == "":
                return
            _, _, _, kind = self.rfile.read(4)
            raw = self.rfile.read(self.rfile.read(1)[0] if kind == 3 else 4)
            self.rfile.read(2)
            self.server.asked.append((kind, raw.decode() if kind == 3 else socket.inet_ntoa(raw), user))
            with socket.create_connection(self.server.place) as there:
                self.wfile.write(b"\x05\x00\x00\x01" + b"\x00" * 4 + struct.pack(">H", 1))
                pipe(self.connection, there)

        def _user(self) -> str | None:
            """Ask for user and password where they are wanted; give the user, empty where the password is wrong."""
            if self.server.password is None:
                self.wfile.write(b"\x05\x00")
                return None
            self.wfile.write(b"\x05\x02")
            self.rfile.read(1)
            user = self.rfile.read(self.rfile.read(1)[0]).decode()
            good = self.rfile.read(self.rfile.read(1)[0]).decode() == self.server.password
            self.wfile.write(b"\x01\x00" if good else b"\x01\x01")
            return user if good else ""


def pipe(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes on both ways, until both sides have ended."""
    back = threading.Thread(target=_pass_on, args=(other, one), daemon=True)
    back.start()
    _pass_on(one, other)
    back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(1 << 16):
            target.sendall(block)
    for end in (source, target):
        with contextlib.suppress(OSError):
            socket.socket.shutdown(end, socket.SHUT_RDWR)
