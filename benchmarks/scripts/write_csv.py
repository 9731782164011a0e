"""Our CSV loader alone: contacts from Parquet to CSV, in chunks. Prints the rows and the seconds that it took.

python -m benchmarks.scripts.write_csv PARQUET FOLDER
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from amoot_etl.cli._lean import keep_pandas_out
from amoot_etl.loaders.csv import write_csv
from amoot_etl.schema import TABLES


def main(source: str, folder: str) -> None:
    """Read and write; reading counts."""
    # As an export does, which is where CSV is made.
    keep_pandas_out()
    pa.set_memory_pool(pa.system_memory_pool())
    started = time.perf_counter()
    with pq.ParquetFile(source) as file:
        chunks = file.iter_batches(batch_size=1 << 16, use_threads=False)  # as an export reads them
        written = write_csv(chunks, Path(folder) / "contacts.csv", TABLES["contacts"])
    print(written.rows, time.perf_counter() - started)


if __name__ == "__main__":
    main(*sys.argv[1:])
