"""`amoot-etl changes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from amoot_etl.cli._changes import parquet_option, show_changes
from amoot_etl.cli._options import as_json, out_option
from amoot_etl.settings import load

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option("--since", metavar="RUN|TIME", help="Only what came after this run or this moment.")
@out_option
@as_json
@parquet_option
def command(since: str | None, out: Path | None, *, as_json: bool, parquet: Path | None) -> None:
    """Show the change feed: what each publish changed, the oldest first."""
    from amoot_etl.pipeline.diff import changes  # noqa: PLC0415 - help needs no tables

    show_changes(changes(load(out=out).out, since), as_json=as_json, parquet=parquet)
