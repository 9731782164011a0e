"""HTTP/1.1 on loopback: connections that stay open, forms, threads, and an end that leaves none of them.

What is answered is the portal's business; this module reads requests and hands answers to the wire.
"""

from __future__ import annotations

import email.policy
import threading
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from amoot_etl.demo.answers import METHODS, Answer, refusal
from amoot_etl.demo.wire import Broken, Client, send

if TYPE_CHECKING:
    import socket

    from amoot_etl.demo.portal import Portal

__all__ = ["Server"]

_FORM_LIMIT: Final = 1 << 20


class Server(ThreadingHTTPServer):
    """A threading server that knows its connections, so that it can end them all."""

    daemon_threads = True
    # A client that opens many connections at once must not meet a full queue.
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], portal: Portal) -> None:
        self.portal = portal
        self.stopping = threading.Event()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._opened = 0
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a new connection in a thread of its own."""
        with self._lock:
            self._opened += 1
            thread = threading.Thread(
                target=self._converse,
                args=(request, client_address),
                name=f"portal-{self._opened}",
                daemon=True,
            )
            self._open[request] = thread
        thread.start()

    def connection_number(self) -> int:
        """Give the number of the connection that this thread serves."""
        return int(threading.current_thread().name.rpartition("-")[2])

    def _converse(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except (Broken, OSError):
            pass  # broken off by a fault, by the client, or by stop(): nothing is left to say on this connection
        finally:
            self.shutdown_request(request)
            with self._lock:
                self._open.pop(request, None)

    def finish(self) -> None:
        """End every conversation and wait for its thread."""
        self.stopping.set()
        with self._lock:
            conversations = dict(self._open)
        for connection in conversations:
            try:
                connection.shutdown(2)
            except OSError:
                continue  # its own thread was faster
        for thread in conversations.values():
            thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One connection; one request after another."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "amoot-demo"
    sys_version = ""
    # Head and body leave in more than one write: without this each answer could wait 40 ms for an ACK.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer a call."""
        fields = self._form()
        if fields is None:
            self.close_connection = True
            self._send(refusal(413, {"Connection": "close"}), "", {})
            return
        name = self.path.partition("?")[0].removeprefix("/rest/").rstrip("/").casefold()
        method = next((known for known in METHODS if known.casefold() == name), "")
        portal = self.server.portal
        portal.begin()
        try:
            token = self.headers.get("Authorization")
            self._send(portal.answer(method, fields, token), method, fields)
        finally:
            portal.end()

    def do_GET(self) -> None:
        """Refuse: every method is a POST."""
        self._send(refusal(405, {"Allow": "POST"}), "", {})

    def _send(self, told: Answer, method: str, fields: dict[str, str]) -> None:
        portal, server = self.server.portal, self.server
        headers = {
            name.lower(): value for name, value in self.headers.items() if name.lower() != "authorization"
        }
        portal.note(method or self.path, fields, told.told, server.connection_number(), headers)
        client = Client(
            gzip=portal.gzip and "gzip" in self.headers.get("Accept-Encoding", ""),
            chunked=portal.chunked,
            http10=self.request_version == "HTTP/1.0",
        )
        stays = send(self.connection, told, client, server.stopping)
        self.close_connection = self.close_connection or not stays

    def _form(self) -> dict[str, str] | None:
        """Read the form, url-encoded or (as the vendor's own curl example sends it) multipart."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > _FORM_LIMIT or "Transfer-Encoding" in self.headers:
            return None
        body = self.rfile.read(int(length))
        kind = self.headers.get("Content-Type", "")
        if not kind.startswith("multipart/"):
            return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        head = f"Content-Type: {kind}\r\n\r\n".encode("latin-1", "replace")
        message = BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        return {
            str(part.get_param("name", "", "content-disposition")): part.get_content().strip()
            for part in message.iter_parts()
        }

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class named it
        """Say nothing: `Portal.calls` is the log."""
