"""Mobiles: every trap of integers and of typing, and the whole of `phonenumbers` as the judge."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pandas as pd
import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberType as Type

from amoot_etl import clean_text, normalise_email, to_jalali
from amoot_etl.transformers import _generate_mobile_ranges as generator
from amoot_etl.transformers import _mobile_ranges
from amoot_etl.transformers import mobile as mobile_module
from amoot_etl.transformers._mobile_one import _NATIONAL, KINDS, read_one
from amoot_etl.transformers._mobile_plans import by_parsing, by_plan, split
from amoot_etl.transformers.mobile import describe_mobile, normalise_mobile, read_mobile

PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")
NUMBER = "+989121234567"


def _read(*texts: str | None):
    return read_mobile(pa.array(texts, pa.string()))


def _one(text: str):
    """Read one text by the chunk's road: mobile, national, kind, country, operator."""
    return tuple(part.to_pylist()[0] for part in _read(text)[:5])


WAYS = [
    "9121234567",
    "09121234567",
    "989121234567",
    "00989121234567",
    "+989121234567",
    "+98 0912 123 4567",
    "98 0912 123 4567",
    "0098 0912 123 4567",
    "+98 (0) 912 123 4567",
    "0989121234567",
    "+09121234567",
    "989121234567+",
    "0912-123-4567",
    "0912.123.4567",
    "0912/123/4567",
    "(0912) 123 4567",
    "0912_123_4567",
    "'09121234567",
    " 0912 123 4567\t\r\n",
    "09121234567".translate(PERSIAN),
    "09121234567".translate(ARABIC),
    "09121234567".translate(WIDE),
    "＋98 912 123 4567",
    "\u202a+98 912 123 4567\u202c",
    "\u200e09121234567\u200f",
    "0912\u200c123\u200c4567",
    "0912\u00a0123\u00a04567",
    "\ufeff09121234567",
    "۰۹۱۲ـ۱۲۳ـ۴۵۶۷",
    "0912\u2013123\u20134567",
    "9121234567.0",
    "9121234567.00",
    "989121234567.0",
    "tel:+98-912-123-4567",
    "TEL: 09121234567",
]


@pytest.mark.parametrize("text", WAYS)
def test_every_way_to_write_a_number_gives_the_same_number(text):
    """Digits of every keyboard, prefixes, separators, invisible marks and a float's tail make no difference."""
    assert _one(text) == (NUMBER, "09121234567", "ir", "IR", "MCI")
    assert read_one(text) == (KINDS.index("ir"), "IR", NUMBER, 9121234567, None)


def test_iranian_numbers_are_read_without_looking_at_one_alone(monkeypatch):
    """Whatever the prefix, the separators and the digits: the whole chunk is read by arithmetic."""

    def refuse(text: str) -> None:
        pytest.fail(f"{text!r} was read alone")

    monkeypatch.setattr(mobile_module, "read_one", refuse)
    texts = [text for text in WAYS if not text.lower().startswith("tel:")]
    assert set(_read(*texts).mobile.to_pylist()) == {NUMBER}


@pytest.mark.parametrize(
    "text", ["", " ", "\u200c", "-", "--", "_", ".", "0", "00", "00000000000", "۰", "+", "0.0"]
)
def test_nothing_dashes_and_zeros_are_empty(text):
    """A zero is what a .NET long holds for no number: null in every column, and no issue."""
    read = _read(text, None)
    assert [part.to_pylist() for part in read[:5]] == [[None, None]] * 5
    assert read.findings == []
    assert read.keys.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("9647701234567", "IQ"),
        ("905321234567", "TR"),
        ("93701234567", "AF"),
        ("971501234567", "AE"),
        ("966512345678", "SA"),
        ("96550012345", "KW"),
        ("97433123456", "QA"),
        ("96892123456", "OM"),
        ("994401234567", "AZ"),
        ("99366123456", "TM"),
        ("923012345678", "PK"),
        ("+9609123456", "MV"),
        ("00964 770 123 4567", "IQ"),
        ("+1 650 253 0000", "US"),
    ],
)
def test_a_foreign_number_without_its_plus_is_foreign(text, country):
    """An integer lost its plus: 964… is Iraq, not an odd Iranian number, and needs no repair."""
    number, national, kind, found, operator = _one(text)
    digits = "".join(char for char in text if char.isdecimal()).removeprefix("00")
    assert (number, national, kind, found, operator) == ("+" + digits, None, "foreign", country, None)


