"""Reading back the CSV files that `write_csv` makes, both profiles, either language, compressed or not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pyarrow as pa
import pyarrow.csv as pacsv

from amoot_etl.loaders.arrow import arrow_schema, headings
from amoot_etl.loaders.contract import frame_of
from amoot_etl.loaders.csv_text import returned

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    import pandas as pd

    from amoot_etl.schema import Table

__all__ = ["read_csv"]

_Read = TypeVar("_Read")

_BLOCK_BYTES: Final = 1 << 24
_MOST_BYTES: Final = (1 << 31) - 1


def read_csv(path: str | os.PathLike[str], table: Table | None = None) -> pd.DataFrame:
    r"""Read a CSV file of ours into a DataFrame with Arrow types.

    The profile is told by the byte order mark, the compression by the file's ending, the language by the
    headings.

    Args:
        path: The file.
        table: What the columns are; without it every column is read as text.

    Returns:
        The table that was written; of the `excel` profile, after the losses that writing it declared.

    Raises:
        ValueError: The headings are not the table's, or a value is not of its column's type.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "bridge.csv"
    ...     _ = path.write_text('"contact_id","group_id"\n1,7\n')
    ...     read_csv(path)["group_id"].tolist()
    ['7']
    """
    path = Path(path)
    for_people = _opened(path).read(3) == b"\xef\xbb\xbf"
    names = _header(path)
    wanted = None if table is None else arrow_schema(table)
    if wanted is not None and names not in (headings(wanted), headings(wanted, "fa")):
        raise ValueError(f"{path.name} does not have the columns of {table.name if table else ''}")
    types = [pa.string()] * len(names) if wanted is None else wanted.types
    convert = pacsv.ConvertOptions(
        column_types=dict(zip(names, types, strict=True)),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=for_people,
    )
    rows = _read(path, convert)
    if wanted is not None:
        rows = rows.rename_columns(wanted.names)
    if for_people:
        rows = returned(rows, table.name if table else "")
    return frame_of(rows)


def _opened(path: Path) -> Any:
    return pa.input_stream(str(path), compression="detect")


def _header(path: Path) -> list[str]:
    def names(options: dict[str, Any]) -> list[str]:
        with pacsv.open_csv(_opened(path), **options) as reader:
            return list(reader.schema.names)

    return _in_blocks(names)


def _read(path: Path, convert: pacsv.ConvertOptions) -> pa.Table:
    return _in_blocks(lambda options: pacsv.read_csv(_opened(path), convert_options=convert, **options))


def _in_blocks(read: Callable[[dict[str, Any]], _Read]) -> _Read:
    """Read with blocks that grow until the longest row fits into one."""
    parse = pacsv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
    size = _BLOCK_BYTES
    while True:
        try:
            return read({"parse_options": parse, "read_options": pacsv.ReadOptions(block_size=size)})
        except pa.ArrowInvalid as error:
            if "straddl" not in str(error) or size == _MOST_BYTES:
                raise
            size = min(size * 8, _MOST_BYTES)
