"""How far groups overlap, against a plain count of sets."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from amoot_etl.transformers.overlap import group_overlap

GROUPS = pd.DataFrame({"group_id": [1, 2, 3, 4], "title": ["یک", "دو", "سه", "یک"]})


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 4)), max_size=40))
def test_every_pair_is_the_size_of_the_intersection(memberships):
    """The table is symmetric, holds every group, even an empty one or one of the same title, and counts sets."""
    bridge = pd.DataFrame(memberships, columns=["contact_id", "group_id"])
    before = bridge.copy()
    table = group_overlap(bridge, GROUPS)
    members = {group: {one for one, other in memberships if other == group} for group in GROUPS["group_id"]}
    order = sorted(members, key=lambda group: (-len(members[group]), group))
    titles = dict(zip(GROUPS["group_id"], GROUPS["title"], strict=True))
    assert list(table.index) == list(table.columns) == [titles[group] for group in order]
    assert table.to_numpy().tolist() == [[len(members[a] & members[b]) for b in order] for a in order]
    pd.testing.assert_frame_equal(bridge, before)


def test_published_tables_are_taken_as_they_are():
    """Arrow-backed tables give Arrow-backed counts."""
    arrow = {"dtype": pd.ArrowDtype(pa.int64())}
    bridge = pd.DataFrame({"contact_id": pd.Series([5, 5], **arrow), "group_id": pd.Series([1, 3], **arrow)})
    groups = GROUPS.astype({"group_id": arrow["dtype"], "title": pd.ArrowDtype(pa.string())})
    table = group_overlap(bridge, groups)
    assert table.to_numpy().tolist()[0] == [1, 1, 0, 0]
    assert {str(dtype) for dtype in table.dtypes} == {"int64[pyarrow]"}
