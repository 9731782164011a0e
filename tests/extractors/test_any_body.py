"""Any body: whatever a portal sends, the landing and the readers keep what can be read, and fall over nothing.

Bodies are written in many ways (orders of keys, white space, escapes, spaces after colons, odd records, texts made
of the splitter's own bytes) and land in blocks and segments so small that cuts really happen. What comes out is
compared with an independent reading of the same bytes by Python's own JSON.
"""

from __future__ import annotations

import json
import os
import tempfile
import tracemalloc
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from amoot_etl.errors import AmootError
from amoot_etl.extractors.body import LITERALS
from amoot_etl.extractors.contacts import _OneContact, contact_reader
from amoot_etl.extractors.landing import Landing, Segment
from amoot_etl.schema import CONTACT_FIELDS

EXAMPLES = int(os.environ.get("AMOOT_TEST_BODIES", "20"))
"""Bodies for each property; `AMOOT_TEST_BODIES=5000` looks longer."""

FOOLING = [
    '},{"ID":',
    '"}, {"ID":7',
    '\\"},{\\"ID\\":',
    "]}",
    '"]}',
    "\\",
    '\\\\"',
    '":',
    '\\":null',
    "[{",
    "}]",
    "\u2028",
    "\x00\x1f",
    "\ud800",
    "\U0001f600",
    "ي ك\u200c",
    "null",
    "true",
    "1.10",
    "",
    " ",
]
texts = st.one_of(
    st.sampled_from(FOOLING), st.text(max_size=8), st.lists(st.sampled_from(FOOLING), max_size=4).map("".join)
)
numbers = st.one_of(
    st.integers(-5, 10**10), st.floats(allow_nan=False, allow_infinity=False), st.just(10**25), st.just(1.10)
)
plain = st.one_of(st.none(), st.booleans(), numbers, texts)
nested = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.just("ID"), texts), inner, max_size=3),
        st.just([{"ID": 3}, {"ID": 4}]),
    ),
    max_leaves=6,
)
names = texts.filter(bool)
fields = st.one_of(st.sampled_from(CONTACT_FIELDS[1:]), st.sampled_from(["Tags", "Note", "ID2", "id"]), names)
ids = st.one_of(
    st.integers(1, 50),
    st.integers(1, 50).map(str),
    st.sampled_from([2**63 - 1, 2**63, 0, -1, None, "", "x", 7.0, "7.0", True, [7], 10**30]),
)
records = st.builds(
    lambda record_id, rest, first: {"ID": record_id, **rest} if first else {**rest, "ID": record_id},
    ids,
    st.dictionaries(
        fields.filter(lambda name: name != "ID"), st.one_of(plain, plain, plain, nested), max_size=6
    ),
    st.booleans(),
)
members = st.one_of(records, records, records, records, nested)


@st.composite
def bodies(draw) -> tuple[bytes, list]:
    """Give a body and the members that its list holds."""
    found = draw(st.lists(members, max_size=14))
    style = {
        "ensure_ascii": draw(st.booleans()),
        "separators": draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " : ")])),
        "indent": draw(st.sampled_from([None, None, 2])),
    }
    envelope = draw(
        st.permutations(
            [
                ("Status", draw(st.sampled_from(["Success", 1]))),
                ("Data", found),
                ("Message", draw(texts)),
                *draw(st.sampled_from([[], [], [("Errors", [])], [("Errors", [{"Of": [1]}, {"Of": [2]}])]])),
            ]
        )
    )
    text = json.dumps(dict(envelope), **style)
    lead = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf", b"\r\n "]))
    return lead + text.encode("utf-8", "surrogatepass" if style["ensure_ascii"] else "replace"), found


@patch("amoot_etl.extractors.landing._LARGE", 30)
def land(body: bytes, folder: Path, *, block: int, segment: int) -> list:
    """Land a body in small blocks, some of which count as large, and give its segments."""
    landing = Landing("ContactList", folder, segment_bytes=segment)
    try:
        for start in range(0, len(body), block):
            landing.write(body[start : start + block])
        return landing.finish()
    except BaseException:
        # As the client does.
        landing.abandon()
        raise


def read(segments, *, carefully: bool) -> tuple[list[dict], list[str]]:
    """Give the readable records, as field to text without nulls, and the texts of the unreadable ones."""
    reader = contact_reader()
    rows, unreadable = [], []
    for raw in reader.read_carefully(segments) if carefully else reader.read_all(segments):
        for row in raw.table.to_pylist():
            literals = json.loads(row.pop(LITERALS, None) or "[]")
            rows.append(
                {
                    # What a literal's text means is what counts, not how its numbers were spelt.
                    name: _meaning(value) if name in literals else value
                    for name, value in row.items()
                    if value is not None
                }
            )
        unreadable += raw.unreadable
    return rows, unreadable


def _meaning(text: str):
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except (ValueError, RecursionError):
        return text


