"""MLflow's endpoints of experiments."""

from __future__ import annotations

from modelyard.core.tracking.entities import Experiment, Page, Query, Tag
from modelyard.web.mlflow.decoding import Int64, Request, Required
from modelyard.web.mlflow.router import Answer, Context, endpoint
from modelyard.web.mlflow.values import TagValue, lifecycle_stages, page_answer


class CreateExperiment(Request):
    """Fields of experiments/create."""

    name: Required
    artifact_location: str = ""
    tags: list[TagValue] = []


class ExperimentById(Request):
    """Fields of experiments/get, delete and restore."""

    experiment_id: Required


class ExperimentByName(Request):
    """Fields of experiments/get-by-name."""

    experiment_name: Required


class UpdateExperiment(Request):
    """Fields of experiments/update."""

    experiment_id: Required
    new_name: Required


class SearchExperiments(Request):
    """Fields of experiments/search."""

    max_results: Int64 = 1000
    page_token: str = ""
    filter: str = ""
    order_by: list[str] = []
    view_type: str | int = "ACTIVE_ONLY"


class SetExperimentTag(Request):
    """Fields of experiments/set-experiment-tag."""

    experiment_id: Required
    key: Required
    value: str = ""


class DeleteExperimentTag(Request):
    """Fields of experiments/delete-experiment-tag."""

    experiment_id: Required
    key: Required


@endpoint("POST", "experiments/create")
def create_experiment(context: Context, request: CreateExperiment) -> Answer:
    """Make an experiment."""
    made = context.services.experiments.create(
        context.actor,
        context.project,
        name=request.name,
        artifact_location=request.artifact_location or None,
        tags=[tag.entity() for tag in request.tags],
    )
    return {"experiment_id": made.experiment_id}


@endpoint("GET", "experiments/get")
def get_experiment(context: Context, request: ExperimentById) -> Answer:
    """Answer one experiment."""
    return _answer(context.services.experiments.get(context.actor, context.project, request.experiment_id))


@endpoint("GET", "experiments/get-by-name")
def get_experiment_by_name(context: Context, request: ExperimentByName) -> Answer:
    """Answer one experiment."""
    return _answer(context.services.experiments.get_by_name(context.actor, context.project, request.experiment_name))


@endpoint("GET", "experiments/search")
@endpoint("POST", "experiments/search")
def search_experiments(context: Context, request: SearchExperiments) -> Answer:
    """Answer a page of experiments."""
    page: Page[Experiment] = context.services.experiments.search(
        context.actor,
        context.project,
        Query(
            filter=request.filter,
            order_by=request.order_by,
            max_results=request.max_results,
            page_token=request.page_token or None,
            lifecycle_stages=lifecycle_stages(request.view_type),
        ),
    )
    return page_answer("experiments", page)


@endpoint("POST", "experiments/update")
def update_experiment(context: Context, request: UpdateExperiment) -> Answer:
    """Rename an experiment."""
    context.services.experiments.rename(context.actor, context.project, request.experiment_id, name=request.new_name)
    return {}


@endpoint("POST", "experiments/delete")
def delete_experiment(context: Context, request: ExperimentById) -> Answer:
    """Delete an experiment with its runs."""
    context.services.experiments.delete(context.actor, context.project, request.experiment_id)
    return {}


@endpoint("POST", "experiments/restore")
def restore_experiment(context: Context, request: ExperimentById) -> Answer:
    """Bring an experiment back with its runs."""
    context.services.experiments.restore(context.actor, context.project, request.experiment_id)
    return {}


@endpoint("POST", "experiments/set-experiment-tag")
def set_experiment_tag(context: Context, request: SetExperimentTag) -> Answer:
    """Set a tag."""
    tag = Tag(request.key, request.value)
    context.services.experiments.set_tag(context.actor, context.project, request.experiment_id, tag)
    return {}


@endpoint("POST", "experiments/delete-experiment-tag")
def delete_experiment_tag(context: Context, request: DeleteExperimentTag) -> Answer:
    """Remove a tag."""
    context.services.experiments.delete_tag(context.actor, context.project, request.experiment_id, request.key)
    return {}


def _answer(experiment: Experiment) -> Answer:
    return {"experiment": experiment}
