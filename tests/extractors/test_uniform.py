"""A segment read by where its fields stand says what it says record by record, or is not read so."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amoot_etl.demo import AddressBook
from amoot_etl.errors import AmootError
from amoot_etl.extractors import careful, uniform
from amoot_etl.extractors.contacts import contact_reader
from amoot_etl.extractors.uniform import read_uniform
from amoot_etl.ids import usable_ids
from amoot_etl.schema import CONTACT_FIELDS
from amoot_etl.utf8 import sayable

EXAMPLES = int(os.environ.get("AMOOT_TEST_BODIES", "50"))
"""Segments for each property; `AMOOT_TEST_BODIES=20000` looks longer."""

KNOWN = CONTACT_FIELDS
NAMES = ["ID", "Active", "Mobile", "FName", "AddressText", "AnniversaryDatePer"]
FOOLING = [
    ":",
    '":',
    '","FName":"',
    '\\":',
    "\\",
    '\\\\"',
    "},{",
    "null",
    "\ud800",
    "\U0001f600",
    "ي ك\u200c",
    "\x00\n",
    "\x01",
]
texts = st.one_of(
    st.sampled_from(FOOLING), st.text(max_size=8), st.lists(st.sampled_from(FOOLING), max_size=3).map("".join)
)
values = st.one_of(st.none(), st.booleans(), st.integers(0, 10**18 - 1), texts)
BYTES = [
    *(bytes([byte]) for byte in b'",:\\{}[]0159entu \x1f\x80'),
    b"",
    b"null",
    b"-1",
    b"1.5",
    b'"x"',
    "ی".encode(),
]


@st.composite
def segments(draw):
    """Give the bytes of a segment whose records are written alike, and the records."""
    names = draw(st.permutations(NAMES))[: draw(st.integers(1, len(NAMES)))]
    names = [*(names if "ID" in names else ["ID", *names]), "UpdateDateTime"]
    records = [
        {name: draw(values) for name in names}
        | {
            "ID": draw(st.integers(1, 10**12)),
            "UpdateDateTime": draw(st.sampled_from(["2026-01-02T03:04:05.67", "x" * 30])),
        }
        for _ in range(draw(st.integers(1, 7)))
    ]
    ascii_only = draw(st.booleans())
    text = json.dumps(records, ensure_ascii=ascii_only, separators=(",", ":"))
    return text.encode("utf-8", "replace"), json.loads(text.encode("utf-8", "replace"))


@pytest.fixture
def _in_small_steps(monkeypatch):
    monkeypatch.setattr(uniform, "_STEP", 50)
    monkeypatch.setattr(uniform, "_VALUES", 12)


def read(data):
    """Read a segment by where its fields stand."""
    return read_uniform(np.frombuffer(data, np.uint8), KNOWN)


def carefully(data):
    """Read the same one record at a time; None where that fails, or sets one aside."""
    try:
        raw = contact_reader().gather(list(careful.records([data[1:-1]], "ContactList")))
    except AmootError:
        return None
    return None if raw.unreadable else raw.table


def text_of(value):
    """Give, independently, the text of a plain value."""
    return sayable(value if isinstance(value, str) else json.dumps(value))


@pytest.mark.usefixtures("_in_small_steps")
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(segments())
def test_what_is_written_alike_is_read(made):
    """Strings may hold anything, escapes too; numbers and truth values are their text; what is not sent is null."""
    data, records = made
    table = read(data)
    assert table is not None
    assert table.column_names == list(KNOWN)
    table.validate(full=True)
    assert table.to_pylist() == [
        dict.fromkeys(KNOWN) | {name: text_of(value) for name, value in record.items() if value is not None}
        for record in records
    ]


@pytest.mark.usefixtures("_in_small_steps")
@settings(max_examples=10 * EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(segments(), st.data())
def test_nothing_is_misread(made, data):
    """However a segment is damaged: it is not read so, or says what it says record by record."""
    body, _ = made
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(body)))
        body = body[:at] + data.draw(st.sampled_from(BYTES)) + body[at + data.draw(st.integers(0, 3)) :]
    table = read(body)
    if table is not None and usable_ids(table.column("ID")) is not None:
        expected = carefully(body)
        assert expected is not None
        assert table.equals(expected.select(table.column_names))


ENTRY = b'{"ID":7,"UpdateDateTime":"2026-01-02T03:04:05.67","Deleted":false}'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'{"ID":', b'{"Id":'),
        (b'{"ID":', b'{"ID": '),
        (b'{"ID":', b'{"ID":7,"ID":'),
        (b'"ID":7', b'"ID":07'),
        (b'"ID":7', b'"ID":-7'),
        (b'"ID":7', b'"ID":7.0'),
        (b'"ID":7', b'"ID":'),
        (b'"ID":7', b'"ID":[7]'),
        (b'"ID":7', b'"ID":7\\u0031'),
        (b'"ID":7', b'"ID":1234567890123456789'),
        (b'"UpdateDateTime":', b'"UpdateDatetime":'),
        (b',"UpdateDateTime":', b', "UpdateDateTime":'),
        (b'"2026', b'"\t2026'),
        (b'"2026', b'"\xff2026'),
        (b'"2026', b'"\\x2026'),
        (b'"2026', b'"2"026'),
        (b'"2026', b"2026"),
        (b'"2026', b'null,"Note":"2026'),
        (b'2026-01-02T03:04:05.67"', b'2026-01-02T03:04:05.67\\"'),
        (b'"Deleted":false', b'"Deleted":falsy'),
        (b'"Deleted":false', b'"Deleted":falsette'),
        (b'"Deleted":false', b'"Deleted":truest'),
        (b'"Deleted":false', b'"Deleted":True'),
        (b'"Deleted":false', b'"Deleted":nulll'),
        (b'"Deleted":false', b'"Deleted":false,"Tags":{}'),
        (b'"Deleted":false', b'"Deleted":{"ID":8}'),
        (b"false}", b"false} "),
        (b"false}", b"false"),
        (ENTRY, b"null"),
        (ENTRY, b"{}"),
        (ENTRY, b'{"ID":7,"Deleted":false,"UpdateDateTime":"2026-01-02T03:04:05.67"}'),
    ],
)
def test_one_odd_record_leaves_all_to_others(old, new):
    """Wherever it stands."""
    assert old in ENTRY
    odd = ENTRY.replace(old, new)
    assert read(b"[%b,%b]" % (ENTRY, ENTRY)).num_rows == 2
    for records in ([odd, ENTRY], [ENTRY, odd], [ENTRY, odd, ENTRY]):
        assert read(b"[" + b",".join(records) + b"]") is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[",
        b"[]",
        b"[{}]",
        ENTRY,
        b"[" + ENTRY,
        b"(" + ENTRY + b"]",
        b" [" + ENTRY + b"]",
        b"[" + ENTRY[:-1] + b"]]",
        b"[" + ENTRY + b"," + ENTRY + b";" + ENTRY + b"]",
        b"[" + ENTRY.replace(b'"Deleted"', b'"Tags"') + b"]",
        b"[" + ENTRY.replace(b'"Deleted":', b'"ID":8,"Deleted":') + b"]",
    ],
)
def test_what_holds_other_things_is_left_to_others(data):
    """No array of records, or fields that are not documented or come twice."""
    assert read(data) is None


@pytest.mark.parametrize(
    "fewer", [ENTRY.replace(b'.67"', b".67"), ENTRY.replace(b'"2026-01-02T03:04:05.67"', b'"')]
)
def test_a_quote_too_many_does_not_make_up_for_one_too_few(fewer):
    """They are counted all together."""
    more = ENTRY.replace(b"2026-", b'2026"')
    assert fewer.count(b'"') + more.count(b'"') == 2 * ENTRY.count(b'"')
    assert read(b"[%b,%b]" % (fewer, more)) is None


def test_the_portal_s_own_records_are_read():
    """Else each segment would be parsed, at twice the price."""
    own = AddressBook.invent(contacts=40, seed=7)
    for records in (own.listing(0), own.update_rows()):
        assert read(b"[" + b",".join(records) + b"]") is not None
