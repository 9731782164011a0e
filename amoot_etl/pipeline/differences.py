"""The comparison of two sets: which contacts differ, in which columns, and which groups they joined or left.

One column of both sets is held at a time, so memory grows with the longest column and not with the table.
Every value is compared; nothing is told from a hash.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    Ints: TypeAlias = npt.NDArray[np.int64]

__all__ = ["COMPARED_SCHEMA", "Side", "differences"]

COMPARED_SCHEMA: Final = pa.schema(
    [
        ("contact_id", pa.int64()),
        ("change", pa.string()),
        ("columns", pa.string()),
        ("groups_joined", pa.string()),
        ("groups_left", pa.string()),
    ]
)
"""What the comparison gives, by contact_id."""

_STAMPS: Final = ("updated_at", "updated_date", "updated_date_jalali")
_KINDS: Final = ("updated", "relabelled", "added", "removed")
_BETWEEN: Final = " | "


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two sets.

    Args:
        contacts: The path of its Parquet table of contacts; or a table of those rows that may differ, when it
            is known that the others do not.
        members: The path of its Parquet table of memberships.
    """

    contacts: Path | pa.Table
    members: Path

    @classmethod
    def of(cls, folder: Path) -> Side:
        """Give the set in a folder."""
        return cls(folder / "contacts.parquet", folder / "contact_groups.parquet")

    def names(self) -> list[str]:
        """Give the names of the columns of contacts."""
        held = self.contacts if isinstance(self.contacts, pa.Table) else pq.read_schema(self.contacts)
        return list(held.names) if isinstance(held, pa.Schema) else held.column_names

    def column(self, name: str) -> pa.ChunkedArray:
        """Give one column of contacts, strings plain."""
        if isinstance(self.contacts, pa.Table):
            column = self.contacts[name]
            return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
        return _column(self.contacts, name)


