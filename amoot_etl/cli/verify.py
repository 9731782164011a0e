"""`amoot-etl verify`."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from amoot_etl.cli._options import as_json, folder_of, folder_options, show_json
from amoot_etl.errors import VerificationError


@click.command()
@folder_options
@click.option("--run", "run_id", metavar="RUN", help="A kept generation (else the current one).")
@click.option("--cheap", is_flag=True, help="Only sizes, rows and runs.")
@as_json
def command(run_id: str | None, *, cheap: bool, as_json: bool, **where: Any) -> None:
    """Check the published set: every file against the manifest, the tables against each other.

    Exit code 6 and a line for each thing that is wrong.
    """
    from amoot_etl.pipeline.verify import verify  # noqa: PLC0415 - help needs no tables

    report = verify(folder_of(**where), content="cheap" if cheap else "full", run_id=run_id)
    if as_json:
        show_json(dataclasses.asdict(report))
    else:
        for line in [*report.problems, *(f"note: {note}" for note in report.notes)]:
            click.echo(line)
        if report.ok:
            click.echo(f"generation {report.run_id} is whole: {report.files} files checked")
        else:
            # The problems are the result, on standard output: once is enough.
            count = len(report.problems)
            raise VerificationError(
                f"generation {report.run_id} is not what it should be: {count:,} "
                f"problem{'s' if count > 1 else ''}, told on standard output",
                subject=report.run_id,
            )
    report.require_ok()
