"""The Flask application: what every request meets before and after its view."""

from __future__ import annotations

import re
import time

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import RequestEntityTooLarge

from modelyard.config.settings import Settings
from modelyard.core import db, telemetry
from modelyard.core.bootstrap import Services
from modelyard.core.errors import TooLarge, Unavailable
from modelyard.web import (
    api,
    auth,
    cors,
    edits,
    errors,
    health,
    limits,
    metrics,
    mlflow,
    oidc,
    prediction,
    security_headers,
    slow_clients,
    tracing,
    ui,
)
from modelyard.web.api_document import ModelyardApi
from modelyard.web.context import release_connection, request_id_of, services
from modelyard.web.mlflow.hot_path import HotPath
from modelyard.web.proxies import TrustedProxies

log = structlog.get_logger("modelyard.access")

STREAMING = re.compile(r"^/serve/|api/2\.0/(?:mlflow-artifacts/artifacts/|mlflow/upload-artifact\Z)")


def create_app(platform: Services) -> Flask:
    """Build the application around the platform's services: the API, the MLflow wire, predictions and pages."""
    return give_services(build_app(platform.settings), platform)


def build_app(settings: Settings) -> Flask:
    """Build what needs no more than settings; processes that are forked afterwards share it in memory.

    It holds no connection and no thread. `give_services` makes it able to answer.
    """
    app = Flask("modelyard", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=settings.server.max_body_bytes, JSON_SORT_KEYS=False)
    app.url_map.strict_slashes = False
    if not (settings.log.access or settings.telemetry.otlp_endpoint or settings.server.cors_origins):
        app.wsgi_app = HotPath(app, settings.public_url, settings.server.max_body_bytes)  # type: ignore[method-assign]
    app.wsgi_app = TrustedProxies(app.wsgi_app, settings.server.trusted_proxies)  # type: ignore[method-assign]
    app.before_request(_begin)
    security_headers.register(app, settings.public_url)
    cors.register(app, settings.server.cors_origins)
    limits.register(app, settings.limits)
    slow_clients.register(app, settings.server.threads)
    app.before_request(_receive)
    auth.register(app)
    app.before_request(limits.check_caller)
    errors.register(app)
    api.register(ModelyardApi(app))
    edits.register(app)
    for part in (health, metrics, mlflow, prediction, ui):
        part.register(app)
    oidc.register(app, settings)
    app.after_request(_finish)
    app.teardown_request(_give_back_connection)
    app.url_map.update()
    return app


def give_services(app: Flask, platform: Services) -> Flask:
    """Let the application answer by these services; returns it."""
    app.extensions["modelyard"] = platform
    tracing.register(app, platform.guard, platform.settings.telemetry.otlp_endpoint)
    return app


def _begin() -> None:
    """Give the request an id: the caller's, if it is a plain one."""
    g.request_id = request_id_of(request.headers.get("X-Request-ID", ""))
    structlog.contextvars.bind_contextvars(request_id=g.request_id)
    metrics.begin()


def _receive() -> None:
    """Take in the body and then, where it may be needed, a database connection."""
    _receive_body()
    if request.endpoint not in auth.OPEN_ENDPOINTS:
        _take_connection()


def _receive_body() -> None:
    """Read the body before a database connection is taken, so that slow senders hold none; streams are read later."""
    limits = services().settings.server
    if STREAMING.search(request.path):
        request.max_content_length = limits.max_artifact_bytes
        return
    try:
        data = request.get_data(cache=True)
    except RequestEntityTooLarge:
        raise _too_large(limits.max_body_bytes) from None
    if request.content_length is None and len(data) >= limits.max_body_bytes:
        raise _too_large(limits.max_body_bytes)  # werkzeug cuts a body of unknown length at the limit without a word


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"The request body has more than {limit} bytes, the limit of server.max_body_bytes.",
        hint="Split it across several requests.",
    )


def _take_connection() -> None:
    held = db.connection()
    try:
        held.__enter__()
    except Unavailable:
        if request.endpoint not in {"health.ready", "metrics"}:  # which are there to say so
            raise
    else:
        g.connection = held
        telemetry.CONNECTIONS_IN_USE.inc()


def _finish(response: Response) -> Response:
    response = slow_clients.watch(edits.finish(response))
    response.headers["X-Request-ID"] = g.get("request_id", "")
    limits.tell(response)
    metrics.finish(response)
    if services().settings.log.access:
        _log_access(response)
    return response


def _log_access(response: Response) -> None:
    """Write the line of the access log. It names the route and no address: some have secrets in their paths."""
    log.info(
        "request",
        method=request.method,
        route=metrics.operation() if "operation" in g else str(request.url_rule or ""),
        status=response.status_code,
        seconds=round(time.perf_counter() - g.began, 6) if "began" in g else None,
        address=request.remote_addr,
    )


def _give_back_connection(error: BaseException | None) -> None:
    release_connection()
    structlog.contextvars.unbind_contextvars("request_id", "actor", "project")
