"""Our flask-smorest `Api`: OpenAPI 3.1, errors as problems, and the blueprints of all resources."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request
from flask_smorest import Api
from werkzeug.exceptions import HTTPException, UnsupportedMediaType

from modelyard import __version__
from modelyard.web.errors import problem_of_http
from modelyard.web.schemas.base import Moment, ProblemSchema

DESCRIPTION = """Everything that the screen and the command line do. Errors are RFC 9457 problems with a stable `code`;
lists are pages with `next_cursor` and a `Link` header; times are RFC 3339 in UTC. Sign in by `POST /api/v1/session`, or
send an API token as `Authorization: Bearer`."""
SECURITY = {
    "token": {"type": "http", "scheme": "bearer"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "modelyard_session"},
}


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
        super().__init__(
            app,
            spec_kwargs={
                "info": {"description": DESCRIPTION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
                "security": [{"token": []}, {"cookie": []}],
                "components": {"securitySchemes": SECURITY},
            },
        )
        self.register_field(Moment, "string", "date-time")
        app.before_request(_refuse_other_media_types)

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer the framework's errors in the one shape."""
        return problem_of_http(error)

    def _register_responses(self) -> None:
        """Declare each status once as a problem, under the name that the operations refer to."""
        content: dict[str, Any] = {"application/problem+json": {"schema": ProblemSchema}}
        for status in HTTPStatus:
            if status >= HTTPStatus.BAD_REQUEST:
                described = {"description": status.phrase, "content": content}
                self.spec.components.response(status.name, described, lazy=True)
        self.spec.components.response("DEFAULT_ERROR", {"description": "An error.", "content": content}, lazy=True)


def _refuse_other_media_types() -> None:
    """Refuse a body that is not JSON before anybody parses it."""
    has_body = bool(request.content_length) or "Transfer-Encoding" in request.headers
    if has_body and request.path.startswith("/api/v1/") and not request.is_json:
        raise UnsupportedMediaType(f"The body is {request.mimetype or 'of no named type'!r}; send application/json.")
