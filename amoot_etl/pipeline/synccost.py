"""The cost rule: ask for contacts one by one, list some groups, or export anew.

All three give the same tables, so the cheapest is taken. What a request costs is its latency, shared by those under
way at one time, and our own work for it; what a byte costs is the line or our own reading, whichever is slower:

    seconds = max(ceil(requests / concurrency) * latency, requests * OWN_REQUEST)
              + bytes * max(1 / rate, 1 / OWN_RATE)

A listing that is read for the wanted contacts in it goes at OWN_SIFTED in place of OWN_RATE: of all others only who
they are is read, and nothing is cleaned or written. A sync has to go through the old set, too, at OWN_CARRY a contact,
which an export need not. Where all that comes to more than an export, by SLACK at least, everything is exported.
Whether it turns out so is watched: when the first contacts that are asked for one by one take so long that the rest
would cost more than an export, everything is exported.

A listing is one request and as many records as the group has contacts. Groups that must be listed anyway, since
their counts say so, cost nothing more and spare asking for the wanted contacts in them. A group is listed for the
wanted contacts in it when that is cheaper than asking for them. The rest is asked for one by one, unless that is more
than a small share of the book, or the whole costs more than an export. The first few are always asked for without
any arithmetic: a sync of a small change then makes the same requests whatever the weather on the line.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from amoot_etl.pipeline.idsets import NOBODY, common, without

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import numpy as np
    import numpy.typing as npt

    from amoot_etl.pipeline.first import Pace

__all__ = [
    "FREE",
    "OWN_CARRY",
    "OWN_RATE",
    "OWN_REQUEST",
    "OWN_SIFTED",
    "RECORD_BYTES",
    "SLACK",
    "Choice",
    "choose",
    "most_gets",
    "most_in_doubt",
    "seconds",
]

FREE: Final = 20
"""Contacts that are asked for one by one without being weighed."""

RECORD_BYTES: Final = 750
"""Bytes of a contact's record: a million make a body of 0.75 GB."""

OWN_REQUEST: Final = 0.001
"""Seconds of our own work for one request, which threads of one interpreter cannot share."""

OWN_RATE: Final = 125e6
"""Bytes of records that we read, clean and write in a second: a million contacts take six."""

OWN_SIFTED: Final = 300e6
"""Bytes of records that we look through in a second where few are wanted: a million contacts take two and a half."""

OWN_CARRY: Final = 1.2e-6
"""Seconds of our own work for a contact that is taken over from the old set."""

SLACK: Final = 1.0
"""Seconds by which a sync may seem dearer than an export: less is no reason to list everything, and cannot be told."""

_SHARE: Final = 0.05
_LEAST: Final = 50
_LEAST_LISTED: Final = 2000


class Choice(NamedTuple):
    """What to do."""

    listings: tuple[int, ...]
    """Groups to list, -1 perhaps among them."""
    gets: npt.NDArray[np.int64]
    """Contacts to ask for one by one, rising, where no listing holds them."""
    seconds: float
    """What that costs."""
    export_seconds: float
    """What listing everything costs."""
    why: str
    """Why to export anew instead; empty when not."""


def seconds(requests: int, size: float, pace: Pace, own_rate: float = OWN_RATE) -> float:
    """Give what requests with so many bytes of answers cost, bytes that we read at our own rate.

    >>> from amoot_etl.pipeline.first import Pace
    >>> pace = Pace(latency=0.1, rate=1e6, concurrency=4)
    >>> round(seconds(8, 0, pace), 3), round(seconds(1, 5e6, pace), 3)
    (0.2, 5.1)
    """
    waiting = math.ceil(requests / pace.concurrency) * pace.latency
    return max(waiting, requests * OWN_REQUEST) + size * max(1 / pace.rate, 1 / own_rate)


