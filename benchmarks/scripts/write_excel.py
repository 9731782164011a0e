"""Our Excel loader alone: contacts from Parquet to a workbook, in chunks.

python -m benchmarks.scripts.write_excel PARQUET FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow.parquet as pq

from amoot_etl.loaders.excel import write_excel
from amoot_etl.schema import TABLES


def main(source: str, folder: str) -> None:
    """Read and write."""
    with pq.ParquetFile(source) as file:
        write_excel(file.iter_batches(batch_size=1 << 16), Path(folder) / "contacts.xlsx", TABLES["contacts"])


if __name__ == "__main__":
    main(*sys.argv[1:])
