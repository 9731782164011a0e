"""The cost rule, as a table; and what sync reads out of stamps, absences and counts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amoot_etl.extractors.groups import Group
from amoot_etl.pipeline import idsets
from amoot_etl.pipeline.absence import stand_out
from amoot_etl.pipeline.expect import Knowledge, Listed
from amoot_etl.pipeline.first import Pace
from amoot_etl.pipeline.held import Held, HeldGroup, members_of
from amoot_etl.pipeline.marks import marks_of, order_and_marks
from amoot_etl.pipeline.synccost import (
    FREE,
    OWN_CARRY,
    OWN_RATE,
    OWN_REQUEST,
    OWN_SIFTED,
    SLACK,
    choose,
    most_gets,
    seconds,
)
from amoot_etl.transformers.stamps import stamp_order

TODAY = dt.date(2026, 11, 1)
NEAR = Pace(latency=0.002, rate=200e6, concurrency=4)
FAR = Pace(latency=0.2, rate=2e6, concurrency=4)
BOOK = 1_000_000
SIZES = {1: 10_000, 2: 90_000, 3: 400_000, -1: 500_000}
"""A book of a million: three groups, and half of it in none."""


def ids(first, count):
    """Give so many contacts from one on: group 1 holds the first 10,000, group 2 the next 90,000, and so on."""
    return np.arange(first, first + count, dtype=np.int64)


MEMBERS = {1: ids(0, 10_000), 2: ids(10_000, 90_000), 3: ids(100_000, 400_000), -1: ids(500_000, 500_000)}

CASES = [
    # what changed, pace, groups to list anyway -> groups listed, asked one by one, exported
    ("twenty of the small group, near", ids(0, 20), NEAR, [], (), 20, False),
    ("a hundred of the small group, near", ids(0, 100), NEAR, [], (1,), 0, False),
    ("a thousand of the small group, far away", ids(0, 1_000), FAR, [], (1,), 0, False),
    ("a thousand of those in no group, far away", ids(500_000, 1_000), FAR, [], (), 1_000, False),
    ("one in three hundred everywhere, far away", ids(0, BOOK)[::300], FAR, [], (), 3_334, False),
    ("nothing but a group that grew", ids(0, 0), FAR, [2], (2,), 0, False),
    ("one contact, far away", ids(5, 1), FAR, [], (), 1, False),
    ("a few are never weighed", ids(0, FREE), FAR, [], (), FREE, False),
    ("a contact in a group that is listed anyway", ids(5, 1), FAR, [1], (1,), 0, False),
    ("twenty of the small group, far away", ids(0, 20), FAR, [], (), 20, False),
    ("a hundred of the small group, far away", ids(0, 100), FAR, [], (1,), 0, False),
    ("a thousand of the small group, near", ids(0, 1_000), NEAR, [], (1,), 0, False),
    ("all of the small group", ids(0, 10_000), FAR, [], (1,), 0, False),
    ("a thousand of the half million in no group", ids(500_000, 1_000), NEAR, [], (), 1_000, False),
    ("one in a hundred everywhere, far away", ids(0, BOOK)[::100], FAR, [], (1, 2, 3, -1), 0, True),
    ("one in a hundred everywhere, near", ids(0, BOOK)[::100], NEAR, [], (1, 2, 3, -1), 0, False),
    ("one in three hundred everywhere, near", ids(0, BOOK)[::300], NEAR, [], (), 3_334, False),
    ("everybody", ids(0, BOOK), FAR, [], (1, 2, 3, -1), 0, True),
    ("a group that grew and holds nearly half", ids(0, 0), NEAR, [3], (3,), 0, False),
    ("all groups grew", ids(0, 0), NEAR, [1, 2, 3, -1], (1, 2, 3, -1), 0, True),
    ("new contacts that no listing is known to hold", ids(BOOK, 60_000), FAR, [], (), 60_000, True),
]


@pytest.mark.parametrize(
    ("wanted", "pace", "must", "listings", "gets", "exported"),
    [case[1:] for case in CASES],
    ids=[c[0] for c in CASES],
)
def test_the_cheapest_way_is_taken(  # noqa: PLR0917
    wanted, pace, must, listings, gets, exported
):
    """One by one, by listing groups, or by exporting."""
    choice = choose(wanted, MEMBERS, SIZES, must, BOOK, pace)
    assert sorted(choice.listings) == sorted(listings)
    assert len(choice.gets) == gets
    assert bool(choice.why) is exported


@settings(max_examples=40)
@given(
    count=st.integers(0, 3_000),
    step=st.integers(1, 300),
    latency=st.floats(0.0001, 3),
    rate=st.floats(1e4, 1e9),
    concurrency=st.integers(1, 16),
    must=st.sets(st.sampled_from([1, 2, 3])),
)
def test_a_choice_is_never_dearer_than_an_export(  # noqa: PLR0917
    count, step, latency, rate, concurrency, must
):
    """Unless it says that exporting is better; and no more are asked one by one than a small share."""
    wanted = np.arange(0, count * step, step, dtype=np.int64)[:count]
    wanted = wanted[wanted < BOOK]
    choice = choose(wanted, MEMBERS, SIZES, sorted(must), BOOK, Pace(latency, rate, concurrency))
    if not choice.why:
        assert choice.seconds + BOOK * OWN_CARRY <= choice.export_seconds + SLACK
        assert len(choice.gets) <= most_gets(BOOK)
    held = [MEMBERS[group] for group in choice.listings]
    assert set(wanted.tolist()) <= set(np.concatenate([choice.gets, *held]).tolist())


def test_seconds():
    """Latency is shared by those under way, our own work is not, and bytes go at the slower pace."""
    assert seconds(10, 0, Pace(0.1, 1e6, 5)) == pytest.approx(0.2)
    assert seconds(1000, 0, Pace(0.001, 1e6, 100)) == pytest.approx(1.0)
    assert seconds(0, 1e9, Pace(1, 1e9, 1)) == pytest.approx(1e9 / OWN_RATE)
    assert seconds(0, 1e9, Pace(1, 1e9, 1), OWN_SIFTED) == pytest.approx(1e9 / OWN_SIFTED)


def test_the_documents_have_the_figures_that_are_reckoned_with():
    """Whoever measures them anew tells it there, too."""
    text = (Path(__file__).parents[2] / "docs" / "design-sync.md").read_text(encoding="utf-8")
    for figure in (
        f"requests * {OWN_REQUEST}",
        f"1 / {OWN_RATE / 1e6:.0f}e6",
        f"{OWN_SIFTED / 1e6:.0f}e6 stands",
        f"{OWN_CARRY * 1e6} microseconds",
        f"first {FREE} contacts",
    ):
        assert figure in " ".join(text.split()), figure


# Stamps.


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("2025-10-21T11:03:41.96", "2025-10-21T11:03:41.960", True),
        ("2025-10-21T11:03:41.96", "2025-10-21T11:03:41.97", False),
        ("2025-10-21T11:03:41", "2025-10-21T07:33:41Z", True),
        ("2022-03-22T00:30:00", "2022-03-22T00:30:00", True),
        ("soon", "soon", True),
        ("soon", "later", False),
        ("soon", None, False),
        ("", None, True),
        ("0001-01-01T00:00:00", "", True),
        ("2025-10-21T11:03:41", "soon", False),
        ("1404/07/29", "2025-10-21T00:00:00", True),
    ],
)
def test_a_stamp_equals_itself(one, other, alike):
    """And another text of the same moment; what cannot be read equals only the same text."""
    marks = marks_of(pa.array([one, other], pa.string()), today=TODAY)
    assert (marks[0] == marks[1]) == alike


@given(st.lists(st.sampled_from(
    [None, "2025-10-21T11:03:41.96", "2022-03-22T00:30:00", "2022-09-21T23:30:00", "1976-03-21", "2025-10-21T08:00:00Z",
     "soon", "", "0001-01-01T00:00:00", "1404/07/29", "25-10-21"]
)))  # fmt: skip
def test_order_and_marks_are_what_each_alone_is(texts):
    """Read at once, where all stamps are as the portal writes them, or one after the other."""
    array = pa.array(texts, pa.string())
    order, marks = order_and_marks(array, today=TODAY)
    assert order.tolist() == stamp_order(array).tolist()
    assert marks.tolist() == marks_of(array, today=TODAY).tolist()


# Absence.


@given(
    stamps=st.lists(st.integers(0, 30), max_size=40),
    reach=st.integers(0, 31),
    gone=st.sets(st.integers(0, 39), max_size=2),
)
def test_only_contacts_within_a_lists_reach_stand_out(stamps, reach, gone):
    """A list of recent changes makes no old contact stand out; none that is mentioned ever does."""
    stamps = np.array(stamps, np.int64)
    mentioned = stamps >= reach
    out = stand_out(stamps, mentioned)
    assert not out.any()
    missing = np.array([at for at in gone if at < len(stamps) and mentioned[at]], np.int64)
    mentioned[missing] = False
    assert not (stand_out(stamps, mentioned) & mentioned).any()
    assert set(np.flatnonzero(stand_out(stamps, mentioned)).tolist()) <= set(missing.tolist())


# Counts.


def _held():
    """Give a set of four contacts, three in group 1, of which one is not active."""
    return Held(
        ids=np.array([1, 2, 3, 4]),
        marks=np.zeros(4, np.int64),
        active=np.array([True, True, False, True]),
        members={1: np.array([1, 2, 3])},
        groups={1: HeldGroup("x", 3, 2, 3, 2, reconciled=True)},
        listings={},
        unmentioned=0,
        unexplained=0,
        unsettled=0,
        aged=np.empty(0, np.int64),
        born_since=False,
    )


@pytest.mark.parametrize(
    ("learn", "counts"),
    [
        (lambda k: None, (3, 2)),
        (lambda k: k.remove(np.array([1])), (2, 1)),
        (lambda k: k.remove(np.array([3, 4])), (2, 2)),
        (lambda k: k.learn(np.array([2]), np.array([False])), (3, 1)),
        (lambda k: k.learn(np.array([3]), np.array([True])), (3, 3)),
        (lambda k: k.learn(np.array([4]), np.array([False])), (3, 2)),
        (lambda k: k.learn_listing(-1, Listed(np.array([3, 4]), 2, 1, [], {})), (2, 2)),
        (lambda k: k.learn_listing(1, Listed(np.array([1, 4]), 2, 2, [], {})), (2, 2)),
        (lambda k: k.only_groups([]), (0, 0)),
    ],
)
def test_counts_follow_from_what_is_known(learn, counts):
    """A group agrees with exactly the counts that follow, and with no others."""
    knowledge = Knowledge(_held())
    # Asked before, too: what is then learnt counts all the same.
    knowledge.counts(1)
    learn(knowledge)
    assert knowledge.counts(1) == counts
    for total in range(5):
        for active in range(5):
            assert knowledge.agrees(Group(1, "x", total, active)) == ((total, active) == counts)


def test_who_has_lost_the_last_group():
    """A contact that a listing lacks, or whose group is no more; not one that is gone."""
    knowledge = Knowledge(_held())
    knowledge.learn_listing(1, Listed(np.array([1]), 1, 1, [], {}))
    assert knowledge.lost().tolist() == [2, 3]
    knowledge.remove(np.array([2]))
    assert knowledge.lost().tolist() == [3]
    knowledge.only_groups([])
    assert knowledge.lost().tolist() == [1, 3]


@given(
    st.sets(st.tuples(st.integers(1, 9), st.integers(2001, 2004))).flatmap(
        lambda s: st.permutations(sorted(s))
    )
)
def test_members_of_each_group(pairs):
    """Rising, by group, whatever the order of the rows."""
    rows = {"contact_id": [one for one, _ in pairs], "group_id": [group for _, group in pairs]}
    found = members_of(pa.table({name: pa.array(values, pa.int64()) for name, values in rows.items()}))
    wanted = {
        group: sorted(one for one, its in pairs if its == group) for group in sorted({g for _, g in pairs})
    }
    assert {group: members.tolist() for group, members in found.items()} == wanted
    assert list(found) == list(wanted)


@given(st.lists(st.sets(st.integers(0, 20)), max_size=12))
def test_a_union_holds_everybody_once(sets):
    """However many sets there are."""
    joined = idsets.union(*(np.array(sorted(ids), np.int64) for ids in sets))
    assert joined.tolist() == sorted(set().union(*sets))


@given(st.sets(st.integers(1, 20)), st.sets(st.integers(1, 20)))
def test_sets_of_ids(one, other):
    """Searching gives what sets give."""
    left, right = (np.array(sorted(some), np.int64) for some in (one, other))
    assert idsets.union(left, right).tolist() == sorted(one | other)
    assert idsets.without(left, right).tolist() == sorted(one - other)
    assert idsets.common(left, right).tolist() == sorted(one & other)
    assert idsets.inside(left, right).tolist() == [each in other for each in sorted(one)]
