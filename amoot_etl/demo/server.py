"""The embedded portal: a real HTTP server on loopback that answers as the Amoot portal does.

It speaks HTTP/1.1 with keep-alive, compresses when asked to, streams listings of any size in bounded memory, and
keeps a list of what it was asked. It sends whatever its plan of faults makes of an answer, the broken ones too.
"""

from __future__ import annotations

import email.policy
import threading
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from urllib.parse import parse_qsl

from amoot_etl.demo.answers import METHODS, Answer, answer, no, refusal
from amoot_etl.demo.book import AddressBook
from amoot_etl.demo.plan import Plan, Planned
from amoot_etl.demo.wire import Broken, Client, send

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

    from amoot_etl.demo.faults import Fault

__all__ = ["DEMO_TOKEN", "Call", "Portal"]

DEMO_TOKEN: Final = "demo-token"  # noqa: S105 - it opens nothing but an invented address book
"""The token of a portal that is given no other."""

_FORM_LIMIT: Final = 1 << 20


class Call(NamedTuple):
    """One thing that the portal was asked, without the token."""

    method: str
    """The method, or the whole path when it is none of ours."""
    fields: dict[str, str]
    """The form."""
    status: str
    """What was answered: `Success`, a code, `HTTP 503`, or a fault's word."""
    connection: int
    """Which connection it came by, from 1."""
    headers: dict[str, str]
    """The request's headers, in lower case, without `authorization`."""


