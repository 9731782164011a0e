"""`amoot-etl rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from amoot_etl.cli._options import out_option
from amoot_etl.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("generation", required=False)
@out_option
@click.option("--wait", type=float, metavar="SECONDS", help="Wait for another run that holds the folder.")
def command(generation: str | None, out: Path | None, wait: float | None) -> None:
    """Make an earlier generation current again, in one atomic step (the one before, unless named)."""
    from amoot_etl.pipeline.generations import rollback  # noqa: PLC0415 - help needs no tables

    chosen = rollback(load_settings(out=out).out, generation, wait=wait)
    click.echo(f"generation {chosen.run_id} is current")
