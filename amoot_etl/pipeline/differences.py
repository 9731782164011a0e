"""The comparison of two sets: which contacts differ, in which columns, and which groups they joined or left.

Every value is compared, none through a hash, and each is read once where both tables stand in much the same
order. A column of a row group that has the same bytes in both files, for the same contacts, holds the same
values and is not decoded at all. What must be decoded is, a column of a row group at a time, strings as
numbers into their dictionaries.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.pipeline.alignment import Alignment, Pair, aligned, once
from amoot_etl.pipeline.moves import moves
from amoot_etl.pipeline.sides import (
    ColumnReader,
    Rows,
    Side,
    TableFile,
    ids_of,
    lengths_of,
    names_of,
    same_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    Ints: TypeAlias = npt.NDArray[np.int64]
    Marks: TypeAlias = npt.NDArray[np.uint64]

__all__ = ["COMPARED_SCHEMA", "Side", "differences"]

_WORD: Final = pa.dictionary(pa.int32(), pa.string())

COMPARED_SCHEMA: Final = pa.schema(
    [
        ("contact_id", pa.int64()),
        ("change", _WORD),
        ("columns", _WORD),
        ("groups_joined", pa.string()),
        ("groups_left", pa.string()),
    ]
)
"""What the comparison gives, by contact_id."""

_STAMPS: Final = ("updated_at", "updated_date", "updated_date_jalali")
_KINDS: Final = ("updated", "relabelled", "added", "removed")
_BETWEEN: Final = " | "
_HELD: Final = 32 << 20
"""Bytes of one column of the old table that are held at once when the order of the contacts is another."""


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
    gained, lost = moves(old.members, new.members)
    before, after = old.rows(), new.rows()
    ids = ids_of(after)
    both = aligned(ids_of(before), ids, lengths_of(before), lengths_of(after))
    names = list(dict.fromkeys([*names_of(after), *names_of(before)]))
    names.remove("contact_id")
    edited, marks = _edited(before, after, both, names)
    order = np.argsort(ids[edited], kind="stable")
    changed, marks = ids[edited][order], marks[order]
    texts, deep, regrouped, pattern = _patterns(marks, names)

    touched = once(np.concatenate([changed, both.added, both.removed, gained[0], lost[0]]))
    # What is known only to have moved is relabelled; what else is known of a contact says more.
    kind = np.ones(len(touched), np.int32)
    moved = np.isin(changed, gained[0]) | np.isin(changed, lost[0]) | regrouped[pattern]
    place = np.searchsorted(touched, changed)
    kind[place] = np.where(~deep[pattern] & moved, 1, 0)
    kind[np.searchsorted(touched, both.added)] = 2
    kind[np.searchsorted(touched, both.removed)] = 3
    columns = np.full(len(touched), -1, np.int32)
    columns[place] = pattern
    return pa.table(
        [
            pa.array(touched, pa.int64()),
            pa.DictionaryArray.from_arrays(pa.array(kind), pa.array(_KINDS, pa.string())),
            pa.DictionaryArray.from_arrays(pa.array(columns, mask=columns < 0), texts),
            _joined(touched, *gained),
            _joined(touched, *lost),
        ],
        schema=COMPARED_SCHEMA,
    )


# Columns


def _edited(before: Rows, after: Rows, both: Alignment, names: Sequence[str]) -> tuple[Ints, Marks]:
    """Give the new rows of shared contacts that differ, and for each a bit a column, in words of 64."""
    lengths = lengths_of(after)
    words = (len(names) + 63) // 64
    marks: dict[int, Marks] = {}
    lock = Lock()

    def compare(at: int) -> None:
        for group, rows in _differing(before, after, both, names[at]):
            with lock:
                here = marks.get(group)
                if here is None:
                    # Made when the group's first difference is met: most runs change few groups, or none.
                    here = marks[group] = np.zeros((lengths[group], words), np.uint64)
                here[rows, at // 64] |= np.uint64(1 << at % 64)

    # Decoding a column holds no lock of Python's, and two at a time is what a small machine has cores for.
    with ThreadPoolExecutor(max_workers=2) as pool:
        for _ in pool.map(compare, range(len(names))):
            pass
    starts = np.cumsum([0, *lengths])
    rows, found = [np.empty(0, np.int64)], [np.empty((0, words), np.uint64)]
    for group in sorted(marks):
        here = np.flatnonzero(marks[group].any(axis=1))
        rows.append(starts[group] + here)
        found.append(marks[group][here])
        del marks[group]
    return np.concatenate(rows), np.concatenate(found)


def _differing(before: Rows, after: Rows, both: Alignment, name: str) -> Iterator[tuple[int, Ints]]:
    """Give the rows of each new row group in which a column differs."""
    in_old, in_new = (name in names_of(side) for side in (before, after))
    encoded = all(
        isinstance(side, TableFile) and name in names_of(side) and side.is_encoded(name)
        for side in (before, after)
    )
    with ExitStack() as stack:
        old = stack.enter_context(ColumnReader(before, name, encoded=encoded)) if in_old else None
        new = stack.enter_context(ColumnReader(after, name, encoded=encoded)) if in_new else None
        pairs = both.pairs
        if old and new and isinstance(before, TableFile) and isinstance(after, TableFile):
            one = stack.enter_context(before.path.open("rb", buffering=0))
            other = stack.enter_context(after.path.open("rb", buffering=0))
            pairs = [pair for pair in pairs if not _alike(before, one, after, other, pair, name)]
        for stretch in _stretches(pairs, old, in_order=both.in_order):
            held = {
                group: old.read(group) if old else None for group in sorted({pair.old for pair in stretch})
            }
            for pair in sorted(stretch, key=lambda pair: pair.new):
                values = new.read(pair.new) if new else None
                for rows in _unlike(held[pair.old], values, pair):
                    yield pair.new, rows


def _alike(  # noqa: PLR0913, PLR0917 - two files, and where to look
    before: TableFile, one: BinaryIO, after: TableFile, other: BinaryIO, pair: Pair, name: str
) -> bool:
    if not pair.whole:
        return False
    return same_bytes(one, other, before.chunk(pair.old, name), after.chunk(pair.new, name))


def _stretches(pairs: Sequence[Pair], old: ColumnReader | None, *, in_order: bool) -> Iterator[list[Pair]]:
    """Cut pairs, by old group, so that the old values of a stretch can be held while the new ones go by.

    In order each group goes by once, however short the stretches; else the new ones go by once a stretch.
    """
    room = 0 if in_order or old is None else _HELD
    stretch: list[Pair] = []
    held = 0
    for pair in pairs:
        size = old.size(pair.old) if old else 0
        if stretch and pair.old != stretch[-1].old:
            if held + size > room:
                yield stretch
                stretch, held = [], 0
            held += size
        elif not stretch:
            held = size
        stretch.append(pair)
    if stretch:
        yield stretch


def _unlike(one: pa.Array | None, other: pa.Array | None, pair: Pair) -> Iterator[Ints]:
    """Give the new rows of a pair of row groups that differ, of one part after the other."""
    if all(each is None or each.null_count == len(each) for each in (one, other)):
        return
    if one is None or other is None:
        # A column that only one side has differs where it says something.
        for places, rows in pair.parts:
            values = _picked(one, places) if other is None else _picked(other, rows)
            yield _rows(rows, np.flatnonzero(_bools(pc.is_valid(values))))
        return
    if one.type != other.type:
        # A mapping gave the column another type: its text is what a reader would compare.
        one, other = pc.cast(one, pa.string()), pc.cast(other, pa.string())
    if not pa.types.is_dictionary(one.type):
        for places, rows in pair.parts:
            yield _rows(rows, _unequal(_picked(one, places), _picked(other, rows)))
        return
    codes, others = _codes(one, other)
    for places, rows in pair.parts:
        suspects = np.flatnonzero(codes[places] != others[rows])
        if len(suspects):
            # A dictionary may hold a value twice, so only values tell that two rows differ.
            places, rows = _rows(places, suspects), _rows(rows, suspects)  # noqa: PLW2901
            yield rows[
                _unequal(_picked(one, places).dictionary_decode(), _picked(other, rows).dictionary_decode())
            ]


def _codes(one: pa.DictionaryArray, other: pa.DictionaryArray) -> tuple[Ints, Ints]:
    """Give both arrays as numbers into the dictionary of the first: equal numbers are equal values."""
    codes, others = (_filled(each.indices, -1) for each in (one, other))
    if one.dictionary.equals(other.dictionary):
        return codes, others
    places = _filled(pc.index_in(other.dictionary, value_set=one.dictionary), -2)
    # The last place is that of -1, which stands for null on both sides.
    places = np.append(places, np.int32(-1)).astype(places.dtype, copy=False)
    return codes, places[others]


def _filled(numbers: pa.Array, missing: int) -> Ints:
    filled: Ints = (numbers.fill_null(missing) if numbers.null_count else numbers).to_numpy()
    return filled


def _unequal(one: pa.Array, other: pa.Array) -> Ints:
    """Give the rows in which two arrays differ; a null is like a null, and no number like no number."""
    if one.equals(other):
        return np.empty(0, np.int64)
    same = pc.fill_null(pc.equal(one, other), fill_value=False)
    empty = pc.and_(pc.is_null(one, nan_is_null=True), pc.is_null(other, nan_is_null=True))
    return np.flatnonzero(~_bools(pc.or_(same, empty)))


def _picked(values: pa.Array, rows: slice | Ints) -> pa.Array:
    if isinstance(rows, slice):
        return values.slice(rows.start, rows.stop - rows.start)
    return values.take(pa.array(rows))


def _rows(rows: slice | Ints, chosen: Ints) -> Ints:
    return chosen + rows.start if isinstance(rows, slice) else rows[chosen]


def _bools(values: pa.Array) -> npt.NDArray[np.bool_]:
    bools: npt.NDArray[np.bool_] = values.to_numpy(zero_copy_only=False)
    return bools


def _patterns(
    marks: Marks, names: Sequence[str]
) -> tuple[pa.Array, npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.int32]]:
    """Give the distinct sets of changed columns, and for each row which of them is its own.

    Of each set: its text, whether more than groups and stamps changed, and whether groups did.
    """
    if marks.shape[1] == 1:
        distinct, pattern = _numbered(marks[:, 0])
    else:
        distinct, pattern = np.unique(marks, axis=0, return_inverse=True)
    told = [
        [name for at, name in enumerate(names) if int(row[at // 64]) >> at % 64 & 1]
        for row in distinct.reshape(-1, marks.shape[1])
    ]
    deep = np.array([bool(set(each) - {"groups", *_STAMPS}) for each in told], np.bool_)
    regrouped = np.array(["groups" in each for each in told], np.bool_)
    texts = pa.array([_BETWEEN.join(each) for each in told], pa.string())
    return texts, deep, regrouped, pattern.reshape(-1).astype(np.int32)


def _numbered(marks: Marks) -> tuple[Marks, Ints]:
    """Give the distinct marks, and for each row which of them is its own."""
    values = pa.array(marks).dictionary_encode()
    distinct: Marks = values.dictionary.to_numpy()
    return distinct, values.indices.to_numpy()


# Memberships


def _joined(touched: Ints, contacts: Ints, groups: Ints) -> pa.Array:
    """Give each touched contact's groups as text, null where it has none; the contacts come in order."""
    starts = np.flatnonzero(
        np.append(np.ones(min(1, len(contacts)), np.bool_), contacts[1:] != contacts[:-1])
    )
    known = contacts[starts]
    lists = pa.LargeListArray.from_arrays(
        pa.array(np.append(starts, len(contacts)), pa.int64()), pa.array(groups).cast(pa.string())
    )
    texts = pc.binary_join(lists, _BETWEEN)
    place = np.searchsorted(known, touched)
    missing = ~np.isin(touched, known)
    return texts.take(pa.array(np.where(missing, 0, place), mask=missing)).cast(pa.string())
