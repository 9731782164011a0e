"""All formats of an export hold what its Parquet tables hold, whatever people typed and however it is shaped."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import json

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from amoot_etl import export, read_export
from amoot_etl.demo import AddressBook, Portal
from amoot_etl.errors import SettingsError
from amoot_etl.loaders.contract import as_table
from amoot_etl.loaders.formats import FORMATS
from amoot_etl.mapping import KINDS, read_mapping
from amoot_etl.pipeline.compare import compare_formats
from amoot_etl.pipeline.run import fingerprint
from amoot_etl.pipeline.verify import verify
from amoot_etl.shape import Shape

TODAY = dt.date(2026, 11, 21)

HOSTILE = [
    "=1+1",
    '=HYPERLINK("http://evil.example","x")',
    "{=1+1}",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "＝1+1",
    "'=1",
    "\t=1",
    "\r=1",
    '"quoted", and more',
    "two\nlines\r\nthree",
    "nul\0inside",
    "\x01\x1f\x7f",
    "\ufffe\uffff",
    "👨‍👩‍👧‍👦",
    "\u202eevil\u202c\u200f",
    "\ufeffbom",
    "می‌خواهم",
    "https://example.com",
    "_x0041_",
    "<b>&amp;</b> ]]>",
    "0912",
    "1e5",
    "TRUE",
    "NULL",
    "\ud83d half",
]
LONG = ("x" * 100_000, "😀" * 40_000)
FREE = (
    "FName",
    "LName",
    "CompanyTitle",
    "JobTitle",
    "CityName",
    "AddressText",
    "Email",
    "CustomText5",
    "CustomText6",
)
"""Fields in which anything may stand."""

MAPPING = read_mapping(
    {
        "custom_text_1": {"name": "national_id", "type": "national_id", "label": "کد ملی"},
        "custom_text_2": {"name": "balance", "type": "decimal", "places": 2, "label": "مانده"},
        "custom_text_3": {"name": "visits", "type": "integer"},
        "custom_text_4": {"name": "joined", "type": "date", "label": "تاریخ عضویت"},
        "custom_text_5": {"name": "note"},
        "custom_text_6": {"name": "payload", "type": "json"},
        "custom_date_1": {"name": "contract_date", "label": "تاریخ قرارداد"},
    }
)


def hostile_book() -> AddressBook:
    """Give a book in which every free field of some contact holds every hostile text, in titles of groups too."""
    book = AddressBook()
    groups = [book.add_group(title) for title in ("=1+1", "دوستان", "a | b")]
    for number, text in enumerate(HOSTILE):
        fields = {field: HOSTILE[(number + at) % len(HOSTILE)] for at, field in enumerate(FREE)}
        book.add(groups[: number % 4], Mobile=9121234500 + number, Score=text, **fields)
    book.add(Mobile=9121234500, AddressText=LONG[0], CustomText5=LONG[1])
    rows = [
        ("0084575948", "۱۲٬۵۰۰٫۵", "007", "1404/07/29", "2025-10-21T00:00:00"),
        ("84575948", "-0.01", "-12", "29 مهر 1404", "1899-12-31T00:00:00"),
        ("123", "1/2", "=1", "soon", None),
        ("", "9999999999999999.99", "999999999999999999", "1280/01/01", "1850-01-01T00:00:00"),
    ]
    for one, two, three, four, date in rows:
        fields = {"CustomText1": one, "CustomText2": two, "CustomText3": three, "CustomText4": four}
        book.add(CustomDate1=date, CustomText6='{"a": "=1"}', Mobile=2188776655, **fields)
    return book


@pytest.fixture(scope="module")
def portal():
    """Serve the hostile book."""
    with Portal(hostile_book()) as served:
        yield served


SHAPES = {
    "as documented": {},
    "for people": {"mapping": MAPPING, "labels": "fa", "csv_profile": "excel"},
    "chosen": {"mapping": MAPPING, "columns": ("full_name", "mobile", "balance"), "csv_compression": "zstd"},
    "without": {"exclude": ("mobile_raw", "groups", "extra", "updated_at"), "csv_compression": "gzip"},
}  # fmt: skip


def _form(entry, generation) -> pa.Table:
    """Give a table of another format, read back."""
    from amoot_etl.pipeline.compare import table_of  # noqa: PLC0415 - the reader needs what a mapping made

    declared = table_of(pq.read_schema(generation.file(entry["table"])), entry["table"])
    return as_table(FORMATS[entry["format"]].read(generation.path / entry["path"], declared))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_format_equals_the_parquet_tables(portal, settings_for, shape):
    """Hostile contacts go through every format, and each holds its Parquet table after the losses it declares."""
    settings = settings_for(portal, **SHAPES[shape])
    result = export(settings, formats=("csv", "xlsx"), raw=True, today=TODAY)
    report = verify(settings.out)
    assert report.problems == []
    generation = read_export(settings.out).generation
    checked = set()
    options = result.manifest["shape"]["options"]
    for entry in generation.files:
        if entry["format"] == "parquet":
            continue
        source = pq.read_table(generation.file(entry["table"])).replace_schema_metadata()
        found = _form(entry, generation)
        expected, losses = FORMATS[entry["format"]].reduced(
            source, name=entry["table"], **options[entry["format"]]
        )
        differing = [name for name in expected.column_names if not found[name].equals(expected[name])]
        assert (entry["path"], entry["table"], differing) == (entry["path"], entry["table"], [])
        assert losses == entry["losses"]
        checked.add((entry["table"], entry["format"]))
    plain = {"contacts", "groups", "contact_groups", "issues", "contacts_raw"}
    assert checked == {(table, form) for table in plain for form in ("csv", "xlsx")} | {
        ("calendar", "csv"),
        ("export_info", "csv"),
    }


def test_verify_sees_a_format_that_holds_something_else(portal, settings_for):
    """A single value changed in a CSV file of a mapped set is found, in its column."""
    settings = settings_for(portal, mapping=MAPPING, labels="fa", csv_profile="excel")
    export(settings, formats=("csv",), today=TODAY)
    generation = read_export(settings.out).generation
    path = generation.path / "contacts.csv"
    text = path.read_bytes()
    assert text.count(b'"12500.50"') == 1
    path.chmod(0o600)
    path.write_bytes(text.replace(b'"12500.50"', b'"12500.51"'))
    (problem,), _ = compare_formats(generation)
    assert "balance" in problem
    assert "1 row" in problem


def test_typed_columns_stand_as_declared(portal, settings_for):
    """Parquet has the mapping's types and Persian headings, and nothing of an invalid value but its issue."""
    settings = settings_for(portal, mapping=MAPPING)
    export(settings, today=TODAY)
    exported = read_export(settings.out)
    schema = pq.read_schema(exported.generation.file("contacts"))
    assert schema.names == list(settings.shape.contacts.names)
    assert [schema.field(name).type for name in ("national_id", "balance", "visits", "joined", "payload")] == [
        pa.string(), pa.decimal128(18, 2), pa.int64(), pa.date32(), pa.string(),
    ]  # fmt: skip
    assert schema.field("national_id").metadata[b"label_fa"].decode() == "کد ملی"
    assert schema.field("contract_date_jalali").metadata[b"source"] == b"CustomDate1,CustomDate1Per"
    last = exported.contacts.tail(4)
    assert last["national_id"].isna().tolist() == [False, False, True, True]
    assert last["visits"].tolist()[0] == 7
    issues = exported.issues
    told = issues[issues["rule"] == "custom_invalid"][["column", "value"]].to_numpy().tolist()
    assert ["national_id", "123"] in told
    assert ["balance", "1/2"] in told
    assert ["visits", "=1"] in told
    assert ["joined", "soon"] in told