def readable(member) -> bool:
    """Say, independently, whether a member is a record with a usable ID."""
    if not isinstance(member, dict) or isinstance(member.get("ID"), bool | list | dict | type(None)):
        return False
    text = member["ID"] if isinstance(member["ID"], str) else json.dumps(member["ID"])
    whole, _, zeros = text.partition(".")
    return (
        whole.isascii()
        and whole.isdigit()
        and not zeros.strip("0")
        and text[-1:] != "."
        and 0 < int(whole) < 2**63
    )


def shown(value) -> str | None:
    """Give, independently, the text of a plain value."""
    if value is None or isinstance(value, str):
        return value if value is None else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return json.dumps(value)


@settings(max_examples=EXAMPLES)
@given(bodies(), st.integers(1, 400), st.sampled_from([20, 60, 150, 400, 10**6]))
def test_every_readable_record_is_kept(made, block, segment):
    """Whatever the body's shape, each record with a usable ID comes out once, in order, with its plain values."""
    body, found = made
    # What Python's own JSON reads is the truth: a lone surrogate, for one, cannot be sent unescaped.
    found = json.loads(body.decode("utf-8-sig").strip(), strict=False)["Data"]
    with tempfile.TemporaryDirectory() as folder:
        segments = land(body, Path(folder), block=block, segment=segment)
        rows, unreadable = read(segments, carefully=False)
    wanted = [member for member in found if readable(member)]
    assert len(rows) == len(wanted)
    assert len(unreadable) == len(found) - len(wanted)
    for row, member in zip(rows, wanted, strict=True):
        for name, value in member.items():
            if not isinstance(value, dict | list) and not isinstance(value, float | int) and name != LITERALS:
                known = name in CONTACT_FIELDS or value is not None
                assert not known or row.get(_name(name)) == shown(value)


def _name(name: str) -> str:
    return name.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@settings(max_examples=EXAMPLES)
@given(bodies(), st.integers(1, 400), st.sampled_from([20, 60, 150, 400]))
@example((b'{"Status":"Success","Data":[{"ID":1,"\\u0000":"a"},{"ID":3},{"ID":4}]}', []), 7, 20)
@example((b'{"Status":"Success","Data":[{"ID":1,"Note":"},{\\"ID\\":2"},{"ID":3}]}', []), 7, 20)
@example((b'{"Status":"Success","Data":[{"ID":1,"Tags":[{"ID":8},{"ID":9}]},{"ID":3}]}', []), 7, 20)
@example((b'{"Status":"Success","Data":[{"Mobile":1,"ID":1},{"Mobile":2,"ID":2}]}', []), 3, 20)
def test_the_fast_and_the_careful_reader_agree(made, block, segment):
    """A listing that is cut and read fast gives what the same listing in one piece, read carefully, gives."""
    body, _ = made
    with tempfile.TemporaryDirectory() as folder:
        cut, whole = Path(folder) / "cut", Path(folder) / "whole"
        cut.mkdir()
        whole.mkdir()
        fast = read(land(body, cut, block=block, segment=segment), carefully=False)
        careful = read(land(body, whole, block=len(body), segment=1 << 30), carefully=True)
    assert fast == careful


