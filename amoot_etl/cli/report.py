"""`amoot-etl report`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from amoot_etl.cli._options import as_json, folder_of, folder_options, show_json


@click.command()
@folder_options
@click.option(
    "--output",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("amoot-report.html"),
    show_default=True,
    metavar="FILE",
    help="The page.",
)
@click.option(
    "--lang", type=click.Choice(["en", "fa"]), default="en", show_default=True, help="Its language."
)
@click.option("--run", "run_id", metavar="RUN", help="A kept generation (else the current one).")
@as_json
def command(path: Path, lang: str, run_id: str | None, *, as_json: bool, **where: Any) -> None:
    """Write one HTML page about the published set: counts and charts, nobody's data, no network needed."""
    from amoot_etl.pipeline.report import report  # noqa: PLC0415 - help needs no tables

    written = report(path, folder_of(**where), lang=lang, run_id=run_id)
    size = written.stat().st_size
    if as_json:
        show_json({"path": str(written), "bytes": size, "lang": lang})
    else:
        click.echo(f"{written} ({size / 1000:,.0f} kB): open it in any browser")
