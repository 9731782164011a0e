"""Tell by the bytes of a segment whose records it holds, so that only those that are wanted need be parsed.

Where a contact stands in several listings, or only some contacts of a listing are wanted, most of the parsing is for
records that nobody keeps. A record as the portal writes it begins with the contact's ID, whether it is active and its
`ContactGroupID`, and ends with its stamp: these are read in place. A segment in which any record looks otherwise is
not sifted but parsed as a whole. Braces make that safe: where each one that opens begins a record and follows the end
of another, no record holds an object, and no text a brace that opens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa

from amoot_etl.extractors.places import places_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    import numpy.typing as npt

    Bytes = npt.NDArray[np.uint8]
    Places = npt.NDArray[np.int64]

__all__ = ["Records", "find_entries", "find_records", "write_records"]

_ID: Final = b'{"ID":'
_ACTIVE: Final = b',"Active":'
_GROUP: Final = b',"ContactGroupID":'
_STAMP: Final = b'"UpdateDateTime":'
_BEFORE_STAMP: Final = b"," + _STAMP + b'"'
_DELETED: Final = b'","Deleted":'
_TRUE: Final = b"true"
_FALSE: Final = b"false"
_LONGEST_NUMBER: Final = 20
_LONGEST_STAMP: Final = 40
_SHORTEST: Final = 160
"""Of a record: shorter ones lack fields."""
_SHORTEST_ENTRY: Final = 50
"""Of an entry of the list of changes."""
_ENTRY_QUOTES: Final = 8
_RUNS: Final = 1000
"""Runs of wanted records that are written at a time: a megabyte or two."""


class Records(NamedTuple):
    """The records of a segment, as far as its bytes tell."""

    data: Bytes
    """The segment."""
    starts: Places
    """Where each record begins: its `{`."""
    ends: Places
    """One past its `}`."""
    values: Places
    """Where what follows its `ContactGroupID` begins; that one says nothing of a contact."""
    ids: npt.NDArray[np.int64]
    active: npt.NDArray[np.bool_]
    stamps: pa.Array
    """The text of each one's stamp."""

    def contents(self) -> pa.Array:
        """Give each one's bytes behind its `ContactGroupID`, sharing the segment's memory.

        Returns:
            Twice as many binary values as records: every second one is what stands between two contents.
        """
        return _with_gaps(self.data, self.values, self.ends)


def find_records(data: Bytes) -> Records | None:
    """Find the records of a segment; None unless every one is as the portal writes it.

    Args:
        data: A JSON array of contacts.

    >>> record = (b'{"ID":%d,"Active":true,"ContactGroupID":0,"Mobile":9121234567,"FName":"' + b"x" * 99
    ...           + b'","UpdateDateTime":"2026-01-02T03:04:05"}')
    >>> records = find_records(np.frombuffer(b"[" + record % 7 + b"," + record % 1234 + b"]", np.uint8))
    >>> records.ids.tolist(), records.active.tolist(), records.stamps[0].as_py()
    ([7, 1234], [True, True], '2026-01-02T03:04:05')
    """
    edges = _edges(data, _SHORTEST)
    begun = _begun(data, edges[0]) if edges else None
    stamps = _stamps(data, edges[1]) if edges and begun else None
    if edges is None or begun is None or stamps is None:
        return None
    ids, active, values = begun
    return Records(data, *edges, values, ids, active, stamps)


def find_entries(data: Bytes) -> tuple[npt.NDArray[np.int64], pa.Array] | None:
    """Read the entries of a segment of `ContactListUpdates`; None unless every byte is as the portal writes it.

    Args:
        data: A JSON array of entries.

    Returns:
        The ID of each, and the text of its stamp.

    >>> entry = b'{"ID":%d,"UpdateDateTime":"2026-01-02T03:04:05.6","Deleted":false}'
    >>> ids, stamps = find_entries(np.frombuffer(b"[" + entry % 7 + b"," + entry % 1234 + b"]", np.uint8))
    >>> ids.tolist(), stamps[1].as_py()
    ([7, 1234], '2026-01-02T03:04:05.6')
    """
    edges = _edges(data, _SHORTEST_ENTRY)
    numbers = _ids(data, edges[0]) if edges else None
    if edges is None or numbers is None:
        return None
    ids, after = numbers
    ends = edges[1]
    begins = after + len(_BEFORE_STAMP)
    deleted = data[ends - 3] == _TRUE[-2]
    tail = ends - 1 - np.where(deleted, len(_TRUE), len(_FALSE))
    closes = tail - len(_DELETED)
    if (
        (closes < begins).any()
        or not _stands(data, after, _BEFORE_STAMP)
        or not _stands(data, closes, _DELETED)
        or not _stands(data, tail[deleted], _TRUE)
        or not _stands(data, tail[~deleted], _FALSE)
        # Three keys and a stamp: no stamp holds a quote, nor anything that stands for another letter.
        or np.count_nonzero(data == ord('"')) != _ENTRY_QUOTES * len(ids)
        or (data == ord("\\")).any()
        or (data < ord(" ")).any()
    ):
        return None
    stamps = _texts(data, begins, closes)
    return None if stamps is None else (ids, stamps)


