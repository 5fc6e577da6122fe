"""The Flask application: what every request meets before and after its view."""

from __future__ import annotations

import re
from typing import Any

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import RequestEntityTooLarge

from modelyard.core import db
from modelyard.core.bootstrap import Services
from modelyard.core.db import new_id
from modelyard.core.errors import TooLarge, Unavailable
from modelyard.web import api, auth, edits, errors, health, metrics, mlflow, oidc, prediction, ui
from modelyard.web.api_document import ModelyardApi
from modelyard.web.context import services

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
STREAMING = re.compile(r"^/serve/|api/2\.0/mlflow-artifacts/artifacts/")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "object-src 'none'; base-uri 'self'; frame-ancestors 'none'; form-action 'self'"
    ),
}


def create_app(platform: Services) -> Flask:
    """Build the application around the platform's services: the API, the MLflow wire, predictions and pages."""
    app = Flask("modelyard", static_folder=None)
    app.extensions["modelyard"] = platform
    app.config.update(MAX_CONTENT_LENGTH=platform.settings.server.max_body_bytes, JSON_SORT_KEYS=False)
    app.url_map.strict_slashes = False
    app.before_request(_begin)
    auth.register(app)
    errors.register(app)
    api.register(ModelyardApi(app))
    edits.register(app)
    for part in (health, metrics, mlflow, prediction, ui):
        part.register(app)
    oidc.register(app, platform)
    app.after_request(_finish)
    app.teardown_request(_give_back_connection)
    return app


def _begin() -> None:
    """Give the request an id (the caller's, if it is a plain one) and, where it may need one, a database connection."""
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else new_id()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)
    metrics.begin()
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
        request.get_data(cache=True)
    except RequestEntityTooLarge:
        raise TooLarge(
            f"The request body has more than {limits.max_body_bytes} bytes, the limit of server.max_body_bytes.",
            hint="Split it across several requests.",
        ) from None


def _take_connection() -> None:
    held = db.connection()
    try:
        held.__enter__()
    except Unavailable:
        if request.endpoint != "health.ready":  # which is there to say so
            raise
    else:
        g.connection = held


def _finish(response: Response) -> Response:
    response = edits.finish(response)
    response.headers["X-Request-ID"] = g.get("request_id", "")
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    metrics.finish(response)
    return response


def _give_back_connection(error: BaseException | None) -> None:
    held: Any = g.pop("connection", None)
    if held is not None:
        held.__exit__(None, None, None)
    structlog.contextvars.unbind_contextvars("request_id")
