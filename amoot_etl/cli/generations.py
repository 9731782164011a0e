"""`amoot-etl generations`."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from amoot_etl.cli._options import as_json, folder_of, folder_options, show_json, show_table
from amoot_etl.tehran import TEHRAN, iso


@click.command()
@folder_options
@as_json
def command(*, as_json: bool, **where: Any) -> None:
    """List the kept generations, the latest first; a star marks the current one.

    Times are Tehran's.
    """
    from amoot_etl.loaders.generations import require_current  # noqa: PLC0415 - help needs no tables
    from amoot_etl.pipeline.generations import generations  # noqa: PLC0415

    folder = folder_of(**where)
    kept = generations(folder)
    if not kept:
        # An empty list would look like a good answer to a script that misspelt the folder.
        require_current(folder)
    if as_json:
        show_json([{**dataclasses.asdict(item), "published_at": iso(item.published_at)} for item in kept])
        return
    show_table(
        ("", "run", "published", "mode", "contacts", "MB", "formats"),
        [
            (
                "*" if item.current else "",
                item.run_id,
                f"{item.published_at.astimezone(TEHRAN):%Y-%m-%d %H:%M}",
                item.mode,
                item.contacts,
                f"{item.bytes / 1e6:.1f}",
                " ".join(item.formats),
            )
            for item in kept
        ],
    )
