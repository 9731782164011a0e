"""The address book: the same for the same seed, lifelike, and changed by its verbs as a portal changes."""

from __future__ import annotations

import json
import re
import threading
from datetime import date, timedelta

import jdatetime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from amoot_etl.demo import DIRTY, FIRST_DIRTY_ID, AddressBook
from amoot_etl.demo.records import json_text, per, stamp_text
from amoot_etl.schema import CONTACT_FIELDS


@pytest.fixture(scope="module")
def invented() -> AddressBook:
    """A whole invented book, which no test of this module changes."""
    return AddressBook.invent()


def test_a_book_is_the_same_for_the_same_seed():
    """Two books of one seed hold the same bytes, and another seed gives others."""
    one, two, other = (AddressBook.invent(contacts=1200, seed=seed) for seed in (7, 7, 8))
    assert one.listing(0) == two.listing(0)
    assert one.group_rows() == two.group_rows()
    assert one.update_rows() == two.update_rows()
    assert one.listing(0) != other.listing(0)


def test_an_invented_book_is_lifelike(invented):
    """It has 5,000 contacts of many names, 12 labels many-to-many, and contacts without any."""
    contacts = [invented.contact(contact_id) for contact_id in invented if contact_id < FIRST_DIRTY_ID]
    assert len(invented) == 5000 == len(contacts) + len(DIRTY)
    assert len({(contact["FName"], contact["LName"]) for contact in contacts}) > 4000
    addresses = [contact["AddressText"] for contact in contacts if contact["AddressText"]]
    assert len(addresses) > 1500
    assert len(set(addresses)) > 0.99 * len(addresses)
    assert len(invented.groups()) == 12
    several = sum(len(invented.labels(contact_id)) > 1 for contact_id in invented)
    assert several > 500
    assert len(invented.members(-1)) > 200
    assert all(tuple(contact) == CONTACT_FIELDS for contact in contacts)


def test_plain_contacts_hold_right_values(invented):
    """Their numbers are Iranian mobiles, their stamps are the portal's, and their Jalali twins are right."""
    stamp = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d?[1-9])?")
    for contact_id in invented:
        contact = invented.contact(contact_id)
        if contact_id >= FIRST_DIRTY_ID:
            continue
        assert contact["Mobile"] is None or re.fullmatch(r"(98)?9\d{9}", str(contact["Mobile"]))
        assert stamp.fullmatch(contact["UpdateDateTime"]), contact["UpdateDateTime"]
        for field in ("BornDate", "AnniversaryDate", "CustomDate1", "CustomDate2"):
            text = contact[field]
            twin = ""
            if text is not None:
                twin = jdatetime.date.fromgregorian(date=date.fromisoformat(text[:10])).strftime("%Y/%m/%d")
            assert contact[f"{field}Per"] == twin


def test_no_plain_contact_shares_a_number_with_a_dirty_one(invented):
    """The dirty rows' own numbers are theirs alone, so that only the rows that say so are duplicates."""
    numbers: dict[int, list[int]] = {}
    for contact_id in invented:
        raw = str(invented.contact(contact_id)["Mobile"])
        if raw.isascii() and raw.isdigit():
            numbers.setdefault(int(raw[-10:]), []).append(contact_id)
    for number in range(9125550000, 9125550000 + len(DIRTY)):
        assert len(numbers.get(number, [])) <= 1


def test_dirty_contacts_need_room():
    """A book that is too small for the dirty contacts says so, and a small one has none by default."""
    with pytest.raises(ValueError, match="no room"):
        AddressBook.invent(contacts=5, dirty=True)
    assert max(AddressBook.invent(contacts=2 * len(DIRTY) - 1)) < FIRST_DIRTY_ID
    assert max(AddressBook.invent(contacts=2 * len(DIRTY))) >= FIRST_DIRTY_ID
    assert len(AddressBook.invent(contacts=0)) == 0


