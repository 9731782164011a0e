"""What a failed transfer means in our words; a library's own may hold the URL's credentials."""

from __future__ import annotations

import ssl
from http.client import HTTPException, IncompleteRead
from typing import TYPE_CHECKING, Final

from urllib3 import exceptions

from amoot_etl import errors
from amoot_etl.statuses import unexpected

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NETWORK", "no_tls", "unreachable"]

NETWORK: Final = (exceptions.HTTPError, OSError)
"""What a failed transfer raises."""


def unreachable(method: str, error: BaseException) -> errors.AmootError:
    """Say in our words why a request failed."""
    if isinstance(error, exceptions.SSLError):
        reasons = (cause.reason for cause in _causes(error) if isinstance(cause, ssl.SSLError))
        what, way_out = no_tls(next(reasons, None))
        return errors.PortalUnavailable(f"{method}: {what}: {way_out}", subject=method, status="TLS")
    if isinstance(error, exceptions.ClosedPoolError):
        return errors.SettingsError(
            f"{method}: this client is closed: ask inside its `with` block, or make another one",
            subject=method,
        )
    if isinstance(error, exceptions.DecodeError):
        return unexpected(method, "a body whose gzip is broken", status="gzip")
    if isinstance(error, exceptions.LocationValueError):
        return errors.SettingsError("base_url: this is no http(s) address", subject="base_url")
    causes = list(_causes(error))
    if isinstance(error, exceptions.ProtocolError) and _is_cut(causes):
        return unexpected(method, "a body that was cut", status="cut")
    kind, what = next(
        (kind, words) for kind, words in _WORDS if any(isinstance(cause, kind) for cause in causes)
    )
    of = "proxy that the environment names" if kind is exceptions.ProxyError else "base URL"
    return errors.PortalUnavailable(
        f"{method}: {what} ({type(error).__name__}): check the network and the {of}, or try again later",
        subject=method,
        status=what,
    )


def no_tls(reason: str | None) -> tuple[str, str]:
    """Say why no TLS came about, and the way out.

    Args:
        reason: OpenSSL's name for it; None where its name is not known.

    >>> no_tls("WRONG_VERSION_NUMBER")[0]
    'this address does not speak TLS'
    """
    if reason in _PLAIN:
        return (
            "this address does not speak TLS",
            "check the base URL, its port and whether it is http:// or https://, and any proxy",
        )
    if reason is None or "CERTIFICATE" in reason:
        return "the portal's certificate was not accepted", "check the clock, proxy and base URL"
    return f"no TLS connection could be made ({reason})", "check the network, any proxy and the base URL"


_PLAIN: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"}
)
"""What OpenSSL says, by its version, of an answer that is no TLS."""
_WORDS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (exceptions.ProxyError, "the proxy failed"),
    (exceptions.NameResolutionError, "the portal's name is not known"),
    (ConnectionRefusedError, "the connection was refused"),
    (exceptions.NewConnectionError, "no connection could be made"),
    (exceptions.ConnectTimeoutError, "no connection in time"),
    (exceptions.TimeoutError, "no answer in time"),
    (BaseException, "the connection broke"),
)
"""What stands for a failure if it is among the causes. The order counts: behind a proxy's failure stands what
befell the way to it; and to urllib3 an unknown name is a connection that did not come about, and that is a timeout."""


def _is_cut(causes: list[BaseException]) -> bool:
    """Say whether the connection ended in good order, and the body before its end."""
    return any(isinstance(cause, IncompleteRead) for cause in causes) or not any(
        isinstance(cause, OSError | HTTPException) for cause in causes
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error and what it is said to come from, which urllib3 keeps in its arguments."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [*one.args, getattr(one, "reason", None), one.__cause__]
