"""Runs, one and many. Their metrics are in `metrics`, their files in `artifacts`."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint
from msgspec.structs import replace

from modelyard.core.db import now_ms
from modelyard.core.errors import InvalidInput
from modelyard.core.projects.models import Project
from modelyard.core.tracking.entities import (
    CONTEXT_TAG,
    NOTE_TAG,
    PARENT_TAG,
    DatasetInput,
    Metric,
    NewRun,
    Param,
    Query,
    Run,
    Tag,
)
from modelyard.web.api.experiments import search_of, tags_of
from modelyard.web.context import actor, open_logged_project, open_project, services
from modelyard.web.pagination import envelope
from modelyard.web.schemas.runs import (
    ChangedRunsSchema,
    NewRunSchema,
    RunArguments,
    RunChangesSchema,
    RunDetailArguments,
    RunDetailSchema,
    RunLogSchema,
    RunPageSchema,
    RunSelectionSchema,
    RunTagsSchema,
)

URL_PREFIX = "/api/v1/organizations/<organization>/projects/<project>/runs"
MOST_CHILDREN_SHOWN = 100
blueprint = Blueprint("runs", __name__, url_prefix=URL_PREFIX, description="Runs")


def show_run(run: Run, experiment_name: str) -> dict[str, Any]:
    """Describe a run."""
    info, data = run.info, run.data
    ended = info.end_time_ms
    seconds = (ended - info.start_time_ms) / 1000 if ended is not None and info.start_time_ms is not None else None
    tags = {tag.key: tag.value for tag in data.tags}
    return {
        "id": info.run_id,
        "name": info.run_name,
        "status": info.status,
        "lifecycle_stage": info.lifecycle_stage,
        "experiment": {"id": info.experiment_id, "name": experiment_name},
        "parent_run_id": tags.get(PARENT_TAG),
        "user": info.user_id,
        "note": tags.get(NOTE_TAG),
        "artifact_uri": info.artifact_uri,
        "started_at_ms": info.start_time_ms,
        "ended_at_ms": ended,
        "duration_seconds": seconds,
        "params": {param.key: param.value for param in data.params},
        "metrics": {metric.key: metric.value for metric in data.metrics},
        "tags": tags,
    }


def show_detail(run: Run, experiment_name: str) -> dict[str, Any]:
    """Describe a run with all that it used and made."""
    return {
        **show_run(run, experiment_name),
        "datasets": [show_dataset(used) for used in run.inputs.dataset_inputs],
        "model_inputs": [{"id": used.model_id, "step": None} for used in run.inputs.model_inputs],
        "model_outputs": [{"id": made.model_id, "step": made.step} for made in run.outputs.model_outputs],
    }


def _find(project: Project, run_id: str) -> tuple[Run, str]:
    """Return a run and its experiment's name.

    What is read comes before what is changed: an outside tracker is never called in the transaction of a change.
    """
    run = services().runs.get(actor(), project, run_id)
    return run, services().experiments.get(actor(), project, run.info.experiment_id).name


def show_children(project: Project, run_id: str) -> list[dict[str, Any]]:
    """Name the first runs that are nested in a run; to find them takes a look at all runs of the project."""
    nested = Query(filter=nested_in(run_id), order_by=["start_time ASC"], max_results=MOST_CHILDREN_SHOWN)
    found = services().runs.search(actor(), project, nested).items
    return [{"id": run.info.run_id, "name": run.info.run_name, "status": run.info.status} for run in found]


def show_dataset(used: DatasetInput) -> dict[str, Any]:
    """Describe a dataset as a run used it."""
    tags = {tag.key: tag.value for tag in used.tags}
    columns = ("name", "digest", "source_type", "source", "schema", "profile")
    return {
        "context": tags.get(CONTEXT_TAG),
        "tags": tags,
        **{column: getattr(used.dataset, column) for column in columns},
    }


def show_runs(project: Project, runs: list[Run]) -> list[dict[str, Any]]:
    """Describe runs, each with its experiment's name."""
    numbers = {run.info.experiment_id for run in runs}
    names = {number: services().experiments.get(actor(), project, number).name for number in numbers}
    return [show_run(run, names[run.info.experiment_id]) for run in runs]


def nested_in(run_id: str | None) -> str:
    """Make the condition that a run is nested in another one."""
    if not run_id:
        return ""
    if not run_id.replace("-", "").isalnum():
        raise InvalidInput(f"parent {run_id[:100]!r} is no run's id.", field="parent")
    return f"tags.`{PARENT_TAG}` = '{run_id}'"


