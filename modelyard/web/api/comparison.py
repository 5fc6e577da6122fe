"""Runs side by side, and as a table to take away."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView
from flask_smorest import Blueprint

from modelyard.core.projects.models import Project
from modelyard.core.tracking.comparison import ComparedValue
from modelyard.core.tracking.entities import LIFECYCLE_STAGES, Query
from modelyard.core.tracking.export import FORMS
from modelyard.web.api.experiments import search_of
from modelyard.web.api.runs import nested_in
from modelyard.web.context import actor, open_project, services
from modelyard.web.schemas.base import rfc3339
from modelyard.web.schemas.comparison import (
    ComparisonSchema,
    ComparisonWishSchema,
    RunExportArguments,
    RunTableSchema,
)
from modelyard.web.streamed_file import streamed_file

URL_PREFIX = "/api/v1/organizations/<organization>/projects/<project>/runs"
SHOWN_ATTRIBUTES = {
    "run_name": "name",
    "user_id": "user",
    "start_time_ms": "started_at",
    "end_time_ms": "ended_at",
}
FILE = {"schema": {"type": "string", "format": "binary"}}
FILE_ANSWER = {"200": {"description": "OK", "content": dict.fromkeys(FORMS.values(), FILE)}}
blueprint = Blueprint("comparison", __name__, url_prefix=URL_PREFIX, description="Runs side by side and as files")


def show_attribute(row: ComparedValue) -> dict[str, Any]:
    """Describe an attribute in the API's words, times as it writes them."""
    is_time = row.key.endswith("_time_ms")
    values = [rfc3339(value) if is_time and value is not None else value for value in row.values]
    return {"key": SHOWN_ATTRIBUTES.get(row.key, row.key), "differs": row.differs, "values": values}


def file_of(project: Project, query: Query, form: str, columns: list[str]) -> Response:
    """Answer with a table of runs, which are read as it is sent, without a database connection held."""
    pieces = services().comparisons.export(actor(), project, query, form=form, columns=columns)
    return streamed_file(pieces, FORMS[form], "runs", form)


@blueprint.route("/compare")
class ComparisonView(MethodView):
    """Runs side by side."""

    @blueprint.arguments(ComparisonWishSchema)
    @blueprint.response(200, ComparisonSchema)
    def post(self, wish: dict[str, Any], organization: str, project: str) -> dict[str, Any]:
        """Compare up to 200 runs: which params differ, their metrics side by side, tags, attributes and datasets."""
        found = open_project(organization, project)
        made = services().comparisons.compare(actor(), found, wish["run_ids"], wish["directions"])
        names = next(row for row in made.attributes if row.key == "run_name").values
        return {
            "runs": [{"id": run_id, "name": name} for run_id, name in zip(made.run_ids, names, strict=True)],
            "attributes": [show_attribute(row) for row in made.attributes],
            **{part: getattr(made, part) for part in ("params", "tags", "metrics", "datasets")},
        }


@blueprint.route("/compare/export")
class ComparisonExportView(MethodView):
    """Some runs as a file."""

    @blueprint.arguments(RunTableSchema)
    @blueprint.doc(responses=FILE_ANSWER)
    def post(self, wish: dict[str, Any], organization: str, project: str) -> Response:
        """Download a table of up to 200 runs as CSV, JSON or Parquet, a row for each."""
        found = open_project(organization, project)
        runs = services().runs.get_many(actor(), found, wish["run_ids"])
        listed = ", ".join(f"'{run.info.run_id}'" for run in runs)
        query = Query(filter=f"attributes.run_id IN ({listed})", lifecycle_stages=LIFECYCLE_STAGES)
        return file_of(found, query, wish["format"], wish["columns"])


@blueprint.route("/export")
class RunExportView(MethodView):
    """All runs of a search as a file."""

    @blueprint.arguments(RunExportArguments, location="query")
    @blueprint.doc(responses=FILE_ANSWER)
    def get(self, arguments: dict[str, Any], organization: str, project: str) -> Response:
        """Download a table of all runs of a search as CSV, JSON or Parquet, a row for each."""
        found = open_project(organization, project)
        query = search_of(arguments, nested_in(arguments.get("parent")))
        return file_of(found, query, arguments["format"], arguments["column"])
