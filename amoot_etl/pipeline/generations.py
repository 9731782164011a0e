"""The kept generations of an output folder, and going back to one of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from amoot_etl.errors import SettingsError, VerificationError
from amoot_etl.loaders.check import check_file
from amoot_etl.loaders.generations import current_run, list_generations, no_generation
from amoot_etl.loaders.publish import Output

if TYPE_CHECKING:
    from datetime import datetime

    from amoot_etl.loaders.generations import Generation

__all__ = ["KeptGeneration", "generations", "rollback"]


@dataclass(frozen=True, slots=True)
class KeptGeneration:
    """One line of the list of generations.

    Args:
        run_id: The run.
        current: Whether it is the current one.
        published_at: When it was published.
        mode: `export` or `sync`.
        contacts: Rows of contacts.
        bytes: Size of all its files.
        formats: The formats it holds.
    """

    run_id: str
    current: bool
    published_at: datetime
    mode: str
    contacts: int
    bytes: int
    formats: tuple[str, ...]


def generations(folder: Path | str) -> list[KeptGeneration]:
    """Give the kept generations of a folder, the latest first."""
    kept = list_generations(folder)
    current = current_run(Path(folder)) if kept else None
    return [_line(generation, current) for generation in reversed(kept)]


def rollback(folder: Path | str, run_id: str | None = None, *, wait: float | None = None) -> Generation:
    """Make an earlier generation current again, in one atomic step.

    The generations after it stay for as long as they would have; the next run starts from the one that is
    current. The change feed is then that of the older generation: a follower that had read further is told.

    Args:
        folder: The output folder.
        run_id: The generation; without it the latest one before the current.
        wait: Seconds to wait while another run holds the folder; `math.inf` for ever, None not at all.

    Returns:
        The generation that is current now.

    Raises:
        SettingsError: There is none of that name, or none before the current.
        VerificationError: It is no longer whole; nothing was changed.
        OutputError: The folder cannot be written, or another run holds it.
    """
    if not list_generations(folder) and current_run(Path(folder)) is None:
        raise SettingsError(f"{folder} holds no export to roll back", subject=str(folder))
    output = Output(folder)
    with output.lock(wait, "rollback"):
        kept = {generation.run_id: generation for generation in output.generations()}
        current = current_run(output.folder) or ""
        chosen = run_id or max((run for run in kept if run < current), default="")
        if not chosen:
            raise SettingsError(f"{folder} keeps no generation before {current}", subject=current)
        if chosen not in kept:
            raise no_generation(folder, chosen)
        generation = kept[chosen]
        for entry in generation.files:
            problems = check_file(generation.path / entry["path"], entry, chosen)
            if problems:
                raise VerificationError(f"generation {chosen} is not whole: {problems[0]}", subject=chosen)
        output.make_current(generation)
    return generation


def _line(generation: Generation, current: str | None) -> KeptGeneration:
    contacts = generation.entry("contacts")
    sizes = {entry["path"]: int(entry["bytes"]) for entry in generation.files}
    return KeptGeneration(
        run_id=generation.run_id,
        current=generation.run_id == current,
        published_at=generation.published_at,
        mode=str(generation.manifest.get("mode", "")),
        contacts=int(contacts["rows"]) if contacts else 0,
        bytes=sum(sizes.values()),
        formats=generation.formats(),
    )
