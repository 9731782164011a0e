"""The reading side of an output folder: what generations there are, and which one is current.

```
output/contacts.parquet  ->  .amoot/current/contacts.parquet
output/.amoot/current    ->  generations/<run>          the one link that a publish swaps
output/.amoot/generations/<run>/contacts.parquet, manifest.json, changes/<run>.parquet …
```

Nothing here takes the lock or writes. A reader that holds a `Generation` may find its folder gone after a
long time, when publishing has pruned it: it asks for the current one again.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from amoot_etl.errors import OutputError, SettingsError, VerificationError

__all__ = [
    "DRAFT_MARK",
    "HOME",
    "MANIFEST",
    "RUN_ID",
    "Generation",
    "current_generation",
    "current_run",
    "list_generations",
    "load_generation",
    "new_run_id",
    "newest_readable",
    "no_generation",
    "published_runs",
    "require_current",
    "sound_current",
]

HOME: Final = ".amoot"
"""The folder inside an output folder that is ours alone."""
MANIFEST: Final = "manifest.json"
DRAFT_MARK: Final = ".draft"
"""The file that stands in a generation's folder until it has become current."""
RUN_ID: Final = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}")
"""How a run is called; a folder with another name is none of ours."""

_TRIES: Final = 50

_ENTRY: Final = {"path": str, "table": str, "format": str, "rows": int, "bytes": int, "sha256": str}
"""What a manifest says of each file at least."""
_FACTS: Final = ("counts", "issues", "reconciliation")
"""What it says by name."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One published set of files.

    Args:
        run_id: The run that made it; later runs sort later.
        path: Its folder.
        manifest: What `manifest.json` says.
    """

    run_id: str
    path: Path
    manifest: dict[str, Any]

    @property
    def files(self) -> list[dict[str, Any]]:
        """The manifest's files: `path`, `table`, `format`, `rows`, `bytes`, `sha256`, `losses` of each."""
        files: list[dict[str, Any]] = self.manifest.get("files", [])
        return files

    @property
    def names(self) -> tuple[str, ...]:
        """The paths of all files inside the folder, the manifest last."""
        return (*dict.fromkeys(entry["path"] for entry in self.files), MANIFEST)

    @property
    def published_at(self) -> datetime:
        """When its manifest was written."""
        return datetime.fromtimestamp((self.path / MANIFEST).stat().st_mtime, UTC)

    def tables(self) -> tuple[str, ...]:
        """Give the names of the tables that it holds as Parquet, in the manifest's order."""
        return tuple(
            entry["table"]
            for entry in self.files
            if entry["format"] == "parquet" and entry["table"] != "changes"
        )

    def formats(self) -> tuple[str, ...]:
        """Give the formats that it holds, each once."""
        return tuple(dict.fromkeys(entry["format"] for entry in self.files))

    def entry(self, table: str, form: str = "parquet") -> dict[str, Any] | None:
        """Give the manifest's entry of a table in a format, or None."""
        for entry in self.files:
            if entry["table"] == table and entry["format"] == form:
                return entry
        return None

    def file(self, table: str, form: str = "parquet") -> Path:
        """Give the path of a table's file in a format.

        Raises:
            KeyError: The generation has no such file.
        """
        entry = self.entry(table, form)
        if entry is None:
            raise KeyError(f"generation {self.run_id} has no {table} as {form}")
        return self.path / str(entry["path"])

    def changes(self) -> list[Path]:
        """Give its change files, the oldest first."""
        entries = (entry["path"] for entry in self.files if entry["table"] == "changes")
        return [self.path / name for name in sorted(entries)]


def new_run_id(now: datetime, entropy: int, after: str = "") -> str:
    """Give a run's name, which sorts after every earlier one even when a clock has gone back.

    Args:
        now: The time, with its zone.
        entropy: 16 random bits, so that two folders' runs of one second are not confused.
        after: The latest run there is.

    >>> new_run_id(datetime(2026, 11, 21, 20, 30, 11, tzinfo=UTC), 0x1A2B)
    '20261121T203011Z-1a2b'
    >>> new_run_id(datetime(2026, 11, 21, 20, 30, 11, tzinfo=UTC), 0x1A2B, after="20261121T203011Z-ffff")
    '20261121T203012Z-1a2b'
    """
    moment = now.astimezone(UTC).replace(microsecond=0)
    stamp = after.partition("-")[0]
    if stamp and f"{moment:%Y%m%dT%H%M%SZ}" <= stamp:
        moment = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) + timedelta(seconds=1)
    return f"{moment:%Y%m%dT%H%M%SZ}-{entropy & 0xFFFF:04x}"


