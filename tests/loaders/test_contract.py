"""What every loader promises, tried on every format in the registry."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import random
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amoot_etl.errors import OutputError, SettingsError
from amoot_etl.loaders.arrow import arrow_schema, arrow_type, headings
from amoot_etl.loaders.contract import RunFacts, Written, as_table
from amoot_etl.loaders.csv import write_csv
from amoot_etl.loaders.excel import write_excel
from amoot_etl.loaders.formats import FORMATS
from amoot_etl.loaders.parquet import write_parquet
from amoot_etl.schema import TABLES, Column, Table

RUN = RunFacts("20251021T110241", "export", "2025-10-21T11:02:41+03:30", "https://portal.example")

VARIANTS = [
    ("parquet", {}),
    ("parquet", {"compression": "snappy"}),
    ("csv", {}),
    ("csv", {"profile": "excel"}),
    ("csv", {"labels": "fa"}),
    ("csv", {"compression": "gzip"}),
    ("csv", {"profile": "excel", "labels": "fa", "compression": "zstd"}),
    ("xlsx", {}),
    ("xlsx", {"labels": "fa"}),
]
WRITERS = {"parquet": write_parquet, "csv": write_csv, "xlsx": write_excel}
every_variant = pytest.mark.parametrize(("name", "options"), VARIANTS, ids=str)
every_format = pytest.mark.parametrize("name", FORMATS)

HOSTILE = [
    "=1+1",
    "{=1+1}",
    "+989121234567",
    "-5",
    "@SUM(A1)",
    "'=1",
    "''=1",
    "'",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1+1",
    '"quoted", and more',
    '"',
    "two\nlines",
    "two\r\nlines",
    "a\rb",
    "nul\0inside",
    "\0",
    "\x01\x1f\x7f\x85\ufffe\uffff",
    "👨‍👩‍👧‍👦",
    "\u202eevil\u202c\u200f",
    "\ufeffbom",
    "می‌خواهم",
    "https://example.com",
    "mailto:a@example.com",
    "internal:'x'!A1",
    "_x0041_x0042_",
    "<b>&amp;</b> ]]>",
    " edges ",
    "\u00a0edges\u2003",
    "0912",
    "1e5",
    "TRUE",
    "NULL",
    "",
    "N/A",
    "x" * 100_000,
    "😀" * 40_000,
    None,
]


def contacts(rows: int, seed: int = 1) -> pa.Table:
    """Invent contacts with every type, nulls, and hostile text in every column that people fill."""
    rng = random.Random(seed)
    columns = []
    for column in TABLES["contacts"].columns:
        kind = arrow_type(column.type)
        if column.name == "contact_id":
            values = list(range(1, rows + 1))
        elif pa.types.is_boolean(kind):
            values = [rng.choice([True, False, None]) for _ in range(rows)]
        elif pa.types.is_date32(kind):
            values = [rng.choice([None, dt.date(1990, 5, 12), dt.date(1899, 12, 31)]) for _ in range(rows)]
        elif pa.types.is_timestamp(kind):
            moment = dt.datetime(2025, 10, 21, 7, 32, 2, tzinfo=dt.UTC)
            values = [
                rng.choice([None, moment + dt.timedelta(microseconds=rng.randrange(10**13))])
                for _ in range(rows)
            ]
        elif column.name == "mobile":
            values = [rng.choice([None, f"+98912{rng.randrange(10**7):07d}"]) for _ in range(rows)]
        elif column.name in ("mobile_national", "mobile_kind", "gender") or column.name.endswith("_jalali"):
            values = [rng.choice([None, "09121234567", "1370/05/12"]) for _ in range(rows)]
        elif column.name == "address":
            values = [HOSTILE[row % len(HOSTILE)] for row in range(rows)]
        else:
            values = [rng.choice([*HOSTILE[:-4], None, "علی", "رضایی"]) for _ in range(rows)]
        columns.append(pa.array(values, kind))
    return pa.table(columns, names=list(TABLES["contacts"].names))


def arrow(frame: pd.DataFrame) -> pa.Table:
    """Give a frame as the Arrow table under it."""
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()


def decoded(table: pa.Table) -> pa.Table:
    """Give a table with every encoded column plain."""
    plain = [c.cast(pa.string()) if pa.types.is_dictionary(c.type) else c for c in table.columns]
    return pa.table(plain, names=table.column_names)


def differing(one: pa.Table, other: pa.Table) -> list[str]:
    """Name the columns that differ in type or in a value."""
    assert one.column_names == other.column_names
    return [
        name
        for name in one.column_names
        if one[name].type != other[name].type or not one[name].equals(other[name])
    ]


def written(name: str, options: dict[str, str], folder: Path, table: Table, chunks: list) -> Written:
    """Write one table through a format's target."""
    with FORMATS[name].target(folder, RUN, **options) as target, target.open(table) as loader:
        for chunk in chunks:
            loader.append(chunk)
    assert target.written == (loader.close(),)
    return loader.close()


