"""Whether the server lives, and whether each part that it stands on answers."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, current_app, jsonify, request
from peewee import PeeweeException

from modelyard.core import db
from modelyard.core.errors import ModelyardError
from modelyard.core.identity.policy import administers
from modelyard.core.jobs import WorkerRow
from modelyard.core.migrations import pending
from modelyard.core.plugin_manager import PluginStatus
from modelyard.web import limits
from modelyard.web.context import actor, services

SCHEMA_IS_CURRENT = "modelyard.schema_is_current"
STORAGE_CHECK = "modelyard.storage_check"
STORAGE_CHECK_SECONDS = 5

blueprint = Blueprint("health", __name__, url_prefix="/health")
Part = dict[str, str]


def ok(text: str = "answers") -> Part:
    """Say that a part is as it should be."""
    return {"status": "ok", "text": text}


def failing(text: str) -> Part:
    """Say what is wrong with a part."""
    return {"status": "failing", "text": text}


class Recent:
    """The last answer of a check that costs something; while one thread asks anew, the others take the last one."""

    def __init__(self, check: Callable[[], Part], seconds: float) -> None:
        self._check = check
        self._seconds = seconds
        self._asking = threading.Lock()
        self._last = {"status": "unknown", "text": "being asked"}
        self._asked_at: float | None = None

    def answer(self) -> Part:
        """Return how the part was at most some seconds ago."""
        is_old = self._asked_at is None or time.monotonic() - self._asked_at > self._seconds
        if is_old and self._asking.acquire(blocking=False):
            try:
                self._last = self._check()
                self._asked_at = time.monotonic()
            finally:
                self._asking.release()
        return self._last


def register(app: Flask) -> None:
    """Answer `/health/live` and `/health/ready`."""
    app.register_blueprint(blueprint)
    app.extensions[STORAGE_CHECK] = Recent(_storage, STORAGE_CHECK_SECONDS)


@blueprint.get("/live")
def live() -> Any:
    """Say that the process answers; touches nothing else."""
    return jsonify(status="live")


@blueprint.get("/ready")
def ready() -> Any:
    """Say whether requests can be answered: 503 without a database; `degraded` where another part is not well.

    The parts are named only to loopback and to instance administrators, with a token of the scope `metrics` or by
    browser.
    """
    parts = {
        "database": _database(),
        "storage": current_app.extensions[STORAGE_CHECK].answer(),
        "worker": _worker(),
        "plugins": _plugins(),
    }
    if (redis := limits.shared_answers()) is not None:
        parts["redis"] = ok() if redis else failing("does not answer; each process counts requests by itself")
    broken = parts["database"]["status"] != "ok"
    whole = all(part["status"] == "ok" for part in parts.values())
    body: dict[str, Any] = {"status": "unavailable" if broken else "ready" if whole else "degraded"}
    if is_local() or administers(actor(), "metric.read"):
        body["parts"] = parts
    return jsonify(body), 503 if broken else 200


def is_local() -> bool:
    """Say whether the request comes from this host itself, and not through a proxy on it."""
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def _database() -> Part:
    try:
        with db.connection():
            db.database.execute_sql("SELECT 1").fetchone()
            missing = [] if current_app.extensions.get(SCHEMA_IS_CURRENT) else pending()
    except (PeeweeException, ModelyardError):
        return failing("does not answer")
    current_app.extensions[SCHEMA_IS_CURRENT] = not missing
    return failing(f"lacks the steps {', '.join(missing)}") if missing else ok()


def _storage() -> Part:
    """Ask the storage of projects that have none of their own; the guard has the deadline."""
    try:
        health = services().connections.default_storage().health()
    except ModelyardError as error:
        return failing(error.message)
    return ok(health.message or "answers") if health.ok else failing(health.message or "says that it is not well")


def _worker() -> Part:
    patience_ms = 2 * services().settings.worker.lease_seconds * 1000
    try:
        with db.connection():
            seen = [row.seen_at_ms for row in WorkerRow.select(WorkerRow.seen_at_ms)]
    except (PeeweeException, ModelyardError):
        return {"status": "unknown", "text": "the database does not answer"}
    alive = sum(1 for moment in seen if moment > db.now_ms() - patience_ms)
    if alive:
        return ok(f"{alive} at work")
    return failing("silent" if seen else "none has reported")


def _is_used(status: PluginStatus) -> bool:
    """Leave out what comes with Modelyard and lacks its extra; what the settings select was loaded, or no start was."""
    return status.distribution != "modelyard"


def _plugins() -> Part:
    statuses = services().plugins.plugins()
    failed = [status.name for status in statuses if status.state == "failed" and _is_used(status)]
    held = [status.name for status in statuses if services().guard.holds.of(status.name)]
    said = [f"{word}: {', '.join(names)}" for word, names in (("failed", failed), ("not called", held)) if names]
    return failing("; ".join(said)) if said else ok(f"{len(statuses)} installed")
