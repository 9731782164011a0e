"""DuckDB alone: the contacts as a bare JSON array on disk, made Parquet. No download, no cleaning, no proof.

python -m benchmarks.scripts.duckdb_bare JSON FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb


def main(source: str, folder: str) -> None:
    """Read and write."""
    duckdb.sql(f"SET memory_limit='8GB'; SET temp_directory='{folder}'")
    duckdb.sql(
        f"COPY (FROM read_json('{source}', format='array')) "
        f"TO '{Path(folder) / 'contacts.parquet'}' (FORMAT parquet, COMPRESSION zstd)"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
