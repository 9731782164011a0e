"""Files made out of another one's columns: what is copied, what is encoded, and what readers then find."""

from __future__ import annotations

import datetime as dt

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amoot_etl.loaders.arrow import arrow_schema
from amoot_etl.loaders.contract import RunFacts
from amoot_etl.loaders.parquet import group_of, open_writer
from amoot_etl.loaders.parquet_patch import ParquetPatch, groups_to_patch
from amoot_etl.schema import Column, Table

TABLE = Table(
    "people",
    "People of a test.",
    "مردم",
    tuple(
        Column(name, kind, name, name)
        for name, kind in (("id", "int64"), ("city", "string"), ("mobile", "string"), ("day", "date32"))
    ),
)
OLD = arrow_schema(TABLE, RunFacts("r1", "export", "2026-11-01T00:00:00+03:30", "https://portal.example"))
NEW = arrow_schema(TABLE, RunFacts("r2", "sync", "2026-11-02T00:00:00+03:30", "https://portal.example"))


def rows(first, count):
    """Give some people."""
    ids = range(first, first + count)
    return pa.table(
        {
            "id": list(ids),
            "city": [None if each % 11 == 0 else f"شهر {each % 5}" for each in ids],
            "mobile": [f"+98912{each:07d}" for each in ids],
            "day": [dt.date(2000, 1, 1) + dt.timedelta(days=each % 900) for each in ids],
        },
        schema=OLD.remove_metadata(),
    )


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Give a file of four row groups, one of them shorter."""
    return written(
        tmp_path_factory.mktemp("source") / "old.parquet", [(0, 500), (500, 500), (1000, 500), (1500, 77)]
    )


def written(path, groups):
    """Write people in row groups: the first one of each, and how many."""
    with open_writer(path, OLD, {"city"}, compression="zstd") as writer:
        for first, count in groups:
            writer.write_table(group_of([rows(first, count)], OLD, {"city"}), row_group_size=count)
    return path


def chunk(path, group, column):
    """Give the bytes of a column of a row group."""
    about = pq.read_metadata(path).row_group(group).column(column)
    start = about.dictionary_page_offset if about.has_dictionary_page else about.data_page_offset
    return path.read_bytes()[start : start + about.total_compressed_size]


CHANGES = st.lists(
    st.one_of(
        st.sets(st.sampled_from(["city", "mobile", "day"]), max_size=3),
        st.integers(0, 400).map(lambda start: slice(start, None)),
    ),
    min_size=4,
    max_size=4,
)


@given(CHANGES, st.integers(0, 300))
@settings(max_examples=40)
def test_every_row_is_where_it_belongs(source, tmp_path_factory, changes, appended):
    """Kept, changed, cut and appended groups are read back as they were given, by Arrow and by DuckDB."""
    path = tmp_path_factory.mktemp("new") / "new.parquet"
    old = pq.ParquetFile(source)
    expected = []
    with ParquetPatch(path, NEW, source) as patch:
        for group, change in enumerate(changes):
            table = old.read_row_group(group)
            if isinstance(change, slice):
                table = table.slice(change.start)
                patch.put(table)
            else:
                columns = {name: changed(table[name]) for name in change}
                patch.keep(group, columns)
                for name, column in columns.items():
                    table = table.set_column(table.column_names.index(name), name, column)
            expected.append(table)
        if appended:
            patch.append(rows(5000, appended))
            expected.append(rows(5000, appended))
    expected = pa.concat_tables([table.cast(OLD) for table in expected]).replace_schema_metadata()
    assert patch.close().rows == expected.num_rows
    with pq.ParquetFile(path) as new:
        assert new.read().replace_schema_metadata().equals(expected)
    assert (
        duckdb.read_parquet(str(path))
        .order("id")
        .to_arrow_table()
        .cast(expected.schema)
        .equals(expected.sort_by("id"))
    )


def changed(column):
    """Give a column with some other values, and some nulls."""
    if pa.types.is_string(column.type):
        other = pc.if_else(pc.equal(pc.utf8_length(column), 5), "تهران", None)
        return pc.if_else(pa.array([at % 3 == 0 for at in range(len(column))]), other, column)
    return pc.if_else(pa.array([at % 4 == 0 for at in range(len(column))]), None, column)


def test_what_does_not_change_is_copied(source, tmp_path):
    """Only the changed column of the changed group has other bytes, and bounds stay; the run is the new one."""
    path = tmp_path / "new.parquet"
    with ParquetPatch(path, NEW, source) as patch:
        for group in range(4):
            old = pq.ParquetFile(source).read_row_group(group)
            patch.keep(group, {"city": changed(old["city"])} if group == 1 else {})
    for group in range(4):
        for column in range(4):
            same = chunk(path, group, column) == chunk(source, group, column)
            assert same == ((group, column) != (1, 1))
            old, new = (pq.read_metadata(each).row_group(group).column(column) for each in (source, path))
            assert old.is_stats_set == new.is_stats_set
            if old.is_stats_set:
                assert (old.statistics.min, old.statistics.max) == (new.statistics.min, new.statistics.max)
    assert pq.read_schema(path).metadata[b"run_id"] == b"r2"
    assert pq.read_schema(path).equals(NEW, check_metadata=True)


def test_a_file_is_as_large_as_what_is_in_it(source, tmp_path):
    """No byte of a replaced column stays behind: what was taken out of a set is out of its file."""
    path = tmp_path / "new.parquet"
    with ParquetPatch(path, NEW, source) as patch:
        old = pq.ParquetFile(source).read_row_group(0)
        patch.keep(0, {"mobile": pc.replace_substring(old["mobile"], "+98912", "+98935")})
    meta = pq.read_metadata(path)
    columns = [meta.row_group(0).column(column) for column in range(4)]
    assert (
        path.stat().st_size
        == 4 + sum(each.total_compressed_size for each in columns) + meta.serialized_size + 8
    )
    assert meta.row_group(0).total_byte_size == sum(each.total_uncompressed_size for each in columns)


def test_only_a_whole_column_takes_the_place_of_one(source, tmp_path):
    """A column that is too short is refused, and leaves no file that looks whole."""
    with (
        pytest.raises(ValueError, match="as many"),
        ParquetPatch(tmp_path / "new.parquet", NEW, source) as patch,
    ):
        patch.keep(0, {"city": pa.array(["یزد"])})
    with pytest.raises(pa.ArrowInvalid):
        pq.read_metadata(tmp_path / "new.parquet")


def test_which_files_can_be_gone_on_with(source, tmp_path):
    """Other columns, places of their own for indexes, no rows, no Parquet: such a file is written anew."""
    assert groups_to_patch(source, NEW)
    other = tmp_path / "other.parquet"
    pq.write_table(rows(0, 10).drop_columns(["day"]), other)
    assert not groups_to_patch(other, NEW)
    pq.write_table(rows(0, 10), other, write_page_index=True, store_schema=False)
    assert not groups_to_patch(other, NEW)
    pq.write_table(rows(0, 10), other, store_schema=False)
    assert groups_to_patch(other, NEW)
    written(other, [])
    assert not groups_to_patch(other, NEW)
    other.write_bytes(source.read_bytes()[:-1])
    assert not groups_to_patch(other, NEW)
