"""What an answer's HTTP side says, told as one of our errors: its status, and how long to leave the portal alone."""

from __future__ import annotations

import email.utils
import math
import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from amoot_etl import errors
from amoot_etl.statuses import unexpected

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

__all__ = [
    "CANCELLED",
    "DEADLINE",
    "LONGEST_OBEYED",
    "TOO_LARGE",
    "asked_wait",
    "check_http",
    "passes",
    "read_moment",
    "too_large",
]

LONGEST_OBEYED: Final = 300.0
"""A portal that asks to be left alone for longer has ended this run; the message says for how long."""
CANCELLED: Final = "cancelled"
DEADLINE: Final = "deadline"
TOO_LARGE: Final = "too large"
_FINAL: Final = frozenset({CANCELLED, DEADLINE, TOO_LARGE})


def passes(error: BaseException) -> bool:
    """Say whether another try may help."""
    if isinstance(error, errors.PortalUnavailable):
        return error.status not in _FINAL and (error.retry_after or 0) <= LONGEST_OBEYED
    return (
        isinstance(error, errors.UnexpectedAnswer)
        and not isinstance(error, errors.NotFound)
        and error.status not in _FINAL
    )


def too_large(method: str, cap: int) -> errors.UnexpectedAnswer:
    """Give the error of an answer that is larger than the settings allow."""
    return errors.UnexpectedAnswer(
        f"{method}: the portal's answer is larger than {_size(cap)}: allow more with --max-body",
        subject=method,
        status=TOO_LARGE,
    )


def _size(count: int) -> str:
    """Give a number of bytes as people say it, as it was told: 10KB are not 0 MB.

    >>> _size(10_000), _size(1_500_000_000), _size(1_234)
    ('10 kB', '1.5 GB', '1,234 bytes')
    """
    for factor, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= factor and count * 10 % factor == 0:
            return f"{count / factor:,.4g} {unit}"
    return f"{count:,} bytes"


def check_http(method: str, response: BaseHTTPResponse) -> None:
    """Raise what an HTTP status other than 200 means."""
    number = response.status
    if number == HTTPStatus.OK:
        return
    name = f"HTTP {number}"
    if number in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise errors.CredentialsError(
            f"{method}: {name}: renew the token, or allow this IP address and method in the panel",
            subject=method,
            status=name,
        )
    if number in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS) or number >= 500:
        asked = asked_wait(response)
        when = f"in {asked:.0f} s" if asked else "later"
        what = "the portal is overloaded or in maintenance"
        if number == HTTPStatus.TOO_MANY_REQUESTS:
            what, when = "it was asked too often", f"{when}, with a lower --max-rps or --concurrency"
        raise errors.PortalUnavailable(
            f"{method}: {name}: {what}: try again {when}",
            subject=method,
            status=name,
            retry_after=asked,
        )
    if 300 <= number < 400:
        raise unexpected(method, f"{name}, a redirect, which is never followed", status=name)
    raise unexpected(method, name, status=name)


def asked_wait(response: BaseHTTPResponse) -> float | None:
    """Give the seconds that an answer asks to be left alone for, by `Retry-After` or a spent rate limit."""
    asked = response.headers.get("Retry-After")
    if asked is None and response.headers.get("X-RateLimit-Remaining", "").strip() == "0":
        asked = response.headers.get("X-RateLimit-Reset")
    if asked is None:
        return None
    try:
        seconds = float(asked)
    except ValueError:
        moment = read_moment(asked)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds()) if moment else None
    if not math.isfinite(seconds):
        return None  # float() knows words for what is no number
    # A reset may be told as a moment (Unix seconds) as well as a span.
    return max(0.0, seconds - time.time() if seconds > 1e9 else seconds)


def read_moment(text: str) -> datetime | None:
    """Read an HTTP date."""
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
