"""Read mobile numbers, whatever way they were typed, and lose none for its prefix.

A number that holds 9 and nine digits behind one of the prefixes that Iranians write (none, 0, 98, +98, 0098,
also with the 0 left in) is Iranian, and is read by arithmetic on the whole chunk. What is typed with spaces,
dashes, Persian digits or invisible marks is stripped to its digits first, the whole chunk at once. Only what is
then still unread (foreign numbers, landlines, odd things) is looked at one by one, each distinct text once,
with the help of `phonenumbers`.

The kinds:

- `ir`: an Iranian mobile whose range is in the table.
- `ir_unlisted`: 9 and nine digits, but no range that the table knows. It is a mobile to us: every table lags
  behind what the operators open. 0941, which is sold for fixed wireless, is one of them.
- `foreign`: a valid number of another country that can be a mobile there (some countries' numbers don't tell).
- `landline`: a valid number that no mobile can have, of Iran or elsewhere: fixed lines, freephone and the like.
- `invalid`: everything else. It is never repaired: with a digit too many or too few it is nobody's number.

Nothing at all, blanks, only dashes and the like, and zeros only (what a .NET `long` holds when there is no
number) are empty: every column is null, and that is no issue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.transformers._arrow import Finding, blocks, decoded, series, strings
from amoot_etl.transformers._digits import Ints, numbers, skeletons, ten_digits
from amoot_etl.transformers._mobile_one import BLOCKS, KINDS, OPERATORS, UNLISTED_BLOCK, One, read_one

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

__all__ = ["Mobile", "describe_mobile", "normalise_mobile", "read_mobile"]


class Mobile(NamedTuple):
    """What `read_mobile` gives: one array a column, as long as the chunk, and what was wrong."""

    mobile: pa.Array
    """`string`: E.164, `+989121234567`; null for what no mobile can be."""
    mobile_national: pa.Array
    """`string`: `09121234567` for an Iranian mobile, else null."""
    mobile_kind: pa.DictionaryArray
    """One of `KINDS`; null when empty."""
    mobile_country: pa.DictionaryArray
    """ISO code of the number's country, landlines too; null when invalid, and for satellite networks."""
    mobile_prefix_operator: pa.DictionaryArray
    """Holder of the Iranian mobile range, null where the table names none."""
    keys: Ints
    """The digits of E.164 as a number, 0 where `mobile` is null: equal keys are the same number."""
    findings: list[Finding]
    """`mobile_invalid` and `mobile_landline`."""


_Places = npt.NDArray[np.int32]

_IR, _UNLISTED = KINDS.index("ir"), KINDS.index("ir_unlisted")
_RULES = (("mobile_invalid", KINDS.index("invalid")), ("mobile_landline", KINDS.index("landline")))


def read_mobile(array: pa.Array, *, column: str = "mobile") -> Mobile:
    """Read a chunk of numbers as the portal sent them.

    Args:
        array: `string` or `dictionary<int32, string>`, nulls allowed: integers as their text, or any text.
        column: The name that findings carry.

    Returns:
        The five columns and `keys`, each as long as `array`, and findings of the rules `mobile_invalid` and
        `mobile_landline` with the texts as received.

    >>> read_mobile(pa.array(["9121234567", "۰۹۳۵ ۱۲۳ ۴۵۶۷", "964 770 123 4567", "0"])).mobile.to_pylist()
    ['+989121234567', '+989351234567', '+9647701234567', None]
    """
    if pa.types.is_dictionary(array.type):
        return _expand(_read(array.dictionary, column), array)
    return _read(array, column)


def _read(array: pa.Array, column: str) -> Mobile:
    if array.type != pa.string():
        array = pc.cast(array, pa.string())
    value, length = numbers(array)
    national = _iranian(value, length)
    rows = np.flatnonzero((national == 0) & (value != 0))
    if len(rows) and array.null_count:
        rows = rows[pc.is_valid(array).to_numpy(zero_copy_only=False)[rows]]
    if len(rows):
        rows = _read_typed(array, national, rows)
    odd = array.take(pa.array(rows)).dictionary_encode()
    marked = skeletons(odd.dictionary).to_pylist()
    ones = [read_one(text, marks) for text, marks in zip(odd.dictionary.to_pylist(), marked, strict=True)]
    which = odd.indices.to_numpy()
    if len(rows):  # an Iranian number that only the careful reading recognised, such as `tel:+98...`
        national[rows] = _spread(ones, which, lambda one: one.national, 0)

    kind, country, operator, keys = _describe(national)
    countries = ["IR", *sorted({one.country for one in ones if one and one.country} - {"IR"})]
    mobile, mobile_national = ten_digits((b"+98", b"0"), national)
    if len(rows):
        kind[rows] = _spread(ones, which, lambda one: one.kind)
        country[rows] = _spread(ones, which, lambda one: countries.index(one.country) if one.country else -1)
        keys[rows] = _spread(ones, which, lambda one: int(one.e164[1:]) if one.e164 else 0, 0)
        mask = np.zeros(len(array), np.bool_)
        mask[rows] = True
        written = pa.array([one.e164 if one else None for one in ones], pa.string()).take(odd.indices)
        mobile = pc.replace_with_mask(mobile, pa.array(mask), written)
    return Mobile(
        mobile,
        mobile_national,
        _dictionary(kind, KINDS),
        _dictionary(country, countries),
        _dictionary(operator, OPERATORS),
        keys,
        _findings(array, column, rows, ones, which),
    )


def _iranian(value: Ints, length: _Places) -> Ints:
    """Give the ten national digits of what is written as an Iranian mobile, 0 for everything else."""
    found = np.empty(len(value), np.int64)
    for some in blocks(len(value)):
        head, national = np.divmod(value[some], 10**10)
        width = length[some]
        written = (head == 0) & ((width == 10) | (width == 11))
        if not written.all():
            written |= (head == 98) & (width >= 12) & (width <= 14)
            written |= (head == 980) & ((width == 13) | (width == 15))
        found[some] = np.where(written & (national >= 9 * 10**9), national, 0)
    return found


def _describe(national: Ints) -> tuple[_Places, _Places, _Places, Ints]:
    """Give the places of kind, country and operator, and the keys, of Iranian mobiles; -1 and 0 for the rest."""
    kind, country, operator = (np.empty(len(national), np.int32) for _ in range(3))
    keys = np.empty(len(national), np.int64)
    for some in blocks(len(national)):
        digits = national[some]
        iranian = digits != 0
        holder = np.where(iranian, BLOCKS[np.where(iranian, digits // 10**5 - 90_000, 0)], -1)
        operator[some] = holder
        kind[some] = np.where(holder == UNLISTED_BLOCK, _UNLISTED, np.where(iranian, _IR, -1))
        country[some] = np.where(iranian, 0, -1)
        keys[some] = np.where(iranian, digits + 98 * 10**10, 0)
    return kind, country, operator, keys


def _read_typed(array: pa.Array, national: Ints, rows: Ints) -> Ints:
    """Read the rows that are no plain integer by their digits alone; fill `national`, give the rows still open."""
    typed = skeletons(array.take(pa.array(rows)))
    digits = pc.utf8_trim(typed, characters="+")
    value, length = numbers(digits)
    found = _iranian(value, length)
    # A plus and ten digits is a number of the country that its first digits name, not of Iran.
    found[(length == 10) & (pc.binary_length(typed).to_numpy() > 10)] = 0
    national[rows] = found
    left: Ints = rows[(found == 0) & (value != 0)]
    return left


def _spread(ones: list[One | None], which: Ints, of: Callable[[One], int], empty: int = -1) -> Ints:
    """Give one number of each distinct text, on the rows where the text stands."""
    spread: Ints = np.array([of(one) if one else empty for one in ones], np.int64)[which]
    return spread


def _findings(array: pa.Array, column: str, rows: Ints, ones: list[One | None], which: Ints) -> list[Finding]:
    kinds = _spread(ones, which, lambda one: one.kind)
    details = pa.array([one.detail if one else None for one in ones], pa.string())
    findings = []
    for rule, kind in _RULES:
        hit = np.flatnonzero(kinds == kind)
        if len(hit):
            where = rows[hit]
            findings.append(
                Finding(column, rule, where, array.take(pa.array(where)), details.take(pa.array(which[hit])))
            )
    return findings


def _dictionary(places: _Places, values: Any) -> pa.DictionaryArray:
    """Give an encoded array from places in `values`; a negative place is null."""
    missing = places < 0
    indices = pa.array(places, mask=missing) if missing.any() else pa.array(places)
    return pa.DictionaryArray.from_arrays(indices, pa.array(values, pa.string()), safe=False)


def _expand(distinct: Mobile, array: pa.DictionaryArray) -> Mobile:
    """Give for each row what its distinct value turned out to be."""
    indices = array.indices
    known = pc.is_valid(indices).to_numpy(zero_copy_only=False)
    which = np.where(known, pc.fill_null(indices, 0).to_numpy(), len(array.dictionary))
    findings = []
    for column, rule, broken, texts, detail in distinct.findings:
        place = np.full(len(array.dictionary) + 1, -1, np.int64)
        place[broken] = np.arange(len(broken))
        rows = np.flatnonzero(place[which] >= 0)
        at = pa.array(place[which[rows]])
        details = detail if isinstance(detail, str) else detail.take(at)
        findings.append(Finding(column, rule, rows, texts.take(at), details))
    return Mobile(
        distinct.mobile.take(indices),
        distinct.mobile_national.take(indices),
        distinct.mobile_kind.take(indices),
        distinct.mobile_country.take(indices),
        distinct.mobile_prefix_operator.take(indices),
        np.append(distinct.keys, 0)[which],
        [finding for finding in findings if len(finding.rows)],
    )


def normalise_mobile(s: pd.Series) -> pd.Series:
    """Give each number as E.164; null where it is empty, invalid, or one that no mobile can have.

    Args:
        s: Numbers as integers, floats or text of any form.

    Returns:
        Arrow-backed `string`, with the index and name of `s`.

    >>> import pandas as pd
    >>> normalise_mobile(pd.Series([9121234567, "0098 (912) 123-4567", "021 8877 6655"])).tolist()
    ['+989121234567', '+989121234567', <NA>]
    """
    return series(read_mobile(strings(s)).mobile, s)


def describe_mobile(s: pd.Series) -> pd.DataFrame:
    """Give the five columns that the contacts table has for a number.

    Args:
        s: Numbers as integers, floats or text of any form.

    Returns:
        `mobile`, `mobile_national`, `mobile_kind`, `mobile_country` and `mobile_prefix_operator`, Arrow-backed
        `string`, with the index of `s`.

    >>> import pandas as pd
    >>> describe_mobile(pd.Series(["9351234567"])).iloc[0].tolist()
    ['+989351234567', '09351234567', 'ir', 'IR', 'Irancell']
    """
    import pandas as pd  # noqa: PLC0415 - only who calls this has frames

    read = read_mobile(strings(s))
    return pd.DataFrame({name: series(decoded(getattr(read, name)), s, name) for name in Mobile._fields[:5]})
