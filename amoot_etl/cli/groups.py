"""`amoot-etl groups`."""

from __future__ import annotations

from typing import Any

import click

from amoot_etl.cli._display import retries_told
from amoot_etl.cli._options import as_json, portal_options, settings_of, show_json, show_table


@click.command()
@as_json
@portal_options
def command(*, as_json: bool, **shared: Any) -> None:
    """Show the portal's groups (labels) and how many contacts it counts in each."""
    from amoot_etl.client import Client  # noqa: PLC0415 - help needs no HTTP
    from amoot_etl.extractors.groups import fetch_groups  # noqa: PLC0415

    with Client(settings_of(**shared), on_retry=retries_told(**shared)) as client:
        groups = fetch_groups(client)
    if as_json:
        show_json([group._asdict() for group in groups])
    else:
        headings = ("group_id", "contacts", "active", "title")
        rows = [
            (str(group.group_id), group.contacts_count, group.contacts_active_count, group.title)
            for group in groups
        ]
        show_table(headings, rows)
