"""The ten everyday questions of docs/sql get the right answers, each computed once more in another way."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import jdatetime
import pandas as pd
import pytest

from amoot_etl import Settings, export, read_export
from amoot_etl.demo import DEMO_TOKEN, AddressBook, Portal
from amoot_etl.transformers.campaign import campaign_list
from amoot_etl.transformers.occasions import jalali_month, occasions
from amoot_etl.transformers.quality import duplicates_by_mobile

if TYPE_CHECKING:
    import datetime as dt

SQL = Path(__file__).parents[1] / "docs" / "sql"
QUESTIONS = sorted(path.stem for path in SQL.glob("[0-9]*.sql"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Give a published export, and a DuckDB with the views of docs/sql over it."""
    folder = tmp_path_factory.mktemp("bi")
    book = AddressBook.invent(contacts=600)
    # The world has shared numbers, a birthday on 30 Esfand, an empty group and a very old stamp.
    first, second, third, fourth = list(book)[:4]
    book.edit(second, Mobile=book.contact(first)["Mobile"])
    book.edit(third, BornDate="2021-03-20T00:00:00", Deleted=False)
    book.add_group("خالی")
    book.edit(fourth, UpdateDateTime="2015-10-21T11:02:41.96")  # so that there are months without a change
    with Portal(book) as portal:
        settings = Settings(
            base_url=portal.url, token=DEMO_TOKEN, out=folder / "output", backoff=0, timeout=30
        )
        export(settings)
    with read_export(folder / "output") as read, duckdb.connect() as connection:
        connection.execute(
            (SQL / "views.sql").read_text(encoding="utf-8").replace("'output/", f"'{folder}/output/")
        )
        yield read, connection


def ask(connection: duckdb.DuckDBPyConnection, question: str) -> list[tuple]:
    """Give the rows that a question comes to."""
    return connection.execute((SQL / f"{question}.sql").read_text(encoding="utf-8")).fetchall()


def alive(contacts: pd.DataFrame) -> pd.DataFrame:
    """Give the contacts that are not marked deleted."""
    return contacts[~contacts["deleted"].astype("boolean").fillna(value=False)]


def today_of(read) -> dt.date:
    """Give the day of the data in Tehran."""
    return read.export_info["finished_at"][0].tz_convert("Asia/Tehran").date()


def test_there_are_ten_questions():
    """Each is one statement that says in its first line what it answers, and ten they are."""
    assert len(QUESTIONS) == 10
    for question in QUESTIONS:
        text = (SQL / f"{question}.sql").read_text(encoding="utf-8")
        assert text.startswith("-- ")
        assert text.count(";") == 1 or question == "05-birthdays"


def test_totals(world):
    """Contacts, the active ones, those with a mobile, the distinct numbers, and when."""
    read, connection = world
    contacts = read.contacts
    good = alive(contacts[contacts["active"].astype("boolean").fillna(value=False)])
    [(as_of, *numbers)] = ask(connection, "01-totals")
    assert numbers == [len(contacts), len(good), good["mobile"].notna().sum(), contacts["mobile"].nunique()]
    assert pd.Timestamp(as_of, tz="Asia/Tehran") == read.export_info["finished_at"][0]


def test_groups(world):
    """Every group is there, the empty one too, with what the bridge says."""
    read, connection = world
    rows = ask(connection, "02-groups")
    sizes = read.contact_groups["group_id"].value_counts()
    assert {row[0]: row[2] for row in rows} == {i: sizes.get(i, 0) for i in read.groups["group_id"]}
    assert rows[-1][1:4] == ("خالی", 0, 0)
    contacts = alive(read.contacts[read.contacts["active"].astype("boolean").fillna(value=False)]).dropna(
        subset="mobile"
    )
    reach = read.contact_groups[read.contact_groups["contact_id"].isin(contacts["contact_id"])]
    assert {row[0]: row[3] for row in rows} == {
        i: reach["group_id"].value_counts().get(i, 0) for i in read.groups["group_id"]
    }


def test_cities(world):
    """Cities add up to the contacts, the largest first, and to a hundred percent."""
    read, connection = world
    rows = ask(connection, "03-cities")
    wanted = Counter(alive(read.contacts)["city"].fillna("نامعلوم"))
    assert {row[0]: row[1] for row in rows} == wanted
    assert [row[1] for row in rows] == sorted(wanted.values(), reverse=True)
    assert sum(row[2] for row in rows) == pytest.approx(100, abs=0.1 * len(rows))


