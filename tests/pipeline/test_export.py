"""export against the embedded portal: the tables, the proof, the odd accounts, the turns of the road."""

from __future__ import annotations

import datetime as dt
import errno
import json
import random
from functools import partial
from pathlib import Path

import oracle
import pyarrow.parquet as pq
import pytest

from amoot_etl import changes, errors, export, read_export, sync
from amoot_etl.demo import DEMO_TOKEN, DIRTY, AddressBook, Fault, Portal
from amoot_etl.extractors import landing
from amoot_etl.extractors.body import BodyReader
from amoot_etl.pipeline import collect, publishing, tables
from amoot_etl.pipeline.sink import DraftSink, Tables
from amoot_etl.pipeline.verify import verify
from amoot_etl.schema import TABLES

TODAY = dt.date(2026, 11, 1)

_MESS = {
    "Mobile": [
        *(9123456789, "0912 345 6789", "۰۹۱۲۳۴۵۶۷۸۹", "+98-935-1234567", 9647701234567, "2188776655", 912),
        *("9120000000.0", None, "", 0, "00989351112233", 9061234567, "09351112233 / 09121112233", "x"),
        *(True, 98912000000, 971501234567),
    ],
    "FName": [
        *("علي", "كاظم", "  مریم  ", "نیم\u200cفاصله", "", " ", None, "a\tb\nc", "ﻣﺤﻤﺪ", 5, "=1+1"),
        *("\u200eعلی\u200f", "👨‍👩‍👧", {"a": 1}),
    ],
    "AddressText": [
        *("تهران، خ ۱۲", "«نقل»", "\u00a0فاصله\u00a0", "x" * 500, None, [1, 2], '{"نه": "شیء"}', "¬"),
    ],
    "Email": [
        *("A.B@Example.COM", "x@y", " a@b.ir ", "علی@مثال.ایران", "a@b.ir\u200f", None, "a b@c.ir", "۱@b.ir"),
    ],
    "GenderType": [True, False, None, "maybe", 1, 0, "true"],
    "GenderTypeStr": ["آقا", "خانم", "", None, "آقاي", "؟"],
    "BornDate": [
        *("1991-08-03T00:00:00", None, "0001-01-01T00:00:00", "1370-05-12T00:00:00", "1991-08-02T19:30:00Z"),
        *(
            "2090-01-01T00:00:00",
            "1850-01-01",
            "1700-01-01T00:00:00",
            "soon",
            "1992-03-22T00:00:00",
            19910803,
        ),
    ],
    "BornDatePer": [
        *("1370/05/12", "", None, "۱۳۷۰/۵/۱۲", "12 مرداد 1370", "1991/08/03", "70/05/12", "05/06/07"),
        *("1404/12/30", "29/07/1370", "13700512", "____/__/__", "شنبه 12 مردادماه 1370"),
    ],
    "UpdateDateTime": [
        *("2025-10-21T11:03:41.96", "2022-03-22T00:30:00", "2021-09-21T23:30:00.1234567", None, "bad"),
        *("2025-10-21T11:03:41Z", "0001-01-01T00:00:00"),
    ],
    "Active": [True, False, None, "yes", 1, "false"],
    "CustomDate1Per": ["1404/01/01", "1403/12/30", "2025/10/21", ""],
}


def _messy_book(contacts: int, seed: int) -> AddressBook:
    """Give an invented book in which most contacts have some dirty values."""
    rng = random.Random(seed)
    book = AddressBook.invent(contacts=contacts, seed=seed)
    for contact_id in list(book):
        record, labels = book.contact(contact_id), book.labels(contact_id)
        for field in rng.sample(list(_MESS), rng.randrange(5)):
            record[field] = rng.choice(_MESS[field])
        if rng.random() < 0.01:
            record["Score"] = rng.choice([5, "5", {"deep": [1, {"x": None}]}, None, True])
        book.put(contact_id, record, labels)
    return book


def _rows(exported) -> dict[int, dict]:
    frame = exported.contacts
    return {
        row["contact_id"]: row for row in frame.astype(object).where(frame.notna(), None).to_dict("records")
    }


def _same(column: str, left: object, right: object) -> bool:
    if column == "extra" and left and right:
        return json.loads(left) == json.loads(right)
    return left == right


