"""Clean Persian text without changing what it says, and make keys to match it by.

`clean` makes text safe to show, sort and join, in this order:

1. Unicode's canonical composition (NFC); it comes before the letters, for ي with a hamza is the letter ئ.
2. Presentation forms of Arabic letters and full-width ASCII become the letters they stand for.
3. ي and ى become ی, ك and ڪ become ک: the same letters from an Arabic keyboard.
4. What cannot be seen is deleted: tatweel, zero-width space and joiner, byte-order mark, word joiner, soft
   hyphen, marks of direction, control characters. A joiner between emoji stays: it makes a family of them.
5. Every other blank becomes a space: no-break space, tab, line break and all of Unicode's.
6. ¬, which old keyboards typed for it, becomes the zero-width non-joiner.
7. One non-joiner is enough, and none is needed beside a space or at an edge.
8. One space is enough, and none is needed at an edge.

Then NFC once more, since a mark may now follow its letter. Nothing else changes: آ أ ؤ ئ ة ء, the letters of
Kurdish, Azeri and Urdu, vowel marks, digits of every script and the case of Latin letters stay as they are.

`key` folds much more away; two texts of one key are probably the same name. It is for matching alone.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.transformers._arrow import decoded, encoded, series, strings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

__all__ = [
    "are_blank",
    "clean",
    "clean_array",
    "clean_arrays",
    "clean_text",
    "join_names",
    "key",
    "key_array",
    "text_key",
]

_EDGE: Final = "\x00"
"""Stands between texts that are cleaned as one; it cannot stay in a clean text, so no text is torn apart."""

_ZWNJ: Final = "\u200c"
_ZWJ: Final = "\u200d"
_BLANKS: Final = "\t\n\v\f\r\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_UNSEEN: Final = "\u0640\u200b\ufeff\u2060\u00ad\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069"


def _span(chars: str) -> list[str]:
    """Give the characters of a regular expression's class: single ones, and ranges with a hyphen."""
    found = re.findall("(.)-(.)|(.)", chars, re.DOTALL)
    return [
        chr(code) for first, last, one in found for code in range(ord(first or one), ord(last or one) + 1)
    ]


_CONTROLS: Final = [chr(code) for code in (*range(1, 0x20), *range(0x7F, 0xA0))]
_REPLACED: Final[dict[str, str]] = {
    **dict.fromkeys([*_CONTROLS, *_span(_UNSEEN)], ""),
    **dict.fromkeys(_span(_BLANKS), " "),
    "\u064a": "ی",
    "\u0649": "ی",
    "\u0643": "ک",
    "\u06aa": "ک",
    "\u00ac": _ZWNJ,
}
"""Steps 3 to 6. No value is a key, so the order of replacing does not matter."""

_FORMS: Final[dict[str, str]] = {
    char: unicodedata.normalize("NFKC", char)
    for char in _span("\ufb50-\ufdff\ufe70-\ufefc\uff01-\uff5e")
    if unicodedata.normalize("NFKC", char) != char
}
"""Step 2. Normalising all of the text so would also change ½, ² and ™."""

_EMOJI: Final = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_LOOSE_JOINER: Final = re.compile(
    f"(?<![{_EMOJI}\ufe0f\u20e3\U000e007f]){_ZWJ}|{_ZWJ}(?![{_EMOJI}])",
)

_PLAIN: Final = (
    r"\x21-\x7e\x{a1}-\x{ab}\x{ae}-\x{ff}"
    r"\x{60c}\x{61b}\x{61f}\x{621}-\x{63a}\x{641}\x{642}\x{644}-\x{648}\x{660}-\x{66f}"
    r"\x{671}-\x{6a9}\x{6ab}-\x{6d5}\x{6f0}-\x{6ff}\x{2010}-\x{2027}\x{2030}-\x{205e}"
)
"""Characters that no step changes and that compose with none before them: all that most texts consist of."""

_IS_CLEAN: Final = f"^[{_PLAIN}]+(?:[ \\x{{200c}}][{_PLAIN}]+)*$"
"""Which values Arrow can tell to be clean already; what fails it is looked at, and may be clean all the same."""

_NOTHING: Final = r"^[ _\-\x{2010}-\x{2015}\x{2212}]*$"
"""Of clean text: nothing, or only dashes."""

_BLOCK: Final = 8192
"""Texts cleaned as one: enough to forget the cost of a call, few enough to need little memory."""

_LONG: Final = 2000
"""Characters from which on numpy finds the distinct ones sooner than a set does."""