def test_updates_by_month(world):
    """Each month from the first to the last is one row, counted by the Jalali text of the contacts."""
    read, connection = world
    rows = ask(connection, "04-updates-by-month")
    wanted = Counter(read.contacts["updated_date_jalali"].dropna().str.slice(0, 7))
    assert {row[0]: row[2] for row in rows if row[2]} == wanted
    numbers = [int(row[0][:4]) * 12 + int(row[0][5:]) for row in rows]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert {row[1] for row in rows if row[0].endswith("/07")} == {"مهر"}


def test_birthdays(world):
    """The coming month's birthdays are those of `occasions`, with the same days and ages."""
    read, connection = world
    rows = ask(connection, "05-birthdays")
    wanted = occasions(read.contacts, *jalali_month(today_of(read), 1))
    columns = ["occasion_date", "occasion_date_jalali", "occasion_years", "contact_id"]
    assert len(rows) > 3
    assert [row[:4] for row in rows] == [tuple(row) for row in wanted[columns].to_numpy().tolist()]


@pytest.mark.parametrize(("year", "day"), [(1404, 29), (1403, 30)])
def test_birthdays_of_30_esfand(world, year, day):
    """Asked in Bahman, who was born on 30 Esfand is found, on the last day that Esfand has."""
    read, connection = world
    third = sorted(read.contacts["contact_id"])[2]
    bahman = jdatetime.date(year, 11, 15).togregorian()
    connection.execute(
        f"CREATE TEMP VIEW export_info AS SELECT TIMESTAMPTZ '{bahman} 12:00:00+03:30' AS finished_at"
    )
    try:
        found = [row for row in ask(connection, "05-birthdays") if row[3] == third]
    finally:
        connection.execute("DROP VIEW temp.export_info")
    assert [(row[1], row[2]) for row in found] == [(f"{year}/12/{day}", year - 1399)]


def test_campaign(world):
    """The list is that of `campaign_list`."""
    read, connection = world
    rows = ask(connection, "06-campaign")
    assert [row[0] for row in rows] == campaign_list(read.contacts)["contact_id"].tolist()
    assert len({row[2] for row in rows}) == len(rows)


def test_duplicates(world):
    """Numbers that several contacts share, with all of them."""
    read, connection = world
    rows = ask(connection, "07-duplicates")
    wanted = duplicates_by_mobile(read.contacts).groupby("mobile")["contact_id"].apply(list)
    assert {row[0]: row[2] for row in rows} == wanted.to_dict()
    assert all(row[1] == len(row[2]) > 1 for row in rows)
    assert rows


def test_group_overlap(world):
    """Every pair of groups that shares anybody is one row."""
    read, connection = world
    rows = ask(connection, "08-group-overlap")
    bridge, titles = read.contact_groups, read.groups.set_index("group_id")["title"]
    pairs = Counter(
        (titles[one], titles[other])
        for groups in bridge.groupby("contact_id")["group_id"].apply(sorted)
        for one, other in combinations(groups, 2)
    )
    assert {row[:2]: row[2] for row in rows} == pairs
    sizes = bridge["group_id"].map(titles).value_counts()
    assert all(row[3] == pytest.approx(row[2] / min(sizes[row[0]], sizes[row[1]]), abs=0.001) for row in rows)


def test_issues(world):
    """Issues by rule and column are the manifest's numbers."""
    read, connection = world
    rows = ask(connection, "09-issues")
    totals = Counter()
    for rule, _, times, contacts, example in rows:
        totals[rule] += times
        assert contacts <= times
        assert example in {*read.issues.loc[read.issues["rule"] == rule, "contact_id"].dropna(), None}
    assert dict(totals) == {rule: count for rule, count in read.manifest["issues"].items() if count}


def test_ages(world):
    """Ages are whole Jalali years, as a person counts them, one contact at a time."""
    read, connection = world
    now = jdatetime.date.fromgregorian(date=today_of(read))
    wanted = Counter()
    for born, gender in alive(read.contacts)[["birth_date", "gender"]].itertuples(index=False):
        if pd.isna(born) or born > today_of(read):
            continue
        birth = jdatetime.date.fromgregorian(date=born)
        if birth.year < 1300:
            continue  # the calendar begins there
        age = now.year - birth.year - ((now.month, now.day) < (birth.month, birth.day))
        wanted[age // 10 * 10, None if pd.isna(gender) else gender] += 1
    found = {}
    for from_age, women, men, unknown in ask(connection, "10-ages"):
        found |= {(from_age, "female"): women, (from_age, "male"): men, (from_age, None): unknown}
    assert {key: count for key, count in found.items() if count} == wanted
