"""The workbook: what people see in it, what it can never do, what it cannot hold, and how big it may be."""

from __future__ import annotations

import datetime as dt
import re
import sys
import zipfile
from xml.etree import ElementTree as ET

import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from amoot_etl.errors import SettingsError
from amoot_etl.loaders import excel, excel_pieces
from amoot_etl.loaders.arrow import arrow_schema
from amoot_etl.loaders.contract import RunFacts
from amoot_etl.loaders.excel import ExcelTarget, write_excel
from amoot_etl.loaders.excel_limits import CELL_UNITS, reduced
from amoot_etl.loaders.excel_parts import sheet_name
from amoot_etl.loaders.excel_pieces import iter_excel
from amoot_etl.loaders.excel_reader import read_excel
from amoot_etl.schema import TABLES, Column, Table

RUN = RunFacts("20251021T110241", "export", "2025-10-21T11:02:41+03:30", "https://portal.example")
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def contact(**values) -> pa.Table:
    """Give one contact, null but for the given values."""
    row = {"contact_id": 1} | values
    return pa.Table.from_pylist([row], schema=arrow_schema(TABLES["contacts"]).remove_metadata())


def book(folder, *rows: pa.Table, labels: str = "en"):
    """Write the contacts, a group and their bridge, in another order than they stand in the workbook."""
    with ExcelTarget(folder, RUN, labels=labels) as target:
        with target.open(TABLES["contact_groups"]) as loader:
            loader.append(pa.table({"contact_id": [1], "group_id": [7]}))
        with target.open(TABLES["contacts"]) as loader:
            for some in rows:
                loader.append(some)
    return folder / "contacts.xlsx"


def cells(path, sheet: str = "contacts") -> dict[str, openpyxl.cell.Cell]:
    """Give the first contact's cells as openpyxl has them, by heading."""
    sheet = openpyxl.load_workbook(path)[sheet]
    return {heading.value: cell for heading, cell in zip(sheet[1], sheet[2], strict=True)}


def text_book(tmp_path, values):
    """Write one column of text, and read it with openpyxl and with calamine."""
    path = tmp_path / "text.xlsx"
    write_excel(pa.table({"n": list(range(len(values))), "text": pa.array(values, pa.string())}), path)
    with_openpyxl = [row[1].value for row in openpyxl.load_workbook(path)["text"].iter_rows(min_row=2)]
    with CalamineWorkbook.from_path(path) as found:
        with_calamine = [row[1] for row in found.get_sheet_by_name("text").iter_rows()][1:]
    return with_openpyxl, with_calamine


def test_sheets_stand_in_order_and_open_on_the_contacts(tmp_path):
    """Contacts come first whenever they were written, the about sheet last, and the first one shows."""
    found = openpyxl.load_workbook(book(tmp_path, contact()))
    assert found.sheetnames == ["contacts", "contact_groups", "about"]
    assert found.active.title == "contacts"


def test_persian_headings_and_sheet_names(tmp_path):
    """With Persian labels headings and sheets are Persian, and our reader finds the table all the same."""
    path = book(tmp_path, contact(first_name="علی"), labels="fa")
    found = openpyxl.load_workbook(path)
    assert found.sheetnames == ["مخاطبین", "مخاطب در گروه", "درباره"]
    assert [cell.value for cell in found["مخاطبین"][1]] == [c.label for c in TABLES["contacts"].columns]
    assert read_excel(path, TABLES["contacts"])["first_name"].tolist() == ["علی"]


@pytest.mark.parametrize("labels", ["en", "fa"])
def test_every_sheet_reads_from_right_to_left_under_a_frozen_bold_heading_with_a_filter(labels, tmp_path):
    """Every sheet has its column names in the first row, bold, in sight and filtering, and runs from the right."""
    for sheet in openpyxl.load_workbook(book(tmp_path, contact(), labels=labels)):
        assert sheet.sheet_view.rightToLeft
        assert sheet.freeze_panes == "A2"
        assert sheet.auto_filter.ref == sheet.dimensions
        assert all(cell.font.bold and cell.value for cell in sheet[1])
        assert not sheet["A2"].font.bold
        assert all(dimension.width >= 9 for dimension in sheet.column_dimensions.values())


