"""The roll and the memberships against plain dictionaries, for any order of listings."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amoot_etl.pipeline.memberships import Memberships
from amoot_etl.pipeline.numbers import SharedNumbers
from amoot_etl.pipeline.roll import Entries, Roll

_RECORDS = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 3), st.integers(0, 2)), max_size=12)


def _entries(records, listing: int) -> Entries:
    ids, stamps, contents = (np.array([record[at] for record in records], np.int64) for at in range(3))
    # A fingerprint covers the stamp too: records that differ in it are never taken for the same.
    contents = contents * 10 + stamps
    return Entries(
        ids, stamps, contents.astype(np.uint64), np.full(len(ids), listing, np.int32), np.ones(len(ids), bool)
    )


@pytest.mark.parametrize("small", [0, 4096])
@given(st.lists(st.tuples(st.integers(0, 3), _RECORDS), max_size=6), st.integers(0, 6))
def test_newest_wins_and_later_on_a_tie(small, batches, asked_before):
    """Whatever the batches, each contact ends with the record that a plain loop would keep, asked between or not."""
    batches.sort(key=lambda batch: batch[0])
    with mock.patch("amoot_etl.pipeline.roll._SMALL", small):
        _see_that_the_newest_win(batches, asked_before)


def _see_that_the_newest_win(batches, asked_before):
    roll, kept, plain = Roll(), {}, {}
    for number, (listing, records) in enumerate(batches):
        if number == asked_before:
            assert roll.ids().tolist() == sorted(plain)
        admission = roll.admit(number, _entries(records, listing))
        for batch, contacts in admission.replaced.items():
            for contact in contacts.tolist():
                assert kept.pop(contact)[0] == batch
        for keep, record in zip(admission.keep.tolist(), records, strict=True):
            if keep:
                assert record[0] not in kept
                kept[record[0]] = (number, record)
        for contact, stamp, content in records:
            if contact not in plain or stamp >= plain[contact][0]:
                plain[contact] = (stamp, content)
    assert {contact: record[1:] for contact, (_, record) in kept.items()} == plain
    assert roll.size == len(plain)
    assert roll.ids().tolist() == sorted(plain)
    asked = np.arange(0, 15)
    held, stamps = roll.find(asked)
    assert dict(zip(asked[held].tolist(), stamps[held].tolist(), strict=True)) == {
        c: v[0] for c, v in plain.items()
    }


@pytest.mark.parametrize("small", [0, 4096])
@given(st.lists(st.tuples(st.integers(0, 2), _RECORDS), max_size=5))
def test_first_of_each_contact_in_each_listing(small, batches):
    """A listing's distinct contacts are counted once each, over all its batches."""
    batches.sort(key=lambda batch: batch[0])
    roll, counted = Roll(), []
    for number, (listing, records) in enumerate(batches):
        with mock.patch("amoot_etl.pipeline.roll._SMALL", small):
            first = roll.admit(number, _entries(records, listing)).first_in_listing
        counted += [(listing, record[0]) for record, new in zip(records, first.tolist(), strict=True) if new]
    assert sorted(counted) == sorted(
        {(listing, record[0]) for listing, records in batches for record in records}
    )


@given(st.sets(st.integers(1, 15)), st.lists(_RECORDS, max_size=4))
def test_struck_contacts_are_gone(struck, batches):
    """`strike` takes contacts off and says which batches hold them."""
    roll = Roll()
    where = {}
    for number, records in enumerate(batches):
        roll.admit(number, _entries(records, number))
        where |= {record[0]: number for record in records}
    gone = roll.strike(np.array(sorted(struck), np.int64))
    assert {contact for contacts in gone.values() for contact in contacts.tolist()} == struck & set(where)
    assert set(roll.ids().tolist()) == set(where) - struck


@given(st.dictionaries(st.integers(1, 9), st.text(max_size=3) | st.none(), max_size=4), st.data())
def test_titles_are_joined_by_group(titles, data):
    """A contact's titles come by group_id; one without a title is left out, nobody's is null."""
    titles = {group: title or None for group, title in titles.items()}
    memberships = Memberships(titles)
    members = {group: data.draw(st.sets(st.integers(1, 6))) for group in titles}
    for group, contacts in members.items():
        memberships.add(group, np.array(sorted(contacts), np.int64))
    asked = np.arange(1, 8)
    expected = [
        " | ".join(titles[group] for group in sorted(titles) if contact in members[group] and titles[group])
        or None
        for contact in asked.tolist()
    ]
    found = memberships.titles_of(asked).to_pylist()
    assert [title or None for title in found] == expected
    pairs = {
        (row["contact_id"], row["group_id"]) for chunk in memberships.chunks() for row in chunk.to_pylist()
    }
    assert pairs == {(contact, group) for group, contacts in members.items() for contact in contacts}
    assert {group: memberships.members(group).tolist() for group in titles} == {
        group: sorted(contacts) for group, contacts in members.items()
    }
    memberships.keep(np.array([2, 3, 5]))
    assert {group: memberships.members(group).tolist() for group in titles} == {
        group: sorted(contacts & {2, 3, 5}) for group, contacts in members.items()
    }


@given(st.lists(st.lists(st.integers(0, 5), max_size=8), max_size=4))
def test_shared_numbers(batches):
    """Contacts that share a number are found across batches, and 0 is nobody's."""
    numbers, everybody, contact = SharedNumbers(), {}, 0
    for batch in batches:
        contacts = np.arange(contact, contact + len(batch))
        numbers.add(contacts, np.array(batch, np.int64))
        everybody |= dict(zip(contacts.tolist(), batch, strict=True))
        contact += len(batch)
    owners = list(everybody.values())
    assert numbers.shared() == {c: owners.count(n) for c, n in everybody.items() if n and owners.count(n) > 1}
    numbers.close()
