"""The list of when each contact was last changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amoot_etl.extractors.body import BodyReader
from amoot_etl.extractors.contacts import ALL, frame_of, iter_listing
from amoot_etl.schema import UPDATE_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from amoot_etl.client import Client

__all__ = ["extract_updates", "iter_updates", "update_reader"]

_METHOD = "ContactListUpdates"


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
    yield from iter_listing(client, _METHOD, ALL, update_reader())


def update_reader() -> BodyReader:
    """Make a reader of the entries."""
    return BodyReader(_METHOD, UPDATE_FIELDS)
