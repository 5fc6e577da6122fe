"""Breakers: whoever failed several times in a row is left alone for a while, then asked once.

A breaker is closed (calls pass), open (calls fail at once) or half-open: its pause is over, and one call, the trial,
decides for all. A failed trial opens it again for twice the pause, up to the longest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half_open"
TRIAL_SECONDS = 5.0
"""When to ask again while somebody else's trial runs: nobody knows how long it takes."""


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """After how many failures in a row a breaker opens, and for how long at first and at most."""

    failures: int = 5
    pause_seconds: float = 30.0
    longest_pause_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class BreakerState:
    """How a breaker stands: `state` is closed, open or half_open; `opened_at_ms` is of the first opening."""

    state: str
    failures: int
    reason: str = ""
    opened_at_ms: int | None = None
    trial_in_seconds: float | None = None


class BreakerOpen(Exception):
    """The call is not to be made; `state` says why."""

    def __init__(self, state: BreakerState) -> None:
        super().__init__(state.reason)
        self.state = state


class Breaker:
    """One breaker, for any number of threads. `clock` counts seconds, `now_ms` tells the time of day."""

    def __init__(self, rules: BreakerRules, *, clock: Callable[[], float], now_ms: Callable[[], int]) -> None:
        self._rules = rules
        self._clock = clock
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._failures = 0
        self._reason = ""
        self._opened_at_ms: int | None = None
        self._pause = rules.pause_seconds
        self._trial_at = 0.0
        self._trial_runs = False

    def admit(self) -> bool:
        """Let a call pass, and say whether it is the trial. Raises `BreakerOpen` where it may not.

        Whoever is let pass says afterwards how it went, by `succeeded`, `failed` or `gave_up`.
        """
        with self._lock:
            if self._opened_at_ms is None:
                return False
            state = self._look(self._opened_at_ms)
            if state.state == OPEN or self._trial_runs:
                raise BreakerOpen(state)
            self._trial_runs = True
            return True

    def succeeded(self, *, trial: bool) -> None:
        """The plugin answered. Calls that began before the breaker opened do not close it."""
        with self._lock:
            if trial or self._opened_at_ms is None:
                self._close()

    def failed(self, reason: str, *, trial: bool) -> None:
        """The plugin failed."""
        with self._lock:
            if trial:
                self._pause = min(2 * self._pause, self._rules.longest_pause_seconds)
                self._open(reason)
            elif self._opened_at_ms is None:
                self._failures += 1
                self._reason = reason
                if self._failures >= self._rules.failures:
                    self._opened_at_ms = self._now_ms()
                    self._open(reason)

    def gave_up(self, *, trial: bool) -> None:
        """The call came to no end that says anything of the plugin; a trial is left to the next."""
        with self._lock:
            if trial:
                self._trial_runs = False

    def state(self) -> BreakerState:
        """Say how it stands now."""
        with self._lock:
            if self._opened_at_ms is None:
                return BreakerState(CLOSED, self._failures, self._reason)
            return self._look(self._opened_at_ms)

    def _look(self, opened_at_ms: int) -> BreakerState:
        wait = self._trial_at - self._clock()
        state = OPEN if wait > 0 else HALF_OPEN
        trial_in = wait if wait > 0 else TRIAL_SECONDS
        return BreakerState(state, self._failures, self._reason, opened_at_ms, trial_in)

    def _open(self, reason: str) -> None:
        self._reason = reason
        self._trial_at = self._clock() + self._pause
        self._trial_runs = False

    def _close(self) -> None:
        self._failures = 0
        self._reason = ""
        self._opened_at_ms = None
        self._pause = self._rules.pause_seconds
        self._trial_runs = False


def time_of(moment_ms: int) -> str:
    """Write a time for people and logs: UTC to the second."""
    return datetime.fromtimestamp(moment_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