def differences(old: Side, new: Side) -> pa.Table:
    """Compare two sets by contact, whatever the order of their rows.

    Args:
        old: One set, its ids unique.
        new: Another.

    Returns:
        A row for each contact that differs, by contact_id, as `COMPARED_SCHEMA` says.

    Raises:
        OSError: A file cannot be read.
    """
    gained, lost = _moved(_pairs(old), _pairs(new))
    ids, earlier = new.column("contact_id").to_numpy(), old.column("contact_id").to_numpy()
    rows, twins = _meet(earlier, ids)
    before, after = set(old.names()), new.names()
    names = [name for name in after if name != "contact_id"]
    names += [name for name in old.names() if name not in {*names, "contact_id"}]

    def compared(name: str) -> npt.NDArray[np.bool_] | None:
        one = _taken(old.column(name), rows) if name in before else None
        other = _taken(new.column(name), twins) if name in after else None
        return _differ(one, other)

    marks = np.zeros((len(rows), (len(names) + 7) // 8), np.uint8)
    # Decoding a column holds no lock of Python's, and two at a time is what a small machine has cores for.
    with ThreadPoolExecutor(max_workers=2) as pool:
        for at, differs in enumerate(pool.map(compared, names)):
            if differs is not None:
                marks[:, at // 8] |= differs.view(np.uint8) << np.uint8(at % 8)
    edited = np.flatnonzero(marks.any(axis=1))
    texts, deep, regrouped, pattern = _patterns(marks[edited], names)
    changed = ids[twins[edited]]
    added, removed = np.setdiff1d(ids, earlier), np.setdiff1d(earlier, ids)

    touched = np.unique(np.concatenate([changed, added, removed, gained[0], lost[0]]))
    # What is known only to have moved is relabelled; what else is known of a contact says more.
    kind = np.ones(len(touched), np.int32)
    moved = np.isin(changed, gained[0]) | np.isin(changed, lost[0]) | regrouped[pattern]
    place = np.searchsorted(touched, changed)
    kind[place] = np.where(~deep[pattern] & moved, 1, 0)
    kind[np.searchsorted(touched, added)] = 2
    kind[np.searchsorted(touched, removed)] = 3
    columns = np.full(len(touched), -1, np.int32)
    columns[place] = pattern
    return pa.table(
        [
            pa.array(touched, pa.int64()),
            pa.array(_KINDS, pa.string()).take(pa.array(kind)),
            texts.take(pa.array(columns, mask=columns < 0)),
            _joined(touched, *gained),
            _joined(touched, *lost),
        ],
        schema=COMPARED_SCHEMA,
    )


def _column(path: Path, name: str) -> pa.ChunkedArray:
    with pq.ParquetFile(path) as file:
        return file.read([name])[name]


def _meet(earlier: Ints, ids: Ints) -> tuple[Ints, Ints]:
    """Give the rows of the contacts that both sets have: in the old one, and in the new one."""
    if not len(earlier):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    order = np.argsort(earlier, kind="stable")
    place = np.minimum(np.searchsorted(earlier, ids, sorter=order), len(earlier) - 1)
    twins = np.flatnonzero(earlier[order[place]] == ids)
    return order[place[twins]], twins


def _differ(one: pa.ChunkedArray | None, other: pa.ChunkedArray | None) -> npt.NDArray[np.bool_] | None:
    """Tell for each shared contact whether a column differs; None where it differs for none."""
    if one is None or other is None:
        held: Any = other if one is None else one
        return _bools(pc.is_valid(held)) if held.null_count < len(held) else None
    if one.type != other.type:
        # A mapping gave the column another type: its text is what a reader would compare.
        one, other = pc.cast(one, pa.string()), pc.cast(other, pa.string())
    if one.equals(other):
        return None
    same = pc.fill_null(pc.equal(one, other), fill_value=False)
    return _bools(pc.invert(pc.or_(same, pc.and_(pc.is_null(one), pc.is_null(other)))))


def _taken(column: pa.ChunkedArray, rows: Ints) -> pa.ChunkedArray:
    if len(rows) == len(column) and (np.diff(rows) == 1).all():
        return column
    taken = pc.take(column.combine_chunks(), pa.array(rows))
    return pa.chunked_array([taken]) if isinstance(taken, pa.Array) else taken


def _bools(values: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    return np.ascontiguousarray(values.to_numpy(), np.bool_)


def _patterns(
    marks: npt.NDArray[np.uint8], names: Sequence[str]
) -> tuple[pa.Array, npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.int32]]:
    """Give the distinct sets of changed columns, and for each row which of them is its own.

    Of each set: its text, whether more than groups and stamps changed, and whether groups did.
    """
    distinct, pattern = np.unique(marks, axis=0, return_inverse=True)
    told = [
        [name for at, name in enumerate(names) if row[at // 8] >> np.uint8(at % 8) & 1] for row in distinct
    ]
    deep = np.array([bool(set(each) - {"groups", *_STAMPS}) for each in told], np.bool_)
    regrouped = np.array(["groups" in each for each in told], np.bool_)
    texts = pa.array([_BETWEEN.join(each) for each in told], pa.string())
    return texts, deep, regrouped, pattern.reshape(-1).astype(np.int32)


# Memberships


def _pairs(side: Side) -> tuple[Ints, Ints]:
    contacts, groups = (_column(side.members, name).to_numpy() for name in ("contact_id", "group_id"))
    return contacts, groups


def _moved(old: tuple[Ints, Ints], new: tuple[Ints, Ints]) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints]]:
    """Give the pairs that only the new set has, and those that only the old one has, each in order."""
    groups = np.unique(np.concatenate([np.unique(old[1]), np.unique(new[1])]))
    count = max(1, len(groups))
    # A pair as one number, while it fits: sorting those is many times faster than sorting pairs.
    contacts = np.sort(np.concatenate([old[0], new[0]]))
    small = not len(contacts) or (contacts[0] >= 0 and int(contacts[-1]) < 2**63 // count)
    known = None if small else np.unique(contacts)

    def keys(side: tuple[Ints, Ints]) -> Ints:
        ids = side[0] if known is None else np.searchsorted(known, side[0])
        pairs: Ints = np.sort(ids * count + np.searchsorted(groups, side[1]))
        return pairs

    before, after = keys(old), keys(new)
    moved = _without(after, before), _without(before, after)
    gained, lost = (
        (each // count if known is None else known[each // count], groups[each % count]) for each in moved
    )
    return gained, lost


def _without(keys: Ints, others: Ints) -> Ints:
    """Give the sorted keys that are not among the sorted others."""
    if not len(others):
        return keys
    place = np.minimum(np.searchsorted(others, keys), len(others) - 1)
    alone: Ints = keys[others[place] != keys]
    return alone


def _joined(touched: Ints, contacts: Ints, groups: Ints) -> pa.Array:
    """Give each touched contact's groups as text, null where it has none."""
    known, starts = np.unique(contacts, return_index=True)
    lists = pa.LargeListArray.from_arrays(
        pa.array(np.append(starts, len(contacts)), pa.int64()), pa.array(groups).cast(pa.string())
    )
    texts = pc.binary_join(lists, _BETWEEN)
    place = np.searchsorted(known, touched)
    missing = ~np.isin(touched, known)
    return texts.take(pa.array(np.where(missing, 0, place), mask=missing)).cast(pa.string())
