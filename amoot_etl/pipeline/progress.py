"""A progress bar for a terminal or a notebook: contacts, time left, listings, MB/s, and retries as they happen."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Self, TextIO

if TYPE_CHECKING:
    from amoot_etl.pipeline.collect import Progress

__all__ = ["ProgressBar", "how_far", "retry_line"]


def how_far(progress: Progress, seconds: float) -> str:
    """Say in words how far a run has come.

    >>> from amoot_etl.pipeline.collect import Progress
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

    The time left comes from the groups' counts. In a notebook it is a widget where there are any, elsewhere a
    line of text.

    Args:
        file: Where to draw it; stderr unless given.

    >>> from io import StringIO
    >>> from amoot_etl.pipeline.collect import Progress
    >>> with ProgressBar(StringIO()) as bar:
    ...     bar.watch(Progress(3, 1, 2000, 5_000_000, 9000))
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file or sys.stderr
        self._lock = threading.Lock()
        self._bar: Any = None
        self._started = 0.0

    def __enter__(self) -> Self:
        from tqdm.auto import tqdm  # noqa: PLC0415 - only who looks needs it

        self._started = time.monotonic()
        self._bar = tqdm(
            unit=" contacts",
            unit_scale=True,
            leave=False,
            file=self._file,
            dynamic_ncols=True,
            bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} contacts, {remaining} left{postfix}",
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def watch(self, progress: Progress) -> None:
        """Show how far the run has come."""
        # Several threads of a run may tell at once.
        with self._lock:
            if progress.expected:
                self._bar.total = max(progress.expected, progress.records)
            # A build that starts over counts from nothing again.
            self._bar.n = progress.records
            self._bar.set_postfix_str(how_far(progress, time.monotonic() - self._started), refresh=False)
            self._bar.refresh()

    def retry(self, method: str, seconds: float, reason: str) -> None:
        """Show that something failed and when it is tried again."""
        del method  # the reason begins with it
        self.say(retry_line(reason, seconds))

    def say(self, line: str) -> None:
        """Print a line without tearing the bar."""
        with self._lock:
            self._bar.write(line, file=self._file)
