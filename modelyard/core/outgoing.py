"""Connections to addresses that users give, kept away from the inside of our own network.

The host name is resolved once, each address is checked, and the connection goes to exactly a checked one; TLS is
verified against the name. Redirects are not followed, proxies from the environment not used. Bootstrap sets the
process's policy with `set_policy`; until then nothing inside is allowed.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from time import monotonic, time
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from modelyard.core.errors import InvalidInput, Unavailable

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_ANSWER_BYTES = 64 * 1024
_PORTS = {"http": 80, "https": 443}
_TOO_LATE = "no whole answer in time"
# What `is_global` does not know in every Python: this network, shared address space, benchmarks, local NAT64, the old
# site-local; and Azure's metadata server, which has a public address.
_INSIDE = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "168.63.129.16/32",
        "192.0.0.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "64:ff9b:1::/48",
        "fec0::/10",
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")


class AddressRefused(InvalidInput):
    """The address leads inside, or is none; trying again does not help."""

    code = "address_refused"


class Unreachable(Unavailable):
    """Nobody answered properly: no such name, no connection, broken TLS, a reset, or too late."""

    code = "unreachable"


@dataclass(frozen=True, slots=True)
class OutgoingPolicy:
    """`allowed_networks` may be reached although they are private, loopback or otherwise inside."""

    allowed_networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, *networks: str) -> OutgoingPolicy:
        """Make a policy of networks such as ``10.1.0.0/16``; ValueError names one that is none."""
        return cls(tuple(ip_network(network) for network in networks))

    def allows(self, address: Address) -> bool:
        """Whether a connection to this address may be made."""
        inner = _innermost(address)
        if any(candidate in network for network in self.allowed_networks for candidate in (address, inner)):
            return True
        if any(inner in network for network in _INSIDE):
            return False
        return inner.is_global and not (inner.is_multicast or inner.is_reserved or inner.is_unspecified)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said; of its body as much as was asked for, by default 64 KiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def retry_after_seconds(self) -> float | None:
        """How long the header Retry-After asks to wait; None where it is not there or says nothing."""
        text = next((value.strip() for name, value in self.headers.items() if name.lower() == "retry-after"), "")
        if text.isascii() and text.isdecimal():
            return float(text[:10])
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - time())
        except (ValueError, OverflowError):
            return None


_policy = OutgoingPolicy()


def set_policy(policy: OutgoingPolicy) -> None:
    """Set what this process may reach; bootstrap does it once, from the settings."""
    global _policy
    _policy = policy


def current_policy() -> OutgoingPolicy:
    """What this process may reach."""
    return _policy


def request(
    method: str,
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_seconds: float,
    max_answer_bytes: int = MAX_ANSWER_BYTES,
) -> Answer:
    """Send one request and return the answer, a redirect too; the time is for all of it but resolving the name.

    Raises `AddressRefused` and `Unreachable`; neither quotes the path or query of the URL, where secrets may be.
    """
    expires = monotonic() + timeout_seconds
    parts = _checked_url(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with closing(_connect(parts, expires)) as connection, cut_after(connection, expires - monotonic()):
        try:
            connection.request(
                method, target, body=body, headers={"Host": parts.netloc, **(headers or {})}, preload_content=False
            )
            answer = connection.getresponse()
            content = answer.read(max_answer_bytes, decode_content=False)
        except (HTTPException, HTTPError, OSError, ValueError) as exc:
            late = monotonic() >= expires
            raise Unreachable(f"{_place(parts)}: {_TOO_LATE if late else _reason(exc)}.") from None
    if monotonic() >= expires:  # headers that were cut off look like whole ones
        raise Unreachable(f"{_place(parts)}: {_TOO_LATE}.")
    return Answer(answer.status, dict(answer.headers), content or b"")


@dataclass(frozen=True, slots=True)
class Streaming:
    """An answer whose body is read as it comes, in chunks of at most 64 KiB."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


