"""Go on where a run died: what it had landed whole need not be fetched again.

A listing is taken over only where everything that was known when it landed still holds: the same portal and
account, the same groups by ID and title, the same counts of its group, not longer ago than the user allows, on a
machine that has not started anew since (what had not reached the disk then may be lost), every file of the size
that it had. The listing of the contacts without a label has no count to compare, and is always fetched anew.
Reading it settles the rest: one that cannot be read, or does not hold what the portal counts, is fetched anew too.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import logging
import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from amoot_etl.extractors.landing import Segment
from amoot_etl.loaders.atomic import remove_tree
from amoot_etl.loaders.landings import LANDED, PLAN, read_note, shelves, write_note
from amoot_etl.tehran import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from amoot_etl.extractors.groups import Group
    from amoot_etl.loaders.publish import Output
    from amoot_etl.settings import Settings

__all__ = ["Resume", "Reused", "Shelf"]

_log = logging.getLogger("amoot_etl.export")

_VERSION: Final = 1
_NAME: Final = re.compile(r"[0-9]{5,}\.json")
_CLOCKS_APART: Final = 5.0


class Reused(NamedTuple):
    """A listing that an earlier run landed."""

    segments: list[Segment]
    at: dt.datetime
    """When it had landed."""
    run_id: str
    """The run that landed it."""
    bytes: int


@dataclass(frozen=True, slots=True)
class Resume:
    """What a run may take over from those that died before it.

    Args:
        output: The folder, whose lock is held.
        run_id: The run.
    """

    output: Output
    run_id: str

    def adopt(self, shelf: Shelf, wanted: Sequence[int]) -> dict[int, Reused]:
        """Take over the listings that may be, and remove everything else that dead runs landed.

        There is nothing left for a second call: a run that lists again has everything as it is then.

        Args:
            shelf: Where they are put; its plan is written.
            wanted: Groups whose listings are wanted.

        Returns:
            Group to its listing.
        """
        found: dict[int, tuple[Path, Reused]] = {}
        dead = [(run, folder) for run, folder in self.output.landings() if run != self.run_id]
        for _, landing in dead:
            for other in shelves(landing):
                for group_id, (folder, one) in shelf.usable(other, self.output.resume_within).items():
                    if group_id in wanted and (group_id not in found or found[group_id][1].at < one.at):
                        found[group_id] = folder, one
        reused = {}
        for group_id, (folder, one) in found.items():
            with contextlib.suppress(OSError):
                reused[group_id] = shelf.take(group_id, folder, one)
        for _, landing in dead:
            remove_tree(landing)
        if reused:
            oldest = iso(min(one.at for one in reused.values()))
            runs = sorted({one.run_id for one in reused.values()})
            told = {"event": "resumed", "listings": len(reused), "oldest": oldest, "runs": runs}
            _log.info("%d listings landed in %s already, the oldest at %s", len(reused), ", ".join(runs), oldest,
                      extra=told)  # fmt: skip
        return reused


class Shelf:
    """A folder of listings, with what tells a later run whose they are and which of them have landed whole.

    Args:
        folder: The folder; it exists.
        run_id: The run.
        settings: Whose portal it is.
        groups: All groups of the account, as the portal told them before anything was listed.
        now: Gives the time.
    """

    def __init__(
        self,
        folder: Path,
        run_id: str,
        settings: Settings,
        groups: Sequence[Group],
        now: Callable[[], dt.datetime],
    ) -> None:
        self._folder = folder
        self._run_id = run_id
        self._now = now
        self._counts = {
            group.group_id: [group.contacts_count, group.contacts_active_count] for group in groups
        }
        known = json.dumps(sorted([group.group_id, group.title] for group in groups), default=str)
        self._plan = {
            "version": _VERSION,
            "base_url": settings.base_url,
            "account": settings.account,
            # Titles stay out of the file; that they are the same tells two accounts apart that number alike.
            "groups": hashlib.sha256(known.encode()).hexdigest(),
        }
        with contextlib.suppress(OSError):
            write_note(folder / PLAN, self._plan)

    def note(self, group_id: int, folder: Path, segments: Sequence[Segment]) -> None:
        """Note that a listing has landed whole and was checked; where that fails nobody will take it over."""
        counts = self._counts.get(group_id)
        if counts is None or counts[0] is None:
            return
        with contextlib.suppress(OSError):
            write_note(
                folder / LANDED,
                {
                    "group_id": group_id,
                    "run_id": self._run_id,
                    "at": iso(self._now()),
                    "clock": time.monotonic(),
                    "counts": counts,
                    "segments": [
                        {
                            "name": segment.path.name,
                            "bytes": segment.size,
                            "cut": segment.cut,
                            "last": segment.last,
                        }
                        for segment in segments
                    ],
                },
            )

    def usable(self, other: Path, within: dt.timedelta) -> dict[int, tuple[Path, Reused]]:
        """Give the listings on an earlier run's shelf that may be taken over: group to its folder and itself."""
        found: dict[int, tuple[Path, Reused]] = {}
        if read_note(other / PLAN) != self._plan:
            return found
        for folder in sorted(other.iterdir()):
            note = read_note(folder / LANDED) if folder.is_dir() else None
            if note is not None:
                # A note that says something else than ours do vouches for nothing.
                with contextlib.suppress(KeyError, TypeError, ValueError, OverflowError, OSError):
                    one = _reused(note, folder)
                    group_id = int(note["group_id"])
                    if note["counts"] == self._counts.get(group_id) and self._is_fresh(note, one.at, within):
                        found[group_id] = folder, one
        return found

    def take(self, group_id: int, folder: Path, one: Reused) -> Reused:
        """Move a listing here, its note with it, so that it is not lost if this run dies too."""
        # Attempts count from 1.
        place = self._folder / f"{group_id}-0"
        folder.rename(place)
        segments = [replace(segment, path=place / segment.path.name) for segment in one.segments]
        return one._replace(segments=segments)

    def _is_fresh(self, note: dict[str, Any], at: dt.datetime, within: dt.timedelta) -> bool:
        age = self._now() - at
        ticked = time.monotonic() - float(note["clock"])
        # One clock ran since the machine started, the other was set: they agree where neither was disturbed.
        undisturbed = abs(ticked - age.total_seconds()) <= _CLOCKS_APART
        return undisturbed and dt.timedelta(0) <= age < within


def _reused(note: dict[str, Any], folder: Path) -> Reused:
    """Give the listing that a note tells of.

    Raises:
        ValueError: A file of it is not as it was.
    """
    segments, size = [], 0
    for told in note["segments"]:
        path = folder / told["name"]
        if not _NAME.fullmatch(told["name"]) or path.is_symlink() or path.stat().st_size != told["bytes"]:
            raise ValueError("a file is not as it was")
        segments.append(Segment(path, told["bytes"], told["cut"] is True, told["last"] is True))
        size += told["bytes"]
    if segments and not segments[-1].last:
        raise ValueError("the last file is missing")
    return Reused(segments, dt.datetime.fromisoformat(note["at"]), str(note["run_id"]), size)
