"""`amoot-etl export`."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import click

from amoot_etl.cli._display import Display
from amoot_etl.cli._options import (
    as_json,
    format_option,
    guard_of,
    guard_options,
    keeping_of,
    keeping_options,
    names,
    out_option,
    portal_options,
    settings_of,
    show_json,
)
from amoot_etl.cli._summary import summarise


@click.command()
@out_option
@format_option
@click.option("--group", "groups", multiple=True, type=int, metavar="ID", help="Only this group (repeat).")
@click.option("--raw", is_flag=True, help="Also write contacts_raw, every field as received.")
@click.option(
    "--compression", type=click.Choice(["zstd", "snappy"]), default="zstd", help="Of the Parquet files."
)
@click.option(
    "--csv-profile",
    type=click.Choice(["plain", "excel"]),
    help="CSV for programs (plain), or for people who open it in Excel; implies --format csv.",
)
@click.option(
    "--csv-compression", type=click.Choice(["none", "gzip", "zstd"]), help="Of CSV; implies --format csv."
)
@click.option(
    "--labels", type=click.Choice(["en", "fa"]), help="Language of headings and sheet names in CSV and Excel."
)
@click.option(
    "--columns",
    multiple=True,
    callback=names,
    metavar="NAME,...",
    help="Only these columns of contacts (repeat).",
)
@click.option(
    "--exclude",
    multiple=True,
    callback=names,
    metavar="NAME,...",
    help="Without these columns of contacts (repeat).",
)
@click.option("--demo", is_flag=True, help="Export the embedded portal: no token, no network.")
@click.option("--dry-run", is_flag=True, help="Do everything but publish.")
@guard_options
@keeping_options
@as_json
@portal_options
def command(  # noqa: PLR0913 - each is a flag
    formats: tuple[str, ...],
    groups: tuple[int, ...],
    compression: str,
    *,
    raw: bool,
    demo: bool,
    dry_run: bool,
    as_json: bool,
    **shared: Any,
) -> None:
    """Pull the whole address book, clean it, and publish it as one consistent set.

    Readers of the folder see the old set or the new one, never a mixture; if anything goes wrong, the old one
    stays.
    """
    for name in ("columns", "exclude"):
        shared[name] = shared[name] or None
    guarded, keeping = guard_of(shared), keeping_of(shared)
    settings = settings_of(**shared)
    if shared["csv_profile"] or shared["csv_compression"]:
        formats = (*formats, "csv")
    quiet = shared["quiet"]
    with ExitStack() as stack:
        portal = None
        if demo:
            from amoot_etl.demo import DEMO_TOKEN, AddressBook, Portal  # noqa: PLC0415 - only this flag needs it

            served = stack.enter_context(Portal(AddressBook.invent()))
            portal = "demo"
            settings = replace(settings, base_url=served.url, token=DEMO_TOKEN, account=None)
        from amoot_etl.pipeline.export import export  # noqa: PLC0415 - the heavy part starts here

        with Display(quiet=quiet, log_json=shared["log_json"]) as display:
            result = export(
                settings,
                formats=formats,
                groups=groups,
                raw=raw,
                dry_run=dry_run,
                compression=compression,
                keeping=keeping,
                **guarded,
                portal=portal,
                watch=display.watch,
                on_retry=display.retry,
            )
    if as_json:
        show_json(
            {"published": result.published, "seconds": round(result.seconds, 3), "manifest": result.manifest}
        )
    else:
        summarise(result)
