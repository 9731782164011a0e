"""Everything that can go wrong between a portal and its client, one named maker each.

A fault takes the answer that a healthy portal would give and makes a worse one. It is plain data and knows no
socket, so the same fault can be planned for any method and any call:

```python
portal.plan(Fault.http(503), "ContactList", calls=[1])         # the first listing meets a proxy's error
portal.plan(Fault.status("Token_Expired"), calls=range(4, 99))  # the token runs out after three calls
portal.plan(Fault.meanwhile(lambda: book.drop_group(2003)), "ContactList", times=1)  # the world moves in mid-run
```
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from amoot_etl.demo.answers import Answer, refusal
from amoot_etl.demo.records import json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["SHAPES", "STATUSES", "Fault", "Style"]

Style: TypeAlias = Literal["text", "number", "plain", "quoted"]
"""How a status is told: as text or as a number in JSON, or alone as plain or quoted text."""

STATUSES: Final = {
    "Success": 1,
    "ServerError": 500,
    "Failed": 0,
    "System_Disabled": -300,
    "Token_NotExists": -201,
    "Token_Invalid": -202,
    "Token_Disabled": -203,
    "Token_Expired": -204,
    "Token_NotAllowIP": -207,
    "Token_NotAllowMethod": -208,
    "User_NotExists": -1,
    "UserName_Empty": 10,
    "Password_Empty": 11,
    "UserNameOrPassword_Invalid": 100,
    "User_MobileNotVerified": -102,
    "User_Disabled": -103,
    "User_Expired": -104,
    "User_WebServiceBanned": -105,
    "User_NotAllowWebService": -106,
    "User_NotAllowIP": -107,
    "User_NotAllowMethod": -108,
    "User_NotAllowHttp": -109,
    "AccountIsDemo": 2,
    "ContactID_Invalid": 113,
    "ContactGroupID_Invalid": 114,
}
"""The portal's statuses and their numbers, from the vendor's table."""

SHAPES: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "object": lambda body: {**body, "Data": {"Items": body["Data"]}},
    "text": lambda body: {**body, "Data": "Success"},
    "number": lambda body: {**body, "Data": 1},
    "null": lambda body: {**body, "Data": None},
    "missing": lambda body: {"Status": body["Status"]},
    "list": lambda body: body["Data"],
    "no-status": lambda body: {"Data": body["Data"]},
    "scalars": lambda body: {**body, "Data": [1, "two", None]},
    "empty-object": lambda _: {},
    "true": lambda _: True,
}
"""JSON of another shape than the documents say: what each makes of a whole answer."""

_BLOCK: Final = 1 << 20


def _same(answer: Answer) -> Answer:
    return answer


def _body(told: str, body: bytes, kind: str = "application/json; charset=utf-8") -> Answer:
    return Answer(told, (body,), len(body), headers={"Content-Type": kind})


def _rewritten(name: str, write: Callable[[Any], bytes]) -> Fault:
    """A fault that says the answer's JSON in another way, or says other JSON."""

    def change(answer: Answer) -> Answer:
        return _body(answer.told, write(json.loads(answer.read())))

    return Fault(name, change)


def _spliced(name: str, field: str, value: Callable[[], Iterable[bytes]]) -> Fault:
    """A fault that gives the last record one field more, whose JSON is streamed, for it may be very large."""

    def change(answer: Answer) -> Answer:
        body = answer.read()
        if body.endswith(b"[]}"):
            body = body.replace(b"[]}", b'[{"ID":999999999}]}')
        end = b"}]}" if body.endswith(b"}]}") else b"}}"
        head = body.removesuffix(end) + b"," + json_text(field) + b":"
        return Answer(answer.told, chain([head], value(), [end]), framing="chunked")

    return Fault(name, change)


