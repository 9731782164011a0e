"""A token from a file: who may write it, and who may read it."""

from __future__ import annotations

import logging
import os
import stat
from typing import TYPE_CHECKING, Final

from amoot_etl.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NO_TOKEN", "could_be_token", "token_from"]

NO_TOKEN: Final = "the token holds a character that no token has: copy it anew"  # noqa: S105 - a message
"""What is said of a text that is no token."""

_log = logging.getLogger("amoot_etl.settings")


def token_from(path: Path) -> str:
    """Read a token from a file: its text, without white space around it or the mark that Windows sets before it.

    A link is followed and the file itself is looked at, so that the secrets of Docker (0444) and Kubernetes (a
    link to 0644 or 0440) work.

    Raises:
        SettingsError: It cannot be read, is empty, holds what no token has, or others may write it.
    """
    try:
        mode = path.stat().st_mode
        token = path.read_text(encoding="utf-8-sig").strip()
    except OSError as error:
        raise SettingsError(
            f"{path}: the token cannot be read ({error.strerror})", subject="token"
        ) from error
    except UnicodeDecodeError:
        # The error holds the bytes, and they are the token.
        raise SettingsError(
            f"{path}: the token cannot be read, the file is not UTF-8: save it as UTF-8", subject="token"
        ) from None
    if os.name == "posix":
        if mode & (stat.S_IWOTH | stat.S_IWGRP):
            raise SettingsError(f"{path}: others may write this token: chmod 600 it", subject="token")
        if mode & stat.S_IROTH:
            _log.warning("%s: anybody on this machine may read this token: chmod 600 it if you can", path)
    if not token:
        raise SettingsError(f"{path}: the token is empty", subject="token")
    if not could_be_token(token):
        raise SettingsError(f"{path}: {NO_TOKEN}", subject="token")
    return token


def could_be_token(text: str) -> bool:
    """Say whether a text has only letters that a token may have: those that an HTTP header takes as they are.

    >>> could_be_token("A1-b2"), could_be_token("two words")
    (True, False)
    """
    return all(33 <= ord(letter) <= 126 for letter in text)