def test_tables_equal_an_independent_computation(settings_for):
    """Thousands of dirty contacts come out as a slow, plain computation apart from the product has them."""
    book = _messy_book(3500, seed=7)
    listings = {group: [json.loads(row) for row in book.listing(group)] for group in (*book.groups(), -1)}
    expected = oracle.expected_tables(listings, book.groups(), today=TODAY)
    with Portal(book) as portal:
        export(settings_for(portal), today=TODAY)
        tables = read_export(settings_for(portal).out)
    rows = _rows(tables)
    assert rows.keys() == expected.contacts.keys()
    wrong = [
        (contact_id, column, rows[contact_id][column], value)
        for contact_id, row in expected.contacts.items()
        for column, value in row.items()
        if not _same(column, rows[contact_id][column], value)
    ]
    assert wrong == []
    issues = tables.issues.astype(object).where(tables.issues.notna(), None)
    told = set(issues[["contact_id", "column", "rule"]].itertuples(index=False, name=None))
    assert told == expected.issues
    pairs = set(tables.contact_groups.itertuples(index=False, name=None))
    assert pairs == expected.contact_groups


def test_dirty_table_comes_out_right(settings_for):
    """Each dirty contact has the columns and the issues that its row expects, and no others."""
    with Portal(AddressBook.invent(contacts=700)) as portal:
        export(settings_for(portal))
        tables = read_export(settings_for(portal).out)
    rows = _rows(tables)
    issues: dict[int, set] = {}
    for contact, column, rule in tables.issues[["contact_id", "column", "rule"]].itertuples(
        index=False, name=None
    ):
        if rule != "unknown_field":
            issues.setdefault(contact, set()).add((column, rule))
    for number, dirty in enumerate(DIRTY):
        contact_id = 900_001 + number
        for column, value in dirty.expected(contact_id).items():
            assert rows[contact_id][column] == value, (dirty.shows, column)
        assert issues.get(contact_id, set()) == set(dirty.issues), dirty.shows


def test_schema_is_as_declared(settings_for):
    """Every table has its columns in order with their types, descriptions and the run in the metadata."""
    with Portal(AddressBook.invent(contacts=150)) as portal:
        result = export(settings_for(portal), raw=True)
    for name, table in TABLES.items():
        schema = pq.read_schema(result.folder / f"{name}.parquet")
        assert tuple(schema.names) == table.names
        assert schema.metadata[b"run_id"].decode() == result.run_id
        assert all(field.metadata[b"description"] for field in schema)
    assert pq.read_table(result.folder / "contacts_raw.parquet").num_rows == 150


def test_every_cut_gives_the_same_tables(settings_for, tmp_path, monkeypatch):
    """Segments of a few kilobytes, cut anywhere between records, change no row."""
    book = _messy_book(600, seed=3)
    with Portal(book) as portal:
        export(settings_for(portal, out=tmp_path / "whole"), today=TODAY)
        monkeypatch.setitem(landing.Landing.__init__.__kwdefaults__, "segment_bytes", 4000)
        export(settings_for(portal, out=tmp_path / "cut"), today=TODAY)
    whole, cut = (read_export(tmp_path / name) for name in ("whole", "cut"))
    assert _rows(whole) == _rows(cut)
    key = ["contact_id", "column", "rule", "value", "detail"]
    assert (
        whole.issues[key].sort_values(key).values.tolist() == cut.issues[key].sort_values(key).values.tolist()
    )


def _book(groups: int = 0, contacts: int = 0, labelled: bool = False) -> AddressBook:
    book = AddressBook()
    ids = [book.add_group(f"گروه {number}") for number in range(groups)]
    for _ in range(contacts):
        book.add(groups=ids[:1] if labelled else ())
    return book


@pytest.mark.parametrize(
    ("book", "contacts", "memberships", "listed"),
    [
        (_book(), 0, 0, ["0"]),
        (_book(contacts=3), 3, 0, ["0"]),
        (_book(groups=2), 0, 0, ["-1", "1", "2"]),
        (_book(groups=1, contacts=3, labelled=True), 3, 3, ["-1", "1"]),
        (_book(groups=3, contacts=3), 3, 0, ["-1", "1", "2", "3"]),
    ],
    ids=["nothing", "no groups", "empty groups", "one group holds all", "groups and nobody in them"],
)
def test_odd_accounts(settings_for, book, contacts, memberships, listed):
    """Accounts without groups, without contacts, with empty groups or one that holds everything."""
    with Portal(book) as portal:
        result = export(settings_for(portal))
        asked = [call.fields["ContactGroupID"] for call in portal.calls if call.method == "ContactList"]
    tables = read_export(result.folder)
    assert len(tables.contacts) == contacts
    assert len(tables.contact_groups) == memberships
    ids = {group: str(number) for number, group in enumerate(sorted(book.groups()), 1)}
    assert sorted(ids.get(int(group), group) for group in asked) == listed
    assert result.manifest["reconciliation"]["updates"]["state"] == "proved"
    assert verify(result.folder).problems == []


