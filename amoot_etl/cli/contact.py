"""`amoot-etl contact`."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import click

from amoot_etl.cli._options import as_json, portal_options, settings_of, show_json, show_table


@click.command()
@click.argument("contact_id", type=click.IntRange(min=1), metavar="ID")
@as_json
@portal_options
def command(contact_id: int, *, as_json: bool, **shared: Any) -> None:
    """Show one contact: what the portal sent, and what becomes of it."""
    from amoot_etl.client import Client  # noqa: PLC0415 - help needs no HTTP
    from amoot_etl.extractors.contacts import contact_reader, fetch_contact  # noqa: PLC0415
    from amoot_etl.schema import TABLES  # noqa: PLC0415
    from amoot_etl.transformers.contacts import clean_table  # noqa: PLC0415

    with Client(settings_of(**shared)) as client:
        record = fetch_contact(client, contact_id)
    raw = contact_reader("ContactGet").gather([record]).table
    today = dt.datetime.now(ZoneInfo("Asia/Tehran")).date()
    cleaned = clean_table(raw, today=today)
    clean = cleaned.contacts.to_pylist()[0]
    issues = cleaned.issues.drop_columns(["contact_id"]).to_pylist()
    if as_json:
        show_json({"clean": clean, "raw": record.text, "issues": issues})
        return
    rows = []
    told = set()
    for column in TABLES["contacts"].columns:
        values = {name: record.text.get(name) for name in column.source}
        told |= set(values)
        # One raw value needs no name; a pair's do.
        shown = (
            " / ".join(f"{name}: {value}" for name, value in values.items() if value)
            if len(values) > 1
            else None
        )
        one = next(iter(values.values()), None)
        if clean[column.name] is not None or one or shown:
            rows.append((column.name, clean[column.name], shown if len(values) > 1 else one))
    rows += [(f"({name})", None, value) for name, value in record.text.items() if name not in told and value]
    show_table(
        ("column", "clean", "raw"), [(name, _plain(value), raw_text) for name, value, raw_text in rows]
    )
    for issue in issues:
        click.echo(f"issue: {issue['column']}: {issue['rule']}: {issue['detail']}")


def _plain(value: Any) -> str | None:
    """Give a value's text; an ID is no quantity."""
    return (
        value
        if value is None or isinstance(value, str)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )
