"""What the environment says of the way to the portal: through which proxy, and whose certificates are trusted.

The variables are those of curl and of most programs, and mean what they mean there: HTTP_PROXY, HTTPS_PROXY,
ALL_PROXY and NO_PROXY, in capitals or not (small letters come first), and REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE,
SSL_CERT_FILE and SSL_CERT_DIR. What is wrong with one of them is a `SettingsError` that names it and never shows a
proxy's password.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from urllib3.exceptions import LocationParseError
from urllib3.util.ssl_ import create_urllib3_context
from urllib3.util.url import Url, parse_url

from amoot_etl.errors import SettingsError

__all__ = ["Proxy", "proxy_for", "trust"]

_BUNDLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
_SCHEMES: Final = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that the environment names.

    Args:
        variable: Which variable names it.
        url: Where it is: scheme, host and port, without the user and the password.
        user: Its user, if it wants one.
        password: Its password.
    """

    variable: str
    url: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


def proxy_for(base_url: str) -> Proxy | None:
    """Find the proxy through which an address is reached.

    Args:
        base_url: An http(s) address.

    Returns:
        The proxy, or None where none is named or NO_PROXY exempts the address.

    Raises:
        SettingsError: What is named is no address of a proxy.
    """
    parts = urlsplit(base_url)
    named = getproxies()
    kind = parts.scheme if named.get(parts.scheme) else "all"
    text = named.get(kind, "")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not text or _is_exempt(parts.hostname or "", port, named.get("no", "")):
        return None
    return _read(f"{kind.upper()}_PROXY", text)


def trust() -> ssl.SSLContext:
    """Make what checks certificates and host names: by the bundle that the environment names, or by certifi's.

    Raises:
        SettingsError: The bundle is not there, or holds no certificates.
    """
    context = create_urllib3_context()
    named = [name for name in _BUNDLES if os.environ.get(name)]
    if not named:
        import certifi  # noqa: PLC0415 - who names a bundle needs no other

        context.load_verify_locations(certifi.where())
        return context
    path = os.environ[named[0]]
    # OpenSSL takes several folders in one, as PATH has them.
    folders = all(Path(each).is_dir() for each in path.split(os.pathsep))
    try:
        context.load_verify_locations(None if folders else path, path if folders else None)
    except ssl.SSLError:
        problem = "which holds no certificates"
    except OSError as error:
        problem = f"which cannot be read ({error.strerror})"
    else:
        return context
    raise SettingsError(f"{named[0]} names {path}, {problem}: correct it, or unset it", subject=named[0])


def _is_exempt(host: str, port: int, listed: str) -> bool:
    """Say whether NO_PROXY names a host: by name, as part of a domain, with its port, by address or network."""
    if proxy_bypass(f"{host}:{port}"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return any(_holds(each.strip(), address) for each in listed.split(","))


def _holds(listed: str, address: IPv4Address | IPv6Address) -> bool:
    try:
        return address in ip_network(listed.strip("[]"), strict=False)
    except ValueError:
        return False


def _read(variable: str, text: str) -> Proxy:
    try:
        # A host and a port without a scheme are an HTTP proxy's.
        url = parse_url(text if "://" in text else f"http://{text}")
    except LocationParseError:
        url = None
    # Raised out here, where no error that quotes the text hangs on to this one.
    if url is None or url.scheme not in _SCHEMES or not url.host:
        raise SettingsError(
            f"{variable} names no proxy: give it as http://host:port, or as https://, socks5:// or socks5h://",
            subject=variable,
        )
    user, _, password = (url.auth or "").partition(":")
    return Proxy(
        variable, Url(url.scheme, host=url.host, port=url.port).url, unquote(user), unquote(password)
    )
