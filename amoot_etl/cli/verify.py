"""`amoot-etl verify`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from amoot_etl.cli._options import as_json, out_option, show_json
from amoot_etl.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@out_option
@click.option("--run", "run_id", metavar="RUN", help="A kept generation (else the current one).")
@click.option("--cheap", is_flag=True, help="Only sizes, rows and runs.")
@as_json
def command(out: Path | None, run_id: str | None, *, cheap: bool, as_json: bool) -> None:
    """Check the published set: every file against the manifest, the tables against each other.

    Exit code 6 and a line for each thing that is wrong.
    """
    from amoot_etl.pipeline.verify import verify  # noqa: PLC0415 - help needs no tables

    report = verify(load_settings(out=out).out, content="cheap" if cheap else "full", run_id=run_id)
    if as_json:
        show_json(dataclasses.asdict(report))
    else:
        for line in [*report.problems, *(f"note: {note}" for note in report.notes)]:
            click.echo(line)
        if report.ok:
            click.echo(f"generation {report.run_id} is whole: {report.files} files checked")
    report.require_ok()
