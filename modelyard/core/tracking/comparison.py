"""What runs have in common and what not: pure functions over runs and the summaries of their metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from modelyard.core.tracking.entities import MetricSummary, Number, Run

DIRECTIONS = ("max", "min")
ATTRIBUTES = ("run_name", "status", "user_id", "start_time_ms", "end_time_ms", "experiment_id", "lifecycle_stage")


class ComparedValue(Struct):
    """A param, tag or attribute of all runs, None for those without it; a lack is a difference as well."""

    key: str
    differs: bool
    values: list[Any]


class ComparedMetric(Struct):
    """A metric of all runs, None for those without it.

    `best` has, where it was said whether more or less is better, the runs with the best last value and with the best
    value that any point has: `{"last": [...], "max": [...]}`. NaN is never the best; runs that tie are all named.
    """

    key: str
    differs: bool
    values: list[MetricSummary | None]
    best: dict[str, list[str]]


class ComparedDataset(Struct):
    """A dataset, and for each run the contexts that it was used in, such as training; None where it was not."""

    name: str
    digest: str
    differs: bool
    values: list[list[str] | None]


class Comparison(Struct):
    """Runs side by side; the values of each row are in the order of `run_ids`, rows that differ come first."""

    run_ids: list[str]
    attributes: list[ComparedValue]
    params: list[ComparedValue]
    tags: list[ComparedValue]
    metrics: list[ComparedMetric]
    datasets: list[ComparedDataset]


def compare(
    runs: Sequence[Run], summaries: Mapping[str, Sequence[MetricSummary]], directions: Mapping[str, str] | None = None
) -> Comparison:
    """Lay runs side by side; `directions` says of metrics whether the ``max`` or the ``min`` is the best."""
    return Comparison(
        run_ids=[run.info.run_id for run in runs],
        attributes=[_row(name, [getattr(run.info, name) for run in runs]) for name in ATTRIBUTES],
        params=_rows([{param.key: param.value for param in run.data.params} for run in runs]),
        tags=_rows([{tag.key: tag.value for tag in run.data.tags} for run in runs]),
        metrics=_metrics([run.info.run_id for run in runs], summaries, directions or {}),
        datasets=_datasets(runs),
    )


def _rows(given: Sequence[Mapping[str, str]]) -> list[ComparedValue]:
    keys = sorted({key for values in given for key in values})
    rows = [_row(key, [values.get(key) for values in given]) for key in keys]
    return sorted(rows, key=lambda row: not row.differs)


def _row(key: str, values: list[Any]) -> ComparedValue:
    return ComparedValue(key, _differ(values), values)


def _differ(values: Iterable[Any]) -> bool:
    first, *others = values
    return any(value != first for value in others)


def _metrics(
    run_ids: Sequence[str], summaries: Mapping[str, Sequence[MetricSummary]], directions: Mapping[str, str]
) -> list[ComparedMetric]:
    by_key = [{summary.key: summary for summary in summaries.get(run_id, ())} for run_id in run_ids]
    rows = []
    for key in sorted({key for known in by_key for key in known}):
        values = [known.get(key) for known in by_key]
        differs = _differ(None if value is None else value.last for value in values)
        best = _best(run_ids, values, directions[key]) if key in directions else {}
        rows.append(ComparedMetric(key, differs, values, best))
    return sorted(rows, key=lambda row: not row.differs)


def _best(run_ids: Sequence[str], values: Sequence[MetricSummary | None], direction: str) -> dict[str, list[str]]:
    return {
        which: _leaders(run_ids, [None if value is None else getattr(value, which) for value in values], direction)
        for which in ("last", direction)
    }


def _leaders(run_ids: Sequence[str], values: Sequence[Number | None], direction: str) -> list[str]:
    numbers = [math.nan if value is None else float(value) for value in values]
    known = [number for number in numbers if not math.isnan(number)]
    if not known:
        return []
    best = max(known) if direction == "max" else min(known)
    return [run_id for run_id, number in zip(run_ids, numbers, strict=True) if number == best]


def _datasets(runs: Sequence[Run]) -> list[ComparedDataset]:
    uses: list[dict[tuple[str, str], list[str]]] = []
    for run in runs:
        mine: dict[tuple[str, str], list[str]] = {}
        for used in run.inputs.dataset_inputs:
            contexts = [tag.value for tag in used.tags if tag.key == "mlflow.data.context"]
            mine.setdefault((used.dataset.name, used.dataset.digest), []).extend(contexts)
        uses.append(mine)
    rows = [
        ComparedDataset(name, digest, _differ(values := [mine.get((name, digest)) for mine in uses]), values)
        for name, digest in sorted({dataset for mine in uses for dataset in mine})
    ]
    return sorted(rows, key=lambda row: not row.differs)
