"""Experiments and runs, with their metrics and artifacts. Logging is the MLflow wire's."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView
from flask_smorest import Blueprint

from modelyard.core.artifacts.service import path_of
from modelyard.core.projects.models import Project
from modelyard.core.tracking.entities import Experiment, Query, Run
from modelyard.web.artifact_response import stream_file
from modelyard.web.context import actor, open_project, services
from modelyard.web.pagination import envelope, page_schema
from modelyard.web.schemas.runs import (
    ArtifactArguments,
    ArtifactContentArguments,
    ArtifactsSchema,
    ExperimentSchema,
    HistoryArguments,
    NewExperimentSchema,
    PointSchema,
    RunArguments,
    RunSchema,
    SearchArguments,
)

URL_PREFIX = "/api/v1/organizations/<organization>/projects/<project>"
blueprint = Blueprint("runs", __name__, url_prefix=URL_PREFIX, description="Experiments and runs")


def show_experiment(experiment: Experiment) -> dict[str, Any]:
    """Describe an experiment."""
    return {
        "id": experiment.experiment_id,
        "name": experiment.name,
        "tags": {tag.key: tag.value for tag in experiment.tags},
        "created_at_ms": experiment.created_at_ms,
        "updated_at_ms": experiment.updated_at_ms,
    }


def show_run(run: Run, experiment_name: str) -> dict[str, Any]:
    """Describe a run."""
    info, data = run.info, run.data
    ended = info.end_time_ms
    seconds = (ended - info.start_time_ms) / 1000 if ended is not None and info.start_time_ms is not None else None
    return {
        "id": info.run_id,
        "name": info.run_name,
        "status": info.status,
        "experiment": {"id": info.experiment_id, "name": experiment_name},
        "user": info.user_id,
        "started_at_ms": info.start_time_ms,
        "ended_at_ms": ended,
        "duration_seconds": seconds,
        "params": {param.key: param.value for param in data.params},
        "metrics": {metric.key: metric.value for metric in data.metrics},
        "tags": {tag.key: tag.value for tag in data.tags},
    }


def search_of(arguments: dict[str, Any]) -> Query:
    """Make the tracker's query of what a list was asked for."""
    return Query(
        filter=arguments["filter"],
        order_by=[key.strip() for key in arguments["order_by"].split(",") if key.strip()],
        max_results=arguments["limit"],
        page_token=arguments["cursor"],
        experiment_ids=[arguments["experiment"]] if arguments.get("experiment") else None,
    )


def _name_of_experiment(project: Project, experiment_id: str) -> str:
    return services().experiments.get(actor(), project, experiment_id).name


@blueprint.route("/experiments")
class ExperimentsView(MethodView):
    """A project's experiments."""

    @blueprint.arguments(SearchArguments, location="query")
    @blueprint.response(200, page_schema(ExperimentSchema))
    def get(self, arguments: dict[str, Any], organization: str, project: str) -> Any:
        """List experiments, by default the newest first."""
        query = search_of(arguments)
        page = services().experiments.search(actor(), open_project(organization, project), query)
        return envelope([show_experiment(item) for item in page.items], page.next_page_token)

    @blueprint.arguments(NewExperimentSchema)
    @blueprint.response(201, ExperimentSchema)
    def post(self, wish: dict[str, Any], organization: str, project: str) -> dict[str, Any]:
        """Make an experiment."""
        found = open_project(organization, project)
        return show_experiment(services().experiments.create(actor(), found, name=wish["name"]))


@blueprint.route("/experiments/<experiment_id>/purge")
class ExperimentPurgeView(MethodView):
    """The end of a deleted experiment."""

    @blueprint.response(202)
    def post(self, organization: str, project: str, experiment_id: str) -> None:
        """Have a deleted experiment removed for good, with all its runs (project admins), by the worker."""
        services().tracking_retention.purge_experiment(actor(), open_project(organization, project), experiment_id)


@blueprint.route("/runs")
class RunsView(MethodView):
    """A project's runs."""

    @blueprint.arguments(RunArguments, location="query")
    @blueprint.response(200, page_schema(RunSchema))
    def get(self, arguments: dict[str, Any], organization: str, project: str) -> Any:
        """List runs, by default the newest first."""
        found = open_project(organization, project)
        query = search_of(arguments)
        page = services().runs.search(actor(), found, query)
        names = {
            number: _name_of_experiment(found, number) for number in {run.info.experiment_id for run in page.items}
        }
        return envelope([show_run(run, names[run.info.experiment_id]) for run in page.items], page.next_page_token)


@blueprint.route("/runs/<run_id>")
class RunView(MethodView):
    """One run."""

    @blueprint.response(200, RunSchema)
    def get(self, organization: str, project: str, run_id: str) -> dict[str, Any]:
        """Show a run."""
        found = open_project(organization, project)
        run = services().runs.get(actor(), found, run_id)
        return show_run(run, _name_of_experiment(found, run.info.experiment_id))

    @blueprint.response(204)
    def delete(self, organization: str, project: str, run_id: str) -> None:
        """Move a run to the deleted ones; `restore` brings it back."""
        services().runs.delete(actor(), open_project(organization, project), run_id)


@blueprint.route("/runs/<run_id>/restore")
class RestoreView(MethodView):
    """Deleted runs."""

    @blueprint.response(200, RunSchema)
    def post(self, organization: str, project: str, run_id: str) -> dict[str, Any]:
        """Bring a deleted run back."""
        found = open_project(organization, project)
        run = services().runs.get(actor(), found, run_id)
        name = _name_of_experiment(found, run.info.experiment_id)
        services().runs.restore(actor(), found, run_id)
        return show_run(run, name)


@blueprint.route("/runs/<run_id>/purge")
class RunPurgeView(MethodView):
    """The end of a deleted run."""

    @blueprint.response(202)
    def post(self, organization: str, project: str, run_id: str) -> None:
        """Have a deleted run removed for good, with its artifacts (project admins), by the worker."""
        services().tracking_retention.purge_run(actor(), open_project(organization, project), run_id)


@blueprint.route("/runs/<run_id>/metrics/<path:key>")
class HistoryView(MethodView):
    """The history of a metric."""

    @blueprint.arguments(HistoryArguments, location="query")
    @blueprint.response(200, page_schema(PointSchema))
    def get(self, arguments: dict[str, Any], organization: str, project: str, run_id: str, key: str) -> Any:
        """List the points of one metric in the order of step, time and value."""
        page = services().runs.metric_history(
            actor(),
            open_project(organization, project),
            run_id,
            key=key,
            max_results=arguments["limit"],
            page_token=arguments["cursor"],
        )
        return envelope(page.items, page.next_page_token)


@blueprint.route("/runs/<run_id>/artifacts")
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


@blueprint.route("/runs/<run_id>/artifacts/content")
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