def test_mobiles_are_text_that_keeps_zeros_and_plus(tmp_path):
    """A mobile is text in a text cell, from left to right, and Excel is told not to mark it."""
    path = book(tmp_path, contact(mobile="+989121234567", mobile_national="09121234567"))
    found = cells(path)
    for name, value in (("mobile", "+989121234567"), ("mobile_national", "09121234567")):
        assert (found[name].value, found[name].data_type) == (value, "s")
        assert found[name].number_format == "@"
        assert found[name].alignment.readingOrder == 1
    xml = zipfile.ZipFile(path).read("xl/worksheets/sheet1.xml").decode()
    assert '<ignoredError sqref="A1:AM2" numberStoredAsText="1"/>' in xml


def test_dates_are_real_and_jalali_is_text(tmp_path):
    """A Gregorian day is a date cell shown as yyyy-mm-dd, its Jalali twin is text, a stamp is Tehran wall time."""
    moment = dt.datetime(2025, 10, 21, 7, 32, 2, 960_000, tzinfo=dt.UTC)
    row = contact(
        birth_date=dt.date(1991, 8, 3), birth_date_jalali="1370/05/12", updated_at=moment, active=True
    )
    path = book(tmp_path, row)
    found = cells(path)
    assert found["birth_date"].value == dt.datetime(1991, 8, 3)  # noqa: DTZ001 - a cell has no zone
    assert found["birth_date"].is_date
    assert found["birth_date"].number_format == "yyyy\\-mm\\-dd"
    assert (found["birth_date_jalali"].value, found["birth_date_jalali"].data_type) == ("1370/05/12", "s")
    assert found["updated_at"].value == dt.datetime(2025, 10, 21, 11, 2, 2, 960_000)  # noqa: DTZ001
    assert found["active"].value is True
    assert found["contact_id"].value == 1
    with CalamineWorkbook.from_path(path) as other:
        header, row = other.get_sheet_by_name("contacts").to_python()
    assert row[header.index("birth_date")] == dt.date(1991, 8, 3)


def test_the_last_day_before_serial_numbers_are_reliable_is_text(tmp_path):
    """Days from March 1900 on are date cells, earlier ones ISO text, and both come back."""
    days = [dt.date(1900, 3, 1), dt.date(1900, 2, 28), dt.date(1, 1, 1), dt.date(9999, 12, 31)]
    path = tmp_path / "days.xlsx"
    table = Table("days", "", "", (Column("day", "date32", "", ""),))
    result = write_excel(pa.table({"day": days}), path, table)
    found = [row[0].value for row in openpyxl.load_workbook(path)["days"].iter_rows(min_row=2)]
    assert found[1:3] == ["1900-02-28", "0001-01-01"]
    assert [value.date() for value in (found[0], found[3])] == [days[0], days[3]]
    assert result.losses == {"early_dates": 2}
    assert read_excel(path, table)["day"].tolist() == days


def test_no_cell_is_ever_a_formula_or_a_link(tmp_path):
    """Whatever text begins with, the cell is text, and the package holds no formula, link or outside relation."""
    values = [
        "=1+1",
        "{=1}",
        "+1",
        "-1",
        "@a",
        "http://a.example",
        "mailto:a@b.example",
        "internal:A1",
        "=HYPERLINK(1)",
    ]
    path = tmp_path / "text.xlsx"
    assert text_book(tmp_path, values) == (values, values)
    for row in openpyxl.load_workbook(path)["text"].iter_rows(min_row=2):
        # openpyxl takes any text that begins with = for a formula: the file itself must say what it is.
        assert row[1].hyperlink is None
    with zipfile.ZipFile(path) as package:
        assert package.testzip() is None
        for name in package.namelist():
            xml = package.read(name).decode()
            ET.fromstring(xml)  # noqa: S314 - our own file
            assert not re.search(r"<f[ >/]|hyperlink|TargetMode|externalLink", xml)
        assert set(re.findall(r' t="(\w+)"', package.read("xl/worksheets/sheet1.xml").decode())) == {
            "inlineStr"
        }


def test_text_comes_back_in_other_readers(tmp_path):
    """Markup, escapes of Excel's own, edge spaces, line breaks and emoji are the same text for other readers."""
    values = [
        "<b>&amp;\"'</b>",
        " a  b ",
        "\ttab",
        "two\nlines",
        "]]>",
        "👨‍👩‍👧‍👦",
        "\u202eevil\u202c",
        "a\u00a0",
        "می‌خواهم",
    ]
    assert text_book(tmp_path, values) == (values, values)


