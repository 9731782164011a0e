"""Read the numbers that Iranian offices and banks give, by the rules they publish.

Nothing here guesses: one random number of ten passes the check of a national ID, and so does one mobile of ten.
Which column holds which number is for its owner to say, in the mapping of the custom fields.

- `national_id`: ten digits, not all the same, the last a check digit (weights 10 to 2, modulo 11). Eight or nine
  digits have lost the zeros before them, and get them back.
- `legal_id`: eleven digits, the last a check digit (weights 29 27 23 19 17, twice, each digit raised by the tenth
  and two, modulo 11).
- `postal_code`: ten digits, no 0 or 2 among the first five, the first four not all the same. No check digit.
- `sheba`: IR and 24 digits, ISO 13616 (modulo 97).
- `card`: sixteen digits, not all the same, ISO/IEC 7812 (Luhn).

Digits of every keyboard, spaces, dashes, slashes and invisible marks among them are understood, and the normal
form is ASCII digits without anything between. Blanks and dashes alone are empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.transformers._arrow import Finding, bytes_of, decoded, series, strings
from amoot_etl.transformers._digits import SEPARATORS, skeletons
from amoot_etl.transformers.text import are_blank

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

__all__ = [
    "IDENTIFIERS",
    "is_card",
    "is_legal_id",
    "is_national_id",
    "is_postal_code",
    "is_sheba",
    "normalise_card",
    "normalise_legal_id",
    "normalise_national_id",
    "normalise_postal_code",
    "normalise_sheba",
    "read_identifier",
]

_Digits = npt.NDArray[np.int64]
_Flags = npt.NDArray[np.bool_]


def _same(digits: _Digits) -> _Flags:
    """Tell which rows hold one digit only."""
    same: _Flags = (digits == digits[:, :1]).all(axis=1)
    return same


def _is_national_id(digits: _Digits) -> _Flags:
    rest = digits[:, :9] @ np.arange(10, 1, -1) % 11
    fine: _Flags = (digits[:, 9] == np.where(rest < 2, rest, 11 - rest)) & ~_same(digits)
    return fine


def _is_legal_id(digits: _Digits) -> _Flags:
    raised = digits[:, :10] + digits[:, 9:10] + 2
    rest = raised @ np.array([29, 27, 23, 19, 17] * 2) % 11
    fine: _Flags = (digits[:, 10] == rest % 10) & ~_same(digits)
    return fine


def _is_postal_code(digits: _Digits) -> _Flags:
    first: _Flags = ((digits[:, :5] != 0) & (digits[:, :5] != 2)).all(axis=1)
    return first & ~_same(digits[:, :4])


def _is_sheba(digits: _Digits) -> _Flags:
    # ISO 13616: the account, then I and R as 18 and 27, then the two check digits, leave 1 modulo 97.
    order = np.array([pow(10, place, 97) for place in range(27, -1, -1)])
    rest = digits[:, 2:] @ order[:22] + np.array([1, 8, 2, 7]) @ order[22:26] + digits[:, :2] @ order[26:]
    fine: _Flags = rest % 97 == 1
    return fine


def _is_card(digits: _Digits) -> _Flags:
    doubled = digits[:, ::2] * 2
    total = (doubled - 9 * (doubled > 9)).sum(axis=1) + digits[:, 1::2].sum(axis=1)
    fine: _Flags = (total % 10 == 0) & ~_same(digits)
    return fine


class _Rule(NamedTuple):
    """How one kind of number is written and checked."""

    width: int
    check: Callable[[_Digits], _Flags]
    shortest: int
    """Fewer digits than `width` that may be filled up with zeros in front."""
    prefix: str = ""


_RULES: Final = {
    "national_id": _Rule(10, _is_national_id, 8),
    "legal_id": _Rule(11, _is_legal_id, 11),
    "postal_code": _Rule(10, _is_postal_code, 10),
    "sheba": _Rule(24, _is_sheba, 24, "IR"),
    "card": _Rule(16, _is_card, 16),
}

IDENTIFIERS: Final = tuple(_RULES)
"""The kinds that `read_identifier` knows, and that a mapping may name."""

_BETWEEN: Final = "[" + "".join(f"\\x{{{ord(sign):x}}}" for sign in SEPARATORS) + "]*"
_SHEBA_PREFIX: Final = f"^{_BETWEEN}[IiＩｉ]{_BETWEEN}[RrＲｒ]"


def _read(array: pa.Array, kind: str) -> tuple[pa.Array, pa.Array]:
    """Give the normal forms, null unless valid, and which rows are valid, null where empty."""
    rule = _RULES[kind]
    texts = pc.fill_null(decoded(array), "")
    empty = are_blank(texts)
    digits = skeletons(pc.replace_substring_regex(texts, _SHEBA_PREFIX, "") if rule.prefix else texts)
    if rule.shortest < rule.width:
        length = pc.binary_length(digits)
        short = pc.and_(pc.greater_equal(length, rule.shortest), pc.less(length, rule.width))
        digits = pc.if_else(short, pc.utf8_lpad(digits, rule.width, padding="0"), digits)
    shaped = pc.match_substring_regex(digits, f"^[0-9]{{{rule.width}}}$")
    rows = np.flatnonzero(shaped.to_numpy(zero_copy_only=False))
    text, _ = bytes_of(digits.take(pa.array(rows)))
    matrix = text.reshape(len(rows), rule.width).astype(np.int64) - ord("0")
    valid = np.zeros(len(array), np.bool_)
    valid[rows] = rule.check(matrix)
    forms = pc.if_else(pa.array(valid), pc.binary_join_element_wise(rule.prefix, digits, ""), None)
    return forms, pc.if_else(empty, pa.scalar(None, pa.bool_()), pa.array(valid))


def read_identifier(array: pa.Array, kind: str, *, column: str) -> tuple[pa.Array, list[Finding]]:
    """Read a chunk of numbers of one kind.

    Args:
        array: `string` or `dictionary<int32, string>`, nulls allowed.
        kind: One of `IDENTIFIERS`.
        column: The name that findings carry.

    Returns:
        `string`, as long as `array`: the normal form, null where there is none; and findings of the rule
        `custom_invalid` with the texts as received.

    Raises:
        KeyError: No such kind.

    >>> ids, findings = read_identifier(pa.array(["۱۲۳۴۵۶۷۸۹۱", "1234567890"]), "national_id", column="id")
    >>> ids.to_pylist(), findings[0].rows.tolist()
    (['1234567891', None], [1])
    """
    forms, valid = _read(array, kind)
    rows = np.flatnonzero(pc.fill_null(pc.invert(valid), fill_value=False).to_numpy(zero_copy_only=False))
    if not len(rows):
        return forms, []
    received = decoded(array).take(pa.array(rows))
    return forms, [Finding(column, "custom_invalid", rows, received, f"no valid {kind}")]


def _normal(s: pd.Series, kind: str) -> pd.Series:
    return series(_read(strings(s), kind)[0], s)


def _valid(s: pd.Series, kind: str) -> pd.Series:
    return series(_read(strings(s), kind)[1], s)


def normalise_national_id(s: pd.Series) -> pd.Series:
    """Give each national ID as ten digits; null where it is empty or fails its check.

    >>> import pandas as pd
    >>> normalise_national_id(pd.Series(["84575948", "0084575948", "0084575949"])).tolist()
    ['0084575948', '0084575948', <NA>]
    """
    return _normal(s, "national_id")


def is_national_id(s: pd.Series) -> pd.Series:
    """Tell which values are valid national IDs; null where empty.

    >>> import pandas as pd
    >>> is_national_id(pd.Series(["0084575948", "1111111111", "-"])).tolist()
    [True, False, <NA>]
    """
    return _valid(s, "national_id")


def normalise_legal_id(s: pd.Series) -> pd.Series:
    """Give each legal person's ID as eleven digits; null where it is empty or fails its check.

    >>> import pandas as pd
    >>> normalise_legal_id(pd.Series(["1400-7650912"])).tolist()
    ['14007650912']
    """
    return _normal(s, "legal_id")


def is_legal_id(s: pd.Series) -> pd.Series:
    """Tell which values are valid IDs of legal persons; null where empty.

    >>> import pandas as pd
    >>> is_legal_id(pd.Series(["14007650912", "14007650913"])).tolist()
    [True, False]
    """
    return _valid(s, "legal_id")


def normalise_postal_code(s: pd.Series) -> pd.Series:
    """Give each postal code as ten digits; null where it is empty or cannot be one.

    >>> import pandas as pd
    >>> normalise_postal_code(pd.Series(["16197-35744"])).tolist()
    ['1619735744']
    """
    return _normal(s, "postal_code")


def is_postal_code(s: pd.Series) -> pd.Series:
    """Tell which values can be postal codes; null where empty.

    >>> import pandas as pd
    >>> is_postal_code(pd.Series(["1619735744", "1619035744", "1111111111"])).tolist()
    [True, False, False]
    """
    return _valid(s, "postal_code")


def normalise_sheba(s: pd.Series) -> pd.Series:
    """Give each Sheba (the Iranian IBAN) as IR and 24 digits; null where it is empty or fails its check.

    >>> import pandas as pd
    >>> normalise_sheba(pd.Series(["ir06 2960 0000 0010 0324 2000 01", "062960000000100324200001"])).tolist()
    ['IR062960000000100324200001', 'IR062960000000100324200001']
    """
    return _normal(s, "sheba")


def is_sheba(s: pd.Series) -> pd.Series:
    """Tell which values are valid Sheba numbers; null where empty.

    >>> import pandas as pd
    >>> is_sheba(pd.Series(["IR062960000000100324200001", "IR062960000000100324200002"])).tolist()
    [True, False]
    """
    return _valid(s, "sheba")


def normalise_card(s: pd.Series) -> pd.Series:
    """Give each bank card's number as sixteen digits; null where it is empty or fails its check.

    >>> import pandas as pd
    >>> normalise_card(pd.Series(["6037-7016-8909-5443"])).tolist()
    ['6037701689095443']
    """
    return _normal(s, "card")


def is_card(s: pd.Series) -> pd.Series:
    """Tell which values are valid card numbers; null where empty.

    >>> import pandas as pd
    >>> is_card(pd.Series(["6037701689095443", "6037701689095444"])).tolist()
    [True, False]
    """
    return _valid(s, "card")
