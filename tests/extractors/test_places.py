"""Where bytes stand: also where a step of the search ends in the middle of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amoot_etl.extractors import places


@given(
    st.lists(st.sampled_from(b'":x'), max_size=40).map(bytes),
    st.sampled_from([b'"', b'":', b'"":']),
    st.integers(1, 9),
)
def test_every_place_is_found_once(data, text, step):
    """In rising order, however far is looked at a time."""
    expected = [at for at in range(len(data)) if data.startswith(text, at)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "_STEP", step)
        assert places.places_of(np.frombuffer(data, np.uint8), text).tolist() == expected


@given(st.lists(st.booleans() | st.just(False), max_size=40), st.integers(0, 7))
def test_what_is_true_is_found_like_numpy_finds_it(flags, start):
    """One of eight, several of eight, in what is left over, and where the memory begins in the middle of a word."""
    flags = np.array([*[False] * start, *flags])[start:]
    assert places.true_places(flags).tolist() == np.flatnonzero(flags).tolist()


@pytest.mark.parametrize("at", range(17))
def test_each_place_of_eight_has_its_number(at):
    """Alone among its eight, wherever it stands."""
    flags = np.zeros(17, bool)
    flags[at] = True
    assert places.true_places(flags).tolist() == [at]


@given(
    st.lists(st.integers(0, 24) | st.integers(0, 1006) | st.integers(990, 1006), max_size=20),
    st.integers(0, 7),
)
def test_several_of_eight_are_found_where_few_are(trues, more):
    """As many as stand together, and in what is left over."""
    flags = np.zeros(1000 + more, bool)
    flags[[at for at in trues if at < len(flags)]] = True
    assert places.true_places(flags).tolist() == np.flatnonzero(flags).tolist()
