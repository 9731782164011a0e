"""Where the time of an export goes: seconds of processor and of clock, by what was being done.

It runs the export in this process with the main functions timed, each in the thread that it runs in. Timing adds
well under a hundredth. Run as a program it prints JSON:

    python -m benchmarks.profile URL TOKEN FOLDER
"""

from __future__ import annotations

import functools
import importlib
import json
import resource
import sys
import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PARTS", "found"]

PARTS: Final = (
    ("download", "client", "Client.download"),
    ("read by where fields stand", "extractors.body", "read_uniform"),
    ("parse and prove", "extractors.body", "BodyReader._parsed"),
    ("IDs and stamps", "pipeline.intake", "usable_ids"),
    ("IDs and stamps", "pipeline.intake", "stamp_order"),
    ("find records by their bytes", "pipeline.intake", "find_records"),
    ("find records by their bytes", "pipeline.intake", "some_records"),
    ("fingerprints", "extractors.body", "BodyReader.hashes"),
    ("the roll", "pipeline.roll", "Roll.admit"),
    ("clean", "pipeline.build", "clean_table"),
    ("write", "pipeline.sink", "Tables.write"),
    ("write", "pipeline.sink", "Tables.close_contacts"),
    ("write", "pipeline.sink", "DraftSink.put"),
    ("write", "pipeline.sink", "DraftSink.finish"),
    ("compare with the list of changes", "pipeline.prove", "_note_updates"),
    ("compare with the list of changes", "pipeline.proof", "compare"),
    ("tables beside contacts", "pipeline.collect", "write_beside"),
    ("what the whole tells", "pipeline.collect", "write_late"),
    ("publish", "pipeline.publishing", "publish"),
)
"""What is timed: a name, a module of amoot_etl, a function or method in it."""


class _Clock:
    """Adds up seconds by part; a part inside another is counted for itself alone."""

    def __init__(self) -> None:
        self.cpu: defaultdict[str, float] = defaultdict(float)
        self.wall: defaultdict[str, float] = defaultdict(float)
        self._inner = threading.local()
        self._lock = threading.Lock()

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **options: Any) -> Any:
            outer = getattr(self._inner, "spent", None)
            self._inner.spent = [0.0, 0.0]
            cpu, wall = time.thread_time(), time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
                inner = self._inner.spent
                with self._lock:
                    self.cpu[name] += cpu - inner[0]
                    self.wall[name] += wall - inner[1]
                if outer is not None:
                    outer[0] += cpu
                    outer[1] += wall
                self._inner.spent = outer

        return timed


def found(module: str, path: str) -> tuple[Any, str, Callable[..., Any]]:
    """Give the owner of a function or method, its name there, and the thing itself."""
    *owners, attribute = path.split(".")
    owner: Any = functools.reduce(getattr, owners, importlib.import_module(f"amoot_etl.{module}"))
    return owner, attribute, getattr(owner, attribute)


def _patch(clock: _Clock) -> None:
    for name, module, path in PARTS:
        owner, attribute, function = found(module, path)
        setattr(owner, attribute, clock.timed(name, function))


def _main(url: str, token: str, folder: str) -> None:
    begun = time.perf_counter()
    cpu_begun = time.process_time()
    from pathlib import Path  # noqa: PLC0415 - what an export imports is what is timed

    from amoot_etl.cli._lean import keep_pandas_out, share_malloc, take_turns  # noqa: PLC0415 - as the command line does

    keep_pandas_out()
    share_malloc()
    take_turns()
    import duckdb  # noqa: F401, PLC0415

    from amoot_etl.pipeline.export import export  # noqa: PLC0415
    from amoot_etl.settings import Settings  # noqa: PLC0415

    clock = _Clock()
    # An export asks the portal before it loads what reads the answers; here all is loaded first, to be timed.
    _patch(clock)
    imported, cpu_imported = time.perf_counter() - begun, time.process_time() - cpu_begun
    result = export(Settings(base_url=url, token=token, out=Path(folder)))
    parts = {
        name: {"cpu": clock.cpu[name], "seconds": clock.wall[name]}
        for name in dict.fromkeys(part for part, *_ in PARTS)
        if name in clock.cpu
    }
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "imports": {"cpu": cpu_imported, "seconds": imported},
                "parts": parts,
                "seconds": time.perf_counter() - begun,
                "export": result.seconds,
                "cpu": usage.ru_utime + usage.ru_stime,
                "system": usage.ru_stime,
                "contacts": result.manifest["counts"]["kept"],
            }
        )
    )


if __name__ == "__main__":
    _main(*sys.argv[1:])
