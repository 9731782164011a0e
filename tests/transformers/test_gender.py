"""Gender: the boolean wins, words help, and nothing is guessed or lost."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amoot_etl.transformers import gender as gender_module
from amoot_etl.transformers.gender import read_gender


def _read(*pairs: tuple[str | None, str | None]):
    flags, words = (pa.array([pair[place] for pair in pairs], pa.string()) for place in (0, 1))
    return read_gender(flags, words)


@pytest.mark.parametrize(
    ("flag", "words", "gender"),
    [
        ("true", "آقا", "male"),
        ("True", None, "male"),
        ("TRUE", "", "male"),
        ("1", None, "male"),
        ("false", "خانم", "female"),
        ("False", None, "female"),
        ("0", " ", "female"),
        (None, "آقا", "male"),
        (None, "آقاي", "male"),
        (None, "جناب آقای", "male"),
        (None, "مرد", "male"),
        (None, "مذكر", "male"),
        (None, "Mr.", "male"),
        (None, "MALE", "male"),
        ("", "خانم", "female"),
        (None, "\u200fخانم ", "female"),
        (None, "سركار خانم", "female"),
        (None, "زن", "female"),
        (None, "مونث", "female"),
        (None, "mrs", "female"),
        (None, "F", "female"),
        (None, None, None),
        ("", "", None),
        (None, "نامشخص", None),
        (None, "-", None),
        ("true", "-", "male"),
    ],
)
def test_boolean_and_words_that_agree_give_a_gender_without_an_issue(flag, words, gender):
    """The boolean of any case, or words of any spelling; empty ones are null."""
    genders, findings = _read((flag, words))
    assert genders.to_pylist() == [gender]
    assert findings == []


@pytest.mark.parametrize(
    ("flag", "words", "gender"),
    [
        ("true", "خانم", "male"),
        ("false", "آقا", "female"),
        ("1", "زن", "male"),
        (None, "شرکت", None),
        ("true", "نماینده", "male"),
    ],
)
def test_what_does_not_fit_is_told_with_both_values(flag, words, gender):
    """Two contradicting values, or words that we cannot read: the boolean wins, both stand in the issue."""
    genders, findings = _read(("true", "آقا"), (flag, words))
    assert genders.to_pylist() == ["male", gender]
    ((column, rule, rows, values, details),) = findings
    assert (column, rule, rows.tolist()) == ("gender", "gender_mismatch", [1])
    assert json.loads(values.to_pylist()[0]) == {"GenderType": flag, "GenderTypeStr": words}
    assert all(details.to_pylist())


@pytest.mark.parametrize("flag", ["maybe", "2", '{"a": 1}', "آقا", "-1"])
@pytest.mark.parametrize(("words", "gender"), [("خانم", "female"), (None, None)])
def test_a_boolean_that_is_none_is_a_type_mismatch(flag, words, gender):
    """The words are asked instead, and the value as received is kept."""
    genders, findings = _read((flag, words), ("false", None))
    assert genders.to_pylist() == [gender, "female"]
    ((column, rule, rows, values, _),) = findings
    assert (column, rule, rows.tolist(), values.to_pylist()) == ("gender", "type_mismatch", [0], [flag])


def test_both_rules_may_hit_one_row():
    """A value that is no boolean beside words that name no gender: two issues, null."""
    genders, findings = _read(("maybe", "نماینده"))
    assert genders.to_pylist() == [None]
    assert [rule for _, rule, _, _, _ in findings] == ["gender_mismatch", "type_mismatch"]


FLAGS = st.sampled_from(["true", "false", "0", "1", "", "maybe", None])
WORDS = st.sampled_from(["آقا", "خانم", "", "-", "شرکت", "Mr", None])


@given(st.lists(st.tuples(FLAGS, WORDS), max_size=12))
def test_a_chunk_reads_as_its_pairs_do(pairs):
    """Distinct pairs once each give what each row alone gives, encoded or not."""
    genders, findings = _read(*pairs)
    alone = [gender_module._read_pair(*pair) for pair in pairs]
    assert genders.to_pylist() == [("male", "female", None)[one.gender] for one in alone]
    assert genders.type == pa.dictionary(pa.int32(), pa.string())
    told = {rule: rows.tolist() for _, rule, rows, _, _ in findings}
    assert told.get("gender_mismatch", []) == [row for row, one in enumerate(alone) if one.rule]
    assert told.get("type_mismatch", []) == [row for row, one in enumerate(alone) if one.second]
    flags, words = (pa.array([pair[place] for pair in pairs], pa.string()) for place in (0, 1))
    again, _ = read_gender(flags.dictionary_encode(), words.dictionary_encode())
    assert again.to_pylist() == genders.to_pylist()


def test_many_distinct_words_are_read_as_few_are():
    """When every word differs, pairs are sorted instead of counted, with the same result."""
    words = pa.array([f"واژه {row}" for row in range(3000)] + ["آقا"])
    flags = pa.array(["false"] * 3000 + [None], pa.string())
    genders, ((_, rule, rows, _, _),) = read_gender(flags, words)
    assert genders.to_pylist() == ["female"] * 3000 + ["male"]
    assert (rule, rows.tolist()) == ("gender_mismatch", list(range(3000)))
