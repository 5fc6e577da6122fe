"""Verbs of metrics.

MLflow gives a history whole or by pages, in the order of time first, and its samples lose spikes. So a history is read
whole, put into our order and cut here: right, and slower than the tracker `sql` by the length of the history.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from modelyard.core.errors import TooLarge
from modelyard.core.tracking.entities import WHOLE_HISTORY, Metric, MetricSummary, MetricWindow, Page
from modelyard.core.tracking.paging import Offset, fingerprint, make_token, read_token
from modelyard.core.tracking.sampling import sample
from modelyard.plugins.mlflow.answers import points_of, rank
from modelyard.plugins.mlflow.batches import LoggingVerbs

READ_AT_ONCE = 25_000
MAX_POINTS = 1_000_000


class HistoryVerbs(LoggingVerbs):
    """Histories, samples and summaries of metrics of an MLflow server."""

    def metric_history(
        self,
        project_id: int,
        run_id: str,
        key: str,
        *,
        window: MetricWindow = WHOLE_HISTORY,
        max_results: int | None = None,
        page_token: str | None = None,
    ) -> Page[Metric]:
        """Cut the page out of the whole."""
        search = fingerprint(run_id, key, window)
        start = read_token(page_token, search, Offset)[0] if page_token else 0
        points = self._points(run_id, key, window)
        end = len(points) if max_results is None else start + max_results
        return Page(points[start:end], make_token(search, (end,)) if end < len(points) else None)

    def sample_metric(
        self,
        project_id: int,
        run_ids: Sequence[str],
        key: str,
        *,
        max_points: int,
        window: MetricWindow = WHOLE_HISTORY,
    ) -> dict[str, list[Metric]]:
        """Choose from each history."""
        return {
            run_id: sample(self._points(run_id, key, window), max_points, lambda point: float(point.value))
            for run_id in run_ids
        }

    def metric_summaries(self, project_id: int, run_ids: Sequence[str]) -> dict[str, list[MetricSummary]]:
        """Work them out from the history of each metric of each run."""
        return {run_id: self._summaries(project_id, run_id) for run_id in run_ids}

    def _summaries(self, project_id: int, run_id: str) -> list[MetricSummary]:
        metrics = self.get_run(project_id, run_id).data.metrics
        return [_summary(last, self._points(run_id, last.key, WHOLE_HISTORY)) for last in metrics]

    def _points(self, run_id: str, key: str, window: MetricWindow) -> list[Metric]:
        """Return the points of the window in our order; `TooLarge` for a history that is not to be held in memory."""
        self._scope.require_run(run_id)
        found: list[Metric] = []
        fields = {"run_id": run_id, "metric_key": key, "max_results": READ_AT_ONCE}
        for page in self._server.pages("metrics/get-history", fields, method="GET"):
            found += (point for point in points_of(page.get("metrics", ())) if _is_in(window, point))
            if len(found) > MAX_POINTS:
                raise TooLarge(
                    f"The metric {key!r} of the run {run_id} has more than {MAX_POINTS} points on the MLflow server.",
                    hint="Ask for a part of it by steps or times.",
                )
        return sorted(found, key=rank)


def _is_in(window: MetricWindow, point: Metric) -> bool:
    return (
        (window.start_step is None or point.step >= window.start_step)
        and (window.end_step is None or point.step <= window.end_step)
        and (window.start_time_ms is None or point.timestamp_ms >= window.start_time_ms)
        and (window.end_time_ms is None or point.timestamp_ms <= window.end_time_ms)
    )


def _summary(last: Metric, points: Sequence[Metric]) -> MetricSummary:
    numbers = [point for point in points if not math.isnan(float(point.value))]
    least = min(numbers, key=lambda point: float(point.value), default=None)
    greatest = max(numbers, key=lambda point: float(point.value), default=None)
    return MetricSummary(
        key=last.key,
        last=last.value,
        last_step=last.step,
        last_timestamp_ms=last.timestamp_ms,
        min=None if least is None else least.value,
        min_step=None if least is None else least.step,
        max=None if greatest is None else greatest.value,
        max_step=None if greatest is None else greatest.step,
        count=len(points),
    )
