"""What every sync asks first: the groups, and the list of changes on its way to disk.

Nothing here brings in Arrow: the portal is at work while it is being loaded.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from amoot_etl import errors
from amoot_etl.extractors.groups import fetch_groups
from amoot_etl.extractors.landing import land_updates
from amoot_etl.pipeline.crew import in_background
from amoot_etl.pipeline.infull import InFull

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from amoot_etl.client import Client
    from amoot_etl.extractors.groups import Group
    from amoot_etl.extractors.landing import Segment

__all__ = ["FirstAnswers", "Pace", "ask_first"]

_RATE: Final = 25e6
"""Bytes a second, as long as no body was large enough to measure by."""
_LARGE: Final = 1 << 20


class Pace(NamedTuple):
    """How the portal answers."""

    latency: float
    """Seconds of a small request."""
    rate: float
    """Bytes in a second."""
    concurrency: int
    """Requests at a time."""


class FirstAnswers(NamedTuple):
    """What the portal said."""

    groups: list[Group]
    updates: list[Segment]
    """The list of changes, landed and not read yet."""
    pace: Pace


def ask_first(client: Client, folder: Path) -> Future[FirstAnswers]:
    """Ask what every sync asks, while other work goes on.

    Args:
        client: A connection to the portal.
        folder: Where the list of changes lands.

    Returns:
        The answers, or the client's errors; `InFull` where the token may not ask.
    """

    def ask() -> FirstAnswers:
        begun = time.monotonic()
        groups = fetch_groups(client)
        latency = time.monotonic() - begun
        begun = time.monotonic()
        try:
            updates = land_updates(client, folder)
        except errors.CredentialsError as error:
            raise InFull(f"the token may not call {error.subject}") from error
        spent = time.monotonic() - begun - latency
        size = sum(segment.size for segment in updates)
        rate = size / spent if size >= _LARGE and spent > 0 else _RATE
        return FirstAnswers(groups, updates, Pace(latency, rate, client.settings.concurrency))

    return in_background(ask, "first")