def test_ten_digits_from_nine_on_are_iranian_without_a_plus_only():
    """960 771 2345 as an integer is an Iranian number of an unlisted range; with a plus it is the Maldives'."""
    assert _one("9607712345") == ("+989607712345", "09607712345", "ir_unlisted", "IR", None)
    assert _one("+9607712345")[2:4] == ("foreign", "MV")


@pytest.mark.parametrize("block", [90600, 90999, 92400, 94120, 97000, 98800, 99700, 99500, 99999 - 20])
def test_no_number_is_lost_for_its_prefix(block):
    """9 and nine digits is a mobile whatever the table says; one that it does not list has a kind of its own."""
    number, national, kind, country, _ = _one(f"{block}12345")
    listed = any(first <= block <= last for first, last, _ in _mobile_ranges.RANGES)
    assert (number, national, country) == (f"+98{block}12345", f"0{block}12345", "IR")
    assert kind == ("ir" if listed else "ir_unlisted")


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("02188776655", "IR"),
        ("2188776655", "IR"),
        ("+98 21 8877 6655", "IR"),
        ("۰۲۱-۸۸۷۷۶۶۵۵", "IR"),
        ("021 8877 6655 داخلی 12", "IR"),
        ("021 8877 6655 ext. 12", "IR"),
        ("8680623", "IR"),
        ("4512345678", "IR"),
        ("+49 30 123456", "DE"),
        ("18005550199", "US"),
    ],
)
def test_a_landline_is_told_and_has_its_country(text, country):
    """A valid number that no mobile has is `landline` with an issue; a short form of seven digits is one too."""
    read = _read("9121234567", text)
    assert [part.to_pylist()[1] for part in read[:5]] == [None, None, "landline", country, None]
    ((column, rule, rows, values, _),) = read.findings
    assert (column, rule, rows.tolist(), values.to_pylist()) == ("mobile", "mobile_landline", [1], [text])


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("98912000000", "11 digits"),
        ("9891200000000", "13 digits"),
        ("912000000", "9 digits"),
        ("912000000.0", "9 digits"),
        ("91200000.00", "8 digits"),
        ("8512345678", "10 digits"),
        ("0912000000", "10 digits"),
        ("091212345678", "12 digits"),
        ("+9121234567", "10 digits"),
        ("9.12E+09", "a spreadsheet rounded"),
        ("9.12e9", "a spreadsheet rounded"),
        ("09121234567 - 09351234567", "22 digits"),
        ("09121234567 / 02188776655", "22 digits"),
        ("0912-CALLNOW", "letters"),
        ("ندارد", "letters"),
        ("0x1FFFFFFFF", "letters"),
        ("0912+1234567", "letters"),
        ("09121234567 داخلی 5", "a mobile has no extension"),
        ("9" * 30, "30 digits"),
        ("1234567890", "10 digits"),
    ],
)
def test_what_cannot_be_a_number_is_invalid_and_kept_as_received(text, detail):
    """Truncated, rounded, doubled and worded values are null with an issue that holds them raw."""
    read = _read(None, text)
    assert [part.to_pylist()[1] for part in read[:5]] == [None, None, "invalid", None, None]
    ((_, rule, rows, values, details),) = read.findings
    assert (rule, rows.tolist(), values.to_pylist()) == ("mobile_invalid", [1], [text])
    assert details.to_pylist()[0].startswith(detail)


def test_a_good_chunk_has_no_findings():
    """Iranian, unlisted and foreign mobiles, and empty values, break no rule."""
    assert _read("9121234567", "9061234567", "9647701234567", None, "", "0").findings == []


def test_keys_are_equal_for_equal_numbers():
    """The key is the number's E.164 digits, and 0 where there is no mobile."""
    keys = _read("9121234567", "۰۹۱۲ ۱۲۳ ۴۵۶۷", "tel:+989121234567", "9647701234567", "2188776655", None).keys
    assert keys.dtype == np.int64
    assert keys.tolist() == [989121234567] * 3 + [9647701234567, 0, 0]


def test_a_satellite_number_has_no_country():
    """+881 belongs to no country: the number is kept, and no code is invented."""
    assert _one("+8816 2345 6789") == ("+881623456789", None, "foreign", None, None)