def test_token_for_two_methods_is_enough(settings_for):
    """A token that may only list groups and contacts exports; completeness is told as not proved."""
    book = AddressBook.invent(contacts=200)
    with Portal(book, methods=["ContactGroupList", "ContactList"]) as portal:
        result = export(settings_for(portal))
    assert result.manifest["counts"]["kept"] == 200
    assert result.manifest["reconciliation"]["updates"] == {
        "state": "not proved",
        "why": "the token may not call ContactListUpdates",
        "fetched": 0,
        "unsettled": 0,
    }


@pytest.mark.parametrize("updates", ["empty", "recent"])
def test_partial_updates_prove_nothing_and_remove_nobody(settings_for, updates):
    """A list of changes that lacks contacts is no error and no deletion."""
    book = AddressBook.invent(contacts=200)
    book.updates = updates
    with Portal(book) as portal:
        result = export(settings_for(portal))
    proof = result.manifest["reconciliation"]["updates"]
    assert (proof["state"], result.manifest["counts"]["kept"]) == ("not proved", 200)
    assert "does not mention" in proof["why"]


def _during(portal: Portal, method: str, change) -> None:
    """Change the world once, when the portal is first asked for a method."""
    answer = portal.answer
    done = []

    def changing(asked, fields, token):
        if asked == method and not done:
            done.append(asked)
            change()
        return answer(asked, fields, token)

    portal.answer = changing


def test_contact_that_changes_while_listed_is_fetched(settings_for):
    """A stamp that moved after the listing brings the newer record, in every column."""
    book = AddressBook.invent(contacts=200)
    victim = next(iter(book))
    with Portal(book) as portal:
        _during(portal, "ContactListUpdates", lambda: book.edit(victim, FName="تازه"))
        result = export(settings_for(portal))
    tables = read_export(result.folder)
    assert _rows(tables)[victim]["first_name"] == "تازه"
    assert result.manifest["reconciliation"]["updates"]["fetched"] == 1
    assert result.manifest["reconciliation"]["updates"]["state"] == "proved"


def test_contact_added_while_listed_is_fetched(settings_for):
    """A contact that no listing held and the updates tell of is there."""
    book = AddressBook.invent(contacts=200)
    with Portal(book) as portal:
        _during(portal, "ContactListUpdates", lambda: book.add(FName="نو"))
        result = export(settings_for(portal))
    assert len(read_export(result.folder).contacts) == 201


def test_contact_deleted_before_it_is_fetched_is_gone(settings_for):
    """ContactID_Invalid proves that a contact is gone, with its memberships."""
    book = AddressBook.invent(contacts=200)
    victim = next(contact for contact in book if book.labels(contact))
    with Portal(book) as portal:
        _during(portal, "ContactListUpdates", lambda: book.edit(victim, FName="رفتنی"))
        _during(portal, "ContactGet", lambda: book.delete(victim))
        result = export(settings_for(portal))
    tables = read_export(result.folder)
    assert victim not in _rows(tables)
    assert victim not in set(tables.contact_groups["contact_id"])
    assert verify(result.folder).problems == []


def test_many_changes_are_listed_again(settings_for):
    """When very many contacts moved, everything is listed again rather than asked for one by one."""
    book = AddressBook.invent(contacts=300)
    with Portal(book) as portal:
        _during(
            portal, "ContactListUpdates", lambda: [book.edit(contact, FName="همه") for contact in list(book)]
        )
        result = export(settings_for(portal))
        assert not [call for call in portal.calls if call.method == "ContactGet"]
    assert set(read_export(result.folder).contacts["first_name"]) == {"همه"}


def test_group_dropped_in_mid_run_is_no_failure(settings_for):
    """ContactGroupID_Invalid in mid-run makes us list the groups again."""
    book = AddressBook.invent(contacts=200)
    gone = max(book.groups())
    with Portal(book) as portal:
        _during(portal, "ContactList", lambda: book.drop_group(gone))
        result = export(settings_for(portal))
    tables = read_export(result.folder)
    assert gone not in set(tables.groups["group_id"])
    assert len(tables.contacts) == 200


