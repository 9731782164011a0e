"""The about sheet: the run, what the workbook could not hold, and what every column means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from amoot_etl.loaders.arrow import arrow_schema
from amoot_etl.schema import Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from amoot_etl.loaders.contract import RunFacts, Written

__all__ = ["about_rows", "about_schema"]

_ABOUT = Table(
    "about",
    "One row a fact: about the run, about a table, about a column.",
    "درباره",
    (
        Column("table", "string", "The table, or `run`.", "جدول"),
        Column("column", "string", "The column or the fact.", "ستون"),
        Column("label", "string", "The heading in Persian.", "عنوان فارسی"),
        Column("type", "string", "What kind of value it holds.", "نوع"),
        Column("description", "string", "What it means, or the fact itself.", "شرح"),
    ),
)


def about_schema() -> pa.Schema:
    """Give the columns of the about sheet."""
    return arrow_schema(_ABOUT)


def about_rows(tables: Iterable[tuple[pa.Schema, Written]], run: RunFacts | None) -> pa.Table:
    """Give the rows of the about sheet.

    Args:
        tables: The tables of the workbook with what was written of each.
        run: The run, if it is known.

    >>> from pathlib import Path
    >>> from amoot_etl.loaders.contract import RunFacts, Written
    >>> from amoot_etl.schema import TABLES
    >>> written = Written(Path("contacts.xlsx"), "contact_groups", "xlsx", 3, {"zone": 2})
    >>> rows = about_rows([(arrow_schema(TABLES["contact_groups"]), written)], RunFacts("r1"))
    >>> [(row["table"], row["column"]) for row in rows.to_pylist()][:3]
    [('run', 'run_id'), ('contact_groups', None), ('contact_groups', None)]
    """
    rows: list[tuple[str | None, ...]] = []
    if run is not None:
        rows += [("run", name, None, None, value) for name, value in run.facts().items()]
    for schema, written in tables:
        about = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
        title = about.get("label_fa")
        meaning = " ".join(filter(None, [about.get("description"), f"Rows: {written.rows}."]))
        rows.append((written.table, None, title, None, meaning))
        rows += [
            (written.table, None, None, kind, f"Values that Excel cannot hold as they are: {count}.")
            for kind, count in sorted(written.losses.items())
        ]
        for field in schema:
            told = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
            rows.append(
                (written.table, field.name, told.get("label_fa"), str(field.type), told.get("description"))
            )
    return pa.Table.from_pylist(
        [dict(zip(_ABOUT.names, row, strict=True)) for row in rows],
        schema=pa.schema([(name, pa.string()) for name in _ABOUT.names]),
    )
