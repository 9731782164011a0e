"""Make the list that a message may be sent to: everyone once, nobody who cannot or should not get it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amoot_etl.transformers._flags import are_true

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

__all__ = ["campaign_list"]


def campaign_list(
    contacts: pd.DataFrame,
    *,
    only: Iterable[int] | None = None,
    without: Iterable[int] = (),
    foreign: bool = False,
) -> pd.DataFrame:
    """Give the contacts that a message may be sent to, one for each number.

    A contact stays out when it is not active, marked deleted, or has no number that can be a mobile. Where
    several share a number, the one that was changed last stands for all; if it was left out by `without`, so is
    the number: somebody who shares it does not bring it back.

    Args:
        contacts: A table with `contact_id`, `active`, `deleted`, `mobile`, `mobile_kind` and `updated_at`.
        only: IDs of the contacts meant, such as a group's; None means all.
        without: IDs of contacts whose numbers must not be written to.
        foreign: Whether numbers outside Iran may be written to.

    Returns:
        Rows of `contacts`, all columns, by contact_id, with a new index.

    Raises:
        KeyError: A column is missing.
        TypeError: A flag holds no booleans, as in a table that was read as text.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"contact_id": [1, 2, 3], "active": [True, True, False], "deleted": False})
    >>> table["mobile"], table["mobile_kind"] = ["+989121234567", "+989121234567", "+989351234567"], "ir"
    >>> table["updated_at"] = pd.to_datetime(["2025-01-01", "2026-01-01", "2026-01-01"])
    >>> campaign_list(table)["contact_id"].tolist()
    [2]
    """
    kinds = ["ir", "ir_unlisted", *(["foreign"] if foreign else [])]
    good = are_true(contacts["active"]) & ~are_true(contacts["deleted"])
    good &= are_true(contacts["mobile"].notna()) & are_true(contacts["mobile_kind"].isin(kinds))
    if only is not None:
        good &= are_true(contacts["contact_id"].isin(list(only)))
    refused = contacts.loc[are_true(contacts["contact_id"].isin(list(without))), "mobile"].dropna()
    good &= ~are_true(contacts["mobile"].isin(refused.tolist()))
    chosen = contacts[good]
    # Of equal stamps the larger ID wins, so that the choice does not hang on the order of the rows.
    newest = chosen.sort_values(["updated_at", "contact_id"], na_position="first")
    newest = newest.drop_duplicates("mobile", keep="last")
    return newest.sort_values("contact_id", ignore_index=True)
