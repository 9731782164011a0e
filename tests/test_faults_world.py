"""The world moves in mid-run, and limits hold: what an export and its client do on bad days beside the matrix."""

from __future__ import annotations

import itertools
import shutil
import threading
import time

import pytest

from amoot_etl.client import Client
from amoot_etl.demo import AddressBook, Fault, Portal
from amoot_etl.errors import (
    CredentialsError,
    OutputError,
    PortalUnavailable,
    SettingsError,
    UnexpectedAnswer,
)
from amoot_etl.extractors.contacts import extract_contacts
from amoot_etl.extractors.landing import Landing
from amoot_etl.mapping import read_mapping
from amoot_etl.pipeline.crew import in_threads
from amoot_etl.pipeline.export import export
from amoot_etl.pipeline.listing import Listing
from amoot_etl.pipeline.prove import fetch_each
from amoot_etl.pipeline.read import read_export
from amoot_etl.pipeline.room import check_room, room_needed
from amoot_etl.pipeline.sync import sync
from amoot_etl.settings import Settings

TOKEN = "planted-token-0123456789"


@pytest.fixture
def portal():
    """A portal with a small book of two groups."""
    with Portal(AddressBook.invent(contacts=25, labels=2, dirty=False), token=TOKEN) as portal:
        yield portal


def settings(portal, **more) -> Settings:
    """Give settings that wait for next to nothing."""
    return Settings(
        **{"base_url": portal.url, "token": TOKEN, "retries": 2, "backoff": 0.001, "timeout": 30, **more}
    )


def test_a_mapping_that_cannot_be_read_by_is_refused_before_anything_is_asked(portal, tmp_path):
    """Two choices that one word stands for are a matter of settings; the portal hears nothing."""
    mapping = read_mapping({"custom_text_1": {"type": "choice", "choices": ["علی", "علي"]}})
    with pytest.raises(SettingsError, match="would mean both"):
        export(settings(portal, out=tmp_path / "output", mapping=mapping))
    assert portal.calls == []


# The world moves in mid-run


def test_a_token_revoked_in_mid_run(portal, tmp_path):
    """A token that is revoked after the first listing ends the run as refused, and publishes nothing."""
    out = tmp_path / "output"
    portal.plan(Fault.meanwhile(lambda: portal.revoke(TOKEN, "Token_Disabled")), "ContactList", calls=[2])
    with pytest.raises(CredentialsError, match="ContactList: Token_Disabled") as caught:
        export(settings(portal, out=out, concurrency=1))
    assert TOKEN not in str(caught.value)
    assert not (out / "contacts.parquet").exists()


def test_a_group_dropped_in_mid_run_is_listed_again(portal, tmp_path):
    """A group that goes between the list of groups and its own listing is no error: the groups are listed again."""
    portal.plan(Fault.meanwhile(lambda: portal.book.drop_group(2002)), "ContactList", calls=[1], group=2002)
    out = tmp_path / "output"
    result = export(settings(portal, out=out, concurrency=1))
    assert result.published
    with read_export(out) as done:
        assert list(done.groups["group_id"]) == [2001]
        assert set(done.contacts["contact_id"]) == set(portal.book)


def test_a_group_dropped_after_its_listing(portal, tmp_path):
    """A group that goes after it was listed costs no contact."""
    portal.plan(
        Fault.meanwhile(lambda: 2002 in portal.book.groups() and portal.book.drop_group(2002)),
        "ContactList",
        group=-1,
    )
    out = tmp_path / "output"
    export(settings(portal, out=out, concurrency=1))
    with read_export(out) as done:
        assert set(done.contacts["contact_id"]) == set(portal.book)


def test_a_group_renamed_in_mid_run(portal, tmp_path):
    """A group that is renamed while it is listed stands in the set with one of its two titles, and all contacts."""
    old = portal.book.groups()[2001]
    portal.plan(Fault.meanwhile(lambda: portal.book.rename_group(2001, "تازه")), "ContactList", group=2001)
    out = tmp_path / "output"
    export(settings(portal, out=out, concurrency=1))
    with read_export(out) as done:
        titles = dict(zip(done.groups["group_id"], done.groups["title"], strict=True))
        assert titles[2001] in {old, "تازه"}
        joined = " | ".join(done.contacts["groups"].dropna())
        assert titles[2001] in joined
        assert set(done.contacts["contact_id"]) == set(portal.book)


