"""Resume: a run goes on with what one that died had landed, and with nothing that may be wrong."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from sync_world import read_tables, short_calendar  # noqa: F401 - a fixture

from amoot_etl.cli._summary import summarise
from amoot_etl.demo import AddressBook, Fault, Portal
from amoot_etl.errors import PortalUnavailable, RefusedError, UnexpectedAnswer
from amoot_etl.extractors.groups import Group
from amoot_etl.extractors.landing import Segment
from amoot_etl.pipeline import resume
from amoot_etl.pipeline.export import export
from amoot_etl.pipeline.resume import Resume, Reused, Shelf
from amoot_etl.pipeline.run import Keeping
from amoot_etl.pipeline.sync import sync
from amoot_etl.settings import Settings

TOKEN = "planted-token-0123456789"
GROUPS = 6
DIED_AFTER = 4
TODAY = dt.date(2026, 11, 21)

pytestmark = pytest.mark.usefixtures("short_calendar")


class World:
    """A portal with six groups, and an output folder.

    Args:
        portal: The portal.
        out: The folder.
    """

    def __init__(self, portal: Portal, out: Path) -> None:
        self.portal = portal
        self.book = portal.book
        self.out = out
        self.groups = list(self.book.groups())

    def settings(self, **more) -> Settings:
        """Give settings under which listings come one after the other, and a failure ends the run at once."""
        fixed = {
            "base_url": self.portal.url,
            "token": TOKEN,
            "retries": 0,
            "backoff": 0.001,
            "concurrency": 1,
        }
        return Settings(**{**fixed, "out": self.out, **more})

    def export(self, *, account: str | None = None, keeping: Keeping | None = None, **more):
        """Export; arguments may be given."""
        return export(self.settings(account=account), keeping=keeping, today=TODAY, **more)

    def die(self, after: int = DIED_AFTER, **more) -> None:
        """Let a run die when so many listings have landed."""
        planned = self.portal.plan(Fault.http(503), "ContactList", calls=[after + 1])
        with pytest.raises(PortalUnavailable):
            self.export(**more)
        assert planned.done == 1
        self.portal.heal()

    def asked(self, run) -> list[int]:
        """Give the listings that a run asks the portal for."""
        before = len(self.portal.calls)
        run()
        calls = self.portal.calls[before:]
        return [int(call.fields["ContactGroupID"]) for call in calls if call.method == "ContactList"]

    @property
    def landing(self) -> Path:
        """Where runs land."""
        return self.out / ".amoot" / "landing"

    def landed(self, group_id: int) -> Path:
        """Give the folder of a listing that has landed whole."""
        (note,) = (path for path in self.landing.glob(f"*/*/{group_id}-*/landed.json"))
        return note.parent

    def assert_as_fresh(self, elsewhere: Path) -> None:
        """Assert that what is published is what an export into a new folder holds."""
        export(self.settings(out=elsewhere), today=TODAY)
        assert read_tables(self.out) == read_tables(elsewhere)
        assert not list(self.landing.iterdir())


@pytest.fixture
def world(tmp_path):
    """Give a portal with a small book, and a folder."""
    with Portal(AddressBook.invent(contacts=90, labels=GROUPS, seed=3), token=TOKEN) as portal:
        yield World(portal, tmp_path / "out")


def test_what_had_landed_is_not_asked_for_again(world, tmp_path):
    """After a run that died at its fifth listing, the next asks for the other two and -1, and tells the times."""
    before = dt.datetime.now(dt.UTC)
    world.die()
    died = dt.datetime.now(dt.UTC)
    results = []
    assert world.asked(lambda: results.append(world.export())) == [*world.groups[DIED_AFTER:], -1]
    lines = results[0].manifest["reconciliation"]["groups"]
    assert [line["group_id"] for line in lines] == [*world.groups, -1]
    times = [dt.datetime.fromisoformat(line["at"]) for line in lines]
    assert all(before - dt.timedelta(seconds=1) <= at <= died for at in times[:DIED_AFTER])
    assert all(at >= died - dt.timedelta(seconds=1) for at in times[DIED_AFTER:])
    assert [bool(line.get("landed_by")) for line in lines] == [True] * DIED_AFTER + [False] * 3
    assert results[0].run_id not in {line.get("landed_by") for line in lines}
    world.assert_as_fresh(tmp_path / "fresh")


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow),
               pytest.param(signal.SIGTERM, marks=pytest.mark.slow)],
)  # fmt: skip
def test_a_killed_run_is_gone_on_with(world, tmp_path, number):
    """A process that is killed or interrupted while its fifth listing comes leaves four to the next run."""
    victims = []
    world.portal.plan(
        Fault.meanwhile(lambda: victims[0].send_signal(number)), "ContactList", calls=[DIED_AFTER + 1]
    )
    world.portal.plan(Fault.hang(), "ContactList", calls=[DIED_AFTER + 1])
    command = [
        sys.executable,
        "-m",
        "amoot_etl",
        "export",
        "--out",
        str(world.out),
        "--concurrency",
        "1",
        "-q",
    ]
    environment = {**os.environ, "AMOOT_TOKEN": TOKEN, "AMOOT_BASE_URL": world.portal.url}
    victims.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE))
    victims[0].communicate()
    assert victims[0].returncode == {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    assert not (world.out / "contacts.parquet").exists()
    world.portal.heal()
    assert world.asked(world.export) == [*world.groups[DIED_AFTER:], -1]
    world.assert_as_fresh(tmp_path / "fresh")


def test_the_contacts_without_a_label_are_always_listed_anew(world, tmp_path):
    """A run interrupted when everything had landed leaves all but -1, for which there is no count to compare."""

    def interrupt(progress) -> None:
        if progress.listings_landed == progress.listings:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.export(watch=interrupt)
    assert world.asked(world.export) == [-1]
    world.assert_as_fresh(tmp_path / "fresh")


@pytest.mark.slow
def test_an_account_without_groups_has_nothing_to_go_on_with(tmp_path):
    """The one listing of an account without groups has no count to compare either."""
    book = AddressBook()
    book.add(FName="تنها")
    with Portal(book, token=TOKEN) as portal:
        world = World(portal, tmp_path / "out")

        def interrupt(progress) -> None:
            if progress.listings_landed:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            world.export(watch=interrupt)
        assert list(world.landing.iterdir()) == []
        assert world.asked(world.export) == [0]


@pytest.mark.slow
def test_runs_that_die_one_after_the_other_get_there(world, tmp_path):
    """What a run took over is not lost when it dies too."""
    world.die(2)
    world.die(2)
    world.die(1)
    assert world.asked(world.export) == [world.groups[5], -1]
    world.assert_as_fresh(tmp_path / "fresh")


def test_a_dead_run_leaves_whole_listings_and_nothing_else(world):
    """Of a run that died only what may be gone on with is kept: no part of a body, no half-made table, no names."""
    world.portal.plan(Fault.cut(0.5), "ContactList", group=world.groups[5])
    with pytest.raises(UnexpectedAnswer, match="cut"):
        world.export(raw=True)
    (run,) = world.landing.iterdir()
    (shelf,) = run.iterdir()
    kept = {path.name.rpartition("-")[0] for path in shelf.iterdir() if path.is_dir()}
    assert kept == {str(group) for group in world.groups[:5]}
    assert {path.name for path in shelf.iterdir() if path.is_file()} == {"plan.json"}
    notes = [path.read_text() for path in run.rglob("*.json") if not path.name[0].isdigit()]
    assert len(notes) == 6
    titles = {title for title in world.book.groups().values() if title}
    assert not any(secret in note for note in notes for secret in (TOKEN, *titles))
    for path in run.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_a_group_whose_count_moved_is_listed_again(world, tmp_path):
    """A contact added to a group that had landed makes the next run list that group again, and no other."""
    world.die()
    world.book.add([world.groups[1]], FName="تازه")
    assert world.asked(world.export) == [world.groups[1], *world.groups[DIED_AFTER:], -1]
    world.assert_as_fresh(tmp_path / "fresh")


def test_a_contact_that_changed_meanwhile_is_fetched(world):
    """What no count shows the portal's list of changes does: a contact edited in between is up to date."""
    world.die()
    member = json.loads(next(iter(world.book.listing(world.groups[0]))))["ID"]
    world.book.edit(member, FName="پس از مرگ")
    assert world.groups[0] not in world.asked(world.export)
    assert read_tables(world.out).contacts[member]["first_name"] == "پس از مرگ"


