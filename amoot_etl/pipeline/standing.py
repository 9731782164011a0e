"""Which issues of the current set still stand, once a sync knows what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from amoot_etl.pipeline.idsets import inside
from amoot_etl.pipeline.tables import listing_name

if TYPE_CHECKING:
    import datetime as dt

    import numpy as np
    import numpy.typing as npt

    from amoot_etl.loaders.generations import Generation
    from amoot_etl.pipeline.expect import Knowledge

    Ids = npt.NDArray[np.int64]

__all__ = ["Standing"]

_OF_THE_WHOLE: Final = ("mobile_duplicate", "unknown_field")
"""Rules that only the whole set can tell: they are told anew."""
_OF_LISTINGS: Final = ("duplicate_id", "record_unreadable")
"""Rules about a listing: they stand until it is read again."""


class Standing:
    """Tells the issues that still stand.

    Args:
        previous: The current set.
        known: Who is gone, and what was listed.
        received: Contacts of which there is a new record, rising: their issues are told anew.
        today: The run's date in Tehran.
    """

    def __init__(self, previous: Generation, known: Knowledge, received: Ids, *, today: dt.date) -> None:
        self._previous = previous
        self._known = known
        self._received = received
        self._today = today

    def of(self, issues: pa.Table) -> pa.Table:
        """Give the issues that still stand."""
        issues = issues.filter(pc.invert(pc.is_in(issues.column("rule"), pa.array(_OF_THE_WHOLE))))
        of_listings = pc.is_in(issues.column("rule"), pa.array(_OF_LISTINGS))
        here = issues.column("contact_id").fill_null(-1).to_numpy()
        told_anew = pa.array(inside(here, self._received))
        drop = pc.or_(pa.array(inside(here, self._known.gone)), pc.and_not(told_anew, of_listings))
        if pc.any(of_listings).as_py():
            drop = pc.or_(drop, pc.and_(of_listings, self._read_again(issues.column("detail"))))
        return self._still_to_come(issues.filter(pc.invert(drop)))

    def _read_again(self, detail: pa.ChunkedArray) -> pa.ChunkedArray:
        """Say which issues are about a listing that was read again or is no more, or about a lone answer."""
        stand = [
            listing_name(group) for group in (*self._known.members, -1, 0) if group not in self._known.listed
        ]
        words = pc.replace_substring_regex(detail.cast(pa.string()), r"^(\d+ times )?in ", "")
        return pc.invert(pc.is_in(words, pa.array(stand, pa.string())))

    def _still_to_come(self, issues: pa.Table) -> pa.Table:
        """Say of births in the future, as of today, what an export of today would."""
        future = pc.equal(issues.column("rule"), "date_in_future")
        if not pc.any(future).as_py():
            return issues
        wanted = issues.filter(future).column("contact_id").combine_chunks()
        coming = _born_after(self._previous, wanted, self._today)
        keep = pc.or_(pc.invert(future), pc.is_in(issues.column("contact_id"), coming))
        issues, future = issues.filter(keep), future.filter(keep)
        # The detail of such an issue names the day of the run.
        detail = issues.column("detail").cast(pa.string())
        renewed = pc.replace_substring_regex(detail, r"\d{4}-\d{2}-\d{2}", self._today.isoformat())
        return issues.set_column(
            issues.column_names.index("detail"), "detail", pc.if_else(future, renewed, detail)
        )


def _born_after(generation: Generation, contacts: pa.Array, today: dt.date) -> pa.Array:
    with pq.ParquetFile(generation.file("contacts")) as file:
        births = file.read(["contact_id", "birth_date"])
    births = births.filter(pc.is_in(births.column("contact_id"), contacts))
    later = pc.greater(births.column("birth_date"), pa.scalar(today, pa.date32()))
    return births.filter(later).column("contact_id").combine_chunks()
