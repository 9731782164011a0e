"""Listings fetched side by side: what fails is told, and what nobody waits for any more is not fetched."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from amoot_etl import export, sync
from amoot_etl.client import Client
from amoot_etl.demo import DEMO_TOKEN, AddressBook, Fault, Portal
from amoot_etl.errors import PortalUnavailable
from amoot_etl.pipeline.fetch import Fetch
from amoot_etl.pipeline.proof import Prover
from amoot_etl.settings import Settings

GIVEN_UP = 40  # waits of half a second


@pytest.fixture
def book():
    """Give a book of three labels."""
    made = AddressBook()
    for title in "ABC":
        label = made.add_group(title)
        for number in range(50):
            made.add([label], FName=f"نام {number}")
    return made


@pytest.fixture
def portal(book):
    """Give a portal with that book."""
    with Portal(book, token=DEMO_TOKEN) as serving:
        yield serving


@pytest.fixture
def settings(portal, tmp_path):
    """Give settings that ask it for two things at a time, once each."""
    return Settings(
        base_url=portal.url, token=DEMO_TOKEN, out=tmp_path, retries=0, backoff=0.001, concurrency=2
    )


@pytest.fixture
def client(settings):
    """Give a connection to it."""
    with Client(settings) as made:
        yield made


def impatient(fetch: Fetch) -> Fetch:
    """Let nobody wait for ever."""
    ticks = Counter()

    def tick():
        ticks["told"] += 1
        assert ticks["told"] < GIVEN_UP, "nobody fetches what is waited for"

    for listing in fetch.listings:
        listing.on_wait = tick
    return fetch


def read(listing) -> None:
    """Read a listing whose segments go as they are read."""
    listing.wait()
    listing.passing = True
    for segment in listing.segments():
        listing.let_go(segment)


def at_work() -> list[str]:
    """Name the threads that fetch."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("amoot-fetch")]


def test_a_failure_takes_no_thread_away(client, portal, book, tmp_path):
    """However many failed, what is wanted again is fetched."""
    portal.plan(Fault.http(503), "ContactList")
    groups = sorted(book.groups())
    fetch = impatient(Fetch(client, groups, tmp_path))
    with pytest.raises(PortalUnavailable):
        fetch.wait()
    while at_work():
        threading.Event().wait(0.01)
    for listing in fetch.listings:
        listing._error = None
    portal.heal()
    fetch.again(groups)
    fetch.wait()
    assert all(listing.landed for listing in fetch.listings)


def test_what_failed_is_told_before_anything_is_fetched_again(client, portal, book, tmp_path):
    """A build that starts over has nothing to wait for where a listing will never come."""
    first, second, _ = sorted(book.groups())
    portal.plan(Fault.http(503), "ContactList", group=second)
    fetch = impatient(Fetch(client, sorted(book.groups()), tmp_path, keep=False))
    read(fetch.listings[0])
    assert fetch.listings[0].gone
    with pytest.raises(PortalUnavailable):
        fetch.listings[1].wait()
    with pytest.raises(PortalUnavailable):
        fetch.rewind()
    assert [call.fields["ContactGroupID"] for call in portal.calls].count(str(first)) == 1


def test_what_is_stopped_ends_where_it_is(client, portal, book, tmp_path):
    """Neither what is under way nor what has not begun is fetched to its end."""
    portal.plan(Fault.slow(5), "ContactList")
    fetch = Fetch(client, sorted(book.groups()), tmp_path, keep=False)
    while len(portal.calls) < 2:
        threading.Event().wait(0.01)
    fetch.stop()
    assert not at_work()
    assert len(portal.calls) == 2
    assert not any(listing.landed for listing in fetch.listings)


@pytest.mark.parametrize("verb", [export, sync])
def test_no_more_is_asked_at_a_time_when_a_group_vanishes(portal, book, settings, verb, monkeypatch):
    """What is listed anew does not come beside what was being listed."""
    first, second, _ = sorted(book.groups())
    if verb is sync:
        export(settings)
        for group in sorted(book.groups()):
            book.add([group], FName="new")
    both = threading.Barrier(2, timeout=20)
    open_now: list[Client] = []
    most = 0

    def vanish():
        both.wait()
        book.drop_group(first)

    def counted(client, *args, **fields):
        nonlocal most
        open_now.append(client)
        most = max(most, len(open_now))
        try:
            return download(client, *args, **fields)
        finally:
            open_now.pop()

    portal.plan(Fault.meanwhile(vanish), "ContactList", group=first, times=1)
    portal.plan(Fault.meanwhile(both.wait), "ContactList", group=second, times=1)
    portal.plan(Fault.slow(2), "ContactList", group=second, times=1)
    download = Client.download
    monkeypatch.setattr(Client, "download", counted)
    assert verb(settings).run_id
    assert most == 2


def test_a_build_that_starts_over_waits_for_the_same_list(client, portal, tmp_path):
    """As long as the list of changes has not been asked for, it is asked for once."""
    portal.plan(Fault.slow(0.5), times=1)
    prover = Prover(client, tmp_path, partial=False, may_list_again=False)
    landed = threading.Event()
    first = prover.ask(after=landed.wait)
    assert prover.ask(after=landed.wait) is first
    landed.set()
    while not portal.calls:
        threading.Event().wait(0.01)
    # What has landed since is not in a list that was asked for before.
    assert prover.ask(after=landed.wait).result() != first.result()
    assert len(portal.calls) == 2
