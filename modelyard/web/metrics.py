"""Prometheus metrics of the server, summed over its processes."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from flask import Flask, Response, g, request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from modelyard.core.errors import NotFound
from modelyard.core.identity.policy import administers
from modelyard.web.context import actor, services
from modelyard.web.health import is_local

REQUESTS = Counter("modelyard_http_requests", "Requests answered.", ("method", "endpoint", "status"))
SECONDS = Histogram("modelyard_http_request_seconds", "Time to the answer's first byte.", ("method", "endpoint"))
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def register(app: Flask) -> None:
    """Answer `/metrics`, to loopback and to instance administrators."""
    app.add_url_rule("/metrics", "metrics", show)


def begin() -> None:
    """Note when the request came."""
    g.began = time.perf_counter()


def finish(response: Response) -> None:
    """Count the answer. Labels are bounded: routes and methods that we know, status codes."""
    method = request.method if request.method in METHODS else "OTHER"
    endpoint = request.endpoint or "none"
    REQUESTS.labels(method, endpoint, response.status_code).inc()
    if "began" in g:
        SECONDS.labels(method, endpoint).observe(time.perf_counter() - g.began)


def _quoted(value: str) -> str:
    """Write a label's value as the text format wants it."""
    return json.dumps(value, ensure_ascii=False)


def show() -> Response:
    """Show the metrics of all server processes."""
    if not is_local() and not administers(actor(), "metric.read"):
        raise NotFound("There is nothing here.")
    registry: Any = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    failures = "".join(
        f"modelyard_plugin_failures_total{{plugin={_quoted(plugin)},operation={_quoted(operation)}}} {count}\n"
        for (plugin, operation), count in sorted(services().guard.failures.items())
    )
    head = (
        "# HELP modelyard_plugin_failures_total Failed plugin calls.\n# TYPE modelyard_plugin_failures_total counter\n"
    )
    return Response(generate_latest(registry).decode() + head + failures, content_type=CONTENT_TYPE_LATEST)
