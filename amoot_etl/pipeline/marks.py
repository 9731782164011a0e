"""Marks: a contact's stamp as one number, which differs exactly where the stamp says that something changed.

Sync has no state of its own: what it knows of a contact's stamp is what the tables hold. That is enough. A stamp
that can be read is in `updated_at` as an instant, so the stamp of the portal's list is read by the same rules and the
instants are compared. The two texts may differ (`.5` and `.50`, an hour that Tehran's clock left out, a shifted
time): read alike, they are alike. A stamp that cannot be read is in `issues` with the text that came, so there the
texts are compared. Empty stamps and sentinels are no stamp, on both sides.

What this cannot tell apart are two stamps within one microsecond, and two texts for one instant on the days of 2022
and before on which Tehran moved its clock. Neither comes of an edit.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import pyarrow.compute as pc

from amoot_etl.transformers.stamps import NO_STAMP, read_stamps, stamp_order, usual_times

if TYPE_CHECKING:
    import datetime as dt

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Marks = npt.NDArray[np.int64]

__all__ = ["instants", "marks_of", "order_and_marks", "text_mark"]

_LOWEST: Final = -(2**63) + 1
_TEXTS: Final = 2**62
"""How many marks there are for texts: far below the instants of every year that is read."""


def marks_of(texts: pa.Array, *, today: dt.date) -> Marks:
    """Give the marks of stamps as received.

    Args:
        texts: `string`.
        today: The run's date, which gives a two-digit year its century.

    Returns:
        int64: microseconds since 1970-01-01 UTC where the stamp can be read, `NO_STAMP` where there is none, and
        a number of its own for each text that cannot be read.

    >>> import datetime as dt
    >>> import pyarrow as pa
    >>> one = marks_of(pa.array(["2025-10-21T11:03:41.5", "soon", "", "soon"]), today=dt.date(2026, 11, 1))
    >>> other = marks_of(pa.array(["2025-10-21T11:03:41.50", "later", None, "soon"]), today=dt.date(2026, 11, 1))
    >>> (one == other).tolist()
    [True, False, True, True]
    """
    stamps = read_stamps(texts, today=today)
    marks = instants(stamps.updated_at)
    for finding in stamps.findings:
        for row, text in zip(finding.rows.tolist(), finding.values.to_pylist(), strict=True):
            if marks[row] == NO_STAMP:
                marks[row] = text_mark(text)
    return marks


def order_and_marks(texts: pa.Array, *, today: dt.date) -> tuple[Marks, Marks]:
    """Give the order of stamps, as `stamp_order` has it, and their marks, in half the time of one after the other."""
    return usual_times(texts) or (stamp_order(texts), marks_of(texts, today=today))


def text_mark(text: str) -> int:
    """Give the mark of a stamp that cannot be read."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return _LOWEST + int.from_bytes(digest) % _TEXTS


def instants(updated_at: pa.Array | pa.ChunkedArray) -> Marks:
    """Give a column of instants as a new array of microseconds, `NO_STAMP` for null."""
    numbers: Marks = pc.cast(updated_at, "int64").fill_null(NO_STAMP).to_numpy(zero_copy_only=False).copy()
    return numbers
