"""The way to the portal, as `doctor` looks at it: the name, the connection, the certificate."""

from __future__ import annotations

import os
import socket
import ssl
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import certifi

from amoot_etl.errors import PortalUnavailable
from amoot_etl.pipeline.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amoot_etl.settings import Settings

__all__ = ["look_at_the_way"]

_CERTIFICATE_DAYS: Final = 14


def look_at_the_way(settings: Settings) -> Iterator[Finding]:
    """Look the portal's name up, connect, and look at its certificate.

    Args:
        settings: Where the portal is.
    """
    parts = urlsplit(settings.base_url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not settings.on_loopback and _proxy(parts.scheme, host):
        yield Finding("name", "unknown", f"{host} is reached through a proxy, which looks the name up")
        return
    started = time.monotonic()
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield Finding(
            "name",
            "problem",
            f"{host} is not known ({error.strerror})",
            "check the base URL, the network and its name servers",
            PortalUnavailable,
        )
        return
    addresses = sorted({str(each[4][0]) for each in found})
    spent = time.monotonic() - started
    yield Finding(
        "name",
        "ok",
        f"{host} is {', '.join(addresses)} ({spent * 1000:.0f} ms)",
        details={"addresses": addresses, "seconds": round(spent, 3)},
    )
    yield _line(parts.scheme, host, port, loopback=settings.on_loopback)


def _proxy(scheme: str, host: str) -> bool:
    return scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host)


def _line(scheme: str, host: str, port: int, *, loopback: bool) -> Finding:
    """Connect, and look at the certificate."""
    check = "TLS" if scheme == "https" else "connection"
    try:
        with socket.create_connection((host, port), timeout=10) as line:
            if scheme != "https":
                return _open_line(loopback=loopback)
            with _trust().wrap_socket(line, server_hostname=host) as secure:
                ends = ssl.cert_time_to_seconds(str((secure.getpeercert() or {})["notAfter"]))
                days = int((ends - time.time()) // 86400)
                told = f"{secure.version()}, the certificate is valid for {days} days more"
                details = {"version": secure.version(), "days": days}
                if days < _CERTIFICATE_DAYS:
                    return Finding(check, "warning", told, "ask the portal's support", details=details)
                return Finding(check, "ok", told, details=details)
    except ssl.SSLError as error:
        return Finding(
            check,
            "problem",
            f"the certificate of {host} is not accepted ({error.reason or type(error).__name__})",
            "check the clock, the base URL, and any proxy in between (REQUESTS_CA_BUNDLE names its certificates)",
            PortalUnavailable,
        )
    except OSError as error:
        return Finding(
            check,
            "problem",
            f"no connection to {host}:{port} ({error.strerror or type(error).__name__})",
            "check the network and the firewall: the portal may admit Iranian addresses only",
            PortalUnavailable,
        )


def _open_line(*, loopback: bool) -> Finding:
    if loopback:
        return Finding("connection", "ok", "not encrypted, inside this machine")
    return Finding(
        "connection",
        "warning",
        "not encrypted: the token and the contacts can be read on the way",
        "use an https:// base URL",
    )


def _trust() -> ssl.SSLContext:
    """Trust what requests trusts."""
    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or certifi.where()
    is_folder = Path(named).is_dir()
    return ssl.create_default_context(
        cafile=None if is_folder else named, capath=named if is_folder else None
    )
