"""The bridge between a pandas Series and the Arrow arrays that the kernels work on.

Inside this package every kernel takes and gives Arrow arrays, because that is what is fast. What users call
takes and gives pandas: it goes in through `strings` and comes out through `series`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.utf8 import text_array

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    import pandas as pd

__all__ = [
    "BLOCK",
    "DICTIONARY",
    "Finding",
    "blocks",
    "bytes_of",
    "decoded",
    "encoded",
    "need_series",
    "series",
    "strings",
]

DICTIONARY = pa.dictionary(pa.int32(), pa.string())
"""The type of a string column of which the distinct values are worked on once each."""

BLOCK: Final = 16_384
"""Rows that arithmetic works on at a time: few enough for the processor's cache, and so many that Python's lock, let
go of at each operation, is not what two threads spend their time on."""


class Finding(NamedTuple):
    """The rows of one chunk that broke one rule of the `issues` table."""

    column: str
    """Our column, or a pair's Gregorian column."""
    rule: str
    rows: npt.NDArray[np.int64]
    """Positions in the chunk, rising."""
    values: pa.Array
    """`string`, as long as `rows`: the value as received."""
    detail: str | pa.Array
    """What is wrong in words, the same for all rows or one `string` a row."""


def strings(values: pd.Series) -> pa.Array:
    """Give a Series as one Arrow `string` array; numbers as their text, missing values as null.

    Raises:
        TypeError: It is no Series, or a value is a container (a list, a dict), which has no one text.
    """
    import pandas as pd  # noqa: PLC0415 - only who calls this has frames

    need_series(values)
    if isinstance(values.dtype, pd.SparseDtype):
        values = pd.Series(np.asarray(values), index=values.index)
    array: Any
    if isinstance(values.dtype, pd.ArrowDtype) and not pa.types.is_floating(values.dtype.pyarrow_dtype):
        array = pa.chunked_array(values.array.__arrow_array__())
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    elif isinstance(values.dtype, pd.StringDtype) or pd.api.types.is_integer_dtype(values.dtype):
        array = pa.array(values)
    else:
        array = text_array([_text(value) for value in values])
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    try:
        return array if array.type == pa.string() else pc.cast(array, pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise TypeError(f"a column of {array.type} has no texts: make them first") from None


def need_series(values: Any) -> None:
    """Insist on a Series; what was handed over instead may be somebody's number, and is not told.

    Raises:
        TypeError: It is something else.
    """
    import pandas as pd  # noqa: PLC0415 - as above

    if not isinstance(values, pd.Series):
        one = "values" if isinstance(values, (list, tuple)) else "[value]"
        raise TypeError(f"a pandas Series is wanted, not {type(values).__name__}: hand over pd.Series({one})")


def _text(value: Any) -> str | None:
    """Give one object's text, as a person would write it: a float that is whole has no `.0`."""
    import pandas as pd  # noqa: PLC0415 - only who calls this has frames

    if pd.api.types.is_list_like(value):
        raise TypeError(f"a {type(value).__name__} has no one text: expand it first")
    if pd.isna(value):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def series(array: pa.Array, like: pd.Series, name: Any = None) -> pd.Series:
    """Give an Arrow array as an Arrow-backed Series with the index, and unless given the name, of `like`."""
    import pandas as pd  # noqa: PLC0415 - only who calls this has frames

    values: Any = pd.arrays.ArrowExtensionArray(array)
    return pd.Series(values, index=like.index, name=like.name if name is None else name, copy=False)


def encoded(array: pa.Array) -> pa.DictionaryArray:
    """Give a `string` array as its distinct values and an index into them; an encoded one as it is."""
    return array if pa.types.is_dictionary(array.type) else array.dictionary_encode()


def decoded(array: pa.Array) -> pa.Array:
    """Give an encoded array as the `string` array it stands for; a plain one as it is."""
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def bytes_of(array: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Give the bytes of a `string` array and where each row begins in them, both without a copy."""
    _, starts, data = array.buffers()
    if starts is None:  # of no rows Arrow may keep nothing at all
        return np.empty(0, np.uint8), np.zeros(1, np.int32)
    offsets = np.frombuffer(starts, np.int32, len(array) + 1, array.offset * 4)
    if data is None:
        return np.empty(0, np.uint8), offsets
    return np.frombuffer(data, np.uint8, int(offsets[-1] - offsets[0]), int(offsets[0])), offsets - offsets[0]


def blocks(rows: int) -> Iterator[slice]:
    """Give the slices that arithmetic on many rows is done by.

    What lies between the steps then stays in the processor's cache and the allocator's hand: three times as fast.
    """
    for start in range(0, rows, BLOCK):
        yield slice(start, start + BLOCK)
