"""MLflow's endpoints of runs."""

from __future__ import annotations

from modelyard.core.db import now_ms
from modelyard.core.errors import InvalidInput
from modelyard.core.tracking.entities import (
    DEFAULT_EXPERIMENT_ID,
    Dataset,
    DatasetInput,
    Metric,
    ModelInput,
    ModelOutput,
    NewRun,
    Page,
    Param,
    Query,
    Run,
    Tag,
)
from modelyard.web.mlflow.decoding import Int64, Request, Required
from modelyard.web.mlflow.router import Answer, Context, endpoint
from modelyard.web.mlflow.values import (
    MetricValue,
    ParamValue,
    TagValue,
    lifecycle_stages,
    page_answer,
    run_status,
)


class OfRun(Request):
    """A request that names a run, by either of two fields."""

    run_id: str = ""
    run_uuid: str = ""

    def run(self) -> str:
        """Return the run's id, or refuse the request."""
        found = self.run_id or self.run_uuid
        if not found:
            raise InvalidInput("Missing value for required parameter 'run_id'.")
        return found


class CreateRun(Request):
    """Fields of runs/create."""

    experiment_id: str = DEFAULT_EXPERIMENT_ID
    user_id: str = ""
    run_name: str = ""
    start_time: Int64 | None = None
    tags: list[TagValue] = []


class UpdateRun(OfRun):
    """Fields of runs/update."""

    status: str | int | None = None
    end_time: Int64 | None = None
    run_name: str = ""


class LogMetric(OfRun, kw_only=True):
    """Fields of runs/log-metric."""

    key: Required
    value: float
    timestamp: Int64
    step: Int64 = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""

    def metric(self) -> Metric:
        """Return the metric for the service."""
        return MetricValue(
            self.key, self.value, self.timestamp, self.step, self.model_id, self.dataset_name, self.dataset_digest
        ).entity()


class LogParam(OfRun, kw_only=True):
    """Fields of runs/log-parameter."""

    key: Required
    value: str = ""


class SetTag(OfRun, kw_only=True):
    """Fields of runs/set-tag."""

    key: Required
    value: str = ""


class DeleteTag(OfRun, kw_only=True):
    """Fields of runs/delete-tag."""

    key: Required


class LogBatch(OfRun):
    """Fields of runs/log-batch."""

    metrics: list[MetricValue] = []
    params: list[ParamValue] = []
    tags: list[TagValue] = []


class DatasetValue(Request):
    """A dataset in a request."""

    name: Required
    digest: Required
    source_type: str = ""
    source: str = ""
    schema: str | None = None
    profile: str | None = None


class DatasetInputValue(Request):
    """A dataset with its tags in a request."""

    dataset: DatasetValue
    tags: list[TagValue] = []

    def entity(self) -> DatasetInput:
        """Return it for the service."""
        given = self.dataset
        dataset = Dataset(given.name, given.digest, given.source_type, given.source, given.schema, given.profile)
        return DatasetInput(dataset, [tag.entity() for tag in self.tags])


class ModelInputValue(Request):
    """A logged model in a request."""

    model_id: Required


class ModelOutputValue(Request):
    """A logged model with a step in a request."""

    model_id: Required
    step: Int64 = 0


class LogInputs(OfRun):
    """Fields of runs/log-inputs."""

    datasets: list[DatasetInputValue] = []
    models: list[ModelInputValue] = []


class LogOutputs(OfRun):
    """Fields of runs/outputs."""

    models: list[ModelOutputValue] = []


class LogModel(OfRun, kw_only=True):
    """Fields of runs/log-model."""

    model_json: Required


class SearchRuns(Request):
    """Fields of runs/search."""

    experiment_ids: list[str] = []
    filter: str = ""
    run_view_type: str | int = "ACTIVE_ONLY"
    max_results: Int64 = 1000
    order_by: list[str] = []
    page_token: str = ""


