"""report: the right counts, nobody's data, nothing from outside, both languages, whole or not at all."""

from __future__ import annotations

import dataclasses
import datetime as dt
import fnmatch
import re
import string
import tomllib
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from publishing_world import Book, publish
from report_reader import charts, number, read_page, rows

import amoot_etl
from amoot_etl import export, read_export
from amoot_etl.demo import DEMO_TOKEN, AddressBook, Portal
from amoot_etl.errors import OutputError, SettingsError, VerificationError
from amoot_etl.loaders.generations import require_current
from amoot_etl.loaders.publish import Output
from amoot_etl.pipeline.report import report, report_text, write
from amoot_etl.pipeline.report.feed import Feed, Publish, read_feed, sizes
from amoot_etl.pipeline.report.figures import figures_of
from amoot_etl.pipeline.report.fold import SMALLEST, Part, fold, is_small
from amoot_etl.pipeline.report.reconciled import reconciliation
from amoot_etl.pipeline.report.words import LANGUAGES, Words
from amoot_etl.schema import RULES
from amoot_etl.settings import Settings
from amoot_etl.tehran import TEHRAN, now
from amoot_etl.transformers._mobile_ranges import RANGES
from amoot_etl.transformers.quality import completeness, duplicates_by_mobile, likely_same_person

