"""`amoot-etl changes`."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from amoot_etl.cli._changes import parquet_option, show_changes
from amoot_etl.cli._options import as_json, folder_of, folder_options

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option("--since", metavar="RUN|TIME", help="Only what came after this run or this moment.")
@folder_options
@as_json
@parquet_option
def command(since: str | None, *, as_json: bool, parquet: Path | None, **where: Any) -> None:
    """Show the change feed: what each publish changed, the oldest first."""
    from amoot_etl.pipeline.diff import changes  # noqa: PLC0415 - help needs no tables

    show_changes(changes(folder_of(**where), _moment(since)), as_json=as_json, parquet=parquet)


def _moment(since: str | None) -> str | dt.datetime | None:
    """Read a moment on Tehran's clock, unless it says otherwise; what is none is a run's name."""
    try:
        moment = dt.datetime.fromisoformat(since or "")
    except ValueError:
        return since
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo("Asia/Tehran"))
