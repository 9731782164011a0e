"""Contacts as raw text: a listing, or one contact."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from amoot_etl.client import judge, shown, unexpected
from amoot_etl.errors import NotFound, PortalUnavailable
from amoot_etl.extractors import careful
from amoot_etl.extractors.body import UNREADABLE, BodyReader, Raw
from amoot_etl.extractors.groups import ALL
from amoot_etl.extractors.landing import Landing
from amoot_etl.ids import usable_id
from amoot_etl.schema import CONTACT_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from amoot_etl.client import Client

__all__ = [
    "contact_reader",
    "extract_contact",
    "extract_contacts",
    "fetch_contact",
    "frame_of",
    "iter_contacts",
    "iter_listing",
]

_ENVELOPE: Final = re.compile(r'\{"Status":"(\w+)","Data":(?=\{)')


def extract_contacts(client: Client, group_id: int = ALL) -> pd.DataFrame:
    """Give one group's contacts, or all, as the portal tells them.

    Args:
        client: A connection to the portal.
        group_id: A group; 0 for every contact, -1 for those in no group.

    Returns:
        One row a record, the portal's fields as columns, each `string[pyarrow]` with the value's text (nested
        values as JSON text, missing ones null); fields that the portal does not document stand at the end.

    Raises:
        CredentialsError, NotFound, PortalUnavailable, UnexpectedAnswer: As the client's.

    >>> from amoot_etl import Client, Settings
    >>> from amoot_etl.demo import AddressBook, Portal
    >>> with Portal(AddressBook.invent(contacts=5, seed=1), token="t") as portal:
    ...     with Client(Settings(base_url=portal.url, token="t")) as client:
    ...         frame = extract_contacts(client)
    >>> list(frame.columns[:4])
    ['ID', 'Active', 'ContactGroupID', 'Mobile']
    """
    import pandas as pd  # noqa: PLC0415 - only who calls this has frames

    chunks = list(iter_contacts(client, group_id))
    return pd.concat(chunks, ignore_index=True) if chunks else frame_of(contact_reader().gather([]))


def iter_contacts(client: Client, group_id: int = ALL) -> Iterator[pd.DataFrame]:
    """Give the same as `extract_contacts` in chunks, for what does not fit in memory.

    The body is landed in a temporary folder and checked before the first chunk comes. A record without a usable
    ID is a row too, its text in a column `_unreadable`.
    """
    yield from iter_listing(client, "ContactList", group_id, contact_reader())


def iter_listing(client: Client, method: str, group_id: int, reader: BodyReader) -> Iterator[pd.DataFrame]:
    """Land one listing of a method and give its chunks."""
    with tempfile.TemporaryDirectory(prefix="amoot-") as folder:
        segments = client.download(method, lambda: Landing(method, Path(folder)), ContactGroupID=group_id)
        for raw in reader.read_all(segments):
            yield frame_of(raw)


def extract_contact(client: Client, contact_id: int) -> pd.DataFrame:
    """Give one contact as the portal tells it, in one row shaped as `extract_contacts`.

    Raises:
        NotFound: The portal has no such contact.
        CredentialsError, PortalUnavailable, UnexpectedAnswer: As the client's.
    """
    return frame_of(contact_reader().gather([fetch_contact(client, contact_id)]))


def fetch_contact(client: Client, contact_id: int, *, tries: int | None = None) -> careful.Record:
    """Give one contact's record.

    `Failed` is the only failing answer that the portal's documents show, and may mean that the contact is gone:
    it is asked once more and then told as PortalUnavailable with the status `Failed`.
    """
    try:
        record = client.download(
            "ContactGet", _OneContact, tries=tries, twice_at_most="Failed", ContactID=contact_id
        )
    except NotFound as error:
        if error.status != "ContactID_Invalid":
            # A code about groups says nothing about this contact.
            raise unexpected("ContactGet", f"the status {error.status}", status=error.status) from error
        raise
    except PortalUnavailable as error:
        if error.status != "Failed":
            raise
        raise PortalUnavailable(
            f"ContactGet: Failed for contact {contact_id}: it may be gone: compare with a listing",
            subject="ContactGet",
            status="Failed",
        ) from error
    if usable_id(record.text.get("ID")) != contact_id:
        # Some servers answer a default object for a contact that is not there, or give another; that proves nothing.
        raise PortalUnavailable(
            f"ContactGet: Success without the contact {contact_id}: it may be gone: compare with a listing",
            subject="ContactGet",
            status="Failed",
        )
    return record


class _OneContact:
    """The receiver of one contact: keeps each value's text as it was sent."""

    def __init__(self) -> None:
        self._body = bytearray()

    def write(self, block: bytes) -> None:
        self._body += block

    def finish(self) -> careful.Record:
        text = bytes(self._body).decode("utf-8-sig", "replace").strip()
        envelope = _opened(text)
        if not envelope:
            envelope, _ = careful.fields(text)
            whole = text.startswith("{") and text.endswith("}") and careful.depth(text) == 0
            if not whole or "Status" not in envelope:
                # A bare status, or none of what it should be.
                answer = shown("ContactGet", bytes(self._body))
                judge("ContactGet", answer.get("Status") if isinstance(answer, dict) else answer)
        judge("ContactGet", envelope.get("Status"))
        data = envelope.get("Data") or ""
        record = careful.record(data)
        if not data.startswith("{") or (record.text and "ID" not in record.text):
            raise unexpected("ContactGet", "Success without a contact in Data")
        return record

    def abandon(self) -> None:
        self._body.clear()


def _opened(text: str) -> dict[str, str | None]:
    """Give the status and the text of the data, where an answer looks as nearly all do; else nothing."""
    begin = _ENVELOPE.match(text)
    if begin is None or not text.endswith("}"):
        return {}
    end = careful.value_end(text, begin.end())
    return {"Status": begin[1], "Data": text[begin.end() : end]} if end == len(text) - 1 else {}


def contact_reader(method: str = "ContactList") -> BodyReader:
    """Make a reader of contacts."""
    return BodyReader(method, CONTACT_FIELDS)


def frame_of(raw: Raw) -> pd.DataFrame:
    """Give a chunk as a DataFrame; records without a usable ID are rows of nulls with `_unreadable`."""
    import pandas as pd  # noqa: PLC0415 - only who calls this has frames

    table = raw.table
    if raw.unreadable:
        nothing: Sequence[None] = [None] * table.num_rows
        table = table.append_column(UNREADABLE, pa.array(nothing, pa.string()))
        table = pa.concat_tables(
            [table, pa.table({UNREADABLE: pa.array(raw.unreadable, pa.string())})],
            promote_options="default",
        )
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame
