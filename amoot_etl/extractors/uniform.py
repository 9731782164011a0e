"""Read a segment whose records are all written alike by where their fields stand.

The portal writes each record with the same fields in the same order, and nothing between them. A value is then what
stands from one key to the next. Nothing is taken on trust: every byte is one that must stand where it does (brackets,
commas, keys), or belongs to a `null`, `true`, `false`, whole number or string. A segment that holds anything else is
not read here. It takes half the processor time of a parser and of the proof that it lost nothing.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.extractors.places import MOST_BYTES, bytes_at, stands_at, true_places, with_gaps
from amoot_etl.utf8 import sayable

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy.typing as npt

    Bytes = npt.NDArray[np.uint8]
    Places = npt.NDArray[np.int64]

__all__ = ["read_uniform"]

_STEP: Final = 1 << 20
"""Bytes looked at together: no copy of a body is made.

Fewer would stay in a faster cache. But each operation lets go of Python's lock, and two threads that read at the same
time pay more for many of those than for a slower cache.
"""
_VALUES: Final = 1 << 16
"""Values read together, likewise."""
_FIRST_RECORD: Final = 1 << 16
"""Bytes in which the first record is looked for: a longer one is not worth it."""
_KEY: Final = re.compile(rb'[{,]"([A-Za-z0-9_]+)":')
_NEXT_RECORD: Final = re.compile(rb'\},\{"[A-Za-z0-9_]')
_LONGEST_NUMBER: Final = 18
_BETWEEN: Final = b"\x01"
_LENIENT: Final = json.JSONDecoder(strict=False)
"""Takes control characters in strings."""
_BACKSLASH, _QUOTE, _COLON, _ZERO, _NINE = (ord(letter) for letter in '\\":09')
_NULL, _TRUE, _FALSE = (int.from_bytes(word, "little") for word in (b"null", b"true", b"fals"))


class _Marks(NamedTuple):
    """What tells the values of a segment apart."""

    keys: Places
    """The quotes that end keys."""
    quotes: int
    """How many quotes there are."""
    escapes: Places
    """Where backslashes are."""


class _Layout(NamedTuple):
    """How a record is written."""

    before: Places
    """How far before the quote that ends it each key begins, with its comma or brace."""
    text: npt.NDArray[np.uint64]
    """The keys from their comma or brace to their colon, each padded to the longest one's words."""
    mask: npt.NDArray[np.uint64]
    """The bits of `text` that are not padding."""
    width: int
    """Bytes of a padded key."""


def read_uniform(data: Bytes, known: Collection[str]) -> pa.Table | None:
    r"""Read the records of a segment; None unless they are written alike, without any doubt about a byte.

    Args:
        data: A JSON array of records.
        known: The names that fields may have.

    Returns:
        The records, with a column of type `string` for each known name: a number is its digits, a field that the
        records lack is null.

    >>> segment = b'[{"ID":7,"Note":null,"Name":"Ali"},{"ID":8,"Note":"a \\" b","Name":""}]'
    >>> read_uniform(np.frombuffer(segment, np.uint8), ["ID", "Name", "Note"]).to_pylist()
    [{'ID': '7', 'Name': 'Ali', 'Note': None}, {'ID': '8', 'Name': '', 'Note': 'a " b'}]
    >>> read_uniform(np.frombuffer(segment.replace(b":7", b": 7"), np.uint8), ["ID", "Name", "Note"])
    """
    try:
        return _read(data, known)
    except (_UnalikeError, json.JSONDecodeError, UnicodeDecodeError, pa.ArrowInvalid):
        return None


class _UnalikeError(Exception):
    """A record is written in another way."""


def _read(data: Bytes, known: Collection[str]) -> pa.Table:
    names = _names(data)
    _demand(bool(names) and set(names) <= set(known))
    layout = _layout(names)
    marks = _marks(data)
    keys, ends = _records(data, marks.keys, layout)
    rows, last = max(1, _VALUES // len(names)), len(keys) - 1
    parts = []
    for first in range(0, last, rows):
        some = slice(first, min(first + rows, last))
        parts.append(_part(data, keys[some], ends[some], layout, marks.escapes))
    # Bytes are taken in groups, which would reach beyond the end: the last record is read from a copy that goes on.
    begin = ends[-2] if last else 0
    tail = np.append(data[begin:], np.zeros(layout.width, np.uint8))
    parts.append(_part(tail, keys[last:] - begin, ends[last:] - begin, layout, marks.escapes - begin))
    # Had a string held another one, it would have ended there.
    _demand(2 * keys.size + sum(quotes for _, quotes in parts) == marks.quotes)
    texts = [part for part, _ in parts]
    columns = {name: _column(texts, number, len(names)) for number, name in enumerate(names)}
    return pa.table({name: columns.get(name, pa.nulls(len(keys), pa.string())) for name in known})


def _demand(what: bool | np.bool_) -> None:
    if not what:
        raise _UnalikeError


def _names(data: Bytes) -> tuple[str, ...]:
    """Give the names of the first record's fields; none where they cannot be those of every record."""
    if len(data) > MOST_BYTES:
        return ()
    first, *_ = _NEXT_RECORD.split(bytes(data[:_FIRST_RECORD]), maxsplit=1)
    names = tuple(key.decode() for key in _KEY.findall(first))
    return names if len(set(names)) == len(names) else ()


def _records(data: Bytes, keys: Places, layout: _Layout) -> tuple[Places, Places]:
    """Give the keys of each record, a row each, and one past its last value."""
    fields = len(layout.before)
    if len(keys) % fields:
        # A string may begin with a colon; the names of fields do not end with one.
        keys = keys[data[keys - 1] != _COLON]
    count, odd = divmod(len(keys), fields)
    _demand(count > 0 and not odd)
    rows = keys.reshape(count, -1)
    begins = rows[:, 0] - layout.before[0]
    _demand(begins[0] == 1 and bytes(data[:1]) == b"[" and bytes(data[-2:]) == b"}]")
    _demand(stands_at(data, begins[1:] - 2, b"},"))
    return rows, np.append(begins[1:] - 2, len(data) - 2)


def _marks(data: Bytes) -> _Marks:
    """Find what tells values apart."""
    flags, following = np.empty(_STEP, bool), np.empty(_STEP, bool)
    keys, escapes = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    quotes = 0
    for start in range(0, len(data) - 1, _STEP):
        part, after = data[start : start + _STEP], data[start + 1 : start + 1 + _STEP]
        here = flags[: len(part)]
        # No string holds a control character as it is.
        _demand(part.min() >= ord(" "))
        if np.equal(part, _BACKSLASH, out=here).any():
            escapes.append(true_places(here) + start)
        quotes += int(np.count_nonzero(np.equal(part, _QUOTE, out=here)))
        here = here[: len(after)]
        here &= np.equal(after, _COLON, out=following[: len(after)])
        keys.append(true_places(here) + start)
    ends, behind = np.concatenate(keys), np.concatenate(escapes) + 1
    # A quote behind a backslash ends no key of ours.
    places = np.searchsorted(ends, behind)
    inside = places < len(ends)
    places, behind = places[inside], behind[inside]
    within = places[ends[places] == behind]
    # Hardly ever any: taking nothing out would copy all the others.
    ends = np.delete(ends, within) if len(within) else ends
    return _Marks(ends, quotes, np.concatenate(escapes))


@lru_cache(maxsize=8)
def _layout(names: tuple[str, ...]) -> _Layout:
    keys = [f'{"," if number else "{"}"{name}":'.encode() for number, name in enumerate(names)]
    width = -(-max(map(len, keys)) // 8) * 8
    text = b"".join(key.ljust(width, b"\0") for key in keys)
    mask = b"".join((b"\xff" * len(key)).ljust(width, b"\0") for key in keys)
    before = np.array([len(key) - 2 for key in keys])
    return _Layout(before, np.frombuffer(text, np.uint64), np.frombuffer(mask, np.uint64), width)


def _part(data: Bytes, keys: Places, ends: Places, layout: _Layout, escapes: Places) -> tuple[pa.Array, int]:
    """Read the values of some records.

    Args:
        data: The segment.
        keys: The quotes that end the keys of each record.
        ends: One past each record's last value.
        layout: How a record is written.
        escapes: Where the segment's backslashes are.

    Returns:
        The values as `binary`, column after column, and how many quotes are in strings and around them.
    """
    inside = escapes[slice(*np.searchsorted(escapes, (keys[0, 0], ends[-1])))]
    if len(inside):
        # Strings are changed where they stand. The memory of so small a copy is used again and again.
        begin = keys[0, 0] - layout.before[0]
        data = data[begin : ends[-1] + layout.width].copy()
        keys, ends, inside = keys - begin, ends - begin, inside - begin
    begins = keys - layout.before
    written = bytes_at(data, begins.ravel(), layout.width).view(np.uint64).reshape(len(keys), -1)
    written ^= layout.text
    written &= layout.mask
    _demand(not written.any())
    starts = keys.ravel() + 2
    stops = np.column_stack((begins[:, 1:], ends)).ravel()
    words = bytes_at(data, starts, 4).view(np.uint32).ravel()
    lasts = data[stops - 1]
    strings = words.astype(np.uint8) == _QUOTE
    _demand(not (strings & (lasts != _QUOTE)).any())
    starts += strings
    stops -= strings
    lengths = stops - starts
    nulls = words == _NULL
    _demand(lengths.min() >= 0 and not (nulls & (lengths != len("null"))).any())
    quotes = 2 * int(np.count_nonzero(strings))
    if len(inside):
        quotes += _unescape(data, starts, stops, strings, inside)
    texts = with_gaps(data, starts, stops, nulls)
    others = np.flatnonzero(~(strings | nulls))
    _demand(_are_plain(texts, others, words[others], lengths[others], lasts[others]))
    return pc.take(texts, _by_column(*keys.shape), boundscheck=False), quotes


def _are_plain(
    texts: pa.Array, places: Places, words: npt.NDArray[np.uint32], lengths: Places, lasts: Bytes
) -> bool:
    """Say whether values are `true`, `false` or whole numbers."""
    true = (words == _TRUE) & (lengths == len("true"))
    false = (words == _FALSE) & (lengths == len("false")) & (lasts == ord("e"))
    numbers = ~(true | false)
    if not numbers.any():
        return True
    length = lengths[numbers]
    zero = words[numbers].astype(np.uint8) == _ZERO
    if length.min() < 1 or length.max() > _LONGEST_NUMBER or (zero & (length > 1)).any():
        return False
    digits = np.frombuffer(texts.take(pa.array(2 * places[numbers])).buffers()[2], np.uint8)
    return bool(digits.min() >= _ZERO and digits.max() <= _NINE)


def _unescape(
    data: Bytes, starts: Places, stops: Places, strings: npt.NDArray[np.bool_], escapes: Places
) -> int:
    """Write what strings with escapes mean over their beginnings, and tell their new ends.

    Args:
        data: The segment; it is changed.
        starts: Where each value begins.
        stops: One past where it ends; changed.
        strings: Which values are strings.
        escapes: Where the backslashes among the values are.

    Returns:
        How many quotes the strings held.

    Raises:
        _UnalikeError, JSONDecodeError, UnicodeDecodeError: One is no string of JSON.
    """
    view = data.data
    places = np.searchsorted(starts, escapes, "right") - 1
    places = places[np.append(True, places[1:] != places[:-1])]
    _demand(strings[places].all())
    begins = starts[places].tolist()
    texts = [bytes(view[start:stop]) for start, stop in zip(begins, stops[places].tolist(), strict=True)]
    quotes = b"".join(texts).count(b'"')
    for place, start, meant in zip(places.tolist(), begins, _meant(texts), strict=True):
        # No escape is shorter than what it stands for.
        stops[place] = start + len(meant)
        view[start : start + len(meant)] = meant
    return quotes


def _meant(texts: list[bytes]) -> list[bytes]:
    """Give what the insides of strings of JSON mean.

    Args:
        texts: None holds a control character.

    Raises:
        JSONDecodeError, UnicodeDecodeError: One is no string of JSON.
    """
    # Read as one string, with something between them that none holds; but an escape may stand for that.
    joined = _LENIENT.decode(f'"{_BETWEEN.join(texts).decode()}"')
    meant = sayable(joined).encode().split(_BETWEEN)
    if len(meant) == len(texts):
        return meant
    return [sayable(json.loads(f'"{text.decode()}"')).encode() for text in texts]


@lru_cache(maxsize=8)
def _by_column(rows: int, columns: int) -> pa.Array:
    """Give the places of values, each followed by a gap, column after column."""
    return pa.array(2 * np.arange(rows * columns, dtype=np.int32).reshape(rows, columns).T.ravel())


def _column(parts: list[pa.Array], number: int, columns: int) -> pa.Array:
    """Lay the values of a column together as `string`."""
    rows = [len(part) // columns for part in parts]
    column = pa.concat_arrays(
        [part.slice(number * count, count) for part, count in zip(parts, rows, strict=True)]
    )
    text = column.buffers()[2]
    plain = text is None or not text.size or np.frombuffer(text, np.uint8).max() < 128
    # Casting looks at every letter, which is spared where none can be wrong.
    return column.view(pa.string()) if plain else column.cast(pa.string())
