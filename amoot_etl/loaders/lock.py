"""One writer an output folder: a lock that dies with its owner, and a note that says who holds it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from amoot_etl.errors import OutputLocked
from amoot_etl.loaders.atomic import as_output_error, write_json
from amoot_etl.tehran import iso, now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["hold_lock", "is_locked", "lock_holder"]


def lock_holder(home: Path) -> dict[str, Any] | None:
    """Give what the note beside the lock says, or None: `pid`, `host`, `purpose`, `since`."""
    try:
        note = json.loads((home / "lock.json").read_bytes())
    except (OSError, ValueError):
        return None
    return note if isinstance(note, dict) else None


def is_locked(home: Path) -> bool:
    """Say whether a run holds the folder right now; nothing is changed."""
    if not (home / "lock").exists():
        return False
    lock = FileLock(home / "lock", mode=0o600, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        # Not ours to lock; whoever cannot write here cannot run here either.
        return False
    lock.release()
    return False


@contextlib.contextmanager
def hold_lock(home: Path, purpose: str, wait: float | None = None) -> Iterator[dict[str, Any] | None]:
    """Hold the folder's lock; give the note of an owner that died holding it, or None.

    The lock is the system's own, so it ends with the process that holds it, however that process ends. The
    note only says whom to ask.

    Args:
        home: The `.amoot` folder.
        purpose: The command, for whoever finds the folder locked.
        wait: Seconds to wait for another owner; None or 0 not at all, `math.inf` for ever.

    Raises:
        OutputLocked: Another run holds the folder.
        OutputError: The lock could not be written.
    """
    # A thread of the run may be the one to let go, so the hold is the object's and not a thread's.
    lock = FileLock(home / "lock", mode=0o600, thread_local=False, poll_interval=0.1)
    timeout = -1 if wait == math.inf else (wait or 0)
    with as_output_error(home / "lock"):
        try:
            lock.acquire(timeout=timeout)
        except Timeout as error:
            # Timeout is an OSError too, and would be told as a failure of the disk.
            raise OutputLocked(_refusal(home), subject=str(home.parent)) from error
    try:
        dead = lock_holder(home)
        write_json(
            home / "lock.json",
            {
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "purpose": purpose,
                "since": iso(now()),
            },
        )
        yield dead
    finally:
        # A killed owner never comes here: its note stays, and tells the next owner whose work was cut off.
        with contextlib.suppress(OSError):
            (home / "lock.json").unlink(missing_ok=True)
        lock.release()


def _refusal(home: Path) -> str:
    note = lock_holder(home)
    if note is None:
        who = "another run"
    else:
        who = "{purpose} (pid {pid} on {host}, since {since})".format_map(
            {key: note.get(key, "?") for key in ("purpose", "pid", "host", "since")}
        )
    return f"{home.parent} is held by {who}: let it finish, or wait for it with --wait"
