"""Make the report of a published set, and put it in its place in one step."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from amoot_etl.errors import OutputError, VerificationError
from amoot_etl.loaders.atomic import as_output_error, beside, sync_folder
from amoot_etl.loaders.generations import load_generation, no_generation, published_runs, require_current
from amoot_etl.pipeline.report.figures import figures_of
from amoot_etl.pipeline.report.page import page
from amoot_etl.pipeline.report.words import Words
from amoot_etl.settings import load_settings

if TYPE_CHECKING:
    from amoot_etl.loaders.generations import Generation

__all__ = ["report", "report_text"]

_TRIES: Final = 20


def report(
    path: Path | str,
    folder: Path | str | None = None,
    *,
    lang: str = "en",
    run_id: str | None = None,
) -> Path:
    """Write the report of a published set: one HTML file that needs nothing else.

    It holds counts alone, none of them of fewer than five contacts, and so is no more private than they are: it gets
    the mode that new files of this account get.

    Args:
        path: The file; one that is there gives way to the whole new one.
        folder: The output folder; without it the one that the settings name.
        lang: `en` or `fa`.
        run_id: A kept generation; without it the current one.

    Returns:
        The file.

    Raises:
        SettingsError: Nothing was published there, there is no such generation, or no such language.
        VerificationError: A file of the generation is missing or cannot be read.
        OutputError: The report cannot be written.
    """
    path = Path(path)
    text = report_text(folder, lang=lang, run_id=run_id)
    part = beside(path)
    with as_output_error(path):
        try:
            with part.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        sync_folder(path.parent)
    return path


def report_text(folder: Path | str | None = None, *, lang: str = "en", run_id: str | None = None) -> str:
    """Give the report of a published set as text.

    Args:
        folder: As `report` takes it.
        lang: `en` or `fa`.
        run_id: As `report` takes it.

    Raises:
        SettingsError, VerificationError: As `report`.
    """
    words = Words(lang)
    folder = Path(folder) if folder is not None else load_settings().out
    for _ in range(_TRIES):
        generation = _chosen(folder, run_id)
        try:
            return page(figures_of(generation), words)
        except FileNotFoundError as error:
            # Pruned while we were reading? Then it is known no more; else a file of it is gone.
            if generation.run_id in published_runs(folder):
                raise VerificationError(
                    f"{error.filename or generation.path} is missing: `amoot-etl verify` says more",
                    subject=str(generation.path),
                ) from error
        except (OSError, pa.ArrowInvalid) as error:
            raise VerificationError(
                f"{generation.path} cannot be read: `amoot-etl verify` says more",
                subject=str(generation.path),
            ) from error
    raise OutputError(f"{folder} changes faster than it can be read", subject=str(folder))


def _chosen(folder: Path, run_id: str | None) -> Generation:
    current = require_current(folder)
    if run_id is None:
        return current
    if run_id not in published_runs(folder):
        raise no_generation(folder, run_id)
    return load_generation(folder, run_id)
