"""Whether the server lives, and whether each part that it stands on answers."""

from __future__ import annotations

import ipaddress
from typing import Any

from flask import Blueprint, Flask, current_app, jsonify, request
from peewee import PeeweeException

from modelyard.core import db
from modelyard.core.errors import ModelyardError
from modelyard.core.jobs import WorkerRow
from modelyard.core.migrations import pending
from modelyard.web.context import actor, services

SCHEMA_IS_CURRENT = "modelyard.schema_is_current"

blueprint = Blueprint("health", __name__, url_prefix="/health")


def register(app: Flask) -> None:
    """Answer `/health/live` and `/health/ready`."""
    app.register_blueprint(blueprint)


@blueprint.get("/live")
def live() -> Any:
    """Say that the process answers; touches nothing else."""
    return jsonify(status="live")


@blueprint.get("/ready")
def ready() -> Any:
    """Say whether requests can be answered: 503 without a database; a missing worker or plugin is `degraded`.

    The parts are named only to loopback and to a signed-in instance administrator.
    """
    parts = {"database": _database(), "worker": _worker(), "plugins": _plugins()}
    broken = parts["database"] != "ok"
    status = "unavailable" if broken else "ready" if all(part == "ok" for part in parts.values()) else "degraded"
    body: dict[str, Any] = {"status": status}
    if is_local() or actor().is_instance_admin:
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


def _database() -> str:
    try:
        with db.connection():
            db.database.execute_sql("SELECT 1").fetchone()
            missing = [] if current_app.extensions.get(SCHEMA_IS_CURRENT) else pending()
    except (PeeweeException, ModelyardError):
        return "does not answer"
    current_app.extensions[SCHEMA_IS_CURRENT] = not missing
    return f"lacks the steps {', '.join(missing)}" if missing else "ok"


def _worker() -> str:
    patience_ms = 2 * services().settings.worker.lease_seconds * 1000
    try:
        with db.connection():
            newest = WorkerRow.select().order_by(WorkerRow.seen_at_ms.desc()).first()
    except (PeeweeException, ModelyardError):
        return "unknown"
    if newest is None:
        return "none has reported"
    return "ok" if newest.seen_at_ms > db.now_ms() - patience_ms else "silent"


def _plugins() -> str:
    failed = [status.name for status in services().plugins.plugins() if status.state == "failed"]
    held = [status.name for status in services().plugins.plugins() if services().guard.holds.of(status.name)]
    said = [f"{word}: {', '.join(names)}" for word, names in (("failed", failed), ("not called", held)) if names]
    return "; ".join(said) or "ok"
