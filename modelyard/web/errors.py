"""The only place of the API that knows status codes: every error leaves as RFC 9457 problem+json, in one shape."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, g, request
from peewee import PeeweeException
from werkzeug.exceptions import HTTPException, RequestedRangeNotSatisfiable

from modelyard.core import errors

log = structlog.get_logger("modelyard.web")

STATUS: dict[type[errors.ModelyardError], HTTPStatus] = {
    errors.ModelyardError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.AlreadyExists: HTTPStatus.CONFLICT,
    errors.InvalidTransition: HTTPStatus.CONFLICT,
    errors.QuotaExceeded: HTTPStatus.CONFLICT,
    errors.LeaseLost: HTTPStatus.CONFLICT,
    errors.PreconditionFailed: HTTPStatus.PRECONDITION_FAILED,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    errors.AuthenticationRequired: HTTPStatus.UNAUTHORIZED,
    errors.PermissionDenied: HTTPStatus.FORBIDDEN,
    errors.ConfigurationError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.PluginError: HTTPStatus.BAD_GATEWAY,
    errors.PluginLoadError: HTTPStatus.BAD_GATEWAY,
    errors.PluginNotFound: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.PluginTimeout: HTTPStatus.GATEWAY_TIMEOUT,
    errors.PluginUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.PluginRefused: HTTPStatus.BAD_GATEWAY,
    errors.PluginSuspended: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.PluginContractError: HTTPStatus.BAD_GATEWAY,
}

CODE_OF_STATUS = {
    400: "bad_request",
    401: "authentication_required",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    412: "precondition_failed",
    413: "too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    422: "invalid_input",
    429: "too_many_requests",
    503: "unavailable",
}
SECRET_IN_PATH = re.compile(
    r"(?<=/invitations/)[^/]+|(?<=/password-resets/)[^/]+|(?<=/reset-password/)[^/]+|(?<=/setup/)[^/]+"
)


def problem(
    status: int, detail: str, *, code: str, hint: str | None = None, errors: Any = None, headers: Any = None
) -> Response:
    """Make a problem+json answer; `errors` maps fields to what is wrong with them."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": g.get("request_id", ""),
    }
    if hint:
        body["hint"] = hint
    if errors:
        body["errors"] = errors
    response = Response(json.dumps(body), status=status, content_type="application/problem+json")
    response.headers.extend(headers or {})
    return response


def _shown_path() -> str:
    """Return the request's path as logs may have it: without the secret of a one-time link."""
    return SECRET_IN_PATH.sub("...", request.path)


def status_of(error_class: type[errors.ModelyardError]) -> HTTPStatus:
    """Return the status of a class of errors: its own, or that of the nearest class above it."""
    return next(STATUS[cls] for cls in error_class.__mro__ if cls in STATUS)


def problem_of(error: errors.ModelyardError) -> Response:
    """Make the answer for one of our own errors."""
    status = status_of(type(error))
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    if status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
        headers["Retry-After"] = str(math.ceil(getattr(error, "retry_after_seconds", None) or 1))
    field, several = error.details.get("field"), error.details.get("errors")
    fields = {field: [error.message]} if field else _flatten(several) if several else None
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request failed", error=str(error), path=_shown_path(), exc_info=error)
        return problem(status, "The server could not do this.", code=error.code, headers=headers)
    return problem(status, error.message, code=error.code, hint=error.hint, errors=fields, headers=headers)


def problem_of_http(error: HTTPException) -> Response:
    """Make the answer for an error of the framework: 404, 405, 413, 415, 422 and the like."""
    status = error.code or 500
    data: dict[str, Any] = getattr(error, "data", None) or {}
    code = CODE_OF_STATUS.get(status, "error")
    if messages := data.get("messages"):
        fields = _flatten({key: text for place in messages.values() for key, text in _named(place).items()})
        detail = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in fields.items())
        return problem(status, detail, code=code, errors=fields)
    headers = {}
    if valid := getattr(error, "valid_methods", None):
        headers["Allow"] = ", ".join(sorted(valid))
    if isinstance(error, RequestedRangeNotSatisfiable) and error.length is not None:
        headers["Content-Range"] = f"bytes */{error.length}"
    return problem(status, error.description or HTTPStatus(status).phrase, code=code, headers=headers)


def _named(messages: Any) -> dict[str, Any]:
    """Return what webargs says of one place of the request (the body, the query) by field."""
    return messages if isinstance(messages, dict) else {"body": messages}


def _flatten(messages: Any, prefix: str = "") -> dict[str, list[str]]:
    """Turn nested messages (field, index) into `{field: [texts]}`; a schema's own are those of the body."""
    if isinstance(messages, Mapping):
        found: dict[str, list[str]] = {}
        for key, value in messages.items():
            found |= _flatten(value, prefix if key == "_schema" else f"{prefix}{key}.")
        return found
    texts = messages if isinstance(messages, list) else [messages]
    return {prefix.rstrip(".") or "body": [str(text) for text in texts]}


def register(app: Flask) -> None:
    """Answer every error of the app as a problem."""
    app.register_error_handler(errors.ModelyardError, problem_of)
    app.register_error_handler(HTTPException, problem_of_http)
    app.register_error_handler(PeeweeException, problem_of_database)
    app.register_error_handler(Exception, _problem_of_surprise)


def problem_of_database(error: PeeweeException) -> Response:
    """Make the answer where the database failed; the log has the reason."""
    log.error("the database failed", error=str(error), path=_shown_path(), exc_info=error)
    hint = "Try again in a moment."
    return problem(503, "The database does not answer.", code="unavailable", hint=hint, headers={"Retry-After": "1"})


def _problem_of_surprise(error: Exception) -> Response:
    log.error("request failed", error=str(error), path=_shown_path(), exc_info=error)
    return problem(500, "The server could not do this; the log has the reason under this request id.", code="error")
