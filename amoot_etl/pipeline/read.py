"""Read an export: the tables of one generation, whatever is being published meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from amoot_etl.errors import OutputError
from amoot_etl.loaders.contract import frame_of
from amoot_etl.loaders.generations import Generation, load_generation, no_generation, require_current
from amoot_etl.settings import load_settings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Export", "open_export", "read_export"]

_TRIES = 20


class Export:
    """The tables of one generation, each read when it is first asked for.

    All files are open from the start, so what it gives belongs together even when the folder has moved on, or
    the generation has been pruned. It may be used as a context manager, to let go of the files.

    Args:
        generation: The generation.
        files: Its Parquet files by table, open.
    """

    def __init__(self, generation: Generation, files: dict[str, Any]) -> None:
        self.generation = generation
        self._files = files
        self._frames: dict[str, pd.DataFrame] = {}

    @property
    def run_id(self) -> str:
        """The run that made it."""
        return self.generation.run_id

    @property
    def manifest(self) -> dict[str, Any]:
        """What its `manifest.json` says."""
        return self.generation.manifest

    def tables(self) -> tuple[str, ...]:
        """Give the names of its tables."""
        return tuple(self._files)

    def table(self, name: str) -> pd.DataFrame:
        """Give one table as a DataFrame with Arrow types; the same one each time.

        Raises:
            KeyError: It has no such table.
        """
        if name not in self._frames:
            if name not in self._files:
                raise KeyError(f"export {self.run_id} has no table {name}; it has {', '.join(self._files)}")
            self._frames[name] = frame_of(pq.ParquetFile(self._files[name]).read())
        return self._frames[name]

    @property
    def contacts(self) -> pd.DataFrame:
        """One row a contact."""
        return self.table("contacts")

    @property
    def groups(self) -> pd.DataFrame:
        """One row a group."""
        return self.table("groups")

    @property
    def contact_groups(self) -> pd.DataFrame:
        """One row for each contact in each of its groups."""
        return self.table("contact_groups")

    @property
    def issues(self) -> pd.DataFrame:
        """One row for each value that broke a rule."""
        return self.table("issues")

    @property
    def calendar(self) -> pd.DataFrame:
        """One row a day."""
        return self.table("calendar")

    @property
    def export_info(self) -> pd.DataFrame:
        """One row: the run."""
        return self.table("export_info")

    @property
    def contacts_raw(self) -> pd.DataFrame:
        """Every field as received; only a run with `--raw` has it."""
        return self.table("contacts_raw")

    def close(self) -> None:
        """Let go of the files; tables already read stay."""
        for file in self._files.values():
            file.close()

    def __enter__(self) -> Self:
        """Give the export itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the files."""
        self.close()

    def __repr__(self) -> str:
        """Show the run and the tables, and nobody's data."""
        return f"<Export {self.run_id}: {', '.join(self._files)}>"


def open_export(generation: Generation) -> Export:
    """Open the files of one generation.

    Raises:
        FileNotFoundError: It has been pruned, or a file of it is gone.
    """
    files: dict[str, Any] = {}
    try:
        for name in generation.tables():
            files[name] = pa.OSFile(str(generation.file(name)))
    except BaseException:
        for file in files.values():
            file.close()
        raise
    return Export(generation, files)


def read_export(folder: Path | str | None = None, *, run_id: str | None = None) -> Export:
    """Give the tables of one generation as DataFrames, a consistent set at any moment.

    Args:
        folder: The output folder; without it the one that the settings name (`AMOOT_OUT`, else `output`).
        run_id: A kept generation; without it the current one.

    Raises:
        SettingsError: Nothing was published there, or there is no generation of that name.
        OutputError: A file of the generation cannot be opened.
        VerificationError: The generation's manifest is damaged.
    """
    folder = Path(folder) if folder is not None else load_settings().out
    for _ in range(_TRIES):
        generation = require_current(folder)
        try:
            return open_export(generation if run_id is None else load_generation(folder, run_id))
        except FileNotFoundError as error:
            if run_id is not None:
                raise no_generation(folder, run_id) from error
            if require_current(folder).run_id == generation.run_id:
                raise OutputError(
                    f"{error.filename or generation.path} is missing: `amoot-etl verify` says more",
                    subject=str(generation.path),
                ) from error
            # Pruned while we were opening it: another one is current by now.
        except OSError as error:
            raise OutputError(
                f"{generation.path} cannot be read: {error.strerror}", subject=str(generation.path)
            ) from error
    raise OutputError(f"{folder} changes faster than it can be read", subject=str(folder))
