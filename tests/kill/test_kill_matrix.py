"""SIGKILL at every step and at any moment: what readers see is whole, and the next run works.

The victim is a real process (`publish_server.py`). After each kill the folder must show exactly the old set
or the new one, and pass `verify`; after the next run nothing must be left of the dead one.
"""

from __future__ import annotations

import json
import os
import random
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from publishing_world import assert_sound, assert_tidy, book_number, seen

from amoot_etl.errors import VerificationError
from amoot_etl.loaders.generations import current_run
from amoot_etl.loaders.publish import STEPS
from amoot_etl.pipeline.read import read_export

LAYOUTS = {
    "links": {"links": True},
    "copies": {"links": False},
}
KILLS = int(os.environ.get("AMOOT_TEST_KILLS", "50"))
"""Random kills for each layout; `make soak` asks for thousands."""


class Victim:
    """Another process that publishes, and dies where it is told to.

    Args:
        process: The server.
        folder: The output folder.
    """

    def __init__(self, process: subprocess.Popen, folder: Path) -> None:
        self._process = process
        self.folder = folder
        self.number = 0

    def publish(self, formats, **order) -> bool:
        """Publish the next book; tell whether the run was killed."""
        self.number += 1
        order = {"folder": str(self.folder), "number": self.number, "formats": formats, **order}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        self.number += order.get("times", 1) - 1
        answer = json.loads(self._process.stdout.readline())
        assert not answer["failed"], "the run failed by itself"
        return answer["killed"]

    def start(self, formats, **order) -> None:
        """Begin to publish without waiting."""
        order = {"folder": str(self.folder), "number": self.number + 1, "formats": formats, **order}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def is_done(self) -> bool:
        """Tell whether what was begun has ended."""
        return bool(select.select([self._process.stdout], [], [], 0)[0])