def _chars(text: str) -> set[str]:
    """Give the characters of a text; of a long one those of the first plane, where all are that we look for."""
    if len(text) < _LONG:
        return set(text)
    seen = np.zeros(0x10000, np.bool_)
    seen[np.minimum(np.frombuffer(text.encode("utf-32-le"), "<u4"), 0xFFFF)] = True
    return set(map(chr, np.flatnonzero(seen).tolist()))


def _replace(text: str, table: Mapping[str, str], present: set[str] | None = None) -> str:
    """Replace each character that is there: a scan of the text for each is faster than a look-up for each."""
    for char in (present or _chars(text)) & table.keys():
        text = text.replace(char, table[char])
    return text


def _once(text: str, pair: str, one: str) -> str:
    """Replace until there is none left."""
    while pair in text:
        text = text.replace(pair, one)
    return text


def _clean(text: str) -> str:
    """Clean texts that `_EDGE` separates, all at once."""
    text = unicodedata.normalize("NFC", text)
    present = _chars(text)
    if present & _FORMS.keys():
        text = unicodedata.normalize("NFC", _replace(text, _FORMS, present))
        present = _chars(text)
    text = _EDGE + _replace(text, _REPLACED, present) + _EDGE
    if _ZWJ in text:
        text = _LOOSE_JOINER.sub("", _once(text, _ZWJ * 2, _ZWJ))
    if _ZWNJ in text:
        text = _once(text, _ZWNJ * 2, _ZWNJ)
        for edge in (" ", _EDGE):
            text = text.replace(edge + _ZWNJ, edge).replace(_ZWNJ + edge, edge)
    text = _once(text, "  ", " ").replace(" " + _EDGE, _EDGE).replace(_EDGE + " ", _EDGE)
    return unicodedata.normalize("NFC", text[1:-1])


def clean(text: str) -> str:
    r"""Give a text as the tables hold it; an empty text when nothing can be seen of it.

    >>> clean(" علي\u200c رضايي\u00a0\t(كرج) ")
    'علی رضایی (کرج)'
    >>> clean("می\u00acروم") == "می\u200cروم"
    True
    """
    return _clean(text.replace(_EDGE, ""))


_MARKS: Final = "\u0610-\u061a\u064b-\u065f\u0670\u0674\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed"
_DASHES: Final = "\u002d\u058a\u05be\u1806\u2010-\u2015\u2212\u2e3a\u2e3b\u301c\u30fb"
_FOLDED: Final[dict[str, str]] = {
    **dict.fromkeys("أإٱآ", "ا"),
    **dict.fromkeys("ھہۀةۂۃ", "ه"),
    "ؤ": "و",
    "ئ": "ی",
    **dict.fromkeys(["ء", _ZWNJ, " ", ".", "·", "•", "۔", *_span(_MARKS), *_span(_DASHES)], ""),
    **{chr(zero + digit): str(digit) for zero in (0x660, 0x6F0) for digit in range(10)},
}
"""What `key` folds, after compatibility composition (NFKC) and case folding."""


def _key(text: str) -> str:
    """Make keys of texts that `_EDGE` separates, all at once."""
    while True:
        folded = _replace(unicodedata.normalize("NFKC", _clean(text)).casefold(), _FOLDED)
        if folded == text:
            return folded
        text = folded


def key(text: str) -> str:
    """Give what is left of a text when spelling, marks, spaces and case are taken off; for matching only.

    >>> key("علي‌رضا") == key("علی رضا") == key("علیرضا")
    True
    >>> key("رضائی"), key("O-Hara")
    ('رضایی', 'ohara')
    """
    return _key(text.replace(_EDGE, ""))


def _in_blocks(texts: list[str], change: Callable[[str], str]) -> list[str | None]:
    """Put texts through `change` by the block; None where nothing is left of one."""
    changed: list[str | None] = []
    for start in range(0, len(texts), _BLOCK):
        block = texts[start : start + _BLOCK]
        joined = _EDGE.join(block)
        if joined.count(_EDGE) >= len(block):
            joined = _EDGE.join([text.replace(_EDGE, "") for text in block])
        changed += [text or None for text in change(joined).split(_EDGE)]
    return changed


def _suspect(values: pa.Array) -> pa.Array | None:
    """Say which values may need work; None when none does."""
    suspect = pc.fill_null(pc.invert(pc.match_substring_regex(values, _IS_CLEAN)), fill_value=False)
    return suspect if pc.any(suspect, min_count=0).as_py() else None


