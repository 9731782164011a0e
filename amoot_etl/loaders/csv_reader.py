"""Reading back the CSV files that `write_csv` makes, both profiles, either language, compressed or not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.csv as pacsv

from amoot_etl.loaders.arrow import arrow_schema, check_headings
from amoot_etl.loaders.contract import frame_of
from amoot_etl.loaders.csv_text import returned
from amoot_etl.schema import table_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    import pandas as pd

    from amoot_etl.schema import Table

__all__ = ["iter_csv", "read_csv"]

_Read = TypeVar("_Read")

_BLOCK_BYTES: Final = 1 << 24
_PIECE_BYTES: Final = 1 << 20
_MOST_BYTES: Final = (1 << 31) - 1


def read_csv(path: str | os.PathLike[str], table: Table | str | None = None) -> pd.DataFrame:
    r"""Read a CSV file of ours into a DataFrame with Arrow types.

    The profile is told by the byte order mark, the compression by the file's ending, the language by the
    headings.

    Args:
        path: The file.
        table: What the columns are: `"contacts"`, or where a mapping or a choice of columns shaped the file,
            `load_settings().shape.tables["contacts"]`; without it every column is read as text.

    Returns:
        The table that was written; of the `excel` profile, after the losses that writing it declared.

    Raises:
        SettingsError: There is no table of that name.
        ValueError: The headings are not the table's, or a value is not of its column's type.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "bridge.csv"
    ...     _ = path.write_text('"contact_id","group_id"\n1,7\n')
    ...     read_csv(path)["group_id"].tolist()
    ['7']
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "bridge.csv"
    ...     _ = path.write_text('"contact_id","group_id"\n1,7\n')
    ...     read_csv(path, "contact_groups")["group_id"].tolist()
    [7]
    """
    layout = _Layout.of(Path(path), table if table is None else table_of(table))
    rows = _in_blocks(
        lambda options: pacsv.read_csv(_opened(layout.path), convert_options=layout.convert, **options)
    )
    return frame_of(layout.typed(rows))


def iter_csv(path: str | os.PathLike[str], table: Table | str | None = None) -> Iterator[pa.Table]:
    """Give the rows of a CSV file of ours as `read_csv` does, piece by piece, in bounded memory.

    Args:
        path: The file.
        table: What the columns are; without it every column is read as text.

    Raises:
        SettingsError, ValueError: As `read_csv`.
    """
    layout = _Layout.of(Path(path), table if table is None else table_of(table))
    given = 0

    def pieces(options: dict[str, Any]) -> Iterator[pa.Table]:
        nonlocal given
        # Where a row did not fit into a block, what was given before it is passed over.
        skipped = 0
        with pacsv.open_csv(_opened(layout.path), convert_options=layout.convert, **options) as reader:
            for batch in reader:
                rows = pa.Table.from_batches([batch])
                again = min(given - skipped, rows.num_rows)
                skipped += again
                if again < rows.num_rows:
                    fresh = rows.slice(again)
                    given += fresh.num_rows
                    skipped += fresh.num_rows
                    yield layout.typed(fresh)

    # One thread reads as fast as pieces are compared, and several would read far ahead.
    for options in _block_sizes(_PIECE_BYTES, use_threads=False):
        try:
            yield from pieces(options)
        except pa.ArrowInvalid as error:
            if not _is_too_long(error, options):
                raise
        else:
            return


class _Layout(NamedTuple):
    """How a CSV file of ours is to be read."""

    path: Path
    table: Table | None
    names: list[str] | None
    convert: pacsv.ConvertOptions
    for_people: bool

    @classmethod
    def of(cls, path: Path, table: Table | None) -> _Layout:
        """Look at a file's mark and headings.

        Raises:
            ValueError: The headings are not the table's.
        """
        for_people = _opened(path).read(3) == b"\xef\xbb\xbf"
        names = _header(path)
        wanted = None if table is None else arrow_schema(table)
        if table is not None and wanted is not None:
            check_headings(names, wanted, path.name, table)
        types = [pa.string()] * len(names) if wanted is None else wanted.types
        convert = pacsv.ConvertOptions(
            column_types=dict(zip(names, types, strict=True)),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=for_people,
        )
        return cls(path, table, None if wanted is None else wanted.names, convert, for_people)

    def typed(self, rows: pa.Table) -> pa.Table:
        """Give rows as they were before they were written."""
        if self.names is not None:
            rows = rows.rename_columns(self.names)
        return returned(rows, self.table.name if self.table else "") if self.for_people else rows


def _opened(path: Path) -> Any:
    return pa.input_stream(str(path), compression="detect")


def _header(path: Path) -> list[str]:
    def names(options: dict[str, Any]) -> list[str]:
        with pacsv.open_csv(_opened(path), **options) as reader:
            return list(reader.schema.names)

    return _in_blocks(names)


def _in_blocks(read: Callable[[dict[str, Any]], _Read]) -> _Read:
    """Read with blocks that grow until the longest row fits into one."""
    for options in _block_sizes():
        try:
            return read(options)
        except pa.ArrowInvalid as error:
            if not _is_too_long(error, options):
                raise
    raise AssertionError("the last size returns or raises")


def _block_sizes(size: int = _BLOCK_BYTES, *, use_threads: bool = True) -> Iterator[dict[str, Any]]:
    parse = pacsv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
    while True:
        reading = pacsv.ReadOptions(block_size=size, use_threads=use_threads)
        yield {"parse_options": parse, "read_options": reading}
        size = min(size * 8, _MOST_BYTES)


def _is_too_long(error: pa.ArrowInvalid, options: dict[str, Any]) -> bool:
    """Say whether a row did not fit into a block, and a larger one is to be had."""
    return "straddl" in str(error) and options["read_options"].block_size < _MOST_BYTES