def _records(body: Any) -> list[dict[str, Any]]:
    """Give the records of a whole answer: its list, or its one."""
    data = body["Data"]
    return data if isinstance(data, list) else [data]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong; the class methods make every kind of it.

    Args:
        name: Its word, as the command line spells it.
        change: Makes the worse answer out of the healthy one.
        act: Done before the answer is made, such as an edit of the book in mid-run.

    >>> Fault.http(503).change(Answer("Success")).told
    'HTTP 503'
    >>> Fault.status("Token_Expired", "number").change(Answer("Success")).read()
    b'{"Status":-204,"Data":[]}'
    """

    name: str
    change: Callable[[Answer], Answer] = _same
    act: Callable[[], object] | None = None

    # What the portal says.

    @classmethod
    def status(cls, status: str | int, style: Style = "text", data: Any = ()) -> Fault:
        """Say a status; a number in `style="number"` comes from the vendor's table.

        Args:
            status: A known status, an unknown one, or any number.
            style: How it is told.
            data: What stands in `Data`, where the style has one; `None` leaves it out.

        Raises:
            ValueError: A number is wanted of a status that has none.
        """
        told: str | int = status
        if style == "number" and isinstance(status, str):
            if status not in STATUSES:
                raise ValueError(f"{status} has no number")
            told = STATUSES[status]
        if style == "plain":
            body, kind = str(status).encode(), "text/plain; charset=utf-8"
        elif style == "quoted":
            body, kind = json_text(str(status)), "application/json; charset=utf-8"
        else:
            whole = {"Status": told} if data is None else {"Status": told, "Data": data}
            body, kind = json_text(whole), "application/json; charset=utf-8"
        name = "status" if style == "text" else f"status-{style}"
        return cls(name, lambda _: _body(str(status), body, kind))

    @classmethod
    def http(
        cls,
        code: int,
        *,
        retry_after: float | datetime | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Fault:
        """Say an HTTP error with a page for people.

        Args:
            code: The HTTP code.
            retry_after: Seconds, a moment (which becomes an HTTP date; it must know its zone), or any text.
            headers: Others, such as `X-RateLimit-Remaining`.
        """
        more = dict(headers or {})
        if isinstance(retry_after, datetime):
            more["Retry-After"] = format_datetime(retry_after.astimezone(UTC), usegmt=True)
        elif retry_after is not None:
            more["Retry-After"] = f"{retry_after:g}" if isinstance(retry_after, (int, float)) else retry_after
        return cls(f"http-{code}", lambda _: refusal(code, more))

    @classmethod
    def rate_limit(cls, seconds: float, *, limit: int = 60) -> Fault:
        """Say 429 with `X-RateLimit-*` and no `Retry-After`."""
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": f"{seconds:g}",
        }
        return cls.http(429, headers=headers)

    @classmethod
    def header(cls, **headers: str) -> Fault:
        """Give the healthy answer with these headers more; `_` in a name stands for `-`."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls("header", lambda answer: replace(answer, headers={**answer.headers, **more}))

    @classmethod
    def redirect(cls, to: str = "http://elsewhere.invalid/rest/", code: int = 302) -> Fault:
        """Point to another host."""
        return cls("redirect", lambda _: refusal(code, {"Location": to}))

    @classmethod
    def html(cls) -> Fault:
        """Say 200 with a page for people, as a portal in maintenance does."""
        page = "<!DOCTYPE html><html dir=rtl><title>به‌روزرسانی</title><h1>سامانه در حال به‌روزرسانی است</h1></html>"
        return cls("html", lambda _: _body("html", page.encode(), "text/html; charset=utf-8"))

    @classmethod
    def empty(cls) -> Fault:
        """Say 200 and nothing."""
        return cls("empty", lambda _: _body("empty", b""))

    @classmethod
    def raw(
        cls, body: bytes | Callable[[], Iterable[bytes]], kind: str = "application/json; charset=utf-8"
    ) -> Fault:
        """Say exactly these bytes; a function gives their blocks anew for each call."""

        def change(_: Answer) -> Answer:
            if callable(body):
                return Answer("raw", body(), headers={"Content-Type": kind}, framing="chunked")
            return _body("raw", body, kind)

        return cls("raw", change)

    # What the wire does.

    @classmethod
    def reset(cls, where: Literal["before", "in", "after"]) -> Fault:
        """Break the connection before, in the middle of, or after the body."""
        name = f"reset-{where}"
        return cls(name, lambda answer: replace(answer, told=name, reset=where))

    @classmethod
    def cut(cls, share: float = 0.5, framing: Literal["length", "chunked", "close"] = "length") -> Fault:
        """Close quietly after a share of the body, its end being told by length, chunks, or by closing alone."""
        return cls(
            "cut" if framing == "length" else f"cut-{framing}",
            lambda answer: replace(answer, told="cut", cut=share, framing=framing),
        )

    @classmethod
    def wrong_length(cls, by: int) -> Fault:
        """Declare a `Content-Length` that is so many bytes too large (or, below 0, too small)."""

        def change(answer: Answer) -> Answer:
            body = answer.read()
            return replace(
                answer,
                told="wrong-length",
                blocks=(body,),
                length=len(body),
                path=None,
                declared=max(len(body) + by, 0),
            )

        return cls("longer" if by > 0 else "shorter", change)

    @classmethod
    def gzip_cut(cls, share: float = 0.5) -> Fault:
        """Send a compressed body of which the end is missing, the length and the HTTP being right."""

        def change(answer: Answer) -> Answer:
            press = zlib.compressobj(6, zlib.DEFLATED, 31)
            packed = press.compress(answer.read()) + press.flush()
            part = packed[: max(int(len(packed) * share), 1)]
            headers = {**answer.headers, "Content-Encoding": "gzip"}
            return Answer("gzip-cut", (part,), len(part), headers=headers)

        return cls("gzip-cut", change)

    @classmethod
    def late(cls, seconds: float) -> Fault:
        """Think for so long before the first byte."""
        return cls("late", lambda answer: replace(answer, wait=seconds))

    @classmethod
    def slow(cls, seconds: float) -> Fault:
        """Take so long over the body, in ten parts."""
        return cls("slow", lambda answer: replace(answer, slow=seconds, plain=True))

    @classmethod
    def hang(cls, where: Literal["before", "in"] = "before") -> Fault:
        """Say nothing more, until the client gives up or the portal stops."""
        name = "hang" if where == "before" else "hang-in"
        return cls(name, lambda answer: replace(answer, told=name, hang=where))

    # What the JSON holds.

    @classmethod
    def shape(cls, shape: str) -> Fault:
        """Say JSON of another shape: one of `SHAPES`.

        Raises:
            KeyError: There is no such shape.
        """
        made = SHAPES[shape]
        return _rewritten(f"shape-{shape}", lambda body: json_text(made(body)))

    @classmethod
    def repeat(cls, records: int = 1) -> Fault:
        """Say the first records of a list again at its end."""
        return _rewritten(
            "repeat",
            lambda body: json_text({**body, "Data": [*_records(body), *_records(body)[:records]]}),
        )

    @classmethod
    def no_id(cls, value: Any = None, *, missing: bool = False) -> Fault:
        """Add one record of a list that no ID can be read from: `value` in its place, or no `ID` at all."""

        def odd(body: Any) -> bytes:
            record = {**(_records(body) or [{}])[0], "ID": value}
            if missing:
                del record["ID"]
            return json_text({**body, "Data": [*_records(body), record]})

        return _rewritten("no-id", odd)

    @classmethod
    def odd_record(cls, record: Any) -> Fault:
        """Add one member to a list, which need not be a record at all."""
        return _rewritten("odd-record", lambda body: json_text({**body, "Data": [*_records(body), record]}))

    @classmethod
    def fields(cls, **more: Any) -> Fault:
        """Give each record these fields more."""

        def change(body: Any) -> bytes:
            data = [{**record, **more} for record in _records(body)]
            return json_text({**body, "Data": data if isinstance(body["Data"], list) else data[0]})

        return _rewritten("unknown-fields", change)

    @classmethod
    def deep(cls, depth: int = 100_000) -> Fault:
        """Give the last record a field `Notes` that holds lists nested so deep."""
        return _spliced("deep", "Notes", lambda: (b"[" * depth, b"]" * depth))

    @classmethod
    def huge(cls, size: int = 100_000_000, field: str = "Notes") -> Fault:
        """Give the last record a field that holds a text of so many bytes."""

        def blocks() -> Iterator[bytes]:
            yield b'"'
            for start in range(0, size, _BLOCK):
                yield b"x" * min(_BLOCK, size - start)
            yield b'"'

        return _spliced("huge", field, blocks)

    # How the JSON is written.

    @classmethod
    def bom(cls) -> Fault:
        """Begin the body with a byte order mark."""

        def change(answer: Answer) -> Answer:
            body = b"\xef\xbb\xbf" + answer.read()
            return replace(answer, blocks=(body,), length=len(body), path=None)

        return cls("bom", change)

    @classmethod
    def key_order(cls) -> Fault:
        """Write every record's keys backwards, and `Data` before `Status`."""

        def turned(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: turned(value[key]) for key in reversed(value)}
            return [turned(item) for item in value] if isinstance(value, list) else value

        return _rewritten("key-order", lambda body: json_text(turned(body)))

    @classmethod
    def pretty(cls) -> Fault:
        """Write the JSON for people: line breaks, indents, spaces after colons."""
        return _rewritten("pretty", lambda body: json.dumps(body, ensure_ascii=False, indent=4).encode())

    @classmethod
    def escaped(cls) -> Fault:
        r"""Write everything beyond ASCII as `\uXXXX`, as some .NET serialisers do."""
        return _rewritten("escaped", lambda body: json.dumps(body).encode())

    # What the world does.

    @classmethod
    def meanwhile(cls, do: Callable[[], object]) -> Fault:
        """Do something just before the answer is made; the answer itself is healthy."""
        return cls("meanwhile", _same, do)
