"""Extractors against the embedded portal: what a notebook gets."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from amoot_etl import (
    Client,
    clean_contacts,
    extract_contact,
    extract_contacts,
    extract_groups,
    extract_updates,
    iter_contacts,
    iter_updates,
)
from amoot_etl.demo import AddressBook, Fault, Portal
from amoot_etl.errors import NotFound, PortalUnavailable, UnexpectedAnswer
from amoot_etl.extractors import landing, updates
from amoot_etl.extractors.landing import Segment
from amoot_etl.schema import CONTACT_FIELDS, GROUP_FIELDS, UPDATE_FIELDS


@pytest.fixture(scope="module")
def book():
    """Give a book whose contacts stay as they are."""
    return AddressBook.invent(contacts=200)


@pytest.fixture
def client(book, settings_for):
    """Give a client of a portal that serves it."""
    with Portal(book) as portal, Client(settings_for(portal, retries=1)) as connection:
        connection.portal = portal
        yield connection


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def test_contacts_are_the_portals_records_as_text(client, book):
    """Every field of every record, in the documented order, as the text of its value."""
    frame = extract_contacts(client)
    assert list(frame.columns[: len(CONTACT_FIELDS)]) == list(CONTACT_FIELDS)
    assert all(str(dtype) == "string[pyarrow]" for dtype in frame.dtypes)
    rows = frame.astype(object).where(frame.notna(), None).set_index("ID")
    for contact in book:
        for field, value in book.contact(contact).items():
            if field != "ID":
                assert rows.loc[str(contact), field] == _text(value), (contact, field)


def test_one_groups_contacts(client, book):
    """A group's listing, and the one of those without a label."""
    group = min(book.groups())
    assert set(extract_contacts(client, group)["ID"].astype(int)) == set(book.members(group))
    assert set(extract_contacts(client, -1)["ID"].astype(int)) == {c for c in book if not book.labels(c)}
    with pytest.raises(NotFound, match="ContactGroupID_Invalid"):
        extract_contacts(client, 999_999)


def test_groups_and_updates(client, book):
    """Text, all of it, with the documented columns."""
    groups = extract_groups(client)
    assert tuple(groups.columns) == GROUP_FIELDS
    assert dict(zip(groups["ContactGroupID"].astype(int), groups["Title"], strict=True)) == book.groups()
    frame = extract_updates(client)
    assert tuple(frame.columns[:3]) == UPDATE_FIELDS
    assert set(frame["ID"].astype(int)) == set(book)
    assert sum(len(chunk) for chunk in iter_updates(client)) == len(book)


def test_one_contact(client, book):
    """One row, shaped as a listing's; an unknown one is NotFound, and Failed may be one that is gone."""
    contact = next(iter(book))
    frame = extract_contact(client, contact)
    assert frame["FName"].tolist() == [book.contact(contact)["FName"]]
    assert list(frame.columns[: len(CONTACT_FIELDS)]) == list(CONTACT_FIELDS)
    with pytest.raises(NotFound, match="there is no"):
        extract_contact(client, 5)
    book.missing = "Failed"
    with pytest.raises(PortalUnavailable, match="may be gone"):
        extract_contact(client, 5)
    book.missing = "ContactID_Invalid"


@pytest.mark.parametrize("told", [0, 999_999, "12x", "", None, {"a": 1}])
def test_another_contact_than_the_one_asked_for(client, book, told):
    """It is no answer, whoever it is about."""
    contact = next(iter(book))
    answer = {"Status": "Success", "Data": {**book.contact(contact), "ID": told}}
    client.portal.plan(Fault.raw(json.dumps(answer).encode()), "ContactGet")
    with pytest.raises(PortalUnavailable, match=f"without the contact {contact}: it may be gone"):
        extract_contact(client, contact)


def test_nested_and_unknown_fields_keep_their_text(settings_for):
    """Nested values are JSON text, told apart from strings that look like it."""
    book = AddressBook()
    one = book.add(FName="[1]")
    book.put(one, {**book.contact(one), "Labels": [1, {"a": None}], "Score": 1.5, "Note": "x"})
    two = book.add()
    book.put(two, {**book.contact(two), "FName": [1]})
    with Portal(book) as portal, Client(settings_for(portal)) as client:
        frame = extract_contacts(client)
    assert frame["FName"].tolist() == ["[1]", "[1]"]
    assert json.loads(frame["Labels"][0]) == [1, {"a": None}]
    clean = clean_contacts(frame, today=pd.Timestamp("2026-01-01").date())
    assert clean.contacts["first_name"].tolist() == ["[1]", pd.NA]
    assert json.loads(clean.contacts["extra"][0]) == {"Labels": [1, {"a": None}], "Score": 1.5, "Note": "x"}
    assert clean.issues[["contact_id", "rule"]].values.tolist() == [[two, "type_mismatch"]]


@pytest.mark.parametrize("value", [None, "0x10", "0X1F", "7.5", "", 0, -7, 1 << 63])
def test_unreadable_record_is_a_row_of_its_own(settings_for, value):
    """A record without a usable ID is not lost, and cleaning leaves it out."""
    book = AddressBook()
    for _ in range(3):
        book.add()
    with Portal(book) as portal, Client(settings_for(portal)) as client:
        portal.plan(Fault.no_id(value), "ContactList")
        frame = extract_contacts(client)
    odd = frame[frame["_unreadable"].notna()]
    assert len(odd) == 1
    assert len(clean_contacts(frame, today=pd.Timestamp("2026-01-01").date()).contacts) == len(frame) - 1


