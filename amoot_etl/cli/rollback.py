"""`amoot-etl rollback`."""

from __future__ import annotations

from typing import Any

import click

from amoot_etl.cli._options import folder_of, folder_options, wait_option


@click.command()
@click.argument("generation", required=False)
@folder_options
@wait_option
def command(generation: str | None, wait: float | None, **where: Any) -> None:
    """Make an earlier generation current again, in one atomic step (the one before, unless named)."""
    from amoot_etl.pipeline.generations import rollback  # noqa: PLC0415 - help needs no tables

    chosen = rollback(folder_of(**where), generation, wait=wait)
    click.echo(f"generation {chosen.run_id} is current")