def handles() -> int:
    """Count what this process holds open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def digest(path: Path) -> str:
    """Give what tells two files apart."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@every_variant
def test_what_goes_in_comes_out(name, options, tmp_path):
    """Contacts with every type and hostile text come back equal, after the losses that the format declares."""
    rows = contacts(300)
    result = written(name, options, tmp_path, TABLES["contacts"], [rows.slice(0, 100), rows.slice(100)])
    expected, losses = FORMATS[name].reduced(rows, name="contacts", **options)
    back = arrow(FORMATS[name].read(result.path, TABLES["contacts"]))
    assert differing(back, decoded(expected)) == []
    assert (result.table, result.format, result.rows) == ("contacts", name, 300)
    assert result.losses == losses
    assert result.path.exists()


@every_variant
def test_chunks_and_encodings_leave_no_trace(name, options, tmp_path):
    """Equal rows give equal bytes, however they are cut, encoded, framed or batched."""
    rows = contacts(200, seed=2)
    encoded = pa.table(
        [c.dictionary_encode() if pa.types.is_string(c.type) else c for c in rows.columns],
        names=rows.column_names,
    )
    # A dictionary that says each value twice and one that no row has: legal, and made by cleaning.
    odd = []
    for column in encoded.columns:
        if not pa.types.is_dictionary(column.type):
            odd.append(column.combine_chunks())
            continue
        array = column.combine_chunks()
        values = pa.concat_arrays([pa.array(["no row has it"]), array.dictionary, array.dictionary])
        flip = pa.array([i % 2 * len(array.dictionary) + 1 for i in range(len(array))], pa.int32())
        odd.append(pa.DictionaryArray.from_arrays(pa.compute.add(array.indices, flip), values))
    ways = [
        [rows],
        [rows.slice(at, 7) for at in range(0, 200, 7)],
        [encoded.slice(0, 133), rows.slice(133, 0), encoded.slice(133)],
        [pa.table(odd, names=rows.column_names)],
        [
            pd.DataFrame(rows.slice(0, 90).to_pandas(types_mapper=pd.ArrowDtype)),
            *rows.slice(90).to_batches(),
        ],
    ]
    digests = set()
    for at, chunks in enumerate(ways):
        folder = tmp_path / str(at)
        folder.mkdir()
        digests.add(digest(written(name, options, folder, TABLES["contacts"], chunks).path))
    assert len(digests) == 1


@every_variant
@pytest.mark.parametrize("chunks", [[], ["empty"]], ids=["no chunk", "an empty chunk"])
def test_a_table_without_rows_keeps_its_columns(name, options, chunks, tmp_path):
    """A table of no rows is a whole file that reads back as that table with its types."""
    table = TABLES["contacts"]
    none = arrow_schema(table).empty_table()
    result = written(name, options, tmp_path, table, [none for _ in chunks])
    assert (result.rows, result.losses) == (0, {})
    assert differing(arrow(FORMATS[name].read(result.path, table)), none) == []


