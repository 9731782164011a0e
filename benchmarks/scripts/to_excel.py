"""`DataFrame.to_excel`: contacts from Parquet to a workbook, by the engine that pandas takes by itself, or a named one.

python -m benchmarks.scripts.to_excel PARQUET FOLDER [ENGINE]
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd


def main(source: str, folder: str, engine: str | None = None) -> None:
    """Read and write."""
    contacts = pd.read_parquet(source)
    contacts["updated_at"] = contacts["updated_at"].dt.tz_localize(None)  # Excel knows no zones
    path = Path(folder) / "contacts.xlsx"
    with pd.ExcelWriter(path, engine=engine) as book:  # type: ignore[arg-type] # the stubs know the engines' names
        print(book.engine)
        contacts.to_excel(book, sheet_name="contacts", index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
