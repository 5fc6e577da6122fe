"""The artifacts of runs: listed and downloaded."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView
from flask_smorest import Blueprint

from modelyard.core.artifacts.service import path_of
from modelyard.core.projects.models import Project
from modelyard.web.artifact_response import stream_file
from modelyard.web.context import actor, open_project, services
from modelyard.web.schemas.artifacts import ArtifactArguments, ArtifactContentArguments, ArtifactsSchema

URL_PREFIX = "/api/v1/organizations/<organization>/projects/<project>/runs/<run_id>/artifacts"
blueprint = Blueprint("artifacts", __name__, url_prefix=URL_PREFIX, description="Files that runs kept")


@blueprint.route("")
class ArtifactsView(MethodView):
    """A run's artifacts."""

    @blueprint.arguments(ArtifactArguments, location="query")
    @blueprint.response(200, ArtifactsSchema)
    def get(self, arguments: dict[str, Any], organization: str, project: str, run_id: str) -> dict[str, Any]:
        """List a folder of the run's artifacts."""
        found = open_project(organization, project)
        root = _root(found, run_id)
        folder = arguments["path"].strip("/")
        files = services().artifacts.list(actor(), found, f"{root}/{folder}" if folder else root)
        items = [
            {
                "path": f"{folder}/{file.path}" if folder else file.path,
                "is_directory": file.is_directory,
                "size_bytes": None if file.is_directory else file.size_bytes,
            }
            for file in files
        ]
        return {"items": items}


@blueprint.route("/content")
class ArtifactContentView(MethodView):
    """A file of a run."""

    @blueprint.arguments(ArtifactContentArguments, location="query")
    @blueprint.response(200, {"format": "binary", "type": "string"}, content_type="application/octet-stream")
    @blueprint.alt_response(206, schema={"format": "binary", "type": "string"}, content_type="application/octet-stream")
    def get(self, arguments: dict[str, Any], organization: str, project: str, run_id: str) -> Response:
        """Download a file, whole or a range of it."""
        found = open_project(organization, project)
        return stream_file(found, f"{_root(found, run_id)}/{arguments['path'].strip('/')}")


def _root(project: Project, run_id: str) -> str:
    """Return the folder of the run's artifacts within the project."""
    run = services().runs.get(actor(), project, run_id)
    return path_of(run.info.artifact_uri, "")
