"""Read the gender of contacts from two fields that may say the same, less, or two things.

`GenderType` is a boolean, true for a man, and wins. `GenderTypeStr` says it in words, and is asked where the
boolean is missing. What does not fit is an issue, and no gender is guessed:

- `type_mismatch`: GenderType is neither empty nor a boolean; the words are asked instead.
- `gender_mismatch`: the two say two things; or the words name no gender that we know ("نماینده"), which is told
  because the words themselves are no column, so that nothing is lost.

Words that say that nothing is known (نامشخص, unknown, a dash) are empty.
"""

from __future__ import annotations

import json
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.transformers._arrow import Finding, encoded
from amoot_etl.transformers.text import key

__all__ = ["read_gender"]

_GENDERS: Final = ("male", "female")
_NONE: Final = -1
_BOOLEANS: Final = {"true": 0, "1": 0, "1.0": 0, "false": 1, "0": 1, "0.0": 1}

_MEN: Final = "آقا آقای جناب جناب‌آقای مرد مذکر پسر male man m mr mister"
_WOMEN: Final = "خانم خانوم سرکارخانم بانو زن مؤنث دختر female woman f mrs ms miss madam"
_NOTHING: Final = "نامشخص نامعلوم ندارد هیچ‌کدام unknown none null -"
_WORDS: Final = {
    key(word): gender for gender, words in enumerate((_MEN, _WOMEN, _NOTHING)) for word in words.split()
}
"""Words by their key, so that spelling, case, dots and spaces do not matter; 2 says that nothing is known."""


class _Pair(NamedTuple):
    """What one pair of values says."""

    gender: int
    rule: str = ""
    detail: str = ""
    second: bool = False
    """Whether GenderType was no boolean, besides."""


def _read_pair(flag: str | None, words: str | None) -> _Pair:
    said = key(words or "")
    by_words = _WORDS.get(said, _NONE)
    by_words = _NONE if by_words == len(_GENDERS) else by_words
    unknown = bool(said) and said not in _WORDS
    told = (flag or "").strip().lower()
    by_flag = _BOOLEANS.get(told, _NONE)
    odd = bool(told) and by_flag < 0
    if unknown:
        return _Pair(by_flag, "gender_mismatch", "the words name no gender that we know", odd)
    if by_flag >= 0 and by_words >= 0 and by_flag != by_words:
        return _Pair(
            by_flag, "gender_mismatch", "the boolean and the words say two things: the boolean is kept"
        )
    return _Pair(by_flag if by_flag >= 0 else by_words, second=odd)


def read_gender(
    gender_type: pa.Array,
    gender_type_str: pa.Array,
    *,
    column: str = "gender",
    fields: tuple[str, str] = ("GenderType", "GenderTypeStr"),
) -> tuple[pa.DictionaryArray, list[Finding]]:
    """Read a chunk of genders.

    Args:
        gender_type: `string` or `dictionary<int32, string>`: true, false, 1 or 0 as text, nulls allowed.
        gender_type_str: As long as `gender_type`, and of either type.
        column: The name that findings carry.
        fields: The portal's names of the two, in the JSON that findings of the pair carry as their value.

    Returns:
        `dictionary<int32, string>` of `male` and `female`; and findings of the rules `gender_mismatch` (the value
        is both, as JSON) and `type_mismatch` (the value is GenderType).

    >>> genders, findings = read_gender(pa.array(["true", None, "false"]), pa.array([None, "خانم", "آقا"]))
    >>> genders.to_pylist(), findings[0].rule, findings[0].values.to_pylist()
    (['male', 'female', 'female'], 'gender_mismatch', ['{"GenderType": "false", "GenderTypeStr": "آقا"}'])
    """
    flags, words = encoded(gender_type), encoded(gender_type_str)
    width = len(words.dictionary) + 1
    pair = pc.fill_null(flags.indices, len(flags.dictionary)).to_numpy().astype(np.int64) * width
    pair += pc.fill_null(words.indices, width - 1).to_numpy()
    codes, which = _distinct(pair, (len(flags.dictionary) + 1) * width)
    flag_texts, word_texts = [*flags.dictionary.to_pylist(), None], [*words.dictionary.to_pylist(), None]
    texts = [(flag_texts[code // width], word_texts[code % width]) for code in codes.tolist()]
    read = [_read_pair(*text) for text in texts]

    gender = np.array([one.gender for one in read], np.int32)[which]
    genders = pa.DictionaryArray.from_arrays(
        pa.array(gender, mask=gender < 0), pa.array(_GENDERS, pa.string()), safe=False
    )
    both = [json.dumps(dict(zip(fields, text, strict=True)), ensure_ascii=False) for text in texts]
    mismatch = [(value, one.detail) if one.rule else None for value, one in zip(both, read, strict=True)]
    odd = [
        (flag or "", "GenderType is no boolean") if one.second else None
        for (flag, _), one in zip(texts, read, strict=True)
    ]
    findings = [
        *_finding(column, "gender_mismatch", which, mismatch),
        *_finding(column, "type_mismatch", which, odd),
    ]
    return genders, findings


def _distinct(codes: np.ndarray, bound: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the distinct codes and each row's place among them; counted, not sorted, while they are few."""
    if bound > max(len(codes), 1024):
        distinct, which = np.unique(codes, return_inverse=True)
        return distinct, which
    present = np.zeros(bound, np.bool_)
    present[codes] = True
    return np.flatnonzero(present), (np.cumsum(present) - 1)[codes]


def _finding(column: str, rule: str, which: np.ndarray, told: list[tuple[str, str] | None]) -> list[Finding]:
    """Give one finding of the rows whose pair has a value and a detail, or none."""
    broken = np.array([one is not None for one in told], np.bool_)
    rows = np.flatnonzero(broken[which]) if len(told) else np.empty(0, np.int64)
    if not len(rows):
        return []
    at = pa.array(which[rows])
    texts = pa.array([one[0] if one else None for one in told], pa.string())
    details = pa.array([one[1] if one else None for one in told], pa.string())
    return [Finding(column, rule, rows, texts.take(at), details.take(at))]