@blueprint.route("")
class RunsView(MethodView):
    """A project's runs."""

    @blueprint.arguments(RunArguments, location="query")
    @blueprint.response(200, RunPageSchema)
    def get(self, arguments: dict[str, Any], organization: str, project: str) -> Any:
        """List runs, by default the newest first."""
        found = open_project(organization, project)
        query = search_of(arguments, nested_in(arguments.get("parent")))
        page = services().runs.search(actor(), found, query)
        body, status, headers = envelope(show_runs(found, page.items), page.next_page_token)
        if arguments["count"]:
            body["total_count"] = services().runs.count(actor(), found, query)
        return body, status, headers

    @blueprint.arguments(NewRunSchema)
    @blueprint.response(201, RunDetailSchema)
    def post(self, wish: dict[str, Any], organization: str, project: str) -> dict[str, Any]:
        """Make a running run."""
        found = open_project(organization, project)
        tags = {key: value for key, value in tags_of(wish).items() if value is not None}
        if wish["parent_run_id"]:
            tags[PARENT_TAG] = services().runs.get(actor(), found, wish["parent_run_id"]).info.run_id
        wanted = NewRun(
            experiment_id=wish["experiment_id"],
            user_id="",
            start_time_ms=now_ms() if wish["start_time_ms"] is None else wish["start_time_ms"],
            name=wish["name"],
            tags=[Tag(key, value) for key, value in tags.items()],
        )
        experiment_name = services().experiments.get(actor(), found, wanted.experiment_id).name
        return show_detail(services().runs.create(actor(), found, wanted), experiment_name)


@blueprint.route("/<run_id>")
class RunView(MethodView):
    """One run."""

    @blueprint.arguments(RunDetailArguments, location="query")
    @blueprint.response(200, RunDetailSchema)
    def get(self, arguments: dict[str, Any], organization: str, project: str, run_id: str) -> dict[str, Any]:
        """Show a run, also a deleted one."""
        found = open_project(organization, project)
        shown = show_detail(*_find(found, run_id))
        return {**shown, "children": show_children(found, run_id)} if arguments["children"] else shown

    @blueprint.arguments(RunChangesSchema)
    @blueprint.response(200, RunDetailSchema)
    def patch(self, wish: dict[str, Any], organization: str, project: str, run_id: str) -> dict[str, Any]:
        """Rename or end a run, describe it, and set or remove tags."""
        found = open_project(organization, project)
        changes = {name: wish.get(name) for name in ("name", "status", "end_time_ms")}
        _, experiment_name = _find(found, run_id)
        return show_detail(services().runs.edit(actor(), found, run_id, **changes, tags=tags_of(wish)), experiment_name)

    @blueprint.response(204)
    def delete(self, organization: str, project: str, run_id: str) -> None:
        """Move a run to the deleted ones; `restore` brings it back."""
        services().runs.delete(actor(), open_project(organization, project), run_id)


@blueprint.route("/<run_id>/restore")
class RestoreView(MethodView):
    """Deleted runs."""

    @blueprint.response(200, RunDetailSchema)
    def post(self, organization: str, project: str, run_id: str) -> dict[str, Any]:
        """Bring a deleted run back."""
        found = open_project(organization, project)
        run, experiment_name = _find(found, run_id)
        return show_detail(replace(run, info=services().runs.restore(actor(), found, run_id)), experiment_name)


@blueprint.route("/<run_id>/purge")
class RunPurgeView(MethodView):
    """The end of a deleted run."""

    @blueprint.response(202)
    def post(self, organization: str, project: str, run_id: str) -> None:
        """Have a deleted run removed for good, with its artifacts (project admins), by the worker."""
        services().tracking_retention.purge_run(actor(), open_project(organization, project), run_id)


@blueprint.route("/<run_id>/log")
class RunLogView(MethodView):
    """What a run logs."""

    @blueprint.arguments(RunLogSchema)
    @blueprint.response(204)
    def post(self, wish: dict[str, Any], organization: str, project: str, run_id: str) -> None:
        """Log metrics, params and tags to an active run: all of it, or nothing."""
        now = now_ms()
        metrics = [
            Metric(one["key"], one["value"], now if one["timestamp_ms"] is None else one["timestamp_ms"], one["step"])
            for one in wish["metrics"]
        ]
        params = [Param(key, value) for key, value in wish["params"].items()]
        tags = [Tag(key, value) for key, value in wish["tags"].items()]
        found = open_logged_project(organization, project)
        services().runs.log_batch(actor(), found, run_id, metrics=metrics, params=params, tags=tags)


@blueprint.route("/delete")
class RunDeletionsView(MethodView):
    """Many runs to be deleted."""

    @blueprint.arguments(RunSelectionSchema)
    @blueprint.response(200, ChangedRunsSchema)
    def post(self, wish: dict[str, Any], organization: str, project: str) -> dict[str, int]:
        """Move up to 1000 runs to the deleted ones: all of them, or none."""
        found = open_project(organization, project)
        return {"changed_count": services().runs.delete_many(actor(), found, wish["run_ids"])}


@blueprint.route("/restore")
class RunRestorationsView(MethodView):
    """Many runs to be restored."""

    @blueprint.arguments(RunSelectionSchema)
    @blueprint.response(200, ChangedRunsSchema)
    def post(self, wish: dict[str, Any], organization: str, project: str) -> dict[str, int]:
        """Bring up to 1000 deleted runs back: all of them, or none."""
        found = open_project(organization, project)
        return {"changed_count": services().runs.restore_many(actor(), found, wish["run_ids"])}


@blueprint.route("/tags")
class RunTagsView(MethodView):
    """Tags of many runs."""

    @blueprint.arguments(RunTagsSchema)
    @blueprint.response(200, ChangedRunsSchema)
    def post(self, wish: dict[str, Any], organization: str, project: str) -> dict[str, int]:
        """Set or remove tags of up to 1000 active runs: of all of them, or of none."""
        found = open_project(organization, project)
        return {"changed_count": services().runs.tag_many(actor(), found, wish["run_ids"], wish["tags"])}
