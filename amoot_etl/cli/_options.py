"""Options that several commands share, and how what they print is laid out."""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from amoot_etl.cli._display import log_to_stderr
from amoot_etl.errors import SettingsError
from amoot_etl.settings import Settings, Settled, load_settings, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from amoot_etl.pipeline.run import Keeping

__all__ = [
    "age",
    "as_json",
    "config_option",
    "folder_of",
    "folder_options",
    "format_option",
    "guard_of",
    "guard_options",
    "keeping_of",
    "keeping_options",
    "names",
    "out_option",
    "portal_options",
    "settings_of",
    "settled_of",
    "show_json",
    "show_table",
    "wait_option",
]

_F = TypeVar("_F", bound="Callable[..., Any]")

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")

out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Output folder (AMOOT_OUT; default: output).",
)


account_option = click.option(
    "--account", metavar="NAME", help="The account in the settings file that is meant (AMOOT_ACCOUNT)."
)

config_option = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Settings file (else ./amoot.toml, else the user's config folder).",
)


def names(_context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Give names from a repeated flag, each perhaps several apart by commas."""
    flag = option.opts[0]
    for text in values:
        if not text.strip(" ,"):
            raise SettingsError(f"{flag} names nothing: give a name, or leave it away", subject=flag[2:])
    return tuple(name.strip() for text in values for name in text.split(",") if name.strip())


format_option = click.option(
    "--format",
    "formats",
    multiple=True,
    callback=names,
    metavar="csv|xlsx|parquet",
    help="A format beside Parquet, from now on (repeat, or apart by commas); parquet alone ends the others.",
)
wait_option = click.option(
    "--wait",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Wait for another run that holds the folder.",
)


def _with(*options: Callable[[_F], _F]) -> Callable[[_F], _F]:
    """Give what adds options to a command, in the order in which help shows them."""

    def add(function: _F) -> _F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


folder_options = _with(out_option, account_option, config_option)
"""The options that say which output folder a command looks at."""


def folder_of(**given: Any) -> Path:
    """Settle which output folder the options of `folder_options` mean."""
    return load_settings(**given).out


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
        account_option,
        config_option,
        click.option("-v", "--verbose", count=True, help="Say on stderr what happens, too."),
        click.option("-q", "--quiet", is_flag=True, help="Say nothing on stderr but errors."),
        click.option("--log-json", is_flag=True, help="Say it in JSON, one object a line, for machines."),
    ]
    return _with(*options)(function)


def settings_of(**given: Any) -> Settings:
    """Settle the settings of a command, and how much it says."""
    return settled_of(**given).settings


def settled_of(*, verbose: int, quiet: bool, log_json: bool, **flags: Any) -> Settled:
    """Settle the settings of a command as `settings_of` does, and keep where each came from."""
    log_to_stderr(verbose=verbose, quiet=quiet, log_json=log_json)
    return settle(**flags)


def show_json(value: Any) -> None:
    """Print a value as JSON: its letters as they are where standard output has them all, else JSON's own escapes."""
    unicode = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
    click.echo(json.dumps(value, ensure_ascii=not unicode, indent=2, default=_as_text))


def _as_text(value: Any) -> str:
    """Give what JSON has no type for: a date or a moment as ISO 8601 says it, all else as it says itself."""
    return value.isoformat() if isinstance(value, dt.date) else str(value)


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


_UNITS: Final = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def age(_context: click.Context, _option: click.Parameter, value: str | None) -> dt.timedelta | None:
    """Read a span of time: `15m`, `12h`, `7d`, `0`, or `never`; None where it was not given."""
    if value is None:
        return None
    if value == "0":
        return dt.timedelta(0)
    if value == "never":
        return dt.timedelta.max
    match = re.fullmatch(r"([0-9]{1,6})([mhdw])", value.strip().lower())
    if match is None:
        raise click.BadParameter(f"{value} is no age: give 15m, 12h, 7d, 2w, 0 or never")
    return dt.timedelta(seconds=int(match[1]) * _UNITS[match[2]])


guard_options = _with(
    click.option("--accept-shrink", is_flag=True, help="Publish what would otherwise be refused, for once."),
    click.option(
        "--max-shrink",
        type=click.FloatRange(0, 1),
        metavar="SHARE",
        help="Share of contacts that may be gone (0.2).",
    ),
    wait_option,
)
"""The options of a run that publishes: what it may do to the current set, and whether it waits for its turn."""


def guard_of(shared: dict[str, Any]) -> dict[str, Any]:
    """Take the options of `guard_options` out of what a command was given; what was not given is left out."""
    given = {name: shared.pop(name) for name in ("accept_shrink", "max_shrink", "wait")}
    return {name: value for name, value in given.items() if value is not None}


def keeping_options(function: _F) -> _F:
    """Add the options that say how the output folder is kept."""
    options = [
        click.option(
            "--mode",
            type=click.Choice(["private", "group"]),
            help="Who may read the files: you alone, or your group too (a BI service).",
        ),
        click.option(
            "--keep", type=click.IntRange(min=1), metavar="N", help="Generations kept at least (3)."
        ),
        click.option(
            "--keep-for", callback=age, metavar="AGE", help="How long a replaced generation is kept (24h)."
        ),
        click.option(
            "--resume-within",
            callback=age,
            metavar="AGE",
            help="Go on with listings that a run which died landed so recently; 0 to fetch all anew (15m).",
        ),
        click.option(
            "--verify",
            "check",
            type=click.Choice(["cheap", "full"]),
            default="cheap",
            help="How deep the new set is looked at before it becomes current.",
        ),
    ]
    return _with(*options)(function)


def keeping_of(shared: dict[str, Any]) -> Keeping:
    """Take the options of `keeping_options` out of what a command was given."""
    from amoot_etl.pipeline.run import Keeping  # noqa: PLC0415 - help needs no pipeline

    given = {name: shared.pop(name) for name in ("mode", "keep", "keep_for", "resume_within", "check")}
    return Keeping(**{name: value for name, value in given.items() if value is not None})
