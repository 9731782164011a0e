"""Files of which one column is told last: they are what they would be had it been told at once."""

from __future__ import annotations

import itertools

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amoot_etl.loaders import parquet
from amoot_etl.loaders.arrow import arrow_schema
from amoot_etl.loaders.contract import RunFacts
from amoot_etl.loaders.parquet import ParquetLoader
from amoot_etl.loaders.parquet_draft import STAYS, ParquetDraft
from amoot_etl.schema import Column, Table

TABLE = Table(
    "people",
    "People of a test.",
    "مردم",
    tuple(
        Column(name, kind, name, name)
        for name, kind in (("id", "int64"), ("club", "string"), ("city", "string"))
    ),
)
SCHEMA = arrow_schema(TABLE, RunFacts("r1"))
PEOPLE = st.lists(
    st.tuples(
        st.sampled_from(["کوه", "شنا", None]),
        st.sampled_from(["تهران", "یزد", None]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=60,
)
"""Somebody's club, city, whether the row counts in the end, and whether a chunk ends with it."""


@pytest.fixture(scope="module", autouse=True)
def short_groups():
    """Let a few rows be several row groups."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "GROUP_ROWS", 8)
        yield


def people(rows):
    """Give people as a table."""
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    return pa.table(
        [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)], SCHEMA.names
    )


def draft(folder, rows, stays=None, cuts=()):
    """Write people with the club told last."""
    table = people(rows)
    unknown = table.set_column(1, "club", pa.nulls(len(rows), pa.string()))
    told = pa.table(
        {"club": table["club"], STAYS: pa.array([True] * len(rows) if stays is None else stays, pa.bool_())}
    )
    cuts = [0, *cuts, len(rows)]
    with ParquetDraft(folder / "new.parquet", SCHEMA, "club", folder / "draft.parquet") as loader:
        for start, end in itertools.pairwise(cuts):
            loader.append(unknown.slice(start, end - start))
        loader.settle(told.slice(at, 5) for at in range(0, len(rows), 5))
    return loader.close()


@given(PEOPLE)
@settings(max_examples=60)
def test_the_rows_that_count_are_there_with_the_late_column(tmp_path_factory, given_people):
    """However rows and values are cut into chunks."""
    folder = tmp_path_factory.mktemp("draft")
    rows = [(at, club, city) for at, (club, city, _, _) in enumerate(given_people)]
    stays = [each[2] for each in given_people]
    cuts = [at + 1 for at, each in enumerate(given_people) if each[3]]
    written = draft(folder, rows, stays, cuts)
    kept = [row for row, stay in zip(rows, stays, strict=True) if stay]
    assert written.path == folder / "new.parquet"
    assert written.rows == len(kept)
    assert pq.read_table(written.path).equals(people(kept).cast(SCHEMA))
    with ParquetLoader(folder / "once.parquet", SCHEMA) as loader:
        loader.append(people(kept))
    assert layout(written.path) == layout(folder / "once.parquet")


@pytest.mark.parametrize("clubs", [["کوه"] * 20, [f"باشگاه {at}" for at in range(20)], [None] * 20])
def test_it_is_the_file_that_it_would_be(tmp_path, clubs):
    """Where all rows count, byte for byte, be the late column one that repeats or not."""
    rows = [(at, club, "یزد") for at, club in enumerate(clubs)]
    draft(tmp_path, rows)
    with ParquetLoader(tmp_path / "once.parquet", SCHEMA) as loader:
        loader.append(people(rows))
    assert layout(tmp_path / "new.parquet") == layout(tmp_path / "once.parquet")
    new, once = ((tmp_path / name).read_bytes() for name in ("new.parquet", "once.parquet"))
    [end] = {each.rindex("یزد".encode()) for each in (new, once)}
    assert new[:end] == once[:end]


def layout(path):
    """Give all that a file's footer says but the footer's own length."""
    meta = pq.read_metadata(path).to_dict()
    del meta["serialized_size"]
    return meta


@pytest.mark.parametrize("told", [8, 19, 21, 0])
def test_what_is_told_has_to_match_the_rows(tmp_path, told):
    """Rows would be lost, or others' values laid in; no file that looks whole is left."""
    loader = ParquetDraft(tmp_path / "new.parquet", SCHEMA, "club", tmp_path / "draft.parquet")
    loader.append(people([(at, "کوه", "یزد") for at in range(20)]))
    with pytest.raises(ValueError, match="does not match"):
        loader.settle([pa.table({"club": ["کوه"] * told, STAYS: [True] * told})])
    loader.release()
    with pytest.raises((pa.ArrowInvalid, FileNotFoundError)):
        pq.read_metadata(tmp_path / "new.parquet")


def test_a_draft_alone_is_no_table(tmp_path):
    """Without its last column it cannot be finished."""
    with (
        pytest.raises(ValueError, match="not settled"),
        ParquetDraft(tmp_path / "new.parquet", SCHEMA, "club", tmp_path / "draft.parquet") as loader,
    ):
        loader.append(people([(1, None, "یزد")]))
    assert not (tmp_path / "new.parquet").exists()
