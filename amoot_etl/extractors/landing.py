"""Land a big body on disk as it comes, cut into segments that can be parsed side by side.

The portal never pages: a listing is one JSON body of any size. While it streams in, it is cut between records
into segments of about 16 MiB, each a JSON array in a file of its own. A cut is made only where a record's end, a
comma and the next record's first key meet (`},{"ID":`); that cannot stand inside a JSON string, whose quotes
are escaped. It can stand inside a nested value: such a segment does not parse, and `body` then reads the listing
as one stream. Where no cut is found the rest lands in one file, read as a stream too, so that memory stays
bounded whatever comes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from amoot_etl.client import judge, shown, unexpected
from amoot_etl.extractors import careful
from amoot_etl.extractors.groups import ALL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from io import BufferedWriter

    from amoot_etl.client import Client

__all__ = ["SEGMENT_BYTES", "UPDATES", "Landing", "Segment", "land_updates", "open_private"]

UPDATES: Final = "ContactListUpdates"
"""The portal's method that lists when each contact was last changed."""
SEGMENT_BYTES: Final = 16 << 20
_UPDATES_SEGMENT_BYTES: Final = 4 << 20
"""Of a list that somebody waits for: two read it side by side, and a third turns what they read into numbers."""
_HEAD_LIMIT: Final = 1 << 20
_SHORT_HEAD: Final = 1 << 12
"""Of a body: the array nearly always begins in it, and all that is looked at is decoded."""
_TAIL: Final = 1 << 16
_LARGE: Final = 1 << 16
"""Of a block that is kept as it came."""
_BINARY: Final[int] = getattr(os, "O_BINARY", 0)
_BOM: Final = b"\xef\xbb\xbf"
_KEY: Final = re.compile(rb'\s*"((?:[^"\\]|\\.)*)"\s*:\s*')
_FIRST_KEY: Final = re.compile(rb'\s*\{\s*"([^"\\]+)"\s*:')
_DECODER: Final = json.JSONDecoder(strict=False)


@dataclass(frozen=True, slots=True)
class Segment:
    """A landed part of a listing: a file that holds a JSON array.

    Args:
        path: The file.
        size: Its bytes.
        cut: Whether it was cut between records; if not, only a stream may read it.
        last: Whether it is the listing's last.
    """

    path: Path
    size: int
    cut: bool
    last: bool


