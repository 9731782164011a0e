"""The numbers of offices and banks, against their rules written out plainly."""

from __future__ import annotations

import random

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amoot_etl.transformers import identifiers
from amoot_etl.transformers._digits import SEPARATORS
from amoot_etl.transformers.identifiers import IDENTIFIERS, read_identifier

VALID = {
    "national_id": ["0084575948", "0013542419", "1234567891", "0000000019"],
    "legal_id": ["14007650912", "10380284790"],
    "postal_code": ["1619735744", "1353611111", "1417614418"],
    "sheba": ["IR062960000000100324200001", "IR820540102680020817909002"],
    "card": ["6037701689095443", "6219861034529007"],
}
BROKEN = {
    "national_id": [
        "0084575949",
        "1111111111",
        "0000000000",
        "1234567",
        "12345678901",
        "x084575948",
        "+1234567891",
    ],
    "legal_id": ["14007650913", "1400765091", "11111111111", "140076509121"],
    "postal_code": ["1619035744", "1629735744", "1111535744", "161973574", "16197357444"],
    "sheba": [
        "IR062960000000100324200002",
        "IR06296000000010032420000",
        "DE89370400440532013000",
        "062960000000100324200000",
    ],
    "card": ["6037701689095444", "603770168909544", "0000000000000000", "60377016890954433"],
}
PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")


def _plainly(kind: str, digits: str) -> bool:
    """Check ASCII digits of the full width by the published rule, one number at a time."""
    numbers = [int(digit) for digit in digits]
    match kind:
        case "national_id":
            rest = sum(numbers[place] * (10 - place) for place in range(9)) % 11
            return numbers[9] == (rest if rest < 2 else 11 - rest) and len(set(numbers)) > 1
        case "legal_id":
            weights = [29, 27, 23, 19, 17] * 2
            rest = sum((numbers[place] + numbers[9] + 2) * weights[place] for place in range(10)) % 11
            return numbers[10] == (0 if rest == 10 else rest) and len(set(numbers)) > 1
        case "postal_code":
            return not {0, 2} & set(numbers[:5]) and len(set(numbers[:4])) > 1
        case "sheba":
            return int(digits[2:] + "1827" + digits[:2]) % 97 == 1
        case _:
            total = 0
            for place, number in enumerate(reversed(numbers)):
                doubled = number * 2 if place % 2 else number
                total += doubled - 9 if doubled > 9 else doubled
            return total % 10 == 0 and len(set(numbers)) > 1


def _read(kind: str, *texts: str | None):
    return read_identifier(pa.array(texts, pa.string()), kind, column="custom_text_1")


@pytest.mark.parametrize("kind", IDENTIFIERS)
def test_valid_numbers_come_out_in_their_normal_form(kind):
    """Known numbers, also with Persian digits, separators, invisible marks and a float's tail."""
    for number in VALID[kind]:
        digits = number.removeprefix("IR")
        prefix = number[: len(number) - len(digits)]
        grouped = prefix + " " + "-".join(digits[at : at + 4] for at in range(0, len(digits), 4))
        forms = [
            number,
            f" {number} ",
            number.translate(PERSIAN),
            grouped,
            f"\u200f{number}\u200c",
            number.lower(),
        ]
        found, findings = _read(kind, *forms)
        assert found.to_pylist() == [number] * len(forms), forms
        assert findings == []


@pytest.mark.parametrize("kind", IDENTIFIERS)
def test_broken_numbers_are_null_with_an_issue(kind):
    """A wrong check digit, a wrong length or a letter: null, and the text as received in the issues."""
    found, findings = _read(kind, VALID[kind][0], *BROKEN[kind])
    assert found.to_pylist() == [VALID[kind][0]] + [None] * len(BROKEN[kind])
    ((column, rule, rows, values, detail),) = findings
    assert (column, rule, detail) == ("custom_text_1", "custom_invalid", f"no valid {kind}")
    assert rows.tolist() == list(range(1, len(BROKEN[kind]) + 1))
    assert values.to_pylist() == BROKEN[kind]


