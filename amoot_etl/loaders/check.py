"""The cheap look at one written file: is it all there, and is it what its manifest entry says."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_file", "check_size"]


def check_file(path: Path, entry: dict[str, Any], run_id: str) -> list[str]:
    """Compare a file's size, rows and run with its manifest entry, without reading its data.

    Args:
        path: The file.
        entry: Its entry in the manifest.
        run_id: The run that wrote it; a change file names the run that first wrote it.

    Returns:
        What differs, in words, each beginning with the path inside the generation; empty when all agree.
    """
    if problems := check_size(path, entry):
        return problems
    name = entry["path"]
    if entry["format"] == "parquet":
        return _check_parquet(path, entry, path.stem if entry["table"] == "changes" else run_id)
    if entry["format"] == "xlsx" and not zipfile.is_zipfile(path):
        return [f"{name}: not a workbook"]
    return []


def check_size(path: Path, entry: dict[str, Any]) -> list[str]:
    """Compare a file's size alone, where there may be thousands of files: a feed that is years old.

    Args:
        path: The file.
        entry: Its entry in the manifest.

    Returns:
        As `check_file`.
    """
    name = entry["path"]
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return [f"{name}: the file is missing"]
    except OSError as error:
        return [f"{name}: cannot be read ({error.strerror})"]
    return [] if size == entry["bytes"] else [f"{name}: {size} bytes, the manifest says {entry['bytes']}"]


def _check_parquet(path: Path, entry: dict[str, Any], run_id: str) -> list[str]:
    name = entry["path"]
    try:
        with pa.OSFile(str(path)) as file:
            footer = pq.read_metadata(file)
    except (OSError, pa.ArrowException) as error:
        return [f"{name}: not a whole Parquet file ({type(error).__name__})"]
    problems = []
    if footer.num_rows != entry["rows"]:
        problems.append(f"{name}: {footer.num_rows} rows, the manifest says {entry['rows']}")
    found = (footer.metadata or {}).get(b"run_id", b"").decode()
    if found != run_id:
        problems.append(f"{name}: made by run {found or 'unknown'}, not by {run_id}")
    return problems