class Portal:
    """An Amoot portal on this machine, for as long as the `with` block lasts.

    Args:
        book: Its address book; an invented one of 5,000 contacts unless given.
        token: The token that opens it, for every method in `methods`; `allow` adds others.
        methods: The methods that the token may call.
        host: Where it listens.
        port: The port, 0 for any that is free.
        gzip: Whether it compresses for clients that accept it.
        chunked: Whether bodies come in chunks, without a `Content-Length`.
        bodies: Prepared bodies, sent as they are instead of the book's: by group ID for `ContactList`, or by the
            name of another method; each a file or a function that gives its blocks.

    >>> import json
    >>> from urllib.request import Request, urlopen
    >>> with Portal(AddressBook.invent(contacts=10)) as portal:
    ...     ask = Request(f"{portal.url}/ContactGroupList", b"", {"Authorization": DEMO_TOKEN})
    ...     with urlopen(ask) as reply:
    ...         body = json.load(reply)
    >>> body["Status"], len(body["Data"]), [call.method for call in portal.calls]
    ('Success', 12, ['ContactGroupList'])
    """

    def __init__(  # noqa: PLR0913 - what a test may want to turn
        self,
        book: AddressBook | None = None,
        *,
        token: str = DEMO_TOKEN,
        methods: Collection[str] = METHODS,
        host: str = "127.0.0.1",
        port: int = 0,
        gzip: bool = True,
        chunked: bool = False,
        bodies: Mapping[int | str, Path | Callable[[], Iterable[bytes]]] | None = None,
    ) -> None:
        self.book = AddressBook.invent() if book is None else book
        self.gzip = gzip
        self.chunked = chunked
        self.bodies = dict(bodies or {})
        self.calls: list[Call] = []
        """What was asked, in the order in which it was answered."""
        self.most_at_once = 0
        """The most requests that were ever being answered at one time."""
        self._tokens: dict[str, frozenset[str] | str] = {}
        self.allow(token, methods)
        self._plan = Plan()
        self._lock = threading.Lock()
        self._busy = 0
        self._address = (host, port)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def start(self) -> None:
        """Listen, and answer in threads of its own.

        Raises:
            OSError: The port is taken.
        """
        self._server = _Server(self._address, self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="portal", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close every connection, also those that hang, and wait for every thread."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.finish()
            self._address = self._server.server_address[:2]  # type: ignore[assignment] # typeshed allows bytes
            self._server = self._thread = None

    @property
    def url(self) -> str:
        """The base URL, to which a method's name is joined."""
        host, port = self._address if self._server is None else self._server.server_address[:2]
        return f"http://{host!s}:{port}/rest"

    def allow(self, token: str, methods: Collection[str] = METHODS) -> None:
        """Let a token call these methods, and no others.

        Raises:
            ValueError: There is no such method.
        """
        if unknown := set(methods) - set(METHODS):
            raise ValueError(f"no such method: {', '.join(sorted(unknown))}")
        self._tokens[token] = frozenset(methods)

    def revoke(self, token: str, status: str = "Token_Invalid") -> None:
        """Refuse a token from now on, with this status."""
        self._tokens[token] = status

    def plan(  # noqa: PLR0913 - a call is chosen by any of these
        self,
        fault: Fault,
        method: str | None = None,
        *,
        calls: Collection[int] | None = None,
        times: int | None = None,
        group: int | None = None,
        contact: int | None = None,
    ) -> Planned:
        """Plan a fault for calls to come; without `calls` and `times`, for ever.

        Args:
            fault: What goes wrong.
            method: For this method only.
            calls: For these of the calls that match, counted from 1.
            times: For so many of them, from the first.
            group: For this `ContactGroupID` only.
            contact: For this `ContactID` only.

        Returns:
            The plan, which counts how many calls matched (`seen`) and how many it changed (`done`).

        Raises:
            ValueError: `calls` and `times` are both given, or there is no such method.
        """
        return self._plan.add(Planned(fault, method, calls=calls, times=times, group=group, contact=contact))

    def obey(self, planned: Planned) -> Planned:
        """Take a planned fault, such as `parse_fault` gives."""
        return self._plan.add(planned)

    def heal(self) -> None:
        """Forget every planned fault."""
        self._plan.clear()

    def wait(self) -> None:
        """Serve until the portal is stopped, or the program is interrupted."""
        thread = self._thread  # stop() forgets it
        if thread is not None:
            while thread.is_alive():
                thread.join(0.5)  # a join without a limit would hold back Ctrl-C on Windows

    def _answer(self, method: str, fields: dict[str, str], token: str | None) -> Answer:
        """Decide on the answer to one request, faults included."""
        faults = self._plan.faults(method, fields)
        for fault in faults:
            if fault.act is not None:
                fault.act()
        told = self._plainly(method, fields, token)
        for fault in faults:
            told = fault.change(told)
        return told

    def _plainly(self, method: str, fields: dict[str, str], token: str | None) -> Answer:
        """Decide on the answer as a healthy portal would."""
        if not method:
            return refusal(404)
        if not token:
            return no(method, "Token_NotExists")
        allowed = self._tokens.get(token, "Token_Invalid")
        if isinstance(allowed, str):
            return no(method, allowed)
        if method not in allowed:
            return no(method, "Token_NotAllowMethod")
        if body := self._prepared(method, fields):
            return body
        return answer(self.book, method, fields)

    def _prepared(self, method: str, fields: Mapping[str, str]) -> Answer | None:
        key: int | str = method
        if method == "ContactList":
            group = fields.get("ContactGroupID", "")
            key = int(group) if group.lstrip("-").isdecimal() else ""
        source = self.bodies.get(key)
        if source is None:
            return None
        if callable(source):
            return Answer("Success", source(), framing="chunked")
        return Answer("Success", length=source.stat().st_size, path=source)

    def _begin(self) -> None:
        with self._lock:
            self._busy += 1
            self.most_at_once = max(self.most_at_once, self._busy)

    def _end(self) -> None:
        with self._lock:
            self._busy -= 1


class _Server(ThreadingHTTPServer):
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

    server: _Server
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
        portal._begin()  # noqa: SLF001 - the handler is the portal's own hand
        try:
            token = self.headers.get("Authorization")
            self._send(portal._answer(method, fields, token), method, fields)  # noqa: SLF001
        finally:
            portal._end()  # noqa: SLF001

    def do_GET(self) -> None:
        """Refuse: every method is a POST."""
        self._send(refusal(405, {"Allow": "POST"}), "", {})

    def _send(self, told: Answer, method: str, fields: dict[str, str]) -> None:
        portal, server = self.server.portal, self.server
        headers = {
            name.lower(): value for name, value in self.headers.items() if name.lower() != "authorization"
        }
        portal.calls.append(Call(method or self.path, fields, told.told, server.connection_number(), headers))
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
