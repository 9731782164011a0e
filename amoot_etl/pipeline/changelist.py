"""The portal's list of changes as a sync holds it: each contact's newest stamp, in memory."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from amoot_etl.extractors.updates import entries, land_updates
from amoot_etl.pipeline.alignment import is_rising
from amoot_etl.pipeline.marks import marks_of
from amoot_etl.transformers.stamps import stamp_order

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    import numpy.typing as npt

    from amoot_etl.client import Client

__all__ = ["Updates", "fetch_updates"]


class Updates(NamedTuple):
    """The entries of `ContactListUpdates`, by ID."""

    ids: npt.NDArray[np.int64]
    """Rising."""
    stamps: npt.NDArray[np.int64]
    """The order of each one's stamp, as `stamp_order` has it."""
    marks: npt.NDArray[np.int64]
    """The stamps as `marks` has them."""
    bytes: int = 0
    """Size of the body."""
    seconds: float = 0.0
    """How long it took to come."""


def fetch_updates(client: Client, folder: Path, *, today: dt.date) -> Updates:
    """Give the portal's list of changes, the newest entry of each contact.

    Args:
        client: A connection to the portal.
        folder: Where the body lands.
        today: The run's date in Tehran.

    Raises:
        CredentialsError, PortalUnavailable, UnexpectedAnswer: As the client's.
    """
    begun = time.monotonic()
    segments = land_updates(client, folder)
    seconds = time.monotonic() - begun
    parts = [np.empty((3, 0), np.int64)]
    for ids, texts in entries(segments):
        parts.append(np.stack((ids, stamp_order(texts), marks_of(texts, today=today))))
    size = 0
    for segment in segments:
        size += segment.path.stat().st_size
        segment.path.unlink()
    ids, stamps, marks = np.concatenate(parts, axis=1)
    # Portals tell of each contact once, by ID: nothing is sorted then.
    if not is_rising(ids):
        order = np.lexsort((stamps, ids))
        last = order[np.append(np.diff(ids[order]) != 0, True)]
        ids, stamps, marks = ids[last], stamps[last], marks[last]
    return Updates(ids, stamps, marks, size, seconds)
