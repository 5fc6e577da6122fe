"""The counters behind the rate limits: in the memory of this process, or in Redis for all of them.

They are those of `limits`, the library under Flask-Limiter, asked directly: Flask-Limiter finds out anew for each
request which of its limits hold, which takes 140 µs where the counting takes 7. What `limits` keeps in memory starts a
thread every 10 ms to throw away what ran out; `ProcessCounters` does that in passing.
"""

from __future__ import annotations

import threading
import time
from dataclasses import fields
from typing import Any

import structlog
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from modelyard.config.settings import LimitSettings
from modelyard.core import telemetry
from modelyard.core.errors import ConfigurationError, TooManyRequests

log = structlog.get_logger("modelyard.web")

OFF = "off"
REDIS_SECONDS = 0.5
RETRY_REDIS_SECONDS = 5
SWEEP_SECONDS = 5


class ProcessCounters(Storage):
    """Counters in memory, each gone when its window ends."""

    STORAGE_SCHEME = None
    base_exceptions = ()

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._counters: dict[str, tuple[int, float]] = {}
        self._sweep_at = time.time() + SWEEP_SECONDS

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, in a window of `expiry` seconds that begins with the first time."""
        now = time.time()
        with self._lock:
            if now >= self._sweep_at:
                self._sweep_at = now + SWEEP_SECONDS
                self._counters = {name: kept for name, kept in self._counters.items() if kept[1] > now}
            count, ends = self._counters.get(key, (0, 0.0))
            count, ends = (count + amount, ends) if ends > now else (amount, now + expiry)
            self._counters[key] = (count, ends)
        return count

    def get(self, key: str) -> int:
        """Return the count of the window that is open."""
        count, ends = self._counters.get(key, (0, 0.0))
        return count if ends > time.time() else 0

    def get_expiry(self, key: str) -> float:
        """Return when the window ends."""
        return self._counters.get(key, (0, time.time()))[1]

    def check(self) -> bool:
        """Memory is always there."""
        return True

    def reset(self) -> int:
        """Forget every count."""
        forgotten, self._counters = len(self._counters), {}
        return forgotten

    def clear(self, key: str) -> None:
        """Forget one count."""
        self._counters.pop(key, None)


class RateLimits:
    """The limits that are set, and their counters."""

    def __init__(self, settings: LimitSettings) -> None:
        self._rates: dict[str, RateLimitItem] = {
            declared.name: parse(getattr(settings, declared.name))
            for declared in fields(settings)
            if declared.metadata["pattern"] and getattr(settings, declared.name) != OFF
        }
        self._own = FixedWindowRateLimiter(ProcessCounters())
        self._shared = FixedWindowRateLimiter(_redis(settings.storage_url)) if settings.storage_url else None
        self._shared_from = 0.0

    def count(self, name: str, who: str, *, tell: bool = False) -> dict[str, str]:
        """Count one request against a limit; with `tell`, return headers that say how much is left.

        Raises `TooManyRequests` with the seconds after which the next one is taken.
        """
        rate = self._rates.get(name)
        if rate is None:
            return {}
        if self._shared is not None and time.monotonic() >= self._shared_from:
            try:
                return _count(self._shared, rate, name, who, tell=tell)
            except StorageError as error:
                self._shared_from = time.monotonic() + RETRY_REDIS_SECONDS
                log.warning("rate limits: Redis does not answer; this process counts by itself", error=str(error))
        return _count(self._own, rate, name, who, tell=tell)

    def shared_answers(self) -> bool | None:
        """Say whether Redis answers; None where none is set."""
        if self._shared is None:
            return None
        try:
            return bool(self._shared.storage.check())
        except StorageError:
            return False


def _count(window: FixedWindowRateLimiter, rate: RateLimitItem, name: str, who: str, *, tell: bool) -> dict[str, str]:
    taken = window.hit(rate, name, who)
    if taken and not tell:
        return {}
    stats = window.get_window_stats(rate, name, who)
    seconds = max(1, int(stats.reset_time - time.time()) + 1)
    if not taken:
        telemetry.LIMITED.add(name)
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


def _redis(url: str) -> Storage:
    """Make the way to Redis; raises `ConfigurationError` without its library. Nothing is sent yet."""
    try:
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        raise ConfigurationError(
            "limits.storage_url names Redis, but its library is not installed.", hint="pip install 'modelyard[redis]'"
        ) from None
    options: Any = {
        "key_prefix": "modelyard:limits",
        "wrap_exceptions": True,
        "socket_timeout": REDIS_SECONDS,
        "socket_connect_timeout": REDIS_SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }
    return storage_from_string(url, **options)  # type: ignore[return-value]  # the asynchronous ones have their own schemes