@every_format
def test_every_table_that_a_format_holds_can_be_written(name, tmp_path):
    """One target takes all tables, several open at once, in any order and interleaved."""
    form = FORMATS[name]
    tables = [table for table in TABLES.values() if form.holds(table.name)]
    samples = {table.name: arrow_schema(table).empty_table() for table in tables}
    samples["contact_groups"] = pa.table({"contact_id": [1, 1, 2], "group_id": [7, 8, 7]})
    samples["contacts"] = contacts(10)
    with form.target(tmp_path, RUN) as target:
        loaders = {table.name: target.open(table) for table in reversed(tables)}
        for at in range(3):
            for table_name, loader in loaders.items():
                loader.append(samples[table_name].slice(at * 4, 4))
    results = {result.table: result for result in target.written}
    assert set(results) == set(samples)
    for table in tables:
        back = arrow(form.read(results[table.name].path, table))
        assert differing(back, form.reduced(samples[table.name], name=table.name)[0]) == []


@every_format
@pytest.mark.parametrize(
    ("chunk", "names"),
    [
        (pa.table({"contact_id": [1]}), "group_id"),
        (pa.table({"group_id": [1], "contact_id": [1]}), "order"),
        (pa.table({"contact_id": [1], "group_id": [2], "more": [3]}), "more"),
        (pa.table({"contact_id": [1], "group_id": ["09121234567"]}), "group_id"),
    ],
    ids=["missing", "misplaced", "unknown", "mistyped"],
)
def test_a_chunk_of_other_columns_is_refused(name, chunk, names, tmp_path):
    """The error names the column, and never a value."""
    if "mistyped" in os.environ.get("PYTEST_CURRENT_TEST", ""):
        chunk = pa.table({"contact_id": [1], "group_id": ["no number 0912"]})
    with pytest.raises(ValueError, match=names) as caught:
        written(name, {}, tmp_path, TABLES["contact_groups"], [chunk])
    assert "0912" not in str(caught.value)


@every_format
def test_leaving_by_an_error_leaves_no_handle_and_no_other_file(name, tmp_path):
    """An error inside the block comes out as it is; nothing is open, nothing but the own file touched."""
    (tmp_path / "neighbour.txt").write_text("here")
    before = handles()
    with pytest.raises(RuntimeError, match="stop"):
        _stopped(name, tmp_path)
    assert handles() == before
    assert (tmp_path / "neighbour.txt").read_text() == "here"
    assert len(list(tmp_path.iterdir())) == 2
    own = next(path for path in tmp_path.iterdir() if path.name != "neighbour.txt")
    if name != "csv":  # of which any beginning is a file, too
        with pytest.raises(Exception, match=r"."):
            FORMATS[name].read(own, TABLES["contacts"])


def _stopped(name: str, folder: Path) -> None:
    with FORMATS[name].target(folder, RUN) as target, target.open(TABLES["contacts"]) as loader:
        loader.append(contacts(50))
        raise RuntimeError("stop")


@every_format
def test_closed_is_closed(name, tmp_path):
    """Closing again gives the same answer, and appending to what is closed is an error."""
    with FORMATS[name].target(tmp_path, RUN) as target:
        loader = target.open(TABLES["contact_groups"])
        loader.append(pa.table({"contact_id": [1], "group_id": [2]}))
        assert loader.close() == loader.close()
        with pytest.raises(OutputError, match="closed"):
            loader.append(pa.table({"contact_id": [1], "group_id": [2]}))


@every_format
def test_a_folder_that_is_not_there_is_told(name, tmp_path):
    """A file that cannot be made is an OutputError that names it."""
    with (
        pytest.raises(OutputError, match="missing"),
        FORMATS[name].target(tmp_path / "missing", RUN) as target,
    ):
        target.open(TABLES["contacts"])


@every_format
def test_a_full_disk_is_told(name):
    """Writing to a device without room is an OutputError that names the file and the reason."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    with pytest.raises(OutputError, match="the disk is full: make room"):
        _to(full, name)


def _to(path: Path, name: str) -> None:
    """Write to a path that exists, without the one-call writer's way round it."""
    schema = arrow_schema(TABLES["contacts"], RUN)
    if name == "xlsx":
        target = FORMATS[name].target(path.parent, RUN, name=path.name)
        with target, target.open(TABLES["contact_groups"]) as loader:
            loader.append(pa.table({"contact_id": [1], "group_id": [2]}))
        return
    from amoot_etl.loaders.csv import CsvLoader  # noqa: PLC0415
    from amoot_etl.loaders.parquet import ParquetLoader  # noqa: PLC0415

    with (ParquetLoader if name == "parquet" else CsvLoader)(path, schema) as loader:
        for _ in range(5):
            loader.append(contacts(200))


