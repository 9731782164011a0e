"""What the portal answers, as plain data: a code, headers, blocks of a body, and how it is to be sent.

Nothing here touches a socket. `answer` asks the book; a fault takes the answer and gives a worse one; the server
sends whatever comes out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal

from amoot_etl.demo.records import json_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from amoot_etl.demo.book import AddressBook

__all__ = ["METHODS", "Answer", "answer", "no", "phrase", "refusal"]

METHODS: Final = ("ContactGroupList", "ContactList", "ContactGet", "ContactListUpdates")
"""The methods that the portal knows."""

_BLOCK_ROWS: Final = 1400  # about a megabyte of contacts
_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and how it is sent.

    Args:
        told: What a log would say of it: the status, `HTTP 503`, or the fault's word.
        blocks: The body, in blocks of at most a megabyte or so; read once.
        length: The body's bytes, where they are known.
        code: The HTTP code.
        headers: Headers but those of framing.
        path: A file that is the body, instead of `blocks`.
        framing: How the end of the body is told: `Content-Length`, chunks, or by closing.
        declared: A `Content-Length` that need not be true.
        cut: Close after this share of the body.
        reset: Break the connection before, in the middle of, or after the body.
        hang: Send nothing more, before or in the middle of the body, until the portal stops.
        wait: Seconds before the first byte.
        slow: Seconds that the body takes, in ten parts.
        plain: Do not compress it, whatever the client accepts.
    """

    told: str
    blocks: Iterable[bytes] = ()
    length: int | None = None
    code: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: dict(_JSON))
    path: Path | None = None
    framing: Literal["length", "chunked", "close"] = "length"
    declared: int | None = None
    cut: float | None = None
    reset: Literal["before", "in", "after"] | None = None
    hang: Literal["before", "in"] | None = None
    wait: float = 0.0
    slow: float = 0.0
    plain: bool = False

    def read(self) -> bytes:
        """Give the whole body; for small answers, since a listing may be as large as the book."""
        return self.path.read_bytes() if self.path else b"".join(self.blocks)


def answer(book: AddressBook, method: str, fields: Mapping[str, str]) -> Answer:
    """Give what the portal says to one call, the token and the method being allowed.

    Args:
        book: The address book.
        method: One of `METHODS`.
        fields: The form's fields.

    >>> from amoot_etl.demo import AddressBook
    >>> answer(AddressBook(), "ContactList", {"ContactGroupID": "0"}).read()
    b'{"Status":"Success","Data":[]}'
    >>> answer(AddressBook(), "ContactGet", {"ContactID": "7"}).told
    'ContactID_Invalid'
    """
    if method == "ContactGroupList":
        return _array(book.group_rows())
    if method == "ContactGet":
        contact_id = _number(fields.get("ContactID"))
        record = None if contact_id is None else book.record(contact_id)
        if record is None:
            return no(method, "ContactID_Invalid" if contact_id is None else book.missing)
        body = b'{"Status":"Success","Data":%b}' % record
        return Answer("Success", (body,), len(body))
    group_id = _number(fields.get("ContactGroupID"))
    if method == "ContactListUpdates":
        if book.updates == "off":
            return no(method, "Token_NotAllowMethod")
        # The group is checked and otherwise ignored, as the vendor says.
        return (
            no(method, "ContactGroupID_Invalid")
            if group_id is None or group_id < 0
            else _array(book.update_rows())
        )
    rows = None if group_id is None else book.listing(group_id)
    return no(method, "ContactGroupID_Invalid") if rows is None else _array(rows)


def no(method: str, status: str) -> Answer:
    """Give the portal's way of saying no: HTTP 200, a status, and empty data of the method's shape."""
    body = json_text({"Status": status, "Data": {} if method == "ContactGet" else []})
    return Answer(status, (body,), len(body))


def phrase(code: int) -> str:
    """Give an HTTP code's words.

    >>> phrase(503), phrase(599)
    ('Service Unavailable', 'Unknown')
    """
    return HTTPStatus(code).phrase if code in HTTPStatus.__members__.values() else "Unknown"


def refusal(code: int, headers: Mapping[str, str] | None = None) -> Answer:
    """Give an HTTP error with a page for people, as a proxy in front of a portal sends it."""
    title = phrase(code)
    page = (
        f"<!DOCTYPE html><html><head><title>{code} {title}</title></head><body><h1>{title}</h1></body></html>"
    )
    body = page.encode()
    return Answer(
        f"HTTP {code}",
        (body,),
        len(body),
        code=code,
        headers={"Content-Type": "text/html; charset=utf-8", **(headers or {})},
    )


def _array(rows: Sequence[bytes]) -> Answer:
    """Give a success whose data are these rows, joined a megabyte at a time while they are sent."""
    head, tail = b'{"Status":"Success","Data":[', b"]}"

    def blocks() -> Iterator[bytes]:
        yield head
        for start in range(0, len(rows), _BLOCK_ROWS):
            part = rows[start : start + _BLOCK_ROWS]
            yield b",".join([b"", *part]) if start else b",".join(part)
        yield tail

    return Answer("Success", blocks(), len(head) + sum(map(len, rows)) + max(len(rows) - 1, 0) + len(tail))


def _number(text: Any) -> int | None:
    try:
        return int(text)
    except (TypeError, ValueError):
        return None
