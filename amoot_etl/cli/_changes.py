"""How `diff` and `changes` show their rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amoot_etl.cli._options import show_json, show_table
from amoot_etl.tehran import iso

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

__all__ = ["parquet_option", "show_changes"]

parquet_option: Callable[..., Any] = click.option(
    "--parquet",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the rows to a Parquet file instead.",
)


def show_changes(frame: pd.DataFrame, *, as_json: bool, parquet: Path | None) -> None:
    """Print rows of changes, or write them."""
    if parquet:
        from amoot_etl.loaders.parquet import write_parquet  # noqa: PLC0415 - only this option needs it

        write_parquet(frame, parquet)
        if as_json:
            show_json({"file": str(parquet), "changes": len(frame)})
        else:
            click.echo(f"{len(frame):,} changes in {parquet}")
        return
    rows = frame.astype(object).where(frame.notna(), None)
    if as_json:
        show_json([{**row, "at": iso(row["at"])} for row in rows.to_dict("records")])
        return
    if frame.empty:
        click.echo("nothing changed")
        return
    show_table(
        ("contact_id", "change", "columns", "joined", "left"),
        [
            (str(row.contact_id), row.change, row.columns, row.groups_joined, row.groups_left)
            for row in rows.itertuples(index=False)
        ],
    )
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in frame["change"].value_counts().items())
    click.echo(kinds)