def test_an_escape_of_excels_own_is_escaped(tmp_path):
    """Text that looks like Excel's code for a character is written so that Excel shows it as it is."""
    path = tmp_path / "text.xlsx"
    text_book(tmp_path, ["_x0041_x0042_ _x00e9_ _xyz_"])
    xml = zipfile.ZipFile(path).read("xl/worksheets/sheet1.xml").decode()
    assert "<t>_x005F_x0041_x005F_x0042_ _x005F_x00e9_ _xyz_</t>" in xml
    table = Table("text", "", "", (Column("n", "int64", "", ""), Column("text", "string", "", "")))
    assert read_excel(path, table)["text"].tolist() == ["_x0041_x0042_ _x00e9_ _xyz_"]


@pytest.mark.parametrize(
    ("text", "kept", "kind"),
    [
        ("a\0b\x1fc\ufffe\uffffd", "abcd", "characters"),
        ("a\r\nb\rc", "a\nb\nc", "line_breaks"),
        ("x" * (CELL_UNITS + 1), "x" * CELL_UNITS, "long_text"),
        ("x" * (CELL_UNITS - 1) + "😀", "x" * (CELL_UNITS - 1), "long_text"),
        ("", None, "empty_text"),
        ("\0", None, "empty_text"),
    ],
)
@pytest.mark.parametrize("encode", [False, True], ids=["plain", "encoded"])
def test_text_that_excel_cannot_hold_is_reduced_and_counted(text, kept, kind, encode):
    """Each kind of loss is taken from the value and counted once for each row, encoded or not."""
    column = pa.chunked_array([["fine", text, None, text, "x" * CELL_UNITS]])
    table = pa.table({"t": column.dictionary_encode() if encode else column})
    rows, losses = reduced(table)
    assert rows["t"].to_pylist() == ["fine", kept, None, kept, "x" * CELL_UNITS]
    assert losses[kind] == 2
    assert set(losses) <= {kind, "characters"}
    assert rows.schema == table.schema


def test_stamps_lose_zone_and_microseconds():
    """A stamp is cut to its millisecond; of the hour that clocks repeat, the first is meant; both are counted."""
    zone = pa.timestamp("us", "Asia/Tehran")
    moments = [
        dt.datetime(2025, 10, 21, 7, 32, 2, 960_001, tzinfo=dt.UTC),
        dt.datetime(2022, 9, 21, 19, 45, tzinfo=dt.UTC),  # 23:15 for the second time
        dt.datetime(2022, 3, 21, 20, 30, tzinfo=dt.UTC),  # the first moment behind the gap
        None,
    ]
    rows, losses = reduced(pa.table({"t": pa.array(moments, zone)}))
    back = [None if v is None else v.astimezone(dt.UTC) for v in rows["t"].to_pylist()]
    assert back[0] == moments[0].replace(microsecond=960_000)
    assert back[1] == moments[1] - dt.timedelta(hours=1)
    assert back[2:] == moments[2:]
    assert losses == {"zone": 3, "microseconds": 1}


def test_numbers_that_excel_would_round_are_text(tmp_path):
    """Whole numbers of more than 15 digits go as text and come back; NaN and infinities become null."""
    numbers = [999_999_999_999_999, 1_000_000_000_000_001, -(2**63), None]
    rows = pa.table({"n": numbers, "f": [float("nan"), float("inf"), 0.1, -0.0]})
    path = tmp_path / "n.xlsx"
    result = write_excel(rows, path)
    assert result.losses == {"long_numbers": 2, "not_finite": 2}
    table = Table("n", "", "", (Column("n", "int64", "", ""), Column("f", "float64", "", "")))
    back = read_excel(path, table)
    assert back["n"].tolist()[:3] == numbers[:3]
    assert back["f"].tolist()[2:] == [0.1, 0.0]
    found = [row[0].data_type for row in openpyxl.load_workbook(path)["n"].iter_rows(min_row=2)]
    assert found[:3] == ["n", "s", "s"]