AS_OF = "2026-11-22T04:00:12+03:30"
SECTIONS = (
    *("totals", "complete", "updates", "growth", "changes", "groups", "overlap", "operators", "genders"),
    *("cities", "fields", "issues", "twice"),
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Export an invented book, some contacts of which are marked deleted or stand in it twice."""
    out = tmp_path_factory.mktemp("demo")
    # Changed in the years before today, whenever that is: the page shows the last two.
    book = AddressBook.invent(contacts=1500, seed=5, dirty=True, now=now().replace(tzinfo=None))
    twin = {"FName": "پریسا", "LName": "نیک‌نام", "Mobile": 9121110001, "BornDate": "1990-03-21T00:00:00"}
    for name in ("نیک‌نام", "نيك نام", "نیکنام", "نیک نام", "نيكنام", "نیک‌نام"):
        book.add([], **{**twin, "LName": name})
    for contact in list(book)[:40]:
        book.mark_deleted(contact)
    with Portal(book) as portal:
        export(Settings(base_url=portal.url, token=DEMO_TOKEN, out=out, backoff=0))
    return out


@pytest.fixture(scope="module")
def alive(demo):
    """Give the contacts of the demo that are not marked deleted, as an analyst reads them."""
    contacts = read_export(demo).contacts
    return contacts[~contacts["deleted"].fillna(value=False).astype(bool)]


def _of(parts) -> dict[str | None, int]:
    return {part.name: part.size for part in parts}


def _as_counted(column: pd.Series) -> dict[str | None, int]:
    """Count the values of a column by pandas, empty ones as None."""
    counts = column.astype(object).where(column.notna(), None).value_counts(dropna=False)
    return {None if pd.isna(name) else name: int(count) for name, count in counts.items()}


def _page(folder: Path, lang: str = "en", **more: str):
    return read_page(report_text(folder, lang=lang, **more))


def _section(page, name: str):
    return page.one("section", id=name)


# What it counts.


def test_totals_are_those_of_the_set(demo, alive):
    """Contacts, those not marked deleted, active, with a mobile, and memberships equal what pandas counts."""
    figures = figures_of(require_current(demo))
    exported = read_export(demo)
    members = exported.contact_groups
    assert figures.contacts == len(exported.contacts) == 1506
    assert figures.alive == len(alive) < figures.contacts
    assert figures.active == int(alive["active"].sum())
    assert figures.reachable == int(alive["mobile"].notna().sum())
    assert figures.groups == len(exported.groups)
    assert figures.memberships == int(members["contact_id"].isin(alive["contact_id"]).sum()) < len(members)


@pytest.mark.parametrize(("figure", "column"), [("genders", "gender"), ("cities", "city")])
def test_lists_part_all_contacts(demo, alive, figure, column):
    """What is told of a list equals the count of each value, and with the rest it is all contacts."""
    folded = getattr(figures_of(require_current(demo)), figure)
    counted = _as_counted(alive[column])
    assert folded.parts
    assert _of(folded.parts).items() <= counted.items()
    assert folded.total == len(alive)


def test_operators_are_holders_or_kinds(demo, alive):
    """A number is told under the holder of its range, else under its kind."""
    folded = figures_of(require_current(demo)).operators
    kinds = "kind:" + alive["mobile_kind"].astype("string[pyarrow]")
    counted = _as_counted(alive["mobile_prefix_operator"].astype("string[pyarrow]").fillna(kinds))
    assert {"MCI", "Irancell"} <= _of(folded.parts).keys()
    assert _of(folded.parts).items() <= counted.items()
    assert folded.total == len(alive)


def test_months_are_those_of_the_last_update(demo, alive):
    """Each of 24 Jalali months has the contacts last changed in it, and all others are together."""
    figures = figures_of(require_current(demo))
    counted = _as_counted(alive["updated_date_jalali"].str.slice(0, 7))
    assert 1 < len(figures.months) <= 24
    assert [month for month, _ in figures.months] == sorted(month for month, _ in figures.months)
    told = {month: count for month, count in figures.months if count is not None}
    assert told == {month: counted.get(month, 0) for month in told}
    assert sum(told.values()) + figures.other_months == len(alive)


def test_fields_are_as_full_as_they_are(demo, alive):
    """The count of each field is what `completeness` gives; columns made of other columns are left out."""
    figures = figures_of(require_current(demo))
    frame = completeness(alive).set_index("column")["filled"]
    assert {field.column: field.filled for field in figures.fields} == {
        field.column: frame[field.column] for field in figures.fields
    }
    told = [field.column for field in figures.fields]
    assert {"mobile", "first_name", "city", "birth_date", "custom_text_6", "updated_at"} <= set(told)
    assert not {"contact_id", "full_name", "mobile_raw", "birth_date_jalali"} & set(told)


def test_doubles_are_those_of_the_quality_functions(demo, alive):
    """Contacts that share a mobile, or name and birthday, are as many as the functions for notebooks find."""
    figures = figures_of(require_current(demo))
    assert figures.shared_mobile == len(duplicates_by_mobile(alive)) >= 6
    assert figures.same_person == len(likely_same_person(alive)) >= 6


def test_groups_and_their_overlap(demo, alive):
    """Sizes, how many groups a contact is in, and what two groups share equal what pandas counts."""
    figures = figures_of(require_current(demo))
    exported = read_export(demo)
    titles = dict(exported.groups[["group_id", "title"]].itertuples(index=False))
    members = exported.contact_groups
    members = members[members["contact_id"].isin(alive["contact_id"])]
    by_title = members["group_id"].map(titles)
    assert _of(figures.group_sizes.parts).items() <= _as_counted(by_title).items()
    numbers = members.groupby("contact_id").size()
    counted = {str(number): int(count) for number, count in numbers.value_counts().items()}
    counted["0"] = len(alive) - len(numbers)
    assert _of(figures.group_numbers.parts).items() <= counted.items()
    assert figures.group_numbers.total == len(alive)
    assert figures.pairs
    for pair in figures.pairs:
        sets = [set(members["contact_id"][by_title == title]) for title in (pair.larger, pair.smaller)]
        assert pair.shared == len(sets[0] & sets[1]) >= SMALLEST
        assert pair.of == len(sets[1]) <= len(sets[0])


def test_the_page_says_what_was_counted(demo):
    """Charts and tables of the page hold the figures."""
    figures, page = figures_of(require_current(demo)), _page(demo)
    tiles = [number(tile.one("b").text) for tile in _section(page, "totals").all("li")]
    assert tiles[:2] == [figures.contacts, figures.alive]
    [operators] = charts(_section(page, "operators"))
    assert number(operators["MCI"]) == _of(figures.operators.parts)["MCI"]
    [genders] = charts(_section(page, "genders"))
    assert set(genders) == {"men", "women", "not given"}
    [months] = charts(_section(page, "updates"))
    assert [number(value) if value != "…" else None for value in months.values()] == [
        count for _, count in figures.months
    ]
    issues = {row[0]: row[1:] for row in rows(_section(page, "issues"))}
    assert list(issues) == [count.rule for count in figures.issues]
    assert issues["mobile_invalid"] == [
        "6",
        RULES["mobile_invalid"],
        "Correct the mobile, or clear it.",
    ]
    assert issues["date_in_future"][0] == "under 5"
    assert len(rows(_section(page, "complete"))) == figures.groups
    assert "Proved" in _section(page, "complete").text


def test_a_bar_is_as_long_as_its_count(demo):
    """Sizes of bars are shares of the longest, so that what is drawn is what is written."""
    page = _page(demo)
    for name in ("operators", "cities", "updates"):
        section = _section(page, name)
        top = max(number(text) for text in charts(section)[0].values() if text != "…")
        for row in section.one("tbody").all("tr"):
            size = float(row.one("td").attributes["style"].removeprefix("--size: "))
            value = row.one(class_="data").text
            assert size == pytest.approx(0 if value == "…" else number(value) / top, abs=1e-4)


# Nobody's data.

_PLANTED = {
    "mobile": "+989127654321",
    "mobile_national": "09127654321",
    "mobile_raw": "9127654321",
    "first_name": "شهرنوش",
    "last_name": "زرین‌تاج",
    "full_name": "شهرنوش زرین‌تاج",
    "email": "planted.person@example.org",
    "company": "کارخانهٔ آینه",
    "job_title": "آینه‌ساز",
    "address": "کوی نهان ۷",
    "birth_date": dt.date(1983, 4, 17),
    "birth_date_jalali": "1362/01/28",
    "custom_text_1": "0013542419",
    "city": "نهان‌آباد",
    "groups": "خانوادهٔ زرین‌تاج",
}


def _planted() -> Book:
    """Give a book of 30 plain contacts and three planted ones, who share a group of their own and a city."""
    book = Book(groups={1: "مشتریان", 2: "خانوادهٔ زرین‌تاج"})
    for contact in range(1, 31):
        book = book.with_contact(contact, city="یزد", gender="male").with_member(contact, 1)
    for contact in range(31, 34):
        book = book.with_contact(contact, **_PLANTED).with_member(contact, 2)
    return book


@pytest.mark.parametrize("lang", LANGUAGES)
def test_nobody_stands_in_the_page(tmp_path, lang):
    """Of contacts with a planted name, mobile, address of mail and the rest, the page holds no trace."""
    publish(Output(tmp_path), _planted(), finished_at=AS_OF, issues={"mobile_invalid": 1})
    html = report_text(tmp_path, lang=lang)
    page = read_page(html)
    assert charts(_section(page, "cities")) == [{"یزد": Words(lang)("small.nearly_all")}]
    run = require_current(tmp_path).run_id  # a time of day and chance: any four digits may stand in it
    plain = html.replace(run, "").translate(str.maketrans("۰۱۲۳۴۵۶۷۸۹٬", "0123456789,"))
    for value in map(str, _PLANTED.values()):
        assert value not in html
        assert value.translate(str.maketrans("۰۱۲۳۴۵۶۷۸۹", "0123456789")) not in plain
    for piece in ("9127654321", "شهرنوش", "زرین", "planted", "نهان", "1362", "آینه"):
        assert piece not in plain


def test_issue_values_stay_out(demo):
    """No raw value and no detail of the issues table stands in the page."""
    html = report_text(demo)
    issues = read_export(demo).issues
    told = {value for value in [*issues["value"].dropna(), *issues["detail"].dropna()] if len(value) > 6}
    assert len(told) > 20
    assert not [value for value in told if value in html]


@given(
    st.lists(st.integers(0, 40), max_size=25).map(
        lambda sizes: [Part(str(name), size) for name, size in enumerate(sizes)]
    ),
    st.integers(1, 20),
)
def test_nothing_small_is_told_or_can_be_worked_out(parts, keep):
    """Whatever the sizes, no group told of is small, and neither is what the total leaves for the rest."""
    folded = fold(parts, keep)
    assert folded.total == sum(part.size for part in parts)
    assert len(folded.parts) <= keep
    assert not any(is_small(part.size) for part in folded.parts)
    assert not is_small(folded.rest) or len(folded.parts) <= 1
    assert set(folded.parts) <= set(parts)


@settings(max_examples=8)
@given(
    contacts=st.lists(
        st.tuples(
            st.sampled_from(["یزد", "قم", "ری", None]),
            st.sampled_from(["male", "female", None]),
            st.sampled_from(["1405/08/01", "1405/07/30", "1403/01/01", None]),
            st.frozensets(st.integers(1, 4)),
        ),
        max_size=40,
    )
)
def test_no_chart_tells_of_fewer_than_five(tmp_path_factory, contacts):
    """In the page of any small book, every count of contacts in a chart is none, or at least five."""
    book = Book(groups={group: f"گروه {group}" for group in range(1, 5)})
    for contact, (city, gender, month, groups) in enumerate(contacts, 1):
        book = book.with_contact(contact, city=city, gender=gender, updated_date_jalali=month)
        for group in groups:
            book = book.with_member(contact, group)
    folder = tmp_path_factory.mktemp("small")
    publish(Output(folder), book, finished_at=AS_OF)
    page = _page(folder)
    for name in ("updates", "groups", "overlap", "genders", "cities"):
        for chart in charts(_section(page, name)):
            for value in chart.values():
                told = None if value in ("…", "nearly all") else number(value)
                assert told is None or told == 0 or told >= SMALLEST, (name, chart)


def test_one_large_group_among_few_others_is_nearly_all(tmp_path):
    """Beside a group that may not be told of, the only other one is told without its number."""
    book = Book()
    for contact in range(1, 34):
        book = book.with_contact(contact, gender="female" if contact > 30 else "male")
    publish(Output(tmp_path), book, finished_at=AS_OF)
    section = _section(_page(tmp_path), "genders")
    assert charts(section) == [{"men": "nearly all"}]
    assert section.all(class_="note")[0].text == "All others (1): under 5."


def test_a_single_number_that_is_small_is_not_told():
    """A count under five, and one that leaves fewer than five out, is told in words."""
    words = Words("en")
    assert [words.count(count, of=100) for count in (0, 4, 5, 95, 96, 100)] == [
        *("0", "under 5", "5", "95", "nearly all", "100")
    ]


# Nothing from outside, and nothing that runs.


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_needs_nothing_else(demo, lang):
    """No script, no link to elsewhere, no style or font from elsewhere; and the page itself forbids it all."""
    page = _page(demo, lang)
    nodes = page.all()
    assert not {"script", "img", "link", "iframe", "object", "base", "form"} & {node.tag for node in nodes}
    names = {name for node in nodes for name in node.attributes}
    assert not {name for name in names if name.startswith("on")} | names & {"src", "srcset", "action"}
    targets = {node.attributes["id"] for node in nodes if "id" in node.attributes}
    links = [node.attributes["href"] for node in nodes if "href" in node.attributes]
    assert links
    assert all(link.startswith("#") and link[1:] in targets for link in links)
    style = page.one("style").text
    assert "MIT License" in style
    assert ".charts-css" in style
    assert not re.search(r"url\(|@import|https?:|expression\(", style)
    [policy] = [node for node in nodes if node.attributes.get("http-equiv") == "Content-Security-Policy"]
    assert policy.attributes["content"].startswith("default-src 'none'; style-src 'unsafe-inline'")


def test_text_of_the_book_is_text(tmp_path):
    """Titles and cities that look like markup stand in the page as the text that they are."""
    title, city = "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)> & '{count}'"
    book = Book(groups={1: title})
    for contact in range(1, 11):
        book = book.with_contact(contact, city=city).with_member(contact, 1)
    publish(Output(tmp_path), book, finished_at=AS_OF)
    page = _page(tmp_path)
    assert not page.all("script")
    assert not page.all("img")
    assert charts(_section(page, "groups")) == [{title: "10 (100%)"}]
    assert charts(_section(page, "cities")) == [{city: "10 (100%)"}]


# Two languages.


def _texts(table, path: str = "") -> dict[str, str]:
    found = {}
    for name, value in table.items():
        if isinstance(value, dict):
            found |= _texts(value, f"{path}{name}.")
        elif isinstance(value, str):
            found[f"{path}{name}"] = value
    return found


def test_both_languages_say_the_same():
    """Each text is there in both, with the same things to fill in; names are only there where they differ."""
    english, persian = (_texts(Words(lang).texts) for lang in LANGUAGES)
    own = ("operators.names.", "rules.meaning.")
    assert {key for key in english if not key.startswith(own)} == {
        key for key in persian if not key.startswith(own)
    }

    def fields(text: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert [key for key in english if fields(english[key]) != fields(persian[key])] == []
    assert all(len(Words(lang).texts["months"]) == 12 for lang in LANGUAGES)


def test_every_rule_and_operator_has_its_words():
    """Each rule says what to do in both languages and what it means in Persian; each operator has a Persian name."""
    for lang in LANGUAGES:
        assert Words(lang).texts["rules"]["todo"].keys() == RULES.keys()
    persian = Words("fa").texts
    assert persian["rules"]["meaning"].keys() == RULES.keys()
    assert {holder for _, _, holder in RANGES if holder} <= persian["operators"]["names"].keys()


def test_the_page_has_one_structure_in_both(demo):
    """Both have the same sections in the same order, each in its own direction."""
    english, persian = _page(demo), _page(demo, "fa")
    for page in (english, persian):
        assert tuple(section.attributes["id"] for section in page.all("section")) == SECTIONS
    assert (english.attributes, persian.attributes) == (
        {"lang": "en", "dir": "ltr"},
        {"lang": "fa", "dir": "rtl"},
    )
    [months] = charts(_section(english, "updates"))
    [persian_months] = charts(_section(persian, "updates"))
    assert list(months.values()) != list(persian_months.values())
    assert [number(value) for value in months.values() if value != "…"] == [
        number(value) for value in persian_months.values() if value != "…"
    ]
    assert not re.search(r"[0-9]", " ".join([*persian_months, *persian_months.values()]))
    assert {"همراه اول", "ایرانسل"} <= charts(_section(persian, "operators"))[0].keys()
    assert "نام خانوادگی" in charts(_section(persian, "fields"))[0]


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", "Data as of 1 Azar 1405, 04:00 Tehran time (\u20662026-11-22\u2069)"),
        ("fa", "داده‌ها تا ۱ آذر ۱۴۰۵، ساعت ۰۴:۰۰ به وقت تهران (\u20662026-11-22\u2069)"),
    ],
)
def test_the_page_says_when_its_data_was_complete(tmp_path, lang, said):
    """The moment of the data is told in both calendars, Tehran time, whatever the zone it was written in."""
    moment = dt.datetime.fromisoformat(AS_OF).astimezone(dt.UTC).isoformat()
    publish(Output(tmp_path), _planted(), finished_at=moment)
    assert _page(tmp_path, lang).one(class_="as-of").text == said


def test_an_unknown_language_is_refused(demo):
    """Only the two languages are spoken."""
    with pytest.raises(SettingsError, match="en and fa, not 'de'"):
        report_text(demo, lang="de")


# Growth and the last changes.


def _publish_thrice(folder: Path) -> None:
    output = Output(folder)
    book = Book()
    for contact in range(1, 21):
        book = book.with_contact(contact, city="قم")
    publish(output, book, finished_at=AS_OF)
    for contact in range(21, 31):
        book = book.with_contact(contact, city="قم")
    publish(output, book, feed=True, finished_at=AS_OF)
    for contact in range(1, 7):
        book = book.without_contact(contact)
    book = book.with_contact(7, city="ری").with_contact(8, city="ری")
    publish(output, book, feed=True, finished_at=AS_OF)


def test_the_feed_is_read_back_to_its_beginning(tmp_path):
    """Each publish over another tells what it changed, and the run before the first of them is known."""
    _publish_thrice(tmp_path)
    feed = read_feed(require_current(tmp_path))
    assert [publish.counts for publish in feed.publishes] == [{"added": 10}, {"updated": 2, "removed": 6}]
    assert feed.start is not None
    assert feed.start <= feed.publishes[0].at <= feed.publishes[1].at
    page = _page(tmp_path)
    assert [row[1:] for row in rows(_section(page, "changes"))] == [
        ["0", "under 5", "6", "0"],
        ["10", "0", "0", "0"],
    ]


def test_a_gap_in_the_feed_ends_it(tmp_path):
    """What lies before a publish that wrote no changes does not count: its numbers would not add up."""
    _publish_thrice(tmp_path)
    output = Output(tmp_path)
    book = Book().with_contact(1)
    publish(output, book, finished_at=AS_OF)
    assert read_feed(require_current(tmp_path)) == Feed((), None)
    publish(output, book.with_contact(2), feed=True, finished_at=AS_OF)
    assert [each.counts for each in read_feed(require_current(tmp_path)).publishes] == [{"added": 1}]


def _feed(*publishes: tuple[str, int, int], start: str) -> Feed:
    """Give a feed by (moment, added, removed)."""
    made = [
        Publish(
            "", dt.datetime.fromisoformat(at).replace(tzinfo=TEHRAN), {"added": added, "removed": removed}
        )
        for at, added, removed in publishes
    ]
    return Feed(tuple(made), dt.datetime.fromisoformat(start).replace(tzinfo=TEHRAN))


def test_sizes_are_worked_out_backwards():
    """From the present number, what each publish added and removed gives the one before."""
    feed = _feed(("2026-11-01", 10, 4), ("2026-11-02", 0, 3), start="2026-10-31")
    assert [tuple(size) for size in sizes(feed, 100)] == [
        ("1405/08/09", 97),
        ("1405/08/10", 103),
        ("1405/08/11", 100),
    ]


def test_many_publishes_are_told_by_month():
    """Over more than a month and a dozen publishes, each Jalali month has its last number."""
    days = [f"2026-{month:02d}-{day:02d}" for month in range(4, 11) for day in (1, 12, 23)]
    feed = _feed(*((day, 5, 0) for day in days[1:]), start=days[0])
    told = sizes(feed, 100)
    assert told[0] == ("1405/01", 5)
    assert [size.period for size in told] == [f"1405/{month:02d}" for month in range(1, 9)]
    assert told[-1].contacts == 100


def test_one_day_is_told_by_the_minute():
    """Publishes of a single day are told apart by their time."""
    feed = _feed(("2026-11-01T08:00", 1, 0), ("2026-11-01T09:30", 1, 0), start="2026-11-01T07:00")
    assert [tuple(size) for size in sizes(feed, 10)] == [("07:00", 8), ("08:00", 9), ("09:30", 10)]


def test_growth_shows_each_size(demo):
    """The line of growth has a point a period, its height that of the number above the axis' beginning."""
    figures = figures_of(require_current(demo))
    feed = _feed(("2026-11-01", 10, 4), ("2026-11-02", 0, 3), start="2026-10-31")
    figures = dataclasses.replace(figures, feed=feed, sizes=sizes(feed, 100))
    section = _section(read_page(write.page(figures, Words("en"))), "growth")
    assert charts(section) == [{"1405/08/09": "97", "1405/08/10": "103", "1405/08/11": "100"}]
    assert "The axis begins at 95." in section.text
    styles = [cell.attributes["style"] for cell in section.one("tbody").all("td")]
    assert styles == [
        "--start: 0.2500; --end: 0.2500",
        "--start: 0.2500; --end: 1.0000",
        "--start: 1.0000; --end: 0.6250",
    ]


def test_a_first_export_has_no_growth_yet(demo):
    """Without a feed the page says so, and draws nothing."""
    page = _page(demo)
    assert not charts(_section(page, "growth"))
    assert "does not reach back yet" in _section(page, "growth").text
    assert "Nothing was published" in _section(page, "changes").text


# Completeness of the set.


@pytest.mark.parametrize(
    ("scope", "updates", "said"),
    [
        ("full", {"state": "proved"}, "Proved:"),
        (
            "full",
            {"state": "not proved", "why": "9 contacts are missing or newer in the portal", "unsettled": 9},
            "Not proved. Contacts that are missing here, or newer in the portal: 9.",
        ),
        (
            "full",
            {"state": "not proved", "why": "…", "unmentioned": 2},
            "Not proved. Contacts here that the portal's list of changes does not mention: under 5.",
        ),
        (
            "full",
            {"state": "not proved", "why": "the token may not call ContactListUpdates"},
            "Not proved. the token may not call ContactListUpdates",
        ),
        (
            {"groups": [1]},
            {"state": "not proved", "why": "…"},
            "Not proved. Only some groups were asked for.",
        ),
    ],
)
def test_the_verdict_is_the_manifests(tmp_path, scope, updates, said):
    """The page says proved, or not and why, as the manifest does; and that only some groups were asked for."""
    publish(Output(tmp_path), _planted(), finished_at=AS_OF, scope=scope, reconciliation={"updates": updates})
    page = _page(tmp_path)
    assert _section(page, "complete").text.removeprefix("Is it complete? ").startswith(said)
    assert bool(page.one("header").all(class_="warning")) == (scope != "full")


class _Groups:
    """Stands for the tables of a set whose groups are given: (group_id, title, portal's count, ours, reconciled)."""

    def __init__(self, *groups: tuple[int, str | None, int, int, bool]) -> None:
        self._groups = groups

    def read(self, _table: str, columns: list[str]) -> pa.Table:
        return pa.Table.from_pylist([dict(zip(columns, group, strict=True)) for group in self._groups])


def test_groups_that_differ_come_first(demo):
    """Lines begin with groups whose counts differ, then the largest; small groups have none, and are counted."""
    groups = _Groups(
        (1, "بزرگ", 90, 90, True),
        (2, None, 7, 6, False),
        (3, "کوچک", 4, 4, True),
        (4, "میانه", 50, 50, True),
        (5, "رفته", 9, 3, False),
    )
    manifest = {"reconciliation": {"groups": [{"group_id": 2, "how": "inferred"}]}}
    known = reconciliation(dataclasses.replace(require_current(demo), manifest=manifest), groups)
    assert [(line.title, line.listed) for line in known.lines] == [
        ("#2", False),
        ("بزرگ", True),
        ("میانه", True),
    ]
    assert (known.groups, known.agreeing, known.more, known.proved) == (5, 3, 2, False)
    figures = dataclasses.replace(figures_of(require_current(demo)), reconciliation=known)
    section = _section(read_page(write.page(figures, Words("en"))), "complete")
    assert [row[1:] for row in rows(section)] == [
        ["7", "6", "differs (inferred)"],
        ["90", "90", "agrees"],
        ["50", "50", "agrees"],
    ]
    assert "Groups whose count agrees with the portal's: 3 of 5." in section.text
    assert "all those under 5 contacts among them: 2." in section.text


# Odd sets, and the file.


def test_an_empty_set_has_a_page(tmp_path):
    """A portal without a contact makes a page that says so, in both languages."""
    publish(Output(tmp_path), Book(groups={}), finished_at=AS_OF)
    for lang in LANGUAGES:
        page = _page(tmp_path, lang)
        assert not any(charts(section) for section in page.all("section"))
        assert number(_section(page, "totals").all("b")[0].text) == 0


def test_columns_that_are_not_wanted_have_no_section(tmp_path):
    """Of a set with few columns, the page tells what those hold and leaves the other sections out."""
    with Portal(AddressBook.invent(contacts=60, dirty=False)) as portal:
        where = Settings(base_url=portal.url, token=DEMO_TOKEN, out=tmp_path, columns=("city",))
        export(where)
    page = _page(tmp_path)
    told = {section.attributes["id"] for section in page.all("section")}
    assert {"totals", "cities", "groups", "fields"} <= told
    assert not {"operators", "genders", "twice"} & told
    assert list(charts(_section(page, "fields"))[0]) == ["city"]


def test_a_set_always_gives_the_same_page(demo, tmp_path):
    """The page hangs on the set alone: no clock, no order of chance."""
    written = report(tmp_path / "a.html", demo)
    assert written.read_text(encoding="utf-8") == report_text(demo) == report_text(str(demo))


def test_a_kept_generation_has_its_page(tmp_path):
    """With a run the page is about that generation; an unknown run is refused."""
    _publish_thrice(tmp_path)
    first = min(path.name for path in (tmp_path / ".amoot" / "generations").iterdir())
    assert "20contacts" in _section(_page(tmp_path, run_id=first), "totals").text
    assert "24contacts" in _section(_page(tmp_path), "totals").text
    for run in ("20200101T000000Z-0000", "../current"):
        with pytest.raises(SettingsError, match="holds no generation"):
            report_text(tmp_path, run_id=run)


def test_a_folder_without_an_export_is_told(tmp_path):
    """Where nothing was published there is nothing to report."""
    with pytest.raises(SettingsError, match="holds no export"):
        report(tmp_path / "a.html", tmp_path)
    assert not list(tmp_path.glob("*.html"))


def test_a_report_is_whole_or_not_at_all(demo, tmp_path, monkeypatch):
    """When the file cannot take its place, the old one stays and nothing is left beside it."""
    path = tmp_path / "a.html"
    path.write_text("old", encoding="utf-8")

    def refuse(_self, _target):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refuse)
        with pytest.raises(OutputError, match="access is denied"):
            report(path, demo)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]
    report(path, demo)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OutputError, match="cannot write"):
        report(tmp_path / "none" / "a.html", demo)


