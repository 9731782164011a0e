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

from amoot_etl.extractors.places import MOST_BYTES, bytes_at, places_of, stands_at, with_gaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Bytes = npt.NDArray[np.uint8]
    Places = npt.NDArray[np.int64]

__all__ = ["Records", "find_records", "some_records"]

_ID: Final = b'{"ID":'
_ACTIVE: Final = b',"Active":'
_GROUP: Final = b',"ContactGroupID":'
_STAMP: Final = b'"UpdateDateTime":'
_TRUE: Final = b"true"
_FALSE: Final = b"false"
_LONGEST_NUMBER: Final = 20
_LONGEST_STAMP: Final = 40
_SHORTEST: Final = 160
"""Of a record: shorter ones lack fields."""


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
        return with_gaps(self.data, self.values, self.ends)


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
    edges = _edges(data)
    begun = _begun(data, edges[0]) if edges else None
    stamps = _stamps(data, edges[1]) if edges and begun else None
    if edges is None or begun is None or stamps is None:
        return None
    ids, active, values = begun
    return Records(data, *edges, values, ids, active, stamps)


def some_records(parts: Sequence[tuple[Records, npt.NDArray[np.bool_]]]) -> Bytes:
    """Give some records of some segments as a new segment.

    Args:
        parts: Records, and which of them are wanted; some are.

    Returns:
        The bytes of a JSON array.
    """
    runs: list[memoryview] = []
    for records, wanted in parts:
        edges = np.flatnonzero(np.diff(np.concatenate(([False], wanted, [False]))))
        firsts, lasts = records.starts[edges[::2]].tolist(), records.ends[edges[1::2] - 1].tolist()
        view = records.data.data
        runs += [view[first:last] for first, last in zip(firsts, lasts, strict=True)]
    pieces: list[bytes | memoryview] = [b","] * (2 * len(runs) + 1)
    pieces[0], pieces[-1] = b"[", b"]"
    pieces[1::2] = runs
    return np.frombuffer(b"".join(pieces), np.uint8)


def _edges(data: Bytes) -> tuple[Places, Places] | None:
    """Find where each object of an array begins, and one past where it ends; None where other braces stand between."""
    starts = places_of(data, b"{")
    if not len(starts) or len(data) > MOST_BYTES:
        return None
    ends = np.append(starts[1:], len(data)) - 1
    between = data[ends]
    if (
        data[0] != ord("[")
        or starts[0] != 1
        or (ends - starts).min() < _SHORTEST
        or not (between[:-1] == ord(",")).all()
        or between[-1] != ord("]")
        or not (data[ends - 1] == ord("}")).all()
    ):
        return None
    return starts, ends


def _ids(data: Bytes, starts: Places) -> tuple[npt.NDArray[np.int64], Places] | None:
    """Read the IDs with which objects begin, and find what follows; None where one begins otherwise."""
    if not stands_at(data, starts, _ID):
        return None
    digits = bytes_at(data, starts + len(_ID), _LONGEST_NUMBER)
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
    group = bytes_at(data, after + len(_GROUP), _LONGEST_NUMBER)
    length = (group != ord(",")).argmin(axis=1)
    named = (group == ord('"')).argmax(axis=1)
    if (
        not stands_at(data, place, _ACTIVE)
        or not stands_at(data, place[active] + len(_ACTIVE), _TRUE)
        or not stands_at(data, place[~active] + len(_ACTIVE), _FALSE)
        or not stands_at(data, after, _GROUP)
        or (named < length).any()
    ):
        return None
    return ids, active, after + len(_GROUP) + length


def _stamps(data: Bytes, ends: Places) -> pa.Array | None:
    """Read each record's last value; None where it is not a stamp in plain characters."""
    # From the last quote backwards to the one before it.
    tails = bytes_at(data, ends - 2 - _LONGEST_STAMP, _LONGEST_STAMP + 1)[:, ::-1]
    length = (tails[:, 1:] == ord('"')).argmax(axis=1)
    begins = ends - 2 - length
    if not stands_at(data, begins - 1 - len(_STAMP), _STAMP) or (tails == ord("\\")).any():
        return None
    texts = with_gaps(data, begins, ends - 2)
    try:
        return texts.take(pa.array(np.arange(0, len(texts), 2))).cast(pa.string())
    except pa.ArrowInvalid:
        # It is no UTF-8.
        return None