@every_format
def test_one_call_into_a_folder_that_is_not_there(name, tmp_path):
    """The message names the file that was asked for, and not the one that waits to take its place."""
    path = tmp_path / "missing" / "people.file"
    with pytest.raises(OutputError) as caught:
        WRITERS[name](pd.DataFrame({"name": ["مریم"]}), path)
    assert str(caught.value) == f"cannot write {path}: the folder is not there: make it, or choose another"
    assert caught.value.subject == str(path)


@every_format
def test_one_call_replaces_the_file_whole_or_not_at_all(name, tmp_path):
    """When chunks fail half-way the old file stands, and nothing else is left."""
    path = tmp_path / f"data.{name}"
    WRITERS[name](contacts(5), path, TABLES["contacts"])
    old = digest(path)

    def breaking():
        yield contacts(5, seed=9)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        WRITERS[name](breaking(), path, TABLES["contacts"])
    assert digest(path) == old
    assert list(tmp_path.iterdir()) == [path]
    result = WRITERS[name](iter([contacts(7, seed=3)]), str(path), TABLES["contacts"])
    assert (result.path, result.rows) == (path, 7)
    assert digest(path) != old
    assert list(tmp_path.iterdir()) == [path]


@every_format
def test_any_frame_can_be_written(name, tmp_path):
    """One call takes a DataFrame that is none of our tables, whatever pandas holds it in."""
    frame = pd.DataFrame(
        {
            "name": pd.Series(["علی", None, "ب"], dtype="object"),
            "town": pd.Series(["تهران", "قم", None], dtype="string"),
            "kind": pd.Categorical(["a", "b", "a"]),
            "count": [1, 2, 3],
            "share": [0.5, 0.25, 0.125],
            "nothing": [None, None, None],
        },
        index=[7, 8, 9],
    )
    path = tmp_path / f"data.{name}"
    result = WRITERS[name](frame, path)
    assert (result.rows, result.table) == (3, "data")
    columns = (("name", "string"), ("town", "string"), ("kind", "string"), ("count", "int64"))
    table = Table(
        "data",
        "",
        "",
        tuple(Column(n, t, "", "") for n, t in (*columns, ("share", "float64"), ("nothing", "string"))),
    )
    back = arrow(FORMATS[name].read(path, table))
    assert back.to_pydict() == as_table(frame).to_pydict()
    if name != "parquet":
        assert set(FORMATS[name].read(path).dtypes) == {pd.ArrowDtype(pa.string())}


@every_format
def test_no_chunk_and_no_table_is_an_error(name, tmp_path):
    """Without a chunk and without a table there is no telling the columns."""
    with pytest.raises(ValueError, match="name the table"):
        WRITERS[name]([], tmp_path / "nothing")
    assert list(tmp_path.iterdir()) == []


@every_format
def test_reading_another_table_is_an_error(name, tmp_path):
    """A file that does not have the table's columns is refused."""
    result = written(name, {}, tmp_path, TABLES["contact_groups"], [])
    with pytest.raises(ValueError, match=r"columns|sheet"):
        FORMATS[name].read(result.path, TABLES["groups"])


@pytest.mark.parametrize("wrong", ["de", ""])
def test_headings_are_english_or_persian(wrong, tmp_path):
    """Another language is a SettingsError, in every format that has headings."""
    for name in ("csv", "xlsx"):
        with (
            pytest.raises(SettingsError, match="labels"),
            FORMATS[name].target(tmp_path, RUN, labels=wrong) as t,
        ):
            t.open(TABLES["contacts"])


def test_no_two_columns_share_a_heading():
    """Every table's headings are distinct in both languages, and a clash would get the column's name."""
    for table in TABLES.values():
        for labels in ("en", "fa"):
            found = headings(arrow_schema(table), labels)
            assert len(set(found)) == len(found) == len(table.columns)
    clash = Table("t", "", "", (Column("a", "string", "", "نام"), Column("b", "string", "", "نام")))
    assert headings(arrow_schema(clash), "fa") == ["نام", "نام (b)"]