@pytest.fixture(scope="module")
def server():
    """Give the server, one for all tests of this file."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "publish_server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.stdin.close()
    process.wait()
    process.stdout.close()


@pytest.fixture
def victim(server, tmp_path):
    """Give the server as the victim of one test."""
    return Victim(server, tmp_path / "out")


def held(folder: Path) -> int | None:
    """Give the number of the book that the current set holds, having checked that it holds no other."""
    if current_run(folder) is None:
        return None
    with read_export(folder) as export:
        (city,) = set(export.contacts["city"])
        number = int(city.removeprefix("book "))
        assert list(export.contacts["contact_id"]) == list(book_number(number).contacts)
        pairs = zip(export.contact_groups["contact_id"], export.contact_groups["group_id"], strict=True)
        assert set(pairs) == book_number(number).members
        assert list(export.export_info["run_id"]) == [export.run_id]
        return number


def kill_and_check(victim: Victim, formats, **order) -> bool:
    """Publish with a kill, check what is left, publish again, check that nothing of the dead run is left."""
    before = held(victim.folder)
    killed = victim.publish(formats, **order)
    assert_sound(victim.folder)
    assert held(victim.folder) in (before, victim.number)
    order = {key: value for key, value in order.items() if key in {"links", "sabotage"}}
    assert not victim.publish(formats[:1] if victim.number % 4 else formats, **order)
    assert_sound(victim.folder)
    assert_tidy(victim.folder)
    assert held(victim.folder) == victim.number
    return killed


def steps_of(victim: Victim, tmp_path: Path, formats, **order) -> list[str]:
    """Publish once more and give the names of all steps on the way."""
    path = tmp_path / "steps"
    path.unlink(missing_ok=True)
    victim.publish(formats, steps=str(path), **order)
    return path.read_text().split()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_kill_at_the_steps_around_the_swap(victim, tmp_path, layout):
    """Killed just before and after the swap, and amid the paths, a run leaves the old set or the new one."""
    order = LAYOUTS[layout]
    victim.publish(["parquet"], **order)
    steps = steps_of(victim, tmp_path, ["parquet", "csv"], **order)
    for at in sorted({steps.index("swap"), steps.index("confirm"), len(steps) - 3}):
        assert kill_and_check(victim, ["parquet", "csv"], kill_at=at, **order)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "formats", [["parquet"], ["parquet", "csv"], ["parquet", "csv", "xlsx"]], ids="+".join
)
def test_a_kill_at_every_step(victim, tmp_path, layout, formats):
    """Killed at each step in turn, from the first publish on, a run leaves the old set or the new one."""
    order = LAYOUTS[layout]
    names, at, killed = set(), 0, True
    while killed:
        steps = tmp_path / f"steps-{at}"
        killed = kill_and_check(victim, formats, kill_at=at, steps=str(steps), **order)
        names |= set(steps.read_text().split())
        at += 1
    # With links a set of the same files moves every path by the swap alone: there is no path to show.
    assert names | {"show"} == {*STEPS, "write"}
    print(f"{layout} {'+'.join(formats)}: {at - 1} kills at steps")  # noqa: T201 - the figure for the README


@pytest.mark.slow
@pytest.mark.timeout(36000)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_kill_at_any_moment(victim, layout):
    """Killed at random moments, a run leaves the old set or the new one."""
    order, moments, kills = LAYOUTS[layout], random.Random(layout), 0
    started = time.perf_counter()
    for _ in range(3):
        victim.publish(["parquet", "csv"], **order)
    usual = (time.perf_counter() - started) / 3
    for _ in range(KILLS):
        kills += kill_and_check(victim, ["parquet", "csv"], after=moments.uniform(0, usual), **order)
    assert kills > KILLS // 4
    print(f"{layout}: {kills} kills at random moments of {KILLS}")  # noqa: T201


@pytest.mark.parametrize(
    ("sabotage", "layout", "formats", "step", "time"),
    [
        ("publish in place", "links", ["parquet"], "manifest", 1),
        ("let paths dangle", "links", ["parquet"], "confirm", 1),
        ("leave dead drafts", "links", ["parquet"], "check", 1),
        ("write paths in pieces", "copies", ["parquet", "csv"], "half", 1),
        ("show before the swap", "links", ["parquet", "csv", "xlsx"], "show", 2),
    ],
)
def test_a_careless_publisher_is_caught(victim, tmp_path, sabotage, layout, formats, step, time):  # noqa: PLR0917
    """A publisher that is broken on purpose fails these checks: they can fail."""
    order = {**LAYOUTS[layout], "sabotage": sabotage}
    rehearsal = Victim(victim._process, tmp_path / "rehearsal")
    for each in (rehearsal, victim):
        each.publish(["parquet", "csv"], **LAYOUTS[layout])
    steps = steps_of(rehearsal, tmp_path, formats, **order)
    at = [index for index, name in enumerate(steps) if name == step][time - 1]
    with pytest.raises((AssertionError, VerificationError)):
        kill_and_check(victim, formats, kill_at=at, **order)


def read_beside(victim: Victim, times: int, **order) -> int:
    """Read again and again while another process publishes; give how many sets were read."""
    victim.publish(["parquet", "csv"], feed=False, **order)
    seen_runs, reads = [], 0
    victim.start(["parquet", "csv"], feed=False, times=times, **order)
    while not victim.is_done():
        with read_export(victim.folder) as export:
            numbers = {int(city.removeprefix("book ")) for city in set(export.contacts["city"])}
            assert len(numbers) == 1
            assert len(export.contacts) == len(book_number(numbers.pop()).contacts)
            assert list(export.export_info["run_id"]) == [export.run_id]
            seen_runs.append(export.run_id)
        shown = seen(victim.folder)
        assert {"contacts.parquet", "contacts.csv", "manifest.json"} <= set(shown)
        assert not {"dangling", "torn", "empty", ""} & set(shown.values())
        reads += 1
    victim._process.stdout.readline()
    assert seen_runs == sorted(seen_runs)
    assert len(set(seen_runs)) > min(times, 10) // 3
    return reads


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_reader_beside_exports_sees_only_published_sets(victim, layout):
    """Reading again and again while another process publishes gives one whole set each time."""
    assert read_beside(victim, 10, **LAYOUTS[layout])


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_reader_beside_a_hundred_exports(victim, layout):
    """The same, a hundred times."""
    reads = read_beside(victim, 100, **LAYOUTS[layout])
    print(f"{layout}: {reads} reads beside 100 exports")  # noqa: T201
