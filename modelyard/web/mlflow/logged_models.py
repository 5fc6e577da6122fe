"""MLflow's endpoints of logged models."""

from __future__ import annotations

import msgspec

from modelyard.core.errors import InvalidInput
from modelyard.core.tracking.entities import (
    MODEL_STATUSES,
    DatasetFilter,
    LoggedModel,
    LoggedModelQuery,
    MetricOrder,
    NewLoggedModel,
)
from modelyard.web.mlflow.decoding import Int64, Request, Required
from modelyard.web.mlflow.router import Answer, Context, endpoint
from modelyard.web.mlflow.values import ParamValue, TagValue

_PREFIX = "LOGGED_MODEL_"


class CreateLoggedModel(Request):
    """Fields of POST logged-models."""

    experiment_id: Required
    name: str = ""
    model_type: str = ""
    source_run_id: str = ""
    params: list[ParamValue] = []
    tags: list[TagValue] = []


class OfModel(Request):
    """A request that names a logged model."""

    model_id: Required


class FinalizeLoggedModel(OfModel):
    """Fields of PATCH logged-models/{model_id}."""

    status: str | int


class SetModelTags(OfModel):
    """Fields of PATCH logged-models/{model_id}/tags."""

    tags: list[TagValue] = []


class DeleteModelTag(OfModel):
    """Fields of DELETE logged-models/{model_id}/tags/{tag_key}."""

    tag_key: Required


class LogModelParams(OfModel):
    """Fields of POST logged-models/{model_id}/params."""

    params: list[ParamValue] = []


class DatasetFilterValue(Request):
    """A dataset in a search."""

    dataset_name: Required
    dataset_digest: str = ""


class OrderValue(Request):
    """A key to order by in a search."""

    field_name: Required
    ascending: bool = True
    dataset_name: str = ""
    dataset_digest: str = ""


class SearchLoggedModels(Request):
    """Fields of logged-models/search."""

    experiment_ids: list[str] = []
    filter: str = ""
    datasets: list[DatasetFilterValue] = []
    max_results: Int64 = 100
    order_by: list[OrderValue] = []
    page_token: str = ""


@endpoint("POST", "logged-models")
def create_logged_model(context: Context, request: CreateLoggedModel) -> Answer:
    """Make a pending logged model."""
    made = context.services.logged_models.create(
        context.actor,
        context.project,
        NewLoggedModel(
            experiment_id=request.experiment_id,
            name=request.name or None,
            model_type=request.model_type or None,
            source_run_id=request.source_run_id or None,
            params=[param.entity() for param in request.params],
            tags=[tag.entity() for tag in request.tags],
        ),
    )
    return {"model": _on_wire(made)}


@endpoint("POST", "logged-models/search")
def search_logged_models(context: Context, request: SearchLoggedModels) -> Answer:
    """Answer a page of logged models."""
    page = context.services.logged_models.search(
        context.actor,
        context.project,
        LoggedModelQuery(
            experiment_ids=request.experiment_ids,
            filter=request.filter,
            datasets=[DatasetFilter(given.dataset_name, given.dataset_digest or None) for given in request.datasets],
            order_by=[_order(given) for given in request.order_by],
            max_results=request.max_results,
            page_token=request.page_token or None,
        ),
    )
    answer: dict[str, object] = {"models": [_on_wire(model) for model in page.items]}
    if page.next_page_token:
        answer["next_page_token"] = page.next_page_token
    return answer


@endpoint("GET", "logged-models/{model_id}")
def get_logged_model(context: Context, request: OfModel) -> Answer:
    """Answer one logged model."""
    return {"model": _on_wire(context.services.logged_models.get(context.actor, context.project, request.model_id))}


@endpoint("PATCH", "logged-models/{model_id}")
def finalize_logged_model(context: Context, request: FinalizeLoggedModel) -> Answer:
    """Say how the upload ended."""
    model = context.services.logged_models.finalize(
        context.actor, context.project, request.model_id, status=_status(request.status)
    )
    return {"model": _on_wire(model)}


@endpoint("DELETE", "logged-models/{model_id}")
def delete_logged_model(context: Context, request: OfModel) -> Answer:
    """Delete a logged model."""
    context.services.logged_models.delete(context.actor, context.project, request.model_id)
    return {}


@endpoint("PATCH", "logged-models/{model_id}/tags")
def set_logged_model_tags(context: Context, request: SetModelTags) -> Answer:
    """Set tags."""
    tags = [tag.entity() for tag in request.tags]
    model = context.services.logged_models.set_tags(context.actor, context.project, request.model_id, tags)
    return {"model": _on_wire(model)}


@endpoint("DELETE", "logged-models/{model_id}/tags/{tag_key}")
def delete_logged_model_tag(context: Context, request: DeleteModelTag) -> Answer:
    """Remove one tag."""
    context.services.logged_models.delete_tag(context.actor, context.project, request.model_id, request.tag_key)
    return {}


@endpoint("POST", "logged-models/{model_id}/params")
def log_logged_model_params(context: Context, request: LogModelParams) -> Answer:
    """Add params."""
    params = [param.entity() for param in request.params]
    context.services.logged_models.log_params(context.actor, context.project, request.model_id, params)
    return {}


def _order(given: OrderValue) -> MetricOrder:
    return MetricOrder(
        field_name=given.field_name,
        ascending=given.ascending,
        dataset_name=given.dataset_name or None,
        dataset_digest=given.dataset_digest or None,
    )


def _status(status: str | int) -> str:
    """Return our name of a status, given by MLflow's name or its number in protobuf."""
    if isinstance(status, int):
        if not 1 <= status <= len(MODEL_STATUSES):
            raise InvalidInput(f"Invalid model status {status}.")
        return MODEL_STATUSES[status - 1]
    return status.removeprefix(_PREFIX)


def _on_wire(model: LoggedModel) -> LoggedModel:
    """Return the model with its status as MLflow spells it."""
    info = msgspec.structs.replace(model.info, status=f"{_PREFIX}{model.info.status}")
    return LoggedModel(info, model.data)
