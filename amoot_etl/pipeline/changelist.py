"""The portal's list of changes as a sync holds it: each contact's newest stamp, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from amoot_etl.extractors.updates import entries
from amoot_etl.pipeline.alignment import is_rising
from amoot_etl.pipeline.marks import order_and_marks

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    import numpy.typing as npt

    from amoot_etl.extractors.landing import Segment

__all__ = ["Updates", "read_updates"]


class Updates(NamedTuple):
    """The entries of `ContactListUpdates`, by ID."""

    ids: npt.NDArray[np.int64]
    """Rising."""
    stamps: npt.NDArray[np.int64]
    """The order of each one's stamp, as `stamp_order` has it."""
    marks: npt.NDArray[np.int64]
    """The stamps as `marks` has them."""


def read_updates(segments: Sequence[Segment], *, today: dt.date) -> Updates:
    """Give the portal's list of changes, the newest entry of each contact.

    Args:
        segments: The list as it landed; its files are removed.
        today: The run's date in Tehran.

    Raises:
        UnexpectedAnswer: The list is not what the portal documents.
    """
    parts = [np.empty((3, 0), np.int64)]
    for ids, texts in entries(segments):
        parts.append(np.stack((ids, *order_and_marks(texts, today=today))))
    for segment in segments:
        segment.path.unlink()
    ids, stamps, marks = np.concatenate(parts, axis=1)
    # Portals tell of each contact once, by ID: nothing is sorted then.
    if not is_rising(ids):
        order = np.lexsort((stamps, ids))
        last = order[np.append(np.diff(ids[order]) != 0, True)]
        ids, stamps, marks = ids[last], stamps[last], marks[last]
    return Updates(ids, stamps, marks)
