"""E-mail addresses: cleaned without touching what only their server understands."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from amoot_etl.transformers import email as email_module
from amoot_etl.transformers.email import normalise_email, read_email


def _read(*texts: str | None):
    return read_email(pa.array(texts, pa.string()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sara@example.com", "sara@example.com"),
        ("Sara.Rad+News@Example.COM", "Sara.Rad+News@example.com"),
        (" sara@example.com\r\n", "sara@example.com"),
        ("\u200fsara@example.com\u200e", "sara@example.com"),
        ("\u202asara@example.com\u202c", "sara@example.com"),
        ("sara\u200b@example.com", "sara@example.com"),
        ("\ufeffsara@example.com\u00a0", "sara@example.com"),
        ("sara۱۲٣@example.com", "sara123@example.com"),
        ("ｓａｒａ＠ｅｘａｍｐｌｅ．ｃｏｍ", "sara@example.com"),
        ("\u200c sara@example.com\u200c \u200c", "sara@example.com"),
        ("o'neil_1@mail.example.co.uk", "o'neil_1@mail.example.co.uk"),
        ("سارا@نمونه.ایران", "سارا@نمونه.ایران"),
        ("a@xn--mgbt3dhd.xn--mgba3a4f16a", "a@xn--mgbt3dhd.xn--mgba3a4f16a"),
    ],
)
def test_a_valid_address_is_cleaned_with_its_local_part_kept(text, expected):
    """Invisible marks, blanks and other keyboards' digits go; the domain is lower case; no issue."""
    addresses, findings = _read(text)
    assert addresses.to_pylist() == [expected]
    assert findings == []


@pytest.mark.parametrize("text", ["", " ", "-", "---", "_", ".", "0", "\u200f", None])
def test_nothing_and_dashes_are_empty(text):
    """An empty value is null and no issue."""
    addresses, findings = _read(text, "a@b.ir")
    assert addresses.to_pylist() == [None, "a@b.ir"]
    assert findings == []


@pytest.mark.parametrize(
    "text",
    [
        "sara",
        "sara@",
        "@example.com",
        "sara@example",
        "sara@@example.com",
        "sara@example.com, ali@example.com",
        "sara rad@example.com",
        "sara@İstanbul.example.com",
        "sara@example.com\tx",
        "sara@exa mple.com",
        ".sara@example.com",
        "sara.@example.com",
        "sara..rad@example.com",
        "sara@-example.com",
        "sara@example-.com",
        "sara@example..com",
        "sara@example.com.",
        "sara@exam_ple.com",
        "sara@192.168.1.1",
        '"sara rad"@example.com',
        "a" * 65 + "@example.com",
        "a" * 40 + "." + "b" * 40 + "@example.com",
        "a" * 40 + "." + "b" * 40 + "@Example.com",
        "ا" * 33 + "@example.com",
        "a@" + "b" * 64 + ".com",
        "a@" + "b." * 127 + "com",
        "www.example.com",
        "ندارد",
    ],
)
def test_an_invalid_address_is_null_with_an_issue(text):
    """The cleaned column is null and the text as received goes to the issues."""
    addresses, findings = _read("ok@example.com", text)
    assert addresses.to_pylist() == ["ok@example.com", None]
    ((column, rule, rows, values, details),) = findings
    assert (column, rule, rows.tolist(), values.to_pylist()) == ("email", "email_invalid", [1], [text])
    assert all(details.to_pylist())


ADDRESS = st.text("aZ09.-_+@ ۱ا＠\u200f\u200c\u212a\u017f\t!\"'", max_size=12)
# U+212A and U+017F are K and s to who ignores case.
LIKELY = st.from_regex(r"\A[A-Za-z.]{1,5}@[A-Za-z.\u212a\u017f-]{1,8}\.[a-zA-Z0-9]{1,3}\Z")


@given(st.lists(ADDRESS | LIKELY | st.emails() | st.none(), max_size=8))
@example(["a@\u212aim.com"])
def test_the_chunk_reads_as_the_careful_reading_does(texts):
    """What Arrow takes for valid and clean is what reading each text alone gives, encoded or not."""
    expected = [None if text is None else email_module._read_one(text)[0] for text in texts]
    broken = [row for row, text in enumerate(texts) if text is not None and email_module._read_one(text)[1]]
    array = pa.array(texts, pa.string())
    for form in (array, array.dictionary_encode()):
        addresses, findings = read_email(form)
        assert addresses.to_pylist() == expected
        assert [row for _, _, rows, _, _ in findings for row in rows.tolist()] == broken


@given(ADDRESS | LIKELY | st.emails())
def test_a_clean_address_reads_as_itself(text):
    """Reading what reading gave changes nothing."""
    once = _read(text)[0].to_pylist()
    assert _read(*once)[0].to_pylist() == once


def test_a_series_keeps_index_and_name_and_is_left_alone():
    """The notebook's door: Arrow-backed out, the input as it was."""
    emails = pd.Series(["A@B.IR", None, "x"], index=[2, 4, 6], name="mail")
    before = emails.copy()
    found = normalise_email(emails)
    assert found.tolist() == ["A@b.ir", pd.NA, pd.NA]
    assert (found.index.tolist(), found.name, found.dtype) == ([2, 4, 6], "mail", pd.ArrowDtype(pa.string()))
    pd.testing.assert_series_equal(emails, before)
