"""What a person or a machine sees while a run goes on: a bar, sparse lines, JSON, or nothing."""

from __future__ import annotations

import logging
import sys
import threading
import time
from typing import TYPE_CHECKING, Final, Self

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from amoot_etl.pipeline.progress import Progress, ProgressBar

__all__ = ["Display", "log_to_stderr", "retries_told", "tell_failure"]

_log = logging.getLogger("amoot_etl.cli")

_LINE_EVERY: Final = 60.0
"""Seconds between lines where nobody watches."""
_EVENT_EVERY: Final = 10.0
"""Seconds between events for machines."""

_bar: list[ProgressBar] = []
"""The bar on the screen, if there is one: lines must go above it."""


class _Plain(logging.Formatter):
    """A line for people."""

    def format(self, record: logging.LogRecord) -> str:
        mark = "warning: " if record.levelno == logging.WARNING else ""
        return f"amoot-etl: {mark}{record.getMessage()}"


class _Stderr(logging.Handler):
    """Writes to stderr, above a bar if there is one."""

    json = False

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        if _bar:
            _bar[-1].say(line)
        else:
            click.echo(line, err=True)


def log_to_stderr(*, verbose: int, quiet: bool, log_json: bool) -> None:
    """Let the loggers of amoot-etl be heard on stderr.

    Args:
        verbose: 0 for warnings alone, else what happens too; there is no more than that to say.
        quiet: Only errors.
        log_json: One JSON object a line, from what happens on.
    """
    root = logging.getLogger("amoot_etl")
    for old in [handler for handler in root.handlers if isinstance(handler, _Stderr)]:
        root.removeHandler(old)
    handler = _Stderr()
    handler.json = log_json
    level = logging.INFO if verbose else logging.WARNING
    if log_json:
        from amoot_etl.pipeline.runlog import JsonLines  # noqa: PLC0415 - most runs are for people

        handler.setFormatter(JsonLines())
        level = min(level, logging.INFO)
    else:
        handler.setFormatter(_Plain())
        # A display shows retries already.
        handler.addFilter(lambda record: getattr(record, "event", "") not in {"retry", "progress"})
    handler.setLevel(logging.ERROR if quiet else level)
    root.addHandler(handler)
    root.setLevel(min(handler.level, logging.WARNING))


def tell_failure(line: str, code: int) -> None:
    """Say on stderr why the command ends, as a line or as JSON, whichever was asked for."""
    handlers = [
        handler for handler in logging.getLogger("amoot_etl").handlers if isinstance(handler, _Stderr)
    ]
    if handlers and handlers[0].json:
        _log.error("%s", line, extra={"event": "exit", "code": code})
    else:
        click.echo(f"amoot-etl: {line}", err=True)


def retries_told(*, quiet: bool, log_json: bool, **_: object) -> Callable[[str, float, str], None] | None:
    """Give what shows the retries of a command that has no display, if they are to be shown."""
    if quiet or log_json:
        return None

    def tell(_method: str, seconds: float, reason: str) -> None:
        from amoot_etl.pipeline.progress import retry_line  # noqa: PLC0415 - most runs have nothing to retry

        click.echo(retry_line(reason, seconds), err=True)

    return tell


class Display:
    """Shows a run as it goes: a bar on a terminal, a line a minute elsewhere, events for machines.

    Args:
        quiet: Show nothing.
        log_json: Show events.
    """

    def __init__(self, *, quiet: bool, log_json: bool) -> None:
        self._shown: Callable[[Progress], None] = _nothing
        self._lines = not quiet and not log_json
        self._bar: ProgressBar | None = None
        self._lock = threading.Lock()
        self._started = self._told = 0.0
        if log_json:
            self._shown = self._event
        elif self._lines and sys.stderr.isatty():
            from amoot_etl.pipeline.progress import ProgressBar  # noqa: PLC0415 - only a terminal needs it

            self._bar = ProgressBar()
            self._shown = self._bar.watch
        elif self._lines:
            self._shown = self._line

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        if self._bar:
            _bar.append(self._bar.__enter__())
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            _bar.remove(self._bar)
            self._bar.__exit__()

    def watch(self, progress: Progress) -> None:
        """Show how far the run has come."""
        self._shown(progress)

    def retry(self, _method: str, seconds: float, reason: str) -> None:
        """Show a retry as it happens."""
        from amoot_etl.pipeline.progress import retry_line  # noqa: PLC0415 - loaded by then

        if self._lines:
            self.say(retry_line(reason, seconds))

    def say(self, line: str) -> None:
        """Print a line on stderr without tearing the bar."""
        if self._bar:
            self._bar.say(line)
        else:
            click.echo(line, err=True)

    def _line(self, progress: Progress) -> None:
        if not self._told:
            click.echo(f"amoot-etl: began: {_ahead(progress)}", err=True)
            self._told = time.monotonic()
        elif self._due(_LINE_EVERY):
            click.echo(f"amoot-etl: {progress.records:,} contacts read, {self._words(progress)}", err=True)

    def _event(self, progress: Progress) -> None:
        if self._due(_EVENT_EVERY) or progress.records == 0:
            numbers = progress._asdict() | {"seconds": round(time.monotonic() - self._started, 1)}
            _log.info("%s", self._words(progress), extra={"event": "progress", **numbers})

    def _words(self, progress: Progress) -> str:
        from amoot_etl.pipeline.progress import how_far  # noqa: PLC0415 - loaded by then

        return how_far(progress, time.monotonic() - self._started)

    def _due(self, seconds: float) -> bool:
        # Workers may tell at once; one of them is enough.
        with self._lock:
            if time.monotonic() - self._told < seconds:
                return False
            self._told = time.monotonic()
            return True


def _ahead(progress: Progress) -> str:
    """Say what is to come."""
    counted = f"{progress.expected:,} contacts" if progress.expected else ""
    if not progress.listings:
        return f"{counted or 'contacts'} to ask for one by one"
    listings = f"{progress.listings:,} listing{'s' * (progress.listings != 1)} to read"
    return f"{listings}, {counted} by the portal's counts" if counted else listings


def _nothing(_progress: Progress) -> None:
    """Show nothing."""
