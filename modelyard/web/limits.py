"""Rate limits: how many requests an address and a caller may send in a second, a minute, an hour or a day.

The counters are those of `limits`, the library under Flask-Limiter, asked directly: Flask-Limiter finds out anew for
each request which of its limits hold, which takes 140 µs where the counting takes 7. They stand in the memory of each
process, or in Redis for all of them; while Redis does not answer each process counts by itself. No key holds a secret:
a caller is the public id of its token or user, and an IPv6 address counts as its /64 network.
"""

from __future__ import annotations

import ipaddress
import time
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import structlog
from flask import Flask, Response, current_app, g, request

from modelyard.config.settings import LimitSettings
from modelyard.core.errors import ConfigurationError, TooManyRequests
from modelyard.core.identity.credentials import read_token
from modelyard.web.auth import OPEN_ENDPOINTS, SAFE_METHODS, shown_token
from modelyard.web.context import actor

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.storage import Storage

log = structlog.get_logger("modelyard.web")

OFF = "off"
EXTENSION = "modelyard.limits"
UNLIMITED = OPEN_ENDPOINTS | {"health.ready", "metrics"}
REDIS_SECONDS = 0.5
RETRY_REDIS_SECONDS = 5
KIND_OF_BLUEPRINT = {"mlflow": "tracking", "prediction": "predictions"}
SIGN_IN_ENDPOINTS = frozenset({"session.SessionView"})
"""Where a password or another proof is tried: counted by address, whatever session comes along."""


class RateLimits:
    """The counters of one process, or its way to those of all."""

    def __init__(self, settings: LimitSettings) -> None:
        from limits import parse
        from limits.storage import MemoryStorage

        self._rates: dict[str, RateLimitItem] = {
            declared.name: parse(getattr(settings, declared.name))
            for declared in fields(settings)
            if declared.metadata["pattern"] and getattr(settings, declared.name) != OFF
        }
        self._own: Storage = MemoryStorage()
        self._shared = _redis(settings.storage_url) if settings.storage_url else None
        self._shared_from = 0.0

    def count(self, name: str, who: str, *, tell: bool = False) -> dict[str, str]:
        """Count one request against a limit; with `tell`, return headers that say how much is left.

        Raises `TooManyRequests` with the seconds after which the next one is taken.
        """
        rate = self._rates.get(name)
        if rate is None:
            return {}
        shared = self._shared
        if shared is not None and time.monotonic() >= self._shared_from:
            from limits.errors import StorageError

            try:
                return _count(shared, rate, name, who, tell=tell)
            except StorageError as error:
                self._shared_from = time.monotonic() + RETRY_REDIS_SECONDS
                log.warning("rate limits: Redis does not answer; this process counts by itself", error=str(error))
        return _count(self._own, rate, name, who, tell=tell)


def register(app: Flask, settings: LimitSettings) -> None:
    """Refuse an address that sends too much, before anything else is done for it; `check_caller` is for later."""
    if not settings.enabled:
        return
    app.extensions[EXTENSION] = RateLimits(settings)
    app.before_request(_check_address)


def check_caller() -> None:
    """Refuse a caller who sends too much of one kind of requests; call it when it is known who asks."""
    limits: RateLimits | None = current_app.extensions.get(EXTENSION)
    if limits is None or request.endpoint in UNLIMITED:
        return
    kind = _kind()
    who = _caller() if kind != "sign_in" and actor().is_signed_in else f"address:{_network(request.remote_addr)}"
    g.rate_limit = limits.count(kind, who, tell=kind != "tracking")


def tell(response: Response) -> None:
    """Add to the answer how much the caller may still send."""
    response.headers.extend(g.get("rate_limit") or {})


def _check_address() -> None:
    if request.endpoint not in UNLIMITED:
        current_app.extensions[EXTENSION].count("address", _network(request.remote_addr))


def _kind() -> str:
    if request.blueprint in KIND_OF_BLUEPRINT:
        return KIND_OF_BLUEPRINT[request.blueprint]
    if request.method in SAFE_METHODS:
        return "reads"
    return "sign_in" if request.endpoint in SIGN_IN_ENDPOINTS or not actor().is_signed_in else "writes"


def _caller() -> str:
    parts = read_token(shown_token() or "") if actor().kind == "token" else None
    return f"token:{parts[0]}" if parts else f"user:{actor().id}"


def _network(address: str | None) -> str:
    """Return what counts as one address: for IPv6 the /64 that a single customer has."""
    if address is None or ":" not in address:
        return address or "unknown"
    try:
        return str(ipaddress.ip_network(f"{address.partition('%')[0]}/64", strict=False))
    except ValueError:
        return address


def _count(storage: Storage, rate: RateLimitItem, name: str, who: str, *, tell: bool) -> dict[str, str]:
    from limits.strategies import FixedWindowRateLimiter

    window = FixedWindowRateLimiter(storage)
    taken = window.hit(rate, name, who)
    if taken and not tell:
        return {}
    stats = window.get_window_stats(rate, name, who)
    seconds = max(1, int(stats.reset_time - time.time()) + 1)
    if not taken:
        raise TooManyRequests(
            f"More than {rate.amount} requests came within one {rate.GRANULARITY.name} (the limit limits.{name}).",
            hint=f"Wait {seconds} s.",
            retry_after_seconds=seconds,
        )
    return {
        "RateLimit-Limit": str(rate.amount),
        "RateLimit-Remaining": str(stats.remaining),
        "RateLimit-Reset": str(seconds),
    }


def _redis(url: str) -> Any:
    """Make the way to Redis; raises `ConfigurationError` without its library. Nothing is sent yet."""
    try:
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        raise ConfigurationError(
            "limits.storage_url names Redis, but its library is not installed.", hint="pip install 'modelyard[redis]'"
        ) from None
    from limits.storage import storage_from_string

    options: Any = {
        "key_prefix": "modelyard:limits",
        "wrap_exceptions": True,
        "socket_timeout": REDIS_SECONDS,
        "socket_connect_timeout": REDIS_SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }
    return storage_from_string(url, **options)
