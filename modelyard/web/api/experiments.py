"""Experiments."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint

from modelyard.core.projects.models import Project
from modelyard.core.tracking.entities import NOTE_TAG, Experiment, Query, Tag
from modelyard.web.context import actor, open_project, services
from modelyard.web.pagination import envelope, page_schema
from modelyard.web.schemas.experiments import (
    ExperimentArguments,
    ExperimentChangesSchema,
    ExperimentDetailArguments,
    ExperimentSchema,
    NewExperimentSchema,
)
from modelyard.web.schemas.tracking import LIFECYCLES

URL_PREFIX = "/api/v1/organizations/<organization>/projects/<project>/experiments"
blueprint = Blueprint("experiments", __name__, url_prefix=URL_PREFIX, description="Named groups of runs")


def show_experiment(experiment: Experiment) -> dict[str, Any]:
    """Describe an experiment."""
    tags = {tag.key: tag.value for tag in experiment.tags}
    return {
        "id": experiment.experiment_id,
        "name": experiment.name,
        "lifecycle_stage": experiment.lifecycle_stage,
        "artifact_location": experiment.artifact_location,
        "note": tags.get(NOTE_TAG),
        "tags": tags,
        "created_at_ms": experiment.created_at_ms,
        "updated_at_ms": experiment.updated_at_ms,
    }


def show_counted(project: Project, experiment: Experiment) -> dict[str, Any]:
    """Describe an experiment with the count of its runs, which is a query of its own."""
    mine = Query(experiment_ids=[experiment.experiment_id])
    return {**show_experiment(experiment), "runs_count": services().runs.count(actor(), project, mine)}


def search_of(arguments: dict[str, Any], *conditions: str) -> Query:
    """Make the tracker's query of what a list was asked for; further conditions are added to its filter."""
    experiments = arguments.get("experiment")
    return Query(
        filter=" AND ".join(part for part in (arguments["filter"].strip(), *conditions) if part),
        order_by=[key.strip() for key in arguments["order_by"].split(",") if key.strip()],
        max_results=arguments.get("limit", 1),
        page_token=arguments.get("cursor"),
        experiment_ids=[part.strip() for part in experiments.split(",")] if experiments else None,
        lifecycle_stages=LIFECYCLES[arguments.get("lifecycle", "active")],
    )


def tags_of(wish: dict[str, Any]) -> dict[str, str | None]:
    """Return the tags that a body sets, its note among them; an empty note is none."""
    tags = dict(wish.get("tags") or {})
    if "note" in wish:
        tags[NOTE_TAG] = wish["note"] or None
    return tags


@blueprint.route("")
class ExperimentsView(MethodView):
    """A project's experiments."""

    @blueprint.arguments(ExperimentArguments, location="query")
    @blueprint.response(200, page_schema(ExperimentSchema))
    def get(self, arguments: dict[str, Any], organization: str, project: str) -> Any:
        """List experiments, by default the newest first."""
        found = open_project(organization, project)
        page = services().experiments.search(actor(), found, search_of(arguments, _contains(arguments.get("q"))))
        counted = arguments["runs_count"]
        shown = [show_counted(found, item) if counted else show_experiment(item) for item in page.items]
        return envelope(shown, page.next_page_token)

    @blueprint.arguments(NewExperimentSchema)
    @blueprint.response(201, ExperimentSchema)
    def post(self, wish: dict[str, Any], organization: str, project: str) -> dict[str, Any]:
        """Make an experiment."""
        found = open_project(organization, project)
        tags = [Tag(key, value) for key, value in tags_of(wish).items() if value is not None]
        location = wish["artifact_location"]
        made = services().experiments.create(actor(), found, name=wish["name"], artifact_location=location, tags=tags)
        return show_experiment(made)


@blueprint.route("/<experiment_id>")
class ExperimentView(MethodView):
    """One experiment."""

    @blueprint.arguments(ExperimentDetailArguments, location="query")
    @blueprint.response(200, ExperimentSchema)
    def get(self, arguments: dict[str, Any], organization: str, project: str, experiment_id: str) -> dict[str, Any]:
        """Show an experiment, also a deleted one."""
        found = open_project(organization, project)
        experiment = services().experiments.get(actor(), found, experiment_id)
        return show_counted(found, experiment) if arguments["runs_count"] else show_experiment(experiment)

    @blueprint.arguments(ExperimentChangesSchema)
    @blueprint.response(200, ExperimentSchema)
    def patch(self, wish: dict[str, Any], organization: str, project: str, experiment_id: str) -> dict[str, Any]:
        """Rename an experiment, describe it, and set or remove tags."""
        found = open_project(organization, project)
        name, tags = wish.get("name"), tags_of(wish)
        return show_experiment(services().experiments.edit(actor(), found, experiment_id, name=name, tags=tags))

    @blueprint.response(204)
    def delete(self, organization: str, project: str, experiment_id: str) -> None:
        """Move an experiment with its runs to the deleted ones; `restore` brings them back."""
        services().experiments.delete(actor(), open_project(organization, project), experiment_id)


@blueprint.route("/<experiment_id>/restore")
class ExperimentRestoreView(MethodView):
    """Deleted experiments."""

    @blueprint.response(200, ExperimentSchema)
    def post(self, organization: str, project: str, experiment_id: str) -> dict[str, Any]:
        """Bring a deleted experiment back with all its runs."""
        found = open_project(organization, project)
        return show_experiment(services().experiments.restore(actor(), found, experiment_id))


def _contains(text: str | None) -> str:
    """Make the condition that a name contains a text, in which % and _ stand for any letters."""
    return "" if not text else "name ILIKE '%" + text.replace("'", "''") + "%'"


@blueprint.route("/<experiment_id>/purge")
class ExperimentPurgeView(MethodView):
    """The end of a deleted experiment."""

    @blueprint.response(202)
    def post(self, organization: str, project: str, experiment_id: str) -> None:
        """Have a deleted experiment removed for good, with all its runs (project admins), by the worker."""
        services().tracking_retention.purge_experiment(actor(), open_project(organization, project), experiment_id)