@pytest.mark.slow
def test_when_much_changed_meanwhile_everything_is_listed(world, tmp_path):
    """Where listing again is cheaper than asking for each contact, nothing old is taken over a second time."""
    world.die()
    for contact in list(world.book):
        world.book.edit(contact, CompanyTitle="تازه")
    asked = world.asked(world.export)
    assert asked[-GROUPS - 1 :] == [*world.groups, -1]
    world.assert_as_fresh(tmp_path / "fresh")


def test_a_group_more_and_nothing_is_taken_over(world):
    """Other groups than before: who is in which may have been put in order anew, and everything is listed."""
    world.die()
    world.book.add_group("تازه")
    assert world.asked(world.export) == [*world.book.groups(), -1]


def test_switched_off_nothing_is_kept(world):
    """With `resume_within` 0 a run that dies leaves no body on the disk."""
    world.die(keeping=Keeping(resume_within=dt.timedelta(0)))
    assert list(world.landing.iterdir()) == []


@pytest.mark.slow
def test_a_subset_goes_on_with_what_a_whole_run_landed(world):
    """A listing is a listing: a run for some groups takes over what a run for all had landed."""
    world.die()
    assert world.asked(lambda: world.export(groups=world.groups[:2])) == []
    assert set(read_tables(world.out).groups) == set(world.groups[:2])


