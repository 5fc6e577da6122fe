"""What the guard counts: calls by plugin, operation and outcome, how long they took, and the last failures."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

BUCKETS_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the histogram; what took longer is in one more bucket."""

LAST_FAILURES = 20

log = structlog.get_logger("modelyard.plugins")
OK, ANSWER = "ok", "answer"


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call that ended. `outcome` is ok, answer (`NotFound` and the like) or the code of the `PluginError`.

    Holds no arguments and no values: observers may log it as it is.
    """

    plugin: str
    operation: str
    connection: str | None
    outcome: str
    duration_seconds: float
    error: str = ""

    @property
    def is_failure(self) -> bool:
        """Whether the plugin failed."""
        return self.outcome not in (OK, ANSWER)


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure of a plugin, for the people who run it."""

    at_ms: int
    operation: str
    connection: str | None
    code: str
    error: str


@dataclass(slots=True)
class Histogram:
    """Durations of one operation: how many fell below each bound (not summed up), and their sum."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_SECONDS) + 1))
    sum_seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BUCKETS_SECONDS, seconds)] += 1
        self.sum_seconds += seconds

    def copy(self) -> Histogram:
        """Return one that does not change."""
        return Histogram(list(self.counts), self.sum_seconds)


@dataclass(frozen=True, slots=True)
class GuardStatistics:
    """What a guard has counted since its process began.

    `calls` by (plugin, operation, outcome), `durations` by (plugin, operation), `lost_threads` and `breakers` (those
    that are not closed, by their state) by (plugin, connection).
    """

    calls: Mapping[tuple[str, str, str], int]
    durations: Mapping[tuple[str, str], Histogram]
    lost_threads: Mapping[tuple[str, str | None], int]
    breakers: Mapping[tuple[str, str | None], str]


class CallStatistics:
    """Counts calls; bounded by the number of plugins and their operations."""

    def __init__(self) -> None:
        self.calls: dict[tuple[str, str, str], int] = {}
        self._durations: dict[tuple[str, str], Histogram] = {}
        self._last: dict[str, deque[Failure]] = {}
        self._lock = threading.Lock()

    def add(self, record: CallRecord, at_ms: int) -> None:
        """Count one call."""
        key = (record.plugin, record.operation, record.outcome)
        with self._lock:
            self.calls[key] = self.calls.get(key, 0) + 1
            self._durations.setdefault(key[:2], Histogram()).add(record.duration_seconds)
            if record.is_failure:
                last = self._last.setdefault(record.plugin, deque(maxlen=LAST_FAILURES))
                last.append(Failure(at_ms, record.operation, record.connection, record.outcome, record.error))

    def failures(self) -> dict[tuple[str, str], int]:
        """How often each operation of each plugin failed."""
        found: dict[tuple[str, str], int] = {}
        with self._lock:
            for (plugin, operation, outcome), count in self.calls.items():
                if outcome not in (OK, ANSWER):
                    found[plugin, operation] = found.get((plugin, operation), 0) + count
        return found

    def last_failures(self, plugin: str) -> list[Failure]:
        """The plugin's last failures, newest first, at most 20."""
        with self._lock:
            return list(reversed(self._last.get(plugin, ())))

    def snapshot(self) -> tuple[dict[tuple[str, str, str], int], dict[tuple[str, str], Histogram]]:
        """Return the counts and durations of this moment."""
        with self._lock:
            return dict(self.calls), {key: histogram.copy() for key, histogram in self._durations.items()}


def trace_call(record: CallRecord) -> None:
    """Log one call: an observer, for `plugins.trace`."""
    log.info(
        "plugin_call",
        plugin=record.plugin,
        operation=record.operation,
        connection=record.connection,
        outcome=record.outcome,
        duration_seconds=round(record.duration_seconds, 6),
    )