@pytest.mark.parametrize(
    ("block", "operator"),
    [
        (90012, "Irancell"),
        (91212, "MCI"),
        (92012, "Rightel"),
        (93112, "Spadan"),
        (93212, "MCI"),
        (93412, "TeleKish"),
        (93512, "Irancell"),
        (99012, "MCI"),
        (99510, None),
        (99550, "Irancell"),
        (99810, "Rightel"),
        (99930, "ApTel"),
        (99977, None),
        (99999, "Rightel"),
    ],
)
def test_the_prefix_operator_is_the_holder_of_the_range(block, operator):
    """Ranges name their holder; two valid blocks have none."""
    assert _one(f"{block}12345")[2::2] == ("ir", operator)


# --- against phonenumbers ---------------------------------------------------------------------------------------


def test_the_table_of_ranges_is_what_its_generator_makes():
    """Nobody edited the generated module, and `phonenumbers` has learnt no range since."""
    assert Path(_mobile_ranges.__file__).read_text("utf-8") == generator.render()


def test_every_block_of_five_digits_is_judged_as_phonenumbers_does():
    """All 10,000 blocks from 90000: `ir` exactly where the metadata has a mobile."""
    blocks = np.arange(90_000, 100_000)
    kinds = read_mobile(pa.array(blocks * 100_000 + 12_345).cast(pa.string())).mobile_kind.to_pylist()
    for block, kind in zip(blocks.tolist(), kinds, strict=True):
        number = phonenumbers.PhoneNumber(country_code=98, national_number=block * 100_000 + 12_345)
        mobile = phonenumbers.number_type(number) == Type.MOBILE
        assert kind == ("ir" if mobile else "ir_unlisted"), block


def _mixed(count: int) -> list[str]:
    """Give numbers as a portal may hold them: mostly Iranian, some foreign, some cut, some fixed, some noise."""
    rng = random.Random(1404)
    foreign = []
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in (Type.MOBILE, Type.FIXED_LINE):
            example = phonenumbers.example_number_for_type(region, kind)
            if example is not None:
                foreign.append(str(example.country_code) + phonenumbers.national_significant_number(example))
    foreign.sort()
    makers = [
        lambda: str(rng.randrange(9_000_000_000, 10_000_000_000)),
        lambda: f"0{rng.choice([910, 912, 935, 990, 919, 901, 921])}{rng.randrange(10**7):07d}",
        lambda: f"98{rng.choice([912, 936, 941, 906])}{rng.randrange(10**7):07d}",
        lambda: f"0098{rng.choice([912, 936])} {rng.randrange(10**7):07d}",
        lambda: "+" + rng.choice(foreign),
        lambda: rng.choice(foreign),
        lambda: f"0{rng.choice([21, 31, 51, 71, 26])}{rng.randrange(10**8):08d}",
        lambda: str(rng.randrange(10 ** rng.randint(5, 14))),
    ]
    weights = [40, 25, 15, 10, 2, 4, 2, 2]
    return [make() for make in rng.choices(makers, weights, k=count)]


def _judge(text: str) -> tuple[str | None, str | None]:
    """Give E.164 and country as `phonenumbers` alone says, told how to read an integer."""
    digits = text.replace(" ", "")
    if not digits.strip("0"):
        return None, None
    # An integer of ten digits from 9 on is Iranian; a longer one, or another, has lost a plus.
    bare = digits[0] not in "0+" and (len(digits) > 10 or (len(digits) == 10 and digits[0] != "9"))
    readings = [digits] if digits[0] in "0+" or len(digits) <= 10 else []
    readings += ["+" + digits] if bare else []
    for reading in readings:
        try:
            number = phonenumbers.parse(reading, "IR")
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            can_move = {Type.MOBILE, Type.FIXED_LINE_OR_MOBILE, Type.PERSONAL_NUMBER, Type.PAGER}
            code = phonenumbers.region_code_for_number(number)
            e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            return (e164 if phonenumbers.number_type(number) in can_move else None), (
                None if code == "001" else code
            )
    return None, None


def test_mixed_numbers_are_read_as_phonenumbers_reads_them():
    """200,000 numbers: the same mobile and country, but for 9 and nine digits of unlisted ranges, which we keep."""
    texts = _mixed(200_000)
    read = read_mobile(pa.array(texts))
    judged: dict[str, tuple[str | None, str | None]] = {}
    kept = 0
    rows = zip(
        texts,
        read.mobile.to_pylist(),
        read.mobile_kind.to_pylist(),
        read.mobile_country.to_pylist(),
        strict=True,
    )
    for text, mobile, kind, country in rows:
        # What follows the first five digits of an Iranian number decides nothing: judge one of each block.
        digits = text.replace(" ", "")
        national = digits[-10:]
        iranian = national.startswith("9") and digits[:-10] in {"", "0", "98", "0098"} and len(digits) >= 10
        sample = digits[:-5] + "12345" if iranian else digits
        if sample not in judged:
            judged[sample] = _judge(sample)
        e164, region = judged[sample]
        if kind == "ir_unlisted":
            kept += 1
            assert iranian, text
            assert (mobile, country, e164) == (f"+98{national}", "IR", None), text
        elif iranian:
            assert e164 is not None, text
            assert (mobile, country) == (e164[:-5] + text[-5:], region), text
        else:
            assert (mobile, country) == (e164, region), text
    assert kept > 1000


def test_equal_to_phonenumbers_digit_for_digit_on_a_sample():
    """3,000 of the mixed numbers judged one by one, without the shortcut by block."""
    texts = _mixed(3_000)
    read = read_mobile(pa.array(texts))
    for text, mobile, kind in zip(texts, read.mobile.to_pylist(), read.mobile_kind.to_pylist(), strict=True):
        if kind != "ir_unlisted":
            assert mobile == _judge(text)[0], text


# --- one road beside the other ----------------------------------------------------------------------------------

TYPED = st.text("0123456789۰۱۲۳۴۵۶۷۸۹٤٥９８+-. ()/\u200c\u200f\u202a\u00a0xeE", max_size=22)
PREFIXED = st.builds(
    lambda *parts: "".join(parts),
    st.sampled_from(
        ["", "0", "98", "+98", "0098", "+", "00", "980", "+980", "098", "tel:", "00980", "\u200f"]
    ),
    st.from_regex(r"\A9[0-9]{8,10}\Z"),
    st.sampled_from(["", ".0", ".00", "+", " ", ".5", "\n", "\u200c", "x1"]),
)


@given(st.lists(TYPED | PREFIXED | st.text(max_size=12) | st.none(), max_size=8))
def test_the_chunk_reads_as_the_careful_reading_does(texts):
    """Arithmetic on a whole chunk gives for every text what reading it alone gives."""
    read = _read(*texts)
    for row, text in enumerate(texts):
        one = read_one(text) if text is not None else None
        expected = (one.e164, KINDS[one.kind], one.country) if one else (None, None, None)
        found = (read.mobile[row].as_py(), read.mobile_kind[row].as_py(), read.mobile_country[row].as_py())
        assert found == expected, text
        assert read.keys[row] == (int(one.e164[1:]) if one and one.e164 else 0)


@given(st.lists(TYPED | PREFIXED | st.none(), max_size=8))
def test_an_encoded_chunk_reads_as_a_plain_one(texts):
    """Distinct values once each give what every row gives; nulls, repeats and findings included."""
    plain = pa.array([*texts, *texts], pa.string())
    one, other = read_mobile(plain), read_mobile(plain.dictionary_encode())
    assert [part.to_pylist() for part in one[:5]] == [part.to_pylist() for part in other[:5]]
    assert one.keys.tolist() == other.keys.tolist()
    told = [
        [
            (rule, rows.tolist(), values.to_pylist(), details.to_pylist())
            for _, rule, rows, values, details in found
        ]
        for found in (one.findings, other.findings)
    ]
    assert told[0] == told[1]


def test_a_slice_of_a_longer_array_reads_as_itself():
    """An offset into shared buffers shifts nothing."""
    whole = pa.array(["x", "9121234567", None, "۰۹۳۵ ۱۲۳ ۴۵۶۷", "9647701234567", "y"])
    assert read_mobile(whole.slice(1, 4)).mobile.to_pylist() == [
        NUMBER,
        None,
        "+989351234567",
        "+9647701234567",
    ]


@pytest.mark.parametrize("type_", [pa.string(), pa.dictionary(pa.int32(), pa.string())])
def test_an_empty_chunk_gives_empty_columns(type_):
    """No row in, no row out, and every column has its type."""
    read = read_mobile(pa.array([], type_))
    assert [len(part) for part in read[:5]] == [0] * 5
    assert read.mobile_kind.type == pa.dictionary(pa.int32(), pa.string())
    assert read.mobile.type == read.mobile_national.type == pa.string()