@pytest.mark.parametrize("missing", ["ContactID_Invalid", "Failed"])
def test_a_contact_that_goes_between_list_and_get(portal, tmp_path, missing):
    """A contact that the updates name and `ContactGet` no longer has is not there, and no error."""
    portal.book.missing = missing
    added = []

    def come() -> None:
        if not added:
            added.append(portal.book.add([2001], FName="Brief"))

    portal.plan(Fault.meanwhile(come), "ContactListUpdates", calls=[1])
    portal.plan(
        Fault.meanwhile(lambda: added[0] in portal.book and portal.book.delete(added[0])), "ContactGet"
    )
    out = tmp_path / "output"
    result = export(settings(portal, out=out))
    assert result.manifest["reconciliation"]["updates"]["state"] == "proved"
    asked = [call for call in portal.calls if call.method == "ContactGet"]
    # `Failed` is asked once more, and no oftener.
    assert len(asked) == (2 if missing == "Failed" else 1)
    with read_export(out) as done:
        assert set(done.contacts["contact_id"]) == set(portal.book)


@pytest.mark.parametrize("group", [2001, 2999])
def test_a_contact_that_joins_a_group_when_that_was_listed(portal, tmp_path, group):
    """Which it joined is not known, and that is told: the counts are asked again. The next sync finds it."""
    portal.book.add_group("خالی", 2999)
    added = []
    come = Fault.meanwhile(lambda: added.append(portal.book.add([group], FName="Late")))
    portal.plan(come, "ContactListUpdates", calls=[1])
    out = tmp_path / "output"
    result = export(settings(portal, out=out))
    members = portal.book.members(group)
    assert (
        f"group {group}: the portal counts {len(members)} contacts and lists {len(members) - 1}"
        in result.warnings
    )
    lines = {line["group_id"]: line for line in result.manifest["reconciliation"]["groups"]}
    assert (lines[group]["reconciled"], lines[group]["moved"]) == (False, True)
    assert sync(settings(portal, out=out)).outcome == "synced"
    with read_export(out) as done:
        pairs = done.contact_groups
        assert set(pairs["contact_id"][pairs["group_id"] == group]) == set(members)


def test_contacts_of_other_groups_are_not_missing_from_some(portal, tmp_path):
    """Where only a group was asked for, what the updates tell of others has nothing fetched or listed again."""
    export(settings(portal, out=tmp_path / "output"), groups=[2002])
    methods = [call.method for call in portal.calls]
    assert methods.count("ContactList") == 1
    assert "ContactGet" not in methods


def test_a_book_that_never_holds_still_is_listed_again_once(portal, tmp_path):
    """Where many contacts come while it is listed, all is listed once more; what still lacks then is told."""
    portal.plan(
        Fault.meanwhile(lambda: [portal.book.add([2001], FName="Late") for _ in range(60)]),
        "ContactListUpdates",
    )
    result = export(settings(portal, out=tmp_path / "output"))
    assert result.manifest["reconciliation"]["updates"]["state"] == "not proved"
    assert [call.method for call in portal.calls].count("ContactListUpdates") == 2


def test_a_contact_fetched_by_itself_is_fetched_once(tmp_path):
    """A build that starts over because a contact changed begins with what was fetched already."""
    book = AddressBook.invent(contacts=25, labels=1, dirty=False)
    with Portal(book, token=TOKEN) as portal:
        portal.plan(
            Fault.meanwhile(lambda: book.edit(100_001, FName="Newer")), "ContactListUpdates", calls=[1]
        )
        result = export(settings(portal, out=tmp_path / "output"))
        assert [call.method for call in portal.calls].count("ContactGet") == 1
    assert result.manifest["reconciliation"]["updates"]["fetched"] == 1
    with read_export(tmp_path / "output") as done:
        assert "Newer" in set(done.contacts["first_name"])


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_takes_the_token_nowhere(portal, tmp_path, code):
    """A redirect is never followed: the host it names hears nothing, the token least of all."""
    with Portal(AddressBook.invent(contacts=3)) as elsewhere:
        portal.plan(Fault.redirect(f"{elsewhere.url}/ContactGroupList", code))
        with pytest.raises(UnexpectedAnswer, match=f"HTTP {code}, a redirect"):
            export(settings(portal, out=tmp_path / "output"))
        assert elsewhere.calls == []


def test_a_listing_that_breaks_off_after_its_first_segment(portal, tmp_path, monkeypatch):
    """A listing that is cut after parts of it were read is downloaded and built anew, and nothing stands twice."""
    monkeypatch.setitem(Landing.__init__.__kwdefaults__, "segment_bytes", 1500)
    monkeypatch.setattr("amoot_etl.client._BLOCK", 1000)
    given = []
    original = Listing._announce

    def announce(self, segment) -> None:
        given.append((self.group_id, segment))
        original(self, segment)

    monkeypatch.setattr(Listing, "_announce", announce)
    cut = portal.plan(Fault.cut(0.7), "ContactList", times=3, group=2001)
    out = tmp_path / "output"
    export(settings(portal, out=out, retries=3))
    assert cut.done == 3
    assert len([group_id for group_id, _ in given if group_id == 2001]) > 4
    with read_export(out) as done:
        assert sorted(done.contacts["contact_id"]) == sorted(portal.book)


