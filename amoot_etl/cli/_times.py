"""How moments stand in JSON: everywhere as in the manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import datetime as dt

__all__ = ["TEHRAN", "tehran"]

TEHRAN: Final = ZoneInfo("Asia/Tehran")


def tehran(moment: dt.datetime) -> str:
    """Give a moment as ISO 8601 on Tehran's clock, to the second.

    >>> import datetime as dt
    >>> tehran(dt.datetime(2026, 11, 22, 19, 25, 21, 527_631, dt.UTC))
    '2026-11-22T22:55:21+03:30'
    """
    return moment.astimezone(TEHRAN).isoformat(timespec="seconds")
