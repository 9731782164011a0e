"""`amoot-etl changes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from amoot_etl.cli._changes import parquet_option, show_changes
from amoot_etl.cli._options import as_json, folder_of, folder_options

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option(
    "--since",
    metavar="RUN|TIME",
    help="Only what came after this run or this moment, on Tehran's clock: 2026-11-22, 2026-11-22T22:00, "
    "or the beginning of a Jalali day: 1405/09/01.",
)
@folder_options
@as_json
@parquet_option
def command(since: str | None, *, as_json: bool, parquet: Path | None, **where: Any) -> None:
    """Show the change feed: what each publish changed, the oldest first."""
    from amoot_etl.pipeline.diff import changes  # noqa: PLC0415 - help needs no tables

    show_changes(changes(folder_of(**where), since), as_json=as_json, parquet=parquet)
