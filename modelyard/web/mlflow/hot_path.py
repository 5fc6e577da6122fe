"""The commonest requests of the wire by a way of their own: Flask's machinery costs them more than they do themselves.

Only what is plain goes here: a known token in a project where it was used a moment ago, a body of ordinary size, and
an endpoint that may be asked twice. Whatever else comes, and whatever is refused or fails on the way, goes on to Flask
with the body that was read: nothing is kept of a verb that failed, and the views answer as if this was not here.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable
from dataclasses import replace
from io import BytesIO
from typing import Any, NamedTuple, cast

import msgspec
import structlog
from flask import Flask

from modelyard.core import db, telemetry
from modelyard.core.bootstrap import Services
from modelyard.core.db import now_ms
from modelyard.core.identity.actor import Actor
from modelyard.core.projects.models import Project
from modelyard.web import limits, metrics, security_headers, slow_clients
from modelyard.web.context import request_id_of
from modelyard.web.mlflow import router
from modelyard.web.mlflow.router import Context, Endpoint
from modelyard.web.proxies import Application, Environ

ENDPOINTS = ("runs/log-metric", "runs/log-batch", "runs/log-parameter", "runs/set-tag", "runs/search")
"""What may come this way: asked twice, each does what it does asked once."""

MOST_BYTES = 1024 * 1024
_PATH = re.compile(r"/mlflow/([^/]+)/([^/]+)/api/2\.0/mlflow/(" + "|".join(ENDPOINTS) + ")")
_BEARER = re.compile(r"Bearer ([\x21-\x7e]+)")
_UNUSUAL = ("QUERY_STRING", "HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_ENCODING", "HTTP_ORIGIN")


class NotKnown(LookupError):
    """Who asks, or for what project, is to be looked up first."""


class Hot(NamedTuple):
    """A request that may come this way."""

    organization: str
    project: str
    endpoint: str
    token: str
    length: int
    address: str
    request_id: str


class HotPath:
    """A WSGI application that answers hot requests itself and passes on all others."""

    def __init__(self, app: Flask, public_url: str, most_bytes: int) -> None:
        self._app, self._behind = app, cast("Application", app.wsgi_app)
        self._most_bytes = min(most_bytes, MOST_BYTES)
        self._headers = [*security_headers.of(public_url), ("Content-Type", "application/json")]

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer, or let Flask answer."""
        hot = recognize(environ, self._most_bytes)
        if hot is None:
            return self._behind(environ, start_response)
        began = time.perf_counter()
        telemetry.REQUESTS_IN_PROGRESS.inc()
        try:
            answer = self._answer(hot, environ)
        except Exception:  # noqa: BLE001 - what went wrong is for Flask's views to say
            answer = None
        finally:
            telemetry.REQUESTS_IN_PROGRESS.dec()
        if answer is None:
            return self._behind(environ, start_response)
        metrics.count("POST", router.operation_of(hot.endpoint), 200, time.perf_counter() - began)
        about = [("Content-Length", str(len(answer))), ("X-Request-ID", hot.request_id)]
        start_response("200 OK", [*self._headers, *about])
        return [answer]

    def _answer(self, hot: Hot, environ: Environ) -> bytes:
        """Return the answer's body; raises where there is any doubt about the request."""
        limits.count_early(self._app, environ, "address", limits.of_address(hot.address))
        body = slow_clients.receive(self._app, environ, hot.address, hot.length)
        environ["wsgi.input"] = BytesIO(body)
        services = cast("Services", self._app.extensions["modelyard"])
        endpoint, _ = router.find("POST", hot.endpoint)
        with db.connection():
            telemetry.CONNECTIONS_IN_USE.inc()
            try:
                context = _context(services, hot)
                limits.count_early(self._app, environ, "tracking", limits.of_token(hot.token))
                return _ask(context, endpoint, body, f"{hot.organization}/{hot.project}")
            finally:
                telemetry.CONNECTIONS_IN_USE.dec()


def _context(services: Services, hot: Hot) -> Context:
    """Return who asks, in which project; raises `NotKnown` where that is to be looked up."""
    view = services.access.view(hashlib.sha256(hot.token.encode()).digest())
    known: Actor | None = view.kept("actor")
    project: Project | None = view.kept((hot.organization, hot.project))
    if known is None or project is None or (known.expires_at_ms is not None and known.expires_at_ms <= now_ms()):
        raise NotKnown
    return Context(replace(known, request_id=hot.request_id, address=hot.address), project, services)


def _ask(context: Context, endpoint: Endpoint, body: bytes, where: str) -> bytes:
    """Let the endpoint answer; what is logged meanwhile names the request as always."""
    actor = context.actor
    with structlog.contextvars.bound_contextvars(request_id=actor.request_id, actor=actor.id, project=where):
        return msgspec.json.encode(endpoint.handler(context, endpoint.decoder.body(body, {})))


def recognize(environ: Environ, most_bytes: int) -> Hot | None:
    """Say what a hot request is about; None for any other."""
    found = _PATH.fullmatch(environ["PATH_INFO"]) if environ["REQUEST_METHOD"] == "POST" else None
    if found is None or any(environ.get(name) for name in _UNUSUAL):
        return None
    shown, length = _BEARER.fullmatch(environ.get("HTTP_AUTHORIZATION", "")), environ.get("CONTENT_LENGTH", "")
    if shown is None or not length.isdecimal() or not 0 < int(length) <= most_bytes:
        return None
    request_id = request_id_of(environ.get("HTTP_X_REQUEST_ID", ""))
    address = environ.get("REMOTE_ADDR", "")
    return Hot(found[1], found[2], found[3], shown[1], int(length), address, request_id)
