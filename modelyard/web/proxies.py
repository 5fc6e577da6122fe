"""Who really asks, when a proxy that is trusted passes the request on.

Addresses in events, sessions and limits depend on this: `X-Forwarded-For` and `X-Forwarded-Proto` are believed from the
networks of the setting `server.trusted_proxies` alone, and only the part of the chain that such proxies wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]


class TrustedProxies:
    """A WSGI application that tells the one behind it the caller's own address and scheme."""

    def __init__(self, application: Application, networks: Sequence[str]) -> None:
        self._application = application
        self._networks: list[IPv4Network | IPv6Network] = [ip_network(network) for network in networks]

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Pass the request on."""
        environ["REMOTE_ADDR"] = plain(environ.get("REMOTE_ADDR", ""))
        if self._is_trusted(environ.get("REMOTE_ADDR", "")):
            environ["REMOTE_ADDR"] = self._caller(environ)
            scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
            if scheme in {"http", "https"}:
                environ["wsgi.url_scheme"] = scheme
        return self._application(environ, start_response)

    def _caller(self, environ: Environ) -> str:
        """Go back through the chain from its end, as far as each link was written by a trusted proxy."""
        address: str = environ["REMOTE_ADDR"]
        for link in reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")):
            try:
                ip_address(link.strip())
            except ValueError:
                break
            address = plain(link.strip())
            if not self._is_trusted(address):
                break
        return address

    def _is_trusted(self, address: str) -> bool:
        if not self._networks:
            return False
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)


@lru_cache(maxsize=4096)
def plain(address: str) -> str:
    """Return an address in its one form: an IPv4 address that came by an IPv6 socket as what it is."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(getattr(found, "ipv4_mapped", None) or found)
