"""`amoot-etl demo`."""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress

import click

from amoot_etl.cli._options import show_table
from amoot_etl.errors import SettingsError

_GRAMMAR = """\
A fault is planned as METHOD:CALLS:FAULT. The method may be *, or name a group: ContactList(2003).
Calls are numbers, ranges (2-5, 4-) or *.

  ContactList:2:http-503        the second listing meets a 503
  ContactGet:1-3:status=Failed  the first three contacts that are asked for are refused
  *:4-:status=Token_Expired     the token runs out after three calls
"""


def _show_faults(context: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        from amoot_etl.demo import WORDS  # noqa: PLC0415 - help needs no server

        click.echo(_GRAMMAR)
        rows = [
            (name, f"{word.value} ({word.default})" if word.default else word.value, word.help)
            for name, word in WORDS.items()
        ]
        show_table(("fault", "value", "what goes wrong"), rows)
        context.exit()


@click.command()
@click.option(
    "--contacts", type=click.IntRange(min=1), default=5000, show_default=True, help="How many to invent."
)
@click.option(
    "--seed", type=int, default=1404, show_default=True, help="The same seed invents the same world."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; a free one unless given."
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="PLAN",
    help="Something that goes wrong, such as ContactList:2:http-503 (repeat).",
)
@click.option(
    "--faults",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_faults,
    help="List what can go wrong, and how a plan is written.",
)
def command(contacts: int, seed: int, port: int, faults: tuple[str, ...]) -> None:
    """Serve the embedded portal until Ctrl-C, and say how to point a client at it."""
    from amoot_etl.demo import DEMO_TOKEN, AddressBook, Portal, parse_fault  # noqa: PLC0415 - help needs no server

    plans = [parse_fault(fault) for fault in faults]
    with ExitStack() as stack:
        try:
            portal = stack.enter_context(Portal(AddressBook.invent(contacts=contacts, seed=seed), port=port))
        except OSError as error:
            raise SettingsError(
                f"--port {port}: {error.strerror}: choose another, or leave it away", subject="port"
            ) from None
        # Ctrl-C is how it is meant to end from here on.
        stack.enter_context(suppress(KeyboardInterrupt))
        for planned in plans:
            portal.obey(planned)
        click.echo(f"export AMOOT_BASE_URL={portal.url}")
        click.echo(f"export AMOOT_TOKEN={DEMO_TOKEN}")
        threading.Event().wait()
