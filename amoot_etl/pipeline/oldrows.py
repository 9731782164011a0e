"""Stream the rows of the current set, in the form in which they are written again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from amoot_etl.loaders.parquet import GROUP_ROWS, encoded_columns, streamed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    Ids = npt.NDArray[np.int64]

__all__ = ["batches", "last_with_room", "row_groups"]

_ROWS: Final = 1 << 17
_ALWAYS: Final = ["contact_id", "mobile", "extra"]
"""The columns of contacts that are read even where nothing changed: what only the whole can tell is in them."""


def row_groups(path: Path, in_full: Callable[[int, Ids], bool]) -> Iterator[tuple[int, pa.Table]]:
    """Give the rows of each row group, the columns that the file has encoded still encoded; one is read ahead.

    Args:
        path: A table of contacts.
        in_full: Says by its number and its contacts whether all columns of a row group are wanted.
    """
    with pq.ParquetFile(path) as file:
        encoded = encoded_columns(file)
    with pq.ParquetFile(path, read_dictionary=encoded) as file, ThreadPoolExecutor(1) as pool:

        def read(group: int) -> pa.Table:
            rows = file.read_row_group(group, _ALWAYS)
            if in_full(group, rows.column("contact_id").to_numpy()):
                rows = file.read_row_group(group)
            return rows.replace_schema_metadata()

        groups = range(file.num_row_groups)
        coming = [pool.submit(read, group) for group in groups[:1]]
        for group in groups:
            rows = coming.pop().result()
            coming += [pool.submit(read, following) for following in groups[group + 1 : group + 2]]
            yield group, rows


def last_with_room(path: Path) -> int | None:
    """Give the last row group of a table, unless it is full."""
    meta = pq.read_metadata(path)
    last = meta.num_row_groups - 1
    return last if last >= 0 and meta.row_group(last).num_rows < GROUP_ROWS else None


def batches(path: Path) -> Iterator[pa.Table]:
    """Give a table's rows, the columns that the file has encoded still encoded; one batch is read ahead."""
    with pq.ParquetFile(path) as file:
        encoded = encoded_columns(file)
    with streamed(path, encoded=encoded) as file, ThreadPoolExecutor(1) as pool:
        batches = file.iter_batches(_ROWS)
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield pa.Table.from_batches([batch]).replace_schema_metadata()
