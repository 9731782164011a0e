"""`amoot-etl changes`."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import click

from amoot_etl.cli._changes import parquet_option, show_changes
from amoot_etl.cli._options import as_json, folder_of, folder_options
from amoot_etl.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

_TEHRAN: Final = ZoneInfo("Asia/Tehran")
_FIRST_GREGORIAN: Final = 1700
"""Years before are Jalali ones."""


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

    show_changes(changes(folder_of(**where), _moment(since)), as_json=as_json, parquet=parquet)


def _moment(since: str | None) -> str | dt.datetime | None:
    """Read a moment on Tehran's clock, unless it says otherwise, or the beginning of a day of either calendar.

    A run's name is given back as it is.

    >>> str(_moment("1405/09/01")), str(_moment("2026-11-22T22:00"))
    ('2026-11-22 00:00:00+03:30', '2026-11-22 22:00:00+03:30')
    """
    from amoot_etl.loaders.generations import RUN_ID  # noqa: PLC0415 - help needs none of it

    if since is None or RUN_ID.fullmatch(since):
        return since
    try:
        moment = dt.datetime.fromisoformat(since)
    except ValueError:
        return _day(since)
    if moment.year < _FIRST_GREGORIAN:
        # No contact changed in the Middle Ages: that is a Jalali date with dashes.
        return _day(since)
    return moment if moment.tzinfo else moment.replace(tzinfo=_TEHRAN)


def _day(since: str) -> dt.datetime:
    import pandas as pd  # noqa: PLC0415

    from amoot_etl.transformers.jalali import to_gregorian  # noqa: PLC0415

    # A time of day would be dropped without a word.
    day = None if ":" in since else to_gregorian(pd.Series([since])).iloc[0]
    if day is None or pd.isna(day):
        raise SettingsError(
            f"--since {since} is no run of the feed and no time: give a run such as 20261122T063000Z-1a2b, "
            "a time such as 2026-11-22 or 2026-11-22T22:00, or a Jalali day such as 1405/09/01",
            subject="since",
        )
    return dt.datetime.combine(day, dt.time(), _TEHRAN)
