"""One setting's value in its type, from a file's value, a variable's text or a flag's."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from amoot_etl.errors import SettingsError

__all__ = ["CHOICES", "FLAGS_ALONE", "LISTS", "RANGES", "UNITS", "typed"]

UNITS: Final = {
    "deadline": {"s": 1, "m": 60, "h": 3600},
    "max_body": {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12},
}
"""Settings that may be told with a unit."""
CHOICES: Final = {
    "labels": ("en", "fa"),
    "csv_profile": ("plain", "excel"),
    "csv_compression": ("none", "gzip", "zstd"),
}
"""Settings that are one of a few words."""
RANGES: Final = {
    "retries": (0, 100),
    "backoff": (0, 3600),
    "timeout": (0.001, 86_400),
    "concurrency": (1, 100),
    "max_rps": (0.001, 1_000_000),
    "deadline": (0.001, 31_536_000),
}
"""The least and the most that a setting can be: what waits or works for ever is a slip of the keyboard."""
FLAGS_ALONE: Final = (
    "mode",
    "keep",
    "keep_for",
    "resume_within",
    "verify",
    "format",
    "compression",
    "full_every",
)
"""What is said of a run or a folder by flags, and nowhere else."""
LISTS: Final = ("columns", "exclude")
"""Settings that are lists of texts."""


def typed(name: str, value: Any, *, where: str) -> Any:
    """Turn the text of an environment variable, or a TOML value, into the setting's type.

    Args:
        name: The setting.
        value: What was given.
        where: Where it was given, for a message.

    Raises:
        SettingsError: It is none of that type, or an empty text.

    >>> typed("retries", "7", where="AMOOT_RETRIES")
    7
    """
    if isinstance(value, str) and not value.strip():
        # An empty path would be the folder one is in: nobody who leaves a value out means that.
        raise SettingsError(f"{where} is empty: give it a value, or leave it away", subject=name)
    if name in LISTS:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise SettingsError(f'{where} must be a list of texts, ["mobile"]', subject=name)
        return tuple(value)
    if name in UNITS:
        return _amount(name, value, where=where)
    kind: type = {
        "retries": int,
        "concurrency": int,
        "backoff": float,
        "timeout": float,
        "max_rps": float,
    }.get(name, str)
    try:
        if kind is str:
            if not isinstance(value, str):
                raise TypeError  # noqa: TRY301 - told the same way as a failed conversion
            return value
        if isinstance(value, bool) or (kind is int and isinstance(value, float)):
            raise TypeError  # noqa: TRY301
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        words = {int: "a whole number", float: "a number", str: "text"}[kind]
        raise SettingsError(f"{where} must be {words}", subject=name) from None


def _amount(name: str, value: Any, *, where: str) -> float | int:
    """Read a span of time in seconds, or a size in bytes, told with or without a unit.

    >>> _amount("deadline", "1.5h", where="deadline"), _amount("max_body", "2 GB", where="max_body")
    (5400.0, 2000000000)
    """
    units = UNITS[name]
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", str(value))
    factor = units.get(match[2].lower() or next(iter(units))) if match else None
    amount = float(match[1]) * factor if match and factor else math.inf
    if math.isinf(amount):
        example = "a number of seconds, or 90m, 2h" if name == "deadline" else "a size such as 500MB or 2GB"
        raise SettingsError(f"{where} must be {example}", subject=name)
    return int(amount) if name == "max_body" else amount
