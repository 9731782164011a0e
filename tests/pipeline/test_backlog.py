"""A portal that sends faster than its records are read: it waits a moment, and what was read makes room."""

from __future__ import annotations

import datetime as dt
import json
import threading

import pytest

from amoot_etl import export, read_export
from amoot_etl.demo import DEMO_TOKEN, AddressBook, Fault, Portal
from amoot_etl.errors import RefusedError
from amoot_etl.extractors.landing import Landing, Segment
from amoot_etl.pipeline import backlog, build, fetch
from amoot_etl.pipeline.backlog import Backlog
from amoot_etl.pipeline.fetch import Fetch
from amoot_etl.pipeline.listing import Listing
from amoot_etl.pipeline.listings import Listings
from amoot_etl.settings import Settings

TODAY = dt.date(2026, 11, 1)


@pytest.fixture
def swamped(monkeypatch):
    """Let every segment be one too many, and segments be small; give what is left of them when all are read."""
    monkeypatch.setattr(backlog, "_MUCH", 0)
    monkeypatch.setattr(backlog, "_IN_HAND", 0)
    monkeypatch.setattr(backlog, "_MOMENT", 0.001)
    monkeypatch.setattr(build, "_BATCH_BYTES", 1)
    monkeypatch.setitem(Landing.__init__.__kwdefaults__, "segment_bytes", 1500)
    left: list[list[str]] = []
    read = Listings.read

    def read_all(listings, build):
        read(listings, build)
        left.append(sorted(path.name for path in listings._folder.glob("*/*.json")))

    monkeypatch.setattr(Listings, "read", read_all)
    return left


@pytest.fixture
def settings(tmp_path):
    """Give the settings of a run against a portal, by the folder's name."""

    def make(portal, folder="out"):
        return Settings(
            base_url=portal.url,
            token=DEMO_TOKEN,
            out=tmp_path / folder,
            retries=3,
            backoff=0.001,
            concurrency=2,
        )

    return make


@pytest.fixture(params=["several labels", "one label"])
def portal(request):
    """Give a portal whose contacts are in several labels each, or in one."""
    book = AddressBook.invent(contacts=300, labels=4, seed=8)
    if request.param == "one label":
        book = AddressBook()
        label = book.add_group("مشتریان")
        for number in range(300):
            book.add([label], FName=f"نام {number}", Mobile=9120000000 + number)
    with Portal(book, token=DEMO_TOKEN) as serving:
        yield serving


def _rows(folder):
    with read_export(folder) as tables:
        return (
            tables.contacts.drop(columns="run_id", errors="ignore")
            .sort_values("contact_id")
            .to_dict("records")
        )


def _assert_as_calm(portal, settings, monkeypatch, manifest):
    """Assert that the set is the one of a run that is not swamped, and that no row was counted twice."""
    monkeypatch.setattr(backlog, "_MUCH", 1 << 60)
    calm = export(settings(portal, "calm"), today=TODAY)
    assert repr(_rows(settings(portal).out)) == repr(_rows(calm.folder))
    assert manifest["counts"] == calm.manifest["counts"]
    assert manifest["reconciliation"]["updates"] == calm.manifest["reconciliation"]["updates"]


def test_what_was_read_makes_room(portal, settings, swamped, monkeypatch):
    """No segment is left when all are read, and the tables are those of a run that kept them all."""
    counts = []
    monkeypatch.setattr(fetch, "Backlog", lambda: counts.append(Backlog()) or counts[-1])
    result = export(settings(portal), today=TODAY)
    assert swamped == [[]]
    assert [(count._unread, count._in_hand) for count in counts] == [(0, 0)]
    _assert_as_calm(portal, settings, monkeypatch, result.manifest)
    assert len(swamped[1]) > 20


def test_what_only_a_stream_can_read_lets_nobody_wait_for_ever(portal, settings, swamped, monkeypatch):
    """A listing that cannot be cut is read when all of it is there, and is no part of what waits."""
    monkeypatch.setattr("amoot_etl.client._BLOCK", 1000)
    counts = []
    monkeypatch.setattr(fetch, "Backlog", lambda: counts.append(Backlog()) or counts[-1])
    for contact in list(portal.book)[:3]:
        portal.book.edit(contact, AddressText="x" * 5000)
    result = export(settings(portal), today=TODAY)
    assert [(count._unread, count._in_hand) for count in counts] == [(0, 0)]
    _assert_as_calm(portal, settings, monkeypatch, result.manifest)


