"""Tehran's clock: the portal tells its moments by it, and so do we, wherever the machine stands."""

from __future__ import annotations

import datetime as dt
from typing import Final
from zoneinfo import ZoneInfo

__all__ = ["TEHRAN", "iso", "now"]

TEHRAN: Final = ZoneInfo("Asia/Tehran")


def now() -> dt.datetime:
    """Give the time, on Tehran's clock."""
    return dt.datetime.now(TEHRAN)


def iso(moment: dt.datetime) -> str:
    """Give a moment as ISO 8601 on Tehran's clock, to the second: so it stands in the manifest and in JSON.

    >>> iso(dt.datetime(2026, 11, 22, 19, 25, 21, 527_631, dt.UTC))
    '2026-11-22T22:55:21+03:30'
    """
    return moment.astimezone(TEHRAN).isoformat(timespec="seconds")
