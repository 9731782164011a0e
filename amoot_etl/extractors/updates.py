"""The list of when each contact was last changed."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

from amoot_etl.errors import UnexpectedAnswer
from amoot_etl.extractors.body import BodyReader, bytes_of
from amoot_etl.extractors.contacts import frame_of, iter_listing
from amoot_etl.extractors.groups import ALL
from amoot_etl.extractors.landing import UPDATES
from amoot_etl.extractors.uniform_updates import read_uniform_updates
from amoot_etl.ids import usable_ids
from amoot_etl.schema import UPDATE_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    from amoot_etl.client import Client
    from amoot_etl.extractors.body import Raw
    from amoot_etl.extractors.landing import Segment

    _Told: TypeAlias = tuple[npt.NDArray[np.int64], pa.Array]

__all__ = ["entries", "extract_updates", "iter_updates", "update_reader"]

_SIDE_BY_SIDE: Final = 2
"""Segments that are read at a time; a list of a million contacts has eight or nine."""


def extract_updates(client: Client) -> pd.DataFrame:
    """Give every entry of `ContactListUpdates`.

    It may list every contact or only recent ones: that a contact is absent proves nothing.

    Returns:
        One row an entry: ID, UpdateDateTime, Deleted, each `string[pyarrow]` with the value's text.

    Raises:
        CredentialsError, PortalUnavailable, UnexpectedAnswer: As the client's.
    """
    import pandas as pd  # noqa: PLC0415 - only who calls this has frames

    chunks = list(iter_updates(client))
    return pd.concat(chunks, ignore_index=True) if chunks else frame_of(update_reader().gather([]))


def iter_updates(client: Client) -> Iterator[pd.DataFrame]:
    """Give the same as `extract_updates` in chunks."""
    yield from iter_listing(client, UPDATES, ALL, update_reader())


def update_reader() -> BodyReader:
    """Make a reader of the entries."""
    return BodyReader(UPDATES, UPDATE_FIELDS)


def entries(segments: Sequence[Segment], *, in_haste: Callable[[], bool] = lambda: True) -> Iterator[_Told]:
    """Give the landed entries that have a usable ID, in chunks: IDs and stamps as they were written.

    Args:
        segments: As `land_updates` gives them.
        in_haste: Says whether somebody waits; as long as nobody does, one at a time is read, in half the memory.

    Raises:
        UnexpectedAnswer: The list is not what the portal documents.
    """
    reader = update_reader()

    def read(segment: Segment) -> list[_Told] | None:
        if not segment.cut:
            return None
        told = read_uniform_updates(bytes_of(segment))
        try:
            return [told] if told else list(_told(reader.read(segment)))
        except UnexpectedAnswer:
            return None

    coming: deque[Future[list[_Told] | None]] = deque()
    following = iter(segments)

    def go_on() -> None:
        count = _SIDE_BY_SIDE if in_haste() else 1
        coming.extend(
            pool.submit(read, segment) for segment in islice(following, max(0, count - len(coming)))
        )

    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        go_on()
        for number in range(len(segments)):
            chunks = coming.popleft().result()
            if chunks is None:
                # It cannot be read by itself: from here on all is one stream.
                yield from _told(reader.read_carefully(segments[number:]))
                return
            go_on()
            yield from chunks


def _told(raws: Iterable[Raw]) -> Iterator[_Told]:
    """Give the IDs and stamps of parsed entries."""
    for raw in raws:
        numbers = usable_ids(raw.table.column("ID"))
        if numbers is not None:
            yield numbers, raw.table.column("UpdateDateTime").combine_chunks()
