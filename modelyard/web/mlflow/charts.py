"""MLflow's endpoints for the charts and pickers of its own pages: histories of many runs, datasets of experiments."""

from __future__ import annotations

from typing import Any

from modelyard.core.errors import InvalidInput
from modelyard.core.tracking.entities import Metric, MetricWindow
from modelyard.core.tracking.sampling import FEWEST_POINTS
from modelyard.web.mlflow.decoding import Int64, Request, Required
from modelyard.web.mlflow.router import Answer, Context, endpoint

MOST_RUNS = 100
MOST_POINTS = 25_000
MOST_POINTS_OF_A_RUN = 2500


class GetHistoryBulk(Request, kw_only=True):
    """Fields of metrics/get-history-bulk."""

    run_id: list[str] = []
    metric_key: Required
    max_results: Int64 = MOST_POINTS


class GetHistoryBulkInterval(Request, kw_only=True):
    """Fields of metrics/get-history-bulk-interval."""

    run_ids: list[str] = []
    metric_key: Required
    start_step: Int64 | None = None
    end_step: Int64 | None = None
    max_results: Int64 = MOST_POINTS_OF_A_RUN

    def window(self) -> MetricWindow:
        """Return the steps that are asked for, or refuse them."""
        if (self.start_step is None) != (self.end_step is None):
            raise InvalidInput("If either start step or end step are specified, both must be specified.")
        if self.start_step is not None and self.end_step is not None and self.start_step > self.end_step:
            raise InvalidInput(
                "end_step must be greater than start_step. "
                f"Found start_step={self.start_step} and end_step={self.end_step}."
            )
        return MetricWindow(start_step=self.start_step, end_step=self.end_step)


class SearchDatasets(Request):
    """Fields of experiments/search-datasets."""

    experiment_ids: list[str] = []


@endpoint("GET", "metrics/get-history-bulk")
def get_history_bulk(context: Context, request: GetHistoryBulk) -> Answer:
    """Answer the points of one metric of many runs, by run."""
    run_ids = _run_ids("GetMetricHistoryBulk", "run_id", request.run_id)
    most = min(request.max_results, MOST_POINTS)
    points: list[dict[str, Any]] = []
    for run_id in sorted(set(run_ids)):
        if len(points) >= most:
            break
        points += _history(context, run_id, request.metric_key, most - len(points))
    return {"metrics": points}


def _history(context: Context, run_id: str, key: str, most: int) -> list[dict[str, Any]]:
    page = context.services.runs.metric_history(context.actor, context.project, run_id, key=key, max_results=most)
    ordered = sorted(page.items, key=lambda point: (point.timestamp_ms, point.step, float(point.value)))
    return [_point(point, run_id) for point in ordered]


@endpoint("GET", "metrics/get-history-bulk-interval")
def get_history_bulk_interval(context: Context, request: GetHistoryBulkInterval) -> Answer:
    """Answer points to draw one metric of many runs with: first, last, and what stands out in between."""
    run_ids = _run_ids("GetMetricHistoryBulkInterval", "run_ids", request.run_ids)
    if not 1 <= request.max_results <= MOST_POINTS_OF_A_RUN:
        raise InvalidInput(f"max_results must be between 1 and {MOST_POINTS_OF_A_RUN}.")
    found = context.services.runs.sample_metric(
        context.actor,
        context.project,
        run_ids,
        key=request.metric_key,
        max_points=max(request.max_results, FEWEST_POINTS),
        window=request.window(),
    )
    return {
        "metrics": [_point(point, run_id) for run_id in found for point in _at_most(found[run_id], request.max_results)]
    }


def _at_most(points: list[Metric], most: int) -> list[Metric]:
    """Cut a list that is too long, but for its last point."""
    return points if len(points) <= most else [*points[: most - 1], points[-1]]


def _point(point: Metric, run_id: str) -> dict[str, Any]:
    return {
        "key": point.key,
        "value": point.value,
        "timestamp": point.timestamp_ms,
        "step": point.step,
        "run_id": run_id,
    }


def _run_ids(name: str, field: str, run_ids: list[str]) -> list[str]:
    if not run_ids:
        raise InvalidInput(f"{name} request must specify at least one {field}.")
    if len(run_ids) > MOST_RUNS:
        raise InvalidInput(
            f"{name} request cannot specify more than {MOST_RUNS} run_ids. Received {len(run_ids)} run_ids."
        )
    return run_ids


@endpoint("POST", "experiments/search-datasets")
def search_datasets(context: Context, request: SearchDatasets) -> Answer:
    """Answer the datasets that runs of some experiments used."""
    found = context.services.runs.dataset_summaries(context.actor, context.project, request.experiment_ids)
    return {"dataset_summaries": found}
