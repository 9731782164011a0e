"""Records told apart by their bytes: what is found is what parsing gives, and whatever looks odd is left to parsing."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amoot_etl.demo import AddressBook
from amoot_etl.extractors.sift import find_records, some_records

USUAL = AddressBook.invent(contacts=40, seed=7, dirty=False).listing(0)
ODD_TEXTS = [
    "{",
    "}",
    '},{"ID":7,"Active":true',
    '"',
    "\\",
    '\\"',
    "\u2028",
    "\U0001f600",
    "",
    "x" * 300,
    "]",
    "علی,",
]
ODD_VALUES = st.one_of(
    st.sampled_from(ODD_TEXTS),
    st.none(),
    st.booleans(),
    st.integers(-3, 10**20),
    st.just([{"ID": 3}]),
    st.just({"ID": 4}),
)
FIELDS = list(json.loads(USUAL[0]))


@st.composite
def records(draw):
    """Give a record as the portal writes it, or with something odd about it."""
    record = json.loads(draw(st.sampled_from(USUAL)))
    record["ID"] = draw(st.one_of(st.integers(1, 10**18 - 1), st.sampled_from([7, 123456])))
    record["Active"] = draw(st.booleans())
    record["ContactGroupID"] = draw(st.sampled_from([0, 2001, None, -1]))
    record["UpdateDateTime"] = draw(
        st.sampled_from(["2026-01-02T03:04:05.67", "1405/01/02", "دیروز", "2026-01-02T03:04:05+03:30"])
    )
    names = FIELDS
    odd = draw(
        st.sampled_from(
            ["nothing"] * 12 + ["a value", "an ID", "the order", "a field less", "another field", "a stamp"]
        )
    )
    if odd == "a value":
        record[draw(st.sampled_from(FIELDS))] = draw(ODD_VALUES)
    elif odd == "an ID":
        record["ID"] = draw(st.sampled_from([0, -5, 10**18, 10**19, 2**63, "7", None, 7.0, True]))
    elif odd == "the order":
        names = draw(st.permutations(FIELDS))
    elif odd == "a field less":
        names = [name for name in FIELDS if name != draw(st.sampled_from(FIELDS))]
    elif odd == "another field":
        record["Tags"] = draw(ODD_VALUES)
        names = [*FIELDS[:-1], "Tags", FIELDS[-1]]
    elif odd == "a stamp":
        record["UpdateDateTime"] = draw(st.one_of(st.none(), st.sampled_from(["", "x" * 60, '"', "a\\b"])))
    return written(draw, {name: record[name] for name in names})


def written(draw, record):
    """Give a record's JSON, now and then with spaces in it."""
    spaces = draw(st.sampled_from([(",", ":")] * 9 + [(", ", ": ")]))
    return json.dumps(record, ensure_ascii=False, separators=spaces).encode()


def bytes_of(parts):
    """Give a segment of records."""
    return np.frombuffer(b"[" + b",".join(parts) + b"]", np.uint8)


@given(st.lists(records(), max_size=5))
@settings(max_examples=300)
def test_what_is_found_is_what_is_there(parts):
    """IDs, activity and stamps are those that Python's own JSON reads; or nothing is said."""
    found = find_records(bytes_of(parts))
    if found is None:
        return
    there = [json.loads(part) for part in parts]
    assert found.ids.tolist() == [record["ID"] for record in there]
    assert found.active.tolist() == [record["Active"] for record in there]
    assert found.stamps.to_pylist() == [record["UpdateDateTime"] for record in there]
    assert [
        found.data[start:end].tobytes() for start, end in zip(found.starts, found.ends, strict=True)
    ] == parts
    behind = [re.split(rb'"ContactGroupID":[^,]*', part, maxsplit=1)[1] for part in parts]
    assert found.contents().to_pylist()[::2] == behind


def test_the_portal_s_own_records_are_found():
    """Else nothing would ever be spared."""
    found = find_records(bytes_of(USUAL))
    assert found is not None
    assert found.ids.tolist() == [json.loads(record)["ID"] for record in USUAL]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'{"ID":', b'{"Id":'),
        (b'"Active":', b'"active":'),
        (b'"Active":true', b'"Active":"ok"'),
        (b'"Active":true', b'"Active":test'),
        (b'"Active":true', b'"Active":wrong'),
        (b'"ContactGroupID":', b'"ContactGroup":'),
        (b'"ContactGroupID":2001', b'"ContactGroupID":"2001"'),
        (b'"UpdateDateTime":"', b'"UpdateDateTime":null,"Note":"'),
        (b'"UpdateDateTime":"', b'"UpdateDateTime":"\\u0032'),
        (b'"UpdateDateTime":"', b'"UpdateDateTime":"' + b"x" * 60),
        (b'"FName":', b'"Inner":{"ID":5},"FName":'),
        (b'"FName":', b'"Inner":[{"ID":5},{"ID":6}],"FName":'),
        (b'"FName":"', b'"FName":"{'),
        (b'"}', b'\\""}'),
        (b'"}', b'"x}'),
        (b"}", b"} "),
    ],
)
def test_one_odd_record_leaves_all_to_parsing(old, new):
    """Whatever stands where something else was to be."""
    record = USUAL[0]
    assert old in record
    odd = new.join(record.rsplit(old, 1))
    assert find_records(bytes_of([record, record])) is not None
    for parts in ([odd, record], [record, odd], [record, odd, record]):
        assert find_records(bytes_of(parts)) is None


@pytest.mark.parametrize("number", [b"0", b"-5", b"1.0", b"9999999999999999999", b"07", b"1e3", b'"7"', b""])
def test_an_id_that_is_no_plain_number_leaves_all_to_parsing(number):
    """Nought, too, which is nobody's."""
    odd = re.sub(rb'"ID":\d+', b'"ID":' + number, USUAL[0])
    assert find_records(bytes_of([USUAL[1], odd])) is None


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"[{}]",
        b"[ ]",
        b'["{"]',
        b"[7]",
        USUAL[0],
        b"[" + USUAL[0],
        b"[" + USUAL[0] + b",",
        b" [" + USUAL[0] + b"]",
        b" " + USUAL[0] + b"]",
        b"[" + USUAL[0] + b";" + USUAL[1] + b"]",
        b"[" + USUAL[0][:-1] + b"x]",
    ],
)
def test_what_holds_no_records_is_left_to_parsing(data):
    """Also what is too short to look into, or no array."""
    assert find_records(np.frombuffer(data, np.uint8)) is None


@given(
    st.lists(st.lists(st.booleans(), min_size=1, max_size=40), min_size=1, max_size=3).filter(
        lambda all_: any(map(any, all_))
    )
)
@settings(max_examples=60)
def test_some_records_of_some_segments_are_a_segment(masks):
    """Those that are wanted, in order, byte for byte."""
    found = [find_records(bytes_of(USUAL[: len(mask)])) for mask in masks]
    body = some_records([(records, np.array(mask)) for records, mask in zip(found, masks, strict=True)])
    wanted = [record for mask in masks for record, keep in zip(USUAL, mask, strict=False) if keep]
    assert body.tobytes() == b"[" + b",".join(wanted) + b"]"
