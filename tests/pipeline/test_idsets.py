"""Sets of IDs as arrays, against Python's own sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amoot_etl.pipeline.idsets import common, ids_of, inside, places_in, union, without

SIZES = st.sampled_from([0, 1, 5, 300, 20_000])
"""Below and above where a table of last bits stands before the search, on either side."""
LAST_BITS_ALIKE = 1 << 16
SHARED = st.sampled_from([slice(0), slice(None, None, 3), slice(None)])
"""Which of one's IDs the other one is given too: none, here and there, or all, who may then stand side by side."""


@st.composite
def _ids(draw):
    """Draw IDs, few or many, close together or apart, some of them the same in their last bits."""
    chance = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    size = draw(SIZES)
    span = draw(st.sampled_from([size + 1, 4 * size + 10, 1 << 62]))
    ids = chance.integers(1, span, size, endpoint=True)
    return ids_of({*ids.tolist(), *(ids[:50] % (1 << 40) + LAST_BITS_ALIKE).tolist()})


@given(_ids(), _ids(), SHARED)
def test_they_do_what_sets_do(one, other, shared):
    """Whatever their sizes, and however much they have in common."""
    other = union(other, one[shared])
    first, second = set(one.tolist()), set(other.tolist())
    assert inside(one, other).tolist() == [number in second for number in one.tolist()]
    held, places = places_in(one, other)
    assert held.tolist() == inside(one, other).tolist()
    assert other[places].tolist() == one[held].tolist()
    assert common(one, other).tolist() == sorted(first & second)
    assert without(one, other).tolist() == sorted(first - second)
    assert union(one, other).tolist() == sorted(first | second)


@pytest.mark.parametrize("size", [10, 1000])
def test_the_ones_that_are_looked_up_need_not_rise(size):
    """In whatever order they stand, each is answered in its place."""
    many = np.arange(0, 4 * size, 2)
    ids = np.random.default_rng(size).permutation(3 * size)
    assert inside(ids, many).tolist() == (ids % 2 == 0).tolist()


@given(st.integers(0, 9), st.integers(1, 9))
def test_a_stretch_is_found_where_it_stands(start, length):
    """IDs that stand side by side among the many are seen to, wherever that is, and whoever is missing behind them."""
    many = np.arange(100, 112, 2)
    ids = np.arange(100, 200, 2)[start : start + length]
    held, places = places_in(ids, many)
    assert held.tolist() == (ids < 112).tolist()
    assert many[places].tolist() == ids[ids < 112].tolist()
