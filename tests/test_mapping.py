"""The mapping of the custom fields, the choice of columns, and what a wrong one is told."""

from __future__ import annotations

import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amoot_etl.errors import SettingsError
from amoot_etl.mapping import CUSTOM_COLUMNS, KINDS, CustomField, read_mapping
from amoot_etl.schema import RAW, TABLES
from amoot_etl.settings import Settings, load_settings
from amoot_etl.shape import Shape
from amoot_etl.toml_lines import line_finder

CONTACTS = TABLES["contacts"]

WHOLE = """\
retries = 2
[mapping.custom_text_1]
name = "national_id"
label = "کد ملی"
type = "national_id"

[mapping.custom_text_2]
name = "level"
type = "choice"
choices = { gold = ["طلایی", "VIP"], silver = "نقره‌ای" }

[mapping.custom_text_3]
name = "joined"
type = "date"

[mapping.custom_date_1]
name = "contract_date"
label = "تاریخ قرارداد"
"""


@pytest.fixture
def settings_of(tmp_path):
    """Load settings from the text of a file."""

    def read(text: str) -> Settings:
        path = tmp_path / "amoot.toml"
        path.write_text(text, encoding="utf-8")
        return load_settings(config=path, environ={})

    return read


def test_a_mapped_column_stands_where_the_custom_one_stood(settings_of):
    """Renaming moves nothing, and a text that holds a date brings its Jalali twin along."""
    names = settings_of(WHOLE).shape.tables["contacts"].names
    expected = []
    for name in CONTACTS.names:
        expected += {
            "custom_text_1": ["national_id"],
            "custom_text_2": ["level"],
            "custom_text_3": ["joined", "joined_jalali"],
            "custom_date_1": ["contract_date"],
            "custom_date_1_jalali": ["contract_date_jalali"],
        }.get(name, [name])
    assert list(names) == expected


def test_a_mapped_column_says_what_it_is(settings_of):
    """Its type, its heading and the portal's fields stand in the declaration."""
    contacts = settings_of(WHOLE).shape.contacts
    assert (contacts["national_id"].label, contacts["national_id"].kind) == ("کد ملی", "national_id")
    assert contacts["national_id"].source == ("CustomText1",)
    assert contacts["level"].label == CONTACTS["custom_text_2"].label
    assert "`gold`, `silver`" in contacts["level"].description
    assert contacts["contract_date"].type == "date32"
    assert contacts["contract_date"].source == ("CustomDate1", "CustomDate1Per")
    assert contacts["contract_date_jalali"].label == "تاریخ قرارداد (شمسی)"
    name = settings_of(WHOLE).shape.name
    assert [name("custom_date_1"), name("custom_date_1_jalali"), name("birth_date_jalali")] == [
        "contract_date", "contract_date_jalali", "birth_date_jalali",
    ]  # fmt: skip


def test_without_a_mapping_the_tables_are_as_documented():
    """An empty shape changes no table, and knows the raw one."""
    assert Shape().tables == {**TABLES, RAW.name: RAW}
    assert Shape().is_whole
    assert Shape().told_of == frozenset(CONTACTS.names)


def test_a_mapping_leaves_the_declarations_alone(settings_of):
    """Applying one changes nothing for whoever has none."""
    before = dict(TABLES)
    assert settings_of(WHOLE).shape.tables["contacts"] != CONTACTS
    assert before == TABLES
    assert "custom_text_1" in CONTACTS.names


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_has_an_arrow_type(kind):
    """Each type that a mapping can give is one that the loaders know."""
    from amoot_etl.loaders.arrow import arrow_type  # noqa: PLC0415 - the only test that needs Arrow

    for column in CustomField(column="custom_text_1", name="it", type=kind).columns():
        assert arrow_type(column.type)