@pytest.mark.parametrize(
    "fault", [Fault.cut(0.7), Fault.reset("in"), Fault.status("ServerError")], ids=["cut", "reset", "status"]
)
def test_a_body_that_breaks_off_is_read_from_its_beginning(portal, settings, swamped, monkeypatch, fault):
    """Whatever was read and removed by then."""
    monkeypatch.setattr("amoot_etl.client._BLOCK", 1000)
    planned = portal.plan(fault, "ContactList", times=2)
    result = export(settings(portal), today=TODAY)
    assert planned.done == 2
    portal.heal()
    _assert_as_calm(portal, settings, monkeypatch, result.manifest)


def test_a_listing_that_only_a_stream_can_read_is_fetched_again(portal, settings, swamped, monkeypatch):
    """A nested value tears a segment when others have been removed: this time all are kept."""
    contact = list(portal.book)[200]
    record = {**portal.book.contact(contact), "Links": [{"ID": number} for number in range(300)]}
    portal.book.put(contact, record, portal.book.labels(contact))
    result = export(settings(portal), today=TODAY)
    assert [row["extra"] for row in _rows(result.folder) if row["contact_id"] == contact] != [None]
    _assert_as_calm(portal, settings, monkeypatch, result.manifest)


def test_contacts_that_nobody_counted_are_listed_again(settings, swamped, monkeypatch):
    """Contacts are written as they come until a second listing has some: the first is needed once more then."""
    book = AddressBook()
    first, second = book.add_group("یک"), book.add_group("دو")
    for number in range(200):
        book.add([first], FName=f"نام {number}")
    for contact in list(book)[:50]:
        book.relabel(contact, add=[second])
    with Portal(book, token=DEMO_TOKEN) as portal:
        rows = [
            {"ContactGroupID": group, "Title": "x", "ContactsCount": count, "ContactsActiveCount": count}
            for group, count in ((first, 200), (second, 0))
        ]
        portal.plan(
            Fault.raw(json.dumps({"Status": "Success", "Data": rows}).encode()), "ContactGroupList", calls=[1]
        )
        result = export(settings(portal), today=TODAY)
        assert len(swamped) == 1
        asked = [call.fields["ContactGroupID"] for call in portal.calls if call.method == "ContactList"]
        assert asked.count(str(first)) == 2
        assert len(_rows(result.folder)) == 200
        assert result.manifest["counts"]["received"] == 250


def test_what_was_removed_is_not_gone_on_with(portal, settings, swamped, monkeypatch):
    """A run that was refused leaves only what is whole: the next one asks for the rest, and publishes."""
    export(settings(portal), today=TODAY)
    for contact in list(portal.book)[:200]:
        portal.book.delete(contact)
    with pytest.raises(RefusedError):
        export(settings(portal), today=TODAY)
    before = len(portal.calls)
    result = export(settings(portal), today=TODAY, accept_shrink=True)
    asked = [call for call in portal.calls[before:] if call.method == "ContactList"]
    assert len(asked) == len(portal.book.groups()) + 1
    assert [row["contact_id"] for row in _rows(result.folder)] == sorted(portal.book)


