"""How errors read to MLflow's client: its error codes, and the status that goes with each.

A status that the client would try again for minutes (429, 500, 502, 503, 504) means just that here: it is never the
answer to something that is not supported.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec
import structlog
from flask import Blueprint, Response, request
from peewee import PeeweeException
from werkzeug.exceptions import HTTPException

from modelyard.core import errors

log = structlog.get_logger("modelyard.web")

ERRORS: dict[type[errors.ModelyardError], tuple[HTTPStatus, str]] = {
    errors.ModelyardError: (HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
    errors.InvalidInput: (HTTPStatus.BAD_REQUEST, "INVALID_PARAMETER_VALUE"),
    errors.NotFound: (HTTPStatus.NOT_FOUND, "RESOURCE_DOES_NOT_EXIST"),
    errors.Conflict: (HTTPStatus.BAD_REQUEST, "INVALID_PARAMETER_VALUE"),
    errors.AlreadyExists: (HTTPStatus.BAD_REQUEST, "RESOURCE_ALREADY_EXISTS"),
    errors.InvalidTransition: (HTTPStatus.BAD_REQUEST, "INVALID_STATE"),
    errors.QuotaExceeded: (HTTPStatus.BAD_REQUEST, "RESOURCE_EXHAUSTED"),
    errors.LeaseLost: (HTTPStatus.CONFLICT, "ABORTED"),
    errors.PreconditionFailed: (HTTPStatus.CONFLICT, "ABORTED"),
    errors.TooLarge: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "INVALID_PARAMETER_VALUE"),
    errors.TooManyRequests: (HTTPStatus.TOO_MANY_REQUESTS, "REQUEST_LIMIT_EXCEEDED"),
    errors.AuthenticationRequired: (HTTPStatus.UNAUTHORIZED, "UNAUTHENTICATED"),
    errors.PermissionDenied: (HTTPStatus.FORBIDDEN, "PERMISSION_DENIED"),
    errors.ConfigurationError: (HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
    errors.Unavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "TEMPORARILY_UNAVAILABLE"),
    errors.PluginError: (HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
    errors.PluginLoadError: (HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
    errors.PluginNotFound: (HTTPStatus.BAD_REQUEST, "INVALID_STATE"),
    errors.PluginTimeout: (HTTPStatus.GATEWAY_TIMEOUT, "DEADLINE_EXCEEDED"),
    errors.PluginUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "TEMPORARILY_UNAVAILABLE"),
    errors.PluginSuspended: (HTTPStatus.SERVICE_UNAVAILABLE, "TEMPORARILY_UNAVAILABLE"),
    errors.PluginRefused: (HTTPStatus.BAD_REQUEST, "INVALID_STATE"),
    errors.PluginContractError: (HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
}
CODE_OF_STATUS = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "ENDPOINT_NOT_FOUND",
    405: "ENDPOINT_NOT_FOUND",
    413: "INVALID_PARAMETER_VALUE",
    429: "REQUEST_LIMIT_EXCEEDED",
}


PLUGIN_RETRY_SECONDS = 3
"""How long the client waits before each of its seven tries; by its own count all of them take four minutes."""


class EndpointNotFound(Exception):
    """No such endpoint here; the message says what is."""


class NotImplementedHere(Exception):
    """An endpoint of MLflow's that clients ask for and can do without."""


def failure(status: int, code: str, message: str) -> Response:
    """Make an error answer."""
    body = msgspec.json.encode({"error_code": code, "message": message})
    response = Response(body, status=status, content_type="application/json")
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def register(blueprint: Blueprint) -> None:
    """Answer every error of the blueprint's addresses in MLflow's shape."""
    blueprint.register_error_handler(errors.ModelyardError, _of_ours)
    blueprint.register_error_handler(EndpointNotFound, lambda error: failure(404, "ENDPOINT_NOT_FOUND", str(error)))
    blueprint.register_error_handler(NotImplementedHere, lambda error: failure(501, "NOT_IMPLEMENTED", str(error)))
    blueprint.register_error_handler(HTTPException, _of_http)
    blueprint.register_error_handler(PeeweeException, _of_database)
    blueprint.register_error_handler(Exception, _of_surprise)


def _of_ours(error: errors.ModelyardError) -> Response:
    status, code = next(ERRORS[cls] for cls in type(error).__mro__ if cls in ERRORS)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request failed", error=str(error), path=request.path, exc_info=error)
    response = failure(status, code, str(error))
    if isinstance(error, errors.TooManyRequests):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    elif isinstance(error, errors.PluginUnavailable):
        response.headers["Retry-After"] = str(PLUGIN_RETRY_SECONDS)
    return response


def _of_http(error: HTTPException) -> Response:
    status = error.code or 500
    status = 404 if status == HTTPStatus.METHOD_NOT_ALLOWED else status
    code = CODE_OF_STATUS.get(status, "BAD_REQUEST" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "INTERNAL_ERROR")
    return failure(status, code, error.description or HTTPStatus(status).phrase)


def _of_database(error: PeeweeException) -> Response:
    log.error("the database failed", error=str(error), path=request.path, exc_info=error)
    return failure(503, "TEMPORARILY_UNAVAILABLE", "The database does not answer. Try again in a moment.")


def _of_surprise(error: Exception) -> Response:
    log.error("request failed", error=str(error), path=request.path, exc_info=error)
    return failure(500, "INTERNAL_ERROR", "The server could not do this; its log has the reason.")
