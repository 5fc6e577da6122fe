"""What the model server counts about itself, as Prometheus text."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import accumulate

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PREFIX = "modelyard_serving"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts of requests and a histogram of their durations, by route; safe to use from many threads.

    Routes are the patterns of the router, so the number of series does not grow with what callers ask for.
    """

    def __init__(self, model: str, version: str) -> None:
        self._model = f'model="{_escape(model)}",version="{_escape(version)}"'
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS) + 1))
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        bucket = next((index for index, bound in enumerate(BUCKETS) if seconds <= bound), len(BUCKETS))
        with self._lock:
            self._requests[route, status] += 1
            self._buckets[route][bucket] += 1
            self._seconds[route] += seconds

    def render(self, *, ready: bool, running: int, waiting: int) -> str:
        """Everything in Prometheus' text format."""
        with self._lock:
            requests = sorted(self._requests.items())
            durations = [(route, list(counts), self._seconds[route]) for route, counts in sorted(self._buckets.items())]
        gauges = [
            ("model_info", self._model, "The model that this server serves.", 1),
            ("ready", "", "1 once the model is loaded.", int(ready)),
            ("predictions_running", "", "Predictions being computed now.", running),
            ("predictions_waiting", "", "Predictions that wait for a free thread.", waiting),
        ]
        lines: list[str] = []
        for name, labels, text, value in gauges:
            lines += _head(f"{_PREFIX}_{name}", "gauge", text)
            lines.append(f"{_PREFIX}_{name}{{{labels}}} {value}" if labels else f"{_PREFIX}_{name} {value}")
        lines += _head(f"{_PREFIX}_requests_total", "counter", "Answered requests.")
        for (route, status), count in requests:
            lines.append(f'{_PREFIX}_requests_total{{route="{_escape(route)}",status="{status}"}} {count}')
        lines += _head(f"{_PREFIX}_request_duration_seconds", "histogram", "Seconds to answer a request.")
        for route, counts, seconds in durations:
            lines += _histogram(f'route="{_escape(route)}"', counts, seconds)
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _histogram(labels: str, counts: list[int], seconds: float) -> Iterator[str]:
    name = f"{_PREFIX}_request_duration_seconds"
    bounds = [*map(str, BUCKETS), "+Inf"]
    for bound, total in zip(bounds, accumulate(counts), strict=True):
        yield f'{name}_bucket{{{labels},le="{bound}"}} {total}'
    yield f"{name}_sum{{{labels}}} {seconds:.6f}"
    yield f"{name}_count{{{labels}}} {sum(counts)}"


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
