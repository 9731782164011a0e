"""A segment of the list of changes read by where its parts stand says what any parser says, or is not read so."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amoot_etl.extractors.uniform_updates import read_uniform_updates

STAMPS = [
    "2026-01-02T03:04:05.67",
    "2026-01-02T03:04:05",
    "2026-01-02T03:04:05+03:30",
    "",
    "2026-01-02 03:04",
    "!~ x",
]
BYTES = [*(bytes([byte]) for byte in b'",:\\{}[]0159eTZ. \x1f\x80'), b"", b"null", b"true", b"-1"]
ENTRY = b'{"ID":71,"UpdateDateTime":"2026-01-02T03:04:05.67","Deleted":false}'


@st.composite
def segments(draw):
    """Give the bytes of a segment of entries as the portal documents them, with IDs of one length."""
    digits = draw(st.integers(1, 18))
    ids = st.integers(10 ** (digits - 1), 10**digits - 1)
    told = draw(st.lists(st.tuples(ids, st.sampled_from(STAMPS)), min_size=1, max_size=6))
    entries = [{"ID": number, "UpdateDateTime": stamp, "Deleted": False} for number, stamp in told]
    return json.dumps(entries, separators=(",", ":")).encode()


def read(body):
    """Read bytes; IDs with stamps, or None."""
    told = read_uniform_updates(np.frombuffer(body, np.uint8))
    if told is None:
        return None
    ids, stamps = told
    assert ids.dtype == np.int64
    stamps.validate(full=True)
    return list(zip(ids.tolist(), stamps.to_pylist(), strict=True))


def parsed(body):
    """Give the same from Python's parser."""
    return [(entry["ID"], entry["UpdateDateTime"]) for entry in json.loads(body)]


@given(segments())
def test_entries_as_documented_are_read(body):
    """Whatever the length of IDs and stamps: in order, none lost."""
    assert read(body) == parsed(body)


@given(segments(), st.data())
def test_nothing_is_misread(body, data):
    """However a segment is damaged: it is not read so, or says what a parser says."""
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(body)))
        body = body[:at] + data.draw(st.sampled_from(BYTES)) + body[at + data.draw(st.integers(0, 3)) :]
    told = read(body)
    if told is not None:
        assert told == parsed(body)


@pytest.mark.parametrize("byte", [*BYTES, b"x", b"7"])
def test_no_byte_is_overlooked(byte):
    """Each byte of a segment in turn is another one, gone, or followed by one."""
    body = b"[" + b",".join([ENTRY, ENTRY, ENTRY]) + b"]"
    for at in range(len(body)):
        for after in (at, at + 1):
            changed = body[:at] + byte + body[after:]
            told = read(changed)
            if told is not None:
                assert told == parsed(changed)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"[" + ENTRY.replace(b"71", b"") + b"]",
        b"[" + ENTRY.replace(b"71", b"071") + b"]",
        b"[" + ENTRY.replace(b"71", b"1234567890123456789") + b"]",
        b"[" + ENTRY.replace(b"false", b"true") + b"]",
        b"[" + ENTRY.replace(b".67", b"\\u0036") + b"]",
        b"[" + ENTRY.replace(b".67", "۶".encode()) + b"]",
        b"[" + ENTRY.replace(b'"2026-01-02T03:04:05.67"', b"null") + b"]",
        b"[" + ENTRY + b"," + ENTRY.replace(b"71", b"711") + b"]",
        b"[" + ENTRY + b",{}]",
        ENTRY,
        b"",
    ],
)
def test_what_is_written_otherwise_is_left_to_others(body):
    """Entries of another shape, IDs of several lengths, an entry that is deleted: somebody else reads those."""
    assert read(body) is None
