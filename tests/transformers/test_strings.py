"""Series of any dtype as texts: what every public function begins with."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from amoot_etl.transformers._arrow import strings


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pd.Series([9121234567, None]), ["9121234567", None]),
        (pd.Series(["a", None], dtype="category"), ["a", None]),
        (pd.Series([0, 912], dtype=pd.SparseDtype("int64", 0)), ["0", "912"]),
        (pd.Series([912.0, np.nan], dtype="Sparse[float]"), ["912", None]),
        (pd.Series(["a\ud800", "\ud83d\ude00", None], dtype=object), ["a\ufffd", "😀", None]),
        (pd.Series([b"912"], dtype=pd.ArrowDtype(pa.binary())), ["912"]),
    ],
)
def test_a_value_is_read_as_a_person_would_write_it(values, expected):
    """Whatever holds it, sparse and encoded ones too; what no file can hold is U+FFFD."""
    assert strings(values).to_pylist() == expected


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([["a"], ["b"]]),
        pd.Series([np.array(["a", "b"]), {"c": 1}]),
        pd.Series([["a"]], dtype=pd.ArrowDtype(pa.list_(pa.string()))),
        pd.Series([{"a": 1}], dtype=pd.ArrowDtype(pa.struct({"a": pa.int64()}))),
        pd.Series([b"\xff"], dtype=pd.ArrowDtype(pa.binary())),
    ],
)
def test_what_has_no_one_text_is_refused(values):
    """A container in a cell, or bytes that are none, is the caller's mistake and told as one."""
    with pytest.raises(TypeError, match="has no"):
        strings(values)