def test_an_edit_changes_the_field_and_the_stamp():
    """An edit shows in the record, its twin and the updates list; the clock moves by a hundredth of a second."""
    book = AddressBook.invent(contacts=3)
    before = book.contact(100_002)
    book.edit(100_002, BornDate="1991-08-03T00:00:00", CityName="یزد")
    after = book.contact(100_002)
    assert (after["CityName"], after["BornDatePer"]) == ("یزد", "1370/05/12")
    assert after["UpdateDateTime"] == "2026-11-01T09:30:00.01" != before["UpdateDateTime"]
    assert b'{"ID":100002,"UpdateDateTime":"2026-11-01T09:30:00.01","Deleted":false}' in book.update_rows()
    assert tuple(after) == CONTACT_FIELDS
    book.edit(100_002, UpdateDateTime=None, Notes="x")
    assert book.contact(100_002)["UpdateDateTime"] is None
    assert list(book.contact(100_002))[-1] == "Notes"


def test_a_deleted_contact_is_gone_and_a_marked_one_is_not():
    """`delete` takes a contact out of every listing; `mark_deleted` leaves it there with its mark."""
    book = AddressBook()
    group = book.add_group("دوستان")
    gone, marked = book.add([group]), book.add([group])
    book.delete(gone)
    book.mark_deleted(marked)
    assert book.members(group) == book.members(0) == (marked,)
    assert book.record(gone) is None
    assert book.contact(marked)["Deleted"] is True
    assert book.counts() == {group: (1, 1)}
    with pytest.raises(KeyError):
        book.delete(gone)


@pytest.mark.parametrize("stamped", [True, False])
def test_relabelling_moves_between_listings(stamped):
    """Labels join and leave listings and counts; whether the stamp moves is a setting."""
    book = AddressBook()
    one, two = book.add_group("یک"), book.add_group("دو")
    someone = book.add([one], Active=False)
    before = book.contact(someone)["UpdateDateTime"]
    book.relabel(someone, add=[two], remove=[one], stamp=stamped)
    assert (book.members(one), book.members(two), book.members(-1)) == ((), (someone,), ())
    assert book.counts() == {one: (0, 0), two: (1, 0)}
    assert (book.contact(someone)["UpdateDateTime"] != before) is stamped
    book.relabel(someone, remove=[two], stamp=stamped)
    assert book.members(-1) == (someone,)
    with pytest.raises(KeyError):
        book.relabel(someone, add=[99])


def test_groups_are_added_renamed_and_dropped():
    """A dropped group's contacts stay, without the label, and are stamped only when asked."""
    book = AddressBook()
    group = book.add_group("قدیم", 50)
    someone = book.add([group])
    stamp = book.contact(someone)["UpdateDateTime"]
    book.rename_group(group, "جدید")
    assert book.groups() == {50: "جدید"}
    assert book.add_group("بعدی") == 51
    book.drop_group(group)
    assert book.listing(50) is None
    assert book.members(-1) == (someone,)
    assert book.contact(someone)["UpdateDateTime"] == stamp
    book.relabel(someone, add=[51], stamp=False)
    book.drop_group(51, stamp=True)
    assert book.contact(someone)["UpdateDateTime"] != stamp
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="cannot have"):
            book.add_group("هیچ", wrong)
    with pytest.raises(KeyError):
        book.rename_group(99, "هیچ")


def test_the_updates_list_is_full_recent_or_empty():
    """`recent` names what was stamped within its span; other words are refused."""
    book = AddressBook.invent(contacts=200)
    book.recent = timedelta(days=30)
    assert len(book.update_rows()) == 200
    book.updates = "recent"
    recent = len(book.update_rows())
    assert 0 < recent < 50
    since = stamp_text(book.now - book.recent)
    old = next(i for i in book if book.contact(i)["UpdateDateTime"] < since)
    book.touch(old)
    assert len(book.update_rows()) == recent + 1
    book.updates = "empty"
    assert book.update_rows() == []
    with pytest.raises(ValueError, match="full, recent"):
        book.updates = "some"
    with pytest.raises(ValueError, match="ContactID_Invalid"):
        book.missing = "Gone"


