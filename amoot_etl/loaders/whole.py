"""Writing one file in one call, so that it appears whole or not at all."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from amoot_etl.errors import SettingsError
from amoot_etl.loaders.arrow import arrow_schema, decoded_type
from amoot_etl.loaders.atomic import as_output_error, beside
from amoot_etl.loaders.contract import as_table
from amoot_etl.schema import table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from amoot_etl.loaders.contract import Chunk, Loader, RunFacts, Written
    from amoot_etl.schema import Table

__all__ = ["chunks_of", "write_whole"]


def chunks_of(rows: Chunk | Iterable[Chunk]) -> Iterator[Chunk]:
    """Give what a one-call writer was handed as chunks: a DataFrame or table is one, the rest are many.

    >>> import pandas as pd
    >>> [len(chunk) for chunk in chunks_of(pd.DataFrame({"a": [1, 2]}))]
    [2]
    """
    # Frames, tables and batches have columns; a list or an iterator of them has not.
    if hasattr(rows, "columns"):
        yield cast("Chunk", rows)
    else:
        yield from cast("Iterable[Chunk]", rows)


def write_whole(  # noqa: PLR0913 - what the one-call writers hand on
    rows: Chunk | Iterable[Chunk],
    path: Path,
    table: Table | str | None,
    run: RunFacts | None,
    start: Callable[[Path, pa.Schema], Loader],
    *,
    labels: str = "en",
) -> Written:
    """Write rows through one loader to a file that appears whole or not at all.

    Args:
        rows: A chunk or chunks.
        path: The file.
        table: What the columns are, by name too; without it the first chunk tells.
        run: The run to name.
        start: Opens a loader on the given path.
        labels: The language of the headings that it writes; a table alone knows any but its columns' names.

    Raises:
        ValueError: There is no chunk to tell the columns from, or the chunks differ.
        SettingsError: There is no table of that name, or none to take Persian headings from.
        OutputError: The file cannot be written.
    """
    if labels == "fa" and table is None:
        raise SettingsError(
            'labels="fa" needs the table that the headings are of, such as table="contacts"', subject="labels"
        )
    chunks = chunks_of(rows)
    first = next(chunks, None)
    if table is not None:
        schema = arrow_schema(table_of(table), run)
    elif first is None:
        raise ValueError("no chunk came, so there is no telling which columns to write: name the table")
    else:
        schema = _schema_of(first, path.name.partition(".")[0], run)
    part = beside(path)
    try:
        with start(part, schema) as loader:
            if first is not None:
                loader.append(first)
            for chunk in chunks:
                loader.append(chunk)
        written = loader.close()
        with as_output_error(path):
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return dataclasses.replace(written, path=path)


def _schema_of(chunk: Chunk, name: str, run: RunFacts | None) -> pa.Schema:
    """Give the schema of rows that are none of our tables, strings plain."""
    fields = [pa.field(field.name, decoded_type(field.type)) for field in as_table(chunk).schema]
    return pa.schema(fields, metadata={"table": name} | ({} if run is None else run.facts()))
