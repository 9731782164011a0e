"""Options that several commands share, and how what they print is laid out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from amoot_etl.cli._display import log_to_stderr
from amoot_etl.settings import Settings, Settled, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["as_json", "out_option", "portal_options", "settings_of", "settled_of", "show_json", "show_table"]

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
            help="A file that holds the token (AMOOT_TOKEN_FILE; else AMOOT_TOKEN).",
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
        click.option(
            "--max-rps", type=float, metavar="N", help="Requests a second, at most (AMOOT_MAX_RPS; no limit)."
        ),
        click.option(
            "--deadline",
            metavar="TIME",
            help="Give up if the portal has not told everything by then: 90m, 2h (AMOOT_DEADLINE; no limit).",
        ),
        click.option(
            "--max-body",
            metavar="SIZE",
            help="Refuse a larger answer: 500MB, 2GB (AMOOT_MAX_BODY; no limit).",
        ),
        click.option(
            "--account",
            metavar="NAME",
            help="The account in the settings file that is meant (AMOOT_ACCOUNT).",
        ),
        click.option(
            "--config",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Settings file (else ./amoot.toml, else the user's config folder).",
        ),
        click.option("-v", "--verbose", count=True, help="Say more on stderr; twice for everything."),
        click.option("-q", "--quiet", is_flag=True, help="Say nothing on stderr but errors."),
        click.option("--log-json", is_flag=True, help="Say it in JSON, one object a line, for machines."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def settings_of(**given: Any) -> Settings:
    """Settle the settings of a command, and how much it says."""
    return settled_of(**given).settings


def settled_of(*, verbose: int, quiet: bool, log_json: bool, **flags: Any) -> Settled:
    """Settle the settings of a command as `settings_of` does, and keep where each came from."""
    log_to_stderr(verbose=verbose, quiet=quiet, log_json=log_json)
    return settle(**flags)


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