def test_the_workbook_is_safe_and_persian(portal, settings_for):
    """No cell is a formula or a link, identifiers keep their zeros, headings and sheets are Persian."""
    settings = settings_for(portal, mapping=MAPPING, labels="fa")
    export(settings, formats=("xlsx",), today=TODAY)
    book = openpyxl.load_workbook(settings.out / "contacts.xlsx")
    assert book.sheetnames[0] == "مخاطبین"
    sheet = book["مخاطبین"]
    headings = [cell.value for cell in sheet[1]]
    assert {"نام", "موبایل", "تاریخ تولد", "کد ملی", "مانده", "تاریخ عضویت (شمسی)"} <= set(headings)
    for page in book:
        for row in page.iter_rows():
            for cell in row:
                assert cell.data_type != "f"
                assert cell.hyperlink is None
    column = headings.index("کد ملی") + 1
    ids = [cell for (cell,) in sheet.iter_rows(min_col=column, max_col=column, min_row=2) if cell.value]
    assert {(cell.value, cell.data_type, cell.number_format) for cell in ids} == {("0084575948", "s", "@")}
    days = headings.index("تاریخ عضویت") + 1
    assert any(cell.is_date for (cell,) in sheet.iter_rows(min_col=days, max_col=days, min_row=2))
    about = [[cell.value for cell in row] for row in book[book.sheetnames[-1]].iter_rows()]
    assert any("national_id" in row and "کد ملی" in row for row in about)