def write_records(file: BinaryIO, parts: Sequence[tuple[Records, npt.NDArray[np.bool_]]]) -> None:
    """Write some records of some segments as a new segment.

    Args:
        file: Where it goes.
        parts: Records, and which of them are wanted; some are.
    """
    before = b"["
    for records, wanted in parts:
        edges = np.flatnonzero(np.diff(np.concatenate(([False], wanted, [False]))))
        firsts, lasts = records.starts[edges[::2]].tolist(), records.ends[edges[1::2] - 1].tolist()
        view = records.data.data
        for at in range(0, len(firsts), _RUNS):
            part = slice(at, at + _RUNS)
            runs = [view[first:last] for first, last in zip(firsts[part], lasts[part], strict=True)]
            file.write(before + b",".join(runs))
            before = b","
    file.write(b"]")


def _edges(data: Bytes, shortest: int) -> tuple[Places, Places] | None:
    """Find where each object of an array begins, and one past where it ends; None where other braces stand between."""
    starts = places_of(data, b"{")
    if not len(starts):
        return None
    ends = np.append(starts[1:], len(data)) - 1
    between = data[ends]
    if (
        data[0] != ord("[")
        or starts[0] != 1
        or (ends - starts).min() < shortest
        or not (between[:-1] == ord(",")).all()
        or between[-1] != ord("]")
        or not (data[ends - 1] == ord("}")).all()
    ):
        return None
    return starts, ends


def _ids(data: Bytes, starts: Places) -> tuple[npt.NDArray[np.int64], Places] | None:
    """Read the IDs with which objects begin, and find what follows; None where one begins otherwise."""
    if not _stands(data, starts, _ID):
        return None
    digits = _bytes(data, starts + len(_ID), _LONGEST_NUMBER)
    length = (digits != ord(",")).argmin(axis=1)
    longest = int(length.max())
    ids = np.zeros(len(starts), np.int64)
    for place in range(longest):
        here, digit = place < length, digits[:, place] - ord("0")
        if (here & (digit > 9)).any():
            return None
        ids = np.where(here, ids * 10 + digit, ids)
    # Of 19 digits some would not fit; no ID has so many.
    if longest > 18 or ids.min() < 1 or (digits[:, 0] == ord("0")).any():
        return None
    return ids, starts + len(_ID) + length


def _begun(data: Bytes, starts: Places) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], Places] | None:
    """Read the ID and whether the contact is active, and find what follows; None where a record begins otherwise."""
    numbers = _ids(data, starts)
    if numbers is None:
        return None
    ids, place = numbers
    active = data[place + len(_ACTIVE)] == _TRUE[0]
    after = place + len(_ACTIVE) + np.where(active, len(_TRUE), len(_FALSE))
    group = _bytes(data, after + len(_GROUP), _LONGEST_NUMBER)
    length = (group != ord(",")).argmin(axis=1)
    named = (group == ord('"')).argmax(axis=1)
    if (
        not _stands(data, place, _ACTIVE)
        or not _stands(data, place[active] + len(_ACTIVE), _TRUE)
        or not _stands(data, place[~active] + len(_ACTIVE), _FALSE)
        or not _stands(data, after, _GROUP)
        or (named < length).any()
    ):
        return None
    return ids, active, after + len(_GROUP) + length


def _stamps(data: Bytes, ends: Places) -> pa.Array | None:
    """Read each record's last value; None where it is not a stamp in plain characters."""
    # From the last quote backwards to the one before it.
    tails = _bytes(data, ends - 2 - _LONGEST_STAMP, _LONGEST_STAMP + 1)[:, ::-1]
    length = (tails[:, 1:] == ord('"')).argmax(axis=1)
    begins = ends - 2 - length
    if not _stands(data, begins - 1 - len(_STAMP), _STAMP) or (tails == ord("\\")).any():
        return None
    return _texts(data, begins, ends - 2)


def _texts(data: Bytes, starts: Places, ends: Places) -> pa.Array | None:
    """Give parts of the data as `string`; None where one is no UTF-8."""
    try:
        return _with_gaps(data, starts, ends).take(pa.array(np.arange(0, 2 * len(ends), 2))).cast(pa.string())
    except pa.ArrowInvalid:
        return None


def _with_gaps(data: Bytes, starts: Places, ends: Places) -> pa.Array:
    """Give parts of the data, which rise and do not meet, as binary values, each followed by the gap behind it."""
    offsets = np.empty(2 * len(starts) + 1, np.int64)
    offsets[:-1:2], offsets[1::2] = starts, ends
    offsets[-1] = ends[-1]
    return pa.Array.from_buffers(
        pa.large_binary(), 2 * len(starts), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )


def _bytes(data: Bytes, places: Places, count: int) -> Bytes:
    """Give so many bytes from each place on, a row each."""
    # Taken as items that overlap, each moves in one go: byte by byte it takes ten times as long.
    items = np.ndarray((len(data) - count + 1,), f"V{count}", data, strides=(1,))
    return items[places].view(np.uint8).reshape(-1, count)


def _stands(data: Bytes, places: Places, text: bytes) -> bool:
    """Say whether a text stands at every place."""
    return bool((_bytes(data, places, len(text)) == np.frombuffer(text, np.uint8)).all())