# Limits


def test_at_most_so_many_requests_a_second(portal):
    """`max_rps` holds across all threads."""
    with Client(settings(portal, max_rps=50, concurrency=4)) as client:
        started = time.monotonic()
        in_threads(lambda _: client.call("ContactGroupList"), range(11), 4)
    assert time.monotonic() - started >= 10 / 50


def test_no_more_requests_at_a_time_than_wished(portal, tmp_path):
    """`concurrency` is the most that the portal ever sees at once."""
    portal.plan(Fault.slow(0.05), "ContactList")
    export(settings(portal, out=tmp_path / "output", concurrency=2))
    assert portal.most_at_once <= 2


@pytest.mark.parametrize(
    "fault",
    [
        lambda: Fault.http(429, retry_after=0.4),
        lambda: Fault.rate_limit(0.4),
        lambda: Fault.header(X_RateLimit_Remaining="0", X_RateLimit_Reset="0.4"),
    ],
    ids=["retry-after", "rate-limit", "spent"],
)
def test_what_one_thread_is_asked_all_obey(portal, fault, monkeypatch):
    """When the portal asks one thread to wait, no thread asks anything until then."""
    moments = []
    portal.plan(Fault.meanwhile(lambda: moments.append(time.monotonic())))
    heeded = threading.Event()
    with Client(settings(portal, concurrency=4)) as client:
        heed = client._gate.heed

        def heed_and_tell(response) -> None:
            heed(response)
            heeded.set()

        monkeypatch.setattr(client._gate, "heed", heed_and_tell)
        portal.plan(fault(), "ContactGet", times=1)
        asked = threading.Thread(target=client.call, args=("ContactGet",), kwargs={"ContactID": 100_001})
        asked.start()
        # Until the answer's headers are here nobody can know.
        assert heeded.wait(10)
        first = moments[0]
        in_threads(lambda _: client.call("ContactGroupList"), range(4), 4)
        asked.join()
    assert len(moments) >= 5
    assert min(moments[1:]) - first >= 0.39


def test_a_portal_that_asks_for_too_long_ends_the_run(portal):
    """`Retry-After` beyond what a run can wait ends it at once, and the message says for how long."""
    portal.plan(Fault.http(503, retry_after=4000))
    with Client(settings(portal)) as client, pytest.raises(PortalUnavailable, match="try again in 4000 s"):
        client.call("ContactGroupList")
    assert len(portal.calls) == 1


