"""How an answer leaves through a socket: framing, compression, and every way of breaking off."""

from __future__ import annotations

import select
import struct
import sys
import time
import zlib
from http import HTTPStatus
from itertools import chain
from socket import SO_LINGER, SOL_SOCKET
from typing import TYPE_CHECKING, Final

if sys.platform != "win32":
    import fcntl
    import termios

if TYPE_CHECKING:
    import socket
    import threading
    from collections.abc import Iterable, Iterator

    from amoot_etl.demo.answers import Answer

__all__ = ["Broken", "send"]

_GZIP_FROM: Final = 1024  # smaller bodies do not gain
_COALESCE: Final = 1 << 16
_SENDFILE_FROM: Final = 1 << 20
_SLOW_PARTS: Final = 10


class Broken(ConnectionError):  # noqa: N818 - it is meant
    """The connection was broken off on purpose."""


def send(
    connection: socket.socket,
    told: Answer,
    *,
    stopping: threading.Event,
    gzip: bool = False,
    chunked: bool = False,
    http10: bool = False,
) -> bool:
    """Send one answer.

    Args:
        connection: The client's socket.
        told: The answer.
        stopping: Set when the portal stops; no pause outlives it.
        gzip: The client accepts gzip and the portal gives it.
        chunked: Send chunks even where the length is known.
        http10: The client knows no chunks.

    Returns:
        Whether the connection can go on to the next request.

    Raises:
        Broken: The answer breaks off, and so does the connection.
    """
    _pause(connection, told.wait, stopping)
    if told.hang == "before":
        _hang(connection, stopping)
    if told.reset == "before":
        _reset(connection)
    headers = {"Date": _date(), **told.headers}
    blocks, length = told.blocks, told.length
    whole = told.cut is None and told.reset != "in" and told.hang != "in"
    framing = told.framing
    large = length is None or length >= _GZIP_FROM
    if (
        gzip
        and large
        and whole
        and not told.plain
        and told.declared is None
        and "Content-Encoding" not in headers
    ):
        blocks, length = _compressed(_blocks(told)), None
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    elif told.path is not None and (chunked or told.slow or not whole):
        blocks = _blocks(told)
    if framing == "length" and (length is None or chunked) and told.declared is None:
        framing = "chunked"
    if http10 and framing == "chunked":
        framing = "close"
    if framing == "length":
        headers["Content-Length"] = str(length if told.declared is None else told.declared)
    elif framing == "chunked":
        headers["Transfer-Encoding"] = "chunked"
    else:
        headers["Connection"] = "close"
    phrase = HTTPStatus(told.code).phrase if told.code in HTTPStatus._value2member_map_ else "Unknown"
    lines = [f"HTTP/1.1 {told.code} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    if told.path is not None and blocks is told.blocks:
        connection.sendall(head)
        with told.path.open("rb") as body:
            connection.sendfile(body)
        return True
    if not whole:
        share = 0.5 if told.cut is None else told.cut
        blocks = _first(blocks, int((length if length is not None else 2000) * share))
    paces = _parts(blocks, length) if told.slow else blocks
    parts = chain([head], _chunks(paces, ends=whole) if framing == "chunked" else paces)
    if told.slow:
        for part in parts:
            connection.sendall(part)
            _pause(connection, told.slow / _SLOW_PARTS, stopping)
    else:
        for part in _coalesced(parts):
            connection.sendall(part)
    if told.hang == "in":
        _hang(connection, stopping)
    if told.reset:
        _reset(connection)
    if not whole:
        raise Broken
    return framing != "close" and told.declared is None


def _blocks(told: Answer) -> Iterable[bytes]:
    if told.path is None:
        return told.blocks
    return _file(told)


def _file(told: Answer) -> Iterator[bytes]:
    if told.path is not None:
        with told.path.open("rb") as body:
            while block := body.read(_SENDFILE_FROM):
                yield block


def _compressed(blocks: Iterable[bytes]) -> Iterator[bytes]:
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


def _parts(blocks: Iterable[bytes], length: int | None) -> Iterator[bytes]:
    """Cut a body into ten parts."""
    body = b"".join(blocks)
    size = max(-(-(length or len(body)) // _SLOW_PARTS), 1)
    for start in range(0, len(body), size):
        yield body[start : start + size]


def _pause(connection: socket.socket, seconds: float, stopping: threading.Event) -> None:
    if seconds > 0 and stopping.wait(seconds):
        raise Broken
    if connection.fileno() < 0:
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


def _date() -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
