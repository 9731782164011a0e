"""The table of dirty contacts: whole, and right about itself."""

from __future__ import annotations

import json

from amoot_etl.demo import DIRTY, FIRST_DIRTY_ID, AddressBook
from amoot_etl.schema import CONTACT_FIELDS, TABLES

_RULES = {
    *(
        "mobile_invalid",
        "mobile_landline",
        "mobile_duplicate",
        "date_invalid",
        "date_mismatch",
        "date_shifted",
    ),
    *("date_ambiguous", "date_out_of_range", "date_in_future", "jalali_in_gregorian_field"),
    *("gregorian_in_jalali_field", "email_invalid", "gender_mismatch", "type_mismatch", "unknown_field"),
}


def test_every_rule_of_a_contact_has_a_row():
    """The rows break every rule that one contact's own data can break, and name no other."""
    named = {rule for row in DIRTY for _, rule in (*row.issues, *row.run_issues)}
    assert named == _RULES


def test_rows_name_columns_that_exist():
    """Expected columns are those of the contacts table, all of them but `groups`."""
    names = set(TABLES["contacts"].names) - {"groups"}
    for number, row in enumerate(DIRTY):
        assert set(row.expected(FIRST_DIRTY_ID + number)) == names, row.shows
        assert {column for column, _ in (*row.issues, *row.run_issues)} <= names, row.shows


def test_rows_are_told_apart():
    """No two rows of a family show the same thing, or send the same."""
    assert len({(row.source, row.shows) for row in DIRTY}) == len(DIRTY)
    sent = [json.dumps(dict(row.fields), sort_keys=True) for row in DIRTY]
    assert len(set(sent)) == len(sent)


def test_rows_stand_in_the_book_as_they_are():
    """An invented book holds each row's record, field by field in the portal's order."""
    book = AddressBook.invent(contacts=1000)
    for contact_id, row in enumerate(DIRTY, FIRST_DIRTY_ID):
        contact = book.contact(contact_id)
        assert contact == row.record(contact_id)
        assert tuple(contact)[: len(CONTACT_FIELDS)] == CONTACT_FIELDS