def test_body_that_dies_after_segments_were_taken_starts_over(settings_for, monkeypatch):
    """Rows built from an attempt that failed do not reach the tables."""
    monkeypatch.setitem(landing.Landing.__init__.__kwdefaults__, "segment_bytes", 20_000)
    book = _book(groups=1, contacts=600, labelled=True)
    with Portal(book) as portal:
        portal.plan(Fault.reset("in"), "ContactList", calls=[1])
        result = export(settings_for(portal))
    tables = read_export(result.folder)
    assert len(tables.contacts) == 600
    assert tables.contacts["contact_id"].is_unique
    assert result.manifest["counts"]["received"] == 600


def test_record_cut_in_two_is_read_as_a_stream(settings_for, monkeypatch):
    """A nested value that looks like the gap between records tears a segment, and loses nothing."""
    monkeypatch.setitem(landing.Landing.__init__.__kwdefaults__, "segment_bytes", 3000)
    book = _book(groups=2, contacts=50, labelled=True)
    for contact in list(book):
        record = book.contact(contact)
        record["Links"] = [{"ID": number} for number in range(300)]
        book.put(contact, record, book.labels(contact))
    with Portal(book) as portal:
        result = export(settings_for(portal))
    tables = read_export(result.folder)
    assert len(tables.contacts) == 50
    assert all(len(json.loads(text)["Links"]) == 300 for text in tables.contacts["extra"])


@pytest.mark.parametrize("odd", ["\x00", "\x00b", "a\x00b", "id", 'a"b', "c0"])
def test_field_of_any_name_is_kept(settings_for, monkeypatch, odd):
    """Also one whose name no column of DuckDB's can have, beside contacts without it and in several listings."""
    monkeypatch.setitem(landing.Landing.__init__.__kwdefaults__, "segment_bytes", 3000)
    book = _book(groups=2, contacts=50, labelled=True)
    for contact in book:
        book.relabel(contact, add=book.groups())
    first, second, *_ = book
    for contact, value in ((first, "x"), (second, "y")):
        book.put(contact, {**book.contact(contact), odd: value}, book.labels(contact))
    with Portal(book) as portal:
        result = export(settings_for(portal))
    tables = read_export(result.folder)
    contacts = tables.contacts.set_index("contact_id")
    assert contacts["extra"].dropna().map(json.loads).to_dict() == {first: {odd: "x"}, second: {odd: "y"}}
    assert tables.issues["rule"].tolist() == ["unknown_field"]


LONG = "7" * 5000
ONE = '{"ID":1,"FName":"a"},'


@pytest.mark.parametrize(
    ("records", "extra"),
    [
        (ONE + '{"ID":2,"Note" : "b"}', {2: {"Note": "b"}}),
        (ONE + '{"ID":2,"Note"\n:"b"},{"ID":3,"FName":"12 : 30"}', {2: {"Note": "b"}}),
        (ONE + '{"ID":2,"Note":["a\nb"]}', {2: {"Note": '["a\nb"]'}}),
        (ONE + '{"ID":2,"Note":oops}', {2: {"Note": "oops"}}),
        (ONE + '{"ID":2,"Note":007}', {2: {"Note": "007"}}),
        (ONE + '{"ID":2,"Note":NaN}', {2: {"Note": "NaN"}}),
        (ONE + '{"ID":2,"Note":{"a":}}', {2: {"Note": '{"a":}'}}),
        (ONE + '{"ID":2,"Note":}', {2: {"Note": ""}}),
        (ONE + '{"ID":2,"Note":' + LONG + "}", {2: {"Note": LONG}}),
        (ONE + '{"ID":2,"Note":[' + LONG + "]}", {2: {"Note": [LONG]}}),
        (ONE + '{"ID":2,"FName":"b","FName":null}', {2: {"FName (earlier)": "b"}}),
        (
            ONE + '{"ID":2,"Note":1,"Note":"b","Note":null}',
            {2: {"Note (earlier)": 1, "Note (earlier) (earlier)": "b"}},
        ),
        (ONE + '{"ID":2,"_unreadable":"b"}', {2: {"_unreadable_": "b"}}),
        (ONE + '{"ID":2,"_literals":"b","_literals_":"c"}', {2: {"_literals__": "b", "_literals_": "c"}}),
    ],
)
def test_an_odd_field_is_kept_and_ends_nothing(settings_for, records, extra):
    """What the portal does not document stands in `extra`, as JSON that everybody can read."""
    body = b'{"Status":"Success","Data":[%s]}' % records.encode()
    book = AddressBook()
    book.updates = "empty"
    with Portal(book, bodies={0: lambda: [body]}) as portal:
        result = export(settings_for(portal))
    contacts = read_export(result.folder).contacts.set_index("contact_id")
    # Python alone refuses to read numbers so long.
    told = {
        contact: json.loads(text, parse_int=lambda digits: digits if len(digits) > 99 else int(digits))
        for contact, text in contacts["extra"].dropna().items()
    }
    assert told == extra


