"""What the platform counts: declared here once, told to Prometheus and, where one is set, to a statsd server.

`Count` and `Duration` are the two kinds. Their labels have few values each: routes, kinds and outcomes that this
program knows, never a name or an id that a user chose. Under `modelyard serve` the values stand in files that the
server's and the worker's processes share: `/metrics` of any of them shows the sum, and what one counted outlives it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from modelyard.config.settings import TelemetrySettings
from modelyard.core.errors import ConfigurationError

if TYPE_CHECKING:
    from statsd import StatsClient

    from modelyard.core.plugin_statistics import CallRecord

BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
UNPRINTABLE = re.compile(r"[^A-Za-z0-9_-]+")


class Output:
    """The statsd server of this process, or none."""

    statsd: StatsClient | None = None


class Count:
    """How often something happened: `modelyard_NAME_total` in Prometheus, `PREFIX.NAME.LABELS` in statsd."""

    def __init__(self, name: str, description: str, *labels: str) -> None:
        self._name = name
        self._counter = Counter(f"modelyard_{name}", description, labels)

    def add(self, *values: str, amount: int = 1) -> None:
        """Count, under these values of the labels."""
        self._counter.labels(*values).inc(amount)
        if Output.statsd is not None:
            Output.statsd.incr(_path(self._name, values), amount)


class Duration:
    """How long something took: a histogram `modelyard_NAME_seconds` in Prometheus, a timer (in ms) in statsd."""

    def __init__(self, name: str, description: str, *labels: str) -> None:
        self._name = name
        self._histogram = Histogram(f"modelyard_{name}_seconds", description, labels, buckets=BUCKETS_SECONDS)

    def add(self, seconds: float, *values: str) -> None:
        """Count one of this length."""
        self._histogram.labels(*values).observe(seconds)
        if Output.statsd is not None:
            Output.statsd.timing(_path(self._name, values), seconds * 1000)


REQUESTS = Count("http_requests", "Requests answered.", "method", "endpoint", "status")
REQUEST_SECONDS = Duration("http_request", "Time to the answer's first byte.", "method", "endpoint")
REQUESTS_IN_PROGRESS = Gauge(
    "modelyard_http_requests_in_progress", "Requests being answered now.", multiprocess_mode="livesum"
)
CONNECTIONS_IN_USE = Gauge(
    "modelyard_database_connections_in_use", "Database connections that requests hold.", multiprocess_mode="livesum"
)
LIMITED = Count("http_requests_limited", "Requests refused by a rate limit.", "limit")
PLUGIN_CALLS = Count("plugin_calls", "Calls of plugins, by how they ended.", "plugin", "operation", "outcome")
PLUGIN_SECONDS = Duration("plugin_call", "How long calls of plugins took.", "plugin", "operation")
ATTEMPTS = Count("job_attempts", "Attempts at jobs and deliveries, by how they ended.", "kind", "outcome")
ATTEMPT_SECONDS = Duration("job_attempt", "How long attempts at jobs and deliveries took.", "kind")


def configure(settings: TelemetrySettings) -> None:
    """Tell the statsd server that is set, from now on; raises `ConfigurationError` where that cannot be."""
    if not settings.statsd_host:
        Output.statsd = None
        return
    try:
        from statsd import StatsClient
    except ImportError:
        raise ConfigurationError(
            "telemetry.statsd_host is set, but the library for it is not installed.",
            hint="pip install 'modelyard[statsd]'",
        ) from None
    try:
        Output.statsd = StatsClient(settings.statsd_host, settings.statsd_port, prefix=settings.statsd_prefix)
    except OSError as error:
        raise ConfigurationError(f"telemetry.statsd_host {settings.statsd_host!r} is no host: {error}.") from None


def count_plugin_call(record: CallRecord) -> None:
    """Count a call of a plugin: an observer of the guard."""
    PLUGIN_CALLS.add(record.plugin, record.operation, record.outcome)
    PLUGIN_SECONDS.add(record.duration_seconds, record.plugin, record.operation)


def _path(name: str, values: tuple[str, ...]) -> str:
    return ".".join([name, *(UNPRINTABLE.sub("_", value) or "none" for value in values)])
