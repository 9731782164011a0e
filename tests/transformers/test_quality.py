"""What a report says of a whole table: how full it is, and who may be in it twice."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pyarrow as pa
import pytest

from amoot_etl.transformers.quality import completeness, duplicates_by_mobile, likely_same_person

STRING = pd.ArrowDtype(pa.string())


@pytest.fixture
def contacts():
    """Five contacts, Arrow-backed as published: two share a number, two a name and a birthday."""
    day = dt.date(1991, 8, 3)
    table = pa.table(
        {
            "contact_id": pa.array([5, 4, 3, 2, 1]),
            "mobile": pa.array(["+989121234567", "+989351234567", "+989121234567", None, None]),
            "full_name": pa.array(["علی رضایی", "مینا راد", "مینا راد", "علي‌رضائي", "-"]),
            "birth_date": pa.array([day, None, day, day, day]),
            "deleted": pa.array([False, False, None, False, False]),
        }
    )
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def test_completeness_counts_what_is_there(contacts):
    """One row a column in the table's order, with numbers that add up."""
    before = contacts.copy()
    full = completeness(contacts)
    assert full["column"].tolist() == list(contacts.columns)
    assert full["filled"].tolist() == [5, 3, 5, 4, 4]
    assert full["share"].tolist() == [1.0, 0.6, 1.0, 0.8, 0.8]
    assert [str(dtype) for dtype in full.dtypes] == ["string[pyarrow]", "int64[pyarrow]", "double[pyarrow]"]
    pd.testing.assert_frame_equal(contacts, before)


def test_completeness_of_no_rows_has_no_share(contacts):
    """An empty table is not 0 % full: there is nothing to be full."""
    full = completeness(contacts.iloc[:0])
    assert full["filled"].tolist() == [0] * 5
    assert full["share"].isna().all()


def test_duplicates_share_a_mobile(contacts):
    """Contacts with one number stand together; those alone, and those without a number, do not appear."""
    before = contacts.copy()
    found = duplicates_by_mobile(contacts)
    assert found["contact_id"].tolist() == [3, 5]
    assert found["same_mobile"].tolist() == [2, 2]
    assert list(found.columns) == ["same_mobile", *contacts.columns]
    pd.testing.assert_frame_equal(contacts, before)


def test_deleted_contacts_are_nobodys_duplicates(contacts):
    """A contact that the portal marks deleted is left out of both."""
    contacts["deleted"] = [True, False, False, False, False]
    assert duplicates_by_mobile(contacts).empty
    assert likely_same_person(contacts).empty


def test_the_same_person_has_one_name_key_and_one_birthday(contacts):
    """Another spelling of the name on the same day is found; the same name without a birthday is not."""
    before = contacts.copy()
    found = likely_same_person(contacts)
    assert found["contact_id"].tolist() == [2, 5]
    assert found["name_key"].tolist() == ["علیرضایی"] * 2
    assert found["same_person"].tolist() == [2, 2]
    pd.testing.assert_frame_equal(contacts, before)


def test_the_largest_groups_come_first():
    """Groups are ordered by size, then by number, then by contact."""
    mobiles = pd.Series(["b", "a", "c", "b", "a", "b"], dtype=STRING)
    found = duplicates_by_mobile(pd.DataFrame({"contact_id": [6, 5, 4, 3, 2, 1], "mobile": mobiles}))
    assert found["contact_id"].tolist() == [1, 3, 6, 2, 5]
    assert found["same_mobile"].tolist() == [3, 3, 3, 2, 2]


@pytest.mark.parametrize("function", [duplicates_by_mobile, likely_same_person])
def test_no_contacts_have_no_duplicates(contacts, function):
    """An empty table gives an empty one with the same columns in front."""
    found = function(contacts.iloc[:0])
    assert found.empty
    assert list(found.columns)[-5:] == list(contacts.columns)


@pytest.mark.parametrize("function", [duplicates_by_mobile, likely_same_person])
def test_a_missing_column_is_named(function):
    """A table without the column that is looked at raises with its name."""
    with pytest.raises(KeyError, match=r"mobile|full_name"):
        function(pd.DataFrame({"contact_id": [1]}))