@endpoint("POST", "runs/create")
def create_run(context: Context, request: CreateRun) -> Answer:
    """Make a run."""
    made = context.services.runs.create(
        context.actor,
        context.project,
        NewRun(
            experiment_id=request.experiment_id or DEFAULT_EXPERIMENT_ID,
            user_id=request.user_id,
            start_time_ms=now_ms() if request.start_time is None else request.start_time,
            name=request.run_name or None,
            tags=[tag.entity() for tag in request.tags],
        ),
    )
    return {"run": made}


@endpoint("GET", "runs/get")
def get_run(context: Context, request: OfRun) -> Answer:
    """Answer one run."""
    return {"run": context.services.runs.get(context.actor, context.project, request.run())}


@endpoint("POST", "runs/search")
def search_runs(context: Context, request: SearchRuns) -> Answer:
    """Answer a page of runs."""
    page: Page[Run] = context.services.runs.search(
        context.actor,
        context.project,
        Query(
            experiment_ids=request.experiment_ids,
            filter=request.filter,
            order_by=request.order_by,
            max_results=request.max_results,
            page_token=request.page_token or None,
            lifecycle_stages=lifecycle_stages(request.run_view_type),
        ),
    )
    return page_answer("runs", page)


@endpoint("POST", "runs/update")
def update_run(context: Context, request: UpdateRun) -> Answer:
    """Change a run's status, end or name."""
    info = context.services.runs.update(
        context.actor,
        context.project,
        request.run(),
        status=run_status(request.status),
        end_time_ms=request.end_time,
        name=request.run_name or None,
    )
    return {"run_info": info}


@endpoint("POST", "runs/delete")
def delete_run(context: Context, request: OfRun) -> Answer:
    """Delete a run."""
    context.services.runs.delete(context.actor, context.project, request.run())
    return {}


@endpoint("POST", "runs/restore")
def restore_run(context: Context, request: OfRun) -> Answer:
    """Bring a run back."""
    context.services.runs.restore(context.actor, context.project, request.run())
    return {}


@endpoint("POST", "runs/log-metric")
def log_metric(context: Context, request: LogMetric) -> Answer:
    """Log one value of a metric."""
    context.services.runs.log_metric(context.actor, context.project, request.run(), request.metric())
    return {}


@endpoint("POST", "runs/log-parameter")
def log_param(context: Context, request: LogParam) -> Answer:
    """Log one param."""
    param = Param(request.key, request.value)
    context.services.runs.log_param(context.actor, context.project, request.run(), param)
    return {}


@endpoint("POST", "runs/set-tag")
def set_tag(context: Context, request: SetTag) -> Answer:
    """Set one tag."""
    context.services.runs.set_tag(context.actor, context.project, request.run(), Tag(request.key, request.value))
    return {}


@endpoint("POST", "runs/delete-tag")
def delete_tag(context: Context, request: DeleteTag) -> Answer:
    """Remove one tag."""
    context.services.runs.delete_tag(context.actor, context.project, request.run(), request.key)
    return {}


@endpoint("POST", "runs/log-batch")
def log_batch(context: Context, request: LogBatch) -> Answer:
    """Log metrics, params and tags together."""
    context.services.runs.log_batch(
        context.actor,
        context.project,
        request.run(),
        metrics=[metric.entity() for metric in request.metrics],
        params=[param.entity() for param in request.params],
        tags=[tag.entity() for tag in request.tags],
    )
    return {}


@endpoint("POST", "runs/log-inputs")
def log_inputs(context: Context, request: LogInputs) -> Answer:
    """Note what a run used."""
    context.services.runs.log_inputs(
        context.actor,
        context.project,
        request.run(),
        datasets=[given.entity() for given in request.datasets],
        models=[ModelInput(given.model_id) for given in request.models],
    )
    return {}


@endpoint("POST", "runs/outputs")
def log_outputs(context: Context, request: LogOutputs) -> Answer:
    """Note what a run made."""
    models = [ModelOutput(given.model_id, given.step) for given in request.models]
    context.services.runs.log_outputs(context.actor, context.project, request.run(), models)
    return {}


@endpoint("POST", "runs/log-model")
def log_model(context: Context, request: LogModel) -> Answer:
    """Note a model the way clients before 3 do."""
    context.services.runs.log_model(context.actor, context.project, request.run(), request.model_json)
    return {}
