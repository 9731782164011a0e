"""The stable paths: the plain names in an output folder that always show the current generation.

With links, `contacts.parquet` points through `.amoot/current`, so that one swap moves every path at once;
links are only made for names that are new, and taken away for names that are gone. Without links each path
is a file of its own (a hard link where the disk has them, else a copy) and they are replaced one by one, the
manifest last. Temporary names stand inside `.amoot/`: nothing of ours ever has another name outside it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from amoot_etl.errors import OutputError
from amoot_etl.loaders.atomic import as_output_error, make_folder, sha256_of, sync_file, sync_folder
from amoot_etl.loaders.generations import (
    HOME,
    MANIFEST,
    Generation,
    list_generations,
    sound_current,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["StablePaths"]


class StablePaths:
    """The stable paths of one output folder; used by its one writer, under the lock.

    Args:
        folder: The output folder.
        links: Whether to use links; None goes on as before, and finds out for a new folder.
        folder_mode: The mode of folders made outside `.amoot/`.
        step: The publisher's hook.
    """

    def __init__(
        self, folder: Path, *, links: bool | None, folder_mode: int, step: Callable[[str], None]
    ) -> None:
        self.folder = folder
        self._home = folder / HOME
        self._wanted = links
        self._allowed: bool | None = None
        self._folder_mode = folder_mode
        self._step = step

    @property
    def links(self) -> bool:
        """Whether this folder's paths are links."""
        if self._wanted is False or os.name == "nt":
            # Windows cannot swap a link to a folder in one step, even for those who may make one.
            return False
        if self._allowed is None:
            pointer = self._home / "current"
            before = os.path.lexists(pointer) and not pointer.is_symlink()
            self._allowed = False if before and not self._wanted else self._try_a_link()
        if self._wanted and not self._allowed:
            raise OutputError(
                f"{self.folder} allows no links: publish without them", subject=str(self.folder)
            )
        return self._allowed

    def check(self, names: Iterable[str]) -> None:
        """Refuse names that somebody else's files already have.

        Args:
            names: Paths of a generation's files inside its folder.

        Raises:
            OutputError: One of them is taken by a file that we did not put there.
        """
        for name in self._shown(names):
            path = self.folder / name
            if os.path.lexists(path) and not self.is_ours(path):
                raise OutputError(
                    f"{path} is not ours and would be overwritten: move it away, or choose another folder",
                    subject=str(path),
                )

    def hold(self, old: Generation | None, new: Generation) -> None:
        """Make every present path independent of the swap, so that none dangles after it.

        A name that the new generation lacks keeps showing the old one's file; without links every path does.
        """
        self.check(new.names)
        if old is None or not (self._home / "current").is_symlink():
            return
        kept = set(self._shown(new.names)) if self.links else set()
        with as_output_error(self.folder):
            for name in self._shown(old.names, links=True):
                path = self.folder / name
                if name in kept or not path.is_symlink():
                    continue
                if self.links:
                    self._link(path, f"{HOME}/generations/{old.run_id}/{name}")
                elif (old.path / name).is_dir():
                    path.unlink()
                    for inner in self._shown(old.names, links=False):
                        if inner.startswith(f"{name}/"):
                            self._copy(old.path / inner, self.folder / inner)
                else:
                    self._copy(old.path / name, path)

    def swap(self, new: Generation) -> None:
        """Make a generation current: the one atomic step."""
        pointer = self._home / "current"
        fresh = self._home / "current.new"
        with as_output_error(pointer):
            fresh.unlink(missing_ok=True)
            if self.links:
                fresh.symlink_to(f"generations/{new.run_id}", target_is_directory=True)
            else:
                fresh.write_text(f"{new.run_id}\n", encoding="ascii")
                fresh.chmod(0o640 if self._folder_mode & 0o050 else 0o600)
                sync_file(fresh)
            fresh.replace(pointer)

    def show(self, new: Generation) -> None:
        """Bring every stable path to the current generation; one that fails stops none of the rest.

        Raises:
            OutputError: A path could not be replaced; it still shows what it showed.
        """
        first: OutputError | None = None
        names = self._shown(new.names)
        for name in names:
            try:
                with as_output_error(self.folder / name):
                    self._show(name, new)
            except OutputError as error:
                first = first or error
        for path in self._left_over(set(names)):
            try:
                with as_output_error(path):
                    self._step("show")
                    path.unlink(missing_ok=True)
            except OutputError as error:
                first = first or error
        if not self.links:
            _remove_if_empty(self.folder / "changes")
        with as_output_error(self.folder):
            sync_folder(self.folder)
        if first is not None:
            raise first

    def behind(self, current: Generation) -> list[str]:
        """Give the names that do not show the current generation (yet)."""
        links = (self._home / "current").is_symlink()
        names = self._shown(current.names, links=links)
        return [name for name in names if not self._shows(name, current, links=links)]

    # How one path is shown

    def _show(self, name: str, new: Generation) -> None:
        if self._shows(name, new, links=self.links):
            return
        self._step("show")
        path = self.folder / name
        if self.links:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)  # what a run without links left
            self._link(path, f"{HOME}/current/{name}")
        else:
            self._copy(new.path / name, path)

    def _shows(self, name: str, new: Generation, *, links: bool) -> bool:
        path, source = self.folder / name, new.path / name
        if links:
            return path.is_symlink() and str(path.readlink()) == f"{HOME}/current/{name}"
        return not path.is_symlink() and path.is_file() and _same(path, source)

    def _link(self, path: Path, target: str) -> None:
        fresh = self._home / "link.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target)
        fresh.replace(path)

    def _copy(self, source: Path, path: Path) -> None:
        if path.parent != self.folder:
            if path.parent.is_symlink():
                path.parent.unlink()
            make_folder(path.parent, self._folder_mode)
        fresh = self._home / "file.new"
        fresh.unlink(missing_ok=True)
        try:
            fresh.hardlink_to(source)
        except OSError:
            shutil.copy2(source, fresh)
            sync_file(fresh)
        fresh.replace(path)
        # Renaming one name of a file over another name of the same file does nothing and leaves both.
        fresh.unlink(missing_ok=True)

    # Whose a path is

    def _shown(self, names: Iterable[str], *, links: bool | None = None) -> list[str]:
        """Give the stable paths for a generation's files: with links the folder of changes is one path."""
        links = self.links if links is None else links
        shown = (name.partition("/")[0] if links else name for name in names)
        return sorted(dict.fromkeys(shown), key=lambda name: name == MANIFEST)

    def is_ours(self, path: Path) -> bool:
        """Tell whether we put a path where it is: a link into `.amoot/`, or a file that a generation holds."""
        if path.is_symlink():
            return str(path.readlink()).startswith(f"{HOME}/")
        if path.is_dir():
            return all(self.is_ours(inner) for inner in path.iterdir())
        name = path.relative_to(self.folder).as_posix()
        current = sound_current(self.folder)
        if current is not None and not (self._home / "current").is_symlink() and name in current.names:
            return True
        return self.is_published(path)

    def is_published(self, path: Path) -> bool:
        """Tell whether a plain file holds exactly what a kept generation's file of that name holds."""
        name = path.relative_to(self.folder).as_posix()
        candidates = [generation.path / name for generation in list_generations(self.folder)]
        candidates = [file for file in candidates if file.is_file()]
        if any(_same(path, file) for file in candidates):
            return True
        digest = ""
        for file in candidates:
            if file.stat().st_size == path.stat().st_size:
                digest = digest or sha256_of(path)
                if digest == sha256_of(file):
                    return True
        return False

    def _left_over(self, names: set[str]) -> list[Path]:
        """Give our own paths that the current generation does not name."""
        found = []
        for entry in os.scandir(self.folder):
            path = Path(entry.path)
            if entry.name in names or entry.name == HOME:
                continue
            if entry.is_symlink():
                found += [path] if self.is_ours(path) else []
            elif entry.name == "changes" and entry.is_dir():
                inner = [path / each.name for each in os.scandir(path) if f"changes/{each.name}" not in names]
                found += [each for each in inner if self.is_ours(each)]
            elif entry.is_file() and self.is_published(path):
                found.append(path)
        return found

    def _try_a_link(self) -> bool:
        probe = self._home / "probe.new"
        try:
            probe.unlink(missing_ok=True)
            probe.symlink_to("generations", target_is_directory=True)
            probe.unlink()
        except OSError:
            return False
        return True


def _same(path: Path, source: Path) -> bool:
    """Tell whether a path is a hard link to, or an untouched copy of, a generation's file."""
    try:
        one, other = path.stat(), source.stat()
    except OSError:
        return False
    if (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino):
        return True
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        with contextlib.suppress(OSError):
            folder.rmdir()
