"""The figures of one published set: counts alone, each read from the columns that it needs.

Contacts that the portal marks deleted count in the totals and nowhere else. A column that the user did not want in
the tables has no figure.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from amoot_etl.pipeline.report.feed import jalali_day, read_feed, sizes
from amoot_etl.pipeline.report.fold import Folded, Part, fold
from amoot_etl.pipeline.report.overlap import Pair, overlap
from amoot_etl.pipeline.report.reading import Tables
from amoot_etl.pipeline.report.reconciled import Reconciliation, reconciliation
from amoot_etl.tehran import TEHRAN
from amoot_etl.transformers.text import key_array

if TYPE_CHECKING:
    from amoot_etl.loaders.generations import Generation
    from amoot_etl.pipeline.report.feed import Feed, Size

__all__ = ["Figures", "Filled", "RuleCount", "figures_of"]

_MONTHS: Final = 24
_CITIES: Final = 15
_OPERATORS: Final = 12
_GROUPS: Final = 20
_NUMBERS: Final = 10

_DERIVED: Final = frozenset(
    {
        *("contact_id", "active", "deleted", "full_name", "groups", "extra", "updated_date"),
        *("mobile_national", "mobile_kind", "mobile_country", "mobile_prefix_operator", "mobile_raw"),
    }
)
"""Columns of contacts that say nothing about how full the address book is."""


@dataclass(frozen=True, slots=True)
class Filled:
    """One field: its column, its Persian heading, and how many contacts have a value."""

    column: str
    label: str
    filled: int


@dataclass(frozen=True, slots=True)
class RuleCount:
    """One rule of the issues table, and how many values broke it."""

    rule: str
    rows: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What the report tells.

    Args:
        run_id: The run that made the set.
        as_of: When its data was complete, Tehran time; None if the set does not say.
        base_url: The portal.
        account: The account's name in the settings, if it has one.
        whole: Whether the whole account was asked for, not only some groups.
        tool_version: The version that made the set.
        contacts: All contacts.
        alive: Those not marked deleted: what the rest of the figures is about.
        active: Those of them that are active, None without the column.
        reachable: Those of them with a mobile, None without the column.
        groups: How many groups.
        memberships: How many times a contact is in a group.
        months: Contacts by the Jalali month of their last update (`1405/09`), 24 months, the oldest first; None
            for a month that is folded.
        other_months: Contacts of no stamp, of earlier months, and of folded ones.
        operators: By holder of the number range, else by kind of number (`kind:foreign`).
        genders: By gender.
        cities: By city.
        group_sizes: By group title; a contact of two groups counts twice.
        group_numbers: By how many groups a contact is in.
        pairs: The groups that share the most contacts.
        fields: Every field of the portal's, in the table's order.
        issues: By rule, the most frequent first.
        shared_mobile: Contacts that share their mobile with another one.
        same_person: Contacts that share name and birthday with another one.
        reconciliation: The portal's counts beside ours.
        feed: What each publish changed.
        sizes: How many contacts there were over time.
    """

    run_id: str
    as_of: dt.datetime | None
    base_url: str
    account: str | None
    whole: bool
    tool_version: str
    contacts: int
    alive: int
    active: int | None
    reachable: int | None
    groups: int
    memberships: int
    months: tuple[tuple[str, int | None], ...]
    other_months: int
    operators: Folded | None
    genders: Folded | None
    cities: Folded | None
    group_sizes: Folded
    group_numbers: Folded
    pairs: tuple[Pair, ...]
    fields: tuple[Filled, ...]
    issues: tuple[RuleCount, ...]
    shared_mobile: int | None
    same_person: int | None
    reconciliation: Reconciliation
    feed: Feed
    sizes: list[Size]


def figures_of(generation: Generation) -> Figures:
    """Count a published set.

    Raises:
        FileNotFoundError: It has been pruned meanwhile, or a file of it is gone.
        OSError, pa.ArrowInvalid: A file of it cannot be read.
    """
    tables = Tables(generation)
    manifest = generation.manifest
    as_of = _as_of(manifest)
    contacts = tables.rows("contacts")
    titles = tables.read("groups", ["group_id", "title"])
    members = tables.members()
    linked = overlap(members, titles, tables.alive_count)
    months, other_months = _months(tables, as_of)
    feed = read_feed(generation)
    return Figures(
        run_id=generation.run_id,
        as_of=as_of,
        base_url=str(manifest.get("base_url", "")),
        account=manifest.get("account"),
        whole=manifest.get("scope") == "full",
        tool_version=str(manifest.get("tool_version", "")),
        contacts=contacts,
        alive=tables.alive_count,
        active=_true(tables, "active"),
        reachable=_filled(tables, "mobile"),
        groups=titles.num_rows,
        memberships=members.num_rows,
        months=months,
        other_months=other_months,
        operators=_operators(tables),
        genders=_by(tables, "gender", 2),
        cities=_by(tables, "city", _CITIES),
        group_sizes=fold(linked.sizes, _GROUPS),
        group_numbers=fold(linked.numbers, _NUMBERS),
        pairs=linked.pairs,
        fields=_fields(tables),
        issues=_issues(tables),
        shared_mobile=_shared_mobile(tables),
        same_person=_same_person(tables),
        reconciliation=reconciliation(generation, tables),
        feed=feed,
        sizes=sizes(feed, contacts),
    )