@pytest.mark.slow
def test_a_sync_that_has_to_export_goes_on_too(world, tmp_path):
    """A sync without a set to start from takes over what an export had landed."""
    world.die()
    assert world.asked(lambda: sync(world.settings(), today=TODAY)) == [*world.groups[DIED_AFTER:], -1]
    world.assert_as_fresh(tmp_path / "fresh")


def test_a_sync_that_needs_nothing_of_it_clears_up(world):
    """A sync that finds nothing changed is a success too: what an export had landed before it died goes."""
    world.export()
    world.die()
    assert list(world.landing.iterdir())
    assert sync(world.settings(), today=TODAY).outcome == "unchanged"
    assert list(world.landing.iterdir()) == []


def test_the_summary_tells_what_was_taken_over(world, capsys):
    """Whoever reads the summary sees that a part of the set is older than the run, and how old."""
    world.die()
    result = world.export()
    summarise(result)
    oldest = min(line["at"] for line in result.manifest["reconciliation"]["groups"])
    assert (
        f"taken over                   4 listings of an earlier run, the oldest of {oldest}"
        in capsys.readouterr().out
    )


def test_a_rehearsal_leaves_nothing(world):
    """A dry run that reached its end is a success: what it landed is removed."""
    world.export(dry_run=True)
    assert list(world.landing.iterdir()) == []


@pytest.mark.slow
def test_a_refused_set_need_not_be_fetched_twice(world):
    """After a refusal the user looks, and runs again: only -1 is asked for."""
    world.export()
    for contact in list(world.book)[:50]:
        world.book.delete(contact)
    with pytest.raises(RefusedError):
        world.export()
    assert world.asked(lambda: world.export(max_shrink=1.0)) == [-1]


# What cannot be trusted


def _without_the_last_record(body: bytes) -> bytes:
    cut = body.rindex(b'},{"ID"') + 1
    return body[:cut] + b" " * (len(body) - cut - 1) + b"]"


SPOILT = {
    "a record less": _without_the_last_record,
    "a file of nothing": lambda body: bytes(len(body)),
    "a file that breaks off": lambda body: body[:-300] + b" " * 300,
    "a record that nobody can read": lambda body: body.replace(b'{"ID":1', b'{"ID":x', 1),
    "a shorter file": lambda body: body[:-1],
}


@pytest.mark.parametrize(
    "case",
    [
        "a record less",
        *(pytest.param(case, marks=pytest.mark.slow) for case in list(SPOILT)[1:]),
    ],
)
def test_a_body_that_is_not_what_it_was_is_fetched_anew(world, tmp_path, case):
    """A listing whose bytes changed is asked for again, also where that shows only in reading it; nothing is lost."""
    world.die()
    body = world.landed(world.groups[1]) / "00000.json"
    before = body.read_bytes()
    body.write_bytes(SPOILT[case](before))
    assert body.read_bytes() != before
    asked = world.asked(world.export)
    assert asked.count(world.groups[1]) == 1
    assert {*world.groups[DIED_AFTER:], -1} <= set(asked)
    assert len(asked) == len(set(asked))
    world.assert_as_fresh(tmp_path / "fresh")


