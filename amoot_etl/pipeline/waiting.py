"""Tables that wait on disk for what is not known yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["keep", "mapped"]


def keep(table: pa.Table, path: Path) -> None:
    """Write a table to an Arrow file of its own."""
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def mapped(path: Path) -> pa.Table:
    """Give the table of such a file: its memory is the file's, and the system may take it back."""
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()
