"""The table of MLflow's endpoints, filled by the modules of handlers, and the way from a request to its handler.

A handler is decorated with its method and path and takes the context and its request, a struct whose fields are
MLflow's::

    @endpoint("POST", "runs/delete")
    def delete_run(context: Context, request: DeleteRun) -> Answer:
        context.services.runs.delete(context.actor, context.project, request.run_id)
        return {}

Parts of a path in braces (``logged-models/{model_id}``) become fields of the request. What it returns is sent as JSON,
unless it is a response already.
Endpoints of MLflow's API 3.0 say so (``3.0/traces``); all others are of 2.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

import msgspec
from flask import Response, g, request

from modelyard.core.bootstrap import Services
from modelyard.core.identity.actor import Actor
from modelyard.core.projects.models import Project
from modelyard.web.mlflow.decoding import Decoder
from modelyard.web.mlflow.errors import EndpointNotFound

Answer = Mapping[str, Any]
Handler = TypeVar("Handler", bound=Callable[..., Answer | Response])


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks, in which project, and what can be asked."""

    actor: Actor
    project: Project
    services: Services
    on_bare_host: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of the table."""

    handler: Callable[[Context, Any], Answer | Response]
    decoder: Decoder
    path: str
    is_upload: bool = False


_plain: dict[tuple[str, str], Endpoint] = {}
_templates: list[tuple[str, tuple[str, ...], Endpoint]] = []


def endpoint(method: str, path: str, *, is_upload: bool = False) -> Callable[[Handler], Handler]:
    """Enter the decorated handler for the path behind ``/api/2.0/mlflow/``, or ``3.0/`` and that behind it.

    The body of an upload is left to the handler; its request comes from the query string.
    """

    def keep(handler: Handler) -> Handler:
        row = Endpoint(handler, Decoder(get_type_hints(handler)["request"]), path, is_upload)
        if "{" in path:
            _templates.append((method, tuple(path.split("/")), row))
        else:
            _plain[method, path] = row
        return handler

    return keep


def paths() -> list[tuple[str, str]]:
    """Return (method, path) of every endpoint, for documentation and tests."""
    return sorted([*_plain, *((method, "/".join(parts)) for method, parts, _ in _templates)])


def find(method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
    """Return the endpoint and the fields that its path gives; raises `EndpointNotFound`."""
    row = _plain.get((method, path))
    if row is not None:
        return row, {}
    parts = path.split("/")
    for wanted, template, row in _templates:
        if wanted == method and len(template) == len(parts):
            pairs = list(zip(template, parts, strict=True))
            if all(part and (name == part or name.startswith("{")) for name, part in pairs):
                return row, {name[1:-1]: part for name, part in pairs if name.startswith("{")}
    raise EndpointNotFound(f"This server has no endpoint {method} {path} of MLflow's API.")


def operation_of(path: str) -> str:
    """Return the name under which requests to an endpoint are counted."""
    return f"mlflow {path}"


def answer(context: Context, path: str) -> Response:
    """Answer the present request, which is for the endpoint of that path."""
    row, fields = find(request.method, path)
    g.operation = operation_of(row.path)
    answered = row.handler(context, _decode(row, fields))
    if isinstance(answered, Response):
        return answered
    return Response(msgspec.json.encode(answered), content_type="application/json")


def _decode(row: Endpoint, fields: Mapping[str, str]) -> Any:
    decoder = row.decoder
    if request.method == "GET" or row.is_upload:
        return decoder.query(request.args, fields)
    data = request.get_data()
    if not data and request.args:
        return decoder.query(request.args, fields)
    return decoder.body(data, fields)
