"""The WSGI application: which request is answered by what, and what is written down about it."""

from __future__ import annotations

import contextlib
import hmac
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

from modelyard.serving import metrics
from modelyard.serving.config import Config
from modelyard.serving.gate import Gate
from modelyard.serving.messages import RefusedError, Request, Response, error_response, json_response

_logger = logging.getLogger(__name__)
_NO_ROUTE = "unknown"


class Predictor(Protocol):
    """What the application asks of a loaded model (`service.Service`)."""

    def invocations(self, request: Request) -> Response:
        """Predict in MLflow's protocol."""

    def infer(self, request: Request) -> Response:
        """Predict in the Open Inference Protocol."""

    def metadata(self) -> Response:
        """The model's inputs and outputs."""


class Application:
    """Answers every request, before the model is loaded and after."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.predictor: Predictor | None = None
        self.stopping = False
        self.metrics = metrics.Metrics(config.model_name, config.model_version or "")
        self._gate = Gate(config.threads)
        self._routes = [(pattern, _compiled(pattern), handlers) for pattern, handlers in self._table().items()]

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request, as WSGI asks; the answer is counted and logged."""
        started = time.perf_counter()
        request = Request(environ, self.config.max_body_bytes)
        route, response = self._answer(request)
        self.record(route, request.method, request.path, response.status, time.perf_counter() - started)
        length = ("Content-Length", str(len(response.body)))
        headers = [("Content-Type", response.content_type), length, *response.headers]
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [response.body]

    def record(self, route: str, method: str, path: str, status: int, seconds: float) -> None:
        """Count one answered request and write its line of the access log, which is JSON on stdout.

        Health probes that went well are left out: every few seconds one, they would bury what the model says.
        """
        self.metrics.observe(route, status, seconds)
        if path.startswith("/health/") and status == HTTPStatus.OK:
            return
        line = {"method": method, "path": path, "status": status, "duration_ms": round(seconds * 1000, 3)}
        # Whoever read the log may be gone; that is no reason to stop answering.
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()

    def _answer(self, request: Request) -> tuple[str, Response]:
        route = _NO_ROUTE
        open_inference = request.path == "/v2" or request.path.startswith("/v2/")
        try:
            route, handlers, variables = self._find(request.path)
            self._authorize(request, route)
            if handlers is None:
                raise RefusedError(404, f"there is nothing at {request.path}", code="RESOURCE_DOES_NOT_EXIST")
            handler = handlers.get(request.method)
            if handler is None:
                allowed = ", ".join(handlers)
                message = f"{request.path} takes {allowed}, not {request.method}"
                raise RefusedError(405, message, headers=(("Allow", allowed),))
            return route, handler(replace(request, variables=variables))
        except RefusedError as error:
            if error.__cause__ is not None and error.status == 500:
                _logger.error("%s %s: %s", request.method, request.path, error.message, exc_info=error.__cause__)
            return route, error_response(error, open_inference=open_inference)
        except Exception:
            _logger.exception("%s %s failed", request.method, request.path)
            failure = RefusedError(500, "the model server failed; its log says why", code="INTERNAL_ERROR")
            return route, error_response(failure, open_inference=open_inference)

    def _find(self, path: str) -> tuple[str, dict[str, Callable[[Request], Response]] | None, dict[str, str]]:
        for pattern, expression, handlers in self._routes:
            if match := expression.fullmatch(path):
                return pattern, handlers, match.groupdict()
        return _NO_ROUTE, None, {}

    def _authorize(self, request: Request, route: str) -> None:
        if self.config.token is None or route.startswith("/health/"):
            return
        scheme, _, given = (request.header("Authorization") or "").partition(" ")
        right = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self.config.token.encode())
        if scheme.lower() != "bearer" or not right:
            message = "this model server needs the header 'Authorization: Bearer TOKEN'"
            raise RefusedError(401, message, code="UNAUTHENTICATED", headers=(("WWW-Authenticate", "Bearer"),))

    def _table(self) -> dict[str, dict[str, Callable[[Request], Response]]]:
        model = "/v2/models/{model}"
        versioned = f"{model}/versions/{{version}}"
        return {
            "/health/live": {"GET": self._live},
            "/health/ready": {"GET": self._ready},
            "/ping": {"GET": self._ping},
            "/health": {"GET": self._ping},
            "/version": {"GET": _mlflow_version},
            "/metrics": {"GET": self._metrics},
            "/invocations": {"POST": self._invocations},
            "/v2": {"GET": _server_metadata},
            "/v2/health/live": {"GET": lambda _: json_response({"live": True})},
            "/v2/health/ready": {"GET": self._v2_ready},
            model: {"GET": self._model_metadata},
            f"{model}/ready": {"GET": self._model_ready},
            f"{model}/infer": {"POST": self._infer},
            versioned: {"GET": self._model_metadata},
            f"{versioned}/ready": {"GET": self._model_ready},
            f"{versioned}/infer": {"POST": self._infer},
        }

    def _live(self, _: Request) -> Response:
        return json_response({"nonce": self.config.nonce, "pid": os.getpid()})

    def _status(self) -> str:
        if self.stopping:
            return "stopping"
        return "starting" if self.predictor is None else "ready"

    def _ready(self, _: Request) -> Response:
        status = self._status()
        return json_response({"status": status}, 200 if status == "ready" else 503)

    def _v2_ready(self, _: Request) -> Response:
        ready = self._status() == "ready"
        return json_response({"ready": ready}, 200 if ready else 503)

    def _ping(self, _: Request) -> Response:
        return Response(200 if self._status() == "ready" else 503, b"\n")

    def _metrics(self, _: Request) -> Response:
        ready, gate = self._status() == "ready", self._gate
        text = self.metrics.render(ready=ready, running=gate.running, waiting=gate.waiting)
        return Response(200, text.encode(), content_type=metrics.CONTENT_TYPE)

    def _loaded(self) -> Predictor:
        if self.predictor is None:
            message = "the model is still loading; /health/ready tells when it is ready"
            raise RefusedError(503, message, code="TEMPORARILY_UNAVAILABLE", headers=(("Retry-After", "1"),))
        return self.predictor

    def _invocations(self, request: Request) -> Response:
        predictor = self._loaded()
        with self._gate:
            return predictor.invocations(request)

    def _infer(self, request: Request) -> Response:
        self._require_name(request)
        predictor = self._loaded()
        with self._gate:
            return predictor.infer(request)

    def _model_metadata(self, request: Request) -> Response:
        self._require_name(request)
        return self._loaded().metadata()

    def _model_ready(self, request: Request) -> Response:
        self._require_name(request)
        ready = self._status() == "ready"
        return json_response({"name": self.config.model_name, "ready": ready}, 200 if ready else 503)

    def _require_name(self, request: Request) -> None:
        name, wanted = request.variables["model"], request.variables.get("version")
        if name != self.config.model_name:
            raise RefusedError(404, f"there is no model {name!r} here; this server has {self.config.model_name!r}")
        if wanted is not None and wanted != self.config.model_version:
            raise RefusedError(404, f"there is no version {wanted!r} of {name!r} here")


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern))


def _first_version(*distributions: str) -> str:
    for name in distributions:
        with contextlib.suppress(PackageNotFoundError):
            return version(name)
    return ""


def _mlflow_version(_: Request) -> Response:
    return Response(200, _first_version("mlflow-skinny", "mlflow").encode())


def _server_metadata(_: Request) -> Response:
    content = {"name": "modelyard-serving", "version": _first_version("modelyard"), "extensions": []}
    return json_response(content)
