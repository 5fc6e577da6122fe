"""Serves the built pages; every address that nobody else answers is the page's own business."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.security import safe_join

from modelyard.web.errors import problem_of_http

DIST = Path(__file__).parent / "dist"
NOT_PAGES = ("api", "ajax-api", "auth", "mlflow", "serve", "health", "metrics", "assets", "version", "get-artifact")
MISSING = """The web pages are not built.
In a checkout: cd modelyard/web/ui && npm ci && npm run build
Or install a released wheel, which brings them. The API is at /api/v1, its description at /api/v1/openapi.json.
"""

blueprint = Blueprint("ui", __name__)


def register(app: Flask) -> None:
    """Answer `/`, and every GET that nobody else answers and that is no API's."""
    app.register_blueprint(blueprint)
    app.register_error_handler(404, _page_or_problem)


def _page_or_problem(error: HTTPException) -> Response:
    """Give an unknown address to the page, which shows it or says that there is nothing; an API's miss stays a problem."""
    path = request.path.lstrip("/")
    if request.endpoint is not None or request.method not in {"GET", "HEAD"} or path.split("/")[0] in NOT_PAGES:
        return problem_of_http(error)
    return page(path)


@blueprint.get("/assets/<path:name>")
def asset(name: str) -> Response:
    """Serve a file whose name holds its content's hash; it may be kept forever."""
    return _serve(DIST / "assets", name, "public, max-age=31536000, immutable")


@blueprint.get("/")
def page(path: str = "") -> Response:
    """Serve the page, or a plain file beside it such as the icon."""
    if not (DIST / "index.html").is_file():
        return Response(MISSING, status=404, content_type="text/plain; charset=utf-8")
    name = path if path and "/" not in path and (DIST / path).is_file() else "index.html"
    return _serve(DIST, name, "no-cache")


def _serve(folder: Path, name: str, caching: str) -> Response:
    """Answer with a file below `folder`, or 304 where the caller has it; the files are small and read whole."""
    path = safe_join(str(folder), name)
    if path is None or not Path(path).is_file():
        raise NotFound(f"There is no file {name!r}.")
    response = Response(Path(path).read_bytes(), content_type=mimetypes.guess_type(path)[0])
    response.headers["Cache-Control"] = caching
    response.add_etag()
    response.make_conditional(request)
    return response
