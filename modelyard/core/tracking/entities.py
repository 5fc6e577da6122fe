"""What trackers take and return: plain values, the same whichever tracker a project has.

Encoded by msgspec they have MLflow's field names, so the MLflow wire sends them as they are; fields that are None are
left out. Times are integer milliseconds. A metric's value is a number, or one of the names "NaN", "Infinity" and
"-Infinity", which JSON has no numbers for; `float()` reads both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

from msgspec import Struct

T = TypeVar("T")

Number = float | str

RUN_STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
ENDED_STATUSES = frozenset({"FINISHED", "FAILED", "KILLED"})
MODEL_STATUSES = ("PENDING", "READY", "UPLOAD_FAILED")
LIFECYCLE_STAGES = ("active", "deleted")
DEFAULT_EXPERIMENT_ID = "0"
RUN_NAME_TAG = "mlflow.runName"
CONTEXT_TAG = "mlflow.data.context"
PARENT_TAG = "mlflow.parentRunId"
NOTE_TAG = "mlflow.note.content"


def as_number(value: float, is_nan: int = 0) -> Number:
    """Return the value as it goes into JSON."""
    if is_nan:
        return "NaN"
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


class Entity(Struct, omit_defaults=True, rename={"start_time_ms": "start_time", "end_time_ms": "end_time"}):
    """What all entities share: None is left out of JSON."""


class Tag(Entity):
    """A label that may change."""

    key: str
    value: str


class Param(Entity):
    """An input of a run that stays as it was logged."""

    key: str
    value: str


class Metric(Entity, rename={"timestamp_ms": "timestamp"}):
    """One value of a metric; the last four say on what it was measured, where that is known."""

    key: str
    value: Number
    timestamp_ms: int
    step: int
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None
    run_id: str | None = None


class MetricSummary(Entity, omit_defaults=False):
    """A metric of a run without its points.

    `last` is of the highest step, time and value. `min` and `max` leave NaN out and are None where all is NaN; their
    steps are where each was reached first. `count` counts the points.
    """

    key: str
    last: Number
    last_step: int
    last_timestamp_ms: int
    min: Number | None
    min_step: int | None
    max: Number | None
    max_step: int | None
    count: int


class MetricWindow(Struct, frozen=True, kw_only=True):
    """A part of a history; both ends of both ranges are in it, None is no bound."""

    start_step: int | None = None
    end_step: int | None = None
    start_time_ms: int | None = None
    end_time_ms: int | None = None


WHOLE_HISTORY = MetricWindow()


class Experiment(Entity, rename={"created_at_ms": "creation_time", "updated_at_ms": "last_update_time"}):
    """A named group of runs; `experiment_id` is its number within the project, as text."""

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    created_at_ms: int
    updated_at_ms: int
    tags: list[Tag]


class RunInfo(Entity):
    """A run without what it logged. `run_uuid` repeats the id for MLflow clients before 3."""

    run_id: str
    run_name: str
    experiment_id: str
    user_id: str
    status: str
    artifact_uri: str
    lifecycle_stage: str
    start_time_ms: int | None = None
    end_time_ms: int | None = None
    run_uuid: str = ""

    def __post_init__(self) -> None:
        """Fill the repeated id in."""
        self.run_uuid = self.run_id


class RunData(Entity):
    """What a run logged: the last value of each metric, params and tags, each by key."""

    metrics: list[Metric]
    params: list[Param]
    tags: list[Tag]


class Dataset(Entity):
    """Data by name and digest."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None


class DatasetInput(Entity):
    """A dataset and what it was used as."""

    dataset: Dataset
    tags: list[Tag]


class ModelInput(Entity):
    """A logged model that a run used."""

    model_id: str


class ModelOutput(Entity):
    """A logged model that a run made."""

    model_id: str
    step: int


class RunInputs(Entity):
    """All that a run used."""

    dataset_inputs: list[DatasetInput]
    model_inputs: list[ModelInput]


class RunOutputs(Entity):
    """All that a run made."""

    model_outputs: list[ModelOutput]


class Run(Entity):
    """A run with everything about it."""

    info: RunInfo
    data: RunData
    inputs: RunInputs
    outputs: RunOutputs


class LoggedModelInfo(
    Entity, rename={"created_at_ms": "creation_timestamp_ms", "updated_at_ms": "last_updated_timestamp_ms"}
):
    """A logged model without its numbers; `status` is one of `MODEL_STATUSES`."""

    model_id: str
    experiment_id: str
    name: str
    status: str
    artifact_uri: str
    created_at_ms: int
    updated_at_ms: int
    tags: list[Tag]
    model_type: str | None = None
    source_run_id: str | None = None


class LoggedModelData(Entity):
    """What is known of a logged model by key."""

    params: list[Param]
    metrics: list[Metric]


class LoggedModel(Entity):
    """A logged model with everything about it."""

    info: LoggedModelInfo
    data: LoggedModelData


class RunChange(Struct):
    """A run, and when something was last logged or done to it."""

    run_id: str
    experiment_id: str
    updated_at_ms: int


class Page(Struct, Generic[T]):
    """Some of a list, and where the next part begins; None at the end."""

    items: list[T]
    next_page_token: str | None = None


class Change(NamedTuple, Generic[T]):
    """A thing before and after what was done to it."""

    before: T
    after: T


class NewRun(Struct, kw_only=True):
    """What a run begins with; the tracker makes up a name where there is none."""

    experiment_id: str
    user_id: str
    start_time_ms: int
    name: str | None = None
    tags: Sequence[Tag] = ()


class NewLoggedModel(Struct, kw_only=True):
    """What a logged model begins with; the tracker makes up a name where there is none."""

    experiment_id: str
    name: str | None = None
    model_type: str | None = None
    source_run_id: str | None = None
    params: Sequence[Param] = ()
    tags: Sequence[Tag] = ()


class Query(Struct, kw_only=True):
    """A search in MLflow's filter language; `experiment_ids` None is all of the project."""

    filter: str = ""
    order_by: Sequence[str] = ()
    max_results: int = 1000
    page_token: str | None = None
    experiment_ids: Sequence[str] | None = None
    lifecycle_stages: Sequence[str] = ("active",)


class DatasetSummary(Struct, frozen=True, omit_defaults=True):
    """A dataset as the runs of an experiment used it; `context` is the tag ``mlflow.data.context``, None without."""

    experiment_id: str
    name: str
    digest: str
    context: str | None = None


def summaries_of(run: Run) -> Iterator[DatasetSummary]:
    """Yield what a run says of the datasets that it used."""
    for given in run.inputs.dataset_inputs:
        context = next((tag.value for tag in given.tags if tag.key == CONTEXT_TAG), None)
        yield DatasetSummary(run.info.experiment_id, given.dataset.name, given.dataset.digest, context)


class DatasetFilter(Struct):
    """Narrows metrics to those measured on a dataset."""

    dataset_name: str
    dataset_digest: str | None = None


class MetricOrder(Struct, kw_only=True):
    """One key to order logged models by: an attribute, or ``metrics.<key>`` on a dataset."""

    field_name: str
    ascending: bool = True
    dataset_name: str | None = None
    dataset_digest: str | None = None


class LoggedModelQuery(Struct, kw_only=True):
    """A search for logged models."""

    experiment_ids: Sequence[str]
    filter: str = ""
    datasets: Sequence[DatasetFilter] = ()
    order_by: Sequence[MetricOrder] = ()
    max_results: int = 100
    page_token: str | None = None
