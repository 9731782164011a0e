"""What every loader promises: open, append a chunk, close.

A `Loader` writes the rows of one table into one place, in constant memory. A `Target` is all that one format
makes of one run: a file a table in a folder, or one workbook with a sheet a table. Whoever drives them needs
to know neither the format nor how many files come of it:

```
with format.target(folder, run) as target:
    with target.open(table) as loader:
        for chunk in chunks:
            loader.append(chunk)
written = target.written
```

Leaving a `with` by an exception closes every handle, and touches no file but the loader's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias

import pyarrow as pa

from amoot_etl.errors import OutputError
from amoot_etl.loaders.arrow import decoded_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    import pandas as pd

    from amoot_etl.schema import Table

__all__ = [
    "Chunk",
    "Format",
    "Loader",
    "Rechunker",
    "RunFacts",
    "Target",
    "Written",
    "as_table",
    "closed_error",
    "frame_of",
]

Chunk: TypeAlias = "pd.DataFrame | pa.Table | pa.RecordBatch"
"""Some rows of one table."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a file says about the run that its rows come from.

    Args:
        run_id: The run.
        mode: `export` or `sync`.
        finished_at: When the data was complete, ISO 8601.
        base_url: The portal.
    """

    run_id: str
    mode: str = ""
    finished_at: str = ""
    base_url: str = ""

    def facts(self) -> dict[str, str]:
        """Give what is known, by name.

        >>> RunFacts("20251021T110241", mode="export").facts()
        {'run_id': '20251021T110241', 'mode': 'export'}
        """
        all_of_them = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in all_of_them.items() if value}


@dataclass(frozen=True, slots=True)
class Written:
    """One table, written.

    Args:
        path: The file that holds it.
        table: The table.
        format: The format's name in `FORMATS`.
        rows: How many rows.
        losses: What the format could not hold, by kind: how many values were reduced.
    """

    path: Path
    table: str
    format: str
    rows: int
    losses: dict[str, int] = field(default_factory=dict)


class Loader(Protocol):
    """Writes the rows of one table."""

    def append(self, chunk: Chunk) -> None:
        """Write some more rows.

        Raises:
            ValueError: The chunk's columns or types are not the table's.
            OutputError: The file cannot be written.
        """

    def close(self) -> Written:
        """Finish, and tell what was written; once more gives the same."""

    def release(self) -> None:
        """Let go of what is held, whatever state it is in; nothing more is written."""

    def __enter__(self) -> Self:
        """Give the loader."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish when all went well, else only let go of the file."""


class Target(Protocol):
    """All that one format makes of one run. Several of its loaders may be open at once."""

    def open(self, table: Table) -> Loader:
        """Start one table, as the user wants it: columns chosen, renamed and typed already."""

    @property
    def written(self) -> tuple[Written, ...]:
        """What was written, a table each, complete once the target is closed."""

    def close(self) -> None:
        """Finish the files."""

    def __enter__(self) -> Self:
        """Give the target."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish when all went well, else only let go of the files."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format: how its files are called, written and read.

    Args:
        name: Its name on the command line and in the manifest.
        holds: Tells whether a table, by name, has a place in this format.
        target: Starts the files of one run: `target(folder, run, **options)`.
        read: Gives one table back: `read(path, table, **options)` as a DataFrame with Arrow types.
        reduced: Gives a chunk as the format holds it, and what that cost: `reduced(chunk, name=table,
            **options)` with the table's name and the options of `target`.
        pieces: Gives the same as `read` as Arrow tables one after the other, in bounded memory: `pieces(path,
            table)`; None where the format's own library does that.
    """

    name: str
    holds: Callable[[str], bool]
    target: Callable[..., Target]
    read: Callable[..., pd.DataFrame]
    reduced: Callable[..., tuple[pa.Table, dict[str, int]]]
    pieces: Callable[..., Iterator[pa.Table]] | None = None


def as_table(chunk: Chunk, schema: pa.Schema | None = None) -> pa.Table:
    """Give a chunk as an Arrow table, its strings encoded or plain as they came.

    Args:
        chunk: A DataFrame, a table or a batch; the index of a DataFrame is not a column.
        schema: What the columns must be; without one, whatever they are.

    Returns:
        A table without schema metadata whose columns have the schema's names, order and types, or, for a
        `string` column, `dictionary<int32, string>` where the chunk has it so.

    Raises:
        ValueError: A column is missing, unknown, misplaced, or cannot be had in its type without loss.

    >>> import pandas as pd
    >>> as_table(pd.DataFrame({"contact_id": [1, 2]})).schema.types
    [DataType(int64)]
    """
    if isinstance(chunk, pa.RecordBatch):
        chunk = pa.Table.from_batches([chunk])
    elif not isinstance(chunk, pa.Table):
        chunk = pa.Table.from_pandas(chunk, preserve_index=False).replace_schema_metadata()
    names = chunk.column_names if schema is None else schema.names
    if chunk.column_names != names:
        odd = sorted(set(chunk.column_names) ^ set(names)) or "their order"
        raise ValueError(f"the chunk's columns are not the table's: look at {odd}")
    columns = []
    for name, column in zip(names, chunk.columns, strict=True):
        wanted = decoded_type(column.type) if schema is None else schema.field(name).type
        if pa.types.is_dictionary(column.type) and pa.types.is_string(wanted):
            wanted = pa.dictionary(pa.int32(), pa.string())
        try:
            columns.append(column if column.type == wanted else column.cast(wanted))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            # Arrow's own words may quote the value, which is a contact's.
            raise ValueError(f"column {name} cannot be had as {wanted} from {column.type}") from error
    return pa.table(columns, names=names)


def frame_of(table: pa.Table) -> pd.DataFrame:
    """Give an Arrow table as a DataFrame with Arrow types, sharing its memory.

    >>> frame_of(pa.table({"contact_id": [1, None]})).dtypes.to_dict()
    {'contact_id': int64[pyarrow]}
    """
    import pandas as pd  # noqa: PLC0415 - only who calls this has frames

    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame


class Rechunker:
    """Cuts chunks of any length into pieces of one length, so that a file does not depend on the chunking.

    Args:
        rows: Length of a piece.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._waiting: list[pa.Table] = []
        self._held = 0

    def add(self, table: pa.Table) -> Iterator[list[pa.Table]]:
        """Take some rows; give each piece that is whole by now, as tables to be laid end to end."""
        while self._held + table.num_rows >= self._rows:
            taken = self._rows - self._held
            self._waiting.append(table.slice(0, taken))
            yield self.rest()
            table = table.slice(taken)
        if table.num_rows:
            self._waiting.append(table)
            self._held += table.num_rows

    def rest(self) -> list[pa.Table]:
        """Give what is left over, and be empty."""
        piece, self._waiting, self._held = self._waiting, [], 0
        return piece


def closed_error(path: Path) -> OutputError:
    """Give the error of writing to a loader that is closed already."""
    return OutputError(f"{path.name} is closed already: open it anew to write more", subject=str(path))