def test_a_taken_id_is_refused():
    """Two contacts, or two groups, cannot have one ID."""
    book = AddressBook()
    book.add(ID=7)
    book.add_group("یک", 7)
    with pytest.raises(ValueError, match="7"):
        book.add(ID=7)
    with pytest.raises(ValueError, match="7"):
        book.add_group("دو", 7)
    assert book.add() == 8
    assert 7 in book


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_value_becomes_json(value):
    """Whatever a record holds, its JSON is UTF-8 and reads back as the same value."""
    assert json.loads(json_text(value)) == value


def test_half_a_surrogate_pair_is_escaped():
    """Half a pair, which UTF-8 cannot hold, is sent as an escape, as a portal would."""
    book = AddressBook()
    someone = book.add(FName="ن\ud83d")
    assert b'"\\u0646\\ud83d"' in book.record(someone)
    assert book.contact(someone)["FName"] == "ن\ud83d"


@given(st.dates(date(1799, 3, 21), date(2123, 3, 20)))
def test_a_twin_names_the_same_day(day):
    """A Jalali twin reads back as the day it was made from."""
    year, month, of_month = map(int, per(day).split("/"))
    assert jdatetime.date(year, month, of_month).togregorian() == day


def test_threads_may_edit_one_book():
    """Edits from several threads all arrive, each with a stamp of its own."""
    book = AddressBook.invent(contacts=40)
    groups = list(book.groups())

    def work(mine):
        for contact_id in mine:
            book.edit(contact_id, CityName="قم")
            book.relabel(contact_id, add=groups[:2])

    ids = list(book)
    threads = [threading.Thread(target=work, args=(ids[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stamps = {book.contact(contact_id)["UpdateDateTime"] for contact_id in book}
    assert len(stamps) == 40
    assert {book.contact(contact_id)["CityName"] for contact_id in book} == {"قم"}
    assert book.counts()[groups[0]][0] == 40


class Bookkeeping(RuleBasedStateMachine):
    """Any run of verbs leaves members, labels and counts in agreement."""

    def __init__(self):
        super().__init__()
        self.book = AddressBook.invent(contacts=6, labels=3)

    @rule(data=st.data())
    def change(self, data):
        """Do one thing, drawn from all verbs."""
        ids, groups = sorted(self.book), sorted(self.book.groups())
        verb = data.draw(st.sampled_from(["add", "group", "edit", "delete", "mark", "relabel", "drop"]))
        some = data.draw(st.sets(st.sampled_from(groups))) if groups else set()
        if verb == "add":
            self.book.add(some, Active=data.draw(st.booleans()))
        elif verb == "group":
            self.book.add_group("تازه")
        elif verb == "drop" and groups:
            self.book.drop_group(data.draw(st.sampled_from(groups)), stamp=data.draw(st.booleans()))
        elif ids:
            one = data.draw(st.sampled_from(ids))
            if verb == "edit":
                self.book.edit(one, Active=data.draw(st.booleans()))
            elif verb == "delete":
                self.book.delete(one)
            elif verb == "mark":
                self.book.mark_deleted(one)
            elif verb == "relabel":
                self.book.relabel(one, add=some, remove=data.draw(st.sets(st.sampled_from(groups or [1]))))

    @invariant()
    def agrees(self):
        """What each contact says of its labels is what the listings and the counts say."""
        groups = self.book.groups()
        for group_id in groups:
            members = {i for i in self.book if group_id in self.book.labels(i)}
            active = sum(self.book.contact(i)["Active"] is True for i in members)
            assert set(self.book.members(group_id)) == members
            assert self.book.counts()[group_id] == (len(members), active)
        assert set(self.book.members(-1)) == {i for i in self.book if not self.book.labels(i)}
        assert len(self.book.update_rows()) == len(self.book)


Bookkeeping.TestCase.settings = settings(max_examples=25, stateful_step_count=15)
TestBookkeeping = Bookkeeping.TestCase
