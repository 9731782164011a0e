"""The command line: one thin command a file, found and imported when it is called.

This is the only place where an error becomes an exit code. Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import importlib
import signal
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from amoot_etl import errors
from amoot_etl._version import __version__
from amoot_etl.cli._lean import keep_pandas_out, share_malloc, take_turns
from amoot_etl.cli._streams import guard_streams

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["EXIT_CODES", "amoot_etl", "exit_code_of", "main"]

EXIT_CODES: Final[dict[type[errors.AmootError], int]] = {
    errors.SettingsError: 2,
    errors.CredentialsError: 3,
    errors.PortalUnavailable: 4,
    errors.UnexpectedAnswer: 5,
    errors.VerificationError: 6,
    errors.OutputError: 7,
    errors.RefusedError: 8,
}
"""The exit code of each class of error; 0 is done, 1 a bug of ours, 130 and 143 interrupts."""

_WITH_FRAMES: Final = frozenset({"changes", "diff", "verify"})
"""Commands that handle DataFrames."""

_BUG: Final = 1
_USAGE: Final = 2

_COMMANDS: Final = {
    "export": "Pull the whole address book and publish it.",
    "sync": "Bring the published set up to date.",
    "groups": "Show the portal's groups.",
    "contact": "Show one contact, clean and raw.",
    "verify": "Check the published set.",
    "diff": "Show what changed between two generations.",
    "changes": "Show the change feed.",
    "generations": "List the kept generations.",
    "rollback": "Make an earlier generation current again.",
    "schema": "Show the tables and their columns.",
    "doctor": "Look at everything that a run needs.",
    "init": "Write a commented amoot.toml.",
    "report": "Write one HTML page about the published set.",
    "demo": "Serve the embedded portal.",
}


OUR_PROCESS: Final = object()
"""The context's object when the process is ours alone, and not a test's or a notebook's."""


class _Commands(click.Group):
    """The commands, each imported when it is called, so that help and small commands start at once."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            import difflib  # noqa: PLC0415 - a name that is known needs none

            near = difflib.get_close_matches(name, _COMMANDS, n=1)
            if near:
                context.fail(f"there is no command {name}; did you mean {near[0]}?")
            return None
        if context.obj is OUR_PROCESS:
            share_malloc()
            take_turns()
            if name not in _WITH_FRAMES:
                keep_pandas_out()
        module = importlib.import_module(f"amoot_etl.cli.{name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        _refuse_empty(args)
        return super().resolve_command(context, args)

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _refuse_empty(words: list[str]) -> None:
    """Refuse an empty value: whoever wrote `--out "$OUT"` did not mean the folder one is in, nor the default."""
    for before, word in zip(["", *words], words, strict=False):
        option, equals, value = word.partition("=")
        if not word.strip() or (option.startswith("--") and equals and not value.strip()):
            where = option if equals else before if before.startswith("-") else "an argument"
            raise errors.SettingsError(f"{where} is empty: give it a value, or leave it away", subject=where)


@click.group(
    name="amoot-etl",
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="amoot-etl")
def amoot_etl() -> None:
    """The address book of the Amoot SMS portal as clean Parquet, CSV and Excel.

    The token comes from AMOOT_TOKEN or --token-file, the portal from AMOOT_BASE_URL. Try it without either:
    amoot-etl export --demo
    """


class _Terminated(BaseException):
    """SIGTERM, raised where the program is, so that everything is left tidy."""


def main() -> NoReturn:
    """Run the command line and exit with the code that the outcome has."""

    def terminate(_number: int, _frame: FrameType | None) -> None:
        # Once: what is being tidied up must not be torn by a second one.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise _Terminated

    signal.signal(signal.SIGTERM, terminate)
    guard_streams()
    try:
        outcome = amoot_etl.main(standalone_mode=False, obj=OUR_PROCESS)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(_USAGE)
    except errors.AmootError as error:
        code = exit_code_of(type(error))
        _say(str(error), code)
        sys.exit(code)
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted; nothing was changed", 130)
        sys.exit(130)
    except _Terminated:
        _say("terminated; nothing was changed", 143)
        sys.exit(143)
    except Exception as error:  # noqa: BLE001 - a bug of ours, told in one line
        _say(_bug(error), _BUG)
        sys.exit(_BUG)
    sys.exit(outcome if isinstance(outcome, int) else 0)


def exit_code_of(kind: type[errors.AmootError]) -> int:
    """Give the exit code of a class of error.

    >>> exit_code_of(errors.NotFound), exit_code_of(errors.OutputLocked)
    (5, 7)
    """
    return next((EXIT_CODES[each] for each in kind.__mro__ if each in EXIT_CODES), _BUG)


def _say(line: str, code: int) -> None:
    from amoot_etl.cli._display import tell_failure  # noqa: PLC0415 - only a failure needs it

    tell_failure(line, code)


def _bug(error: Exception) -> str:
    """Write frames and types, and no values (they may be a contact's), to a file; give the line for the screen."""
    import tempfile  # noqa: PLC0415 - only a bug needs it
    import traceback  # noqa: PLC0415

    lines = [f"amoot-etl {__version__}, Python {sys.version.split()[0]}"]
    chain: Any = error
    while chain is not None:
        lines.append(type(chain).__name__)
        lines += [
            f"  {frame.filename}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(chain.__traceback__)
        ]
        chain = chain.__cause__ or chain.__context__
    with tempfile.NamedTemporaryFile("w", prefix="amoot-etl-", suffix=".log", delete=False) as file:
        file.write("\n".join(lines) + "\n")
    return f"a bug of ours ({type(error).__name__}): please send us {file.name}; it holds no data"