@pytest.mark.parametrize("kind", IDENTIFIERS)
def test_empty_values_are_no_issue(kind):
    """Null, blanks and dashes are null, and neither valid nor invalid."""
    found, findings = _read(kind, None, "", " ", "-", "\u200c")
    assert found.to_pylist() == [None] * 5
    assert findings == []
    door = getattr(identifiers, f"is_{kind}")
    assert door(pd.Series(["", None, "-", VALID[kind][0]])).to_list() == [pd.NA, pd.NA, pd.NA, True]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("84575948", "0084575948"), ("013542419", "0013542419"), ("84575948.0", "0084575948")],
)
def test_a_national_id_gets_its_lost_zeros_back(text, expected):
    """Eight or nine digits are a number that a spreadsheet took the zeros from; seven are not."""
    assert _read("national_id", text)[0].to_pylist() == [expected]
    assert _read("national_id", expected.lstrip("0")[:7])[0].to_pylist() == [None]


def test_a_sheba_may_lack_its_ir():
    """24 digits alone are read as well, and the normal form has the letters, whatever their case and width."""
    number = VALID["sheba"][0]
    forms = [
        number[2:],
        "ＩＲ" + number[2:],
        "ir " + number[2:],
        *(f"{mark}i{mark}R{number[2:]}" for mark in SEPARATORS),
    ]
    assert set(_read("sheba", *forms)[0].to_pylist()) == {number}
    assert _read("sheba", "XIR" + number[2:], "IRR" + number[2:])[0].null_count == 2


@pytest.mark.parametrize("kind", IDENTIFIERS)
def test_the_check_is_the_published_rule(kind):
    """5,000 random numbers and 5,000 with their last digits tried out: exactly those that the plain rule takes."""
    rng = random.Random(kind)
    width = len(VALID[kind][0].removeprefix("IR"))
    numbers = [str(rng.randrange(10**width)).zfill(width) for _ in range(5000)]
    for _ in range(50):
        start = str(rng.randrange(10 ** (width - 2))).zfill(width - 2)
        numbers += [f"{end:02d}{start}" if kind == "sheba" else f"{start}{end:02d}" for end in range(100)]
    numbers += [str(digit) * width for digit in range(10)]
    expected = [_plainly(kind, number) for number in numbers]
    assert getattr(identifiers, f"is_{kind}")(pd.Series(numbers)).to_list() == expected
    assert any(expected)
    assert not all(expected)


@given(
    st.sampled_from(IDENTIFIERS),
    st.lists(st.text("0123456789۰۹ -xIR\u200c", max_size=26) | st.none(), max_size=6),
)
def test_a_normal_form_is_its_own(kind, texts):
    """What was read reads as itself; an encoded chunk reads as a plain one."""
    found, findings = _read(kind, *texts)
    again, none = _read(kind, *found.to_pylist())
    assert again.equals(found)
    assert none == []
    other, told = read_identifier(
        pa.array(texts, pa.string()).dictionary_encode(), kind, column="custom_text_1"
    )
    assert other.equals(found)
    assert [rows.tolist() for _, _, rows, _, _ in told] == [rows.tolist() for _, _, rows, _, _ in findings]


@pytest.mark.parametrize("kind", IDENTIFIERS)
def test_a_series_keeps_index_and_name_and_is_left_alone(kind):
    """The notebook's doors: Arrow-backed out, the input as it was."""
    numbers = pd.Series([VALID[kind][0], BROKEN[kind][0]], index=[4, 2], name="n")
    before = numbers.copy()
    forms = getattr(identifiers, f"normalise_{kind}")(numbers)
    assert forms.to_list() == [VALID[kind][0], pd.NA]
    assert (forms.index.tolist(), forms.name, forms.dtype) == ([4, 2], "n", pd.ArrowDtype(pa.string()))
    flags = getattr(identifiers, f"is_{kind}")(numbers)
    assert flags.to_list() == [True, False]
    assert (flags.index.tolist(), flags.name, flags.dtype) == ([4, 2], "n", pd.ArrowDtype(pa.bool_()))
    pd.testing.assert_series_equal(numbers, before)


def test_integers_are_read_too():
    """A column that pandas took for numbers is read as their digits."""
    assert identifiers.normalise_national_id(pd.Series([84575948])).tolist() == ["0084575948"]


@pytest.mark.parametrize("dtype", ["float64", "Float64", pd.ArrowDtype(pa.float64())])
def test_floats_are_read_too(dtype):
    """A column with gaps that pandas took for numbers is read as their digits, however many they are."""
    cards = pd.Series([6037701689095443, None], dtype=dtype)
    assert identifiers.normalise_card(cards).tolist() == ["6037701689095443", pd.NA]


def test_an_unknown_kind_is_an_error():
    """Only the kinds that are listed have a rule."""
    with pytest.raises(KeyError):
        _read("passport", "x")
