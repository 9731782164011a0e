"""The comparison of two sets, along each of its ways: the same bytes, the same order, holes, any order."""

from __future__ import annotations

import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amoot_etl.pipeline import differences as module
from amoot_etl.pipeline import sides
from amoot_etl.pipeline.differences import Side, differences

NAMES = ("city", "address", "groups", "updated_date_jalali", "number")
SCHEMA = pa.schema(
    [("contact_id", pa.int64()), *((name, pa.string()) for name in NAMES[:-1]), ("number", pa.float64())]
)
BRIDGE = pa.schema([("contact_id", pa.int64()), ("group_id", pa.int64())])


def save(folder, rows, pairs=(), group=64):
    """Write contacts (dicts) and memberships in small row groups, repeating strings in dictionaries."""
    folder.mkdir()
    table = pa.Table.from_pylist(rows, SCHEMA)
    encoded = ["city", "groups", "updated_date_jalali"]
    pq.write_table(table, folder / "contacts.parquet", row_group_size=group, use_dictionary=encoded)
    bridge = pa.Table.from_pylist([{"contact_id": c, "group_id": g} for c, g in pairs], BRIDGE)
    pq.write_table(bridge, folder / "contact_groups.parquet", row_group_size=group, use_dictionary=False)
    return Side.of(folder)


def plainly(old, new, old_pairs=(), new_pairs=()):
    """Compare two lists of contacts in plain Python: the columns, groups joined and left of each that differs."""
    before, after = ({row["contact_id"]: row for row in rows} for rows in (old, new))
    found = {}
    for contact in sorted({*before, *after, *(c for c, _ in {*old_pairs} ^ {*new_pairs})}):
        one, other = before.get(contact), after.get(contact)
        names = [name for name in NAMES if one and other and one.get(name) != other.get(name)]
        joined, left = (
            " | ".join(str(g) for c, g in sorted(pairs) if c == contact) or None
            for pairs in ({*new_pairs} - {*old_pairs}, {*old_pairs} - {*new_pairs})
        )
        if bool(one) != bool(other) or names or joined or left:
            found[contact] = (" | ".join(names) or None, joined, left)
    return found


def told(old, new):
    """Give what the comparison tells, in the same shape."""
    rows = differences(old, new).to_pylist()
    assert [row["contact_id"] for row in rows] == sorted(row["contact_id"] for row in rows)
    return {row["contact_id"]: (row["columns"], row["groups_joined"], row["groups_left"]) for row in rows}


def book(size=1000):
    """Give contacts whose values come from few and from many."""
    return [
        {
            "contact_id": 10 * at,
            "city": f"city {at % 7}" if at % 5 else None,
            "address": f"street {at}",
            "groups": "a",
            "number": at / 2 if at % 3 else None,
        }
        for at in range(size)
    ]


def edited(rows, every=97):
    """Give the rows with some values changed, and some made null."""
    rows = [dict(row) for row in rows]
    for at in range(5, len(rows), every):
        rows[at]["city" if at % 2 else "address"] = "elsewhere" if at % 3 else None
    return rows


WAYS = {
    "the same bytes": lambda rows: rows,
    "a few edited": edited,
    "one lost near the start": lambda rows: edited(rows[:5] + rows[6:]),
    "some added at both ends": lambda rows: [
        {"contact_id": -7, "city": "x"},
        *edited(rows),
        {"contact_id": 10**9, "city": "y"},
    ],
    "holes everywhere": lambda rows: [row for at, row in enumerate(edited(rows)) if at % 3],
    "sections swapped": lambda rows: edited(rows)[400:] + edited(rows)[:400],
    "any order": lambda rows: random.Random(1).sample(edited(rows), len(rows)),
    # Every other column then has the same bytes as before, and still other values for these two.
    "two ids changed places": lambda rows: [
        {**row, "contact_id": {30: 40, 40: 30}.get(row["contact_id"], row["contact_id"])} for row in rows
    ],
    "nobody left": lambda _rows: [],
}


@pytest.mark.parametrize("room", [0, 1 << 25], ids=["little room", "room"])
@pytest.mark.parametrize("way", WAYS)
def test_each_way_tells_what_plain_python_tells(tmp_path, monkeypatch, way, room):
    """Whatever the order of the rows, and however little is held at once, every difference is told."""
    monkeypatch.setattr(module, "_HELD", room)
    old, new = book(), WAYS[way](book())
    one, other = save(tmp_path / "old", old), save(tmp_path / "new", new)
    assert told(one, other) == plainly(old, new)
    assert told(other, one) == plainly(new, old)


def test_what_has_the_same_bytes_is_not_decoded(tmp_path, monkeypatch):
    """Of a set in which one contact changed, one column of one row group is decoded, on both sides."""
    read = []
    real = sides.ColumnReader.read
    monkeypatch.setattr(
        sides.ColumnReader, "read", lambda self, group: read.append((self._name, group)) or real(self, group)
    )
    new = book()
    new[500]["city"] = "elsewhere"
    one, other = save(tmp_path / "old", book()), save(tmp_path / "new", new)
    assert told(one, other) == {5000: ("city", None, None)}
    assert set(read) == {("city", 500 // 64)}


def test_each_value_is_read_once_where_the_order_is_kept(tmp_path, monkeypatch):
    """With one contact gone every row group has moved, and still no group is decoded twice."""
    read = []
    real = sides.ColumnReader._column
    monkeypatch.setattr(
        sides.ColumnReader,
        "_column",
        lambda self, group: read.append((self._rows.path, self._name, group)) or real(self, group),
    )
    one, other = save(tmp_path / "old", book()), save(tmp_path / "new", book()[1:])
    assert told(one, other) == {0: (None, None, None)}
    assert read
    assert len(read) == len(set(read))


value = st.sampled_from([None, "", "a", "b", "نو"])
some = st.dictionaries(
    st.integers(-3, 20),
    st.fixed_dictionaries(
        {}, optional={"city": value, "address": value, "number": st.sampled_from([0.5, 1.5])}
    ),
    max_size=14,
)


@settings(max_examples=30)
@given(one=some, other=some, chance=st.randoms(use_true_random=False), group=st.sampled_from([1, 3, 50]))
def test_the_comparison_agrees_with_plain_python(one, other, chance, group):
    """For any two books in any order and any row groups, columns, joined and left groups are told alike."""
    old, new = (
        [
            {"contact_id": contact, **row}
            for contact, row in chance.sample(sorted(each.items(), key=str), len(each))
        ]
        for each in (one, other)
    )
    old_pairs, new_pairs = (
        sorted({(row["contact_id"], chance.randint(1, 3)) for row in rows}) for rows in (old, new)
    )
    with TemporaryDirectory() as place:
        folder = Path(place)
        sides_of = save(folder / "old", old, old_pairs, group), save(folder / "new", new, new_pairs, group)
        assert told(*sides_of) == plainly(old, new, old_pairs, new_pairs)
