"""How an answer leaves through a socket: framing, compression, and every way of breaking off."""

from __future__ import annotations

import select
import struct
import sys
import time
import zlib
from email.utils import formatdate
from itertools import chain
from socket import SO_LINGER, SOL_SOCKET
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from amoot_etl.demo.answers import phrase

if sys.platform != "win32":
    import fcntl
    import termios

if TYPE_CHECKING:
    import socket
    import threading
    from collections.abc import Iterable, Iterator, Mapping

    from amoot_etl.demo.answers import Answer

__all__ = ["Broken", "Client", "send"]

_GZIP_FROM: Final = 1024  # smaller bodies do not gain
_COALESCE: Final = 1 << 16
_SENDFILE_FROM: Final = 1 << 20
_SLOW_PARTS: Final = 10
_UNKNOWN: Final = 2000  # a body whose length is unknown is broken off somewhere in these bytes


class Broken(ConnectionError):  # noqa: N818 - it is meant
    """The connection was broken off on purpose."""


class Client(NamedTuple):
    """What one request says about the one who asks, and what the portal allows."""

    gzip: bool = False
    """It accepts gzip, and the portal gives it."""
    chunked: bool = False
    """Send chunks even where the length is known."""
    http10: bool = False
    """It knows no chunks."""


def send(connection: socket.socket, told: Answer, client: Client, stopping: threading.Event) -> bool:
    """Send one answer.

    Args:
        connection: The client's socket.
        told: The answer.
        client: How it may be sent.
        stopping: Set when the portal stops; no pause outlives it.

    Returns:
        Whether the connection can go on to the next request.

    Raises:
        Broken: The answer breaks off, and so does the connection.
    """
    _pause(told.wait, stopping)
    _break(connection, told, "before", stopping)
    whole = told.cut is None and told.reset != "in" and told.hang != "in"
    blocks, length, headers = (
        _compressed(told, client) if whole else (_blocks(told), told.length, told.headers)
    )
    framing = _framing(told, client, length)
    head = _head(told, headers, framing, length)
    if told.path is not None and framing == "length" and blocks is None:
        connection.sendall(head)
        with told.path.open("rb") as body:
            connection.sendfile(body)
        return told.declared is None
    blocks = _blocks(told) if blocks is None else blocks
    if not whole:
        share = 0.5 if told.cut is None else told.cut
        blocks = _first(blocks, int((_UNKNOWN if length is None else length) * share))
    if told.slow:
        blocks = _parts(blocks)
    parts = chain([head], _chunks(blocks, ends=whole) if framing == "chunked" else blocks)
    for part in parts if told.slow else _coalesced(parts):
        connection.sendall(part)
        _pause(told.slow / _SLOW_PARTS, stopping)
    _break(connection, told, "in", stopping)
    _break(connection, told, "after", stopping)
    return framing != "close" and told.declared is None


def _break(
    connection: socket.socket,
    told: Answer,
    where: Literal["before", "in", "after"],
    stopping: threading.Event,
) -> None:
    """Break off, if this is where the answer does."""
    if told.hang == where:
        _hang(connection, stopping)
    if told.reset == where:
        _reset(connection)
    if told.cut is not None and where == "in":
        raise Broken


def _compressed(told: Answer, client: Client) -> tuple[Iterable[bytes] | None, int | None, Mapping[str, str]]:
    """Give body, length and headers, compressed where both sides want it; no body for a file sent as it is."""
    small = told.length is not None and told.length < _GZIP_FROM
    odd = told.plain or told.declared is not None or "Content-Encoding" in told.headers
    if client.gzip and not small and not odd:
        return (
            _pressed(_blocks(told)),
            None,
            {**told.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"},
        )
    return (None if told.path is not None and not told.slow else _blocks(told)), told.length, told.headers


def _framing(told: Answer, client: Client, length: int | None) -> Literal["length", "chunked", "close"]:
    """Choose how the end of the body is told."""
    if told.declared is not None:
        return "length"
    framing = told.framing
    if framing == "length" and (length is None or client.chunked):
        framing = "chunked"
    return "close" if framing == "chunked" and client.http10 else framing


def _head(told: Answer, headers: Mapping[str, str], framing: str, length: int | None) -> bytes:
    """Give the status line and the headers."""
    ends = {
        "length": f"Content-Length: {length if told.declared is None else told.declared}",
        "chunked": "Transfer-Encoding: chunked",
        "close": "Connection: close",
    }[framing]
    lines = [f"HTTP/1.1 {told.code} {phrase(told.code)}", f"Date: {formatdate(usegmt=True)}", ends]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _blocks(told: Answer) -> Iterable[bytes]:
    if told.path is None:
        return told.blocks
    return _file(told)


def _file(told: Answer) -> Iterator[bytes]:
    if told.path is not None:
        with told.path.open("rb") as body:
            while block := body.read(_SENDFILE_FROM):
                yield block


def _pressed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Compress block by block, at the level that costs least."""
    press = zlib.compressobj(1, zlib.DEFLATED, 31)
    for block in blocks:
        if packed := press.compress(block):
            yield packed
    yield press.flush()


def _chunks(blocks: Iterable[bytes], *, ends: bool) -> Iterator[bytes]:
    for block in blocks:
        if block:  # an empty chunk would be the end
            yield b"%x\r\n" % len(block)
            yield block
            yield b"\r\n"
    if ends:
        yield b"0\r\n\r\n"


def _coalesced(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Join small parts, so that a small answer is one packet; hand large ones on without a copy."""
    small = bytearray()
    for part in parts:
        if len(small) + len(part) < _COALESCE:
            small += part
            continue
        if small:
            yield bytes(small)
            small = bytearray()
        yield part
    if small:
        yield bytes(small)


def _first(blocks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Give the first bytes of a body; at least one, so that the cut is inside."""
    size = max(size, 1)
    for block in blocks:
        yield block[:size]
        size -= len(block)
        if size <= 0:
            return


def _parts(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut a body into ten parts."""
    body = b"".join(blocks)
    size = max(-(-len(body) // _SLOW_PARTS), 1)
    for start in range(0, len(body), size):
        yield body[start : start + size]


def _pause(seconds: float, stopping: threading.Event) -> None:
    if seconds > 0 and stopping.wait(seconds):
        raise Broken


def _hang(connection: socket.socket, stopping: threading.Event) -> None:
    """Say nothing until the client gives up or the portal stops."""
    while not stopping.is_set():
        readable, _, _ = select.select([connection], [], [], 0.05)
        if readable and not connection.recv(1 << 16):
            break
    raise Broken


def _reset(connection: socket.socket) -> None:
    """Break off with a TCP reset, after what was sent has arrived: a reset throws away what has not."""
    limit = time.monotonic() + 1.0
    while _unsent(connection) and time.monotonic() < limit:
        select.select([], [], [], 0.001)
    connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    raise Broken


def _unsent(connection: socket.socket) -> int:
    """Give the bytes that the client's side has not acknowledged, where the system tells."""
    if sys.platform != "linux":
        return 0
    count: int = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
    return count
