"""The connections to the portal, straight or through a proxy, and a question over one of them."""

from __future__ import annotations

import time
from base64 import b64encode
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

from urllib3 import PoolManager, ProxyManager, Retry, Timeout
from urllib3.exceptions import LocationParseError
from urllib3.util.url import parse_url

from amoot_etl._version import __version__
from amoot_etl.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from urllib3 import BaseHTTPResponse
    from urllib3.util.url import Url

    from amoot_etl.client.limits import End
    from amoot_etl.client.surroundings import Proxy
    from amoot_etl.settings import Settings

__all__ = ["Wire"]

_CONNECT_TIMEOUT: Final = 10.0
_ONCE: Final = Retry(total=False)
"""Neither retries nor redirects: whether another try helps is decided where the method is known."""
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


class Wire:
    """A pool of connections to one portal, which tells an `End` of each: who hangs in one can then be woken.

    Args:
        settings: The portal's address, its token, the timeout, and how many connections are kept open.
        end: Told of every connection.

    Raises:
        SettingsError: The address is none, or what the environment says of proxies and certificates cannot be.
    """

    def __init__(self, settings: Settings, end: End) -> None:
        url = _parsed(f"{settings.base_url}/")
        self._headers = {
            "User-Agent": f"amoot-etl/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "identity" if settings.on_loopback else "gzip",
            "Connection": "keep-alive",
            "Authorization": settings.token,
        }
        self._form_headers = self._headers | _FORM
        proxy: Proxy | None = None
        options: dict[str, Any] = {
            "maxsize": settings.concurrency,
            "timeout": Timeout(connect=_CONNECT_TIMEOUT, read=settings.timeout),
        }
        # What the environment says is read where it can matter: a plain portal on this machine starts without.
        if not settings.on_loopback:
            from amoot_etl.client.surroundings import proxy_for  # noqa: PLC0415

            proxy = proxy_for(url.url)
        if url.scheme == "https" or (proxy and proxy.url.startswith("https:")):
            from amoot_etl.client.surroundings import trust  # noqa: PLC0415

            options["ssl_context"] = trust()
        self._pool = _manager(proxy, options).connection_from_host(url.host, url.port, url.scheme)
        self._began_anew = 0.0
        self._pool.ConnectionCls = _watched(
            self._pool.ConnectionCls, end, lambda opened: opened > self._began_anew
        )
        # A proxy that passes plain requests on must be told of whom.
        absolute = self._pool.proxy is not None and url.scheme == "http"
        self._target = url._replace(fragment=None).url if absolute else url.request_uri

    def close(self) -> None:
        """Close the connections that nobody uses; the others close when they are given back."""
        self._pool.close()

    def start_anew(self) -> None:
        """Ask on none of the connections again that are open now.

        Where an answer made no sense, nobody knows where it ends: the next one on its connection may begin with its
        rest, or find the portal hanging up.
        """
        self._began_anew = time.monotonic()

    @contextmanager
    def post(self, method: str, fields: dict[str, int]) -> Iterator[BaseHTTPResponse]:
        """Ask, and give the answer with its body yet to be read; one left unread costs the connection.

        Args:
            method: A method of the portal.
            fields: Its form fields.
        """
        response = self._pool.urlopen(
            "POST",
            self._target + method,
            body=urlencode(fields),
            headers=self._form_headers if fields else self._headers,
            retries=_ONCE,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
        )
        try:
            yield response
        finally:
            response.close()


def _parsed(base_url: str) -> Url:
    host = urlsplit(base_url).hostname or ""
    try:
        # The name as name servers know it, where people write it in letters of their own.
        ours = base_url if host.isascii() else base_url.replace(host, host.encode("idna").decode("ascii"), 1)
        return parse_url(ours)
    except (LocationParseError, UnicodeError):
        raise SettingsError("base_url: this is no http(s) address", subject="base_url") from None


def _manager(proxy: Proxy | None, options: dict[str, Any]) -> PoolManager:
    """Make what connects: straight, or through a proxy, whose password stands in no URL."""
    if proxy is None:
        return PoolManager(**options)
    if proxy.url.startswith("socks"):
        if find_spec("socks") is None:
            raise SettingsError(
                f"{proxy.variable} names a SOCKS proxy, which needs a package: pip install PySocks",
                subject=proxy.variable,
            )
        from urllib3.contrib.socks import SOCKSProxyManager  # noqa: PLC0415 - it warns where that is missing

        return SOCKSProxyManager(proxy.url, proxy.user or None, proxy.password or None, **options)
    told = b64encode(f"{proxy.user}:{proxy.password}".encode()).decode("ascii")
    return ProxyManager(
        proxy.url,
        proxy_headers={"Proxy-Authorization": f"Basic {told}"} if proxy.user else None,
        proxy_ssl_context=options.get("ssl_context"),
        **options,
    )


def _watched(kind: Any, end: End, still_good: Callable[[float], bool]) -> Any:
    """Make of a class of connections one that tells an `End` of each, and is asked on again while that is good."""

    def connect(self: Any) -> None:
        self.opened = time.monotonic()
        kind.connect(self)
        # TLS inside a proxy's TLS is no socket, and has one.
        end.watch(getattr(self.sock, "socket", self.sock))

    def is_connected(self: Any) -> bool:
        return bool(kind.is_connected.fget(self)) and still_good(self.opened)

    return type(kind.__name__, (kind,), {"connect": connect, "is_connected": property(is_connected)})
