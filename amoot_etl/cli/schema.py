"""`amoot-etl schema`."""

from __future__ import annotations

import dataclasses
import difflib

import click

from amoot_etl.cli._options import as_json, show_json, show_table
from amoot_etl.errors import SettingsError
from amoot_etl.schema import TABLES, Table


@click.command()
@click.argument("table", required=False)
@as_json
@click.option("--markdown", is_flag=True, help="Print Markdown, for documents.")
def command(table: str | None, *, as_json: bool, markdown: bool) -> None:
    """Show the tables and their columns: name, type, where from, what it holds."""
    tables = [_named(table)] if table else list(TABLES.values())
    if as_json:
        show_json([dataclasses.asdict(item) for item in tables])
        return
    for number, item in enumerate(tables):
        if markdown:
            click.echo(_markdown(item))
            continue
        if number:
            click.echo()
        click.echo(f"{item.name}: {item.description}")
        show_table(
            ("column", "type", "from", "holds"),
            [
                (column.name, column.type, ", ".join(column.source), column.description)
                for column in item.columns
            ],
        )


def _named(name: str) -> Table:
    if name not in TABLES:
        near = difflib.get_close_matches(name, TABLES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(TABLES)}"
        raise SettingsError(f"there is no table {name}; {hint}", subject=name)
    return TABLES[name]


def _markdown(table: Table) -> str:
    """Give a table's columns as a Markdown table."""
    lines = [
        f"**{table.name}**: {table.description}",
        "",
        "| column | type | from | holds |",
        "| --- | --- | --- | --- |",
    ]
    for column in table.columns:
        holds = column.description.replace("|", "\\|")
        lines.append(f"| {column.name} | {column.type} | {', '.join(column.source)} | {holds} |")
    return "\n".join([*lines, ""])
