"""Texts that UTF-8 cannot hold: JSON and Python can say half of a surrogate pair, a file and Arrow cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

__all__ = ["sayable", "text_array"]


def sayable(text: str) -> str:
    """Give a text as UTF-8 can hold it: a lone surrogate becomes U+FFFD.

    >>> sayable("a" + chr(0xD800)) == "a" + chr(0xFFFD)
    True
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def text_array(values: Sequence[str | None]) -> pa.Array:
    """Make an Arrow `string` array; a lone surrogate becomes U+FFFD.

    >>> text_array(["a" + chr(0xD800), None]).to_pylist() == ["a" + chr(0xFFFD), None]
    True
    """
    import pyarrow as pa  # noqa: PLC0415 - the first questions are asked before Arrow is loaded

    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        return pa.array([value if value is None else sayable(value) for value in values], pa.string())