def test_a_damaged_set_is_told(tmp_path):
    """A file that is gone or no Parquet is the set's fault, and the way out is verify."""
    generation = publish(Output(tmp_path), _planted(), finished_at=AS_OF)
    file = generation.file("contacts")
    file.chmod(0o600)
    file.write_bytes(b"PAR1 not at all")
    with pytest.raises(VerificationError, match="amoot-etl verify"):
        report_text(tmp_path)
    file.unlink()
    with pytest.raises(VerificationError, match="is missing"):
        report_text(tmp_path)


def test_a_set_pruned_while_it_is_counted_gives_way_to_the_next(tmp_path, monkeypatch):
    """When the set is replaced and pruned amid counting, the page is about the new one."""
    output = Output(tmp_path, keep=1, keep_for=dt.timedelta(0))
    publish(output, _planted(), finished_at=AS_OF)
    counted = []

    def counting(generation):
        if not counted:
            counted.append(generation.run_id)
            for _ in range(3):
                publish(output, Book().with_contact(1), finished_at=AS_OF)
        return figures_of(generation)

    monkeypatch.setattr(write, "figures_of", counting)
    assert number(_section(_page(tmp_path), "totals").one("ul").all("b")[0].text) == 1


def test_every_file_of_the_report_is_packed():
    """Styles, texts and the licence are named among the package's data: a wheel without them has no report."""
    root = Path(amoot_etl.__file__).parent
    project = tomllib.loads((root.parent / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["amoot_etl"]
    data = [
        path for path in (root / "pipeline" / "report").rglob("*.*") if path.suffix not in (".py", ".pyc")
    ]
    assert len(data) == 5
    for path in data:
        name = path.relative_to(root).as_posix()
        assert any(fnmatch.fnmatch(name, pattern) for pattern in patterns), name
