"""Custom fields read as what their mapping says they hold."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import jdatetime
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amoot_etl.errors import SettingsError
from amoot_etl.mapping import KINDS, CustomField, read_mapping
from amoot_etl.schema import TABLES
from amoot_etl.shape import Shape
from amoot_etl.transformers.contacts import clean_contacts
from amoot_etl.transformers.custom import Custom, check_fields, read_custom, read_typed

TODAY = dt.date(2026, 11, 21)
PERSIAN = str.maketrans("0123456789.,-", "۰۱۲۳۴۵۶۷۸۹٫٬−")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
EXAMPLES = {
    "text": ("كريمي ", "کریمی"),
    "integer": ("۱۲٬۵۰۰", 12_500),
    "decimal": ("۱۲٬۵۰۰٫۵", Decimal("12500.50")),
    "boolean": ("بله", True),
    "date": ("۲۹ مهر ۱۴۰۴", dt.date(2025, 10, 21)),
    "mobile": ("۰۹۱۲ ۱۲۳ ۴۵۶۷", "+989121234567"),
    "email": ("Sara@Example.COM", "Sara@example.com"),
    "national_id": ("84575948", "0084575948"),
    "legal_id": ("1400-7650912", "14007650912"),
    "postal_code": ("16197-35744", "1619735744"),
    "sheba": ("ir06 2960 0000 0010 0324 2000 01", "IR062960000000100324200001"),
    "card": ("6037-7016-8909-5443", "6037701689095443"),
    "choice": ("طلايي", "gold"),
    "json": (' {"a": [1, null]}\n', '{"a": [1, null]}'),
}


def field_of(kind: str, **options: object) -> CustomField:
    """Give a field of a type."""
    if kind == "choice":
        options = {"choices": {"gold": ["طلایی", "VIP"], "silver": "نقره‌ای"}, **options}
    return read_mapping({"custom_text_1": {"name": "it", "type": kind, **options}})[0]


def read(texts: list[str | None], kind: str, **options: object) -> Custom:
    """Read texts as a type."""
    return read_custom(pa.array(texts, pa.string()), field_of(kind, **options), today=TODAY)


def values(texts: list[str | None], kind: str, **options: object) -> list[object]:
    """Give what texts become."""
    return read(texts, kind, **options).arrays[0].to_pylist()


def wrong_rows(custom: Custom) -> list[int]:
    """Give the rows that `custom_invalid` names."""
    return [row for one in custom.findings if one.rule == "custom_invalid" for row in one.rows.tolist()]


def test_every_type_is_tried_here():
    """Each type that a mapping can give has an example."""
    assert set(EXAMPLES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_reads_its_own(kind):
    """What people type becomes the value, in the Arrow type that the mapping declares, and nothing is told."""
    from amoot_etl.loaders.arrow import arrow_type  # noqa: PLC0415 - the declaration's side of the promise

    text, expected = EXAMPLES[kind]
    custom = read([text, None, text], kind)
    columns = field_of(kind).columns()
    assert [array.type for array in custom.arrays] == [arrow_type(column.type) for column in columns]
    assert custom.arrays[0].to_pylist() == [expected, None, expected]
    assert custom.findings == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "text"])
def test_what_fails_is_null_and_told_with_the_raw_value(kind):
    """A value that is no such thing is null, and `custom_invalid` holds it as received, on every row it has."""
    raw = " ?!x\u200f "
    custom = read([raw, EXAMPLES[kind][0], raw, None], kind)
    assert custom.arrays[0].to_pylist() == [None, EXAMPLES[kind][1], None, None]
    (finding,) = custom.findings
    assert (finding.column, finding.rule, finding.rows.tolist()) == ("it", "custom_invalid", [0, 2])
    assert finding.values.to_pylist() == [raw, raw]
    details = finding.detail if isinstance(finding.detail, str) else finding.detail[0].as_py()
    assert details


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["", "  ", "\u200f\u00a0"])
def test_what_is_empty_is_no_issue(kind, text):
    """Blanks are null of every type, and nothing is told."""
    custom = read([text], kind)
    assert [array.to_pylist() for array in custom.arrays] == [[None]] * len(custom.arrays)
    assert custom.findings == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "text"])
@pytest.mark.parametrize("text", ["-", " — ", "--"])
def test_dashes_alone_are_empty(kind, text):
    """Of any type but a text, of which they are one."""
    test_what_is_empty_is_no_issue(kind, text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("sheba", "IR"), ("sheba", "ir -"), ("integer", "+"), ("decimal", "."), ("integer", "+-")],
)
def test_what_is_not_empty_and_says_nothing_is_told(kind, text):
    """A prefix or a sign alone is not nothing, so it is not dropped without a word."""
    custom = read([text], kind)
    assert (custom.arrays[0].to_pylist(), wrong_rows(custom)) == ([None], [0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("texts", [[], [None, None]])
def test_a_chunk_without_values_keeps_its_types(kind, texts):
    """No rows, and rows of nothing, come out as the same types."""
    custom = read(texts, kind)
    full = read([EXAMPLES[kind][0]], kind)
    assert [array.type for array in custom.arrays] == [array.type for array in full.arrays]
    assert [array.null_count for array in custom.arrays] == [len(texts)] * len(full.arrays)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30)
@given(st.data())
def test_reading_never_fails_and_does_not_depend_on_the_chunk(kind, data):
    """Whatever the texts, encoded or plain, each row comes out as it does alone, and is a value or told."""
    some = st.one_of(st.text(max_size=12), st.text(alphabet="0123456789۰۱۲.,٬-/ +:", max_size=14))
    texts = data.draw(st.lists(st.none() | some | st.just(EXAMPLES[kind][0]), max_size=5))
    plain = read(texts, kind)
    coded = read_custom(pa.array(texts, pa.string()).dictionary_encode(), field_of(kind), today=TODAY)
    alone = [read([text], kind) for text in texts]
    assert [one.arrays[0].to_pylist()[0] for one in alone] == plain.arrays[0].to_pylist()
    assert coded.arrays[0].to_pylist() == plain.arrays[0].to_pylist()
    assert wrong_rows(coded) == wrong_rows(plain)
    assert sorted(wrong_rows(plain)) == [row for row, one in enumerate(alone) if wrong_rows(one)]
    for row in wrong_rows(plain):
        assert plain.arrays[0][row].as_py() is None


@given(st.integers(-(10**18) + 1, 10**18 - 1), st.sampled_from(["", ",", "٬", "،", " "]), st.booleans())
def test_a_whole_number_is_read_however_it_is_typed(number, separator, persian):
    """Thousands and keyboards change nothing, up to 18 digits."""
    typed = f"{number:,}".replace(",", separator)
    typed = typed.translate(PERSIAN) if persian else typed.translate(ARABIC)
    assert values([typed, f" {number}.00 ", f"+{abs(number)}"], "integer") == [number, number, abs(number)]


@given(st.decimals(-(10**15) + 1, 10**15 - 1, places=3), st.sampled_from(["", ",", "٬"]), st.booleans())
def test_a_decimal_is_exact(number, separator, persian):
    """No digit is lost or made up, whatever the keyboard."""
    typed = f"{number:,}".replace(",", separator)
    typed = typed.translate(PERSIAN) if persian else typed
    assert values([typed], "decimal", places=3) == [number]


@pytest.mark.parametrize(
    ("text", "kind", "detail"),
    [
        ("1,5", "integer", "no number"),
        ("12,34,567", "integer", "no number"),
        ("1.5", "integer", "no whole number"),
        ("1/2", "decimal", "no number"),
        ("1e5", "decimal", "no number"),
        ("9.12E+09", "integer", "no number"),
        ("NaN", "decimal", "no number"),
        ("۵۰٪", "decimal", "no number"),
        ("5-", "integer", "no number"),
        ("--5", "integer", "no number"),
        ("1234567890123456789", "integer", "more than 18 digits"),
        ("12345678901234567", "decimal", "more than 16 digits"),
        ("1.005", "decimal", "more than 2 places"),
    ],
)
def test_a_number_is_never_guessed_or_rounded(text, kind, detail):
    """What is no number, or does not fit, is told in words."""
    custom = read([text], kind)
    assert custom.arrays[0].to_pylist() == [None]
    (finding,) = custom.findings
    assert finding.detail.to_pylist() == [detail]


def test_numbers_keep_what_says_nothing_out():
    """Leading zeros, zeros behind the point, a plus and a bare point change no number; dashes alone are empty."""
    texts = ["007", "-0", "+5", "5.", "-", "—", "000000000000000000000000000001"]
    assert values(texts, "integer") == [7, 0, 5, 5, None, None, 1]
    assert values([".5", "-.50", "2.500000", "0"], "decimal") == [
        Decimal("0.50"), Decimal("-0.50"), Decimal("2.50"), Decimal("0.00"),
    ]  # fmt: skip
    assert wrong_rows(read(texts, "integer")) == []


def test_yes_and_no_in_either_language():
    """Case, keyboard and spaces do not matter; a doubtful word is told."""
    texts = ["TRUE", "1", "۱", "بلي", "غير فعال", "No", "0", "خیر", "ندارد", "2", "شاید"]
    assert values(texts, "boolean") == [True, True, True, True, False, False, False, False, False, None, None]
    assert wrong_rows(read(texts, "boolean")) == [9, 10]


def test_a_choice_is_found_by_any_word_that_means_it():
    """Its own word, its synonyms, in any spelling that is the same word; the value is always the choice itself."""
    texts = ["gold", "GOLD", "vip", "طلائی", "نقره ای", "bronze"]
    assert values(texts, "choice") == ["gold", "gold", "gold", "gold", "silver", None]


def test_one_word_cannot_mean_two_choices():
    """Spellings of one word under two choices, and words of nothing but marks, are refused with their place."""
    for choices in (["علی", "علي"], {"a": ["x"], "b": ["X "]}, ["-"]):
        with pytest.raises(SettingsError, match=r"mapping\.custom_text_1"):
            check_fields([field_of("choice", choices=choices)])
    check_fields([field_of("choice", choices={"a": ["A", "a "]})])


@given(st.dates(dt.date(1900, 1, 2), dt.date(2100, 12, 31)))
def test_a_date_is_read_in_either_calendar(day):
    """The same day, typed as either calendar has it, gives the day and its Jalali twin, and nothing is told."""
    jalali = jdatetime.date.fromgregorian(date=day)
    told = f"{jalali.year:04d}/{jalali.month:02d}/{jalali.day:02d}"
    custom = read([day.isoformat(), told, told.translate(PERSIAN), f"{day}T00:00:00"], "date")
    assert custom.arrays[0].to_pylist() == [day] * 4
    assert custom.arrays[1].to_pylist() == [told] * 4
    assert custom.findings == []


def test_dates_tell_what_is_lost_and_what_is_guessed():
    """An impossible, a far and a doubtful date are invalid; a guess that can only be one day is kept and told."""
    custom = read(["1404/12/30", "1600/01/01", "04/05/06", "70/05/31", "____/__/__"], "date")
    assert custom.arrays[0].to_pylist() == [None, None, None, dt.date(1991, 8, 22), None]
    assert sorted(wrong_rows(custom)) == [0, 1, 2]
    assert [(one.rule, one.rows.tolist()) for one in custom.findings if one.rule != "custom_invalid"] == [
        ("date_ambiguous", [3])
    ]


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)


@given(st.recursive(LEAVES, lambda some: st.lists(some) | st.dictionaries(st.text(), some), max_leaves=5))
def test_json_is_kept_as_it_is(value):
    """Any JSON text stays what it was."""
    text = json.dumps(value, ensure_ascii=False)
    assert values([text], "json") == [text]


def test_json_is_json_and_nothing_more():
    """NaN is none, nor is half an object; depth without end is told, and a number of any size is no trouble."""
    texts = ["NaN", '{"a": Infinity}', '{"a":', "{'a': 1}", "[" * 100_000, "9" * 10_000]
    assert values(texts, "json") == [None, None, None, None, None, "9" * 10_000]
    assert wrong_rows(read(texts, "json")) == [0, 1, 2, 3, 4]


def test_a_landline_is_no_mobile():
    """A number that no mobile can have is invalid in a field of mobiles, and the detail says why."""
    custom = read(["02188776655"], "mobile")
    assert custom.arrays[0].to_pylist() == [None]
    assert custom.findings[0].rule == "custom_invalid"


def mapped() -> Shape:
    """Give a shape with a mapping."""
    return Shape(
        read_mapping(
            {
                "custom_text_1": {"name": "national_id", "type": "national_id"},
                "custom_text_2": {"name": "joined", "type": "date"},
                "custom_text_3": {"name": "note"},
                "custom_date_1": {"name": "due"},
            }
        )
    )


RAW = {
    "ID": ["1", "2"],
    "CustomText1": ["84575948", "123"],
    "CustomText2": ["1404/07/29", "soon"],
    "CustomText3": [" سلام ", None],
    "CustomDate1": ["2025-10-21T00:00:00", "what"],
    "CustomDate1Per": ["1404/07/29", None],
}


def test_the_chain_puts_mapped_columns_in_their_place():
    """Clean contacts have the mapped names, in the tables' order, and issues name them too."""
    raw = pd.DataFrame(RAW)
    before = raw.copy()
    clean = clean_contacts(raw, today=TODAY, shape=mapped())
    assert list(clean.contacts.columns) == list(mapped().contacts.names)
    first = clean.contacts.iloc[0]
    assert (first["national_id"], first["joined"], first["joined_jalali"]) == (
        "0084575948", dt.date(2025, 10, 21), "1404/07/29",
    )  # fmt: skip
    assert (first["note"], first["due"], first["due_jalali"]) == ("سلام", dt.date(2025, 10, 21), "1404/07/29")
    told = clean.issues[["contact_id", "column", "rule", "value"]].to_numpy().tolist()
    assert told == [
        [2, "national_id", "custom_invalid", "123"],
        [2, "joined", "custom_invalid", "soon"],
        [2, "due", "date_invalid", "what"],
    ]
    pd.testing.assert_frame_equal(raw, before)


