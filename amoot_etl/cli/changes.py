"""`amoot-etl changes`."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from amoot_etl.cli._changes import parquet_option, show_changes
from amoot_etl.cli._options import as_json, out_option
from amoot_etl.settings import load_settings

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

    show_changes(changes(load_settings(out=out).out, _moment(since)), as_json=as_json, parquet=parquet)


def _moment(since: str | None) -> str | dt.datetime | None:
    """Read a moment on Tehran's clock, unless it says otherwise; what is none is a run's name."""
    try:
        moment = dt.datetime.fromisoformat(since or "")
    except ValueError:
        return since
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo("Asia/Tehran"))
