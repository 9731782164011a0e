"""Read a custom field as what its owner says it holds.

The portal knows six custom fields as text and three as dates; what an account keeps in them is in its mapping. Each
distinct text of a chunk is read once: numbers, words and choices all at once, identifiers, mobiles, e-mail addresses
and dates by the modules that know them. What is blank, or only dashes, is null and no issue; what cannot be read as
its type is null and a `custom_invalid` with the text as received.

- `integer`, `decimal`: digits of every keyboard, a sign in front, thousands apart by a comma, a Persian or Arabic
  comma or a space, and always by three; a point or the Persian ٫ before the fraction. No unit, no percent, no
  exponent, and nothing is rounded: a number that does not fit is invalid.
- `boolean`: true, yes, 1, بله, دارد and their opposites.
- `date`: either calendar, as people type it; the year tells which. A two-digit year that could be read only one way
  is read, and told as `date_ambiguous`.
- `choice`: a word of the choice or one that means it; spelling, spaces and case are as `text.key` takes them.
- `json`: any JSON text, kept as it is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.errors import SettingsError
from amoot_etl.mapping import CustomField, read_mapping
from amoot_etl.transformers._amounts import PRECISION, read_numbers
from amoot_etl.transformers._arrow import Finding, decoded, encoded, series, strings
from amoot_etl.transformers.dates import read_date_pair
from amoot_etl.transformers.email import read_email
from amoot_etl.transformers.identifiers import IDENTIFIERS, read_identifier
from amoot_etl.transformers.mobile import read_mobile
from amoot_etl.transformers.text import are_blank, clean_array, key, key_array

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    import pandas as pd

__all__ = ["Custom", "check_fields", "read_custom", "read_typed"]

_RULE: Final = "custom_invalid"
_ZERO: Final = r"[0\x{660}\x{6f0}\x{ff10}]"
_YES: Final = ("true", "t", "yes", "y", "on", "1", "بله", "بلی", "آری", "درست", "صحیح", "هست", "دارد", "فعال")
_NO: Final = (
    "false",
    "f",
    "no",
    "n",
    "off",
    "0",
    "خیر",
    "نه",
    "نخیر",
    "نادرست",
    "غلط",
    "نیست",
    "ندارد",
    "غیرفعال",
)


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)


# Numbers stay text: their size is no matter of ours.
_DECODER: Final = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse)


class Custom(NamedTuple):
    """A custom field, read."""

    arrays: tuple[pa.Array, ...]
    """A column each, as `CustomField.columns` lists them, of the types that it says."""
    findings: list[Finding]


def check_fields(fields: Iterable[CustomField]) -> None:
    """Insist that the choices of each field can be told apart.

    Raises:
        SettingsError: One word stands for two choices, or for nothing.

    >>> check_fields(read_mapping({"custom_text_1": {"type": "choice", "choices": ["علی", "علي"]}}))
    Traceback (most recent call last):
    amoot_etl.errors.SettingsError: mapping.custom_text_1: علي would mean both علی and علي
    """
    for field in fields:
        met: dict[str, str] = {}
        for choice, others in field.choices:
            for word in (choice, *others):
                folded = key(word)
                if not folded:
                    raise SettingsError(f"{field.place}: {word!r} is no word to choose by", subject="choices")
                if met.setdefault(folded, choice) != choice:
                    raise SettingsError(
                        f"{field.place}: {word} would mean both {met[folded]} and {choice}", subject="choices"
                    )


def read_custom(array: pa.Array, field: CustomField, *, today: dt.date) -> Custom:
    """Read a chunk of one custom field.

    Args:
        array: What the portal sent: `string`, or encoded strings, nulls allowed.
        field: What it means.
        today: The run's date in Tehran, for the century of a two-digit year.

    Returns:
        The columns, each as long as `array`, and findings under the field's name.

    >>> import datetime as dt
    >>> field = CustomField(column="custom_text_1", name="visits", type="integer")
    >>> read = read_custom(pa.array(["۱۲٬۵۰۰", "7.0", "many", "-"]), field, today=dt.date(2026, 11, 21))
    >>> read.arrays[0].to_pylist(), [(f.rule, f.rows.tolist()) for f in read.findings]
    ([12500, 7, None, None], [('custom_invalid', [2])])
    """
    distinct = encoded(array)
    if not len(distinct.dictionary):
        return Custom(tuple(pa.nulls(len(array), kind) for kind in _types(field)), [])
    read = _read(distinct.dictionary, field, today)
    arrays = tuple(decoded(one).take(distinct.indices) for one in read.arrays)
    spread = [_spread(finding, distinct) for finding in read.findings]
    return Custom(arrays, [finding for finding in spread if len(finding.rows)])


def _types(field: CustomField) -> list[pa.DataType]:
    plain = {
        "integer": pa.int64(),
        "decimal": pa.decimal128(PRECISION, field.places),
        "boolean": pa.bool_(),
        "date": pa.date32(),
    }
    return [plain.get(field.type, pa.string()), *([pa.string()] if field.type == "date" else [])]


def _read(texts: pa.Array, field: CustomField, today: dt.date) -> Custom:  # noqa: PLR0911 - one a type
    """Read distinct texts."""
    name = field.name
    if field.type in IDENTIFIERS:
        forms, findings = read_identifier(texts, field.type, column=name)
        return Custom((forms,), findings)
    if field.type in ("integer", "decimal"):
        values, wrong, details = read_numbers(texts, field.places if field.type == "decimal" else None)
        return Custom((values,), _invalid(texts, wrong, name, details))
    if field.type == "mobile":
        return _mobiles(texts, name)
    if field.type == "email":
        emails, findings = read_email(texts, column=name)
        return Custom((emails,), [finding._replace(rule=_RULE) for finding in findings])
    if field.type == "date":
        return _dates(texts, field, today)
    if field.type == "boolean":
        words: list[tuple[str, Any]] = [
            (word, meant) for meant, those in ((True, _YES), (False, _NO)) for word in those
        ]
        return _words(texts, name, words, pa.bool_(), "neither yes nor no")
    if field.type == "choice":
        words = [(word, choice) for choice, others in field.choices for word in (choice, *others)]
        return _words(texts, name, words, pa.string(), "none of the choices")
    if field.type == "json":
        return _json(texts, name)
    return Custom((clean_array(texts),), [])


def _mobiles(texts: pa.Array, name: str) -> Custom:
    """Read numbers; zeros alone are none, and nothing is lost with them."""
    read = read_mobile(texts, column=name)
    findings = [finding._replace(rule=_RULE) for finding in read.findings]
    # Signs without digits are no number either; but no mobile_raw keeps what stood in this field.
    empty = pc.or_(are_blank(texts), pc.match_substring_regex(texts, _ZERO))
    signs = pc.and_not(read.mobile_kind.is_null(), empty)
    return Custom((read.mobile,), findings + _invalid(texts, signs, name, "no digits"))


def _words(
    texts: pa.Array, name: str, words: list[tuple[str, Any]], kind: pa.DataType, detail: str
) -> Custom:
    """Read words by their keys."""
    keys = key_array(texts)
    known = pa.array([key(word) for word, _ in words], pa.string())
    places = pc.index_in(keys, known, skip_nulls=True)
    values = pa.array([meant for _, meant in words], kind).take(places)
    wrong = pc.and_not(pc.is_null(places), are_blank(texts))
    return Custom((values,), _invalid(texts, wrong, name, detail))


def _dates(texts: pa.Array, field: CustomField, today: dt.date) -> Custom:
    """Read dates of either calendar: as a Jalali field, since that is how people here type."""
    absent = pa.nulls(len(texts), pa.string())
    source = field.columns()[0].source[0]
    pair = read_date_pair(absent, texts, column=field.name, today=today, fields=("", source))
    null = pair.date.is_null().to_numpy(zero_copy_only=False)
    findings = []
    for finding in pair.findings:
        if finding.rule == "gregorian_in_jalali_field":
            continue  # either is right here
        lost = null[finding.rows]
        for rule, which in ((_RULE, lost), (finding.rule, ~lost)):
            mask = pa.array(which)
            detail = finding.detail if isinstance(finding.detail, str) else finding.detail.filter(mask)
            findings.append(
                Finding(field.name, rule, finding.rows[which], finding.values.filter(mask), detail)
            )
    return Custom((pair.date, pair.jalali), findings)


def _json(texts: pa.Array, name: str) -> Custom:
    stripped = pc.utf8_trim_whitespace(texts)
    fine = pa.array([_is_json(text) for text in stripped.to_pylist()], pa.bool_())
    values = pc.if_else(fine, stripped, pa.scalar(None, pa.string()))
    return Custom((values,), _invalid(texts, pc.invert(pc.or_(fine, are_blank(texts))), name, "no JSON"))


def _is_json(text: str) -> bool:
    try:
        _DECODER.decode(text)
    except (ValueError, RecursionError):
        return False
    return True


def _invalid(texts: pa.Array, wrong: pa.Array, name: str, detail: str | pa.Array) -> list[Finding]:
    rows = np.flatnonzero(wrong.to_numpy(zero_copy_only=False))
    at = pa.array(rows)
    told = detail if isinstance(detail, str) else detail.take(at)
    return [Finding(name, _RULE, rows, texts.take(at), told)] if len(rows) else []


def _spread(finding: Finding, array: pa.DictionaryArray) -> Finding:
    """Give for rows what was found of the distinct texts."""
    place = np.full(len(array.dictionary) + 1, -1, np.int64)
    place[finding.rows] = np.arange(len(finding.rows))
    # One number past the last stands for null.
    found = place[pc.fill_null(array.indices, len(array.dictionary)).to_numpy()]
    rows = np.flatnonzero(found >= 0)
    at = pa.array(found[rows])
    detail = finding.detail if isinstance(finding.detail, str) else decoded(finding.detail).take(at)
    return Finding(finding.column, finding.rule, rows, decoded(finding.values).take(at), detail)


def read_typed(s: pd.Series, type: str, *, today: dt.date, **options: Any) -> pd.DataFrame:  # noqa: A002 - the mapping's word
    """Read a column of texts as one of the types that a mapping can give.

    Args:
        s: Text of any dtype.
        type: One of `mapping.KINDS`: `integer`, `date`, `national_id` ...
        today: The run's date, for the century of a two-digit year.
        options: What the type needs: `places` of a decimal, `choices` of a choice.

    Returns:
        A frame on the index of `s`: `value` in the type's own Arrow type, for dates also `jalali`, and `issue`, in
        words, null where there is none.

    Raises:
        SettingsError: There is no such type, or an option is wrong.

    >>> import datetime as dt
    >>> import pandas as pd
    >>> levels = pd.Series(["طلايي", "vip", "?!x"])
    >>> typed = read_typed(levels, "choice", today=dt.date(2026, 11, 21), choices={"gold": ["طلایی", "VIP"]})
    >>> typed.value.tolist(), typed.issue.tolist()
    (['gold', 'gold', <NA>], [<NA>, <NA>, 'none of the choices'])
    """
    import pandas as pd  # noqa: PLC0415 - only who calls this has frames

    fields = read_mapping({"custom_text_1": {"type": type, **options}})
    check_fields(fields)
    read = read_custom(strings(s), fields[0], today=today)
    issues: list[str | None] = [None] * len(s)
    for finding in read.findings:
        details = [finding.detail] * len(finding.rows)
        if not isinstance(finding.detail, str):
            details = finding.detail.to_pylist()
        for row, detail in zip(finding.rows.tolist(), details, strict=True):
            issues[row] = detail
    columns = dict(zip(("value", "jalali"), read.arrays, strict=False))
    columns["issue"] = pa.array(issues, pa.string())
    return pd.DataFrame({name: series(array, s, name) for name, array in columns.items()})