@pytest.mark.slow
@pytest.mark.usefixtures("swamped")
def test_a_listing_that_was_downloading_when_all_started_over(portal, settings, monkeypatch):
    """It lands to its end first, and is then fetched anew."""
    seen = []
    rewind = Fetch.rewind

    def rewind_and_note(one):
        seen.append([listing.landed for listing in one.listings if listing.gone])
        rewind(one)

    monkeypatch.setattr(Fetch, "rewind", rewind_and_note)
    monkeypatch.setattr("amoot_etl.client._BLOCK", 1000)
    first = min(portal.book.groups())
    members = portal.book.members(first)
    contact = members[len(members) // 2]
    record = {**portal.book.contact(contact), "Links": [{"ID": number} for number in range(300)]}
    portal.book.put(contact, record, portal.book.labels(contact))
    portal.plan(Fault.slow(3.0), "ContactList", times=1, group=first)
    result = export(settings(portal), today=TODAY)
    portal.heal()
    assert [landed for landed in seen if False in landed]
    _assert_as_calm(portal, settings, monkeypatch, result.manifest)


# The count


@pytest.fixture
def full(monkeypatch):
    """Give a backlog that is much: more waits than is good, and readers have enough before them."""
    monkeypatch.setattr(backlog, "_MUCH", 100)
    monkeypatch.setattr(backlog, "_IN_HAND", 30)
    monkeypatch.setattr(backlog, "_MOMENT", 0.01)
    full = Backlog()
    full.landed(110)
    full.taken(40)
    return full


@pytest.mark.parametrize(
    "relieve", [lambda full: full.read(20), lambda full: full.close()], ids=["read", "closed"]
)
def test_who_lands_waits_until_there_is_room(full, relieve, monkeypatch):
    """Reading makes room, and closing lets everybody go."""
    monkeypatch.setattr(backlog, "_MOMENT", 60.0)
    said = []
    waiting = threading.Thread(target=lambda: said.append(full.wait()))
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    relieve(full)
    waiting.join(30)
    assert said == [True]
    assert full.wait() is False


def test_nobody_waits_longer_than_a_moment(full):
    """However long nothing is read."""
    assert full.wait() is True
    assert full.wait() is True


def test_readers_who_may_soon_be_idle_let_nobody_wait(full):
    """What lies there is no use to them before what is to come."""
    full.landed(1000)
    full.read(15)
    with full.starving():
        assert full.wait() is False
        full.taken(10)
        assert full.wait() is True


def test_readers_who_have_other_things_to_do_let_others_wait(full):
    """With nothing in hand, too: they have not begun to read, or are about to take what lies there."""
    full.landed(1000)
    full.read(40)
    assert full.wait() is True


def test_a_reader_who_waits_for_the_network_is_starving(full, tmp_path):
    """As long as its next segment has not landed, whatever others have."""
    full.landed(1000)
    full.read(40)
    listing = Listing(7, tmp_path, full)
    waiting = threading.Thread(target=lambda: list(listing.segments()))
    waiting.start()
    said = [full.wait() for _ in range(300)]
    listing.succeed([])
    waiting.join(30)
    assert said[-1] is False
    assert full.wait() is True


def _landed(listing, *sizes):
    """Let segments of a listing land."""
    landing, segments = listing.landing(), []
    for number, size in enumerate(sizes):
        path = listing.folder / f"{number}.json"
        path.touch()
        segments.append(Segment(path, size, cut=True, last=number == len(sizes) - 1))
        landing._on_segment(segments[-1])
    return segments


@pytest.fixture
def empty(monkeypatch):
    """Give a backlog of which a hundred bytes are much, and in which nothing is."""
    monkeypatch.setattr(backlog, "_MUCH", 100)
    monkeypatch.setattr(backlog, "_MOMENT", 0.001)
    return Backlog()


def test_what_a_broken_download_left_does_not_count(empty, tmp_path):
    """Nobody will read it."""
    listing = Listing(7, tmp_path, empty)
    _landed(listing, 80, 80)
    assert empty.wait() is True
    listing.succeed(_landed(listing, 80))
    assert empty.wait() is False
    for segment in listing.segments():
        listing.let_go(segment)
    empty.landed(99)
    assert empty.wait() is False


def test_what_an_earlier_run_landed_does_not_count(empty, tmp_path):
    """It made nobody wait when it came."""
    listing = Listing(7, tmp_path, empty)
    listing.adopt([Segment(tmp_path / "0.json", 500, cut=True, last=True)])
    for segment in listing.segments():
        listing.let_go(segment)
    empty.landed(100)
    assert empty.wait() is True


def test_what_is_told_of_at_its_end_counts_then(empty, tmp_path):
    """A body may tell its status last, and nothing of it is known before."""
    listing = Listing(7, tmp_path, empty)
    listing.landing()
    listing.succeed([Segment(tmp_path / "0.json", 100, cut=True, last=True)])
    assert empty.wait() is True
    for segment in listing.segments():
        listing.let_go(segment)
    assert empty.wait() is False


def test_nothing_goes_once_everything_is_kept(empty, tmp_path):
    """What had to wait is read again from its beginning, and stays for that."""
    listing = Listing(7, tmp_path, empty)
    segments = _landed(listing, 200)
    listing._wait_a_moment()
    assert listing.passing
    listing.succeed(segments)
    empty.close()
    for segment in listing.segments():
        listing.let_go(segment)
    assert segments[0].path.exists()
    assert not listing.gone


def test_little_lets_nobody_wait(full):
    """However much of it readers have before them."""
    full.taken(1000)
    full.read(20)
    assert full.wait() is False
