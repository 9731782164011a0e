"""SIGKILL of a sync, at every step and while it asks: the old set or the new one, and the next sync works.

The victim is a real process (`sync_victim.py`) that brings an export up to date from the embedded portal.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from publishing_world import assert_sound, assert_tidy
from sync_world import Tables, read_tables

from amoot_etl.demo import DEMO_TOKEN, AddressBook, Fault, Portal
from amoot_etl.loaders.generations import require_current
from amoot_etl.loaders.publish import STEPS
from amoot_etl.pipeline.export import export
from amoot_etl.pipeline.run import Keeping
from amoot_etl.pipeline.sync import sync
from amoot_etl.settings import Settings


class World:
    """A portal, an export of it, and syncs of the export that die.

    Args:
        portal: The portal.
        tmp_path: Where everything is written.
    """

    def __init__(self, portal: Portal, tmp_path: Path) -> None:
        self.portal = portal
        self.out = tmp_path / "out"
        self._tmp_path = tmp_path
        self._fresh = itertools.count()
        export(self.settings(), formats=["csv"], keeping=Keeping(keep=2))

    def settings(self, out: Path | None = None) -> Settings:
        """Give settings for this folder, or another."""
        return Settings(out=out or self.out, base_url=self.portal.url, token=DEMO_TOKEN, backoff=0.001)

    def change(self) -> None:
        """Edit a contact, move another, and add a third."""
        book = self.portal.book
        first, second = list(book)[:2]
        one, other = list(book.groups())[:2]
        book.edit(first, CityName=f"شهر {next(self._fresh)}")
        book.relabel(second, add=[one], remove=[other])
        book.relabel(second, add=[other], remove=[one])
        book.add([one], FName="تازه")

    def victim(self, kill_at: int = -1) -> subprocess.Popen:
        """Start a sync in a process of its own, which dies at a step."""
        script = Path(__file__).parent / "sync_victim.py"
        arguments = [self.out, self.portal.url, self.steps_file, str(kill_at)]
        return subprocess.Popen([sys.executable, script, *arguments])

    @property
    def steps_file(self) -> Path:
        """Where a victim notes its steps."""
        return self._tmp_path / "steps"

    def fresh(self) -> Tables:
        """Give what an export into a new folder holds."""
        elsewhere = self._tmp_path / f"fresh-{next(self._fresh)}"
        export(self.settings(elsewhere))
        return read_tables(elsewhere)

    def kill_and_check(self, process: subprocess.Popen, before: Tables, run: str) -> bool:
        """See what a victim leaves, and sync again; tell whether it was killed."""
        killed = process.wait(60) == -9
        assert_sound(self.out)
        new = self.fresh()
        found = read_tables(self.out)
        same_run = require_current(self.out).run_id == run
        assert found == (before if same_run else new)
        again = sync(self.settings(), keeping=Keeping(keep=2))
        # What was published already need not be published again.
        assert (again.outcome == "unchanged") == (not same_run)
        assert read_tables(self.out) == new
        assert_sound(self.out)
        assert_tidy(self.out)
        return killed

    def state(self) -> tuple[Tables, str]:
        """Give what is published, and the run that did it."""
        return read_tables(self.out), require_current(self.out).run_id


@pytest.fixture
def world(tmp_path):
    """Give a portal with a small book, exported."""
    with Portal(AddressBook.invent(contacts=60, labels=4, seed=5)) as portal:
        yield World(portal, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_sync_killed_at_every_step(world):
    """Killed at each step in turn, a sync leaves the old set or the new one, and the next one does the rest."""
    names, killed, at = set(), True, 0
    while killed:
        world.change()
        before, run = world.state()
        world.steps_file.unlink(missing_ok=True)
        killed = world.kill_and_check(world.victim(at), before, run)
        names |= set(world.steps_file.read_text().split())
        at += 1
    # With links the paths of a set of the same files move by the swap alone: there is none to show.
    assert names | {"show"} == set(STEPS)
    print(f"{at - 1} kills at the steps of a sync")  # noqa: T201 - the figure for the README


def test_a_sync_killed_just_before_the_swap(world):
    """Killed when all is written and nothing is swapped, a sync leaves the old set."""
    world.change()
    before, run = world.state()
    assert world.kill_and_check(world.victim(STEPS.index("swap")), before, run)
    assert world.steps_file.read_text().split()[-1] == "swap"


@pytest.mark.slow
@pytest.mark.parametrize("method", ["ContactGroupList", "ContactListUpdates", "ContactList", "ContactGet"])
def test_a_sync_killed_while_it_asks(world, method):
    """Killed while the portal answers, a sync leaves the old set and no body that the next one keeps."""
    world.change()
    before, run = world.state()
    victims = []

    def kill() -> None:
        victims[0].kill()

    world.portal.plan(Fault.meanwhile(kill), method, times=1)
    world.portal.plan(Fault.hang(), method, times=1)
    victims.append(world.victim())
    assert victims[0].wait(60) == -9
    world.portal.heal()
    assert world.kill_and_check(victims[0], before, run)