@settings(max_examples=EXAMPLES)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace")),
        st.lists(
            st.sampled_from([*FOOLING, '{"Status":"Success","Data":[', "]}", '{"ID":1}', ","]), max_size=12
        ).map(lambda parts: "".join(parts).encode("utf-8", "replace")),
    ),
    st.integers(1, 100),
    st.sampled_from([10, 50, 10**6]),
)
def test_no_body_is_a_traceback(body, block, segment):
    """Bytes of any kind either give records or are refused by an error of ours, never by another."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            read(land(body, Path(folder), block=block, segment=segment), carefully=False)
        except AmootError:
            return


@settings(max_examples=EXAMPLES)
@given(bodies(), st.randoms(use_true_random=False), st.sampled_from([20, 150, 10**6]))
def test_a_body_that_is_cut_anywhere_is_refused(made, chance, segment):
    """However a body is cut, it is never taken for a whole one."""
    body, _ = made
    _see_refused(body[: chance.randrange(len(body.rstrip()))], segment)


def test_a_body_that_ends_like_one_inside_a_text_is_refused():
    """Where no place to cut was found, only who reads the records can tell."""
    body = b'{"Status":"Success","Data":[{"ID":1,"Address":"' + b"x" * 300 + b'\\":null\\"]}'
    for segment in (20, 10**6):
        _see_refused(body, segment)


MANY = b",".join(b'{"ID":%d,"Address":"a town and a street"}' % number for number in range(1, 6001))
LONG = b'{"ID":9000,"Extra":{"Tags":["' + b"x" * 200_000 + b'"]}'


@pytest.mark.parametrize("block", [100, 70_000, 1 << 20])
@pytest.mark.parametrize(
    ("head", "after", "count"),
    [
        (b"", b"", 6000),
        (b'"Message":"' + b"x" * 10_000 + b'",', b"", 6000),
        (b"", b" " * 200_000, 6000),
        (b"", b"," + LONG + b"}", 6001),
    ],
    ids=["plain", "long head", "long blank", "long record"],
)
def test_a_listing_of_one_segment_lands_whole(head, after, count, block, tmp_path):
    """However its blocks come, and however long what stands before and behind its records."""
    body = b'{"Status":"Success",' + head + b'"Data":[' + MANY + after + b"]}"
    (segment,) = land(body, tmp_path, block=block, segment=1 << 24)
    rows, unreadable = read([segment], carefully=False)
    assert (len(rows), len(unreadable)) == (count, 0)


@pytest.mark.parametrize("block", [1000, 70_000, 1 << 20])
def test_a_listing_without_a_place_to_cut_lands_in_order(block, tmp_path):
    """Its file holds the bytes between the brackets, none left out and none moved."""
    other = b'{"Active":true,"ID":9}'  # whose first key no other record begins with
    body = b'{"Status":"Success","Data":[' + other + b"," + 8 * (MANY + b",") + MANY + b"]}"
    (segment,) = land(body, tmp_path, block=block, segment=1 << 18)
    assert not segment.cut
    assert segment.path.read_bytes() == body[body.index(b"[") : -1]


def test_a_listing_that_ends_inside_a_long_record_does_not_land(tmp_path):
    """Its last record is looked at from where it begins, however far back that is."""
    body = b'{"Status":"Success","Data":[' + MANY + b"," + LONG
    with pytest.raises(AmootError, match="cut"):
        land(body, tmp_path, block=70_000, segment=1 << 24)


def _see_refused(body: bytes, segment: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            read(land(body, Path(folder), block=64, segment=segment), carefully=False)
        except AmootError:
            return
        raise AssertionError(f"taken for whole: {body!r}")


def _one_contact(body: str) -> object:
    """Give what an answer to a question for one contact says, or the class of the error that it is."""
    receiver = _OneContact()
    receiver.write(body.encode("utf-8", "replace"))
    try:
        return receiver.finish()
    except AmootError as error:
        return type(error)


@settings(max_examples=10 * EXAMPLES)
@given(
    records,
    st.sampled_from(["Success", "Success", "ContactID_Invalid", "Failed", "1"]),
    st.sampled_from(["", "", "}", " ", ',"Data":7}', ',"Status":"Failed"}', '"']),
    st.integers(0, 40),
)
def test_one_contact_is_read_alike_however_its_answer_is_spaced(record, status, tail, cut):
    """An answer as nearly all look is opened without a token's care, and says the same as with it."""
    body = json.dumps({"Status": status, "Data": record}, separators=(",", ":"), ensure_ascii=False) + tail
    body = body[: len(body) - cut] if cut < 10 else body
    assert _one_contact(body) == _one_contact(body.replace("{", "{ ", 1))


def test_deep_nesting_before_and_after_the_list(tmp_path):
    """Envelopes with fields nested deeper than Python's own limit are read, or refused by an error of ours."""
    deep = b"[" * 20_000 + b"]" * 20_000
    for number, body in enumerate(
        [
            b'{"Status":"Success","Extra":' + deep + b',"Data":[{"ID":1}]}',
            b'{"Status":"Success","Data":[{"ID":1}],"Extra":' + deep + b"}",
            b'{"Status":' + deep + b',"Data":[{"ID":1}]}',
            deep,
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            rows, _ = read(land(body, folder, block=1000, segment=100), carefully=False)
        except AmootError:
            continue
        assert [row["ID"] for row in rows] == ["1"]


def test_a_path_is_no_pattern(tmp_path):
    """A folder with brackets and stars in its name is read for itself, and not the one that they could mean."""
    for name, contact_id in (("out [1]*?", 7), ("out 1zz", 8)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "00000.json").write_text(f'[{{"ID": {contact_id}, "FName": "x"}}]')
    path = tmp_path / "out [1]*?" / "00000.json"
    segment = Segment(path, path.stat().st_size, cut=True, last=True)
    raw = contact_reader()._read_fast(segment)
    assert raw is not None
    assert raw.table.column("ID").to_pylist() == ["7"]


def test_a_landed_body_is_not_kept(tmp_path):
    """Of listings that have landed, whoever remembers them all keeps counts and paths, and no body."""
    body = json.dumps({"Status": "Success", "Data": [{"ID": 1, "FName": "x" * 3_000_000}]}).encode()
    landings = []
    tracemalloc.start()
    try:
        for number in range(4):
            folder = tmp_path / str(number)
            folder.mkdir()
            landings.append(Landing("ContactList", folder))
            landings[-1].write(body)
            assert len(landings[-1].finish()) == 1
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < len(body)
    assert {landing.received for landing in landings} == {len(body)}