def test_a_full_sheet_goes_on_in_the_next(tmp_path, monkeypatch):
    """A table that does not fit on one sheet goes on, each sheet with its heading, and comes back whole."""
    assert excel.SHEET_ROWS == 1_048_575
    monkeypatch.setattr(excel, "SHEET_ROWS", 10)
    rows = pa.table({"contact_id": list(range(25)), "group_id": [7] * 25})
    with ExcelTarget(tmp_path, RUN) as target, target.open(TABLES["contact_groups"]) as loader:
        for at in range(0, 25, 4):
            loader.append(rows.slice(at, 4))
    path = tmp_path / "contacts.xlsx"
    found = openpyxl.load_workbook(path)
    assert found.sheetnames == ["contact_groups", "contact_groups 2", "contact_groups 3", "about"]
    assert [sheet.max_row for sheet in found][:3] == [11, 11, 6]
    assert {sheet["A1"].value for sheet in found.worksheets[:3]} == {"contact_id"}
    assert found["contact_groups 2"]["A2"].value == 10
    back = read_excel(path, TABLES["contact_groups"])
    assert pa.table(back).to_pydict() == rows.to_pydict()
    assert read_excel(path)["contact_id"].tolist() == [str(number) for number in range(25)]
    monkeypatch.setattr(excel, "SHEET_ROWS", 25)
    assert write_excel(rows, tmp_path / "exact.xlsx").rows == 25
    assert openpyxl.load_workbook(tmp_path / "exact.xlsx").sheetnames == ["exact", "about"]


def test_a_sheet_that_only_looks_like_more_is_left_out(tmp_path):
    """Without a table, a sheet with a number behind the first one's name but other headings is one of its own."""
    path, made = tmp_path / "a.xlsx", openpyxl.Workbook()
    made.active.title = "plan"
    made.active.append(["a"])
    made.active.append(["1"])
    made.create_sheet("plan 2").append(["b"])
    made["plan 2"].append(["2"])
    made.save(path)
    assert read_excel(path).to_dict("list") == {"a": ["1"]}


def test_the_about_sheet_tells_the_run_the_losses_and_every_column(tmp_path):
    """The about sheet names the run, what was reduced, and the meaning of each column in both languages."""
    path = book(tmp_path, contact(address="a\0b"))
    rows = list(openpyxl.load_workbook(path)["about"].iter_rows(min_row=2, values_only=True))
    assert ("run", "run_id", None, None, RUN.run_id) in rows
    assert any(row[:4] == ("contacts", None, None, "characters") and "1." in row[4] for row in rows)
    for column in TABLES["contacts"].columns:
        kind = str(arrow_schema(TABLES["contacts"]).field(column.name).type)
        assert ("contacts", column.name, column.label, kind, column.description) in rows


def test_the_workbook_says_of_itself_what_a_proved_writer_says(tmp_path):
    """XlsxWriter's file of the same sheet and ours are the same to openpyxl: panes, filter, looks, types, values."""
    ours, theirs = tmp_path / "ours.xlsx", tmp_path / "theirs.xlsx"
    write_excel(
        pa.table({"n": [7], "t": ["=1 <b>"], "d": [dt.date(2025, 10, 21)], "b": [True], "f": [0.5]}),
        ours,
        Table(
            "t",
            "",
            "",
            tuple(
                Column(n, t, "", "")
                for n, t in zip("ntdbf", ("int64", "string", "date32", "bool", "float64"), strict=True)
            ),
        ),
    )
    with xlsxwriter.Workbook(theirs) as made:
        sheet = made.add_worksheet("t")
        bold, day, text, whole, flag = (
            made.add_format(f)
            for f in (
                {"bold": True, "num_format": "@"},
                {"num_format": "yyyy\\-mm\\-dd"},
                {"num_format": "@"},
                {"num_format": "0"},
                {"num_format": '"TRUE";"TRUE";"FALSE"'},
            )
        )
        sheet.right_to_left()
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, 1, 4)
        for at, heading in enumerate("ntdbf"):
            sheet.write_string(0, at, heading, bold)
        sheet.write_number(1, 0, 7, whole)
        sheet.write_string(1, 1, "=1 <b>", text)
        sheet.write_datetime(1, 2, dt.date(2025, 10, 21), day)
        sheet.write_boolean(1, 3, True, flag)
        sheet.write_number(1, 4, 0.5)
    one, other = (openpyxl.load_workbook(path)["t"] for path in (ours, theirs))
    assert one.freeze_panes == other.freeze_panes
    assert one.auto_filter.ref == other.auto_filter.ref
    assert one.sheet_view.rightToLeft == other.sheet_view.rightToLeft
    assert one.dimensions == other.dimensions
    for row, twin in zip(one.iter_rows(), other.iter_rows(), strict=True):
        for cell, like in zip(row, twin, strict=True):
            assert (cell.value, cell.number_format, cell.font.b) == (
                like.value,
                like.number_format,
                like.font.b,
            )
    # The parts of a sheet stand in one order that Excel insists on.
    assert _order(ours) == [tag for tag in _order(theirs) if tag in _order(ours)]
    assert set(_order(theirs)) - set(_order(ours)) == set()