ANYTHING = Table(
    "anything",
    "",
    "",
    (
        Column("text", "string", "", "متن"),
        Column("again", "string", "", "باز"),
        Column("whole", "int64", "", "عدد"),
        Column("small", "int32", "", "کوچک"),
        Column("part", "float64", "", "اعشار"),
        Column("money", "decimal128(20, 2)", "", "پول"),
        Column("flag", "bool", "", "پرچم"),
        Column("day", "date32", "", "روز"),
        Column("moment", "timestamp[us, Asia/Tehran]", "", "لحظه"),
        Column("naive", "timestamp[ms]", "", "ساعت"),
    ),
)
_INT64 = st.integers(-(2**63), 2**63 - 1)
_MOMENTS = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30))  # noqa: DTZ001
_ROW = st.tuples(
    st.none() | st.text(),
    st.none() | st.sampled_from(HOSTILE[:-4]),
    _INT64,  # a row of nothing at all is nothing in a workbook
    st.none() | st.integers(-(2**31), 2**31 - 1),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.decimals(-(10**17), 10**17, places=2),
    st.none() | st.booleans(),
    st.none() | st.dates(),
    st.none() | _MOMENTS.map(lambda moment: moment.replace(tzinfo=dt.UTC)),
    st.none() | _MOMENTS.map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)),
)


@every_variant
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(_ROW, max_size=8))
def test_anything_that_arrow_holds_comes_back(name, options, rows, tmp_path):
    """Any Unicode text, number, day and instant comes back, after the losses that the format declares."""
    schema = arrow_schema(ANYTHING)
    columns = zip(*rows, strict=True) if rows else [[] for _ in schema]
    table = pa.table(
        [pa.array(list(c), f.type) for c, f in zip(columns, schema, strict=True)], names=schema.names
    )
    result = written(name, options, tmp_path, ANYTHING, [table])
    expected, losses = FORMATS[name].reduced(table, name="anything", **options)
    back = arrow(FORMATS[name].read(result.path, ANYTHING))
    assert differing(back, expected) == []
    assert result.losses == losses


@every_format
def test_a_table_is_known_by_its_name(name, tmp_path):
    """A name stands for the declared table, in writing and in reading: what comes back has its types."""
    path, rows = tmp_path / f"a.{name}", contacts(20)
    WRITERS[name](rows, path, "contacts")
    back = FORMATS[name].read(path, "contacts")
    assert pa.table(back).equals(pa.table(FORMATS[name].read(path, TABLES["contacts"])))
    assert pa.Schema.from_pandas(back).types == arrow_schema(TABLES["contacts"]).types


@every_format
def test_a_name_of_no_table_is_told_the_nearest(name, tmp_path):
    """Neither a reader nor a writer guesses; the file that is there stays as it is."""
    path = tmp_path / f"a.{name}"
    WRITERS[name](contacts(2), path, "contacts")
    before = path.read_bytes()
    for call in (
        lambda: FORMATS[name].read(path, "contact"),
        lambda: WRITERS[name](contacts(2), path, "contact"),
    ):
        with pytest.raises(SettingsError, match="there is no table contact; did you mean contacts"):
            call()
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["csv", "xlsx"])
def test_a_file_of_a_mapping_is_told_how_it_is_read(name, tmp_path):
    """Where the declared columns are not the file's, the message names the table that knows them."""
    path = tmp_path / f"a.{name}"
    WRITERS[name](contacts(2).drop(["extra"]), path.with_stem("contacts"))
    with pytest.raises(ValueError, match=r'load_settings\(\)\.shape\.tables\["contacts"\]'):
        FORMATS[name].read(path.with_stem("contacts"), "contacts")


@pytest.mark.parametrize("name", ["csv", "xlsx"])
def test_persian_headings_need_a_table(name, tmp_path):
    """Columns that are none of ours have no Persian headings: asking for them is an error, and nothing is written."""
    path = tmp_path / f"a.{name}"
    with pytest.raises(SettingsError, match='labels="fa" needs the table'):
        WRITERS[name](pd.DataFrame({"contact_id": [1]}), path, labels="fa")
    assert list(tmp_path.iterdir()) == []
