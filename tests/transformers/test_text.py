"""Text: what must change changes, what carries meaning stays, and twice is once."""

from __future__ import annotations

import unicodedata

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amoot_etl.transformers import text as text_module
from amoot_etl.transformers.text import (
    clean,
    clean_array,
    clean_arrays,
    clean_text,
    join_names,
    key,
    key_array,
    text_key,
)

ZWNJ = "\u200c"
FAMILY = "👨\u200d👩\u200d👧"

KEPT = [
    "علی\u200cرضا",
    "می\u200cروم",
    "آقایی",
    "رأفت",
    "مؤمنی",
    "هیئت مدیره",
    "فاطمة",
    "علاءالدین",
    "موسیٰ",
    "خانهٔ دوست",
    "مُحَمَّد",
    "اللّٰه",
    "شرکت «پارس» (سهامی خاص)",
    "ئەحمەد ڕەسووڵ",
    "کوردستان ێ ۆ ۇ ڵ",
    "گؤزل، اؤرمیه",
    "محمد خاں",
    "ہمایوں",
    "خیابان ۱۷ شهریور، پلاک ۱۲/۳، واحد 4",
    "تهران، خ. ولیعصر، ک. ٤ - پ ۱۲",
    "O'Brien-Smith",
    "José Núñez",
    "Straße 5",
    "a.b+tag@Example.com",
    "https://example.com/a?b=c&d=%20",
    "½ × 2² ™ …",
    FAMILY,
    "❤\ufe0f\u200d🔥",
    "🏳\ufe0f\u200d🌈",
    "👩🏽\u200d💻",
    "🙂\u200d↔\ufe0f",
    "🏴\u200d☠\ufe0f",
    "🇮🇷",
    "1️⃣",
    "日本語",
    "हिन्दी",
    "٪ ٫ ٬ ؟ ؛ ،",
    "=1+1",
    "𝒳",
]


@pytest.mark.parametrize("text", KEPT)
def test_what_carries_meaning_comes_out_as_it_went_in(text):
    """Names, letters of our neighbours, joiners, addresses, emoji and e-mails are not touched."""
    assert clean(text) == text
    assert clean_array(pa.array([text])).to_pylist() == [text]


@pytest.mark.parametrize(
    ("dirty", "expected"),
    [
        ("علي", "علی"),
        ("موسى", "موسی"),
        ("كريمي", "کریمی"),
        ("ڪرمان", "کرمان"),
        ("مـحـمـد", "محمد"),
        ("\ufeffعلی", "علی"),
        ("علی\u200b\u2060\u00adرضا", "علیرضا"),
        ("ه\u200d.ق", "ه.ق"),
        ("\u200fعلی\u200e \u202bرضا\u202c\u2067\u2069\u061c", "علی رضا"),
        ("a\x00b\x07c\x9fd\x7f", "abcd"),
        ("a\u00a0b\u2003c\u3000d\u202fe", "a b c d e"),
        ("خط\r\nدو\tسه\nچهار\u2028پنج", "خط دو سه چهار پنج"),
        ("می¬روم", f"می{ZWNJ}روم"),
        (f"می{ZWNJ}{ZWNJ}{ZWNJ}روم", f"می{ZWNJ}روم"),
        (f"{ZWNJ}علی{ZWNJ} {ZWNJ}رضا{ZWNJ}", "علی رضا"),
        (f"علی {ZWNJ} {ZWNJ} رضا", "علی رضا"),
        ("  علی    رضا  ", "علی رضا"),
        ("¬ علی¬¬", "علی"),
        ("\ufee3\ufea4\ufee4\ufeaa", "محمد"),
        ("\ufef2\ufed9", "یک"),
        ("ﷲ", "الله"),
        ("ＡＢ１２－＠", "AB12-@"),
        ("e\u0301", "é"),
        ("e\u200b\u0301", "é"),
        ("\u064a\u0654", "ئ"),
        ("\ufef3\u0654", "ئ"),
        ("👨\u200d\u200d👩", "👨\u200d👩"),
        ("👨\u200dالف", "👨الف"),
        ("\u200d👨\u200d", "👨"),
        (" ", ""),
        (f"ـ{ZWNJ}\u200f\u00a0", ""),
    ],
)
def test_each_step_does_what_it_says(dirty, expected):
    """Letters, forms, invisible marks, blanks, joiners: each step by a value that needs it."""
    assert clean(dirty) == expected
    assert clean_array(pa.array([dirty, "x"])).to_pylist() == [expected or None, "x"]


