"""Run a command in a fresh process; take its seconds, and the memory of it and all its children.

Memory is the sum of the resident sets of every process of the tree at one moment, mapped pages counted, at its
highest: looked at forty times a second, and never less than the highest that the system itself saw of any one of
them. Linux only, where `/proc` tells; elsewhere it is 0.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Figures", "Run", "alternate", "machine", "run"]

_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_TICK: Final = 0.025
_ROOT: Final = Path(__file__).parent.parent


@dataclass(frozen=True)
class Run:
    """One run of a command.

    Args:
        seconds: From its start to its end.
        cpu: Seconds of processor that it and its children used.
        peak: Bytes of memory.
        output: What it printed.
    """

    seconds: float
    cpu: float
    peak: int
    output: str


@dataclass(frozen=True)
class Figures:
    """Several runs of one command."""

    runs: tuple[Run, ...]

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def peak(self) -> int:
        """The highest of all."""
        return max(run.peak for run in self.runs)

    @property
    def spread(self) -> float:
        """How far the slowest run was from the fastest, as a share of the median."""
        seconds = [run.seconds for run in self.runs]
        return (max(seconds) - min(seconds)) / self.seconds


def run(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Run:
    """Run a command and wait for its end.

    Args:
        command: What to run, from the project's folder.
        environment: Variables beside those that there are.

    Raises:
        RuntimeError: It failed; the message ends with what it said.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        cwd=_ROOT,
    )
    watch = _Watch(process.pid)
    watch.start()
    said: list[bytes] = []
    reader = threading.Thread(target=lambda: said.append(process.stderr.read() if process.stderr else b""))
    reader.start()
    output = process.stdout.read() if process.stdout else b""
    reader.join()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    peak = watch.stop()  # not what `usage` says: that counts what this process held when it began the other
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()
    if process.returncode:
        said_last = b"".join(said).decode(errors="replace")[-2000:]
        raise RuntimeError(f"{' '.join(command[:4])} ... ended with {process.returncode}:\n{said_last}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, peak, output.decode(errors="replace"))


def alternate(sides: Mapping[str, Callable[[], Run]], runs: int) -> dict[str, Figures]:
    """Run several sides by turns, so that what the machine does meanwhile meets them all.

    Args:
        sides: Name to what runs it once.
        runs: How often each.
    """
    taken: dict[str, list[Run]] = {name: [] for name in sides}
    for _ in range(runs):
        for name, side in sides.items():
            taken[name].append(side())
    return {name: Figures(tuple(results)) for name, results in taken.items()}


def machine() -> dict[str, str]:
    """Tell the machine without naming it."""
    return {
        "processor": _line("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": f"{_kilobytes('/proc/meminfo', 'MemTotal') / 2**20:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
    }


class _Watch(threading.Thread):
    """Looks at the memory of a process and of all that it started."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()
        self._peak = 0

    def run(self) -> None:
        """Look until told to stop."""
        while not self._over.wait(_TICK):
            tree = _tree(self._pid)
            self._peak = max(self._peak, sum(map(_resident, tree)), *map(_highest, tree))

    def stop(self) -> int:
        """Give the highest sum seen, in bytes."""
        self._over.set()
        self.join()
        return self._peak


def _tree(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        try:
            for thread in Path(f"/proc/{one}/task").iterdir():
                children = (thread / "children").read_text("ascii")
                waiting += [int(child) for child in children.split()]
        except OSError:
            continue  # it has ended meanwhile, or there is no /proc
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _highest(pid: int) -> int:
    """Give the most that a process ever held, as the system noted it."""
    return _kilobytes(f"/proc/{pid}/status", "VmHWM") * 1024


def _line(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _kilobytes(path: str, name: str) -> int:
    return int((_line(path, name) or "0").split()[0])
