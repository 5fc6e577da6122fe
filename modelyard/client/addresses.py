"""What may be an address: of a server, and of a thing below it."""

from __future__ import annotations

import ipaddress
import warnings
from urllib.parse import quote, urlsplit

from modelyard.client.errors import InvalidInputError, NotConfiguredError, PlainHttpWarning


def sends_in_clear(url: str) -> bool:
    """Say whether what is sent to `url` can be read on the network: plain http to another host."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def warn_in_clear(url: str) -> None:
    """Warn the caller's caller where a secret sent to `url` could be read on the network."""
    if sends_in_clear(url):
        warnings.warn(
            f"{url} is plain http: others on the network can read the token or password. Use https.",
            PlainHttpWarning,
            stacklevel=3,
        )


def checked_url(url: str) -> str:
    """Return the address of a server without a slash at its end; raises `NotConfiguredError` for what is none."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise NotConfiguredError(
            f"{url!r} is no address of a server.", hint="Write it as https://HOST or http://HOST:PORT."
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise NotConfiguredError(
            f"The address of {parts.hostname} holds more than host, port and path.",
            hint="Leave out user, password, `?` and `#`; a token has its own place.",
        )
    return url.rstrip("/")


def segments(*parts: object) -> str:
    """Write names as segments of a path; raises `InvalidInputError` for those that would change the path."""
    for part in parts:
        if str(part) in {"", ".", ".."}:
            raise InvalidInputError(f"{str(part)!r} is no name.", code="invalid_input")
    return "".join("/" + quote(str(part), safe="") for part in parts)
