"""`amoot-etl diff`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from amoot_etl.cli._changes import parquet_option, show_changes
from amoot_etl.cli._options import as_json, folder_of, folder_options

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("a", required=False)
@click.argument("b", required=False)
@folder_options
@as_json
@parquet_option
def command(a: str | None, b: str | None, *, as_json: bool, parquet: Path | None, **where: Any) -> None:
    """Show what changed from generation A to generation B (from the one before to the current one)."""
    from amoot_etl.pipeline.diff import diff  # noqa: PLC0415 - help needs no tables

    show_changes(diff(folder_of(**where), a, b), as_json=as_json, parquet=parquet)
