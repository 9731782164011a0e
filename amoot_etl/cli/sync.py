"""`amoot-etl sync`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from amoot_etl.cli._display import Display
from amoot_etl.cli._options import (
    age,
    as_json,
    format_option,
    guard_of,
    guard_options,
    keeping_of,
    keeping_options,
    out_option,
    portal_options,
    settings_of,
    show_json,
)
from amoot_etl.cli._summary import summarise

if TYPE_CHECKING:
    import datetime as dt


@click.command()
@out_option
@click.option("--full", is_flag=True, help="List everything anew, whatever that costs.")
@click.option(
    "--full-every",
    callback=age,
    metavar="AGE",
    help="List everything anew when that was last done so long ago: 12h, 7d, never (7d).",
)
@format_option
@guard_options
@keeping_options
@as_json
@portal_options
def command(
    full_every: dt.timedelta | None,
    formats: tuple[str, ...],
    *,
    full: bool,
    as_json: bool,
    **shared: Any,
) -> None:
    """Bring the published set up to date for the price of the change.

    Two requests tell whether anything changed; what did is asked for, or listed where that is cheaper. Without a
    published set, or where one cannot be gone on with, everything is exported.
    """
    guarded, keeping = guard_of(shared), keeping_of(shared)
    settings = settings_of(**shared)
    from amoot_etl.pipeline.sync import FULL_EVERY, sync  # noqa: PLC0415 - the heavy part starts here

    with Display(quiet=shared["quiet"], log_json=shared["log_json"]) as display:
        result = sync(
            settings,
            full=full,
            full_every=FULL_EVERY if full_every is None else full_every,
            formats=formats,
            keeping=keeping,
            **guarded,
            watch=display.watch,
            on_retry=display.retry,
        )
    if as_json:
        told = {"outcome": result.outcome, "why": result.why, "requests": result.requests}
        seconds = round(result.seconds, 3)
        show_json({**told, "published": result.published, "seconds": seconds, "manifest": result.manifest})
        return
    asked = ", ".join(f"{count} {method}" for method, count in result.requests.items())
    if result.outcome == "unchanged":
        click.echo(f"nothing changed ({asked}; {result.seconds:.1f} s)")
        return
    if result.outcome == "exported":
        click.echo(f"everything was listed anew: {result.why}")
    else:
        click.echo(f"{'requests':<28} {asked}")
    summarise(result)
