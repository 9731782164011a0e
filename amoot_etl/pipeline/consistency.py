"""Do the tables of a published set agree with each other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from amoot_etl.pipeline.alignment import once
from amoot_etl.pipeline.idsets import inside

if TYPE_CHECKING:
    import numpy.typing as npt

    from amoot_etl.loaders.generations import Generation

    Ids: TypeAlias = npt.NDArray[np.int64]

__all__ = ["REQUIRED", "check_tables"]

REQUIRED: Final = ("contacts", "groups", "contact_groups", "issues", "calendar", "export_info")
"""The tables of every published set."""


def check_tables(generation: Generation) -> list[str]:
    """Check that ids are unique, that keys lead somewhere, and that what tables count of each other is so.

    Args:
        generation: A set whose files are whole.

    Returns:
        What is wrong, a line each, beginning with the table; empty when nothing is.
    """
    problems: list[str] = []
    if any(generation.entry(name) is None for name in REQUIRED):
        return problems
    wanted = (
        ("contacts", "contact_id"),
        ("groups", "group_id"),
        ("contact_groups", "contact_id"),
        ("contact_groups", "group_id"),
        ("issues", "contact_id"),
    )
    # Decoding holds no lock of Python's, and two at a time is what a small machine has cores for.
    with ThreadPoolExecutor(max_workers=2) as pool:
        columns = list(pool.map(lambda each: _column(generation, *each), wanted))
    contacts, groups, members, labels, about = (
        _ids(column, *each, problems) for each, column in zip(wanted, columns, strict=True)
    )
    contacts = _unique(contacts, "contacts", problems)
    groups = _unique(groups, "groups", problems)
    _within(members, contacts, "contact_groups: contact_id", "contacts", problems)
    _within(labels, groups, "contact_groups: group_id", "groups", problems)
    _within(about, contacts, "issues: contact_id", "contacts", problems)
    if len(members) == len(labels):
        twice = _twice(members, labels)
        if twice:
            problems.append(f"contact_groups: {twice} pairs stand twice")
        _check_group_counts(generation, labels, problems)
    _check_info(generation, len(contacts), len(groups), problems)
    _check_rules(generation, problems)
    return problems


def _column(generation: Generation, table: str, column: str) -> pa.ChunkedArray | None:
    with pq.ParquetFile(generation.file(table)) as file:
        if column not in file.schema_arrow.names:
            return None
        return file.read([column], use_threads=False)[column]


def _ids(values: pa.ChunkedArray | None, table: str, column: str, problems: list[str]) -> Ids:
    if values is None:
        return np.empty(0, np.int64)
    # An issue may be about no single contact; every other row is about one.
    if values.null_count and table != "issues":
        problems.append(f"{table}: {column} is null in {values.null_count} rows")
    ids: Ids = values.drop_null().to_numpy()
    return ids


def _unique(ids: Ids, table: str, problems: list[str]) -> Ids:
    """Give the ids sorted and once each."""
    distinct = once(ids)
    if len(distinct) != len(ids):
        problems.append(f"{table}: {len(ids) - len(distinct)} ids stand more than once")
    return distinct


def _twice(members: Ids, labels: Ids) -> int:
    """Count the pairs that stand more than once."""
    later, level = members[1:] > members[:-1], members[1:] == members[:-1]
    if (later | (level & (labels[1:] > labels[:-1]))).all():
        return 0  # in order, as our files are: then every pair is larger than the one before
    order = np.lexsort((labels, members))
    pairs = (np.diff(members[order]) == 0) & (np.diff(labels[order]) == 0)
    return int(pairs.sum())


def _within(ids: Ids, known: Ids, what: str, table: str, problems: list[str]) -> None:
    unknown = len(ids) - int(np.count_nonzero(inside(ids, known)))
    if unknown:
        problems.append(f"{what} of {unknown} rows is not in {table}")


def _check_group_counts(generation: Generation, labels: Ids, problems: list[str]) -> None:
    ids, told = _column(generation, "groups", "group_id"), _column(generation, "groups", "contacts_exported")
    if ids is None or told is None:
        return
    held = {each["values"]: each["counts"] for each in pc.value_counts(pa.array(labels)).to_pylist()}
    for group, count in zip(ids.to_pylist(), told.to_pylist(), strict=True):
        if count != held.get(group, 0):
            problems.append(
                f"groups: group {group} says {count} contacts, contact_groups has {held.get(group, 0)}"
            )


def _check_info(generation: Generation, contacts: int, groups: int, problems: list[str]) -> None:
    with pq.ParquetFile(generation.file("export_info")) as file:
        rows: list[dict[str, Any]] = file.read().to_pylist()
    if len(rows) != 1:
        problems.append(f"export_info: {len(rows)} rows, not one")
        return
    for name, expected in (("run_id", generation.run_id), ("contacts", contacts), ("groups", groups)):
        if rows[0].get(name, expected) != expected:
            problems.append(f"export_info: {name} is {rows[0][name]}, not {expected}")


def _check_rules(generation: Generation, problems: list[str]) -> None:
    told = generation.manifest.get("issues")
    rules = _column(generation, "issues", "rule")
    if not isinstance(told, dict) or rules is None:
        return
    held = {each["values"]: each["counts"] for each in pc.value_counts(rules).to_pylist()}
    told = {rule: count for rule, count in told.items() if count}
    problems += [
        f"issues: {held.get(rule, 0)} rows of {rule}, the manifest says {told.get(rule, 0)}"
        for rule in sorted({*held, *told})
        if held.get(rule, 0) != told.get(rule, 0)
    ]
