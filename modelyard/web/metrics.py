"""Prometheus metrics of this server: what its processes counted, and what the database holds now."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, request
from peewee import PeeweeException, fn
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from modelyard import __version__
from modelyard.core import db, telemetry
from modelyard.core.errors import ModelyardError, NotFound
from modelyard.core.identity.policy import administers
from modelyard.core.jobs import Job, LeasedTable, WorkerRow
from modelyard.core.notifications.models import Delivery
from modelyard.core.processes import is_running
from modelyard.web.context import actor, services
from modelyard.web.health import is_local

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
UNFINISHED = ("queued", "running", "failed")


def register(app: Flask) -> None:
    """Answer `/metrics`, to loopback, to instance administrators and to tokens with the scope `metrics`."""
    app.add_url_rule("/metrics", "metrics", show)
    app.teardown_request(_end)


def begin() -> None:
    """Note when the request came."""
    g.began = time.perf_counter()
    telemetry.REQUESTS_IN_PROGRESS.inc()


def finish(response: Response) -> None:
    """Count the answer. Labels are bounded: routes and methods that we know, status codes."""
    method = request.method if request.method in METHODS else "OTHER"
    count(method, operation(), response.status_code, time.perf_counter() - g.began if "began" in g else None)


def count(method: str, name: str, status: int, seconds: float | None) -> None:
    """Count one answer, and how long it took where that is known."""
    telemetry.REQUESTS.add(method, name, str(status))
    if seconds is not None:
        telemetry.REQUEST_SECONDS.add(seconds, method, name)


def operation() -> str:
    """Return what is asked for, by a name of ours."""
    known: str | None = g.get("operation")
    return known or request.endpoint or "none"


def _end(error: BaseException | None) -> None:
    if g.get("began") is not None:
        telemetry.REQUESTS_IN_PROGRESS.dec()


def show() -> Response:
    """Show the metrics of all processes of this server."""
    if not is_local() and not administers(actor(), "metric.read"):
        raise NotFound("There is nothing here.")
    now = CollectorRegistry()
    now.register(Present())
    return Response(generate_latest(_counted()) + generate_latest(now), content_type=CONTENT_TYPE_LATEST)


def _counted() -> CollectorRegistry:
    folder = os.environ.get(SHARED_FOLDER)
    if not folder:
        return REGISTRY
    for file in Path(folder).glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not is_running(pid):
            mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    return registry


class Present:
    """What is so now, and is in no counter: read when it is asked for."""

    def collect(self) -> Iterator[Any]:
        """Yield the gauges; without a database, that there is none."""
        build = GaugeMetricFamily("modelyard_build_info", "The version that runs.", labels=("version", "python"))
        build.add_metric([__version__, platform.python_version()], 1)
        yield build
        try:
            with db.connection():
                found = [*self._read()]
        except (PeeweeException, ModelyardError):
            found = []
        yield GaugeMetricFamily("modelyard_database_up", "Whether the database answers.", value=1 if found else 0)
        yield from found

    def _read(self) -> Iterator[Any]:
        yield _rows_by_state(Job, "modelyard_jobs", "Jobs that are not done, by their state.")
        yield _rows_by_state(Delivery, "modelyard_deliveries", "Deliveries that are not done, by their state.")
        patience_ms = 2 * services().settings.worker.lease_seconds * 1000
        alive = WorkerRow.select().where(WorkerRow.seen_at_ms > db.now_ms() - patience_ms).count()
        yield GaugeMetricFamily("modelyard_workers", "Workers that were heard of lately.", value=alive)


def _rows_by_state(table: type[LeasedTable], name: str, description: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, description, labels=("state",))
    counted = table.select(table.state, fn.COUNT(table.id)).where(table.state.in_(UNFINISHED)).group_by(table.state)
    found: dict[str, int] = dict(counted.tuples())  # type: ignore[arg-type]
    for state in UNFINISHED:
        family.add_metric([state], found.get(state, 0))
    return family
