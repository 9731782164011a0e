"""Read an array of records one at a time, setting an odd one aside and keeping the rest.

The fast reader refuses a whole segment for one lone surrogate or one number where an object should be. This one
takes any text in which brackets and quotes balance, keeps every value's text as it was sent, and never holds
more than one record and one block.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from amoot_etl.client import unexpected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Record", "depth", "fields", "record", "records", "value_end"]

# The string's loop is unrolled: a step a run of plain characters, not a step (and a place to come back to) each. A
# string that the text cuts off is a token too, or each quote inside it would be tried as the beginning of one.
_TOKEN: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:(")|\\?\Z)|[\[\]{},:]', re.DOTALL)
_EARLIER: Final = " (earlier)"
"""Added to a field's name for what it held where it came once more."""
_GAP: Final = re.compile(r"[\s,]*")
_STEP: Final = {"[": 1, "{": 1, "]": -1, "}": -1}


class _Literal(str):
    """A number's text, as sent."""

    __slots__ = ()


_DECODER: Final = json.JSONDecoder(
    strict=False, parse_int=_Literal, parse_float=_Literal, parse_constant=_Literal, object_pairs_hook=list
)


class Record(NamedTuple):
    """One element of a listing."""

    text: dict[str, str | None]
    """Field to the text of its value."""
    literals: dict[str, bool]
    """Fields whose text is JSON and not a string's content: true for nested values (or none at all)."""
    raw: str
    """The element as sent."""


def records(blocks: Iterable[bytes], method: str) -> Iterator[Record]:
    """Give the elements of a JSON array, without its brackets, from blocks of its bytes.

    Args:
        blocks: UTF-8 text between the array's brackets; a byte that is none becomes U+FFFD.
        method: The portal's method, for the message.

    Raises:
        UnexpectedAnswer: The text ends inside an element.
    """
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    source = iter(blocks)
    text, position, more = "", 0, True
    while True:
        gap = _GAP.match(text, position)
        position = gap.end() if gap else position
        end = _element_end(text, position) if position < len(text) else -1
        if end < 0 or (end == len(text) and more):
            if not more:
                if position < len(text):
                    raise unexpected(method, "a body that was cut", status="cut")
                return
            text, position = text[position:], 0
            # Doubling keeps a huge record from being scanned once a block.
            wanted, parts = max(1 << 20, len(text)), [text]
            while wanted > 0 and more:
                block = next(source, None)
                more = block is not None
                parts.append(decode(block or b"", final=not more))
                wanted -= len(parts[-1])
            text = "".join(parts)
            continue
        yield record(text[position:end])
        position = end


def record(raw: str) -> Record:
    """Read one element. What is no object has no fields.

    >>> record('{"ID": 7, "Mobile": 9120000000.0, "Labels": [1,  2]}').text
    {'ID': '7', 'Mobile': '9120000000.0', 'Labels': '[1,  2]'}

    A field that comes twice has its last value, as for every reader; the ones before are kept beside it.

    >>> record('{"ID": 7, "FName": "Ali", "FName": null}').text
    {'ID': '7', 'FName (earlier)': 'Ali', 'FName': None}
    """
    try:
        value, end = _DECODER.raw_decode(raw)
    except (ValueError, RecursionError):
        value, end = None, -1
    if not raw.startswith("{"):
        return Record({}, {}, raw)
    if end != len(raw) or len(dict(value)) < len(value) or any(isinstance(item, list) for _, item in value):
        text, literals = fields(raw)
        return Record(text, literals, raw)
    text, literals = {}, {}
    for name, item in value:
        if isinstance(item, str):
            text[name] = str(item)
            if isinstance(item, _Literal):
                literals[name] = False
        elif item is None:
            text[name] = None
        else:
            text[name] = "true" if item else "false"
            literals[name] = False
    return Record(text, literals, raw)


def fields(raw: str) -> tuple[dict[str, str | None], dict[str, bool]]:
    """Split an object's text into its fields without reading into nested values.

    Returns:
        Field to text, where a nested or unreadable value keeps the text it was sent as; and the fields whose text
        is not a string's content, true where the value is nested or unreadable.

    >>> fields('{"a": {"b": 1.10}, "c": "x", "d": oops}')
    ({'a': '{"b": 1.10}', 'c': 'x', 'd': 'oops'}, {'a': True, 'd': True})
    """
    text: dict[str, str | None] = {}
    literals: dict[str, bool] = {}
    level, name, start = 0, None, 1
    for token in _TOKEN.finditer(raw):
        mark = token[0]
        level += _STEP.get(mark, 0)
        if level == 1 and mark == ":" and name is None:
            name, start = _string(raw[start : token.start()].strip()), token.end()
        elif (level == 1 and mark == ",") or level == 0:
            if name is not None:
                _put(name, raw[start : token.start()].strip(), text, literals)
            name, start = None, token.end()
    return text, literals


def _put(name: str, value: str, text: dict[str, str | None], literals: dict[str, bool]) -> None:
    if name in text:
        before, literal = text.pop(name), literals.pop(name, None)
        if before is not None:
            earlier = name
            while earlier in text or earlier == name:
                earlier += _EARLIER
            text[earlier] = before
            if literal is not None:
                literals[earlier] = literal
    if value.startswith('"'):
        text[name] = _string(value)
        return
    text[name] = None if value == "null" else value
    if value != "null":
        try:
            literals[name] = isinstance(_DECODER.decode(value), list)
        except (ValueError, RecursionError):
            literals[name] = True


def _string(quoted: str) -> str:
    try:
        return str(json.loads(quoted, strict=False))
    except (ValueError, RecursionError):
        return quoted.strip('"')


def _element_end(text: str, position: int) -> int:
    """Find where the element that begins at `position` ends; -1 when the text ends first."""
    if (sound := value_end(text, position)) >= 0:
        return sound
    level = 0
    end = position
    for token in _TOKEN.finditer(text, position):
        mark = token[0]
        if level == 0 and mark == ",":
            return token.start()
        if mark[0] == '"' and token[1] is None:
            return -1
        level += _STEP.get(mark, 0)
        end = token.end()
        if level < 0:
            # A stray bracket is an element that nobody can read, or there would be no way past it.
            return max(token.start(), position + 1)
        if level == 0 and mark in "]}":
            return end
    # A quote that is still open would have swallowed the brackets: only a bare word can end with the text.
    return len(text) if level == 0 and '"' not in text[end:] and end == position else -1


def depth(text: str) -> int:
    """Count the brackets that a text leaves open.

    >>> depth('{"a": [1, "]"'), depth('{"a": [1]}')
    (2, 0)
    """
    # Nearly every text is sound, and the decoder's word for that is had a hundred times sooner.
    if value_end(text) == len(text):
        return 0
    return sum(_STEP.get(token[0], 0) for token in _TOKEN.finditer(text))


def value_end(text: str, start: int = 0) -> int:
    """Find where the JSON value that begins at a place ends; -1 where there is none.

    >>> value_end('{"Data": [1, 2] }', 9), value_end("oops")
    (15, -1)
    """
    try:
        return _DECODER.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return -1