def test_without_a_mapping_the_chain_does_what_it_did():
    """An empty shape gives the very frames that none does."""
    one, other = (clean_contacts(pd.DataFrame(RAW), today=TODAY, shape=shape) for shape in (None, Shape()))
    pd.testing.assert_frame_equal(one.contacts, other.contacts)
    pd.testing.assert_frame_equal(one.issues, other.issues)
    assert list(one.contacts.columns) == list(TABLES["contacts"].names)


def test_the_chain_gives_only_wanted_columns_and_their_issues():
    """Who wants no email gets no email, not even a wrong one among the issues."""
    raw = pd.DataFrame({"ID": ["1"], "Email": ["nobody"], "Mobile": ["12"], "CustomText1": ["123"]})
    shape = Shape(mapped().fields, columns=("mobile_national", "national_id"))
    clean = clean_contacts(raw, today=TODAY, shape=shape)
    assert list(clean.contacts.columns) == ["contact_id", "mobile_national", "national_id"]
    assert clean.issues["column"].tolist() == ["mobile", "national_id"]
    assert clean.issues["value"].tolist() == ["12", "123"]


@pytest.mark.parametrize(
    ("columns", "values"),
    [
        (("mobile_kind", "birth_date_jalali"), [None, "1370/13/01"]),
        (("mobile_raw", "mobile_country"), ["12"]),
        (("mobile_prefix_operator", "city"), [None]),
        (("birth_date",), ["1370/13/01"]),
    ],
)
def test_what_was_received_is_shown_with_columns_that_hold_it(columns, values):
    """Who wants to know what kind of number there is, and not the number, does not find it among the issues."""
    raw = pd.DataFrame({"ID": ["1"], "Mobile": ["12"], "BornDatePer": ["1370/13/01"]})
    clean = clean_contacts(raw, today=TODAY, shape=Shape(columns=columns))
    assert [None if pd.isna(value) else value for value in clean.issues["value"]] == values