class Shelves:
    """What a dead run landed, and what the next one takes of it, without a portal.

    Args:
        folder: Where they stand.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
        self.within = dt.timedelta(minutes=15)
        self.groups = [Group(7, "مشتریان", 2, 1), Group(8, "همکاران", 1, 1)]
        self.dead = self.shelf("dead")
        for group in self.groups:
            self.land(self.dead, group.group_id)

    def shelf(self, run_id: str, **more) -> tuple[Path, Shelf]:
        """Make a run's shelf."""
        place = self.folder / run_id / "listings-1"
        place.mkdir(parents=True)
        settings = more.get("settings", Settings(account="shop"))
        return place, Shelf(place, run_id, settings, more.get("groups", self.groups), lambda: self.now)

    def land(self, on: tuple[Path, Shelf], group_id: int, files: int = 2) -> Path:
        """Land a listing."""
        folder = on[0] / f"{group_id}-1"
        folder.mkdir()
        body = '[{"ID":7}]'
        segments = [
            Segment(folder / f"0000{number}.json", len(body), cut=True, last=number == files - 1)
            for number in range(files)
        ]
        for segment in segments:
            segment.path.write_text(body)
        on[1].note(group_id, folder, segments)
        return folder

    def taken(self, **more) -> dict[int, Reused]:
        """Give what the next run takes over."""
        landings = sorted((path.name, path) for path in self.folder.iterdir())
        output = SimpleNamespace(resume_within=self.within, landings=lambda: landings)
        _, shelf = self.shelf("next", **more)
        reused = Resume(output, "next").adopt(shelf, [7, 8, -1])
        assert [path.name for path in self.folder.iterdir()] == ["next"]
        return reused


@pytest.fixture
def shelves(tmp_path):
    """Give two listings, of the groups 7 and 8, that a dead run landed."""
    return Shelves(tmp_path)


def test_whole_listings_are_taken_over_with_their_notes(shelves):
    """Files, times and the run that landed them stay as they were, for this run and for one after it."""
    shelves.now += dt.timedelta(seconds=2)
    reused = shelves.taken()
    assert set(reused) == {7, 8}
    one = reused[7]
    assert [(*segment.path.parts[-2:], segment.cut, segment.last) for segment in one.segments] == [
        ("7-0", "00000.json", True, False),
        ("7-0", "00001.json", True, True),
    ]
    assert all(segment.path.read_text() == '[{"ID":7}]' for segment in one.segments)
    assert (one.at, one.run_id, one.bytes) == (shelves.now - dt.timedelta(seconds=2), "dead", 20)
    assert json.loads((one.segments[0].path.parent / "landed.json").read_text())["run_id"] == "dead"


def _told(**more):
    def change(folder: Path) -> None:
        note = json.loads((folder / "landed.json").read_text())
        (folder / "landed.json").write_text(json.dumps({**note, **more}))

    return change


def _first_file(**more):
    def change(folder: Path) -> None:
        note = json.loads((folder / "landed.json").read_text())
        _told(segments=[{**note["segments"][0], **more}, note["segments"][1]])(folder)

    return change


def _one_file_less(folder: Path) -> None:
    _told(segments=json.loads((folder / "landed.json").read_text())["segments"][:1])(folder)


def _through_a_link(folder: Path) -> None:
    real = (folder / "00000.json").rename(folder / "real.json")
    (folder / "00000.json").symlink_to(real)


UNTRUSTED = {
    "no note": lambda folder: (folder / "landed.json").unlink(),
    "a torn note": lambda folder: (folder / "landed.json").write_text('{"group_id": 7'),
    "a note that is no note": lambda folder: (folder / "landed.json").write_text("[]"),
    "a note of something else": lambda folder: (folder / "landed.json").write_text('{"segments": 7}'),
    "a number that is none": _told(group_id="x"),
    "another count": _told(counts=[3, 1]),
    "another count of active contacts": _told(counts=[2, 2]),
    "no count": _told(counts=None),
    "a time that is none": _told(at="yesterday"),
    "a time without a zone": _told(at="2026-11-21T12:00:00"),
    "of another start of the machine": _told(clock=-3600.0),
    "a file elsewhere": _first_file(name="../8-1/00000.json"),
    "a file through a link": _through_a_link,
    "a file less": lambda folder: (folder / "00001.json").unlink(),
    "a file less in the note": _one_file_less,
    "a shorter file": lambda folder: (folder / "00000.json").write_text("[]"),
    "a longer file": lambda folder: (folder / "00000.json").write_text('[{"ID":7}] '),
}


