"""Options that several commands share, and how what they print is laid out."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from amoot_etl.settings import Settings, load, token_from

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["as_json", "out_option", "portal_options", "settings_of", "show_json", "show_table"]

_F = TypeVar("_F", bound="Callable[..., Any]")

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")

out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Output folder (AMOOT_OUT; default: output).",
)


def portal_options(function: _F) -> _F:
    """Add the options that say which portal, and how patiently."""
    options = [
        click.option("--base-url", metavar="URL", help="The portal (AMOOT_BASE_URL)."),
        click.option(
            "--token-file",
            type=click.Path(dir_okay=False, path_type=Path),
            help="A file that holds the token (else AMOOT_TOKEN).",
        ),
        click.option("--retries", type=int, metavar="N", help="Tries after the first (AMOOT_RETRIES; 5)."),
        click.option(
            "--backoff", type=float, metavar="SECONDS", help="First wait between tries (AMOOT_BACKOFF; 1)."
        ),
        click.option(
            "--timeout",
            type=float,
            metavar="SECONDS",
            help="Longest time without a byte (AMOOT_TIMEOUT; 300).",
        ),
        click.option(
            "--concurrency", type=int, metavar="N", help="Requests at a time (AMOOT_CONCURRENCY; 4)."
        ),
        click.option("--max-rps", type=float, metavar="N", help="Requests a second, at most."),
        click.option(
            "--config",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Settings file (else ./amoot.toml, else the user's config folder).",
        ),
        click.option("-v", "--verbose", count=True, help="Say more on stderr; twice for everything."),
        click.option("-q", "--quiet", is_flag=True, help="Say nothing on stderr but errors."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def settings_of(
    *, config: Path | None, token_file: Path | None, verbose: int, quiet: bool, **flags: Any
) -> Settings:
    """Settle the settings of a command, and how much it says."""
    level = logging.ERROR if quiet else (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(level=level, format="amoot-etl: %(message)s", stream=sys.stderr)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    token = token_from(token_file) if token_file else None
    return load(config=config, token=token, **flags)


def show_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def show_table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows in columns, numbers to the right."""
    texts = [[_text(value) for value in row] for row in rows]
    numeric = [
        bool(rows) and all(isinstance(row[at], int | float) or row[at] is None for row in rows)
        for at in range(len(headings))
    ]
    widths = [max(len(row[at]) for row in [list(headings), *texts]) for at in range(len(headings))]
    for row in [list(headings), *texts]:
        cells = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, numeric, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