def test_a_nested_value_in_a_mapped_field_is_told_once():
    """An object where text belongs is a type_mismatch under the mapped name, and nothing else."""
    raw = pd.DataFrame({"ID": ["1"], "CustomText1": ['{"a":1}'], "_literals": ['["CustomText1"]']})
    clean = clean_contacts(raw, today=TODAY, shape=mapped())
    assert clean.issues[["column", "rule"]].to_numpy().tolist() == [["national_id", "type_mismatch"]]


def test_one_series_can_be_read_alone():
    """In a notebook a column is read by its type's name, with the issues beside it."""
    typed = read_typed(pd.Series(["1.5", "x", None], index=[7, 8, 9]), "decimal", today=TODAY, places=1)
    assert typed.index.tolist() == [7, 8, 9]
    assert typed["value"].tolist()[0] == Decimal("1.5")
    assert typed["issue"].tolist()[1] == "no number"
    assert typed[["value", "issue"]].isna().to_numpy().tolist() == [
        [False, True],
        [True, False],
        [True, True],
    ]
    assert list(read_typed(pd.Series(["1404/07/29"]), "date", today=TODAY).columns) == [
        "value",
        "jalali",
        "issue",
    ]
    with pytest.raises(SettingsError, match="did you mean national_id"):
        read_typed(pd.Series(["1"]), "nationalid", today=TODAY)


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        *((kind, ["*" * 16, "(؛)", "[[[", "''"]) for kind in ("card", "national_id", "sheba", "mobile")),
        ("choice", ["ء", "•", "..."]),
        ("boolean", ["ء", "•", "..."]),
    ],
)
def test_signs_are_not_empty(kind, texts):
    """Only blanks and dashes are: what stood there is in no other column, and must be told."""
    options = {"choices": ["x"]} if kind == "choice" else {}
    read = read_typed(pd.Series([*texts, " - ", "\u200f", None]), kind, today=TODAY, **options)
    assert read["value"].isna().all()
    assert read["issue"].notna().tolist() == [True] * len(texts) + [False] * 3


def test_zeros_are_no_number_and_no_issue():
    """They are what programs write for none."""
    assert read_typed(pd.Series(["0", "۰۰"]), "mobile", today=TODAY)["issue"].isna().all()