def test_odd_groups_end_no_export(settings_for):
    """A title that no file can hold is told as well as can be, and a count that no column holds is none."""
    counts = '"ContactsCount":100000000000000000000,"ContactsActiveCount":"1_0"'
    groups = b'{"Status":"Success","Data":[%s]}' % b",".join(
        f'{{"ContactGroupID":{number},"Title":{title},{counts}}}'.encode()
        for number, title in ((1, '"a\\ud800"'), (2, '{"b":true}'), (3, "null"))
    )
    book = AddressBook()
    for number in (1, 2, 3):
        book.add_group("x", number)
        book.add(groups=[number])
    with Portal(book, bodies={"ContactGroupList": lambda: [groups]}) as portal:
        result = export(settings_for(portal))
        book.edit(min(book), CityName="یزد")
        again = sync(settings_for(portal))
    told = "group 1: the portal tells no count"
    assert f"{told} and lists 1" in result.warnings
    assert f"{told} and lists 1" in again.warnings
    tables = read_export(result.folder)
    assert tables.groups["title"].fillna("").tolist() == ["a\ufffd", '{"b": true}', ""]
    assert tables.groups["contacts_count"].isna().all()
    assert len(tables.contacts) == 3


def test_a_number_in_other_digits_is_no_contact(settings_for):
    """`0x10` is an unreadable record, and not the contact 16."""
    body = b'{"Status":"Success","Data":[{"ID":16,"FName":"a"},{"ID":"0x10","FName":"b"},{"ID":"0X11"}]}'
    book = AddressBook()
    book.updates = "empty"
    with Portal(book, bodies={0: lambda: [body]}) as portal:
        result = export(settings_for(portal))
    tables = read_export(result.folder)
    assert tables.contacts[["contact_id", "first_name"]].values.tolist() == [[16, "a"]]
    unreadable = tables.issues[tables.issues["rule"] == "record_unreadable"]
    assert [json.loads(value)["ID"] for value in unreadable["value"]] == ["0x10", "0X11"]


def test_newest_record_wins_and_the_later_on_a_tie(settings_for):
    """Within one listing and across listings; repeats in one listing are an issue, never an error."""
    book = _book(groups=1, contacts=4)
    one, two, three, four = book
    group = next(iter(book.groups()))

    def record(contact, name, stamp):
        return {**book.contact(contact), "FName": name, "UpdateDateTime": stamp}

    body = [
        record(one, "old", "2025-01-01T00:00:00"),
        record(two, "new", "2025-01-02T00:00:00"),
        record(one, "new", "2025-01-02T00:00:00"),
        record(two, "old", "2025-01-01T00:00:00"),
        record(three, "earlier", "2025-01-01T00:00:00"),
        record(three, "later", "2025-01-01T00:00:00"),
        record(four, "old", "2025-01-01T00:00:00"),
    ]
    rest = [record(four, "new", "2025-01-01T00:00:00.01")]

    def served(records):
        return lambda: [json.dumps({"Status": "Success", "Data": records}).encode()]

    book.updates = "empty"
    with Portal(book, bodies={group: served(body), -1: served(rest)}) as portal:
        result = export(settings_for(portal), accept_shrink=True)
    tables = read_export(result.folder)
    assert {row["first_name"] for row in _rows(tables).values()} == {"new", "later"}
    assert result.manifest["issues"] == {"duplicate_id": 3, "mobile_duplicate": 4} or result.manifest[
        "issues"
    ] == {"duplicate_id": 3}
    counts = result.manifest["counts"]
    assert (counts["received"], counts["kept"], counts["repeated"]) == (8, 4, 4)
    assert _rows(tables)[four]["groups"] == "گروه 0"