@pytest.mark.parametrize(
    "asked", ["inf", "-inf", "nan", "soon", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"]
)
def test_a_wait_that_is_no_time_is_none(portal, asked):
    """`Retry-After` may hold anything: what is no time asks for nothing."""
    portal.plan(Fault.http(503, retry_after=asked))
    with (
        Client(settings(portal)) as client,
        pytest.raises(PortalUnavailable, match="try again later") as caught,
    ):
        client.call("ContactGroupList")
    assert caught.value.retry_after is None


def test_waiting_is_bounded_in_all(portal, monkeypatch):
    """All waits of a run together have an end, however many calls fail once."""
    monkeypatch.setattr("amoot_etl.client.limits.LONGEST_IN_ALL", 0.2)
    portal.plan(Fault.http(503, retry_after=0.05), calls=range(1, 100, 2))
    with (
        Client(settings(portal)) as client,
        pytest.raises(PortalUnavailable, match="HTTP 503"),
    ):
        in_threads(lambda _: client.call("ContactGroupList"), range(20), 1)
    assert len(portal.calls) <= 2 * 4 + 1


@pytest.mark.parametrize("fault", [Fault.hang, lambda: Fault.hang("in"), lambda: Fault.slow(30)])
def test_a_deadline_ends_a_transfer(portal, tmp_path, fault):
    """A deadline ends a run on time, also while the portal hangs or drips."""
    portal.plan(fault(), "ContactList")
    started = time.monotonic()
    with pytest.raises(
        PortalUnavailable, match=r"ContactList: not done within the deadline of 0\.5 s"
    ) as caught:
        export(settings(portal, out=tmp_path / "output", deadline=0.5))
    assert time.monotonic() - started < 20
    assert caught.value.status == "deadline"


def test_a_deadline_ends_the_retries(portal):
    """Where the next wait would pass the deadline, the portal's own error is told at once."""
    portal.plan(Fault.http(503))
    started = time.monotonic()
    with (
        Client(settings(portal, deadline=5, backoff=30)) as client,
        pytest.raises(PortalUnavailable, match="HTTP 503"),
    ):
        client.call("ContactGroupList")
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_may_not_be_larger_than_allowed(portal, tmp_path, chunked):
    """A body over the cap is refused once, with the way out, before the disk is full of it."""
    portal.plan(Fault.huge(3_000_000), "ContactList")
    portal.chunked = chunked
    with pytest.raises(UnexpectedAnswer, match="larger than 1 MB: allow more with --max-body") as caught:
        export(settings(portal, out=tmp_path / "output", max_body=1_000_000, concurrency=1))
    assert caught.value.status == "too large"
    assert len([call for call in portal.calls if call.method == "ContactList"]) == 1


def test_a_body_that_unpacks_to_more_than_allowed(portal, monkeypatch):
    """The cap counts unpacked bytes: a small gzip of a huge body is refused too."""
    monkeypatch.setattr(Settings, "on_loopback", False)
    portal.plan(Fault.raw(b'{"Status":"Success","Data":[' + b" " * 5_000_000 + b"]}"), "ContactList")
    with (
        Client(settings(portal, max_body=1_000_000)) as client,
        pytest.raises(UnexpectedAnswer, match="larger than"),
    ):
        extract_contacts(client)


def test_no_room_is_told_before_anything_is_downloaded(portal, tmp_path, monkeypatch):
    """Where the disk has less room than the counts ask for, the run ends before the first listing."""
    free = shutil._ntuple_diskusage(10**9, 10**9, room_needed(20))
    monkeypatch.setattr("amoot_etl.pipeline.room.shutil.disk_usage", lambda _: free)
    with pytest.raises(OutputError, match="make room, or choose another --out"):
        export(settings(portal, out=tmp_path / "output"))
    assert {call.method for call in portal.calls} == {"ContactGroupList"}
    check_room(tmp_path, 20)


def test_room_for_the_other_formats(portal, tmp_path, monkeypatch):
    """What is enough for Parquet is not enough with CSV or a workbook beside it, asked for or held by the folder."""
    out = tmp_path / "output"
    export(settings(portal, out=out), formats=["csv"])
    free = shutil._ntuple_diskusage(10**9, 10**9, room_needed(10**4))
    monkeypatch.setattr("amoot_etl.pipeline.room.shutil.disk_usage", lambda _: free)
    export(settings(portal, out=tmp_path / "alone"))
    for folder, formats in ((tmp_path / "other", ["xlsx"]), (out, [])):
        with pytest.raises(OutputError, match="make room"):
            export(settings(portal, out=folder), formats=formats)


def test_a_disk_that_fills_while_a_body_lands(portal, tmp_path, monkeypatch):
    """A full disk is told as a full disk, and is no reason to ask the portal again."""

    def full(self, block):
        raise OSError(28, "No space left on device", str(tmp_path / "00000.json"))

    monkeypatch.setattr(Landing, "write", full)
    with pytest.raises(OutputError, match="No space left on device"):
        export(settings(portal, out=tmp_path / "output", concurrency=1))
    assert len([call for call in portal.calls if call.method == "ContactList"]) == 1


# Interrupts, inside one process


def test_cancel_wakes_a_thread_that_hangs(portal):
    """`cancel` ends a transfer that hangs, and nothing begins after it."""
    came = threading.Event()
    portal.plan(Fault.meanwhile(came.set), "ContactList")
    portal.plan(Fault.hang("in"), "ContactList")
    ended = []

    def ask() -> None:
        with pytest.raises(PortalUnavailable, match="cancelled"):
            extract_contacts(client)
        ended.append(time.monotonic())

    with Client(settings(portal)) as client:
        thread = threading.Thread(target=ask)
        thread.start()
        assert came.wait(10)
        started = time.monotonic()
        client.cancel()
        thread.join(30)
        assert ended
        assert ended[0] - started < 20
        with pytest.raises(PortalUnavailable, match="cancelled"):
            client.call("ContactGroupList")


def test_contacts_asked_for_one_by_one_end_at_the_first_failure(portal):
    """When one of many contacts cannot be had, the others are not waited for."""
    portal.plan(Fault.hang(), "ContactGet")
    portal.plan(Fault.http(404), "ContactGet", contact=100_001)
    started = time.monotonic()
    with (
        Client(settings(portal, concurrency=3)) as client,
        pytest.raises(UnexpectedAnswer, match="HTTP 404"),
    ):
        fetch_each(client, itertools.islice(portal.book, 20))
    assert time.monotonic() - started < 20
