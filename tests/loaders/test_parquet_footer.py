"""Footers of Parquet files: read and written again, whoever wrote them."""

from __future__ import annotations

import io

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amoot_etl.loaders.parquet_footer import Field, decode, encode, read_footer

WHOLE = st.integers(-(2**63), 2**63 - 1)
LEAVES = {
    1: st.none(),
    2: st.none(),
    4: WHOLE,
    5: WHOLE,
    6: WHOLE,
    7: st.binary(min_size=8, max_size=8),
    8: st.binary(max_size=200),
}
FIELDS = st.one_of(
    *(values.map(lambda value, kind=kind: Field(kind, value)) for kind, values in LEAVES.items())
)
LISTS = st.one_of(
    *(
        st.lists(LEAVES[kind], max_size=40).map(lambda many, kind=kind: Field(9, (kind, many)))
        for kind in (5, 6, 8)
    ),
    st.lists(st.integers(1, 2), max_size=20).map(lambda many: Field(9, (1, many))),
)
RECORDS = st.recursive(
    st.dictionaries(st.integers(1, 300), FIELDS | LISTS, max_size=8),
    lambda inner: st.dictionaries(
        st.integers(1, 40),
        FIELDS
        | inner.map(lambda record: Field(12, record))
        | st.lists(inner, max_size=20).map(lambda many: Field(9, (12, many))),
        max_size=5,
    ),
    max_leaves=20,
)


@given(RECORDS)
def test_what_is_written_is_read_again(record):
    """Any tree of values comes back as it was: numbers of both signs, long lists, far fields, nested structs."""
    assert decode(encode(record)) == dict(sorted(record.items()))


def _written(**options):
    table = pa.table(
        {
            "id": list(range(1000)),
            "name": [f"نام {row % 7}" if row % 5 else None for row in range(1000)],
            "many": [[row] * (row % 3) for row in range(1000)],
            "ratio": [row / 7 for row in range(1000)],
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=300, **options)
    return file


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zstd", "version": "1.0"},
        {"write_page_index": True, "data_page_version": "2.0", "write_page_checksum": True},
        {"use_dictionary": False, "sorting_columns": [pq.SortingColumn(0)]},
    ],
)
def test_a_footer_of_arrow_is_written_again_byte_for_byte(options):
    """Read and written, a footer is the very bytes that Arrow wrote."""
    file = _written(**options)
    data = file.getvalue()
    size = int.from_bytes(data[-8:-4], "little")
    assert encode(read_footer(file)) == data[-8 - size : -8]


def test_a_footer_of_duckdb_is_read(tmp_path):
    """What another program wrote is read too: its rows are those it tells."""
    path = tmp_path / "other.parquet"
    duckdb.sql("SELECT range AS a, range::text AS b FROM range(5000)").write_parquet(str(path))
    with path.open("rb") as file:
        footer = read_footer(file)
    assert footer[3].value == 5000
    assert decode(encode(footer)) == footer


def test_no_part_of_a_footer_passes_for_a_whole_one():
    """A footer that was cut anywhere is told as such."""
    data = encode(read_footer(_written()))
    for length in range(0, len(data), 7):
        with pytest.raises(ValueError, match="cut"):
            decode(data[:length])


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no Parquet file at all", b"PAR1\xff\xff\xff\xffPAR1"])
def test_what_is_no_parquet_file_has_no_footer(content):
    """Another file, an empty one, one whose footer is said to be longer than it: none has a footer."""
    with pytest.raises(ValueError, match="Parquet"):
        read_footer(io.BytesIO(content))


def test_a_value_of_an_unknown_kind_is_refused():
    """A map, which no footer holds, is not guessed at."""
    with pytest.raises(ValueError, match="kind 11"):
        decode(bytes([0x1B, 0x00]))
