"""Holds: plugins that are not called at all for now, because somebody blocked them or they are in quarantine.

These live in memory; `modelyard.core.plugins.blocks` keeps them in the database, for all processes. A plugin goes into
quarantine when it breaks its contract, or hangs where all of its moments wait, several times within a while.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from modelyard.core.plugin_breaker import time_of

QUARANTINE_STRIKES = 5
QUARANTINE_WINDOW_MS = 10 * 60 * 1000
QUARANTINE_MS = 10 * 60 * 1000
RECHECK_SECONDS = 600.0
"""When to ask again where nobody knows the end of a hold; lifting it wakes what waits."""
QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a plugin is not called, since when and until when (None: until somebody releases it).

    `by` is who blocked it, or ``quarantine``.
    """

    plugin: str
    reason: str
    by: str
    since_ms: int
    until_ms: int | None = None

    @property
    def is_quarantine(self) -> bool:
        """Whether it ends by itself."""
        return self.until_ms is not None

    def __str__(self) -> str:
        if self.until_ms is None:
            return f"{self.by} blocked it at {time_of(self.since_ms)}: {self.reason}"
        return f"it is in quarantine from {time_of(self.since_ms)} to {time_of(self.until_ms)}: {self.reason}"


class Holds:
    """The holds that are in force, in this process."""

    def __init__(self, *, now_ms: Callable[[], int]) -> None:
        self.exempt: frozenset[str] = frozenset()
        """Plugins that are never put into quarantine: the settings select them, and nothing can stand in for them."""
        self._now_ms = now_ms
        self._held: dict[str, Hold] = {}
        self._strikes: dict[str, deque[int]] = {}
        self._lock = threading.Lock()

    def of(self, plugin: str) -> Hold | None:
        """Return the hold on a plugin, None where it may be called."""
        hold = self._held.get(plugin)
        if hold is None or (hold.until_ms is not None and hold.until_ms <= self._now_ms()):
            return None
        return hold

    def strike(self, plugin: str, reason: str, *, strikes: int = 1) -> None:
        """Note that a plugin broke the rules; the fifth time within ten minutes puts it into quarantine for ten."""
        if plugin in self.exempt:
            return
        now = self._now_ms()
        with self._lock:
            seen = self._strikes.setdefault(plugin, deque(maxlen=QUARANTINE_STRIKES))
            seen.extend([now] * strikes)
            if len(seen) < QUARANTINE_STRIKES or seen[0] < now - QUARANTINE_WINDOW_MS:
                return
            seen.clear()
        self.quarantine(Hold(plugin, reason, QUARANTINE, now, now + QUARANTINE_MS))

    def quarantine(self, hold: Hold) -> None:
        """Put a quarantine into force; a block that is there stays."""
        with self._lock:
            present = self._held.get(hold.plugin)
            if present is None or present.is_quarantine:
                self._held[hold.plugin] = hold

    def hold(self, hold: Hold) -> None:
        """Put a block into force, in place of a quarantine."""
        with self._lock:
            self._held[hold.plugin] = hold

    def release(self, plugin: str) -> None:
        """End the hold, and forget what led to it; silent where there is none."""
        with self._lock:
            self._held.pop(plugin, None)
            self._strikes.pop(plugin, None)
