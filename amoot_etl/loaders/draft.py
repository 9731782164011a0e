"""A set of files being written beside the published ones, and its way to becoming current."""

from __future__ import annotations

import contextlib
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from amoot_etl.errors import OutputError
from amoot_etl.loaders.atomic import (
    as_output_error,
    make_folder,
    remove_tree,
    sha256_of,
    sync_file,
    sync_folder,
    write_json,
)
from amoot_etl.loaders.generations import (
    DRAFT_MARK,
    MANIFEST,
    Generation,
    current_run,
    sound_current,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from amoot_etl.loaders.publish import Output

__all__ = ["NAME", "Draft", "WrittenFile"]

NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""What a published file or a run may be called: plain everywhere."""


class WrittenFile(Protocol):
    """What a loader says of a table that it has written."""

    @property
    def path(self) -> Path:
        """The file, inside the draft's folder."""

    @property
    def table(self) -> str:
        """The table."""

    @property
    def format(self) -> str:
        """`parquet`, `csv`, `xlsx` …."""

    @property
    def rows(self) -> int:
        """How many rows."""

    @property
    def losses(self) -> Mapping[str, int]:
        """What the format forced: a kind of loss and how many values it met."""


class Draft:
    """A set being written; as a context manager it is thrown away unless it was published.

    Args:
        output: The output folder.
        run_id: The run.
        folder: Where its files are written.
    """

    def __init__(self, output: Output, run_id: str, folder: Path) -> None:
        self.output = output
        self.run_id = run_id
        self.folder = folder

    @property
    def published(self) -> bool:
        """Whether it has become current (an interrupt may come before its caller knows)."""
        return current_run(self.output.folder) == self.run_id

    def path(self, name: str) -> Path:
        """Give where a file of that plain name (`contacts.parquet`) is to be written.

        Raises:
            ValueError: The name is not plain, or is ours.
        """
        if not NAME.fullmatch(name) or name in {MANIFEST, "changes"}:
            raise ValueError(f"{name!r} cannot be the name of a published file")
        return self.folder / name

    def changes_path(self) -> Path:
        """Give where the file that says what this publish changes is to be written."""
        with as_output_error(self.folder):
            make_folder(self.folder / "changes", self.output.folder_mode)
        return self.folder / "changes" / f"{self.run_id}.parquet"

    def publish(
        self,
        manifest: Mapping[str, Any],
        written: Sequence[WrittenFile],
        *,
        check: Callable[[Generation], None] | None = None,
    ) -> Generation:
        """Make the written files the current generation.

        Args:
            manifest: What the manifest says, without `files`, `run_id` and `previous`, which are added here.
            written: What the loaders wrote; a workbook stands once for each table in it. A change file has
                the table `changes`.
            check: Looks at the whole set before it becomes current, and raises what it finds.

        Returns:
            The generation, which is current now.

        Raises:
            OutputError: It could not be written. Unless the message says that it is current, nothing outside
                `.amoot/` has changed.
        """
        output = self.output
        output.require_lock()
        old = sound_current(output.folder)
        with as_output_error(self.folder):
            output.step("settle")
            files = self._settle(written)
            carried = [] if old is None else self._carry(old)
            output.step("manifest")
            full = {
                **manifest,
                "run_id": self.run_id,
                "previous": old.run_id if old else None,
                "files": [*files, *carried],
            }
            write_json(self.folder / MANIFEST, full, output.file_mode)
            generation = Generation(self.run_id, self.folder, full)
            output.step("check")
            self._check(files)
            if check is not None:
                check(generation)
            output.step("sync")
            if (self.folder / "changes").is_dir():
                sync_folder(self.folder / "changes")
            sync_folder(self.folder)
            sync_folder(self.folder.parent)

        def clear_up() -> None:
            with contextlib.suppress(OSError, OutputError):
                output.prune(old.run_id if old else "")
                output.sweep_landings(timedelta(0))
            output.step("end")

        output.swap(old, generation, then=clear_up)
        return generation

    def discard(self) -> None:
        """Throw the draft away, unless it was published."""
        if not self.published:
            remove_tree(self.folder)

    def __enter__(self) -> Self:
        """Give the draft itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Throw the draft away, unless it was published."""
        self.discard()

    # Inside

    def _settle(self, written: Sequence[WrittenFile]) -> list[dict[str, Any]]:
        names = {}
        for file in written:
            try:
                names[file.path] = file.path.absolute().relative_to(self.folder).as_posix()
            except ValueError:
                raise ValueError(f"{file.path} was not written into the draft") from None
        stray = {path for path in self.folder.rglob("*") if path.is_file()} - set(names)
        stray -= {self.folder / DRAFT_MARK}
        if stray:
            listed = ", ".join(sorted(path.name for path in stray))
            raise ValueError(f"no loader told of {listed} in the draft")
        with ThreadPoolExecutor(max_workers=4) as pool:
            # While the disk writes, what it writes is summed up.
            digests = {path: pool.submit(sha256_of, path) for path in names}
            for settled in [pool.submit(self._settle_file, path) for path in names]:
                settled.result()
        return [
            {
                "path": names[file.path],
                "table": file.table,
                "format": file.format,
                "rows": file.rows,
                "bytes": file.path.stat().st_size,
                "sha256": digests[file.path].result(),
                "losses": dict(file.losses),
            }
            for file in written
        ]

    def _settle_file(self, path: Path) -> None:
        path.chmod(self.output.file_mode)
        sync_file(path)

    def _carry(self, old: Generation) -> list[dict[str, Any]]:
        """Give the older change files a place in this generation too, so that one swap covers them.

        One that is damaged is left behind: what cannot be read must not keep everything after it from being published.
        """
        from amoot_etl.loaders.check import check_size  # noqa: PLC0415 - it brings in Arrow

        entries = [
            entry
            for entry in old.files
            if entry["table"] == "changes" and not check_size(old.path / entry["path"], entry)
        ]
        if entries:
            make_folder(self.folder / "changes", self.output.folder_mode)
        for entry in entries:
            source, path = old.path / entry["path"], self.folder / entry["path"]
            try:
                path.hardlink_to(source)
            except OSError:
                shutil.copy2(source, path)
                sync_file(path)
            path.chmod(self.output.file_mode)
        return entries

    def _check(self, files: Sequence[dict[str, Any]]) -> None:
        from amoot_etl.loaders.check import check_file  # noqa: PLC0415 - it brings in Arrow

        for entry in files:
            problems = check_file(self.folder / entry["path"], entry, self.run_id)
            if problems:
                raise OutputError(
                    f"what was written cannot be read back: {problems[0]}; nothing was changed",
                    subject=entry["path"],
                )
