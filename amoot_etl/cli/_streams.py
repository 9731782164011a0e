"""Standard output and standard error as a command writes them: what fails there is told apart from all else.

A result that cannot be written is a failure of the output. A remark that cannot be written is none: nobody may be
there to read it, and a run must not end for that.

Letters that standard output has no code for (Persian ones in cp1252) are written as escapes, as Python does on
standard error. UTF-8 instead would be read as other letters by whoever expects the encoding that was asked for;
escapes are read by anybody, and lose nothing.
"""

from __future__ import annotations

import abc
import contextlib
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

import click

from amoot_etl.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["guard_streams"]

_PUBLISHING: Final = frozenset({"export", "sync", "rollback"})
"""Commands that have published by the time they tell of it."""


def guard_streams() -> None:
    """Let this process write its results and remarks as this module says."""
    # A process that was started without a stream has None there. Click leaves that alone; who asks whether somebody
    # is watching cannot.
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open as long as the process
    if sys.stdout is not None and not isinstance(sys.stdout, _Guarded):
        if isinstance(sys.stdout, io.TextIOWrapper):
            # ASCII is what a system says that knows of no encoding; click takes that for UTF-8, and so do we.
            unknown = sys.stdout.encoding.lower() in {"ascii", "ansi_x3.4-1968"}
            sys.stdout.reconfigure(encoding="utf-8" if unknown else None, errors="backslashreplace")
        sys.stdout = cast("TextIO", _Results(sys.stdout))
    if not isinstance(sys.stderr, _Guarded):
        sys.stderr = cast("TextIO", _Remarks(sys.stderr))


class _Guarded(abc.ABC):
    """A stream whose failures mean something of their own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text."""
        with self._meaning():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Let it be seen."""
        with self._meaning():
            self._stream.flush()

    @abc.abstractmethod
    def _meaning(self) -> contextlib.AbstractContextManager[None]:
        """Say what a failure within the block means."""


class _Results(_Guarded):
    """Standard output."""

    @contextlib.contextmanager
    def _meaning(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # What is still to be written would fail once more when the process ends.
            sys.stdout = None
            if isinstance(error, BrokenPipeError):
                # Whoever read our output has seen enough.
                raise click.exceptions.Exit(0) from None
            context = click.get_current_context(silent=True)
            published = context is not None and context.info_name in _PUBLISHING
            raise OutputError(
                f"standard output cannot be written ({error.strerror})"
                + ("; what was published stays published" if published else ""),
                subject="standard output",
            ) from error


class _Remarks(_Guarded):
    """Standard error."""

    def _meaning(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.suppress(OSError)