def _as_of(manifest: dict[str, Any]) -> dt.datetime | None:
    try:
        at = dt.datetime.fromisoformat(manifest["finished_at"])
    except (KeyError, TypeError, ValueError):
        return None
    return at.astimezone(TEHRAN)


def _true(tables: Tables, column: str) -> int | None:
    values = tables.alive(column)
    return None if values is None else pc.sum(values).as_py() or 0


def _filled(tables: Tables, column: str) -> int | None:
    values = tables.alive(column)
    return None if values is None else len(values) - values.null_count


def _counted(values: pa.ChunkedArray) -> list[Part]:
    return [Part(each["values"], each["counts"]) for each in pc.value_counts(values).to_pylist()]


def _by(tables: Tables, column: str, keep: int) -> Folded | None:
    values = tables.alive(column)
    return None if values is None else fold(_counted(values), keep + 1)


def _operators(tables: Tables) -> Folded | None:
    """Count by holder of the number range; a number that has none by its kind."""
    holders, kinds = tables.alive("mobile_prefix_operator"), tables.alive("mobile_kind")
    if holders is None or kinds is None:
        return None
    named = pc.binary_join_element_wise("kind", kinds, ":")
    return fold(_counted(pc.coalesce(holders, named)), _OPERATORS)


def _months(tables: Tables, as_of: dt.datetime | None) -> tuple[tuple[tuple[str, int | None], ...], int]:
    """Count by the Jalali month of the last update: 24 months up to the latest, and all others together."""
    days = tables.alive("updated_date_jalali")
    if days is None:
        return (), 0
    counts: Counter[str | None] = Counter()
    for day, count in _counted(days):
        counts[day and day[: len("1405/09")]] += count
    stamped = [month for month in counts if month]
    if not stamped:
        return (), counts[None]
    latest = max(stamped) if as_of is None else jalali_day(as_of.date())[: len("1405/09")]
    window = _window(latest, min(stamped))
    inside = fold([Part(month, counts[month]) for month in counts], len(counts))
    told = {part.name: part.size for part in inside.parts if part.name in window}
    # A month outside the window may be large; together with what is folded it is the rest.
    months = tuple((month, told.get(month, 0 if not counts[month] else None)) for month in window)
    return months, inside.total - sum(told.values())


def _window(latest: str, earliest: str) -> list[str]:
    """Give the months up to the latest, the oldest first; none before the earliest.

    >>> _window("1405/02", "1404/11")
    ['1404/11', '1404/12', '1405/01', '1405/02']
    """
    number = int(latest[:4]) * 12 + int(latest[5:]) - 1
    window = (f"{at // 12:04d}/{at % 12 + 1:02d}" for at in range(number - _MONTHS + 1, number + 1))
    return [month for month in window if month >= earliest]


def _fields(tables: Tables) -> tuple[Filled, ...]:
    """Count the values of each field that the portal keeps, one column at a time."""
    fields = []
    schema = tables.schema("contacts")
    for field in schema:
        if field.name in _DERIVED or field.name.endswith("_jalali"):
            continue
        label = (field.metadata or {}).get(b"label_fa", b"").decode()
        fields.append(Filled(field.name, label or field.name, _filled(tables, field.name) or 0))
    return tuple(fields)


def _issues(tables: Tables) -> tuple[RuleCount, ...]:
    """Count the issues by rule."""
    ranked = sorted(
        _counted(tables.read("issues", ["rule"])["rule"]), key=lambda part: (-part.size, part.name)
    )
    return tuple(RuleCount(part.name or "", part.size) for part in ranked)


def _shared_mobile(tables: Tables) -> int | None:
    mobiles = tables.alive("mobile")
    if mobiles is None:
        return None
    counts = pc.value_counts(mobiles.drop_null()).field("counts")
    return pc.sum(counts.filter(pc.greater(counts, 1))).as_py() or 0


def _same_person(tables: Tables) -> int | None:
    """Count the contacts that share birthday and name, however it is spelt."""
    births, names = tables.alive("birth_date"), tables.alive("full_name")
    if births is None or names is None:
        return None
    both = pa.table({"name": names, "birth": births}).drop_null()
    keys = key_array(both["name"].combine_chunks())
    people = pa.table({"key": keys, "birth": both["birth"]}).drop_null()
    counts = people.group_by(["key", "birth"]).aggregate([([], "count_all")])["count_all"]
    return pc.sum(counts.filter(pc.greater(counts, 1))).as_py() or 0