WRONG = {
    "[mapping.custom_text_7]\nname = 'a'": (1, "there is no custom column custom_text_7", "custom_text_"),
    "[mapping.CustomText2]\nname = 'a'": (1, "there is no custom column", "did you mean custom_text_2?"),
    "[mapping.first_name]\nname = 'a'": (1, "there is no custom column first_name", "custom_text_1"),
    "[mapping]\ncustom_text_1 = 'level'": (2, "must be a table", "name"),
    "mapping = 'level'": (1, "must be a table of custom columns", ""),
    "[mapping.custom_text_1]\nnam = 'a'": (2, "there is no key nam", "did you mean name?"),
    "[mapping.custom_text_1]\nname = 'a'\ntype = 'nationalid'": (3, "no type nationalid", "did you mean national_id?"),
    "[mapping.custom_text_1]\ntype = 'National-ID'": (2, "no type", "did you mean national_id?"),
    "[mapping.custom_text_1]\n\n# why\ntype = 3": (4, "there is no type 3", "known are text"),
    "[mapping.custom_text_1]\nname = 'mobile'": (2, "mobile is taken", "contacts"),
    "[mapping.custom_text_1]\nname = 'rule'": (2, "rule is taken", "issues"),
    "[mapping.custom_text_1]\nname = 'custom_text_2'": (2, "custom_text_2 is taken", "contacts"),
    "[mapping.custom_text_1]\nname = 'note_jalali'": (2, "note_jalali is taken", "Jalali twins"),
    "[mapping.custom_text_1]\nname = 'کد ملی'": (2, "is no column name", "small Latin letters"),
    "[mapping.custom_text_1]\nname = 'National'": (2, "is no column name", "small Latin letters"),
    "[mapping.custom_text_1]\nname = '_mobile'": (2, "is no column name", "a letter first"),
    "[mapping.custom_text_1]\nname = 7": (2, "must be text", ""),
    "[mapping.custom_date_1]\ntype = 'text'": (2, "its type can only be date", ""),
    "[mapping.custom_text_1]\nlabel = '=1+1'": (2, "a spreadsheet takes for a formula", ""),
    '[mapping.custom_text_1]\nlabel = "a\\u0000b"': (2, "cannot be shown", ""),
    "[mapping.custom_text_1]\nplaces = 2": (2, "belongs to the type decimal", "text"),
    "[mapping.custom_text_1]\ntype = 'decimal'\nplaces = 18": (3, "from 0 to 17", ""),
    "[mapping.custom_text_1]\ntype = 'decimal'\nplaces = true": (3, "from 0 to 17", ""),
    "[mapping.custom_text_1]\ntype = 'choice'": (1, "needs its choices", ""),
    "[mapping.custom_text_1]\ntype = 'choice'\nchoices = []": (3, "needs its choices", ""),
    "[mapping.custom_text_1]\ntype = 'choice'\nchoices = [1]": (3, "must be texts", ""),
    "[mapping.custom_text_1]\ntype = 'choice'\nchoices = { a = 1 }": (3, "must be a text or texts", ""),
    "[mapping.custom_text_1]\ntype = 'choice'\nchoices = { a = [' '] }": (3, "an empty word", ""),
    "[mapping.custom_text_1]\nchoices = ['a']": (2, "belongs to the type choice", ""),
    "[mapping.custom_text_1]\nname = 'a'\n[mapping.custom_text_2]\nname = 'a'": (4, "a is the name of", ""),
    "retries = 1\ncolumns = ['mobil']": (2, "contacts has no column mobil", "did you mean mobile?"),
    "exclude = ['contact_id']": (1, "is the key of contacts", ""),
    "exclude = ['custom_text_1']\n[mapping.custom_text_1]\nname = 'level'": (1, "the mapping calls it level", ""),
    "columns = 'mobile'": (1, "must be a list of texts", ""),
    "labels = 'de'": (None, "labels can be en or fa", ""),
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_mapping_names_its_line_and_the_nearest_right_word(settings_of, text):
    """Each mistake is a SettingsError with the file, the line and a way out."""
    line, what, hint = WRONG[text]
    with pytest.raises(SettingsError) as caught:
        settings_of(text)
    message = str(caught.value)
    assert what in message
    assert hint in message
    assert line is None or f"amoot.toml, line {line}:" in message
    assert caught.value.subject


@given(st.sampled_from(CUSTOM_COLUMNS), st.text(max_size=12))
def test_any_name_is_taken_as_it_is_or_refused(column, name):
    """Whatever is written as a name, the column has that name or there is a SettingsError."""
    try:
        (field,) = read_mapping({column: {"name": name}})
    except SettingsError:
        return
    assert field.name == (name.strip() or column)
    assert re.fullmatch("[a-z][a-z0-9_]*", field.name)


def test_chosen_columns_keep_the_tables_order_and_the_key():
    """The order of the flags says nothing, the key is always there, and what is excluded is not."""
    shape = Shape(columns=("full_name", "mobile", "email"), exclude=("email",))
    assert shape.tables["contacts"].names == ("contact_id", "mobile", "full_name")
    assert not shape.is_whole
    assert shape.tables["groups"] == TABLES["groups"]


def test_issues_are_told_of_what_shares_a_field_with_a_wanted_column():
    """A number's issues are those of any of its columns; an e-mail address nobody wants has none."""
    told = Shape(columns=("mobile_kind", "birth_date_jalali")).told_of
    assert {"contact_id", "mobile", "mobile_kind", "birth_date", "birth_date_jalali"} <= told
    assert not {"email", "gender", "custom_date_1", "extra"} & told


def test_the_shape_tells_what_makes_the_tables_look_so(settings_of):
    """Its JSON holds the mapping and the columns, so that another one is told apart."""
    told = settings_of(WHOLE).shape.as_json()
    assert told["mapping"][0] == {
        "column": "custom_text_1", "name": "national_id", "type": "national_id", "label": "کد ملی",
    }  # fmt: skip
    assert told["mapping"][1]["choices"] == {"gold": ["طلایی", "VIP"], "silver": ["نقره‌ای"]}
    assert told["columns"]["contract_date"] == "date32"
    assert told != Shape().as_json()


def test_flags_replace_what_the_file_says_of_columns(settings_of, tmp_path):
    """A flag beats the file, and speaks of columns by the names that the file's mapping gives."""
    settings_of('columns = ["mobile"]\n' + WHOLE)
    chosen = load_settings(config=tmp_path / "amoot.toml", environ={}, columns=("level",))
    assert chosen.shape.tables["contacts"].names == ("contact_id", "level")
    with pytest.raises(SettingsError, match="the mapping calls it level"):
        load_settings(config=tmp_path / "amoot.toml", environ={}, columns=("custom_text_2",))


def test_lines_are_found_in_every_way_of_writing_toml():
    """Tables, dotted keys, inline tables and quoted keys: the innermost line that says the key is named."""
    text = (
        '# a comment\ntitle = """\nmapping.custom_text_9 = 1\n"""\n'
        'mapping.custom_text_1.name = "a"\n'
        'mapping.custom_text_2 = { name = "b", type = "c" }\n'
        '["mapping".custom_text_3]  # the third\n'
        "'name' = 'd'\n"
    )
    assert tomllib.loads(text)
    place = line_finder("f", text)
    assert place(("mapping", "custom_text_1", "name")).startswith("f, line 5:")
    assert place(("mapping", "custom_text_2", "type")).startswith("f, line 6:")
    assert place(("mapping", "custom_text_3", "name")).startswith("f, line 8:")
    assert place(("mapping", "custom_text_3")).startswith("f, line 7:")
    assert place(("nowhere",)) == "f: nowhere"