def test_record_without_an_id_is_an_issue_and_reconciles(settings_for):
    """Its raw text is the issue's value, and the portal's count is met."""
    book = _book(groups=1, contacts=2, labelled=True)
    group = next(iter(book.groups()))
    records = [book.contact(contact) for contact in book]
    records[1]["ID"] = None
    body = json.dumps({"Status": "Success", "Data": records}, ensure_ascii=False).encode()
    book.updates = "empty"
    with Portal(book, bodies={group: lambda: [body]}) as portal:
        result = export(settings_for(portal))
    tables = read_export(result.folder)
    issue = tables.issues[tables.issues["rule"] == "record_unreadable"].iloc[0]
    assert json.loads(issue["value"]) == records[1]
    assert tables.groups["reconciled"].tolist() == [True]


def test_group_that_counts_and_lists_none_is_refused(settings_for):
    """An incomplete set never takes the place of a good one, and is not published as the first one either."""
    book = _book(groups=1, contacts=5, labelled=True)
    group = next(iter(book.groups()))
    with Portal(book) as portal:
        export(settings_for(portal))
    with (
        Portal(book, bodies={group: lambda: [b'{"Status":"Success","Data":[]}']}) as portal,
        pytest.raises(errors.RefusedError, match="lists none"),
    ):
        export(settings_for(portal))
    assert len(read_export(settings_for(portal).out).contacts) == 5


def test_only_some_groups(settings_for, tmp_path):
    """--group takes those groups' contacts, never replaces a full export, and knows unknown groups."""
    book = AddressBook.invent(contacts=300)
    group = min(book.groups())
    with Portal(book) as portal:
        export(settings_for(portal))
        with pytest.raises(errors.RefusedError):
            export(settings_for(portal), groups=[group])
        result = export(settings_for(portal, out=tmp_path / "one"), groups=[group])
        with pytest.raises(errors.SettingsError, match="there is no group 5"):
            export(settings_for(portal, out=tmp_path / "two"), groups=[5])
    assert set(_rows(read_export(result.folder))) == set(book.members(group))


def test_dry_run_changes_nothing(settings_for):
    """All but publish: the manifest is there, the files are not."""
    with Portal(AddressBook.invent(contacts=150)) as portal:
        result = export(settings_for(portal), dry_run=True)
    assert not result.published
    assert result.manifest["counts"]["kept"] == 150
    assert [path.name for path in result.folder.iterdir()] == [".amoot"]


def test_listings_are_fetched_side_by_side_but_bounded(settings_for):
    """No more requests at a time than the setting says, and more than one."""
    with Portal(AddressBook.invent(contacts=400)) as portal:
        # Each answer takes long enough for others to be asked for meanwhile.
        portal.plan(Fault.late(0.05), "ContactList")
        export(settings_for(portal, concurrency=3))
        assert 1 < portal.most_at_once <= 3


def test_landed_bodies_are_removed(settings_for):
    """After a success nothing of the portal's bodies is left."""
    with Portal(AddressBook.invent(contacts=150)) as portal:
        result = export(settings_for(portal))
    assert not list((result.folder / ".amoot").rglob("0*.json"))
    assert not [path for path in result.folder.rglob("*") if "listing" in path.name]
    assert DEMO_TOKEN not in (result.folder / "manifest.json").read_text()


@pytest.mark.parametrize("harm", ["manifest", "contacts", "groups"])
def test_damaged_set_can_be_replaced(settings_for, harm):
    """A run over a set that lost a file, or half of one, publishes a whole one and says what it met."""
    with Portal(AddressBook.invent(contacts=150)) as portal:
        first = export(settings_for(portal))
        if harm == "manifest":
            (first.folder / ".amoot" / "current" / "manifest.json").unlink()
        else:
            path = (first.folder / f"{harm}.parquet").resolve()
            path.write_bytes(path.read_bytes()[:100])
        second = export(settings_for(portal))
    assert any("damaged" in warning for warning in second.warnings)
    assert verify(second.folder).problems == []


@pytest.mark.parametrize("publish", [export, partial(sync, full=True), sync])
def test_bytes_that_went_bad_tell_the_feed_nothing(settings_for, publish):
    """Nobody came or left because a disk forgot a byte."""
    with Portal(AddressBook.invent(contacts=150)) as portal:
        first = export(settings_for(portal))
        path = (first.folder / "contacts.parquet").resolve()
        content = bytearray(path.read_bytes())
        content[5000] ^= 1
        path.chmod(0o600)
        path.write_bytes(content)
        portal.book.edit(min(portal.book), CityName="یزد")
        second = publish(settings_for(portal))
    assert "its bytes are not those that were written" in "".join(second.warnings)
    assert changes(second.folder).empty
    assert verify(second.folder).problems == []


