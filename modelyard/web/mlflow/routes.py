"""The addresses of the MLflow wire: each project below ``/mlflow/<organization>/<project>``, and the bare host.

The bare host is the project that the token is bound to. Where there is none, the answer names the prefix to use. Probes
that clients send before they know anything (``/version``, ``/health``, server-info) ask for no credentials.
"""

from __future__ import annotations

import re

from flask import Blueprint, Flask, Response, redirect, request
from werkzeug.routing import PathConverter
from werkzeug.wrappers import Response as AnyResponse

from modelyard.core.identity.policy import require_sign_in
from modelyard.core.names import SLUG
from modelyard.core.projects.access import authorize, bound_project
from modelyard.web.context import actor, open_logged_project, services
from modelyard.web.mlflow import artifacts, errors, otlp, router, traces
from modelyard.web.mlflow.errors import EndpointNotFound, NotImplementedHere
from modelyard.web.mlflow.router import Context

SERVER_VERSION = "3.17.0"
"""What clients see as the server's version: from 3.4 on they send the spans of traces to ``/v1/traces``."""

SERVER_INFO = {
    "store_type": "SqlStore",
    "workspaces_enabled": False,
    "multipart_uploads_enabled": False,
    "multipart_downloads_enabled": False,
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_API = re.compile(r"(?:ajax-)?api/(?P<version>\d+\.\d+)/(?P<part>mlflow|mlflow-artifacts)/(?P<path>.+)", re.DOTALL)
_SERVER_INFO = re.compile(r"(?:ajax-)?api/3\.0/mlflow/server-info")


class AnyPath(PathConverter):
    """A path of any characters: what is wrong with it is said by who reads it, in MLflow's words."""

    regex = r"[^/][\s\S]*?"


def register(app: Flask) -> None:
    """Add the wire's addresses to the application."""
    app.url_map.converters["anypath"] = AnyPath
    blueprint = Blueprint("mlflow", "modelyard.web.mlflow")
    errors.register(blueprint)
    for rule, view in (
        ("/mlflow/<organization>/<project>/", _page),
        ("/mlflow/<organization>/<project>/<anypath:path>", _in_project),
        ("/api/<any('2.0', '3.0'):version>/<anypath:path>", _in_bound_project),
        ("/ajax-api/<any('2.0', '3.0'):version>/<anypath:path>", _in_bound_project),
        ("/<any('version', 'health', 'get-artifact', 'graphql'):path>", _on_bare_host),
        ("/model-versions/<any('get-artifact'):path>", _on_bare_host),
    ):
        blueprint.add_url_rule(rule, view_func=view, methods=METHODS, merge_slashes=False)
    blueprint.add_url_rule(f"/{otlp.PATH}", view_func=_on_bare_host, methods=METHODS, defaults={"path": otlp.PATH})
    app.register_blueprint(blueprint)


def _page(organization: str, project: str) -> AnyResponse:
    """Send a browser to the project's page; the part behind the hash, by which MLflow names runs, goes with it."""
    if request.method != "GET":
        raise EndpointNotFound(f"{request.path} is the tracking URI; it takes GET only.")
    if not SLUG.fullmatch(organization) or not SLUG.fullmatch(project):
        raise EndpointNotFound(f"There is no project at {request.path}.")
    return redirect(f"/{organization}/{project}/runs")


def _in_project(organization: str, project: str, path: str) -> Response:
    return _probe(path) or _answer(Context(actor(), open_logged_project(organization, project), services()), path)


def _in_bound_project(version: str, path: str) -> Response:
    del version, path
    whole = request.path.lstrip("/")
    return _probe(whole) or _answer(_bound_context(), whole)


def _on_bare_host(path: str) -> Response:
    del path
    whole = request.path.lstrip("/")
    return _probe(whole) or _answer(_bound_context(), whole)


def _probe(path: str) -> Response | None:
    """Answer what asks for nobody's data."""
    if request.method != "GET":
        return None
    if path == "version":
        return Response(SERVER_VERSION, content_type="text/plain")
    if path == "health":
        return Response("OK", content_type="text/plain")
    return artifacts.json_answer(SERVER_INFO) if _SERVER_INFO.fullmatch(path) else None


def _bound_context() -> Context:
    """Return the context of the token's project."""
    caller = actor()
    require_sign_in(caller)
    project = bound_project(caller)
    if project is None:
        raise EndpointNotFound(
            "This address belongs to no project. Set the tracking URI to"
            f" {services().settings.public_url}/mlflow/<organization>/<project>, or use a token made for one project."
        )
    authorize(caller, project, "project.read")
    return Context(caller, project, services(), on_bare_host=True)


def _answer(context: Context, path: str) -> Response:
    download = artifacts.DOWNLOADS.get(path)
    if download is not None and request.method == "GET":
        return download(context)
    if path == otlp.PATH and request.method == "POST":
        return otlp.export(context)
    found = _API.fullmatch(path)
    if found is None or (found["part"] == "mlflow-artifacts" and found["version"] != "2.0"):
        raise EndpointNotFound(f"This server has no endpoint {request.method} /{path}.")
    if found["part"] == "mlflow-artifacts":
        return artifacts.answer(context, found["path"])
    if found["path"].startswith("artifacts/presigned-"):
        raise NotImplementedHere(artifacts.THROUGH_THIS_SERVER)
    if found["path"] == "get-trace-artifact" and request.method == "GET":
        return traces.spans_file(context)
    return router.answer(context, found["path"] if found["version"] == "2.0" else f"{found['version']}/{found['path']}")
