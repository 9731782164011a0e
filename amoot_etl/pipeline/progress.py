"""How far a run has come, and a bar that shows it in a terminal or a notebook, with retries as they happen."""

from __future__ import annotations

import html
import sys
import threading
import time
from importlib import import_module
from typing import Any, Final, NamedTuple, Protocol, Self, TextIO

__all__ = ["Progress", "ProgressBar", "how_far", "retry_line"]

_REDRAWN: Final = 0.2
"""Seconds between drawings in a notebook: each is a message to a browser."""


class Progress(NamedTuple):
    """How far a run has come."""

    listings: int
    listings_landed: int
    records: int
    bytes: int
    expected: int | None
    """Records to come in all, by the portal's counts, where it told them."""


def how_far(progress: Progress, seconds: float) -> str:
    """Say in words how far a run has come.

    >>> how_far(Progress(3, 1, 2000, 5_000_000, 9000), 2.0)
    '1 of 3 listings, 5 MB, 2.5 MB/s'
    """
    size = progress.bytes / 1e6
    return (
        f"{progress.listings_landed:,} of {progress.listings:,} listings, "
        f"{size:,.0f} MB, {size / max(seconds, 0.001):,.1f} MB/s"
    )


def retry_line(reason: str, seconds: float) -> str:
    """Say in a line what failed, and when it is tried again.

    >>> retry_line("ContactList: no answer in time", 1.62)
    'amoot-etl: ContactList: no answer in time; trying again in 1.6 s'
    """
    return f"amoot-etl: {reason}; trying again in {seconds:.1f} s"


class ProgressBar:
    """A bar that `export` and `sync` tell how far they have come.

    The time left comes from the groups' counts. In a notebook it is drawn in the cell's output, and gives way to one
    line when the run has ended; elsewhere it is a line of text.

    Args:
        file: Where to draw it as text; without it in the notebook, else on stderr.

    >>> from io import StringIO
    >>> with ProgressBar(StringIO()) as bar:
    ...     bar.watch(Progress(3, 1, 2000, 5_000_000, 9000))
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._shown: _Shown | None = None
        self._started = 0.0

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        in_notebook = self._file is None and _in_notebook()
        self._shown = _Cell() if in_notebook else _Line(self._file or sys.stderr)
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._shown.end(time.monotonic() - self._started)

    def watch(self, progress: Progress) -> None:
        """Show how far the run has come."""
        # Several threads of a run may tell at once.
        with self._lock:
            if self._shown:
                self._shown.draw(progress, time.monotonic() - self._started)

    def retry(self, method: str, seconds: float, reason: str) -> None:
        """Show that something failed and when it is tried again."""
        del method  # the reason begins with it
        self.say(retry_line(reason, seconds))

    def say(self, line: str) -> None:
        """Print a line without tearing the bar."""
        with self._lock:
            if self._shown:
                self._shown.say(line)


class _Shown(Protocol):
    """A bar as one kind of screen shows it."""

    def draw(self, progress: Progress, seconds: float) -> None: ...

    def say(self, line: str) -> None: ...

    def end(self, seconds: float) -> None: ...


class _Line:
    """A bar of text, on one line that is written over."""

    def __init__(self, file: TextIO) -> None:
        from tqdm import tqdm  # noqa: PLC0415 - only who looks needs it

        self._file = file
        self._bar: Any = tqdm(
            unit=" contacts",
            unit_scale=True,
            leave=False,
            file=file,
            dynamic_ncols=True,
            bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} contacts, {remaining} left{postfix}",
        )

    def draw(self, progress: Progress, seconds: float) -> None:
        if progress.expected:
            self._bar.total = max(progress.expected, progress.records)
        # A build that starts over counts from nothing again.
        self._bar.n = progress.records
        self._bar.set_postfix_str(how_far(progress, seconds), refresh=False)
        self._bar.refresh()

    def say(self, line: str) -> None:
        self._bar.write(line, file=self._file)

    def end(self, _seconds: float) -> None:
        self._bar.close()


class _Cell:
    """A bar in the output of a notebook's cell: plain HTML, which every notebook shows without a widget's help."""

    def __init__(self) -> None:
        # A notebook has it, and ships no types.
        display: Any = import_module("IPython.display").display
        self._said: list[str] = []
        self._last: Progress | None = None
        self._drawn = 0.0
        self._handle: Any = display(_bundle("", []), raw=True, display_id=True)

    def draw(self, progress: Progress, seconds: float) -> None:
        self._last = progress
        if time.monotonic() - self._drawn < _REDRAWN:
            return
        self._drawn = time.monotonic()
        done, whole = progress.records, max(progress.expected or 0, progress.records)
        left = seconds * (whole - done) / done if done else 0.0
        told = f"{done:,} of {whole:,} records, {how_far(progress, seconds)}"
        if done and left >= 1:
            told += f", {int(left) // 60}:{int(left) % 60:02} left"
        self._update(told, f'<progress value="{done}" max="{max(whole, 1)}"></progress> ')

    def say(self, line: str) -> None:
        self._said.append(line)
        self._drawn = 0.0
        self._update("\N{HORIZONTAL ELLIPSIS}")

    def end(self, seconds: float) -> None:
        last = self._last
        self._update(f"{last.records:,} records, {how_far(last, seconds)}, {seconds:,.1f} s" if last else "")

    def _update(self, told: str, bar: str = "") -> None:
        self._handle.update(_bundle(told, self._said, bar), raw=True)


def _bundle(told: str, said: list[str], bar: str = "") -> dict[str, str]:
    """Give what a notebook shows, as HTML and as text."""
    lines = "".join(f"<div>{html.escape(line)}</div>" for line in said)
    return {
        "text/html": f'{lines}<div style="white-space: nowrap">{bar}{html.escape(told)}</div>',
        "text/plain": "\n".join([*said, told]),
    }


def _in_notebook() -> bool:
    """Say whether this process is a notebook's kernel."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
