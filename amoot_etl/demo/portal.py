"""The embedded portal: what it is asked, who may ask, and what it answers, faults included.

It answers as the Amoot portal does, over real HTTP on loopback, and keeps a list of what it was asked.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from amoot_etl.demo.answers import METHODS, Answer, answer, no, refusal
from amoot_etl.demo.book import AddressBook
from amoot_etl.demo.plan import Plan, Planned
from amoot_etl.demo.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

    from amoot_etl.demo.faults import Fault

__all__ = ["DEMO_TOKEN", "Call", "Portal"]

DEMO_TOKEN: Final = "demo-token"  # noqa: S105 - it opens nothing but an invented address book
"""The token of a portal that is given no other."""


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
        self._server: Server | None = None
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
        self._server = Server(self._address, self)
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

    def answer(self, method: str, fields: dict[str, str], token: str | None) -> Answer:
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

    def note(
        self, method: str, fields: dict[str, str], status: str, connection: int, headers: dict[str, str]
    ) -> None:
        """Add to the list of calls."""
        self.calls.append(Call(method, fields, status, connection, headers))

    def begin(self) -> None:
        """Count a request that begins to be answered."""
        with self._lock:
            self._busy += 1
            self.most_at_once = max(self.most_at_once, self._busy)

    def end(self) -> None:
        """Count a request that has been answered, or broken off."""
        with self._lock:
            self._busy -= 1
