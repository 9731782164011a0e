"""`amoot-etl generations`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from amoot_etl.cli._options import as_json, out_option, show_json, show_table
from amoot_etl.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@out_option
@as_json
def command(out: Path | None, *, as_json: bool) -> None:
    """List the kept generations, the latest first; a star marks the current one."""
    from amoot_etl.pipeline.generations import generations  # noqa: PLC0415 - help needs no tables

    kept = generations(load_settings(out=out).out)
    if as_json:
        show_json([dataclasses.asdict(generation) for generation in kept])
        return
    show_table(
        ("", "run", "published", "mode", "contacts", "MB", "formats"),
        [
            (
                "*" if item.current else "",
                item.run_id,
                f"{item.published_at:%Y-%m-%d %H:%M}",
                item.mode,
                item.contacts,
                f"{item.bytes / 1e6:.1f}",
                " ".join(item.formats),
            )
            for item in kept
        ],
    )