def _plainly(text: str) -> str:
    """Clean by the letter of the recipe, one character after the other, without any of our shortcuts."""
    text = unicodedata.normalize("NFC", text)
    text = "".join(
        unicodedata.normalize("NFKC", char)
        if "\ufb50" <= char <= "\ufdff" or "\ufe70" <= char <= "\ufefc" or "\uff01" <= char <= "\uff5e"
        else char
        for char in text
    )
    text = text.translate({0x64A: "ی", 0x649: "ی", 0x643: "ک", 0x6AA: "ک"})
    unseen = {0x640, 0x200B, 0xFEFF, 0x2060, 0xAD, 0x200D, 0x200E, 0x200F, 0x61C}
    unseen |= {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
    blank = {*range(9, 14), 0x85}
    text = "".join(
        char
        for char in text
        if ord(char) in blank or (ord(char) not in unseen and unicodedata.category(char) != "Cc")
    )
    text = "".join(
        " " if ord(char) in blank or unicodedata.category(char)[0] == "Z" else char for char in text
    )
    text = text.replace("¬", ZWNJ)
    parts = [part.strip(ZWNJ) for part in text.split(" ")]
    text = " ".join(part for part in parts if part)
    while ZWNJ * 2 in text:
        text = text.replace(ZWNJ * 2, ZWNJ)
    return text


LETTERS = st.text(
    "ابپتيىیكکڪهةآأؤئءڕێەۆں ۱۲٣4aZé\u0300\u0301\u064b\u0654\u0640¬\t\n\r\x00\x07\x85\u00a0\u00ad\u061c"
    "\u200b\u200c\u200e\u200f\u2003\u2028\u202a\u202e\u2060\u2066\u2069\ufeff\ufb8e\ufef2\ufee3ﷲﷺＡ１½™👨❤\ufe0f.-@",
    max_size=14,
)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=14)
JOINED = st.text("👨👩❤\ufe0f\u200d\u200c\u200b a¬", max_size=10)


@given(LETTERS | ANY)
def test_the_fast_recipe_is_the_plain_one(text):
    """What is done by whole-text replacing equals the recipe applied by the letter (emoji joiners apart)."""
    formed = any("\ufb50" <= char <= "\ufefc" or "\uff01" <= char <= "\uff5e" for char in text)
    if "\u200d" not in text and not formed:
        assert clean(text) == unicodedata.normalize("NFC", _plainly(text))


@given(LETTERS)
def test_presentation_forms_are_as_if_typed(text):
    """A text of presentation forms cleans to what the letters they stand for clean to."""
    typed = "".join(text_module._FORMS.get(char, char) for char in unicodedata.normalize("NFC", text))
    assert clean(text) == clean(typed)


@given(ANY | LETTERS | JOINED)
def test_cleaning_twice_is_cleaning_once(text):
    """`clean` is idempotent over all of Unicode."""
    assert clean(clean(text)) == clean(text)


@given(ANY | LETTERS | JOINED)
def test_a_key_of_a_key_is_the_key(text):
    """`key` is idempotent over all of Unicode, and no spelling that `clean` unifies makes a difference to it."""
    assert key(key(text)) == key(text)
    assert key(clean(text)) == key(text)