# --- the notebook's doors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype",
    ["object", "string", "int64", "Int64", "float64", pd.ArrowDtype(pa.int64()), pd.ArrowDtype(pa.float64())],
)
def test_a_series_of_any_dtype_is_read_and_left_alone(dtype):
    """Index and name stay, the result is Arrow-backed, and the input is as it was."""
    numbers = pd.Series([989121234567, 9351234567], index=[7, 3], name="phone").astype(dtype)
    before = numbers.copy()
    found = normalise_mobile(numbers)
    assert found.tolist() == [NUMBER, "+989351234567"]
    assert (found.index.tolist(), found.name, found.dtype) == ([7, 3], "phone", pd.ArrowDtype(pa.string()))
    pd.testing.assert_series_equal(numbers, before)


def test_describe_gives_the_five_columns_of_the_table():
    """The columns have the table's names and keep the index."""
    table = describe_mobile(pd.Series(["9121234567", "021 8877 6655"], index=["a", "b"]))
    assert list(table.columns) == [
        "mobile",
        "mobile_national",
        "mobile_kind",
        "mobile_country",
        "mobile_prefix_operator",
    ]
    assert table.loc["a"].tolist() == [NUMBER, "09121234567", "ir", "IR", "MCI"]
    assert table.loc["b", "mobile_kind"] == "landline"
    assert set(map(str, table.dtypes)) == {"string[pyarrow]"}


@given(st.from_regex(_NATIONAL, fullmatch=True))
def test_the_plain_national_form_needs_no_parsing(digits):
    """What is taken for a national number as it stands is what phonenumbers makes of it."""
    assert phonenumbers.PhoneNumber(98, int(digits)) == phonenumbers.parse(digits, "IR")


def _examples() -> list[tuple[str, str]]:
    """Give an example of each kind of number of each country and network: calling code, and what stands behind it."""
    numbers = [
        phonenumbers.example_number_for_type(region, kind)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in Type.values()
    ]
    numbers += map(
        phonenumbers.example_number_for_non_geo_entity, phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS
    )
    return [
        (str(number.country_code), phonenumbers.national_significant_number(number))
        for number in numbers
        if number
    ]


def _spoilt(rng: random.Random, code: str, national: str) -> str:
    """Give a number with a prefix where none belongs, wrong digits, too few, too many, or as it is."""
    typed = list(rng.choice(["", "", "0", "1", "06", "8", "80", "9", "15"]) + national)
    for _ in range(rng.choice([0, 0, 1, 2, 5])):
        typed[rng.randrange(len(typed))] = rng.choice("0123456789")
    typed += rng.choices("0123456789", k=rng.choice([0, 0, 0, 1, 3, 8]))
    return (rng.choice(["", "", "", "0"]) + code + "".join(typed))[: rng.choice([30, 30, 5, 3])]


def test_the_plans_say_what_the_library_says_of_a_number_that_needs_no_parsing():
    """Every kind of number of every country, right or spoilt in any way, is judged alike with and without parsing."""
    rng = random.Random(1405)
    examples = _examples()
    numbers = [code + national for code, national in examples]
    numbers += [_spoilt(rng, *example) for example in rng.choices(examples, k=8_000)]
    asked = [(number, parts) for number in numbers if (parts := split(number))]
    assert len(asked) > 2_000
    for number, parts in asked:
        assert by_plan(*parts) == by_parsing(f"+{number}", None), number


@given(st.from_regex(_NATIONAL, fullmatch=True))
def test_the_plan_of_iran_says_what_the_library_says(digits):
    """A number in Iran's national form is judged without parsing as the library judges it."""
    assert by_plan(98, digits.removeprefix("0")) == by_parsing(digits, "IR")


@pytest.mark.parametrize("value", ["09121234567", ["09121234567"], 9121234567, None])
@pytest.mark.parametrize("function", [normalise_mobile, normalise_email, clean_text, to_jalali])
def test_what_is_no_series_is_told_the_way(function, value):
    """A plain value is answered with what to hand over, and does not stand in the message itself."""
    with pytest.raises(TypeError, match=r"^a pandas Series is wanted, not \w+: .* pd\.Series") as caught:
        function(value)
    assert "912" not in str(caught.value)