@pytest.mark.parametrize("case", UNTRUSTED)
def test_what_cannot_be_trusted_is_left(shelves, case):
    """A listing whose note or files are not what they were is not taken over, and the other one is."""
    UNTRUSTED[case](shelves.dead[0] / "7-1")
    assert set(shelves.taken()) == {8}


OTHERWISE = {
    "a new group": {"groups": [Group(7, "مشتریان", 2, 1), Group(8, "همکاران", 1, 1), Group(9, "تازه", 0, 0)]},
    "a group less": {"groups": [Group(7, "مشتریان", 2, 1)]},
    "a renamed group": {"groups": [Group(7, "مشتریان", 2, 1), Group(8, "دیگر", 1, 1)]},
    "another account": {"settings": Settings(account="school")},
    "no account": {"settings": Settings()},
    "another portal": {"settings": Settings(account="shop", base_url="http://127.0.0.1:1/rest")},
}


@pytest.mark.parametrize("case", OTHERWISE)
def test_nothing_is_taken_over_of_something_else(shelves, case):
    """Other groups, another account, another portal: everything is listed anew."""
    assert shelves.taken(**OTHERWISE[case]) == {}


def test_a_renewed_token_is_the_same_account(shelves):
    """A run that died of an expired token is gone on with by a new one."""
    assert set(shelves.taken(settings=Settings(account="shop", token="renewed"))) == {7, 8}


@pytest.mark.parametrize(("minutes", "taken"), [(14, {7, 8}), (15, set()), (-1, set())])
def test_the_window_is_the_user_s(shelves, monkeypatch, minutes, taken):
    """Listings younger than the window are taken over; older ones, or ones of a time to come, are not."""
    shelves.now += dt.timedelta(minutes=minutes)
    later = time.monotonic() + minutes * 60
    monkeypatch.setattr(resume.time, "monotonic", lambda: later)
    assert set(shelves.taken()) == taken


def test_nothing_within_nothing(shelves):
    """With a window of 0 nothing is taken over, however fresh."""
    shelves.within = dt.timedelta(0)
    assert shelves.taken() == {}


def test_without_a_plan_nothing_is_taken_over(shelves):
    """Listings of which nobody says whose they are are left."""
    (shelves.dead[0] / "plan.json").unlink()
    assert shelves.taken() == {}


def test_a_group_without_a_count_is_not_noted(shelves):
    """Where the portal tells no count there is nothing to compare later; so it is with -1."""
    other = shelves.shelf("other", groups=[Group(7, "مشتریان", None, None)])
    for group_id in (7, -1):
        assert not (shelves.land(other, group_id) / "landed.json").exists()


def test_the_latest_of_two_landings_counts(shelves):
    """Where two dead runs landed the same group, the later listing is taken, whatever the runs are called."""
    shelves.now += dt.timedelta(seconds=2)
    shelves.land(shelves.shelf("a later run"), 7)
    assert {group: one.run_id for group, one in shelves.taken().items()} == {7: "a later run", 8: "dead"}


def test_a_listing_without_contacts_is_one_too(shelves):
    """An empty listing has no files; its note is enough."""
    shelves.now += dt.timedelta(seconds=1)
    shelves.land(shelves.shelf("a later run"), 7, files=0)
    assert shelves.taken()[7].segments == []


def test_old_listings_go_with_the_next_run(world):
    """A run that comes past the window removes what it may not use, even if it fails before it lists anything."""
    world.die()
    old = dt.datetime.now(dt.UTC).timestamp() - 16 * 60
    for note in world.landing.rglob("landed.json"):
        os.utime(note, (old, old))
    world.portal.plan(Fault.http(503), "ContactGroupList")
    with pytest.raises(PortalUnavailable):
        world.export()
    assert list(world.landing.iterdir()) == []


def test_a_portal_that_is_down_takes_nothing_away(world):
    """A run that fails before it could list leaves what the one before it had landed."""
    world.die()
    world.portal.plan(Fault.http(503), "ContactGroupList", times=1)
    with pytest.raises(PortalUnavailable):
        world.export()
    assert world.asked(world.export) == [*world.groups[DIED_AFTER:], -1]