def test_every_letter_is_clean_after_one_pass():
    """Each single character of the first two planes, also between letters: twice is once, for both recipes."""
    chars = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    texts = pa.array([*chars[:0x20000], *chars[0xE0000:0xE0200], *(f"ا{char}ب" for char in chars[:0x3100])])
    once = clean_array(texts)
    assert clean_array(once).equals(once)
    keys = key_array(texts)
    assert key_array(keys).equals(keys)


def test_the_invisible_is_gone_from_every_clean_character():
    """No control, no mark of direction, no blank but the space survives alone or inside."""
    left = set("".join(clean(f"a{chr(code)}b") for code in range(0xD800)))
    assert not {
        char for char in left if unicodedata.category(char) in {"Cc", "Zs", "Zl", "Zp"} and char != " "
    }
    assert not left & set(
        "\u200b\u200d\u200e\u200f\u061c\u202a\u202e\u2066\u2069\ufeff\u2060\u00ad\u0640¬يىكڪ"
    )


@given(ANY | LETTERS | JOINED)
def test_what_arrow_calls_clean_is_clean(text):
    """The scan for suspects never passes a value that needs work."""
    if pc.match_substring_regex(pa.array([text]), text_module._IS_CLEAN).to_pylist()[0]:
        assert clean(text) == text


def test_the_scan_passes_no_character_that_needs_work():
    """Each BMP character alone, doubled, beside a letter and after a mark."""
    for make in ("{}", "ا{}", "{}ا", "ا{}{}ب", "e{}", "ا {}", "ا\u200c{}"):
        texts = [
            make.format(chr(code), chr(code)) for code in range(1, 0x10000) if not 0xD800 <= code < 0xE000
        ]
        called = pc.match_substring_regex(pa.array(texts), text_module._IS_CLEAN).to_pylist()
        assert [text for text, yes in zip(texts, called, strict=True) if yes and clean(text) != text] == []


def test_typical_names_pass_the_scan():
    """Plain Persian and Latin names, words with a joiner, and addresses need no second look."""
    names = ["علی رضایی", f"علی{ZWNJ}رضا", "Ali Rezaei", "خیابان ۱۷ شهریور، پلاک ۱۲", "ئەحمەد", "a.b@c.com"]
    assert all(pc.match_substring_regex(pa.array(names), text_module._IS_CLEAN).to_pylist())


@given(st.lists(ANY | LETTERS | JOINED | st.none(), max_size=12))
def test_a_chunk_is_cleaned_as_its_texts_are(texts):
    """Joined, encoded or alone: the same text; blanks are null; distinct values stay distinct."""
    expected = [None if text is None else clean(text) or None for text in texts]
    array = pa.array(texts, pa.string())
    assert clean_array(array).to_pylist() == expected
    encoded = clean_array(array.dictionary_encode())
    assert encoded.to_pylist() == expected
    assert encoded.type == pa.dictionary(pa.int32(), pa.string())
    values = encoded.dictionary.to_pylist()
    assert len(set(values)) == len(values)
    assert key_array(array).to_pylist() == [None if text is None else key(text) or None for text in texts]


@given(st.lists(st.tuples(st.lists(st.sampled_from(["علي", "علی", " ", "x", "\x00", "‌", "a  b"]) | st.none()),
                          st.booleans())))  # fmt: skip
def test_columns_cleaned_together_are_what_each_is_alone(columns):
    """Several columns, encoded or not, with nothing to clean or much, come out as each by itself, in its own type."""
    arrays = [pa.array(texts, pa.string()) for texts, _ in columns]
    arrays = [
        array.dictionary_encode() if wanted else array
        for array, (_, wanted) in zip(arrays, columns, strict=True)
    ]
    for array, cleaned in zip(arrays, clean_arrays(arrays), strict=True):
        assert cleaned.type == array.type
        expected = [clean(text) or None if text is not None else None for text in array.to_pylist()]
        assert cleaned.to_pylist() == expected
        if pa.types.is_dictionary(array.type):
            assert len(cleaned.dictionary.unique()) == len(cleaned.dictionary)


