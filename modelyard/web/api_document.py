"""Our flask-smorest `Api`: OpenAPI 3.1, errors as problems, and the blueprints of all resources."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from apispec import BasePlugin
from flask import Flask, Response, request
from flask_smorest import Api
from werkzeug.exceptions import BadRequest, HTTPException, UnsupportedMediaType

from modelyard import __version__
from modelyard.core.errors import InvalidInput
from modelyard.web.api_words import complete
from modelyard.web.errors import problem_of_http
from modelyard.web.schemas.base import Moment, ProblemSchema

DESCRIPTION = """Everything that the screen and the command line do. Errors are RFC 9457 problems with a stable `code`;
lists are pages with `next_cursor` and a `Link` header; times are RFC 3339 in UTC. Sign in by `POST /api/v1/session`, or
send an API token as `Authorization: Bearer`."""
DEEPEST_JSON = 100
UNKEEPABLE = re.compile("[\\0\\ud800-\\udfff]")
SECURITY = {
    "token": {"type": "http", "scheme": "bearer"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "modelyard_session"},
}


class Errors(BasePlugin):
    """Names each operation, and says which errors it can answer; those of a server in trouble are its `default`."""

    def operation_helper(self, path: str | None = None, operations: Any = None, **kwargs: Any) -> None:
        """Complete the operations of one path."""
        view = kwargs["rule"].endpoint.rpartition(".")[2].removesuffix("View")
        for method, operation in operations.items():
            operation["operationId"] = f"{method}_{re.sub('(?<=[a-z])(?=[A-Z])', '_', view).lower()}"
            for status in _errors_of(path or "", method, has_body="requestBody" in operation):
                operation["responses"].setdefault(str(status.value), status.name)


def _errors_of(path: str, method: str, *, has_body: bool) -> Iterator[HTTPStatus]:
    """Yield what the caller may be told: by who they are, what they sent, and how the thing stands."""
    yield from (HTTPStatus.UNAUTHORIZED, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.UNPROCESSABLE_ENTITY)
    yield from (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
    if has_body:
        yield from (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    if method == "delete" or not path.endswith("/session"):
        yield HTTPStatus.FORBIDDEN
    if "{" in path or (path.endswith("/tokens") and method == "post"):
        yield HTTPStatus.NOT_FOUND
    may_conflict = "/organizations" in path or "/invitations" in path or "/users" in path
    if method != "get" and (may_conflict or path.endswith(("/setup/{token}", "/account/password"))):
        yield HTTPStatus.CONFLICT
    if path.endswith("/content"):
        yield HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


class ModelyardApi(Api):  # type: ignore[misc]
    """Documents errors as what `modelyard.web.errors` really answers."""

    def __init__(self, app: Flask) -> None:
        app.config.update(
            API_TITLE="Modelyard",
            API_VERSION=__version__,
            OPENAPI_VERSION="3.1.0",
            OPENAPI_URL_PREFIX="/api/v1",
            OPENAPI_JSON_PATH="openapi.json",
        )
        self._served: bytes | None = None
        super().__init__(
            app,
            spec_kwargs={
                "info": {"description": DESCRIPTION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
                "security": [{"token": []}, {"cookie": []}],
                "components": {"securitySchemes": SECURITY},
                "extra_plugins": [Errors()],
            },
        )
        self.register_field(Moment, "string", "date-time")
        app.before_request(_refuse_what_nobody_can_keep)

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer the framework's errors in the one shape."""
        return problem_of_http(error)

    def _openapi_json(self) -> Response:
        """Serve the document, which is made once; whoever has it already is answered 304."""
        if self._served is None:
            self._served = json.dumps(complete(self.spec.to_dict())).encode()
        return Response(self._served, content_type="application/json")

    def _register_responses(self) -> None:
        """Declare each status once as a problem, under the name that the operations refer to."""
        content: dict[str, Any] = {"application/problem+json": {"schema": ProblemSchema}}
        for status in HTTPStatus:
            if status >= HTTPStatus.BAD_REQUEST:
                described = {"description": status.phrase, "content": content}
                self.spec.components.response(status.name, described, lazy=True)
        self.spec.components.response("DEFAULT_ERROR", {"description": "An error.", "content": content}, lazy=True)


def _refuse_what_nobody_can_keep() -> None:
    """Refuse, before anybody reads it, a body that is no JSON, and text in it or the address that no database takes."""
    if not request.path.startswith(("/api/v1/", "/serve/")):
        return
    for name, value in (*(request.view_args or {}).items(), *request.args.items(multi=True)):
        _check_text(str(name), str(name))
        _check_text(str(value), str(name))
    has_body = bool(request.content_length) or "Transfer-Encoding" in request.headers
    if has_body and request.path.startswith("/api/v1/"):
        if not request.is_json:
            raise UnsupportedMediaType(
                f"The body is {request.mimetype or 'of no named type'!r}; send application/json."
            )
        _check_json(_read_json())


def _read_json() -> Any:
    try:
        return json.loads(request.get_data(cache=True))
    except RecursionError:
        raise BadRequest("The JSON of the body is nested too deeply.") from None
    except ValueError as error:
        raise BadRequest(f"The body is not valid JSON: {error}.") from None


def _check_json(body: Any) -> None:
    """Look at every text, however deep, without recursion."""
    waiting: list[tuple[Any, str, int]] = [(body, "", 0)]
    while waiting:
        value, name, depth = waiting.pop()
        if depth > DEEPEST_JSON:
            raise BadRequest(f"The JSON of the body is nested more than {DEEPEST_JSON} deep.")
        if isinstance(value, dict):
            for key, inner in value.items():
                _check_text(key, name or "body")
                waiting.append((inner, f"{name}.{key}" if name else key, depth + 1))
        elif isinstance(value, list):
            waiting += [
                (inner, f"{name}.{index}" if name else str(index), depth + 1) for index, inner in enumerate(value)
            ]
        elif isinstance(value, str):
            _check_text(value, name or "body")
        elif isinstance(value, float) and not math.isfinite(value):
            raise BadRequest("The body is not valid JSON: NaN and Infinity are no numbers of JSON.")


def _check_text(value: str, name: str) -> None:
    bad = UNKEEPABLE.search(value)
    if bad is not None:
        raise InvalidInput(f"{name} holds the character U+{ord(bad[0]):04X}.", hint="Take it out.", field=name)
