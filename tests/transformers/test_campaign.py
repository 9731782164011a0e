"""A campaign's list has everyone once, and nobody who cannot or should not get a message."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amoot_etl.transformers.campaign import campaign_list

TYPES = {
    "contact_id": pa.int64(),
    "active": pa.bool_(),
    "deleted": pa.bool_(),
    "mobile": pa.string(),
    "mobile_kind": pa.string(),
    "updated_at": pa.timestamp("us", "Asia/Tehran"),
}


def book(*rows):
    """Give a table of contacts, Arrow-backed as published."""
    columns = zip(*rows, strict=True) if rows else [[]] * len(TYPES)
    table = pa.table(
        {name: pa.array(values, kind) for (name, kind), values in zip(TYPES.items(), columns, strict=True)}
    )
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def contact(contact_id, mobile="+989121234567", *, kind="ir", active=True, deleted=False, day=1):
    """Give one contact's row."""
    return (contact_id, active, deleted, mobile, kind, dt.datetime(2026, 1, day, tzinfo=dt.UTC))


def chosen(*rows, **options):
    """Give the IDs that are chosen."""
    return campaign_list(book(*rows), **options)["contact_id"].tolist()


@pytest.mark.parametrize(
    "left_out",
    [
        contact(1, active=False),
        contact(1, active=None),
        contact(1, deleted=True),
        contact(1, None, kind="invalid"),
        contact(1, None, kind=None),
        contact(1, "+902123456789", kind="foreign"),
    ],
)
def test_who_cannot_get_a_message_is_left_out(left_out):
    """Inactive, deleted, without a mobile, or abroad: not on the list, while others are."""
    assert chosen(left_out, contact(2, "+989351234567")) == [2]


def test_foreign_numbers_can_be_asked_for():
    """With `foreign` numbers outside Iran are on the list; ranges that no table knows always are."""
    rows = contact(1, "+905321234567", kind="foreign"), contact(2, "+989991234567", kind="ir_unlisted")
    assert chosen(*rows, foreign=True) == [1, 2]
    assert chosen(*rows) == [2]


def test_a_shared_number_is_written_to_once():
    """The contact changed last stands for all; of equal stamps the larger ID; one without a stamp comes last."""
    assert chosen(contact(3, day=2), contact(1, day=5), contact(2, day=4)) == [1]
    assert chosen(contact(7), contact(9), contact(8)) == [9]
    assert chosen((1, True, False, "+989121234567", "ir", None), contact(0)) == [0]


def test_only_some_and_without_others():
    """`only` narrows to a group; `without` takes the number away from everyone who shares it."""
    rows = (
        contact(1),
        contact(2, "+989351234567"),
        contact(3, "+989351234567", day=3),
        contact(4, "+989901234567"),
    )
    assert chosen(*rows, only=[1, 2]) == [1, 2]
    assert chosen(*rows, without=[2]) == [1, 4]
    assert chosen(*rows, only=[], without=[]) == []


def test_nobody_is_an_empty_list():
    """A book without contacts gives no rows and all columns."""
    assert campaign_list(book()).columns.tolist() == list(TYPES)


people = st.builds(
    contact,
    st.integers(1, 10**6),
    st.sampled_from(["+989121234567", "+989351234567", "+989901234567", None]),
    kind=st.sampled_from(["ir", "foreign", "landline", None]),
    active=st.sampled_from([True, False, None]),
    deleted=st.booleans(),
    day=st.integers(1, 28),
)


@settings(max_examples=50)
@given(st.lists(people, max_size=20, unique_by=lambda row: row[0]), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows, chance):
    """Each number that anybody may be written to at is there once, whatever the order; the table stays as it was."""
    table = book(*rows)
    before = table.copy()
    found = campaign_list(table)
    pd.testing.assert_frame_equal(table, before)
    assert sorted(found["mobile"]) == sorted(
        {row[3] for row in rows if row[1] and not row[2] and row[3] and row[4] == "ir"}
    )
    mixed = rows[:]
    chance.shuffle(mixed)
    pd.testing.assert_frame_equal(campaign_list(book(*mixed)), found)
