"""What MLflow's server answers, as Modelyard's entities: the names are the same, but empty fields are left out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from modelyard.core.errors import PluginContractError
from modelyard.core.tracking.entities import (
    DatasetInput,
    Experiment,
    LoggedModel,
    LoggedModelData,
    LoggedModelInfo,
    Metric,
    ModelInput,
    ModelOutput,
    Param,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
    Tag,
    as_number,
)

T = TypeVar("T")
Raw = Mapping[str, Any]
STATUS_PREFIX = "LOGGED_MODEL_"

VIEWS = {("active",): "ACTIVE_ONLY", ("deleted",): "DELETED_ONLY", ("active", "deleted"): "ALL"}


def view_type(lifecycle_stages: Sequence[str]) -> str:
    """Return MLflow's word for these stages."""
    return VIEWS[tuple(sorted(set(lifecycle_stages)))]


def experiment_of(raw: Raw) -> Experiment:
    """Return an experiment."""
    defaults = {"creation_time": 0, "last_update_time": raw.get("creation_time", 0), "artifact_location": ""}
    return _made({**defaults, **raw, "tags": _by_key(raw.get("tags", ()))}, Experiment)


def run_of(raw: Raw) -> Run:
    """Return a run, its metrics, params and tags by key."""
    data, inputs, outputs = (raw.get(part, {}) for part in ("data", "inputs", "outputs"))
    return Run(
        info=info_of(raw["info"]),
        data=RunData(
            metrics=[last_value(metric) for metric in _made(_by_key(data.get("metrics", ())), list[Metric])],
            params=_made(_by_key({"value": "", **param} for param in data.get("params", ())), list[Param]),
            tags=_made(_by_key({"value": "", **tag} for tag in data.get("tags", ())), list[Tag]),
        ),
        inputs=RunInputs(
            [_made({"tags": [], **given}, DatasetInput) for given in inputs.get("dataset_inputs", ())],
            _made(inputs.get("model_inputs", []), list[ModelInput]),
        ),
        outputs=RunOutputs(
            [_made({"step": 0, **made}, ModelOutput) for made in outputs.get("model_outputs", ())],
        ),
    )


def info_of(raw: Raw) -> RunInfo:
    """Return a run without what it logged."""
    return _made({"run_name": "", "user_id": "", "artifact_uri": "", **raw}, RunInfo)


def last_value(metric: Metric) -> Metric:
    """Return a run's last value of a metric as a tracker of ours has it: without the model it was measured on."""
    return Metric(metric.key, metric.value, metric.timestamp_ms, metric.step)


def points_of(raw: Sequence[Raw]) -> list[Metric]:
    """Return the points of one metric."""
    return [last_value(metric) for metric in _made([{"step": 0, **point} for point in raw], list[Metric])]


def model_of(raw: Raw) -> LoggedModel:
    """Return a logged model, what is known of it by key."""
    info, data = raw["info"], raw.get("data", {})
    status = str(info.get("status", "")).removeprefix(STATUS_PREFIX)
    defaults = {"name": "", "artifact_uri": "", "last_updated_timestamp_ms": info.get("creation_timestamp_ms", 0)}
    metrics = [{"step": 0, **metric} for metric in data.get("metrics", ())]
    return LoggedModel(
        _made(
            {**defaults, **info, "status": status, "tags": _by_key(info.get("tags", ()))}
            | {name: info.get(name) or None for name in ("model_type", "source_run_id")},
            LoggedModelInfo,
        ),
        LoggedModelData(
            params=_made(_by_key({"value": "", **param} for param in data.get("params", ())), list[Param]),
            metrics=sorted(_made(metrics, list[Metric]), key=lambda m: (m.key, m.step, m.timestamp_ms)),
        ),
    )


def given_metric(metric: Metric) -> dict[str, Any]:
    """Return a point as MLflow takes it."""
    fields = {
        "key": metric.key,
        "value": as_number(float(metric.value)),
        "timestamp": metric.timestamp_ms,
        "step": metric.step,
        "model_id": metric.model_id,
        "dataset_name": metric.dataset_name,
        "dataset_digest": metric.dataset_digest,
    }
    return {key: value for key, value in fields.items() if value is not None}


def pairs(values: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Return params or tags as MLflow takes them."""
    return [{"key": key, "value": value} for key, value in (values or {}).items()]


def rank(metric: Metric) -> tuple[int, int, float]:
    """Return what orders the points of a metric; NaN counts as 0, as it does in MLflow's own comparison."""
    value = float(metric.value)
    return metric.step, metric.timestamp_ms, 0.0 if math.isnan(value) else value


def _by_key(items: Any) -> list[Any]:
    return sorted(items, key=lambda item: str(item["key"]))


def _made(raw: Any, cls: type[T]) -> T:
    """Make entities; numbers may come as texts."""
    try:
        return msgspec.convert(raw, cls, strict=False)
    except msgspec.ValidationError as error:
        raise PluginContractError(f"The MLflow server's answer cannot be understood: {error}") from None
