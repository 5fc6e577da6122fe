"""What may be logged: lengths, counts and characters, as MLflow has them, and how a refusal reads.

Values of params and tags that are too long are cut, as MLflow's server does; everything else that is too long is
refused.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence

from modelyard.core.errors import InvalidInput
from modelyard.core.tracking.entities import DatasetInput, Metric, Param, Tag
from modelyard.core.tracking.sampling import FEWEST_POINTS

MAX_KEY_LENGTH = 250
MAX_PARAM_VALUE_LENGTH = 6000
MAX_TAG_VALUE_LENGTH = 8000
MAX_EXPERIMENT_NAME_LENGTH = 500
MAX_MODEL_NAME_LENGTH = 500
MAX_ID_LENGTH = 256
MAX_EXPERIMENT_TAG_VALUE_LENGTH = 20_000
MAX_ARTIFACT_LOCATION_LENGTH = 2048
MAX_METRICS_PER_BATCH = 1000
MAX_PARAMS_PER_BATCH = 100
MAX_TAGS_PER_BATCH = 100
MAX_ENTITIES_PER_BATCH = 1000
MAX_DATASETS_PER_BATCH = 1000
MAX_VALUES = 1000
MAX_METRIC_NAMES_BYTES = 2500
MAX_RESULTS = 50_000
MAX_EXPERIMENTS_PER_SEARCH = 10_000
MAX_EXPERIMENTS_SUMMARIZED = 20
MAX_DATASET_SUMMARIES = 1000
MAX_RUNS_AT_ONCE = 200
MAX_SAMPLED_POINTS = 50_000
MAX_DATASET_NAME_LENGTH = 500
MAX_DATASET_DIGEST_LENGTH = 36
MAX_DATASET_SOURCE_LENGTH = 65_535
MAX_DATASET_SCHEMA_LENGTH = 1_048_575
MAX_DATASET_PROFILE_LENGTH = 16_777_215
MAX_DATASET_SOURCE_TYPE_LENGTH = 255
MAX_INPUT_TAG_KEY_LENGTH = 255
MAX_INPUT_TAG_VALUE_LENGTH = 500
INT64 = range(-(2**63), 2**63)
LEAST_INT64, MOST_INT64 = INT64[0], INT64[-1]

_KEY = re.compile(r"[/\w.\- :]*")
_FORBIDDEN_IN_MODEL_NAMES = "/:.%\"'"


def check_length(what: str, value: str, limit: int) -> str:
    """Return the value, or refuse one of more than `limit` characters."""
    if len(value) > limit:
        raise InvalidInput(f"{what} exceeds the maximum length of {limit} characters: it has {len(value)}.")
    return value


def check_key(what: str, key: str) -> str:
    """Return the key of a metric, param or tag, or refuse it."""
    if not key or _KEY.fullmatch(key) is None:
        raise InvalidInput(
            f"Invalid value {key!r} for parameter '{what}'.",
            hint="Keys may only contain letters, digits, '_', '-', '.', ' ', ':' and '/'.",
        )
    if posixpath.normpath(key) != key or key == "." or key.startswith(("..", "/")):
        raise InvalidInput(
            f"Invalid value {key!r} for parameter '{what}'.", hint="Keys must not read as another path or leave theirs."
        )
    return check_length(what, key, MAX_KEY_LENGTH)


def check_params(params: Iterable[Param]) -> dict[str, str]:
    """Return values by key; refuses a key that comes twice with different values."""
    values: dict[str, str] = {}
    for param in params:
        value = param.value[:MAX_PARAM_VALUE_LENGTH]
        if values.setdefault(check_key("params.key", param.key), value) != value:
            raise InvalidInput(f"Duplicate parameter key {param.key!r} with different values in one request.")
    return _few(values, "params")


def check_tags(tags: Iterable[Tag]) -> dict[str, str]:
    """Return values by key; of a key that comes twice the later counts."""
    return _few({check_key("tags.key", tag.key): tag.value[:MAX_TAG_VALUE_LENGTH] for tag in tags}, "tags")


def check_experiment_tags(tags: Iterable[Tag]) -> dict[str, str]:
    """Return values by key; a long value is refused, not cut."""
    values = {
        check_key("tags.key", tag.key): check_length("tags.value", tag.value, MAX_EXPERIMENT_TAG_VALUE_LENGTH)
        for tag in tags
    }
    return _few(values, "tags")


def _few(values: dict[str, str], what: str) -> dict[str, str]:
    if len(values) > MAX_VALUES:
        raise InvalidInput(f"A request can contain at most {MAX_VALUES} {what}. Got {len(values)}.")
    return values


def check_metrics(metrics: Sequence[Metric]) -> None:
    """Refuse a bad key, a time before 1970, and what does not fit into 64 bits."""
    checked: set[str] = set()
    for metric in metrics:
        if metric.key not in checked:
            checked.add(check_key("metrics.key", metric.key))
        if metric.model_id:
            _check_metric_names(metric)
        if not 0 <= metric.timestamp_ms <= MOST_INT64:
            raise InvalidInput(
                f"Invalid value {metric.timestamp_ms} for parameter 'timestamp' of metric {metric.key!r}:"
                " it must be a nonnegative 64-bit integer."
            )
        if not LEAST_INT64 <= metric.step <= MOST_INT64:
            raise InvalidInput(
                f"Invalid value {metric.step} for parameter 'step' of metric {metric.key!r}:"
                " it must be a 64-bit integer."
            )


def _check_metric_names(metric: Metric) -> None:
    """Refuse names that together are longer than a row of an index."""
    names = f"{metric.key}{metric.dataset_name or ''}{metric.dataset_digest or ''}"
    if len(names.encode()) > MAX_METRIC_NAMES_BYTES:
        raise InvalidInput(
            f"The key, dataset_name and dataset_digest of a metric have more than {MAX_METRIC_NAMES_BYTES} bytes"
            " together."
        )


def check_batch(metrics: Sequence[Metric], params: Sequence[Param], tags: Sequence[Tag]) -> None:
    """Refuse a batch of too many things, naming the limit."""
    for what, limit, count in (
        ("metrics", MAX_METRICS_PER_BATCH, len(metrics)),
        ("params", MAX_PARAMS_PER_BATCH, len(params)),
        ("tags", MAX_TAGS_PER_BATCH, len(tags)),
        ("metrics, params, and tags", MAX_ENTITIES_PER_BATCH, len(metrics) + len(params) + len(tags)),
    ):
        if count > limit:
            raise InvalidInput(
                f"A batch logging request can contain at most {limit} {what}. Got {count} {what}.",
                hint=f"Split the {what} across several requests.",
            )


def check_experiment_name(name: str) -> str:
    """Return the name of an experiment, or refuse it."""
    if not name.strip():
        raise InvalidInput(f"Invalid experiment name {name!r}: it must not be empty.")
    return check_length("name", name, MAX_EXPERIMENT_NAME_LENGTH)


def check_model_name(name: str) -> str:
    """Return the name of a logged model, or refuse it."""
    if not name or any(character in name for character in _FORBIDDEN_IN_MODEL_NAMES):
        raise InvalidInput(
            f"Invalid model name {name!r}.", hint=f"It must not be empty nor contain any of {_FORBIDDEN_IN_MODEL_NAMES}"
        )
    return check_length("name", name, MAX_MODEL_NAME_LENGTH)


def check_artifact_location(location: str) -> str:
    """Return where an experiment's artifacts go, or refuse it. What lies elsewhere is the client's own affair."""
    check_length("artifact_location", location, MAX_ARTIFACT_LOCATION_LENGTH)
    unsafe = ".." in location.split("/") or not location.isprintable() or any(mark in location for mark in "#?\\")
    if unsafe or location.strip("/") == "mlflow-artifacts:":
        raise InvalidInput(
            f"Invalid artifact location {location!r}.",
            hint="Leave it out to keep artifacts on this server; it must have no '..', '#', '?' or backslash.",
        )
    return location.rstrip("/")


def check_dataset_inputs(inputs: Sequence[DatasetInput]) -> None:
    """Refuse datasets that are too many, or too long in any part."""
    if len(inputs) > MAX_DATASETS_PER_BATCH:
        raise InvalidInput(f"A request can log at most {MAX_DATASETS_PER_BATCH} datasets. Got {len(inputs)}.")
    for given in inputs:
        dataset = given.dataset
        for what, value, limit in (
            ("dataset.name", dataset.name, MAX_DATASET_NAME_LENGTH),
            ("dataset.digest", dataset.digest, MAX_DATASET_DIGEST_LENGTH),
            ("dataset.source_type", dataset.source_type, MAX_DATASET_SOURCE_TYPE_LENGTH),
            ("dataset.source", dataset.source, MAX_DATASET_SOURCE_LENGTH),
            ("dataset.schema", dataset.schema or "", MAX_DATASET_SCHEMA_LENGTH),
            ("dataset.profile", dataset.profile or "", MAX_DATASET_PROFILE_LENGTH),
        ):
            check_length(what, value, limit)
        for tag in given.tags:
            check_length("dataset tag key", tag.key, MAX_INPUT_TAG_KEY_LENGTH)
            check_length("dataset tag value", tag.value, MAX_INPUT_TAG_VALUE_LENGTH)


def check_max_results(value: int) -> int:
    """Return how many things a page may have, or refuse it."""
    if not 1 <= value <= MAX_RESULTS:
        raise InvalidInput(f"Invalid value {value} for parameter 'max_results': it must be from 1 to {MAX_RESULTS}.")
    return value


def check_few_runs(run_ids: Sequence[str]) -> None:
    """Refuse more runs than are compared at once."""
    if len(run_ids) > MAX_RUNS_AT_ONCE:
        raise InvalidInput(f"At most {MAX_RUNS_AT_ONCE} runs can be asked for at once. Got {len(run_ids)}.")


def check_sample(run_ids: Sequence[str], max_points: int) -> None:
    """Refuse too many runs, and a count of points that draws no curve or is no sample."""
    check_few_runs(run_ids)
    if not FEWEST_POINTS <= max_points <= MAX_SAMPLED_POINTS:
        raise InvalidInput(
            f"Invalid value {max_points} for parameter 'max_points':"
            f" it must be from {FEWEST_POINTS} to {MAX_SAMPLED_POINTS}."
        )


def parse_experiment_id(experiment_id: str) -> int:
    """Return the number within the project that the id stands for, or refuse it."""
    if not (experiment_id.isascii() and experiment_id.isdigit()) or len(experiment_id) > 18:
        raise InvalidInput(f"Invalid experiment ID {experiment_id!r}: it must be a number.")
    return int(experiment_id)
