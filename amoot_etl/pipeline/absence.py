"""What it means that `ContactListUpdates` does not mention a contact that we hold.

By itself nothing: the list may tell of every contact or only of recent ones. But a list that reaches back to some
day tells of everything since, so a contact with a newer stamp that it leaves out stands out: it may be gone, and is
worth asking for. How far a list reaches is seen from what it mentions, not from a clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["stand_out"]


def stand_out(stamps: npt.NDArray[np.int64], mentioned: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Say which contacts a list leaves out although it reaches back further than their stamps.

    The list's reach is the stamp that parts mentioned from unmentioned contacts best; of equally good ones the
    oldest.

    Args:
        stamps: Each contact's stamp as a number that rises with it; the smallest int64 for none.
        mentioned: Whether the list mentions the contact.

    Returns:
        One boolean a contact.

    >>> recent = stand_out(np.array([1, 2, 8, 9, 10]), np.array([False, False, True, False, True]))
    >>> recent.tolist()
    [False, False, False, True, False]
    >>> stand_out(np.array([1, 2, 3]), np.array([True, False, True])).tolist()
    [False, True, False]
    """
    order = np.argsort(stamps, kind="stable")
    seen, rising = mentioned[order], stamps[order]
    absent_before = np.concatenate(([0], np.cumsum(~seen)))
    mentioned_after = int(seen.sum()) - np.concatenate(([0], np.cumsum(seen)))
    agreement = absent_before + mentioned_after
    # A reach is a stamp: it cannot part contacts that share one.
    agreement[1:-1][rising[1:] == rising[:-1]] = -1
    reach = int(np.argmax(agreement))
    out = np.zeros(len(stamps), bool)
    out[order[reach:]] = ~seen[reach:]
    return out
