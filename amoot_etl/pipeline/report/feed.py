"""What the change feed of a set knows: how many contacts each publish added and removed, and the size since."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow.compute as pc
import pyarrow.parquet as pq

from amoot_etl.loaders.generations import RUN_ID
from amoot_etl.tehran import TEHRAN
from amoot_etl.transformers.calendar import calendar_table

if TYPE_CHECKING:
    from amoot_etl.loaders.generations import Generation

__all__ = ["Feed", "Publish", "Size", "jalali_day", "read_feed", "run_moment", "sizes"]


_FEW_PUBLISHES: Final = 12
_FEW_DAYS: Final = 31
_MONTH: Final = len("1405/09")


@dataclass(frozen=True, slots=True)
class Publish:
    """One publish over an older set.

    Args:
        run_id: The run.
        at: When the run began, Tehran time.
        counts: How many contacts were `added`, `updated`, `removed`, `relabelled`; a kind without any is left out.
    """

    run_id: str
    at: dt.datetime
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Feed:
    """The feed as far back as it has no gap: each publish over the set that the one before it made.

    Args:
        publishes: The oldest first.
        start: When the run began whose set the first of them replaced; None where that is not known.
    """

    publishes: tuple[Publish, ...]
    start: dt.datetime | None


class Size(NamedTuple):
    """How many contacts there were at the end of a period: a month, a day, or a moment of the only day."""

    period: str
    """`1405/09`, `1405/09/01` or `04:00`."""
    contacts: int


def read_feed(generation: Generation) -> Feed:
    """Give the feed that leads to a generation.

    Raises:
        OSError: A file of the feed cannot be read.
    """
    publishes: list[Publish] = []
    wanted = generation.run_id
    for path in reversed(generation.changes()):
        # A run whose set could not be compared (it had another scope) wrote no file: nothing before it adds up.
        if path.stem != wanted:
            break
        with pq.ParquetFile(path) as file:
            previous = (file.schema_arrow.metadata or {}).get(b"previous", b"").decode()
            kinds = pc.value_counts(file.read(columns=["change"])["change"]).to_pylist()
        counts = {kind["values"]: kind["counts"] for kind in kinds}
        publishes.append(Publish(wanted, run_moment(wanted), counts))
        wanted = previous
    known = bool(publishes and RUN_ID.fullmatch(wanted))
    return Feed(tuple(reversed(publishes)), run_moment(wanted) if known else None)


def sizes(feed: Feed, contacts: int) -> list[Size]:
    """Give how many contacts there were at the end of each period that the feed covers, the oldest first.

    Few publishes are told by day, and so are many within a month; else it is by month. What lies within one day
    is told by the minute. A period without a publish is left out.

    Args:
        feed: The feed.
        contacts: How many contacts the set has that it leads to.

    >>> at = dt.datetime(2026, 11, 22, 4, 0, tzinfo=TEHRAN)
    >>> feed = Feed((Publish("20261122T003000Z-0000", at, {"added": 7, "removed": 2}),), at - dt.timedelta(1))
    >>> [tuple(size) for size in sizes(feed, 105)]
    [('1405/08/30', 100), ('1405/09/01', 105)]
    """
    moments: list[tuple[dt.datetime, int]] = []
    for publish in reversed(feed.publishes):
        moments.append((publish.at, contacts))
        contacts += publish.counts.get("removed", 0) - publish.counts.get("added", 0)
    if feed.start is not None:
        moments.append((feed.start, contacts))
    moments.reverse()
    # The last moment of a period is what stays under its name.
    ends = {
        period: count for period, (_, count) in zip(_periods([at for at, _ in moments]), moments, strict=True)
    }
    return [Size(period, count) for period, count in ends.items()]


def _periods(moments: list[dt.datetime]) -> list[str]:
    """Give the period that each moment is told under, all of one kind."""
    days = [jalali_day(at.date()) for at in moments]
    if len(set(days)) == 1:
        return [f"{at:%H:%M}" for at in moments]
    if len(moments) <= _FEW_PUBLISHES or moments[-1] - moments[0] <= dt.timedelta(_FEW_DAYS):
        return days
    return [day[:_MONTH] for day in days]


def run_moment(run_id: str) -> dt.datetime:
    """Give when a run began, Tehran time, by its name.

    >>> run_moment("20261122T003011Z-bd18").isoformat()
    '2026-11-22T04:00:11+03:30'
    """
    began = dt.datetime.strptime(run_id.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    return began.astimezone(TEHRAN)


def jalali_day(day: dt.date) -> str:
    """Give a day of 1300-1500 AP in the Jalali calendar.

    >>> jalali_day(dt.date(2026, 11, 22))
    '1405/09/01'
    """
    days = calendar_table()
    text: str = days["jalali_date"][(day - days["date"][0].as_py()).days].as_py()
    return text
