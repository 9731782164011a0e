"""What a command's process leaves out, to start sooner and stay small.

Pandas: Arrow imports it, where it is installed, the first time it is handed a Python list, to learn whether that is a
Series. It costs every run of ours a third of a second and 30 MB, and most commands never touch a frame.

A memory pool beside malloc: Arrow's takes memory from the system and gives it back for every batch anew, while what
NumPy let go of lies beside it. Without, an export of a million contacts needs 60 MB less, one of 200 labels 100 MB, and
both a second less of the kernel's time.

Waiting for Python's lock: a thread that comes back from NumPy or Arrow waits up to five milliseconds for one that runs
Python, hundreds of times for each segment. Half a millisecond makes an export with many odd values a sixth faster.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["keep_pandas_out", "share_malloc", "take_turns"]

_TURN: Final = 0.0005
"""Seconds."""


class _NoPandas:
    """An import hook that says of pandas what would be true if it were not installed."""

    def find_spec(self, name: str, _path: Sequence[str] | None = None, _target: object = None) -> None:
        """Refuse pandas, and leave everything else to the others."""
        if name == "pandas":
            raise ModuleNotFoundError("this command works without frames", name=name)


def keep_pandas_out() -> None:
    """Let this process run as if pandas were not installed, unless it has been imported already."""
    if "pandas" not in sys.modules:
        sys.meta_path.insert(0, _NoPandas())


def share_malloc() -> None:
    """Let Arrow, not imported yet, take its memory where everybody else does, unless the user chose a pool."""
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")


def take_turns() -> None:
    """Let threads hand Python's lock over sooner than they do by default."""
    sys.setswitchinterval(_TURN)
