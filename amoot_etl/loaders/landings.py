"""What runs have landed: kept for a while when a run died, so that the next one need not fetch it again.

```
.amoot/landing/<run>/
  listings-1/             a shelf: the listings of one attempt
    plan.json             of which account they are; without it nothing here is ever taken
    <group>-<attempt>/    a listing's bodies
      landed.json         written when it had landed whole and was checked; without it nothing in here is taken
  …                       whatever else a run needed: never kept
```
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any, Final

from amoot_etl.loaders.atomic import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LANDED", "PLAN", "read_note", "shelves", "tidy", "write_note"]

PLAN: Final = "plan.json"
"""The note of a shelf: whose listings stand on it."""
LANDED: Final = "landed.json"
"""The note of a listing that has landed whole."""


def write_note(path: Path, value: dict[str, Any]) -> None:
    """Write a note so that whoever reads it finds it whole or not at all.

    It is not synced: what it vouches for is not either, and a reader that finds the machine started anew since
    takes nothing.
    """
    beside = path.with_name(f".{path.name}.new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
        json.dump(value, file, ensure_ascii=False)
    beside.replace(path)


def read_note(path: Path) -> dict[str, Any] | None:
    """Give what a note says; None where there is none that can be read."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def shelves(landing: Path) -> Iterator[Path]:
    """Give the shelves of a run's landing."""
    with contextlib.suppress(OSError):
        for path in sorted(landing.iterdir()):
            if path.is_dir() and (path / PLAN).is_file():
                yield path


def tidy(landing: Path, *, since: float) -> None:
    """Take away everything that no later run may use, and the folder itself where nothing else is left.

    Args:
        landing: What one run landed; the run has ended.
        since: The moment (seconds since the epoch) before which a listing is too old.
    """
    kept = False
    for shelf in shelves(landing):
        fresh = [path for path in shelf.iterdir() if _landed_at(path) > since]
        kept = kept or bool(fresh)
        for path in shelf.iterdir():
            if fresh and path not in fresh and path.name != PLAN:
                remove_tree(path)
        if not fresh:
            remove_tree(shelf)
    if not kept:
        remove_tree(landing)
        return
    known = set(shelves(landing))
    for path in landing.iterdir():
        if path not in known:
            remove_tree(path)


def _landed_at(listing: Path) -> float:
    try:
        return (listing / LANDED).stat().st_mtime
    except OSError:
        return 0.0