def current_run(folder: Path) -> str | None:
    """Give the name of the current generation, or None where nothing was published yet.

    The pointer is a link, or a small file where links are not allowed.
    """
    pointer = folder / HOME / "current"
    for _ in range(_TRIES):
        try:
            return pointer.readlink().name
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            return None
        except OSError:  # not a link
            try:
                return pointer.read_text(encoding="ascii", errors="replace").strip() or None
            except OSError:  # it has become a link meanwhile
                continue
    raise OutputError(f"{pointer} cannot be read", subject=str(pointer))


def published_runs(folder: Path) -> list[str]:
    """Give the names of the generations that are, or once were, current: the oldest first."""
    current = current_run(folder)
    try:
        entries = list(os.scandir(folder / HOME / "generations"))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(
        entry.name
        for entry in entries
        if entry.name == current
        or (RUN_ID.fullmatch(entry.name) and not _has(entry.path, DRAFT_MARK) and _has(entry.path, MANIFEST))
    )


def _has(folder: str, name: str) -> bool:
    return os.path.lexists(Path(folder) / name)


def load_generation(folder: Path, run_id: str) -> Generation:
    """Give one generation by name.

    Raises:
        FileNotFoundError: There is none of that name (any more).
        VerificationError: Its manifest is not what we write.
    """
    path = folder / HOME / "generations" / run_id
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
    except ValueError as error:
        raise VerificationError(f"{path / MANIFEST} is damaged", subject=str(path / MANIFEST)) from error
    if not _is_one(manifest):
        raise VerificationError(f"{path / MANIFEST} is damaged", subject=str(path / MANIFEST))
    return Generation(run_id, path, manifest)


def _is_one(manifest: Any) -> bool:
    """Say whether some JSON is a manifest, as far as everybody relies on it."""
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), list):
        return False
    facts = (manifest.get(name, {}) for name in _FACTS)
    return all(isinstance(fact, dict) for fact in facts) and all(
        isinstance(entry, dict) and all(isinstance(entry.get(name), kind) for name, kind in _ENTRY.items())
        for entry in manifest["files"]
    )


def current_generation(folder: Path | str) -> Generation | None:
    """Give the current generation, or None where nothing was published yet.

    Raises:
        VerificationError: The current generation has lost its manifest, or it is damaged.
    """
    folder = Path(folder)
    for _ in range(_TRIES):
        run_id = current_run(folder)
        if run_id is None:
            return None
        try:
            return load_generation(folder, run_id)
        except FileNotFoundError:
            # Pruned between the two looks: then another one is current by now.
            if current_run(folder) == run_id:
                break
    lost = folder / HOME / "generations" / (run_id or "") / MANIFEST
    raise VerificationError(f"{lost} is missing: roll back to another generation", subject=str(lost))


def sound_current(folder: Path) -> Generation | None:
    """Give the current generation, or None where there is none or its manifest is gone or damaged.

    For the writer, who must be able to publish over a damaged set, or to roll back from it.
    """
    try:
        return current_generation(folder)
    except VerificationError:
        return None


def newest_readable(folder: Path) -> Generation | None:
    """Give the newest set whose manifest can be read, the current one first, whatever became of its files.

    It tells what the owner of a damaged set had, and has to lose.
    """
    return sound_current(folder) or next(reversed(list_generations(folder)), None)


def require_current(folder: Path | str) -> Generation:
    """Give the current generation.

    Raises:
        SettingsError: Nothing was published in this folder.
    """
    generation = current_generation(folder)
    if generation is None:
        raise SettingsError(
            f"{folder} holds no export: run `amoot-etl export` first, or name another folder",
            subject=str(folder),
        )
    return generation


def no_generation(folder: Path | str, run_id: str) -> SettingsError:
    """Give the error of asking for a generation that is not kept."""
    kept = ", ".join(published_runs(Path(folder))) or "none"
    return SettingsError(f"{folder} holds no generation {run_id}: it keeps {kept}", subject=run_id)


def list_generations(folder: Path | str) -> list[Generation]:
    """Give the kept generations, the oldest first, without any whose manifest is gone or damaged."""
    folder = Path(folder)
    kept = []
    for run_id in published_runs(folder):
        try:
            kept.append(load_generation(folder, run_id))
        except (FileNotFoundError, VerificationError):
            continue
    return kept
