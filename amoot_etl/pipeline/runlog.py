"""The log of a run: one JSON object a line, kept in `.amoot/logs` for the last runs, without a contact's data.

Whatever amoot-etl has to say goes through the logger `amoot_etl`; a message with an `event` is for machines, its
other numbers beside it. A log file holds names of methods, counts, times, and of a bug only types and frames.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from amoot_etl.errors import AmootError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

__all__ = ["KEPT", "JsonLines", "frames_of", "run_log"]

KEPT: Final = 20
"""Log files that are kept, the newest ones."""

_ROOT: Final = logging.getLogger("amoot_etl")
_log = logging.getLogger("amoot_etl.run")
_OWN: Final = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime"}

_running: list[str] = []


class JsonLines(logging.Formatter):
    """One JSON object a line: at, run_id, level, event, message, and the record's numbers.

    >>> record = logging.makeLogRecord({"msg": "landed", "event": "landed", "bytes": 7, "created": 0})
    >>> JsonLines().format(record)
    '{"at": "1970-01-01T00:00:00.000+00:00", "level": "info", "event": "landed", "message": "landed", "bytes": 7}'
    """

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        more = {
            name: value
            for name, value in record.__dict__.items()
            if name not in _OWN and isinstance(value, str | int | float | list)
        }
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "at": at,
            # Of several runs in one process nobody can tell whose thread it was that spoke.
            **({"run_id": _running[0]} if len(_running) == 1 else {}),
            "level": (record.levelname if record.levelno else "INFO").lower(),
            "event": more.pop("event", "log"),
            "message": record.getMessage(),
            **more,
        }
        return json.dumps(line, ensure_ascii=False)


class _Redacted(JsonLines):
    """The same, with every secret that a message should not hold, and does, made unreadable."""

    def __init__(self, secrets: Collection[str]) -> None:
        super().__init__()
        self._secrets = [secret for secret in secrets if secret]

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return line


class _Forward(logging.Handler):
    """Hands on to the handlers above what they would have been given without us."""

    has_company = False
    """Whether others listen here."""

    def emit(self, record: logging.LogRecord) -> None:
        above = _ROOT.parent
        # Where nobody listens above, Python speaks itself: only if nobody does here either, the log apart.
        if above and (above.hasHandlers() or not self.has_company):
            above.handle(record)


@contextlib.contextmanager
def run_log(folder: Path, run_id: str, command: str, *, secrets: Collection[str] = ()) -> Iterator[None]:
    """Write what a run says into a file of its own, and remove the oldest files.

    Args:
        folder: Where the log files are; it exists.
        run_id: The run, which names the file.
        command: What is run.
        secrets: Texts that must not stand in the file, whatever happens.
    """
    path = folder / f"{run_id}.jsonl"
    # A log that cannot be written must not keep the contacts from being so.
    try:
        path.touch(mode=0o600)
        # Mode "a" would open the file again for a thread that speaks after the run has ended, and never close it.
        file: logging.Handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    except OSError as error:
        _log.warning("%s: no log is written (%s)", path, error.strerror)
        file = logging.NullHandler()
    file.setFormatter(_Redacted(secrets))
    try:
        with _named(run_id), _switch.on(file), _told(command):
            yield
    finally:
        _prune(folder)


@contextlib.contextmanager
def _named(run_id: str) -> Iterator[None]:
    _running.append(run_id)
    try:
        yield
    finally:
        _running.remove(run_id)


@contextlib.contextmanager
def _told(command: str) -> Iterator[None]:
    """Say when a run begins and how it ends."""
    started = time.monotonic()
    _log.info("%s began", command, extra={"event": "began", "command": command})
    try:
        yield
    except BaseException as error:
        told: dict[str, Any] = {
            "event": "failed" if isinstance(error, Exception) else "interrupted",
            "error": type(error).__name__,
            "seconds": round(time.monotonic() - started, 3),
        }
        if isinstance(error, AmootError):
            _log.info("%s failed: %s", command, error, extra=told)
        else:
            _log.info("%s ended by %s", command, told["error"], extra={**told, "frames": frames_of(error)})
        raise


def frames_of(error: BaseException) -> list[str]:
    """Give where an error came from: types and frames, and no values, for they may be a contact's.

    >>> try:
    ...     int("09121234567 is no number")
    ... except ValueError as error:
    ...     frames_of(error)[0]
    'ValueError'
    """
    lines = []
    one: BaseException | None = error
    seen: set[int] = set()
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        lines.append(type(one).__name__)
        lines += [
            f"  {frame.filename}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(one.__traceback__)
        ]
        one = one.__cause__ or one.__context__
    return lines


class _Switch:
    """Lets the files of runs hear everything from `INFO` on, and everybody else what they heard before.

    Runs may overlap in one process: the last to end leaves the logger as the first found it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files = 0
        self._undo: Callable[[], None] = lambda: None

    @contextlib.contextmanager
    def on(self, file: logging.Handler) -> Iterator[None]:
        """Let a file hear, and close it."""
        file.setLevel(logging.INFO)
        with self._lock:
            if not self._files:
                self._undo = self._begin()
            self._files += 1
            _ROOT.addHandler(file)
        try:
            yield
        finally:
            with self._lock:
                _ROOT.removeHandler(file)
                self._files -= 1
                if not self._files:
                    self._undo()
            file.close()

    def _begin(self) -> Callable[[], None]:
        """Let our loggers speak, and give what lets them be as they were."""
        before, propagates = _ROOT.level, _ROOT.propagate
        forward = _Forward(_ROOT.getEffectiveLevel())
        forward.has_company = bool(_ROOT.handlers)
        if propagates:
            _ROOT.addHandler(forward)
            _ROOT.propagate = False
        _ROOT.setLevel(min(_ROOT.getEffectiveLevel(), logging.INFO))

        def undo() -> None:
            _ROOT.removeHandler(forward)
            _ROOT.setLevel(before)
            _ROOT.propagate = propagates

        return undo


_switch = _Switch()


def _prune(folder: Path) -> None:
    # Run IDs sort by time.
    for path in sorted(folder.glob("*.jsonl"))[:-KEPT]:
        with contextlib.suppress(OSError):
            path.unlink()
