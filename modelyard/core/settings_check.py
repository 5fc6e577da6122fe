"""What `modelyard config check` finds: settings that would stop a start, and those that are dangerous."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from modelyard.config.settings import Settings
from modelyard.core import db, telemetry
from modelyard.core.errors import ConfigurationError
from modelyard.core.identity import oidc
from modelyard.core.secret_box import SecretBox

METADATA_NETWORK = ip_network("169.254.0.0/16")


def problems(settings: Settings) -> list[ConfigurationError]:
    """Return whatever would stop a start and can be seen without one; nothing is connected to and nothing written."""
    found = []
    for check in CHECKS:
        try:
            check(settings)
        except ConfigurationError as error:
            found.append(error)
    return found


def _check_database(settings: Settings) -> None:
    db.open_database(settings.database_url)


def _check_keys(settings: Settings) -> None:
    if settings.secret.keys:
        SecretBox(settings.secret.keys)


def _check_redis(settings: Settings) -> None:
    url = settings.limits.storage_url
    if url and urlsplit(url).scheme not in {"redis", "rediss"}:
        raise ConfigurationError("limits.storage_url is no address of Redis.", hint="Write redis://HOST:PORT/0.")
    if url and find_spec("redis") is None:
        raise ConfigurationError(
            "limits.storage_url names Redis, but its library is not installed.", hint="pip install 'modelyard[redis]'"
        )


def _check_telemetry(settings: Settings) -> None:
    telemetry.configure(settings.telemetry)


CHECKS: tuple[Callable[[Settings], object], ...] = (
    _check_database,
    _check_keys,
    _check_redis,
    _check_telemetry,
    oidc.check_settings,
)


def dangers(settings: Settings) -> Iterator[str]:
    """Yield what works and is likely not meant, each with what to do."""
    server, public = settings.server, urlsplit(settings.public_url)
    if _is_open(server.host) and public.scheme != "https":
        yield (
            f"server.host = {server.host!r}: passwords and tokens go over the network in the clear. Put a proxy with"
            " TLS in front, and set server.public_url to its https:// address."
        )
    if _is_open(server.host) and not settings.limits.enabled:
        yield "limits.enabled = False on a network: nothing bounds attempts at passwords by address. Set it to true."
    if _covers_everything(server.trusted_proxies):
        yield "server.trusted_proxies trusts everybody: any caller can choose the address in events. Name the proxies."
    for origin in server.cors_origins:
        if origin.startswith("http:") and _is_open(urlsplit(origin).hostname or ""):
            yield f"server.cors_origins has {origin}, which others on the network can pretend to be. Use https."
    if _covers_everything(settings.outgoing.allowed_networks):
        yield "outgoing.allowed_networks allows every address, the host's own services among them. Name networks."
    elif any(ip_network(text).overlaps(METADATA_NETWORK) for text in settings.outgoing.allowed_networks if "." in text):
        yield "outgoing.allowed_networks has 169.254.0.0/16, where clouds hand out credentials. Leave it out."
    if settings.limits.enabled and settings.server_processes > 1 and not settings.limits.storage_url:
        yield (
            f"limits.storage_url is empty: each of {settings.server_processes} server processes counts by itself, and"
            " allows that many times as much. Name a Redis for one count."
        )
    if settings.log.level == "DEBUG":
        yield "log.level = 'DEBUG' logs every call of a plugin. Use INFO in daily work."


def _is_open(host: str) -> bool:
    """Say whether others than this machine can reach the host."""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def _covers_everything(networks: tuple[str, ...]) -> bool:
    return any(ip_network(text).prefixlen == 0 for text in networks)
