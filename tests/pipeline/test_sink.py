"""Contacts whose groups are told last: they come back in order, less what was replaced, and with their groups."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from amoot_etl.loaders.contract import RunFacts
from amoot_etl.loaders.leaving import FolderTarget
from amoot_etl.loaders.parquet import ParquetLoader, ParquetTarget
from amoot_etl.loaders.parquet_draft import ParquetDraft
from amoot_etl.pipeline.memberships import Memberships
from amoot_etl.pipeline.sink import Batch, DraftSink, Tables
from amoot_etl.schema import CONTACT_FIELDS
from amoot_etl.shape import Shape
from amoot_etl.transformers.contacts import CleanedTable
from amoot_etl.transformers.issues import ISSUE_TYPES

BATCHES = 9
RUN = RunFacts("20261101T000000")
SHAPE = Shape(columns=("city", "groups", "extra"))


def batch(number, replaced=()):
    """Give a batch of two contacts, an issue each; both have the same number."""
    ids = np.array([2 * number, 2 * number + 1])
    contacts = pa.table(
        {
            "contact_id": ids,
            "groups": pa.nulls(2, pa.string()),
            "city": ["تهران", "یزد"],
            "extra": ['{"Odd":1}', None],
        }
    )
    told = [ids, ["city"] * 2, ["mojibake_repaired"] * 2, ["@"] * 2, [""] * 2]
    issues = pa.table([pa.array(each) for each in told], schema=ISSUE_TYPES)
    raw = pa.table({name: ids.astype(str) for name in (*CONTACT_FIELDS, "extra")})
    listings = np.zeros(2, np.int32)
    return Batch(number, CleanedTable(contacts, issues, ids // 2 + 98), raw, ids, listings, dict(replaced))


@pytest.fixture
def memberships():
    """Give two groups: everybody is in one, contact 3 in the other too."""
    memberships = Memberships({7: "مشتری", 9: "VIP"})
    memberships.add(7, np.arange(2 * BATCHES))
    memberships.add(9, np.array([3]))
    return memberships


def target(folder):
    """Open the tables of a run, contacts with a draft."""
    (folder / "drafts").mkdir()

    def start(path, schema):
        if path.stem == "contacts":
            return ParquetDraft(path, schema, "groups", folder / "drafts" / path.name)
        return ParquetLoader(path, schema)

    return FolderTarget(folder, RUN, ".parquet", start)


def test_everything_comes_back_in_order(tmp_path, memberships):
    """Rows, issues, raw records and numbers come in the order they were put, less what was replaced."""
    with target(tmp_path) as opened:
        tables = Tables(opened, raw=True, shape=SHAPE)
        sink = DraftSink(tables, tmp_path / "drafts")
        for number in range(BATCHES):
            sink.put(batch(number, {1: np.array([2])} if number == 5 else {}))
        sink.replace({8: np.array([17])})
        sink.finish(memberships)
    kept = [number for number in range(2 * BATCHES) if number not in (2, 17)]
    contacts, issues, raw = (
        pq.read_table(tmp_path / f"{name}.parquet").to_pylist()
        for name in ("contacts", "issues", "contacts_raw")
    )
    assert [list(row.values()) for row in contacts] == [
        [
            number,
            "یزد" if number % 2 else "تهران",
            "مشتری | VIP" if number == 3 else "مشتری",
            None if number % 2 else '{"Odd":1}',
        ]
        for number in kept
    ]
    assert [row["contact_id"] for row in issues] == kept
    assert [row["ID"] for row in raw] == [str(number) for number in kept]
    assert tables.contacts_written == len(kept)
    assert tables.unknown_fields == {"Odd": BATCHES - 1}
    assert tables.shared_mobiles() == {number: 2 for number in kept if number not in (3, 16)}


def test_contacts_without_the_column_of_groups(tmp_path, memberships):
    """Who does not want it gets the other columns all the same."""
    with target(tmp_path) as opened:
        tables = Tables(opened, raw=False, shape=Shape(columns=("city",)))
        sink = DraftSink(tables, tmp_path / "drafts")
        sink.put(batch(0)._replace(raw=None))
        sink.finish(memberships)
    rows = pq.read_table(tmp_path / "contacts.parquet").to_pylist()
    assert rows == [{"contact_id": 0, "city": "تهران"}, {"contact_id": 1, "city": "یزد"}]


def test_tables_that_take_no_late_column_are_refused(tmp_path):
    """Groups that come last have no place in a file that is written from top to bottom."""
    with ParquetTarget(tmp_path, RUN) as opened, pytest.raises(TypeError, match="ParquetDraft"):
        DraftSink(Tables(opened, raw=False), tmp_path)
