"""The CSV file, byte for byte: for programs, and for people who open it by a double click."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import threading

import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amoot_etl.errors import OutputError, SettingsError
from amoot_etl.loaders import csv_reader
from amoot_etl.loaders.arrow import arrow_schema
from amoot_etl.loaders.csv import CsvLoader, write_csv
from amoot_etl.loaders.csv_reader import iter_csv, read_csv
from amoot_etl.loaders.csv_text import as_text, for_spreadsheets, returned
from amoot_etl.schema import Column, Table

FORMULAS = [
    "=1+1",
    "+98912",
    "-5",
    "@a",
    "\t=1",
    "\r=1",
    "\n=1",
    "\0=1",
    "＝1",
    "＋1",
    "－1",
    "＠a",
    "'=1",
    "''+1",
]
HARMLESS = ["a=1", "'", "''", "'quoted'", "5-4", " =1", "", None, "ｘ", "علی", "\ufeff=1"]
PEOPLE = Table(
    "contacts",
    "",
    "",
    (
        Column("contact_id", "int64", "", "شناسه"),
        Column("active", "bool", "", "فعال"),
        Column("mobile", "string", "", "موبایل"),
        Column("first_name", "string", "", "نام"),
        Column("birth_date", "date32", "", "تولد"),
        Column("updated_at", "timestamp[us, Asia/Tehran]", "", "زمان"),
    ),
)
MOMENT = dt.datetime(2025, 10, 21, 7, 32, 2, 960_000, tzinfo=dt.UTC)


def people() -> pa.Table:
    """Give three people, one of them with nothing but an ID."""
    rows = [
        (1, True, "+989121234567", "=علی", dt.date(1991, 8, 3), MOMENT),
        (2, False, None, 'a "b", c', None, MOMENT),
        (3, None, None, None, None, None),
    ]
    columns = zip(*rows, strict=True)
    return pa.table(
        [pa.array(list(c), f.type) for c, f in zip(columns, arrow_schema(PEOPLE), strict=True)],
        names=list(PEOPLE.names),
    )


def test_plain_is_for_programs(tmp_path):
    """No mark, LF, values as they are, null nothing, stamps with their offset."""
    path = tmp_path / "people.csv"
    result = write_csv(people(), path, PEOPLE)
    assert path.read_bytes().decode() == (
        '"contact_id","active","mobile","first_name","birth_date","updated_at"\n'
        '1,true,"+989121234567","=علی",1991-08-03,"2025-10-21T11:02:02.960000+03:30"\n'
        '2,false,,"a ""b"", c",,"2025-10-21T11:02:02.960000+03:30"\n'
        "3,,,,,\n"
    )
    assert result.losses == {}


def test_excel_is_for_a_double_click(tmp_path):
    """A mark, CRLF, all quoted, text that would run is defused and counted, mobiles have no plus."""
    path = tmp_path / "people.csv"
    result = write_csv(people(), path, PEOPLE, profile="excel", labels="fa")
    assert path.read_bytes().decode() == (
        '\ufeff"شناسه","فعال","موبایل","نام","تولد","زمان"\r\n'
        '"1","true","989121234567","\'=علی","1991-08-03","2025-10-21T11:02:02.960000+03:30"\r\n'
        '"2","false","","a ""b"", c","","2025-10-21T11:02:02.960000+03:30"\r\n'
        '"3","","","","",""\r\n'
    )
    assert result.losses == {"defused": 1}
    assert pa.table(read_csv(path, PEOPLE)).to_pydict() == people().to_pydict()


def test_what_a_spreadsheet_would_run_gets_an_apostrophe():
    """Each dangerous beginning is defused, each harmless one left alone, and all come back."""
    table = pa.table({"t": pa.array([*FORMULAS, *HARMLESS], pa.string())})
    rows, losses = for_spreadsheets(table, "anything")
    told = rows["t"].to_pylist()
    assert told[: len(FORMULAS)] == [f"'{text}" for text in FORMULAS]
    assert told[len(FORMULAS) :] == [text or None for text in HARMLESS]
    assert losses == {"defused": len(FORMULAS), "empty_text": 1}
    assert returned(rows, "anything")["t"].to_pylist() == [*FORMULAS, *(text or None for text in HARMLESS)]


def test_only_columns_that_people_fill_are_defused():
    """Our own formatted columns are left alone in our tables; in other tables no column is trusted."""
    table = pa.table(
        {"mobile": ["+98912"], "mobile_raw": ["+98912"], "mobile_national": ["-"], "email": ["@a"]}
    )
    ours, losses = for_spreadsheets(table, "contacts")
    assert ours.to_pylist() == [
        {"mobile": "98912", "mobile_raw": "'+98912", "mobile_national": "-", "email": "'@a"}
    ]
    assert losses == {"defused": 2}
    other, losses = for_spreadsheets(table, "anything")
    assert losses == {"defused": 4}
    assert returned(other, "anything") == table


def test_slices_are_defused_like_wholes():
    """Rows in the middle of a longer chunk are looked at, and no others."""
    table = pa.table({"t": ["=0", "a", "=2", None, "", "b", "=6"]}).slice(1, 4)
    rows, losses = for_spreadsheets(table, "anything")
    assert rows["t"].to_pylist() == ["a", "'=2", None, None]
    assert losses == {"defused": 1, "empty_text": 1}


@settings(max_examples=200)
@given(values=st.lists(st.none() | st.text(st.sampled_from("'=+-@\t\r\n\0＝a\"، ,")) | st.text()))
def test_defusing_is_certain_and_undone(values):
    """No defused text begins with what runs, and the way back gives every text but the empty one."""
    table = pa.table({"t": pa.array(values, pa.string())})
    rows, _ = for_spreadsheets(table, "anything")
    assert not any(text and text[0] in "=+-@\t\r\n\0＝＋－＠" for text in rows["t"].to_pylist())
    assert returned(rows, "anything")["t"].to_pylist() == [value or None for value in values]


def test_another_reader_sees_the_same(tmp_path):
    """Python's own csv module reads plain text, quotes and line breaks as they went in."""
    values = ['"', "a,b", "two\nlines", "a\r\nb", "علی", " x "]
    path = tmp_path / "t.csv"
    write_csv(pa.table({"t": values}), path)
    with path.open(encoding="utf-8", newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["t", *values]


@pytest.mark.parametrize(("ending", "magic"), [(".csv.gz", b"\x1f\x8b"), (".csv.zst", b"\x28\xb5\x2f\xfd")])
def test_the_ending_decides_about_compression(ending, magic, tmp_path):
    """A file that ends in .gz or .zst is compressed, holds the same bytes, and reads back."""
    path = tmp_path / f"people{ending}"
    write_csv(people(), path, PEOPLE)
    assert path.read_bytes().startswith(magic)
    assert pa.table(read_csv(path, PEOPLE)).to_pydict() == people().to_pydict()
    if ending.endswith("gz"):
        assert path.read_bytes()[3:8] == bytes(
            5
        )  # neither a name nor a time, which would tell equal files apart
        write_csv(people(), tmp_path / "people.csv", PEOPLE)
        assert gzip.decompress(path.read_bytes()) == (tmp_path / "people.csv").read_bytes()


def test_stamps_name_their_instant_even_where_offsets_had_seconds():
    """Before 1935 Tehran was 3:25:44 from UTC: the text has whole minutes, and the same instant."""
    zone = pa.timestamp("us", "Asia/Tehran")
    moments = [dt.datetime(1900, 1, 1, tzinfo=dt.UTC), dt.datetime(2022, 9, 21, 19, 29, tzinfo=dt.UTC), None]
    told = as_text(pa.chunked_array([pa.array(moments, zone)])).to_pylist()
    assert told == ["1900-01-01T03:25:00.000000+03:25", "2022-09-21T23:59:00.000000+04:30", None]
    assert [dt.datetime.fromisoformat(text) for text in told[:2]] == moments[:2]


def test_a_row_longer_than_a_block_is_read(tmp_path, monkeypatch):
    """A value that does not fit into one block of the reader makes the block grow."""
    monkeypatch.setattr("amoot_etl.loaders.csv_reader._BLOCK_BYTES", 1024)
    path = tmp_path / "t.csv"
    values = ["x" * 5_000, "y", "z" * 90_000]
    write_csv(pa.table({"t": values}), path)
    assert read_csv(path)["t"].tolist() == values


@pytest.mark.parametrize(
    ("setting", "value"), [("profile", "word"), ("compression", "rar"), ("labels", "de")]
)
def test_an_unknown_choice_is_refused(setting, value, tmp_path):
    """A profile, compression or language that is not on offer is a SettingsError, and no file is made."""
    with pytest.raises(SettingsError, match=value):
        write_csv(people(), tmp_path / "t.csv", PEOPLE, **{setting: value})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("profile", ["plain", "excel"])
def test_an_empty_line_is_a_row(profile, tmp_path):
    """In a table of one column a null is an empty line, at the end too, and comes back as a row."""
    path = tmp_path / "t.csv"
    write_csv(pa.table({"t": [None, "a", None, None]}), path, profile=profile)
    assert pa.table(read_csv(path))["t"].to_pylist() == [None, "a", None, None]


@pytest.mark.parametrize("profile", ["plain", "excel"])
def test_pieces_are_the_file(tmp_path, monkeypatch, profile):
    """Read piece by piece, also where a row is longer than a piece, a file gives the same rows as read at once."""
    monkeypatch.setattr(csv_reader, "_PIECE_BYTES", 4096)
    names = [f"نام {number}" for number in range(3000)]
    names[2000] = "الف\n" * 20_000
    rows = people().slice(0, 1).select(["contact_id", "first_name"])
    rows = pa.table({"contact_id": pa.array(range(3000), pa.int64()), "first_name": names}, rows.schema)
    table = Table("contacts", "", "", (PEOPLE.columns[0], PEOPLE.columns[3]))
    path = tmp_path / "contacts.csv"
    write_csv(rows, path, table=table, profile=profile)
    pieces = list(iter_csv(path, table))
    assert len(pieces) > 5
    assert pa.concat_tables(pieces).to_pylist() == read_csv(path, table).to_dict("records")
    assert [row["first_name"] for piece in pieces for row in piece.to_pylist()] == names


def test_pieces_of_a_file_that_is_not_the_table_s(tmp_path):
    """Headings of another table and values of another type are errors, as they are where all is read at once."""
    path = tmp_path / "contacts.csv"
    path.write_text('"contact_id","first_name"\nx,"a"\n')
    table = Table("contacts", "", "", (PEOPLE.columns[0], PEOPLE.columns[3]))
    with pytest.raises(pa.ArrowInvalid):
        list(iter_csv(path, table))
    with pytest.raises(ValueError, match="columns of contacts"):
        list(iter_csv(path, PEOPLE))


class Refusing:
    """Writes like Arrow's writer, but for one time."""

    _honest = pacsv.CSVWriter

    def __init__(self, *arguments, **options):
        self._writer = self._honest(*arguments, **options)
        self._left = 3

    def write_table(self, rows):
        """Write rows, and refuse those of the third call."""
        self._left -= 1
        if self._left == 0:
            raise OSError(28, "No space left on device")
        self._writer.write_table(rows)

    def close(self):
        """Finish."""
        self._writer.close()


def behind():
    """Give the threads that write CSV."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("amoot-csv")]


@pytest.mark.parametrize("chunks", [3, 40])
def test_what_fails_behind_is_told(tmp_path, monkeypatch, chunks):
    """What the writing thread meets is raised as it is, by an append or by the close, and no thread stays."""
    monkeypatch.setattr("amoot_etl.loaders.csv.pacsv.CSVWriter", Refusing)
    with pytest.raises(OutputError, match="disk is full"):
        write_csv([people()] * chunks, tmp_path / "people.csv", PEOPLE)
    assert list(tmp_path.iterdir()) == []
    assert not behind()


def test_threads_end_with_their_file(tmp_path):
    """A finished file and one that was let go of leave no thread, and what is let go of takes no more rows."""
    loader = CsvLoader(tmp_path / "people.csv", arrow_schema(PEOPLE))
    loader.append(people())
    assert behind()
    assert loader.close().rows == 3
    assert not behind()
    loader = CsvLoader(tmp_path / "other.csv", arrow_schema(PEOPLE))
    loader.append(people())
    loader.release()
    assert not behind()
    with pytest.raises(OutputError, match="closed already"):
        loader.append(people())


@pytest.mark.parametrize("profile", ["plain", "excel"])
def test_the_chunking_does_not_show(tmp_path, profile):
    """Many rows at once, more than may wait to be written, give the file that they give a few at a time."""
    rows = pa.concat_tables([people()] * 30_000).combine_chunks()
    at_once, little_by_little = tmp_path / "one.csv", tmp_path / "many.csv"
    write_csv(rows, at_once, PEOPLE, profile=profile)
    write_csv(iter(rows.to_batches(max_chunksize=5_000)), little_by_little, PEOPLE, profile=profile)
    assert at_once.read_bytes() == little_by_little.read_bytes()
    assert at_once.read_bytes().count(b"2025-10-21T11:02:02.960000+03:30") == 60_000
