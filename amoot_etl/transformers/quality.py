"""Look at a whole contacts table: how full it is, and who may be in it twice.

These take the table as published and give small tables for a notebook or a report. They judge nothing: a family
shares a telephone, and two people may share a name and a birthday.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from amoot_etl.transformers._arrow import strings
from amoot_etl.transformers._flags import are_true
from amoot_etl.transformers.text import key_array

if TYPE_CHECKING:
    from typing import Any

__all__ = ["completeness", "duplicates_by_mobile", "likely_same_person"]

_STRING = pd.ArrowDtype(pa.string())
_INT64 = pd.ArrowDtype(pa.int64())
_DOUBLE = pd.ArrowDtype(pa.float64())


def completeness(contacts: pd.DataFrame) -> pd.DataFrame:
    """Give how many rows of each column hold a value.

    Args:
        contacts: Any table.

    Returns:
        A row a column, in the table's order: `column` (string), `filled` (int64) and `share` (double, 0 to 1; null
        when the table has no row).

    >>> completeness(pd.DataFrame({"contact_id": [1, 2], "city": ["یزد", None]})).to_dict("list")
    {'column': ['contact_id', 'city'], 'filled': [2, 1], 'share': [1.0, 0.5]}
    """
    filled = contacts.notna().sum()
    share = pd.Series(filled.to_numpy() / len(contacts) if len(contacts) else None, index=filled.index)
    return pd.DataFrame(
        {
            "column": pd.Series([str(name) for name in contacts.columns], dtype=_STRING),
            "filled": filled.reset_index(drop=True).astype(_INT64),
            "share": share.reset_index(drop=True).astype(_DOUBLE),
        }
    )


def duplicates_by_mobile(contacts: pd.DataFrame) -> pd.DataFrame:
    """Give the contacts that share a mobile with another one; those marked deleted are left out.

    Args:
        contacts: A table with `contact_id` and `mobile`, and `deleted` if it has one.

    Returns:
        The rows of `contacts` that share a mobile, all columns, after a column `same_mobile` (int64: how many
        contacts share it); the largest groups first, then by mobile and contact_id, with a new index.

    Raises:
        KeyError: A column is missing.
        TypeError: A flag holds no booleans, as in a table that was read as text.

    >>> table = pd.DataFrame({"contact_id": [3, 1, 2], "mobile": ["+989121234567", None, "+989121234567"]})
    >>> duplicates_by_mobile(table).to_dict("list")
    {'same_mobile': [2, 2], 'contact_id': [2, 3], 'mobile': ['+989121234567', '+989121234567']}
    """
    alive = _alive(contacts)
    alive = alive[alive["mobile"].notna()]
    return _shared(alive, [alive["mobile"]], "same_mobile", ["mobile", "contact_id"])


def likely_same_person(contacts: pd.DataFrame) -> pd.DataFrame:
    """Give the contacts that share a birthday and a name, however it is spelt; those marked deleted are left out.

    Names are compared by their key (see `text.key`): letters of Arabic keyboards, spaces, joiners and marks make
    no difference.

    Args:
        contacts: A table with `contact_id`, `full_name` and `birth_date`, and `deleted` if it has one.

    Returns:
        The rows of `contacts` that share both, all columns, after the columns `same_person` (int64: how many
        contacts share them) and `name_key` (string); the largest groups first, then by name_key, birth_date and
        contact_id, with a new index.

    Raises:
        KeyError: A column is missing.
        TypeError: A flag holds no booleans, as in a table that was read as text.

    >>> names = ["علی رضایی", "علي‌رضائي"]
    >>> table = pd.DataFrame({"contact_id": [1, 2], "full_name": names, "birth_date": ["1991-08-03"] * 2})
    >>> likely_same_person(table)[["same_person", "name_key", "contact_id"]].to_dict("list")
    {'same_person': [2, 2], 'name_key': ['علیرضایی', 'علیرضایی'], 'contact_id': [1, 2]}
    """
    alive = _alive(contacts)
    alive = alive[alive["full_name"].notna() & alive["birth_date"].notna()]
    values: Any = pd.arrays.ArrowExtensionArray(key_array(strings(alive["full_name"])))
    alive.insert(0, "name_key", pd.Series(values, index=alive.index))
    alive = alive[alive["name_key"].notna()]
    return _shared(
        alive,
        [alive["name_key"], alive["birth_date"]],
        "same_person",
        ["name_key", "birth_date", "contact_id"],
    )


def _alive(contacts: pd.DataFrame) -> pd.DataFrame:
    """Give the rows that are not marked deleted."""
    if "deleted" not in contacts.columns:
        return contacts.copy(deep=False)
    return contacts[~are_true(contacts["deleted"])]


def _shared(rows: pd.DataFrame, by: list[pd.Series], count: str, order: list[str]) -> pd.DataFrame:
    """Give the rows whose values of `by` stand more than once, with how often."""
    times = rows.groupby(by)["contact_id"].transform("size").astype(_INT64)
    shared = rows.copy(deep=False)
    shared.insert(0, count, times)
    shared = shared[shared[count] > 1]
    return shared.sort_values([count, *order], ascending=[False] + [True] * len(order), ignore_index=True)
