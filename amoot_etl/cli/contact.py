"""`amoot-etl contact`."""

from __future__ import annotations

from typing import Any

import click

from amoot_etl.cli._display import retries_told
from amoot_etl.cli._options import as_json, portal_options, settings_of, show_json, show_table
from amoot_etl.errors import NotFound, SettingsError
from amoot_etl.tehran import now


def _id(_context: click.Context, _argument: click.Parameter, value: str) -> int:
    if not value.isdecimal() or not int(value):
        raise click.BadParameter(f"{value} is no contact's ID: give a number such as 100001")
    return int(value)


@click.command()
@click.argument("contact_id", callback=_id, metavar="ID")
@as_json
@portal_options
def command(contact_id: int, *, as_json: bool, **shared: Any) -> None:
    """Show one contact: what the portal sent, and what becomes of it.

    Exit code 2 if the portal has no contact of this ID.
    """
    from amoot_etl.client import Client  # noqa: PLC0415 - help needs no HTTP
    from amoot_etl.extractors.contacts import contact_reader, fetch_contact  # noqa: PLC0415
    from amoot_etl.transformers.contacts import clean_table  # noqa: PLC0415

    settings = settings_of(**shared)
    with Client(settings, on_retry=retries_told(**shared)) as client:
        try:
            record = fetch_contact(client, contact_id)
        except NotFound as error:
            # The portal answered as it documents; what is wrong is the ID that was asked for.
            raise SettingsError(str(error), subject="contact_id") from error
    raw = contact_reader("ContactGet").gather([record]).table
    today = now().date()
    cleaned = clean_table(raw, today=today, shape=settings.shape)
    clean = cleaned.contacts.to_pylist()[0]
    issues = cleaned.issues.drop_columns(["contact_id"]).to_pylist()
    if as_json:
        show_json({"clean": clean, "raw": record.text, "issues": issues})
        return
    columns = settings.shape.contacts.columns
    rows = [
        (column.name, _plain(clean.get(column.name)), _raw(column.source, record.text)) for column in columns
    ]
    told = {name for column in columns for name in column.source}
    rows += [(f"({name})", None, value) for name, value in record.text.items() if name not in told]
    show_table(("column", "clean", "raw"), [row for row in rows if row[1] or row[2]])
    for issue in issues:
        click.echo(f"issue: {issue['column']}: {issue['rule']}: {issue['detail']}")


def _raw(fields: tuple[str, ...], record: dict[str, str | None]) -> str | None:
    """Give what a column's fields held; one field needs no name, two do."""
    if len(fields) == 1:
        return record.get(fields[0])
    return " / ".join(f"{name}: {record[name]}" for name in fields if record.get(name)) or None


def _plain(value: Any) -> str | None:
    """Give a value's text; an ID is no quantity."""
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)
