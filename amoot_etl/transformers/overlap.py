"""See how far groups overlap: a contact may be in several."""

from __future__ import annotations

from typing import Final

import pandas as pd
import pyarrow as pa

__all__ = ["group_overlap"]

_INT64: Final = pd.ArrowDtype(pa.int64())


def group_overlap(contact_groups: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """Give for each two groups how many contacts are in both.

    Args:
        contact_groups: The bridge, with `contact_id` and `group_id`.
        groups: The groups, with `group_id` and `title`; those that the bridge does not name are empty.

    Returns:
        A square table of int64, rows and columns named by title, the largest group first, then by group_id; on
        the diagonal the groups' own sizes.

    Raises:
        KeyError: A column is missing.

    >>> bridge = pd.DataFrame({"contact_id": [1, 1, 2], "group_id": [7, 8, 7]})
    >>> group_overlap(bridge, pd.DataFrame({"group_id": [7, 8], "title": ["دوستان", "همکاران"]})).to_numpy().tolist()
    [[2, 1], [1, 1]]
    """
    bridge = contact_groups[["contact_id", "group_id"]].drop_duplicates()
    sizes = bridge["group_id"].value_counts().reindex(groups["group_id"], fill_value=0)
    order = pd.DataFrame({"group_id": groups["group_id"].to_numpy(), "size": sizes.to_numpy()})
    order = order.sort_values(["size", "group_id"], ascending=[False, True])
    pairs = bridge.merge(bridge, on="contact_id", suffixes=("_one", "_two"))
    table = pd.crosstab(pairs["group_id_one"], pairs["group_id_two"])
    table = table.reindex(index=order["group_id"], columns=order["group_id"], fill_value=0).astype(_INT64)
    titles = groups.set_index("group_id")["title"]
    names = [str(titles[number]) for number in order["group_id"]]
    return table.set_axis(names, axis=0).set_axis(names, axis=1)