def test_a_disk_that_refuses_to_read_the_old_set_does_not_stop_the_new_one(settings_for, monkeypatch):
    """It is damaged, as one whose bytes differ."""

    def refuse(_path):
        raise OSError(errno.EIO, "Input/output error")

    with Portal(AddressBook.invent(contacts=150)) as portal:
        export(settings_for(portal))
        monkeypatch.setattr(publishing, "sha256_of", refuse)
        second = export(settings_for(portal))
    assert "its bytes are not those that were written" in "".join(second.warnings)
    assert changes(second.folder).empty


@pytest.mark.parametrize("harm", ["missing", "empty"])
def test_a_lost_part_of_the_change_feed_stops_nothing(settings_for, harm):
    """The next run is published and says so; who follows the feed is told to read the whole."""
    with Portal(AddressBook.invent(contacts=150)) as portal:
        runs = []
        for _ in range(3):
            runs.append(export(settings_for(portal)))
            portal.book.edit(min(portal.book), CityName=f"شهر {len(runs)}")
        path = runs[0].folder / ".amoot" / "current" / "changes" / f"{runs[1].run_id}.parquet"
        path.unlink()
        if harm == "empty":
            path.write_bytes(b"")
        with pytest.raises(errors.OutputError, match="verify"):
            changes(runs[0].folder)
        last = export(settings_for(portal))
    assert any("the change feed has lost a part" in warning for warning in last.warnings)
    assert verify(last.folder).problems == []
    assert set(changes(last.folder, since=runs[1].run_id)["run_id"]) == {runs[2].run_id, last.run_id}
    with pytest.raises(errors.SettingsError, match="or what followed it: read the whole export"):
        changes(last.folder, since=runs[0].run_id)


def test_a_run_does_not_read_the_old_parts_of_the_change_feed(settings_for):
    """There may be thousands: they are carried on by their size, and verifying is what reads them."""
    with Portal(AddressBook.invent(contacts=150)) as portal:
        runs = [export(settings_for(portal)), export(settings_for(portal))]
        name = f"changes/{runs[1].run_id}.parquet"
        path = runs[0].folder / ".amoot" / "current" / name
        path.write_bytes(b"\0" * path.stat().st_size)
        last = export(settings_for(portal))
    assert last.warnings == []
    assert any(line.startswith(f"{name}: not a whole Parquet file") for line in verify(last.folder).problems)


@pytest.mark.parametrize("harm", ["manifest.json", "groups.parquet", "the link"])
def test_a_damaged_set_is_guarded_as_a_whole_one(settings_for, harm):
    """What there was to lose is told by the newest manifest that can be read."""
    book = AddressBook.invent(contacts=150)
    with Portal(book) as portal:
        first = export(settings_for(portal))
        export(settings_for(portal))
        current = first.folder / ".amoot" / "current"
        (current if harm == "the link" else current / harm).unlink()
        with pytest.raises(errors.RefusedError, match="the current one the whole account"):
            export(settings_for(portal), groups=[min(book.groups())])


@pytest.mark.parametrize(
    ("place", "broken"),
    [(collect, "write_beside"), (tables, "_late_issues"), (DraftSink, "finish"), (Tables, "close_contacts")],
)
def test_what_fails_while_a_set_is_ended_leaves_the_old_one(settings_for, monkeypatch, place, broken):
    """The last tables are written side by side; whichever cannot be, the run says so and nothing changes."""

    def fail(*_: object) -> None:
        raise errors.OutputError("no room: make some", subject="x")

    with Portal(AddressBook.invent(contacts=30), token=DEMO_TOKEN) as portal:
        settings = settings_for(portal)
        before = export(settings).run_id
        with monkeypatch.context() as patched:
            patched.setattr(place, broken, fail)
            with pytest.raises(errors.OutputError, match="no room"):
                export(settings)
        assert read_export(settings.out).manifest["run_id"] == before
        assert export(settings).published


def test_a_contact_of_several_labels_is_parsed_once(settings_for, monkeypatch):
    """Its other copies are told by their bytes: most of an export of many labels would be parsing them."""
    parsed = []
    read = BodyReader.read_alike

    def counted(reader, data):
        raw = read(reader, data)
        assert raw is not None
        parsed.append(raw.received if "Mobile" in raw.table.column_names else 0)
        return raw

    monkeypatch.setattr(BodyReader, "read_alike", counted)
    book = AddressBook.invent(contacts=300, dirty=False)
    for contact in list(book)[:200]:
        book.relabel(contact, add=list(book.groups())[:3])
    with Portal(book) as portal:
        result = export(settings_for(portal))
    assert result.manifest["counts"]["received"] > 600
    assert sum(parsed) == 300
    assert len(read_export(result.folder).contacts) == 300