def most_gets(contacts: int) -> int:
    """Give how many contacts of a book may be asked for one by one: 5 %, and 50 of a small one.

    >>> most_gets(100), most_gets(1_000_000)
    (50, 50000)
    """
    return max(_LEAST, int(contacts * _SHARE))


def most_in_doubt(contacts: int) -> int:
    """Give how many contacts listings may hold that only doubt is the reason for: 5 % of a book, 2,000 of a small one.

    >>> most_in_doubt(500), most_in_doubt(1_000_000)
    (2000, 50000)
    """
    return max(_LEAST_LISTED, int(contacts * _SHARE))


def choose(  # noqa: PLR0913, PLR0917 - all that the rule weighs
    wanted: npt.NDArray[np.int64],
    members: Mapping[int, npt.NDArray[np.int64]],
    sizes: Mapping[int, int],
    must: Collection[int],
    contacts: int,
    pace: Pace,
) -> Choice:
    """Choose how to get the wanted contacts.

    Args:
        wanted: Contacts of which we want the record, rising.
        members: The contacts that each listing is known to hold; those of -1 may be left out when few are wanted.
        sizes: How many contacts each listing has now. Together they are everything that an export would list.
        must: Listings that are needed whatever is wanted.
        contacts: How many contacts the book has.
        pace: How the portal answers.

    Returns:
        The cheapest way.

    >>> from amoot_etl.pipeline.first import Pace
    >>> pace = Pace(latency=0.1, rate=1e6, concurrency=4)
    >>> import numpy as np
    >>> choice = choose(np.array([7, 8]), {1: np.array([7])}, {1: 1, 2: 50_000}, [1], 50_000, pace)
    >>> choice.listings, choice.gets.tolist(), choice.why
    ((1,), [8], '')
    """
    listings = list(dict.fromkeys(must))
    rest = wanted
    for group in listings:
        rest = without(rest, members.get(group, NOBODY))
    if len(rest) > FREE:
        listings, rest = _cover(listings, rest, members, sizes, pace)
    everything = sum(sizes.values())
    whole, sifted = (
        sum(sizes.get(group, 0) for group in listings if (group in must) is so) * RECORD_BYTES
        for so in (True, False)
    )
    weighed = max(0, len(rest) - FREE)
    cost = seconds(len(listings) + weighed, whole + weighed * RECORD_BYTES, pace)
    cost += seconds(0, sifted, pace, OWN_SIFTED)
    export = seconds(len(sizes), everything * RECORD_BYTES, pace)
    why = ""
    if len(rest) > most_gets(contacts):
        why = f"{len(rest):,} contacts would have to be asked for one by one"
    elif (total := cost + contacts * OWN_CARRY) > export + SLACK:
        why = f"syncing would take {total:.1f} s, an export {export:.1f} s"
    return Choice(tuple(listings), rest, cost, export, why)


def _cover(
    listings: list[int],
    rest: npt.NDArray[np.int64],
    members: Mapping[int, npt.NDArray[np.int64]],
    sizes: Mapping[int, int],
    pace: Pace,
) -> tuple[list[int], npt.NDArray[np.int64]]:
    """Add the listings that are cheaper than asking for the wanted contacts in them, the best first."""
    listings = list(listings)
    each = max(pace.latency / pace.concurrency, OWN_REQUEST) + seconds(0, RECORD_BYTES, pace)
    prices = {
        group: seconds(1, sizes[group] * RECORD_BYTES, pace, OWN_SIFTED)
        for group in members
        if group in sizes and group not in listings
    }
    gains = {group: len(common(rest, members[group])) * each - price for group, price in prices.items()}
    while gains:
        best = max(gains, key=gains.__getitem__)
        # It was told when more was wanted: a gain only falls, so one that still is the largest is the best.
        now = len(common(rest, members[best])) * each - prices[best]
        if now < gains[best]:
            gains[best] = now
        elif now <= 0:
            break
        else:
            listings.append(best)
            rest = without(rest, members[best])
            del gains[best]
    return listings, rest
