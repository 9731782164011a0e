"""Where in a TOML file a key stands: `tomllib` does not say, and a message should."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Place", "line_finder"]

Place: TypeAlias = "Callable[[Sequence[str]], str]"
"""Says where a key stands, for a message."""


def line_finder(path: Any, text: str) -> Place:
    r"""Give what says where in a TOML file a key stands.

    Args:
        path: The file, as messages name it.
        text: What it holds; it is valid TOML.

    >>> place = line_finder("amoot.toml", '[mapping.custom_text_1]\nname = "level"')
    >>> place(("mapping", "custom_text_1", "name"))
    'amoot.toml, line 2: mapping.custom_text_1.name'
    >>> place(("mapping",))
    'amoot.toml, line 1: mapping'
    """

    def place(keys: Sequence[str]) -> str:
        best, line = 0, 0
        for number, path_of_line in _paths(text):
            depth = len(path_of_line)
            # The line of the key itself or of the first thing in it, else of the innermost table that holds it.
            shared = min(depth, len(keys))
            if shared > best and tuple(keys[:shared]) == path_of_line[:shared]:
                best, line = shared, number
        told = ".".join(keys)
        return f"{path}, line {line}: {told}" if line else f"{path}: {told}"

    return place


def _paths(text: str) -> Iterable[tuple[int, tuple[str, ...]]]:
    """Give the keys that each line of a TOML file begins, from the top of the file down."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        head = re.match(r"\s*\[\[?([^\[\]]+)\]\]?\s*(?:#.*)?$", line)
        key = re.match(
            r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""", line
        )
        if head:
            table = _path(head[1])
            yield number, table
        elif key:
            yield number, (*table, *_path(key[1]))


def _path(dotted: str) -> tuple[str, ...]:
    try:
        node: Any = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        return ("\0",)  # what only looks like a key, inside a longer text
    path = []
    while isinstance(node, dict):
        name, node = next(iter(node.items()))
        path.append(name)
    return tuple(path)
