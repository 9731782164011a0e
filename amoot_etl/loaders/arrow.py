"""From a table's declaration to an Arrow schema that carries everything a loader needs to know.

A loader is given one Arrow schema and nothing else about its table: the names and the types, and as metadata
the table's name, each column's description and Persian heading, and the run that the rows come from.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from amoot_etl._version import __version__
from amoot_etl.errors import SettingsError
from amoot_etl.schema import SCHEMA_VERSION, Column, Table

if TYPE_CHECKING:
    from amoot_etl.loaders.contract import RunFacts

__all__ = ["arrow_schema", "arrow_type", "check_headings", "decoded_type", "headings", "table_name"]

_SIMPLE: Final = {
    "bool": pa.bool_(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
    "date32": pa.date32(),
}
_TIMESTAMP: Final = re.compile(r"timestamp\[(s|ms|us|ns)(?:, (?:tz=)?([\w/+:-]+))?\]")
_DECIMAL: Final = re.compile(r"decimal128\((\d+), ?(-?\d+)\)")


def arrow_type(name: str) -> pa.DataType:
    """Give the Arrow type that a column's declaration names.

    Args:
        name: `bool`, `int32`, `int64`, `float64`, `string`, `date32`, `timestamp[us, Asia/Tehran]`,
            `decimal128(18, 2)` and the like.

    Raises:
        SettingsError: No such type.

    >>> arrow_type("timestamp[us, Asia/Tehran]")
    TimestampType(timestamp[us, tz=Asia/Tehran])
    >>> arrow_type("decimal128(18, 2)")
    Decimal128Type(decimal128(18, 2))
    """
    if name in _SIMPLE:
        return _SIMPLE[name]
    if found := _TIMESTAMP.fullmatch(name):
        return pa.timestamp(found[1], found[2])
    if found := _DECIMAL.fullmatch(name):
        return pa.decimal128(int(found[1]), int(found[2]))
    raise SettingsError(
        f"there is no column type {name!r}: use one of {', '.join(_SIMPLE)}, timestamp[us, ZONE], "
        "decimal128(DIGITS, PLACES)",
        subject=name,
    )


def arrow_schema(table: Table, run: RunFacts | None = None) -> pa.Schema:
    """Give the Arrow schema of a table, with its meaning and its run as metadata.

    Args:
        table: The table as the user wants it: columns chosen, renamed and typed already.
        run: The run that fills it; without one the metadata names none.

    Returns:
        Field metadata `description`, `label_fa` and, where there is one, `source` (the portal's fields, by
        comma); schema metadata `table`, `description`, `label_fa`, `tool_version`, `schema_version` and the
        run's `run_id`, `mode`, `finished_at`, `base_url` as far as they are known.

    >>> from amoot_etl.schema import TABLES
    >>> schema = arrow_schema(TABLES["contact_groups"])
    >>> schema.names
    ['contact_id', 'group_id']
    >>> schema.metadata[b"table"], schema.field("group_id").metadata[b"source"]
    (b'contact_groups', b'ContactGroupID')
    """
    about = {
        "table": table.name,
        "description": table.description,
        "label_fa": table.label,
        "tool_version": __version__,
        "schema_version": str(SCHEMA_VERSION),
    }
    if run is not None:
        about |= run.facts()
    return pa.schema([_field(column) for column in table.columns], metadata=about)


def _field(column: Column) -> pa.Field:
    about = {"description": column.description, "label_fa": column.label}
    if column.source:
        about["source"] = ",".join(column.source)
    return pa.field(column.name, arrow_type(column.type), metadata=about)


def decoded_type(data_type: pa.DataType) -> pa.DataType:
    """Give the type that a loader holds a column in: strings of all kinds as `string`, null as `string`.

    >>> decoded_type(pa.dictionary(pa.int32(), pa.string())), decoded_type(pa.int64())
    (DataType(string), DataType(int64))
    """
    if pa.types.is_dictionary(data_type):
        return decoded_type(data_type.value_type)
    if pa.types.is_large_string(data_type) or pa.types.is_string_view(data_type):
        return pa.string()
    return pa.string() if pa.types.is_null(data_type) else data_type


def table_name(schema: pa.Schema) -> str:
    """Give the name of the table that a schema describes, or `""`."""
    return str((schema.metadata or {}).get(b"table", b"").decode())


def headings(schema: pa.Schema, labels: str = "en") -> list[str]:
    """Give the headings of a schema's columns in one language, each one once.

    Args:
        schema: As `arrow_schema` gives it.
        labels: `en` for the columns' names, `fa` for their Persian headings where they have one.

    Raises:
        SettingsError: `labels` is neither.

    >>> from amoot_etl.schema import TABLES
    >>> headings(arrow_schema(TABLES["contact_groups"]), "fa")
    ['شناسه مخاطب', 'شناسه گروه']
    """
    if labels not in ("en", "fa"):
        raise SettingsError(f"labels can be en or fa, not {labels!r}", subject="labels")
    if labels == "en":
        return list(schema.names)
    wanted = [((field.metadata or {}).get(b"label_fa") or field.name.encode()).decode() for field in schema]
    # Two columns under one heading could not be told apart: the later one adds its name.
    return [
        text if wanted.index(text) == at else f"{text} ({schema.names[at]})" for at, text in enumerate(wanted)
    ]


def check_headings(found: list[str], schema: pa.Schema, where: str, table: Table) -> None:
    """Insist that headings are those of a table, in either language.

    Args:
        found: The headings.
        schema: The table's, as `arrow_schema` gives it.
        where: What they stand in, for a message.
        table: The table.

    Raises:
        ValueError: They are not.
    """
    if found not in (headings(schema), headings(schema, "fa")):
        raise ValueError(
            f"{where} does not have the columns of {table.name}; where a mapping or a choice of columns shaped it, "
            f'hand over load_settings().shape.tables["{table.name}"]'
        )
