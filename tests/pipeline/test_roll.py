"""The roll and the memberships against plain dictionaries, for any order of listings."""

from __future__ import annotations

import tracemalloc
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amoot_etl.pipeline.memberships import Memberships
from amoot_etl.pipeline.numbers import SharedNumbers
from amoot_etl.pipeline.roll import Entries, Roll
from amoot_etl.pipeline.spill import Spill

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


def test_memory_stays_flat_for_listings_that_come_by_id():
    """What comes by ID rests on disk, on the roll and among the memberships; looking does not bring it back to stay."""
    count, batches = 5_000, 40
    whole = np.arange(count * batches)

    def enter(roll: Roll, memberships: Memberships, number: int) -> None:
        ids = whole[number * count : (number + 1) * count] * 2 + 1
        ones, none = np.ones(count, bool), np.zeros(count, np.int32)
        memberships.add(7, ids.copy())
        assert roll.admit(number, Entries(ids.copy(), ids * 3, None, none, ones)).keep.all()

    roll, memberships = Roll(), Memberships({7: "مشتری"})
    enter(roll, memberships, 0)
    tracemalloc.start()
    try:
        for number in range(1, batches):
            enter(roll, memberships, number)
        assert tracemalloc.get_traced_memory()[0] < 3 * 30 * count
        asked = whole * 2
        held, stamps = roll.find(asked + 1)
        assert held.all()
        assert (stamps == (asked + 1) * 3).all()
        assert not roll.find(asked)[0].any()
        assert roll.active(asked + 1).all()
        held = stamps = asked = whole[:0]
        assert tracemalloc.get_traced_memory()[0] < 3 * 30 * count
    finally:
        tracemalloc.stop()
    assert roll.ids().tolist() == memberships.members(7).tolist() == (whole * 2 + 1).tolist()


def test_a_run_at_rest_is_woken_by_what_overlaps_it():
    """A newer record of a contact whose run rests on disk replaces the older one, and is found from then on."""
    ids = np.arange(1, 15_001)
    roll = Roll()
    for number, part in enumerate(np.split(ids, 3)):
        ones, none = np.ones(len(part), bool), np.zeros(len(part), np.int32)
        roll.admit(number, Entries(part, part * 10, None, none, ones))
    again = np.array([3, 4_999, 9_000])
    new = Entries(again, again * 10 + np.array([1, -1, 1]), None, np.ones(3, np.int32), np.zeros(3, bool))
    admission = roll.admit(3, new)
    assert admission.keep.tolist() == [True, False, True]
    assert {batch: gone.tolist() for batch, gone in admission.replaced.items()} == {0: [3], 1: [9_000]}
    assert roll.find(again)[1].tolist() == [31, 49_990, 90_001]
    assert roll.active(again).tolist() == [False, True, False]
    assert roll.size == len(ids)
    assert roll.ids().tolist() == ids.tolist()


@given(st.lists(st.lists(st.integers(), max_size=3).map(tuple), max_size=4))
def test_what_was_spilled_comes_back_as_it_was(arrays):
    """Arrays of any length come back whole, in any order, as copies that may be written to."""
    spill = Spill()
    arrays = [np.array([hash(item) for item in one], np.int64) for one in arrays]
    put = [spill.put(one) for one in arrays]
    for one, shelved in reversed(list(zip(arrays, put, strict=True))):
        back = shelved.read()
        assert back.tolist() == one.tolist()
        back += 1
        assert shelved.read().tolist() == one.tolist()


@given(
    st.dictionaries(st.integers(1, 9), st.text(max_size=3) | st.none(), max_size=4),
    st.sampled_from([0, 2**63 - 9]),
    st.data(),
)
def test_titles_are_joined_by_group(titles, least, data):
    """A contact's titles come by group_id; one without a title is left out, nobody's is null."""
    titles = {group: title or None for group, title in titles.items()}
    memberships = Memberships(titles)
    members = {group: data.draw(st.sets(st.integers(least + 1, least + 6))) for group in titles}
    for group, contacts in members.items():
        memberships.add(group, np.array(sorted(contacts), np.int64))
    asked = np.arange(1, 8) + least
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
    assert memberships.count(lambda ids: ids % 2 == 0) == {
        group: (len(contacts), sum(contact % 2 == 0 for contact in contacts))
        for group, contacts in members.items()
    }
    stay = [least + 2, least + 3, least + 5]
    memberships.keep(np.array(stay))
    assert {group: memberships.members(group).tolist() for group in titles} == {
        group: sorted(contacts & {*stay}) for group, contacts in members.items()
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