class Landing:
    """The receiver of one listing's body.

    Args:
        method: The portal's method, for messages.
        folder: Where the segments go; it must exist.
        on_block: Called with each block; what it raises ends the transfer.
        before_segment: Called before a segment goes to disk; it may take its time.
        on_segment: Told of each segment as soon as it is on disk and the status is known to be `Success`.
        segment_bytes: Size at which a segment is cut.
    """

    def __init__(  # noqa: PLR0913 - what comes, and who is told
        self,
        method: str,
        folder: Path,
        *,
        on_block: Callable[[], None] | None = None,
        before_segment: Callable[[], None] | None = None,
        on_segment: Callable[[Segment], None] | None = None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self._method = method
        self._folder = folder
        self._on_block = on_block
        self._before_segment = before_segment
        self._on_segment = on_segment
        self._target = segment_bytes
        self._before: list[bytes | bytearray] = []
        self._before_size = 0
        self._buffer = bytearray()
        self._segments: list[Segment] = []
        self._in_array = False
        self._judged = False
        self._key = b""
        self._cut: re.Pattern[bytes] | None = None
        self._searched = 0
        self._uncut: BufferedWriter | None = None
        self.received = 0
        """Bytes so far."""

    def write(self, block: bytes) -> None:
        """Take the next bytes of the body."""
        if self._on_block:
            self._on_block()
        self.received += len(block)
        if self._in_array and not (self._uncut or self._buffer) and self._size() + len(block) < self._target:
            self._put_by(block)
            return
        self._buffer += block
        if not self._in_array and not self._enter():
            return
        if self._uncut:
            self._spill()
        else:
            while self._size() >= self._target and self._cut_off():
                pass
            if not self._uncut and self._size() < self._target:
                rest, self._buffer = self._buffer, bytearray()
                self._put_by(rest)

    def finish(self) -> list[Segment]:
        """Check that the body was whole and successful, and give its segments.

        Raises:
            UnexpectedAnswer: It was cut, or not what the portal documents.
            CredentialsError, NotFound, PortalUnavailable: Its status says so.
        """
        if not self._in_array:
            self._refuse()
        self._lay_together(2 * _TAIL)
        end, status = self._end()
        if not self._judged:
            judge(self._method, status)
        # Cut in place: a body of megabytes is not copied once more.
        del self._buffer[end:]
        if self._uncut:
            self._uncut.write(self._buffer + b"]")
            size = self._uncut.tell()
            self._uncut.close()
            self._announce(Segment(self._path(), size, cut=False, last=True))
        elif not self._is_blank() or self._segments:
            self._check_last_record()
            self._land([*self._take_before(), self._buffer], last=True)
        # All is on disk; whoever keeps this object for its count must not keep the body.
        self._buffer.clear()
        return self._segments

    def abandon(self) -> None:
        """Remove what has landed."""
        if self._uncut:
            self._uncut.close()
        for path in [*(segment.path for segment in self._segments), self._path()]:
            # Whoever cannot remove a file that is mapped leaves it to the end of the run.
            with contextlib.suppress(OSError):
                path.unlink()
        self._before.clear()
        self._buffer.clear()

    def _size(self) -> int:
        return self._before_size + len(self._buffer)

    def _put_by(self, block: bytes | bytearray) -> None:
        """Put by what comes before any place to cut at, large blocks as they are: they are not copied."""
        self._before_size += len(block)
        if len(block) >= _LARGE:
            self._before.append(block)
        elif self._before and isinstance(self._before[-1], bytearray):
            self._before[-1] += block
        else:
            self._before.append(bytearray(block))

    def _take_before(self) -> list[bytes | bytearray]:
        """Take what was put by."""
        before, self._before, self._before_size = self._before, [], 0
        return before

    def _lay_together(self, least: int | None = None) -> None:
        """Lay what was put by before the rest: all of it, or as much of its end as gives so many bytes."""
        parts: list[bytes | bytearray] = [self._buffer]
        size = len(self._buffer)
        while self._before and (least is None or size < least):
            parts.append(self._before.pop())
            size += len(parts[-1])
            self._before_size -= len(parts[-1])
        self._buffer = bytearray().join(reversed(parts))

    def _enter(self) -> bool:
        """Read the head up to the `[` of `Data`; say whether the array has begun."""
        start = self._array_start()
        if start is None:
            if len(self._buffer) > _HEAD_LIMIT:
                raise unexpected(self._method, "a body that does not begin as documented")
            return False
        del self._buffer[:start]
        self._in_array = True
        return True

    def _array_start(self) -> int | None:
        """Find where `Data`'s array begins, and judge a status that stands before it."""
        start = self._start_in(bytes(self._buffer[:_SHORT_HEAD]))
        if start is None and len(self._buffer) > _SHORT_HEAD:
            start = self._start_in(bytes(self._buffer[: _HEAD_LIMIT + 1]))
        return start

    def _start_in(self, head: bytes) -> int | None:
        position = len(_BOM) if head.startswith(_BOM) else 0
        position += len(head) - position - len(head[position:].lstrip())
        if head[position : position + 1] != b"{":
            return None
        while match := _KEY.match(head, position + 1):
            position = match.end()
            if match[1] == b"Data" and head[position : position + 1] == b"[":
                return position + 1
            text = head[position:].decode("utf-8", "ignore")
            try:
                value, length = _DECODER.raw_decode(text)
            except (ValueError, RecursionError):
                return None
            if match[1] == b"Status":
                judge(self._method, value)
                self._judged = True
            after = text[length:].lstrip()
            if not after.startswith(","):
                return None
            position += len(text[: len(text) - len(after)].encode())
        return None

    def _refuse(self) -> None:
        """Raise what a body without an array says: a failure's status, or another shape."""
        answer = shown(self._method, bytes(self._buffer))
        judge(self._method, answer.get("Status") if isinstance(answer, dict) else answer)
        raise unexpected(self._method, "Success without a list in Data")

    def _cut_off(self) -> bool:
        """Land the records before the first safe place after the target size; say whether there was one."""
        self._learn_key()
        if self._cut is None:
            # The comma alone is left out: white space may be a nested value's, which is kept as it was sent.
            self._cut = re.compile(rb'\}\s*(,)\s*\{\s*"' + self._key + rb'"\s*:')
        found = self._cut.search(self._buffer, max(self._target - self._before_size, self._searched, 1) - 1)
        if found:
            # Let go of by name: a buffer cannot shrink while anything, a debugger's frame too, holds a view of it.
            with memoryview(self._buffer) as view, view[: found.start(1)] as records:
                self._land([*self._take_before(), records], last=False)
            del self._buffer[: found.end(1)]
            self._searched = 0
            return True
        if self._size() > 2 * self._target:
            self._uncut = open_private(self._path())
            self._uncut.write(b"[")
            self._lay_together()
            self._spill()
        else:
            self._searched = max(0, len(self._buffer) - 256)
        return False

    def _learn_key(self) -> None:
        """Learn from the first record which key a record begins with."""
        if not self._key:
            beginning = bytearray()
            for part in (*self._before, self._buffer):
                beginning += part[: _TAIL - len(beginning)]
            first = _FIRST_KEY.match(beginning)
            self._key = re.escape(first[1]) if first else b"ID"

    def _spill(self) -> None:
        """Write on without cutting, holding back what may be the body's tail."""
        if self._uncut and len(self._buffer) > 2 * _TAIL:
            with memoryview(self._buffer) as view, view[:-_TAIL] as most:
                self._uncut.write(most)
            del self._buffer[:-_TAIL]

    def _end(self) -> tuple[int, Any]:
        """Find where the records end and the envelope's tail begins; give the place and the tail's status."""
        size = position = len(self._buffer)
        found = None
        for _ in range(64):
            position = self._buffer.rfind(b"]", max(0, size - _TAIL), position)
            if position < 0:
                break
            try:
                tail = json.loads(b'{"Data":[' + self._buffer[position:], strict=False)
            except (ValueError, RecursionError):
                continue
            # Behind `Data` may stand other arrays: the first that leaves a whole envelope is the one.
            found = position, tail.get("Status")
        if found is not None:
            return found
        raise unexpected(self._method, "a body that was cut", status="cut")

    def _is_blank(self) -> bool:
        return all(not part or part.isspace() for part in (*self._before, self._buffer))

    def _check_last_record(self) -> None:
        """See that the body does not end inside a record that happens to end like a listing."""
        self._learn_key()
        begins = re.compile(rb'\{\s*"' + self._key + rb'"\s*:')
        # Nearly always the last record begins near the end; a long one is found by looking at all.
        tail = max(0, len(self._buffer) - _TAIL)
        start = max((match.start() for match in begins.finditer(self._buffer, tail)), default=None)
        if start is None:
            self._lay_together()
            start = 0
        if self._is_blank() or careful.depth(self._buffer[start:].decode("utf-8", "replace")) > 0:
            raise unexpected(self._method, "a body that was cut", status="cut")

    def _land(self, parts: Sequence[bytes | bytearray | memoryview], *, last: bool) -> None:
        if self._before_segment:
            self._before_segment()
        path = self._path()
        with open_private(path) as file:
            file.writelines([b"[", *parts, b"]"])
            size = file.tell()
        self._announce(Segment(path, size, cut=True, last=last))

    def _announce(self, segment: Segment) -> None:
        self._segments.append(segment)
        if self._on_segment and self._judged:
            self._on_segment(segment)

    def _path(self) -> Path:
        return self._folder / f"{len(self._segments):05d}.json"


def land_updates(client: Client, folder: Path) -> list[Segment]:
    """Bring the list of when each contact was last changed to disk.

    Args:
        client: A connection to the portal.
        folder: Where a folder for its segments is made.

    Raises:
        CredentialsError, PortalUnavailable, UnexpectedAnswer: As the client's.
    """

    def landing() -> Landing:
        place = Path(tempfile.mkdtemp(prefix="updates-", dir=folder))
        return Landing(UPDATES, place, segment_bytes=_UPDATES_SEGMENT_BYTES)

    return client.download(UPDATES, landing, ContactGroupID=ALL)


def open_private(path: Path) -> BufferedWriter:
    """Open a new file that nobody else may read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o600), "wb")
