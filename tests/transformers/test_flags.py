"""Flags of a table that somebody else has read."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from amoot_etl import campaign_list, duplicates_by_mobile, likely_same_person, occasions

TABLE = pd.DataFrame(
    {
        "contact_id": [1, 2],
        "active": True,
        "deleted": False,
        "mobile": "+989121234567",
        "mobile_kind": "ir",
        "full_name": "علی رضایی",
        "birth_date": "1991-08-03",
        "updated_at": pd.Timestamp("2026-01-01"),
    }
)


def in_august(table):
    """Give whose birthday is in August."""
    return occasions(table, dt.date(2026, 8, 1), dt.date(2026, 8, 30))


@pytest.mark.parametrize("way", [campaign_list, duplicates_by_mobile, likely_same_person, in_august])
def test_text_is_no_flag(way):
    """In a table that was read as text everybody was taken for deleted, and nothing came, without a word."""
    assert len(way(TABLE)) > 0
    assert len(way(TABLE.astype({"active": "boolean", "deleted": object}))) == len(way(TABLE))
    assert len(way(TABLE.assign(active=1, deleted=0))) == len(way(TABLE))
    with pytest.raises(TypeError, match=r"(active|deleted) holds no booleans but .*read_csv"):
        way(TABLE.astype(str))
