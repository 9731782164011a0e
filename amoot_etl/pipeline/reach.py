"""The way to the portal, as `doctor` looks at it: the name, the connection, the certificate."""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from amoot_etl.client.failures import no_tls
from amoot_etl.client.surroundings import proxy_for, trust
from amoot_etl.errors import PortalUnavailable, SettingsError
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
    try:
        proxy = None if settings.on_loopback else proxy_for(settings.base_url)
        trusted = trust() if parts.scheme == "https" else None
    except SettingsError as error:
        told, _, way_out = str(error).rpartition(": ")
        yield Finding("environment", "problem", told, way_out, SettingsError)
        return
    if proxy:
        told = f"{host} is reached through the proxy of {proxy.variable}, which looks the name up"
        yield Finding("name", "unknown", told)
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
    yield _line(host, port, trusted, loopback=settings.on_loopback)


def _line(host: str, port: int, trusted: ssl.SSLContext | None, *, loopback: bool) -> Finding:
    """Connect, and look at the certificate."""
    check = "TLS" if trusted else "connection"
    try:
        with socket.create_connection((host, port), timeout=10) as line:
            if trusted is None:
                return _open_line(loopback=loopback)
            with trusted.wrap_socket(line, server_hostname=host) as secure:
                ends = ssl.cert_time_to_seconds(str((secure.getpeercert() or {})["notAfter"]))
                days = int((ends - time.time()) // 86400)
                told = f"{secure.version()}, the certificate is valid for {days} days more"
                details = {"version": secure.version(), "days": days}
                if days < _CERTIFICATE_DAYS:
                    return Finding(check, "warning", told, "ask the portal's support", details=details)
                return Finding(check, "ok", told, details=details)
    except ssl.SSLCertVerificationError as error:
        return Finding(
            check,
            "problem",
            f"the certificate of {host} is not accepted ({error.reason or type(error).__name__})",
            "check the clock, the base URL, and any proxy in between (REQUESTS_CA_BUNDLE names its certificates)",
            PortalUnavailable,
        )
    except ssl.SSLError as error:
        what, way_out = no_tls(error.reason or type(error).__name__)
        return Finding(check, "problem", f"{host}:{port}: {what}", way_out, PortalUnavailable)
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
