"""The oracle agrees with the expectations of the dirty table, which were reasoned one by one."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import oracle
import phonenumbers
import pytest

from amoot_etl.demo import DIRTY, FIRST_DIRTY_ID, AddressBook
from amoot_etl.extractors import careful
from amoot_etl.extractors.contacts import contact_reader
from amoot_etl.schema import CONTACT_FIELDS, TABLES
from amoot_etl.transformers.contacts import clean_table

TODAY = date(2026, 11, 1)


@pytest.mark.parametrize("number", range(len(DIRTY)), ids=lambda number: DIRTY[number].shows)
def test_the_oracle_and_the_dirty_table_agree(number):
    """Each dirty contact's columns and issues are the same by both."""
    dirty, contact_id = DIRTY[number], FIRST_DIRTY_ID + number
    row, issues = oracle.expected_contact(dirty.record(contact_id), today=TODAY)
    assert row.pop("groups") is None
    assert row == dirty.expected(contact_id)
    across = {"mobile_duplicate"}  # takes two contacts to see
    assert set(issues) == {issue for issue in dirty.issues if issue[1] not in across}


def test_the_oracle_covers_every_column_and_field():
    """Its rows have the columns of the table, and it knows the fields of the documents."""
    row, _ = oracle.expected_contact({"ID": 1}, today=TODAY)
    assert set(row) == set(TABLES["contacts"].names)
    assert set(CONTACT_FIELDS) == oracle.KNOWN_FIELDS


def test_the_oracles_ranges_are_those_of_phonenumbers():
    """The listed blocks are the valid ones of libphonenumber, all 10,000 of them."""
    for block in range(90000, 100000):
        number = phonenumbers.parse(f"+98{block}12345")
        listed = any(first <= block <= last for first, last, _ in oracle.RANGES)
        mobile = phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.MOBILE
        assert listed == mobile, block


def test_whole_tables():
    """Memberships come from listings, the newest record wins, and rules across records are found."""
    book = AddressBook.invent(contacts=1000)
    listings = {group: [json.loads(row) for row in book.listing(group)] for group in (*book.groups(), -1)}
    tables = oracle.expected_tables(listings, book.groups(), today=TODAY)
    assert set(tables.contacts) == set(book)
    assert tables.contact_groups == {(i, g) for i in book for g in book.labels(i)}
    expected = {(FIRST_DIRTY_ID + n, *issue) for n, row in enumerate(DIRTY) for issue in row.issues} | {
        (None, *issue) for row in DIRTY for issue in row.run_issues
    }
    assert {issue for issue in tables.issues if issue[0] is None or issue[0] >= FIRST_DIRTY_ID} == expected
    plain = {issue for issue in tables.issues if issue not in expected}
    assert {rule for _, _, rule in plain} <= {"mobile_duplicate"}
    first = min(i for i in book if book.labels(i))
    assert tables.contacts[first]["groups"] == " | ".join(
        book.groups()[g] for g in sorted(book.labels(first))
    )


def test_repeats_and_unreadable_records():
    """An ID twice in one listing is told, an unreadable record too; of two the newest, of equals the later wins."""
    old, new = "2025-01-01T00:00:00", "2025-01-01T00:00:00.01"
    listing = [
        {"ID": 1, "FName": "b", "UpdateDateTime": new},
        {"ID": 1, "FName": "a", "UpdateDateTime": old},
        {"ID": "2.0", "FName": "c"},
        {"ID": 0},
        "odd",
    ]
    later = [{"ID": 2, "FName": "d"}]
    tables = oracle.expected_tables({5: listing, -1: later}, {5: "گروه"}, today=TODAY)
    assert {i: row["first_name"] for i, row in tables.contacts.items()} == {1: "b", 2: "d"}
    assert tables.issues == {(1, "contact_id", "duplicate_id"), (None, "contact_id", "record_unreadable")}
    assert tables.contact_groups == {(1, 5), (2, 5)}


@pytest.mark.parametrize(
    ("stamp", "moment"),
    [
        ("2022-03-22T00:30:00", datetime(2022, 3, 21, 20, 30, tzinfo=UTC)),  # never was: the end of the gap
        ("2022-09-21T23:30:00", datetime(2022, 9, 21, 19, 0, tzinfo=UTC)),  # was twice: the earlier
        ("2023-07-01T12:00:00", datetime(2023, 7, 1, 8, 30, tzinfo=UTC)),
        ("2021-07-01T12:00:00", datetime(2021, 7, 1, 7, 30, tzinfo=UTC)),
        ("2021-07-01T12:00:00Z", datetime(2021, 7, 1, 12, 0, tzinfo=UTC)),
        ("2021-07-01 12:00", datetime(2021, 7, 1, 7, 30, tzinfo=UTC)),
    ],
)
def test_the_oracle_knows_tehran_time(stamp, moment):
    """Gaps, overlaps, summers with and without daylight saving, and offsets come out as they must."""
    row, issues = oracle.expected_contact({"ID": 1, "UpdateDateTime": stamp}, today=TODAY)
    assert abs(row["updated_at"] - moment) < timedelta(milliseconds=1)
    assert not issues


@pytest.mark.parametrize(
    "stamp",
    [
        *("29 مهر 1404", "۲۹ مهرماه ۱۴۰۴", "1404/07/29", "1404/07/29 11:03:41.96", "سه‌شنبه 29 مهر 1404"),
        *("2025-10-21T24:00:00", "2025-10-21T24:00:01", "2025-10-21T25:00:00", "2025-10-21", "20251021", ""),
        *(
            "21/10/2025",
            "1404/12/30",
            "0001-01-01T00:00:00",
            "soon",
            None,
            3,
            ["x"],
            "2025-10-21T11:03:41.96Z",
        ),
        *("2025-10-21T11:03:41.1234567", "9999-12-31T23:59:59.9999999", "2125-10-21T00:00:00", "2025-13-01"),
    ],
)
def test_the_oracle_and_the_product_read_stamps_alike(stamp):
    """A stamp typed as people type dates is a stamp, a Jalali one with an issue; nonsense is none, by both."""
    row, issues = oracle.expected_contact({"ID": 1, "UpdateDateTime": stamp}, today=TODAY)
    body = json.dumps({"ID": 1, "UpdateDateTime": stamp}).encode()
    raw = contact_reader().gather(list(careful.records([body], "ContactList")))
    clean = clean_table(raw.table, today=TODAY)
    for name in ("updated_at", "updated_date", "updated_date_jalali"):
        assert clean.contacts[name].to_pylist() == [row[name]]
    told = zip(clean.issues["column"].to_pylist(), clean.issues["rule"].to_pylist(), strict=True)
    assert set(told) == set(issues)
