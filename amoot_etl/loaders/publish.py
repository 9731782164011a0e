"""Publishing: everything of a run is written beside the old set, and becomes current in one atomic step.

```
with output.lock():                       one writer; what dead runs left is swept, links are put right
    with output.begin(run_id) as draft:   a folder of its own for the new set
        write to draft.path("contacts.parquet") …
        generation = draft.publish(manifest, written)
```

A publish goes through `STEPS`. Until `swap` has happened nothing outside `.amoot/` has changed and the draft
can be thrown away; after it the new set is current, and what is left to do the next run would do too.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from amoot_etl.errors import AmootError, OutputError, VerificationError
from amoot_etl.loaders import landings
from amoot_etl.loaders.atomic import as_output_error, make_folder, remove_tree, sync_folder, write_json
from amoot_etl.loaders.draft import Draft
from amoot_etl.loaders.generations import (
    DRAFT_MARK,
    HOME,
    MANIFEST,
    RUN_ID,
    Generation,
    current_generation,
    current_run,
    list_generations,
    load_generation,
    new_run_id,
    published_runs,
    sound_current,
)
from amoot_etl.loaders.lock import hold_lock
from amoot_etl.loaders.stable import StablePaths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["STEPS", "Output"]

STEPS: Final = (
    "sweep",  # what dead runs left is removed, stable paths are put right
    "draft",  # the new set's folder is made
    "settle",  # files get their modes, their hashes, and are on disk
    "manifest",  # the manifest is written
    "check",  # files are read back against it
    "sync",  # the folders' names are on disk
    "hold",  # paths that the new set lacks are tied to the old one
    "swap",  # the new set becomes current: the one atomic step
    "confirm",  # the swap is on disk
    "show",  # one stable path is made, replaced or removed: once for each that must change
    "prune",  # generations past keeping are removed
    "end",
)
"""What the hook of an `Output` is called with, each just before it happens."""

_MODES: Final = {"private": (0o600, 0o700), "group": (0o640, 0o750)}


def _mode_of(home: Path) -> Literal["private", "group"]:
    """Give the mode that a folder was published with so far."""
    with contextlib.suppress(OSError):
        return "group" if home.stat().st_mode & 0o070 else "private"
    return "private"


def _leaves_landings(error: BaseException) -> bool:
    """Say whether a run that ended so may be gone on with.

    Not after a bug or a set that failed its check, since what landed may be the cause; nor after the disk's refusal,
    since it may be full.
    """
    if isinstance(error, Exception):
        return isinstance(error, AmootError) and not isinstance(error, OutputError | VerificationError)
    return True


def _nothing(_step: str) -> None:
    """Do nothing: the hook that an `Output` has unless given one."""


class Output:
    """An output folder and its one writer.

    Args:
        folder: The folder; it is made when something is written.
        mode: `private` (files 0600, folders 0700) or `group` (0640, 0750: for a service of the same group);
            None: as the folder is, and a new one private.
        links: Whether stable paths are links; None: as they are, and in a new folder where the disk and the
            system allow them.
        keep: How many generations are kept at least, the current one among them.
        keep_for: How long a generation is kept after another took its place.
        resume_within: How long a listing that had landed whole when its run died is kept for the next one.
        step: The hook: called with each name of `STEPS` just before it happens. What it raises takes effect
            as if the step had failed, and an `OSError` as if the disk had refused.
    """

    def __init__(  # noqa: PLR0913 - each is a setting with a default of its own
        self,
        folder: Path | str,
        *,
        mode: Literal["private", "group"] | None = None,
        links: bool | None = None,
        keep: int = 3,
        keep_for: timedelta = timedelta(hours=24),
        resume_within: timedelta = timedelta(0),
        step: Callable[[str], None] = _nothing,
    ) -> None:
        self.folder = Path(folder).absolute()
        self.home = self.folder / HOME
        self.file_mode, self.folder_mode = _MODES[mode or _mode_of(self.home)]
        self.keep = max(1, keep)
        self.keep_for = keep_for
        self.resume_within = resume_within
        self.step = step
        self.paths = StablePaths(self.folder, links=links, folder_mode=self.folder_mode, step=step)
        self._held = False

    def __repr__(self) -> str:
        """Show the folder."""
        return f"Output({str(self.folder)!r})"

    # Reading

    def current(self) -> Generation | None:
        """Give the current generation, or None."""
        return current_generation(self.folder)

    def generations(self) -> list[Generation]:
        """Give the kept generations, the oldest first."""
        return list_generations(self.folder)

    def generation(self, run_id: str) -> Generation:
        """Give one generation by name.

        Raises:
            OutputError: There is none of that name.
        """
        if run_id in published_runs(self.folder):
            with contextlib.suppress(FileNotFoundError):
                return load_generation(self.folder, run_id)
        raise OutputError(
            f"{self.folder} holds no generation {run_id}: `amoot-etl generations` lists them", subject=run_id
        )

    # Writing, under the lock

    @contextlib.contextmanager
    def lock(self, wait: float | None = None, purpose: str = "export") -> Iterator[dict[str, Any] | None]:
        """Hold the folder as its one writer, after removing what dead runs left in it.

        Args:
            wait: Seconds to wait while another run holds it; `math.inf` for ever, None not at all.
            purpose: The command, for whoever finds the folder held.

        Yields:
            The note of an owner that died holding the lock (`pid`, `host`, `purpose`, `since`), or None.

        Raises:
            OutputLocked: Another run holds it.
            OutputError: The folder cannot be written.
        """
        self._make_home()
        with hold_lock(self.home, purpose, wait) as dead:
            self._held = True
            try:
                self._sweep()
                yield dead
            except BaseException as error:
                if not _leaves_landings(error):
                    self.sweep_landings(timedelta(0))
                raise
            finally:
                self._held = False
                self.sweep_landings(self.resume_within)

    def new_run_id(self, now: datetime | None = None) -> str:
        """Give a name for a run, later than every one that this folder holds."""
        return new_run_id(
            now or datetime.now(UTC), secrets.randbits(16), max(published_runs(self.folder), default="")
        )

    def begin(self, run_id: str) -> Draft:
        """Make the folder of a new set.

        Raises:
            OutputError: The folder cannot be written, or a file of someone else stands where ours would.
            RuntimeError: The lock is not held.
            ValueError: The name does not sort after those of all generations there are.
        """
        self.require_lock()
        if not RUN_ID.fullmatch(run_id) or run_id <= max(published_runs(self.folder), default=""):
            raise ValueError(f"{run_id!r} is no name for a new run: take it from new_run_id()")
        current = sound_current(self.folder)
        # Better now than after an hour's download.
        self.paths.check(current.names if current else ("contacts.parquet", MANIFEST))
        folder = self.home / "generations" / run_id
        with as_output_error(folder):
            self.step("draft")
            make_folder(folder, self.folder_mode)
            (folder / DRAFT_MARK).touch(mode=0o600)
        return Draft(self, run_id, folder)

    def landing(self, run_id: str) -> Path:
        """Give the folder for a run's landed bodies, private in every mode; it goes when a run succeeds."""
        self.require_lock()
        folder = self.home / "landing" / run_id
        with as_output_error(folder):
            make_folder(folder.parent, 0o700)
            return make_folder(folder, 0o700)

    def landings(self) -> list[tuple[str, Path]]:
        """Give what earlier runs landed and may still be used: run and folder, the oldest run first."""
        with contextlib.suppress(FileNotFoundError):
            return sorted((entry.name, Path(entry.path)) for entry in os.scandir(self.home / "landing"))
        return []

    def make_current(self, generation: Generation) -> None:
        """Go back (or forward) to a kept generation, in one atomic step.

        Raises:
            OutputError: The folder cannot be written; the generation may have become current all the same
                when a stable path is held open by another program, and the message says so.
            RuntimeError: The lock is not held.
        """
        self.require_lock()
        self.swap(sound_current(self.folder), generation)

    def write_note(self, name: str, value: Any) -> None:
        """Write a small private JSON file inside `.amoot/` (`last-check.json`), old or new at any moment."""
        self._make_home()
        write_json(self.home / name, value)

    def log_folder(self) -> Path:
        """Give the folder for log files, private in every mode."""
        self._make_home()
        with as_output_error(self.home / "logs"):
            return make_folder(self.home / "logs", 0o700)

    # Inside

    def require_lock(self) -> None:
        """Insist that this object holds the lock.

        Raises:
            RuntimeError: It does not.
        """
        if not self._held:
            raise RuntimeError("this needs the folder's lock: do it inside `with output.lock():`")

    def _make_home(self) -> None:
        with as_output_error(self.folder):
            if not self.folder.is_dir():
                # A folder that is there keeps the mode its owner gave it.
                make_folder(self.folder, self.folder_mode)
            make_folder(self.home, self.folder_mode)
            make_folder(self.home / "generations", self.folder_mode)

    def _sweep(self) -> None:
        """Remove what dead runs left; we hold the lock, so nobody is at work here."""
        with as_output_error(self.home):
            self.step("sweep")
            current = current_run(self.folder)
            published = set(published_runs(self.folder))
            if current is not None:
                # A run that died between the swap and this mark's removal has published.
                (self.home / "generations" / current / DRAFT_MARK).unlink(missing_ok=True)
            for entry in os.scandir(self.home / "generations"):
                if entry.name not in published and RUN_ID.fullmatch(entry.name):
                    remove_tree(Path(entry.path))
            remove_tree(self.home / "trash")
            for entry in os.scandir(self.home):
                if entry.name.endswith(".new"):
                    remove_tree(Path(entry.path))
            self.sweep_landings(self.resume_within)
        generation = sound_current(self.folder)
        if generation is not None:
            self.paths.check(generation.names)
            self.paths.show(generation)

    def sweep_landings(self, within: timedelta) -> None:
        """Remove what runs landed, but for listings that landed whole and not longer ago than that."""
        since = datetime.now(UTC).timestamp() - within.total_seconds() if within else math.inf
        with contextlib.suppress(OSError):
            for _, folder in self.landings():
                landings.tidy(folder, since=since)

    def swap(self, old: Generation | None, new: Generation, then: Callable[[], None] = lambda: None) -> None:
        """Make a generation current; whatever interrupts it after the deed (Ctrl-C, SIGTERM) comes too late.

        Args:
            old: The current generation, if it is sound.
            new: The one to come, whole and on disk.
            then: Does what can wait until then; it is not begun again when interrupted.

        Raises:
            OutputError: As `make_current`.
        """
        try:
            with as_output_error(self.folder):
                self.step("hold")
                self.paths.hold(old, new)
                self.step("swap")
                self.paths.swap(new)
            self._after_swap(new)
            then()
        except BaseException as error:
            if isinstance(error, Exception) or current_run(self.folder) != new.run_id:
                raise
            self._after_swap(new)

    def _after_swap(self, generation: Generation) -> None:
        """Do what is left once a generation is current; its failure does not undo that."""
        try:
            with as_output_error(self.home):
                self.step("confirm")
                sync_folder(self.home)
                (generation.path / DRAFT_MARK).unlink(missing_ok=True)
            self.paths.show(generation)
        except OutputError as error:
            raise OutputError(
                f"{generation.run_id} is current, but: {error}; the next run will finish it",
                subject=error.subject,
            ) from error

    def prune(self, *spared: str) -> None:
        """Remove generations past keeping, as far as the disk lets us; the next run goes on with the rest.

        Args:
            spared: Runs to keep besides the current one.
        """
        self.require_lock()
        self.step("prune")
        kept = self.generations()
        spared = (*spared, current_run(self.folder) or "")
        now = datetime.now(UTC)
        for generation, successor in list(itertools.pairwise(kept))[: max(0, len(kept) - self.keep)]:
            # It was current until its successor came, and a slow reader may have begun just then.
            if generation.run_id in spared or now - successor.published_at < self.keep_for:
                continue
            trash = make_folder(self.home / "trash", 0o700)
            # One rename, so that nobody ever lists half a generation.
            generation.path.rename(trash / generation.run_id)
            remove_tree(trash / generation.run_id)
        remove_tree(self.home / "trash")
