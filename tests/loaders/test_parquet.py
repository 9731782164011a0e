"""The Parquet file: its types, its words about itself, its groups and dictionaries."""

from __future__ import annotations

import datetime as dt

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amoot_etl._version import __version__
from amoot_etl.errors import SettingsError
from amoot_etl.loaders.arrow import arrow_schema, arrow_type
from amoot_etl.loaders.contract import Rechunker, RunFacts
from amoot_etl.loaders.parquet import GROUP_ROWS, read_parquet, streamed, write_parquet
from amoot_etl.schema import SCHEMA_VERSION, TABLES

RUN = RunFacts("20251021T110241", "export", "2025-10-21T11:02:41+03:30", "https://portal.example")


@pytest.mark.parametrize("name", TABLES)
def test_the_file_tells_its_run_and_its_columns(name, tmp_path):
    """Names, types, descriptions, Persian headings, sources and the run stand in the file as declared."""
    table = TABLES[name]
    path = tmp_path / "t.parquet"
    write_parquet(arrow_schema(table).empty_table(), path, table, run=RUN)
    found = pq.read_schema(path)
    assert found.names == list(table.names)
    for column in table.columns:
        field = found.field(column.name)
        assert field.type == arrow_type(column.type)
        assert field.metadata[b"description"].decode() == column.description
        assert field.metadata[b"label_fa"].decode() == column.label
        assert field.metadata.get(b"source", b"").decode() == ",".join(column.source)
    about = {key.decode(): value.decode() for key, value in pq.read_metadata(path).metadata.items()}
    assert about["table"] == name
    assert about["run_id"] == RUN.run_id
    assert about["base_url"] == RUN.base_url
    assert about["tool_version"] == __version__
    assert about["schema_version"] == str(SCHEMA_VERSION)


def test_a_streamed_file_is_not_kept_in_memory(tmp_path):
    """Read batch by batch, a file takes no more with every batch."""
    path, groups, rows = tmp_path / "t.parquet", 40, 20_000
    noise = np.random.default_rng(1).integers(0, 1 << 62, rows)
    with pq.ParquetWriter(path, pa.schema({"noise": pa.int64()}), use_dictionary=False) as writer:
        for _ in range(groups):
            writer.write_table(pa.table({"noise": noise}))
    before = pa.total_allocated_bytes()
    with streamed(path) as file:
        held = [pa.total_allocated_bytes() - before for batch in file.iter_batches(rows) if len(batch)]
    assert len(held) == groups
    assert max(held) < path.stat().st_size / 4


@pytest.mark.parametrize("compression", ["zstd", "snappy"])
def test_groups_dictionaries_and_bounds(compression, tmp_path):
    """Groups have one length, repeating text is encoded, text has no bounds, and keys and dates have."""
    rows = GROUP_ROWS + 10
    table = pa.table(
        {
            "key": list(range(rows)),
            "day": pa.array([i % 9000 for i in range(rows)], pa.int32()).cast(pa.date32()),
            "town": [f"town {i % 50}" for i in range(rows)],
            "mobile": [f"+98912{i:07d}" for i in range(rows)],
        }
    )
    path = tmp_path / "t.parquet"
    write_parquet([table.slice(at, 50_000) for at in range(0, rows, 50_000)], path, compression=compression)
    file = pq.ParquetFile(path).metadata
    assert [file.row_group(at).num_rows for at in range(file.num_row_groups)] == [GROUP_ROWS, 10]
    key, day, town, mobile = (file.row_group(0).column(at) for at in range(4))
    assert (key.statistics.min, key.statistics.max) == (0, GROUP_ROWS - 1)
    assert day.statistics.min == dt.date(1970, 1, 1)
    assert not town.is_stats_set
    assert town.has_dictionary_page
    assert not mobile.has_dictionary_page
    assert {column.compression for column in (key, day, town, mobile)} == {compression.upper()}
    assert pa.table(read_parquet(path)).to_pydict() == table.to_pydict()


def test_encoded_text_is_plain_to_readers(tmp_path):
    """A column that comes encoded is text for pyarrow, pandas and DuckDB, and a stamp keeps its zone."""
    moment = dt.datetime(2025, 10, 21, 7, 32, 2, 960_000, tzinfo=dt.UTC)
    table = pa.table(
        {
            "name": pa.array(["علی", None, "علی", "علی"]).dictionary_encode(),
            "changed": pa.array([moment] * 4, pa.timestamp("us", "Asia/Tehran")),
        }
    )
    path = tmp_path / "t.parquet"
    write_parquet(table, path)
    assert pq.read_table(path).schema.types == [pa.string(), pa.timestamp("us", "Asia/Tehran")]
    assert str(pd.read_parquet(path).dtypes["changed"]) == "datetime64[us, Asia/Tehran]"
    found = duckdb.sql(f"select name, epoch_ms(changed) from '{path}'").fetchall()  # noqa: S608 - our own path
    assert found == [(name, int(moment.timestamp() * 1000)) for name in ("علی", None, "علی", "علی")]


def test_other_compressions_are_refused(tmp_path):
    """A compression that is not on offer is a SettingsError, and no file is made."""
    with pytest.raises(SettingsError, match="zstd or snappy"):
        write_parquet(pd.DataFrame({"a": [1]}), tmp_path / "t.parquet", compression="lzo")
    assert list(tmp_path.iterdir()) == []


def test_a_path_with_an_equals_sign_adds_no_column(tmp_path):
    """A folder called `name=value` is a folder, not a column."""
    folder = tmp_path / "year=2025"
    folder.mkdir()
    write_parquet(pd.DataFrame({"a": [1]}), folder / "t.parquet")
    assert list(read_parquet(folder / "t.parquet").columns) == ["a"]


@settings(max_examples=100)
@given(lengths=st.lists(st.integers(0, 25)), size=st.integers(1, 12))
def test_rechunking_keeps_every_row_in_order(lengths, size):
    """Pieces have one length but for the rest, and hold all rows in order."""
    chunks, start = [], 0
    for length in lengths:
        chunks.append(pa.table({"n": pa.array(range(start, start + length), pa.int64())}))
        start += length
    pieces = Rechunker(size)
    found = [piece for chunk in chunks for piece in pieces.add(chunk)]
    assert all(sum(table.num_rows for table in piece) == size for piece in found)
    found.append(pieces.rest())
    assert sum(table.num_rows for table in found[-1]) < size
    assert [n for piece in found for table in piece for n in table["n"].to_pylist()] == list(range(start))


@pytest.mark.parametrize("name", ["text", "timestamp[us", "decimal128(1)", "list<string>", ""])
def test_an_unknown_type_is_refused(name):
    """A column type that we do not know is a SettingsError that lists those we do."""
    with pytest.raises(SettingsError, match="string"):
        arrow_type(name)
