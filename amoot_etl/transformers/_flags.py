"""Read a column of booleans of a table that somebody else may have read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["are_true"]


def are_true(flags: pd.Series) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Give where flags are true; what is not known is not.

    Args:
        flags: Booleans of any dtype, or 0 and 1.

    Raises:
        TypeError: They are something else, as in a table that was read as text, where `"false"` is not false.

    >>> import pandas as pd
    >>> are_true(pd.Series([True, None, False])).tolist()
    [True, False, False]
    """
    try:
        known = flags.astype("boolean")
    except (TypeError, ValueError):
        raise TypeError(
            f"{flags.name or 'a flag'} holds no booleans but {flags.dtype}: read the table with amoot_etl.read_csv, "
            "or another of its readers, which give each column its type"
        ) from None
    return np.asarray(known.fillna(value=False), dtype=np.bool_)
