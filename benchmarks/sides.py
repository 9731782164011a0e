"""The commands that are measured: ours, and the others by name."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bodies import WORK
from benchmarks.measure import Run, run
from benchmarks.portal import DEMO_TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.bodies import Workload

__all__ = [
    "command",
    "dlt_rest",
    "duckdb_bare",
    "export",
    "first_request",
    "ours",
    "pandas_script",
    "script",
    "tools",
]

_QUIET = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}


def ours(*arguments: str, url: str = "") -> Run:
    """Run our command, as people type it."""
    environment = {"AMOOT_TOKEN": DEMO_TOKEN, "AMOOT_BASE_URL": url} if url else {}
    return run([command(), *arguments], environment=environment)


def command() -> str:
    """Give the path of our command in this environment."""
    name = "amoot-etl.exe" if os.name == "nt" else "amoot-etl"
    return str(Path(sys.executable).with_name(name))


def export(url: str, out: Path) -> Callable[[], Run]:
    """Give a whole export into an empty folder."""
    return _anew(out, lambda: ours("export", "--out", str(out), "--quiet", url=url))


def first_request(out: Path) -> float:
    """Give the seconds from the start of an export to its first request."""
    with socket.create_server(("127.0.0.1", 0)) as portal:
        url = f"http://127.0.0.1:{portal.getsockname()[1]}/rest"
        environment = {**os.environ, "AMOOT_TOKEN": DEMO_TOKEN, "AMOOT_BASE_URL": url}
        wanted = [command(), "export", "--out", str(out), "--retries", "0", "--quiet"]
        started = time.perf_counter()
        with subprocess.Popen(wanted, env=environment, stderr=subprocess.DEVNULL):
            portal.accept()[0].close()
            return time.perf_counter() - started


def pandas_script(url: str, out: Path) -> Callable[[], Run]:
    """Give the analyst's script."""
    return _anew(out, lambda: script("pandas_script", url, DEMO_TOKEN, str(out)))


def duckdb_bare(workload: Workload, out: Path) -> Callable[[], Run]:
    """Give DuckDB's conversion of the first listing's array."""
    array = str(workload.array)
    return _anew(out, lambda: script("duckdb_bare", array, str(out)))


def dlt_rest(url: str, workload: Workload, out: Path) -> Callable[[], Run]:
    """Give dlt's REST source, in its own environment."""
    program = [str(tools()), "benchmarks/scripts/dlt_rest.py", url, DEMO_TOKEN, str(out)]
    return _anew(out, lambda: run([*program, *map(str, workload.groups)], environment=_QUIET))


def script(name: str, *arguments: str) -> Run:
    """Run one of `scripts/` in this environment."""
    return run([sys.executable, "-m", f"benchmarks.scripts.{name}", *arguments])


def tools() -> Path:
    """Give the interpreter of an environment with dlt and matplotlib, which is made when it is first needed."""
    folder = WORK / "tools"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = folder / ".ready"
    if not ready.exists():
        print("(making an environment for dlt and matplotlib: once)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "dlt[parquet]>=1.31", "matplotlib>=3.10"], check=True)
        ready.touch()
    return python


def _anew(out: Path, action: Callable[[], Run]) -> Callable[[], Run]:
    """Let an action find an empty folder each time; emptying it is not measured."""

    def act() -> Run:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        return action()

    return act
