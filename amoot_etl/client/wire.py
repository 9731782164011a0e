"""The connections, and what their failures mean in our words; a library's own may hold the URL's credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import requests
import urllib3
import urllib3.connection
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from amoot_etl import errors
from amoot_etl.statuses import unexpected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amoot_etl.client.limits import End

__all__ = ["NETWORK", "Token", "Wire", "unreachable"]

NETWORK: Final = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""What a failed transfer raises."""


class Token(requests.auth.AuthBase):
    """Set the raw token on each request, where neither a netrc file nor a session's repr meets it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the token on a request."""
        request.headers["Authorization"] = self._token
        return request


class Wire(HTTPAdapter):
    """An adapter that tells an `End` of every connection: a thread that hangs in one can then be woken."""

    def __init__(self, end: End, connections: int) -> None:
        self._end = end
        super().__init__(pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool of straight connections."""
        super().init_poolmanager(*args, **kwargs)
        self._watched(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> urllib3.ProxyManager:
        """Make the pool of connections through a proxy."""
        manager: urllib3.ProxyManager = super().proxy_manager_for(*args, **kwargs)
        self._watched(manager)
        return manager

    def _watched(self, manager: urllib3.PoolManager) -> None:
        end = self._end

        class Plain(urllib3.connection.HTTPConnection):
            def connect(self) -> None:
                super().connect()
                end.watch(self.sock)

        class Secure(urllib3.connection.HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                end.watch(self.sock)

        class PlainPool(urllib3.HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(urllib3.HTTPSConnectionPool):
            ConnectionCls = Secure

        manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


def unreachable(method: str, error: BaseException) -> errors.AmootError:
    """Say in our words why a request failed; a library's own words may hold the URL's credentials."""
    chain = list(_causes(error))
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return errors.PortalUnavailable(
            f"{method}: the portal's certificate was not accepted: check the clock, proxy and base URL",
            subject=method,
            status="TLS",
        )
    if isinstance(error, requests.exceptions.ContentDecodingError | urllib3.exceptions.DecodeError):
        return unexpected(method, "a body whose gzip is broken", status="gzip")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return errors.SettingsError("base_url: this is no http(s) address", subject="base_url")
    if isinstance(error, urllib3.exceptions.ProtocolError) and not any(
        isinstance(cause, OSError) for cause in chain
    ):
        # The connection ended in good order, and the body before its end.
        return unexpected(method, "a body that was cut", status="cut")
    if any(isinstance(cause, urllib3.exceptions.NameResolutionError) for cause in chain):
        what = "the portal's name is not known"
    elif any(isinstance(cause, ConnectionRefusedError) for cause in chain):
        # Before the timeouts: urllib3 counts a connection that did not come about among them.
        what = "the connection was refused"
    elif isinstance(error, requests.exceptions.ConnectTimeout):
        what = "no connection in time"
    elif any(isinstance(cause, requests.Timeout | urllib3.exceptions.TimeoutError) for cause in chain):
        what = "no answer in time"
    elif isinstance(error, requests.exceptions.ProxyError):
        what = "the proxy failed"
    else:
        what = "the connection broke"
    return errors.PortalUnavailable(
        f"{method}: {what} ({type(error).__name__}): check the network and the base URL, or try again later",
        subject=method,
        status=what,
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