def clean_arrays(arrays: Sequence[pa.Array]) -> list[pa.Array]:
    """Clean several columns of a chunk; as `clean_array` for each, in less time.

    Args:
        arrays: Each `string` or `dictionary<int32, string>`, nulls allowed, of any length.

    Returns:
        The same types and lengths; blank texts are null. An encoded array's values are distinct again.

    >>> [array.to_pylist() for array in clean_arrays([pa.array(["كرج "]), pa.array(["يزد", None])])]
    [['کرج'], ['یزد', None]]
    """
    values = [array.dictionary if pa.types.is_dictionary(array.type) else array for array in arrays]
    suspects = [_suspect(some) for some in values]
    # What needs work in all of them is put through it as one: a call costs as much as some hundred texts.
    found = [
        some.filter(suspect) for some, suspect in zip(values, suspects, strict=True) if suspect is not None
    ]
    texts = [text for some in found for text in some.to_pylist()]
    cleaned = pa.array(_in_blocks(texts, _clean), pa.string())
    results, start = [], 0
    for array, some, suspect in zip(arrays, values, suspects, strict=True):
        if suspect is None:
            results.append(array)
            continue
        count = len(found.pop(0))
        new = pc.replace_with_mask(some, suspect, cleaned.slice(start, count))
        start += count
        results.append(_encoded_by(new, array.indices) if some is not array else new)
    return results


def _encoded_by(values: pa.Array, indices: pa.Array) -> pa.DictionaryArray:
    """Give an encoded array whose values were changed; two of them may have become one, or null."""
    distinct = values.dictionary_encode()
    return pa.DictionaryArray.from_arrays(_taken(distinct.indices, indices), distinct.dictionary, safe=False)


def _taken(places: pa.Array, indices: pa.Array) -> pa.Array:
    """Do as `places.take(indices)` in a fifth of the time, where the nulls stay which they were."""
    if indices.type != pa.int32() or indices.offset or places.null_count or not len(indices):
        return places.take(indices)
    known, data = indices.buffers()
    # Any number may stand where a null is.
    taken = places.to_numpy().take(np.frombuffer(data, np.int32, len(indices)), mode="clip")
    return pa.Array.from_buffers(pa.int32(), len(indices), [known, pa.py_buffer(taken)])


def clean_array(array: pa.Array) -> pa.Array:
    """Clean a chunk of texts.

    Args:
        array: `string` or `dictionary<int32, string>`, nulls allowed.

    Returns:
        The same type and length; blank texts are null. An encoded array's values are distinct again; the very same
        array when nothing in it needs work.

    >>> clean_array(pa.array(["كريمي", " ", None, "کریمی"])).to_pylist()
    ['کریمی', None, None, 'کریمی']
    """
    return clean_arrays([array])[0]


def are_blank(array: pa.Array) -> pa.Array:
    r"""Say which texts say nothing: null, blanks and dashes alone.

    >>> are_blank(pa.array([None, " \u200f- ", "*", "0"])).to_pylist()
    [True, True, False, False]
    """
    return pc.match_substring_regex(pc.fill_null(decoded(clean_array(array)), ""), _NOTHING)


def key_array(array: pa.Array) -> pa.Array:
    """Give each text's key.

    Args:
        array: `string` or `dictionary<int32, string>`, nulls allowed.

    Returns:
        `string`, as long as `array`; null where nothing is left.

    >>> key_array(pa.array(["سید علي", "سیدعلی", "-"])).to_pylist()
    ['سیدعلی', 'سیدعلی', None]
    """
    distinct = encoded(array)
    present = pc.fill_null(distinct.dictionary, "").to_pylist()
    return pa.array(_in_blocks(present, _key), pa.string()).take(distinct.indices)


def join_names(first: pa.Array, last: pa.Array) -> pa.Array:
    """Join two arrays of clean names by a space; a missing one is left out.

    Args:
        first: `string` or encoded.
        last: As long as `first`.

    Returns:
        `string`; null where both are.

    >>> join_names(pa.array(["مینا", None, None]), pa.array(["راد", "کیا", None])).to_pylist()
    ['مینا راد', 'کیا', None]
    """
    first, last = decoded(first), decoded(last)
    return pc.coalesce(pc.binary_join_element_wise(first, last, " "), first, last)


def clean_text(s: pd.Series) -> pd.Series:
    """Give each text as the tables hold it; blank ones as null.

    Args:
        s: Text of any dtype.

    Returns:
        Arrow-backed `string`, with the index and name of `s`.

    >>> import pandas as pd
    >>> clean_text(pd.Series(["كيوان  ", ""], name="city")).tolist()
    ['کیوان', <NA>]
    """
    return series(decoded(clean_array(encoded(strings(s)))), s)


def text_key(s: pd.Series) -> pd.Series:
    """Give each text's key, to find the same name in other spellings.

    Args:
        s: Text of any dtype.

    Returns:
        Arrow-backed `string`, with the index and name of `s`; null where nothing is left.

    >>> import pandas as pd
    >>> text_key(pd.Series(["مؤمنی", "مومني"])).nunique()
    1
    """
    return series(key_array(strings(s)), s)
