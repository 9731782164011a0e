"""The formats beside Parquet: made from the finished Parquet tables, so that all hold the same rows."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

from amoot_etl.errors import SettingsError
from amoot_etl.loaders.formats import FORMATS
from amoot_etl.loaders.parquet import streamed
from amoot_etl.schema import RAW, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from amoot_etl.loaders.contract import RunFacts, Written
    from amoot_etl.schema import Table

__all__ = ["check_formats", "write_formats"]

_ROWS: Final = 1 << 16
_TABLES: Final = {**TABLES, RAW.name: RAW}


def check_formats(names: Iterable[str]) -> None:
    """Insist that every format is one of ours.

    Raises:
        SettingsError: One is not.

    >>> check_formats(["cvs"])
    Traceback (most recent call last):
    amoot_etl.errors.SettingsError: there is no format cvs; did you mean csv?
    """
    for name in names:
        if name not in FORMATS:
            near = difflib.get_close_matches(name, FORMATS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(FORMATS)}"
            raise SettingsError(f"there is no format {name}; {hint}", subject="format")


def write_formats(  # noqa: PLR0913 - what to write, where, and how it looks
    names: Sequence[str],
    folder: Path,
    written: Iterable[Written],
    run: RunFacts,
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    tables: Mapping[str, Table] = _TABLES,
) -> list[Written]:
    """Write finished Parquet tables in other formats, beside them.

    Args:
        names: Formats.
        folder: Where the files go.
        written: The Parquet tables.
        run: What the files say about the run.
        options: Format to the options of its target.
        tables: What the tables are, by name: as documented, or as the user wants them.

    Raises:
        OutputError: A file cannot be written.
    """
    sources = [(tables[file.table], file.path) for file in written]
    others: list[Written] = []
    for name in names:
        kind = FORMATS[name]
        with kind.target(folder, run, **(options or {}).get(name, {})) as target:
            for table, path in sources:
                if not kind.holds(table.name):
                    continue
                with target.open(table) as loader, streamed(path) as file:
                    for batch in file.iter_batches(batch_size=_ROWS, use_threads=False):
                        loader.append(batch)
        others += target.written
    return others