def _told_otherwise(book, contact, groups, record):
    """Give the bodies of groups in which another record stands for a contact's."""
    told = book.record(contact)

    def body(group):
        records = [record if each == told else each for each in book.listing(group)]
        return lambda: [b'{"Status":"Success","Data":[' + b",".join(records) + b"]}"]

    return {group: body(group) for group in groups}


@pytest.mark.parametrize("lie", [b'"Active":false', b'"ID":5'])
def test_records_that_are_not_what_their_bytes_say(settings_for, tmp_path, lie):
    """Fields that come twice: what parsing says counts, as where nothing is told by bytes."""
    book = AddressBook.invent(contacts=60, dirty=False)
    one, other = list(book.groups())[:2]
    contact = next(contact for contact in book if book.contact(contact)["Active"])
    book.relabel(contact, add=[one, other])
    odd = book.record(contact).replace(b',"UpdateDateTime"', b"," + lie + b',"UpdateDateTime"')
    with Portal(book, bodies=_told_otherwise(book, contact, [one, other], odd)) as portal:
        whole = read_export(export(settings_for(portal), accept_shrink=True, today=TODAY).folder)
        settings = settings_for(portal, out=tmp_path / "alone")
        alone = read_export(export(settings, groups=[one], today=TODAY).folder)
    rows, rows_alone = _rows(whole), _rows(alone)
    for each, row in rows_alone.items():
        assert rows[each] | {"groups": None} == row | {"groups": None}
    for table in ("contact_groups", "groups"):
        told, told_alone = (getattr(tables, table) for tables in (whole, alone))
        told, told_alone = (
            frame[frame["group_id"] == one].to_dict("records") for frame in (told, told_alone)
        )
        assert told == told_alone


def test_a_copy_that_is_no_longer_active_counts(settings_for):
    """Whether a contact is active is part of what its copies are compared by: on a tie the later answer wins."""
    book = AddressBook.invent(contacts=60, dirty=False)
    one, other = list(book.groups())[:2]
    contact = next(contact for contact in book if book.contact(contact)["Active"])
    book.relabel(contact, add=[one, other], remove=set(book.groups()) - {one, other})
    now = book.record(contact).replace(b'"Active":true', b'"Active":false')
    with Portal(book, bodies=_told_otherwise(book, contact, [other], now)) as portal:
        tables = read_export(export(settings_for(portal)).folder)
    assert _rows(tables)[contact]["active"] is False


def test_more_labels_than_files_may_be_open(settings_for):
    """A batch may be of hundreds of small listings, and a process may have few files open at a time."""
    resource = pytest.importorskip("resource")
    book = _book(groups=300)
    for group in [*book.groups()] * 2:
        book.add(groups=[group])
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Portal(book) as portal:
        open_now = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 64
        resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + 100, before[1]))
        try:
            result = export(settings_for(portal))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert result.manifest["counts"]["kept"] == 600


def test_a_record_that_hides_others_is_read_as_a_stream(settings_for):
    """What the bytes say and parsing does not bear out is an issue in the end, and no row is lost without a word."""
    book = AddressBook.invent(contacts=6, dirty=False)
    one, other = list(book.groups())[:2]
    contacts = list(book)
    for contact in contacts:
        book.relabel(contact, add=[one, other])
    torn = book.record(contacts[2]).replace(b',"UpdateDateTime"', b'],"UpdateDateTime"')
    book.updates = "empty"
    with Portal(book, bodies=_told_otherwise(book, contacts[2], [one, other], torn)) as portal:
        result = export(settings_for(portal), accept_shrink=True)
    assert "record_unreadable" in result.manifest["issues"]


@pytest.mark.parametrize("run", [export, sync])
@pytest.mark.parametrize("folder", ["pz", Path("pz")])
def test_a_folder_in_place_of_settings_is_told_the_way(run, folder):
    """Whoever names a folder as other functions have it learns how it is said here, before anything is asked."""
    with pytest.raises(TypeError, match=r"^settings are wanted, not .+: .* load_settings\(out="):
        run(folder)