def test_csv_for_people_runs_no_formula(portal, settings_for):
    """In the excel profile no cell of free text begins with what a spreadsheet runs; the file begins with a mark."""
    settings = settings_for(portal, mapping=MAPPING, csv_profile="excel", labels="fa")
    export(settings, formats=("csv",), today=TODAY)
    for name in ("contacts.csv", "groups.csv", "issues.csv"):
        text = (settings.out / name).read_bytes()
        assert text.startswith(b"\xef\xbb\xbf")
        with (settings.out / name).open(encoding="utf-8-sig", newline="") as file:
            csv.field_size_limit(1 << 20)
            heading, *rows = list(csv.reader(file))
        numbers = {at for at, label in enumerate(heading) if label in {"مانده", "متن دلخواه 3"}}
        for row in rows:
            for at, cell in enumerate(row):
                assert at in numbers or cell[:1] not in set("=+-@\t\r＝＋－＠"), (
                    name,
                    heading[at],
                    cell[:20],
                )


def test_what_nobody_wants_is_nowhere(portal, settings_for):
    """A column left out is in no format, and its values are not among the issues."""
    settings = settings_for(portal, columns=("full_name", "mobile_kind"))
    result = export(settings, formats=("csv", "xlsx"), today=TODAY)
    exported = read_export(settings.out)
    assert list(exported.contacts.columns) == ["contact_id", "mobile_kind", "full_name"]
    # The number shares its field with its kind, so its issues are told; an address's are not.
    assert set(exported.issues["column"].dropna()) == {"mobile"}
    shared = exported.issues.query("rule == 'mobile_duplicate'")
    assert len(shared) == 2
    assert shared["value"].isna().all()
    assert sum(result.manifest["issues"].values()) == len(exported.issues)
    assert (
        (settings.out / "contacts.csv").read_bytes().startswith(b'"contact_id","mobile_kind","full_name"\n')
    )
    assert list(result.manifest["shape"]["columns"]) == ["contact_id", "mobile_kind", "full_name"]


def test_later_runs_write_the_formats_as_the_current_set_has_them(portal, settings_for):
    """Profile, headings and compression go on until somebody asks for others; stale files are taken away."""
    first = settings_for(portal, labels="fa", csv_profile="excel", csv_compression="gzip")
    export(first, formats=("csv",), today=TODAY)
    later = export(settings_for(portal), today=TODAY)
    assert later.manifest["shape"]["options"]["csv"] == {
        "profile": "excel", "labels": "fa", "compression": "gzip",
    }  # fmt: skip
    with gzip.open(first.out / "contacts.csv.gz", "rt", encoding="utf-8-sig") as file:
        assert file.readline().startswith('"شناسه مخاطب","فعال"')
    export(settings_for(portal, labels="en", csv_compression="none"), today=TODAY)
    assert not (first.out / "contacts.csv.gz").exists()
    assert (first.out / "contacts.csv").read_bytes().startswith(b'\xef\xbb\xbf"contact_id"')
    assert verify(first.out).problems == []


def test_the_fingerprint_tells_shapes_apart():
    """Another name, type, choice or column is another set; the same words are the same one."""
    base = {"custom_text_1": {"name": "level", "type": "choice", "choices": ["a"]}}
    shapes = [
        Shape(),
        Shape(columns=("mobile",)),
        Shape(exclude=("mobile",)),
        Shape(read_mapping(base)),
        Shape(read_mapping({"custom_text_1": {**base["custom_text_1"], "choices": ["a", "b"]}})),
        Shape(read_mapping({"custom_text_1": {**base["custom_text_1"], "name": "rank"}})),
        Shape(read_mapping({"custom_text_1": {**base["custom_text_1"], "label": "رده"}})),
        *(Shape(read_mapping({"custom_text_2": {"type": kind}})) for kind in KINDS if kind != "choice"),
    ]  # fmt: skip
    marks = [fingerprint(raw=False, shape=shape) for shape in shapes]
    assert len(set(marks)) == len(marks)
    assert fingerprint(raw=False) == marks[0]
    assert fingerprint(raw=False, shape=Shape(read_mapping(base))) == marks[3]
    assert fingerprint(raw=True) != marks[0]


def test_choices_that_cannot_be_told_apart_stop_the_run_before_it_starts(portal, settings_for):
    """One word under two choices is a SettingsError, and nothing is written."""
    mapping = read_mapping({"custom_text_1": {"type": "choice", "choices": ["علی", "علي"]}})
    settings = settings_for(portal, mapping=mapping)
    with pytest.raises(SettingsError, match="would mean both"):
        export(settings, today=TODAY)
    assert not settings.out.exists()


def test_a_manifest_holds_the_shape_and_no_contact(portal, settings_for):
    """What the manifest says of the shape is the mapping and the options, and is there without any too."""
    settings = settings_for(portal)
    shape = export(settings, today=TODAY).manifest["shape"]
    assert shape == {**Shape().as_json(), "options": {}}
    assert json.loads((settings.out / "manifest.json").read_text(encoding="utf-8"))["shape"] == shape


def test_one_name_is_no_list_of_formats(settings_for):
    """Its letters would be taken for names."""
    with Portal(AddressBook()) as portal, pytest.raises(TypeError, match=r'\["csv"\]'):
        export(settings_for(portal), formats="csv")
