"""A token from a file: who may write it, and who may read it."""

from __future__ import annotations

import logging
import os
import stat
from typing import TYPE_CHECKING

from amoot_etl.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["token_from"]

_log = logging.getLogger("amoot_etl.settings")


def token_from(path: Path) -> str:
    """Read a token from a file: its text, without white space around it.

    A link is followed and the file itself is looked at, so that the secrets of Docker (0444) and Kubernetes (a
    link to 0644 or 0440) work.

    Raises:
        SettingsError: It cannot be read, is empty, or others may write it.
    """
    try:
        mode = path.stat().st_mode
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = f" ({error.strerror})" if isinstance(error, OSError) else ""
        raise SettingsError(f"{path}: the token cannot be read{why}", subject="token") from error
    if os.name == "posix":
        if mode & (stat.S_IWOTH | stat.S_IWGRP):
            raise SettingsError(f"{path}: others may write this token: chmod 600 it", subject="token")
        if mode & stat.S_IROTH:
            _log.warning("%s: anybody on this machine may read this token: chmod 600 it if you can", path)
    if not token:
        raise SettingsError(f"{path}: the token is empty", subject="token")
    return token
