"""How groups overlap: how many groups a contact is in, and which groups share the most contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import duckdb
import pyarrow.compute as pc

from amoot_etl.pipeline.report.fold import SMALLEST, Part

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Overlap", "Pair", "overlap"]

_PAIRS: Final = 10

_NUMBERS: Final = """
    SELECT number, count(*) FROM (SELECT count(*) AS number FROM members GROUP BY contact_id)
    GROUP BY number ORDER BY number
"""

_SHARED: Final = """
    SELECT a.group_id AS one, b.group_id AS other, count(*) AS shared
    FROM members AS a JOIN members AS b ON a.contact_id = b.contact_id AND a.group_id < b.group_id
    GROUP BY one, other HAVING shared >= ? ORDER BY shared DESC, one, other LIMIT ?
"""


class Pair(NamedTuple):
    """Two groups: the title of the larger and of the smaller, how many contacts are in both, and in the smaller."""

    larger: str
    smaller: str
    shared: int
    of: int


class Overlap(NamedTuple):
    """How groups overlap."""

    sizes: list[Part]
    """Contacts by group title."""
    numbers: list[Part]
    """Contacts by how many groups they are in, as text."""
    pairs: tuple[Pair, ...]
    """The groups that share the most contacts, at least five."""


def overlap(members: pa.Table, groups: pa.Table, contacts: int) -> Overlap:
    """Count how groups overlap.

    Args:
        members: `contact_id` and `group_id`, both together unique.
        groups: `group_id` and `title`.
        contacts: How many contacts there are, those of no group among them.
    """
    ids, titles = groups["group_id"].to_pylist(), groups["title"].to_pylist()
    # Two groups may have one title: then its number tells them apart.
    names = {
        group: title if title and titles.count(title) == 1 else f"{title or ''} #{group}".strip()
        for group, title in zip(ids, titles, strict=True)
    }
    counted = pc.value_counts(members["group_id"]).to_pylist()
    sizes = {each["values"]: each["counts"] for each in counted}
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        connection.register("members", members)
        numbers = dict(connection.execute(_NUMBERS).fetchall())
        shared = connection.execute(_SHARED, [SMALLEST, _PAIRS]).fetchall()
    numbers[0] = contacts - sum(numbers.values())
    pairs = []
    for one, other, count in shared:
        larger, smaller = sorted((one, other), key=lambda group: -sizes[group])
        pairs.append(Pair(names[larger], names[smaller], count, sizes[smaller]))
    return Overlap(
        [Part(names.get(group, f"#{group}"), count) for group, count in sizes.items()],
        [Part(str(number), count) for number, count in numbers.items()],
        tuple(pairs),
    )
