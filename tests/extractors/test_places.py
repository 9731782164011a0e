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
