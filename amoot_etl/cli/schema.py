"""`amoot-etl schema`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from amoot_etl.cli._options import as_json, show_json, show_table
from amoot_etl.errors import SettingsError
from amoot_etl.mapping import did_you_mean
from amoot_etl.schema import CHANGES, RULES
from amoot_etl.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from amoot_etl.schema import Table

__all__ = ["command", "dictionary", "markdown"]

_INTRODUCTION: Final = """\
# Data dictionary

Every table that an export holds, column by column. This page is what `amoot-etl schema --markdown` prints; with a
mapping of the custom fields in `amoot.toml` it prints your own columns. The same words stand in the metadata of the
Parquet files and on the about sheet of the workbook.

What each column holds is the same in every format, but for CSV in the profile `excel`: a spreadsheet takes text that
begins with `+`, `-`, `=` or `@` for a formula, so `mobile` stands there without its plus (`989121234567`), and text
that people typed gets an apostrophe in front. `read_csv(path, "contacts")` takes both back.
"""


@click.command()
@click.argument("table", required=False)
@as_json
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, for documents.")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Settings file with the mapping (else ./amoot.toml, else the user's config folder).",
)
def command(table: str | None, config: Path | None, *, as_json: bool, as_markdown: bool) -> None:
    """Show the tables and their columns, with your mapping: name, type, where from, what it holds."""
    known = {**load_settings(config=config).shape.tables, CHANGES.name: CHANGES}
    tables = [_named(table, known)] if table else list(known.values())
    if as_json:
        show_json([dataclasses.asdict(item) for item in tables])
        return
    if as_markdown:
        click.echo(markdown(tables[0]) if table else dictionary(tables), nl=False)
        return
    for number, item in enumerate(tables):
        if number:
            click.echo()
        click.echo(f"{item.name}: {item.description}")
        show_table(
            ("column", "type", "from", "holds"),
            [
                (column.name, _typed(column.type, column.kind), ", ".join(column.source), column.description)
                for column in item.columns
            ],
        )


def _named(name: str, tables: Mapping[str, Table]) -> Table:
    if name not in tables:
        raise SettingsError(f"there is no table {name}{did_you_mean(name, tables)}", subject=name)
    return tables[name]


def dictionary(tables: Iterable[Table]) -> str:
    """Give the whole data dictionary as a Markdown page."""
    rules = [f"| {rule} | {_cell(meaning)} |" for rule, meaning in RULES.items()]
    told = [
        "## Rules of the issues table",
        "",
        "An empty value is never an issue.",
        "",
        "| rule | what it means |",
        "| --- | --- |",
        *rules,
        "",
    ]
    pages = (f"## {table.name} ({table.label})\n\n{markdown(table)}" for table in tables)
    return "\n".join([_INTRODUCTION, *pages, "\n".join(told)])


def markdown(table: Table) -> str:
    """Give what a table is, and its columns as a Markdown table."""
    lines = [
        table.description,
        "",
        "| column | type | heading | from | holds |",
        "| --- | --- | --- | --- | --- |",
    ]
    for column in table.columns:
        cells = (
            column.name,
            _typed(column.type, column.kind),
            column.label,
            ", ".join(column.source),
            column.description,
        )
        lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return "\n".join([*lines, ""])


def _typed(data_type: str, kind: str) -> str:
    """Give a column's type, and for a mapped one what it is there."""
    return f"{data_type} ({kind})" if kind and kind != data_type else data_type


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