def test_a_block_of_many_texts_is_cleaned_as_each_is():
    """More texts than one block, long ones among them, give what each gives alone."""
    texts = [f" كد\u00a0{number}\x00{'ي' * (number % 50)}\u200c " for number in range(20_000)]
    assert clean_array(pa.array(texts)).to_pylist() == [clean(text) for text in texts]


@given(
    st.lists(st.sampled_from(["علي", "علی", "كرج", "x"]) | st.none(), min_size=1),
    st.sampled_from([pa.int8(), pa.int32(), pa.int64()]),
    st.integers(0, 3),
    st.booleans(),
)
def test_an_encoded_chunk_may_be_a_part_of_one(texts, index, start, blank):
    """However its rows are numbered, from wherever in a longer one, with blanks among its values or none."""
    whole = pa.array([*texts, " "] if blank else texts, pa.string()).dictionary_encode()
    part = whole.cast(pa.dictionary(index, pa.string())).slice(start)
    assert clean_array(part).to_pylist() == [(text and clean(text)) or None for text in part.to_pylist()]
    assert not len(clean_array(pa.DictionaryArray.from_arrays(pa.array([], index), part.dictionary)))


def test_an_encoded_chunk_that_is_clean_is_given_back():
    """Nothing to do costs nothing: the very same array comes back."""
    array = pa.array(["علی", None, "رضا", "علی"]).dictionary_encode()
    assert clean_array(array) is array


@pytest.mark.parametrize(
    "same",
    [
        ("علیرضا", "علی رضا", "علي\u200cرضا", "علی‌رضا"),
        ("رأفت", "رافت"),
        ("مؤمنی", "مومني"),
        ("موسیٰ", "موسى", "موسی"),
        ("فاطمة", "فاطمه"),
        ("رضائی", "رضایی"),
        ("مُحَمَّد", "محمد", "ﻣﺤﻤﺪ"),
        ("Reza Rad", "REZA-RAD", "reza.rad", "Ｒｅｚａ Ｒａｄ"),
        ("پلاک ۱۲", "پلاک 12", "پلاک ١٢"),
        ("ہادی", "هادی", "ھادی"),
    ],
)
def test_spellings_of_one_name_have_one_key(same):
    """Keyboards, hamzas, marks, joiners, spaces, case and digits make no difference to a key."""
    assert len({key(text) for text in same}) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("اسمعیل", "اسماعیل"), ("هیئت", "هیأت"), ("حسن", "حسین"), ("سارا", "ساره")]
)
def test_different_names_have_different_keys(one, other):
    """A key folds spelling, not names."""
    assert key(one) != key(other)


@given(
    st.lists(st.tuples(st.sampled_from(["مینا", None, "علی"]), st.sampled_from(["راد", None])), max_size=6)
)
def test_full_names_skip_what_is_missing(pairs):
    """First and last name by a space; one alone stands alone; none is null."""
    first, last = (pa.array([pair[place] for pair in pairs], pa.string()) for place in (0, 1))
    expected = [" ".join(filter(None, pair)) or None for pair in pairs]
    assert join_names(first, last).to_pylist() == expected
    assert join_names(first.dictionary_encode(), last.dictionary_encode()).to_pylist() == expected


@pytest.mark.parametrize("dtype", ["object", "string", "category", pd.ArrowDtype(pa.string())])
def test_a_series_of_any_text_dtype_is_cleaned_and_left_alone(dtype):
    """Index and name stay, the result is Arrow-backed, and the input is as it was."""
    names = pd.Series(["علي ", None, ""], index=[5, 6, 7], name="n").astype(dtype)
    before = names.copy()
    cleaned, keys = clean_text(names), text_key(names)
    assert cleaned.to_list() == ["علی", pd.NA, pd.NA]
    assert keys.to_list() == ["علی", pd.NA, pd.NA]
    for result in (cleaned, keys):
        assert (result.index.tolist(), result.name, result.dtype) == (
            [5, 6, 7],
            "n",
            pd.ArrowDtype(pa.string()),
        )
    pd.testing.assert_series_equal(names, before)
