"""From when on the change feed is wanted: a run, a moment, or a day of either calendar."""

from __future__ import annotations

import datetime as dt
from typing import Final

from amoot_etl.errors import SettingsError
from amoot_etl.loaders.generations import RUN_ID
from amoot_etl.tehran import TEHRAN

__all__ = ["read_since"]

_FIRST_GREGORIAN: Final = 1700
"""Years before are Jalali ones."""


def read_since(since: str | dt.date | None) -> str | dt.datetime | None:
    """Read a run, or a moment on Tehran's clock unless it says otherwise; a day is its beginning.

    Args:
        since: A run's name; a date, a moment, or the text of one, a date of either calendar.

    Returns:
        The run's name, or a moment with a time zone.

    Raises:
        SettingsError: It is a text of neither.

    >>> str(read_since("1405/09/01")), str(read_since("2026-11-22T22:00"))
    ('2026-11-22 00:00:00+03:30', '2026-11-22 22:00:00+03:30')
    >>> read_since("20261122T063000Z-1a2b")
    '20261122T063000Z-1a2b'
    """
    if since is None or (isinstance(since, str) and RUN_ID.fullmatch(since)):
        return since
    moment = _read(since) if isinstance(since, str) else since
    if not isinstance(moment, dt.datetime):
        moment = dt.datetime.combine(moment, dt.time())
    return moment if moment.tzinfo else moment.replace(tzinfo=TEHRAN)


def _read(since: str) -> dt.date:
    try:
        moment = dt.datetime.fromisoformat(since)
    except ValueError:
        return _day(since)
    # No contact changed in the Middle Ages: that is a Jalali date with dashes.
    return moment if moment.year >= _FIRST_GREGORIAN else _day(since)


def _day(since: str) -> dt.date:
    # An export publishes its changes without pandas.
    import pandas as pd  # noqa: PLC0415

    from amoot_etl.transformers.jalali import to_gregorian  # noqa: PLC0415

    # A time of day would be dropped without a word.
    day: dt.date | None = None if ":" in since else to_gregorian(pd.Series([since])).iloc[0]
    if day is None or pd.isna(day):
        raise SettingsError(
            f"{since!r} is no run of the feed and no time: give a run such as 20261122T063000Z-1a2b, "
            "a time such as 2026-11-22 or 2026-11-22T22:00, or a Jalali day such as 1405/09/01",
            subject="since",
        )
    return day