@contextmanager
def stream(
    method: str,
    url: str,
    *,
    body: Iterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_seconds: float,
) -> Iterator[Streaming]:
    """Send one request, its body chunk by chunk, and give the answer to read; leaving the block ends it.

    The time is for connecting, and then for each wait: how long all of it takes is not bounded. Raises as `request`
    does, also while the chunks are read.
    """
    parts = _checked_url(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with closing(_connect(parts, monotonic() + timeout_seconds)) as connection:
        try:
            if connection.sock is not None:
                connection.sock.settimeout(timeout_seconds)
            connection.request(
                method,
                target,
                body=body,
                headers={"Host": parts.netloc, **(headers or {})},
                chunked=body is not None,
                preload_content=False,
            )
            answer = connection.getresponse()
        except (HTTPException, HTTPError, OSError, ValueError) as exc:
            raise Unreachable(f"{_place(parts)}: {_reason(exc)}.") from None
        chunks = _chunks(answer, _place(parts))
        yield Streaming(answer.status, dict(answer.headers), chunks)


def _chunks(answer: BaseHTTPResponse, place: str) -> Iterator[bytes]:
    try:
        while chunk := answer.read(MAX_ANSWER_BYTES, decode_content=False):
            yield chunk
    except (HTTPException, HTTPError, OSError, ValueError) as exc:
        raise Unreachable(f"{place}: {_reason(exc)}.") from None


def probe(url: str, *, timeout_seconds: float) -> None:
    """Connect, TLS included, and send nothing. Raises as `request` does."""
    with closing(_connect(_checked_url(url), monotonic() + timeout_seconds)):
        return


def open_socket(host: str, port: int, *, timeout_seconds: float) -> socket.socket:
    """Connect for a protocol other than HTTP; the time is for all the host's addresses. Raises as `request` does."""
    expires = monotonic() + timeout_seconds
    problem = _TOO_LATE
    for address in resolve(host, port):
        left = expires - monotonic()
        if left <= 0:
            break
        try:
            return socket.create_connection((str(address), port), left)
        except OSError as exc:
            problem = _reason(exc)
    raise Unreachable(f"{host:.253}:{port}: {problem}.")


class HasSocket(Protocol):
    """A client of some protocol, which keeps its socket as `sock`."""

    sock: socket.socket | None


@contextmanager
def cut_after(connection: HasSocket, seconds: float) -> Iterator[None]:
    """End what goes on over the connection after that time: a peer that sends drops meets no socket's own limit."""
    watchdog = threading.Timer(max(seconds, 0.0), _cut, [connection])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def resolve(host: str, port: int) -> list[Address]:
    """The host's addresses that the policy allows, in the order to try them; `AddressRefused` where there is none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unreachable(f"The host name '{host:.253}' cannot be resolved.") from None
    addresses = list(dict.fromkeys(ip_address(str(entry[4][0])) for entry in found))
    allowed = [address for address in addresses if _policy.allows(address)]
    if not allowed:
        inside = ", ".join(map(str, addresses[:3]))
        raise AddressRefused(
            f"'{host:.253}' leads to {inside}, inside of this network.",
            hint="The administrator can allow it in the setting of networks that outgoing requests may reach.",
        )
    return allowed


def _checked_url(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(ord(character) <= 32 or ord(character) == 127 for character in url) or not url.isascii():
        raise AddressRefused("This is no http or https address.", hint="Write it as https://host/path, in ASCII.")
    if parts.username is not None:
        raise AddressRefused("The address carries a user name.", hint="Give credentials in the settings for them.")
    return parts


def _connect(parts: SplitResult, expires: float) -> HTTPConnection:
    host = parts.hostname or ""
    port = parts.port or _PORTS[parts.scheme]
    problem = _TOO_LATE
    for address in resolve(host, port):
        left = expires - monotonic()
        if left <= 0:
            break
        connection = _connection(parts.scheme, host, address, port, left)
        try:
            connection.connect()
        except (HTTPException, HTTPError, OSError, ValueError) as exc:
            connection.close()
            problem = _reason(exc)
        else:
            return connection
    raise Unreachable(f"{_place(parts)}: {problem}.")


def _connection(scheme: str, host: str, address: Address, port: int, timeout: float) -> HTTPConnection:
    if scheme == "http":
        return HTTPConnection(str(address), port, timeout=timeout)
    return HTTPSConnection(
        str(address), port, timeout=timeout, cert_reqs="CERT_REQUIRED", server_hostname=host, assert_hostname=host
    )


def _cut(connection: HasSocket) -> None:
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _innermost(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour or address


def _place(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc}"[:253]


def _reason(exc: Exception) -> str:
    """What went wrong, from the innermost cause: urllib3's own text names its objects."""
    while isinstance(cause := exc.__cause__, Exception):
        exc = cause
    return f"{type(exc).__name__}: {exc}"[:200] if str(exc) else type(exc).__name__
