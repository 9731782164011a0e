"""Groups, which the portal also calls labels, as raw text or as records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from amoot_etl.client import unexpected
from amoot_etl.utf8 import sayable

if TYPE_CHECKING:
    import pandas as pd

    from amoot_etl.client import Client

__all__ = ["ALL", "NO_LABEL", "Group", "extract_groups", "fetch_groups"]

ALL: Final = 0
"""What stands in place of a group for the listing of every contact."""
NO_LABEL: Final = -1
"""What stands in place of a group for the listing of the contacts that are in none."""

_METHOD = "ContactGroupList"


class Group(NamedTuple):
    """One group as the portal tells it."""

    group_id: int
    title: str | None
    contacts_count: int | None
    contacts_active_count: int | None


def extract_groups(client: Client) -> pd.DataFrame:
    """Give the groups as the portal tells them.

    Returns:
        One row a group: ContactGroupID, Title, ContactsCount, ContactsActiveCount, each `string[pyarrow]`.

    Raises:
        CredentialsError, PortalUnavailable, UnexpectedAnswer: As the client's.
    """
    import pandas as pd  # noqa: PLC0415 - `amoot-etl groups` uses this module and must start without pandas
    import pyarrow as pa  # noqa: PLC0415

    from amoot_etl.schema import GROUP_FIELDS  # noqa: PLC0415

    records = client.call(_METHOD, accept=_check)
    columns = {
        name: pa.array([_text(record.get(name)) for record in records], pa.string()) for name in GROUP_FIELDS
    }
    frame: pd.DataFrame = pa.table(columns).to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def fetch_groups(client: Client) -> list[Group]:
    """Give the groups as records, in the portal's order, each ID once.

    Raises:
        UnexpectedAnswer: A group has no usable ID; without it its contacts would be missed.
        CredentialsError, PortalUnavailable: As the client's.
    """
    records = client.call(_METHOD, accept=_check)
    groups = {}
    for record in records:
        group_id = _id_of(record)
        title = record.get("Title")
        groups[group_id] = Group(
            group_id,
            _text(title),
            _number(record.get("ContactsCount")),
            _number(record.get("ContactsActiveCount")),
        )
    return list(groups.values())


def _check(records: Any) -> None:
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise unexpected(_METHOD, "Success without a list of groups in Data")
    for record in records:
        _id_of(record)


def _id_of(record: dict[str, Any]) -> int:
    """Give a group's ID; one without would take its contacts' membership with it."""
    group_id = _number(record.get("ContactGroupID"))
    if group_id is None or not 1 <= group_id < 1 << 63:
        raise unexpected(_METHOD, "a group without a usable ContactGroupID")
    return group_id


def _number(value: Any) -> int | None:
    """Read a count or an ID told as a number or as its digits."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = int(value) if not isinstance(value, float) or value.is_integer() else None
    except (ValueError, OverflowError):
        return None
    # Python reads 1_0 as ten; and no column holds more than 64 bits.
    odd = number is None or "_" in str(value) or not -(1 << 63) <= number < 1 << 63
    return None if odd else number


def _text(value: Any) -> str | None:
    """Give a text as sent; a lone surrogate, which no file can hold, becomes U+FFFD."""
    if value is None:
        return None
    return sayable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
