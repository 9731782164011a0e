"""sync against an independent model: whatever the world does, the tables follow wherever stamps or counts show it."""

# ruff: noqa: D102 - a rule's name says what it does

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sync_world import expected_tables, read_tables, short_calendar, short_row_groups

from amoot_etl import errors, export
from amoot_etl.demo import DEMO_TOKEN, AddressBook, Fault, Portal
from amoot_etl.loaders.generations import require_current
from amoot_etl.pipeline.sync import sync
from amoot_etl.pipeline.verify import verify
from amoot_etl.settings import Settings

pytestmark = pytest.mark.usefixtures(short_calendar.__name__, short_row_groups.__name__)
TODAY = dt.date(2026, 11, 1)
CITIES = st.sampled_from(["تهران", "يزد", "  ", "", None, "Shiraz"])
MOBILES = st.sampled_from([9121234567, 9121234568, "۰۹۱۲۱۲۳۴۵۶۷", 9647701234567, "912", None])
BIRTHS = st.sampled_from(
    [
        {"BornDate": "1991-08-03T00:00:00"},
        {"BornDate": "2090-01-01T00:00:00"},
        {"BornDate": None, "BornDatePer": "70/05/12"},
        {"BornDate": "soon"},
        {},
    ]
)
ODD_STAMPS = [
    "soon",
    "2021-09-21T23:30:00.1234567",
    "0001-01-01T00:00:00",
    None,
    "2022-03-22T00:30:00",
    "2025-10-21T11:03:41Z",
]
NO_STAMPS = {None, "0001-01-01T00:00:00"}


class World(RuleBasedStateMachine):
    """An address book that changes at random, and syncs of it in between."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="amoot-sync-"))
        self.book = AddressBook()
        self.portal = Portal(self.book)
        self.portal.start()
        self.settings = Settings(
            base_url=self.portal.url,
            token=DEMO_TOKEN,
            out=self.folder / "output",
            backoff=0,
            retries=2,
            timeout=30,
        )
        self.pending = set()
        """Contacts whose change no list of changes has shown yet."""
        self.published = None
        """The tables as last published."""

    @initialize(contacts=st.integers(0, 14), raw=st.booleans())
    def begin(self, contacts, raw):
        groups = [self.book.add_group(f"گروه {number}") for number in range(3)]
        for number in range(contacts):
            labels = [groups[at] for at in range(3) if (number >> at) & 1]
            self.book.add(labels, FName=f"نام {number}", Mobile=9121234560 + number)
        export(self.settings, raw=raw, today=TODAY)
        self.check_all()

    # What the world does.

    @rule(labels=st.sets(st.integers(0, 4)), city=CITIES, mobile=MOBILES)
    def add(self, labels, city, mobile):
        groups = list(self.book.groups())
        labels = [groups[at] for at in labels if at < len(groups)]
        self.pending.add(self.book.add(labels, CityName=city, Mobile=mobile))

    @rule(at=st.integers(0, 50), city=CITIES, mobile=MOBILES, birth=BIRTHS, active=st.booleans())
    def edit(self, at, city, mobile, birth, active):
        if contact := self.pick(at):
            self.book.edit(contact, CityName=city, Mobile=mobile, Active=active, **birth)
            self.pending.add(contact)

    @rule(at=st.integers(0, 50), stamp=st.sampled_from(ODD_STAMPS), name=st.text("ab", max_size=2))
    def stamp_oddly(self, at, stamp, name):
        if contact := self.pick(at):
            record = self.book.contact(contact)
            # No stamp after no stamp shows nothing: an empty one, and the one that stands for none.
            if record["UpdateDateTime"] != stamp and not {record["UpdateDateTime"], stamp} <= NO_STAMPS:
                self.book.put(
                    contact, {**record, "FName": name, "UpdateDateTime": stamp}, self.book.labels(contact)
                )
                self.pending.add(contact)

    @rule(at=st.integers(0, 50))
    def delete(self, at):
        if contact := self.pick(at):
            self.book.delete(contact)

    @rule(at=st.integers(0, 50))
    def mark_deleted(self, at):
        if contact := self.pick(at):
            self.book.mark_deleted(contact)
            self.pending.add(contact)

    @rule(at=st.integers(0, 50), labels=st.sets(st.integers(0, 4)), stamp=st.booleans())
    def relabel(self, at, labels, stamp):
        if contact := self.pick(at):
            groups = list(self.book.groups())
            labels = {groups[at] for at in labels if at < len(groups)}
            self.book.relabel(contact, labels, self.book.labels(contact) - labels, stamp=stamp)
            if stamp:
                self.pending.add(contact)

    @rule(at=st.integers(0, 4), title=st.sampled_from(["تازه", "گروه 0", "", "كهن"]))
    def rename_group(self, at, title):
        groups = list(self.book.groups())
        if at < len(groups):
            self.book.rename_group(groups[at], title)

    @rule()
    def add_group(self):
        if len(self.book.groups()) < 5:
            self.book.add_group("گروه نو")

    @rule(at=st.integers(0, 4), stamp=st.booleans())
    def drop_group(self, at, stamp):
        groups = list(self.book.groups())
        if at < len(groups):
            if stamp:
                self.pending.update(self.book.members(groups[at]))
            self.book.drop_group(groups[at], stamp=stamp)

    @rule(
        updates=st.sampled_from(["full", "full", "recent", "empty"]),
        missing=st.sampled_from(["ContactID_Invalid", "Failed"]),
    )
    def change_moods(self, updates, missing):
        self.book.updates, self.book.missing = updates, missing

    # What we do.

    @rule(
        method=st.sampled_from(["ContactGet", "ContactList", "ContactListUpdates", "ContactGroupList"]),
        fault=st.sampled_from([Fault.http(503), Fault.cut(), Fault.status("ServerError")]),
        times=st.integers(1, 2),
    )
    def sync_through_faults(self, method, fault, times):
        self.portal.plan(fault, method, times=times)
        self.sync()
        self.portal.heal()

    @rule(method=st.sampled_from(["ContactGet", "ContactList", "ContactListUpdates", "ContactGroupList"]))
    def sync_in_vain(self, method):
        before = require_current(self.settings.out).run_id
        planned = self.portal.plan(Fault.http(503), method)
        try:
            sync(self.settings, today=TODAY, accept_shrink=True)
        except errors.PortalUnavailable:
            assert require_current(self.settings.out).run_id == before
            assert verify(self.settings.out).problems == []
        else:
            assert not planned.done or method == "ContactListUpdates"
            self.check()
        self.portal.heal()

    @rule(at=st.integers(0, 50), method=st.sampled_from(["ContactGet", "ContactList", "ContactListUpdates"]))
    def sync_in_a_moving_world(self, at, method):
        """What changes meanwhile is healed by the next sync."""
        contact = self.pick(at)
        if contact is None:
            return
        groups = list(self.book.groups())

        def move():
            if contact in self.book:
                self.book.relabel(contact, groups[at % 3 : at % 3 + 1], self.book.labels(contact))
                self.book.edit(contact, CityName=f"شهر {at}")

        self.pending.add(contact)
        self.portal.plan(Fault.meanwhile(move), method, times=1)
        sync(self.settings, today=TODAY, accept_shrink=True)
        self.portal.heal()
        assert verify(self.settings.out).problems == []
        self.published = read_tables(self.settings.out)
        self.sync()

    @rule()
    def sync(self):
        self.result = sync(self.settings, today=TODAY, accept_shrink=True)
        self.check()

    @precondition(lambda self: self.pending)
    @rule()
    def sync_in_full(self):
        result = sync(self.settings, full=True, today=TODAY, accept_shrink=True)
        assert result.outcome == "exported"
        self.check_all()

    def teardown(self):
        """At the end a sync that lists everything gives what a fresh export of the same moment gives."""
        try:
            if (self.folder / "output").exists():
                self.portal.heal()
                self.end()
        finally:
            self.portal.stop()
            shutil.rmtree(self.folder)

    def end(self):
        proved = self.proved(read_tables(self.settings.out))
        self.book.updates = "full"
        sync(self.settings, today=TODAY, accept_shrink=True)
        synced = read_tables(self.settings.out)
        fresh = Settings(base_url=self.portal.url, token=DEMO_TOKEN, out=self.folder / "fresh", backoff=0)
        export(fresh, raw=bool(synced.raw), today=TODAY)
        fresh = read_tables(self.folder / "fresh")
        if synced.members == fresh.members and (proved or synced.contacts.keys() == fresh.contacts.keys()):
            for mine, theirs in zip(synced, fresh, strict=True):
                assert mine == theirs
        sync(self.settings, full=True, today=TODAY, accept_shrink=True)
        assert read_tables(self.settings.out) == fresh

    # What must hold.

    def pick(self, at):
        contacts = list(self.book)
        return contacts[at % len(contacts)] if contacts else None

    def proved(self, found):
        """Whether the last set claims that the list of changes told of everybody, and that list may say who is gone.

        One that leaves out more than it mentions (an empty one of an empty book, too) may be one of recent changes.
        """
        gone = found.contacts.keys() - set(self.book)
        updates = require_current(self.settings.out).manifest["reconciliation"]["updates"]
        return updates["state"] == "proved" and len(gone) <= len(self.book)

    def check(self):
        """Compare what was published with the model, wherever stamps or counts show it."""
        assert verify(self.settings.out).problems == []
        expected = expected_tables(self.book, today=TODAY)
        found = read_tables(self.settings.out)
        seen = self.book.updates == "full" or self.result_was_full()
        if seen:
            self.pending = set()
        elif self.book.updates == "recent":
            since = self.book.now - self.book.recent
            mentioned = {c for c in self.pending if c in self.book and self._is_recent(c, since)}
            self.pending -= mentioned
        self.check_rows(found, expected)
        self.check_groups(found)
        self.check_members(found, expected)
        self.published = found

    def result_was_full(self):
        return require_current(self.settings.out).manifest["mode"] == "export" and not self.pending

    def _is_recent(self, contact, since):
        stamp = self.book.contact(contact)["UpdateDateTime"] or ""
        try:
            return dt.datetime.fromisoformat(stamp).replace(tzinfo=None) >= since
        except ValueError:
            return False

    def check_rows(self, found, expected):
        missing = expected.contacts.keys() - found.contacts.keys()
        assert missing <= self.pending
        for contact in expected.contacts.keys() - self.pending:
            mine = {**found.contacts[contact], "groups": None, "extra": None}
            assert mine == {**expected.contacts[contact], "groups": None, "extra": None}
        ghosts = found.contacts.keys() - expected.contacts.keys()
        if self.book.updates == "full" and self.proved(found):
            assert not ghosts
            told = {row[:3] for row in found.issues}
            assert told == expected.issues
        for contact in found.contacts:
            titles = [
                found.groups[g]["title"]
                for g in sorted(found.members)
                if contact in found.members[g] and found.groups[g]["title"]
            ]
            assert found.contacts[contact]["groups"] == (" | ".join(titles) or None)

    def check_groups(self, found):
        counts = self.book.counts()
        assert {
            g: (row["contacts_count"], row["contacts_active_count"]) for g, row in found.groups.items()
        } == counts
        for g, row in found.groups.items():
            members = found.members[g]
            assert row["contacts_exported"] == len(members)
            assert row["contacts_active_exported"] == sum(
                found.contacts[c]["active"] is True for c in members
            )

    def check_members(self, found, expected):
        """A group's members are right, unless its counts look as if nothing had changed and nobody seems to move."""
        actual = {
            group: frozenset(c for c, g in expected.contact_groups if g == group) for group in found.groups
        }
        before = self.published.members
        shown = {group for group in found.groups if not self.looks_alike(group, found)}
        moves = {group: before.get(group, frozenset()) ^ actual[group] for group in shown}
        visible = {c for c in set().union(*moves.values()) if c in self.published.contacts and c in self.book}
        if self.book.updates == "full":
            visible |= {c for c in self.published.contacts if self.only_restamped(c, expected)}
        for group in found.groups:
            old = before.get(group, frozenset())
            left = (old - actual[group]) & visible
            came = {c for c in actual[group] - old if c in visible or c not in self.published.contacts}
            if group in shown or (left and came & found.contacts.keys()):
                assert found.members[group] == actual[group], group
        for contact in found.contacts.keys() - self.published.contacts.keys():
            groups = {group for group in found.groups if contact in actual[group]}
            placed = {group for group in found.groups if contact in found.members[group]}
            assert placed <= groups
            assert bool(placed) == bool(groups)

    def looks_alike(self, group, found):
        """Say whether a group's counts are those of the members that were published, or of all that still are."""
        old = self.published.members.get(group, frozenset())
        return any(
            self.counted(some, found) == self.book.counts()[group] for some in (old, old & set(self.book))
        )

    def only_restamped(self, contact, expected):
        """Say whether nothing of a contact is new but its stamp, and its groups perhaps."""
        was, now = self.published.contacts[contact], expected.contacts.get(contact)
        if now is None or was["updated_at"] == now["updated_at"] or now["updated_at"] is None:
            return False
        apart = ("groups", "extra", "updated_at", "updated_date", "updated_date_jalali")
        return all(was[name] == now[name] for name in now if name not in apart)

    def counted(self, members, found):
        def active(contact):
            if contact in self.book:
                return self.book.contact(contact)["Active"] is True
            return contact in found.contacts and found.contacts[contact]["active"]

        return len(members), sum(map(active, members))

    def check_all(self):
        """After everything was listed, every table is right."""
        expected = expected_tables(self.book, today=TODAY)
        found = read_tables(self.settings.out)
        self.pending = set()
        assert found.contacts.keys() == expected.contacts.keys()
        self.check_rows(found, expected)
        self.check_groups(found)
        assert {(c, g) for g, members in found.members.items() for c in members} == expected.contact_groups
        assert {row[:3] for row in found.issues} == expected.issues
        self.published = found


def _run(examples, steps, *, new):
    run_state_machine_as_test(
        World,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
            # Making a story short takes minutes; to have it done, add Phase.shrink.
            phases=(Phase.generate,),
            database=None,
            # The same stories every time, but where new ones are looked for.
            derandomize=not new,
        ),
    )


def test_sync_follows_whatever_happens():
    """Tables equal the model after every sync, and a fresh export's after a full one."""
    _run(examples=5, steps=10, new=False)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_sync_follows_whatever_happens_for_long():
    """The same, with longer stories."""
    _run(examples=10, steps=25, new=False)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_sync_follows_whatever_happens_for_very_long():
    """The same, many times over."""
    _run(examples=150, steps=40, new=True)