@pytest.mark.parametrize("odd", ["0x10", "0X1F", "7.5", "x", None])
def test_a_frame_with_an_unusable_id_is_refused(odd):
    """Nobody could tell whose row it is."""
    with pytest.raises(ValueError, match="ID"):
        clean_contacts(pd.DataFrame({"ID": ["7", odd]}), today=pd.Timestamp("2026-01-01").date())


def test_chunks_add_up(client, monkeypatch):
    """What does not fit in memory comes in chunks, checked before the first one."""
    monkeypatch.setitem(landing.Landing.__init__.__kwdefaults__, "segment_bytes", 20_000)
    chunks = list(iter_contacts(client))
    assert len(chunks) > 3
    whole = pd.concat(chunks, ignore_index=True)
    pd.testing.assert_frame_equal(whole, extract_contacts(client))


@pytest.mark.parametrize(
    "body",
    [
        b'{"Status":"Success","Data":[%s]}',
        b'\xef\xbb\xbf{"Status":"Success","Data":[%s]}',
        b'{"Data":[%s],"Status":"Success"}',
        b'{"Data":[%s],"Status":1,"Message":"[ok]"}',
        b'{"Message":null,"Status":1,"Time":{"a":[1]},"Data":[%s],"More":{"b":[]}}',
        b'{"Status":"Success","Data":[%s],"Errors":[]}',
        b'{"Data":[%s],"Errors":[{"ID":1,"Of":[2]},{"ID":3}],"Status":"Success","Next":[ ]}',
        b' \n{ "Status" : "Success" ,\n "Data" : [ %s ] } \n',
    ],
    ids=[
        *("plain", "BOM", "data first", "number and more", "nested beside", "a list behind", "lists behind"),
        "spaced",
    ],
)
def test_envelope_in_any_dress(client, body):
    """The order of the envelope's keys, a BOM and white space say nothing."""
    client.portal.plan(Fault.raw(body % b'{"ID":1,"FName":"x"}, {"ID":2}'), "ContactList")
    frame = extract_contacts(client)
    assert frame["ID"].tolist() == ["1", "2"]
    client.portal.heal()
    client.portal.plan(Fault.raw(body % b""), "ContactList")
    assert len(extract_contacts(client)) == 0
    client.portal.heal()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"Status":"Success"}',
        b'{"Status":"Success","Data":{}}',
        b'{"Status":"Success","Data":null}',
        b'{"Status":"Success","Data":[',
        b'{"Status":"Success","Data":[]',
        b'{"Status":"Success","Data":[{"ID":1}',
        b'{"Status":"Success","Data":[{"ID":1}]',
        b'{"Status":"Success","Data":[{"ID":1,"L":[{"ID":2}]}',
        b'{"Data":[{"ID":1}]}',
        b'{"Status":"Brewing","Data":[]}',
        b"Success",
    ],
)
def test_anything_else_is_an_error_and_never_an_empty_listing(client, body):
    """A cut body, a page, another shape: an error after retries."""
    client.portal.plan(Fault.raw(body), "ContactList")
    with pytest.raises(UnexpectedAnswer):
        extract_contacts(client)
    client.portal.heal()


def test_the_list_of_changes_is_told_alike_however_it_is_written(tmp_path):
    """By where its fields stand, parsed where it is spaced, one by one where a record is odd."""
    entries = [
        {"ID": number, "UpdateDateTime": f"2026-01-0{number}T00:00:00", "Deleted": number == 2}
        for number in (1, 2, 3)
    ]
    path = tmp_path / "1.json"
    told = []
    for odd in ([], [{"ID": None}]):
        for spaces in ((",", ":"), (", ", ": ")):
            size = path.write_text(json.dumps([*entries, *odd], separators=spaces))
            chunks = list(updates.entries([Segment(path, size, cut=True, last=True)]))
            told.append([(ids.tolist(), stamps.to_pylist()) for ids, stamps in chunks])
    assert told[0] == [([1, 2, 3], [entry["UpdateDateTime"] for entry in entries])]
    assert told == [told[0]] * 4


@pytest.mark.parametrize(("in_haste", "at_once"), [(True, 2), (False, 1)])
def test_the_list_of_changes_is_read_ahead_only_as_far_as_somebody_waits(
    tmp_path, monkeypatch, in_haste, at_once
):
    """Entries come in order, and one segment at a time is read for nobody, two for somebody who waits."""
    begun: list[int] = []
    bytes_of = updates.bytes_of

    def reading(segment):
        begun.append(int(segment.path.stem))
        return bytes_of(segment)

    monkeypatch.setattr(updates, "bytes_of", reading)
    segments = []
    for number in range(1, 8):
        path = tmp_path / f"{number}.json"
        entry = {"ID": number, "UpdateDateTime": "2026-01-01T00:00:00", "Deleted": False}
        size = path.write_text(json.dumps([entry], separators=(",", ":")))
        segments.append(Segment(path, size, cut=True, last=number == 7))
    got = []
    for ids, _ in updates.entries(segments, in_haste=lambda: in_haste):
        got += ids.tolist()
        assert len(begun) <= len(got) + at_once
    assert got == [*range(1, 8)]
    assert sorted(begun) == got