def _order(path) -> list[str]:
    root = ET.fromstring(zipfile.ZipFile(path).read("xl/worksheets/sheet1.xml"))  # noqa: S314 - our own file
    known = ("dimension", "sheetViews", "sheetFormatPr", "sheetData", "autoFilter", "pageMargins")
    return [child.tag.removeprefix(MAIN) for child in root if child.tag.removeprefix(MAIN) in known]


@settings(max_examples=200)
@given(
    wanted=st.text(max_size=60),
    taken=st.lists(st.text(max_size=31), max_size=3),
    continued=st.integers(1, 12),
)
def test_any_name_becomes_one_that_excel_allows(wanted, taken, continued):
    """A sheet's name has 1 to 31 UTF-16 units, none of the forbidden characters, and no twin."""
    name = sheet_name(wanted, taken, continued)
    assert 1 <= len(name.encode("utf-16-le")) // 2 <= 31
    assert not set(name) & set("[]:*?/\\\0")
    assert not name.startswith("'")
    assert not name.endswith("'")
    assert name.lower() not in {other.lower() for other in taken}


def test_the_extra_is_named_when_it_is_missing(tmp_path, monkeypatch):
    """Without the reader's package the error says what to install."""
    path = tmp_path / "a.xlsx"
    write_excel(pd.DataFrame({"a": [1]}), path)
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(SettingsError, match=r"pip install '\.\[excel\]' in the checkout"):
        read_excel(path)


def test_pieces_are_the_sheets(tmp_path, monkeypatch):
    """Read piece by piece, over several sheets, a table is the same as read at once, rows of nothing among it."""
    monkeypatch.setattr(excel_pieces, "_PIECE_BYTES", 2000)
    monkeypatch.setattr(excel_pieces, "_BLOCK", 300)
    monkeypatch.setattr(excel, "SHEET_ROWS", 150)
    moment = dt.datetime(2025, 10, 21, 7, 32, 2, tzinfo=dt.UTC)
    rows = [
        {
            "contact_id": number if number % 7 else None,
            "active": bool(number % 2),
            "first_name": f"<نام> & {number}" if number % 3 else None,
            "birth_date": dt.date(1991, 8, 3) if number % 5 else None,
            "updated_at": moment if number % 2 else None,
        }
        if number % 50 < 40
        else {}
        for number in range(400)
    ]
    schema = arrow_schema(TABLES["contacts"]).remove_metadata()
    path = book(tmp_path, pa.Table.from_pylist(rows, schema=schema))
    assert len(openpyxl.load_workbook(path).sheetnames) > 3
    pieces = list(iter_excel(path, TABLES["contacts"]))
    assert len(pieces) > 15
    found = pa.concat_tables(pieces).to_pylist()
    # The last rows have no value: a reader of the whole sheet cannot tell that they are there.
    assert found == pa.Table.from_pylist(rows, schema=schema).to_pylist()
    assert pa.concat_tables(iter_excel(path, TABLES["contact_groups"])).to_pylist() == [
        {"contact_id": 1, "group_id": 7}
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda xml: xml.replace(b"<sheetData>", b"<sheetData >"),
        lambda xml: xml.replace(b'<row r="1">', b'<row\tr="1">'),
        lambda xml: xml.replace(b"</row></sheetData>", b"</row ></sheetData>"),
        lambda xml: xml[: xml.index(b"<sheetData>")] + b"</worksheet>",
    ],
)
def test_pieces_of_a_sheet_of_another_make(tmp_path, change):
    """A sheet that is laid out in another way than ours, or whose headings are not the table's, is an error."""
    path = book(tmp_path, contact())
    other = tmp_path / "other.xlsx"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, change(content) if name.startswith("xl/worksheets/") else content)
    with pytest.raises(ValueError, match="not laid out as ours"):
        list(iter_excel(other, TABLES["contacts"]))
    renamed = Table("contacts", "", "", (Column("another", "int64", "", ""),))
    with pytest.raises(ValueError, match="other columns"):
        list(iter_excel(path, renamed))


def test_what_is_no_workbook_is_told_with_its_name(tmp_path):
    """A file of another kind is a ValueError, as the readers promise, and one that is not there is told as ever."""
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n")
    with pytest.raises(ValueError, match=r"a\.csv is no workbook"):
        read_excel(path)
    with pytest.raises(FileNotFoundError, match=r"nope\.xlsx"):
        read_excel(tmp_path / "nope.xlsx")
