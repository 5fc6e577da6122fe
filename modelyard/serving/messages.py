"""Requests, responses and refusals, as the parts of the model server pass them among themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, BinaryIO, cast

JSON = "application/json"


class RefusedError(Exception):
    """A request that gets an error for an answer; the message is for the caller to read."""

    def __init__(self, status: int, message: str, *, code: str = "", headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code or HTTPStatus(status).name
        self.headers = headers


def bad_input(message: str) -> RefusedError:
    """A 400 for input that the model or the protocol does not take."""
    return RefusedError(400, message, code="INVALID_PARAMETER_VALUE")


@dataclass(frozen=True)
class Response:
    """One answer, whole."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Request:
    """One request; its body is read when asked for."""

    environ: Mapping[str, Any]
    max_body_bytes: int
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """The method, with HEAD answered as GET."""
        method = str(self.environ["REQUEST_METHOD"])
        return "GET" if method == "HEAD" else method

    @property
    def path(self) -> str:
        """The path as text."""
        return str(self.environ.get("PATH_INFO", "")).encode("latin-1", "replace").decode("utf-8", "replace")

    @property
    def content_type(self) -> str:
        """The header as it came, empty where there is none."""
        return str(self.environ.get("CONTENT_TYPE") or "")

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case."""
        return self.content_type.partition(";")[0].strip().lower()

    def header(self, name: str) -> str | None:
        """One header of the request."""
        return cast("str | None", self.environ.get("HTTP_" + name.upper().replace("-", "_")))

    def body(self) -> bytes:
        """Read the body; 413 for one over the limit."""
        length = str(self.environ.get("CONTENT_LENGTH") or "0")
        if not length.isascii() or not length.isdigit():
            raise RefusedError(400, "the Content-Length is not a number", code="BAD_REQUEST")
        # Python itself refuses to read numbers of thousands of digits.
        if len(length) > 18 or int(length) > self.max_body_bytes:
            raise too_large(self.max_body_bytes)
        return cast("BinaryIO", self.environ["wsgi.input"]).read(int(length))

    def json_object(self) -> dict[str, Any]:
        """Read the body as one JSON object; 400 for anything else."""
        try:
            value = json.loads(self.body())
        except (ValueError, RecursionError) as error:
            reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise RefusedError(400, f"the body is not valid JSON: {reason}", code="BAD_REQUEST") from None
        if not isinstance(value, dict):
            raise RefusedError(400, f"the body must be a JSON object, not {json_kind(value)}", code="BAD_REQUEST")
        return value


def too_large(limit: int) -> RefusedError:
    """The 413 for a body over the limit."""
    return RefusedError(
        413, f"the body is larger than {limit} bytes, the limit of this server", code="REQUEST_TOO_LARGE"
    )


def json_kind(value: object) -> str:
    """What JSON calls the kind of a decoded value, with its article."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"


def json_response(value: object, status: int = 200) -> Response:
    """An answer in strict JSON; `value` holds plain values only."""
    return Response(status, json.dumps(value, allow_nan=False).encode())


def error_response(error: RefusedError, *, open_inference: bool) -> Response:
    """A refusal in the form of the protocol that was spoken."""
    if open_inference:
        body: dict[str, str] = {"error": error.message}
    else:
        body = {"error_code": error.code, "message": error.message}
    return Response(error.status, json.dumps(body).encode(), headers=error.headers)
