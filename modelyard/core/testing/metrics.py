"""The part of the contract of `Tracker` that is about metrics."""

# ruff: noqa: D102, S101 - these are tests: their names say what they promise

from __future__ import annotations

import math
import sys
from typing import Any, ClassVar

import pytest

from modelyard.core.errors import NotFound
from modelyard.core.interfaces import Tracker
from modelyard.core.testing.tracker_cases import NO_RUN, NUMBERS, WINDOWS
from modelyard.core.tracking.entities import Metric, MetricSummary, MetricWindow, NewRun


def same(first: float, second: float) -> bool:
    """Equal, with NaN equal to itself."""
    return first == second or (math.isnan(first) and math.isnan(second))


class MetricContract:
    """Values by step and time: their histories, samples and summaries."""

    keeps_infinity: ClassVar[bool] = True
    """Whether infinities are kept; else they come back as the greatest and the least number."""

    def kept(self, number: float) -> float:
        """Return the number as it comes back."""
        if math.isinf(number) and not self.keeps_infinity:
            return math.copysign(sys.float_info.max, number)
        return number

    @staticmethod
    def new_run(tracker: Tracker, project_id: int, experiment_id: str = "0", start: int = 1, **more: Any) -> str:
        run = NewRun(experiment_id=experiment_id, user_id="ada", start_time_ms=start, **more)
        return tracker.create_run(project_id, run).info.run_id

    def test_numbers_come_back_as_they_went(self, tracker: Tracker, project_id: int, run_id: str) -> None:
        metrics = [Metric(f"k{index}", number, 2**53, -3) for index, number in enumerate(NUMBERS)]
        tracker.log_batch(project_id, run_id, metrics=metrics)
        last = tracker.get_run(project_id, run_id).data.metrics

        for number, metric in zip(NUMBERS, sorted(last, key=lambda metric: int(metric.key[1:])), strict=True):
            (point,) = tracker.metric_history(project_id, run_id, metric.key).items
            assert same(float(metric.value), self.kept(number))
            assert same(float(point.value), self.kept(number))
            assert (metric.timestamp_ms, metric.step) == (point.timestamp_ms, point.step) == (2**53, -3)

    def test_steps_and_times_have_64_bits(self, tracker: Tracker, project_id: int, run_id: str) -> None:
        extremes = [Metric("m", 1.0, 2**63 - 1, -(2**63)), Metric("m", 1.0, 0, 2**63 - 1)]
        tracker.log_batch(project_id, run_id, metrics=extremes)

        assert tracker.metric_history(project_id, run_id, "m").items == extremes

    @pytest.mark.parametrize("at_once", [True, False])
    def test_the_last_value_is_of_the_highest_step_time_and_value(
        self, tracker: Tracker, project_id: int, run_id: str, at_once: bool
    ) -> None:
        points = [(0, 100, 1000), (3, 40, 100), (3, 50, 10), (3, 50, 20), (3, 50, 20), (-3, 900, 900), (-1, 800, 800)]
        metrics = [Metric("m", float(value), when, step) for step, when, value in points]
        for batch in [metrics] if at_once else [[metric] for metric in metrics]:
            tracker.log_batch(project_id, run_id, metrics=batch)

        assert tracker.get_run(project_id, run_id).data.metrics == [Metric("m", 20.0, 50, 3)]
        assert len(tracker.metric_history(project_id, run_id, "m").items) == 6

    def test_a_history_comes_in_order_and_in_pages(self, tracker: Tracker, project_id: int, run_id: str) -> None:
        values = [math.inf, -math.inf, math.nan, 1.0, -1.0]
        metrics = [Metric("m", value, 7, step) for step in (2, -1, 0) for value in values]
        tracker.log_batch(project_id, run_id, metrics=metrics)
        whole = tracker.metric_history(project_id, run_id, "m")
        paged, token = [], None
        while page := tracker.metric_history(project_id, run_id, "m", max_results=4, page_token=token):
            paged += page.items
            token = page.next_page_token
            if token is None:
                break

        assert whole.next_page_token is None
        assert paged == whole.items
        assert [point.step for point in paged] == [-1] * 5 + [0] * 5 + [2] * 5
        ordered = [self.kept(-math.inf), -1.0, math.nan, 1.0, self.kept(math.inf)]
        assert all(same(float(point.value), number) for point, number in zip(paged[:5], ordered, strict=True))
        assert tracker.metric_history(project_id, run_id, "none").items == []

    def test_a_history_is_read_by_steps_and_times(self, tracker: Tracker, project_id: int, run_id: str) -> None:
        metrics = [Metric("m", float(step), 1000 - step, step) for step in range(10)]
        tracker.log_batch(project_id, run_id, metrics=metrics)
        for window, steps in WINDOWS:
            read = tracker.metric_history(project_id, run_id, "m", window=window)
            assert [point.step for point in read.items] == steps, window

        window = MetricWindow(start_step=2)
        first = tracker.metric_history(project_id, run_id, "m", window=window, max_results=3)
        second = tracker.metric_history(
            project_id, run_id, "m", window=window, max_results=3, page_token=first.next_page_token
        )
        assert [point.step for point in first.items + second.items] == [2, 3, 4, 5, 6, 7]

    def test_a_sample_keeps_ends_and_spikes(self, tracker: Tracker, project_id: int, run_id: str) -> None:
        spikes = {123: 99.0, 777: -99.0, 1500: math.inf}
        metrics = [Metric("m", spikes.get(step, math.sin(step / 50)), step, step) for step in range(2000)]
        for start in range(0, len(metrics), 1000):
            tracker.log_batch(project_id, run_id, metrics=metrics[start : start + 1000])
        other = self.new_run(tracker, project_id)
        tracker.log_batch(project_id, other, metrics=metrics[:3])
        nothing = self.new_run(tracker, project_id)

        found = tracker.sample_metric(project_id, [run_id, other, nothing], "m", max_points=100)
        steps = [point.step for point in found[run_id]]
        assert 50 < len(steps) <= 100
        assert steps == sorted(set(steps))
        assert {0, 1999, *spikes} <= set(steps)
        values = {float(point.value) for point in found[run_id] if point.step in spikes}
        assert values == {self.kept(value) for value in spikes.values()}
        assert [point.step for point in found[other]] == [0, 1, 2]
        assert found[nothing] == []

        window = MetricWindow(start_step=700, end_step=1400)
        (part,) = tracker.sample_metric(project_id, [run_id], "m", max_points=50, window=window).values()
        assert (part[0].step, part[-1].step) == (700, 1400)
        assert 777 in [point.step for point in part]
        assert 25 < len(part) <= 50
        with pytest.raises(NotFound):
            tracker.sample_metric(project_id, [NO_RUN], "m", max_points=50)

    def test_a_sample_is_right_whatever_the_order_of_logging(
        self, tracker: Tracker, project_id: int, run_id: str
    ) -> None:
        metrics = [Metric("m", 50.0 if step == 404 else step / 1000, 1, step) for step in range(1000)]
        for start in (500, 0):
            tracker.log_batch(project_id, run_id, metrics=metrics[start : start + 500])
            tracker.log_batch(project_id, run_id, metrics=metrics[start : start + 300])
        for step in range(1000, 1010):
            tracker.log_batch(project_id, run_id, metrics=[Metric("m", -float(step), 1, step)])

        (points,) = tracker.sample_metric(project_id, [run_id], "m", max_points=40).values()
        steps = [point.step for point in points]
        assert {0, 404, 1009} <= set(steps)
        assert steps == sorted(set(steps))
        assert len(steps) <= 40

    def test_summaries_hold_last_least_greatest_and_count(self, tracker: Tracker, project_id: int, run_id: str) -> None:
        values = [3.0, 1.0, math.nan, 5.0, 1.0, 2.0]
        tracker.log_batch(
            project_id, run_id, metrics=[Metric("m", value, step, step) for step, value in enumerate(values)]
        )
        tracker.log_batch(project_id, run_id, metrics=[Metric("m", 3.0, 0, 0), Metric("n", math.nan, 7, 1)])
        empty = self.new_run(tracker, project_id)

        found = tracker.metric_summaries(project_id, [run_id, empty])
        assert found == {
            run_id: [
                MetricSummary("m", 2.0, 5, 5, 1.0, 1, 5.0, 3, 6),
                MetricSummary("n", "NaN", 1, 7, None, None, None, None, 1),
            ],
            empty: [],
        }
        with pytest.raises(NotFound):
            tracker.metric_summaries(project_id, [NO_RUN])

    def test_the_same_point_again_is_one(self, tracker: Tracker, project_id: int, run_id: str) -> None:
        metrics = [Metric("m", value, 1, step) for step in range(200) for value in (0.5, math.nan)]
        tracker.log_batch(project_id, run_id, metrics=metrics)
        tracker.log_batch(project_id, run_id, metrics=metrics[:300])
        tracker.log_batch(project_id, run_id, metrics=[*metrics[:2], Metric("m", 0.5, 1, 500)])

        assert len(tracker.metric_history(project_id, run_id, "m").items) == 401

    def test_runs_that_were_logged_to_are_told_where_the_tracker_can(
        self, tracker: Tracker, project_id: int, other_project_id: int
    ) -> None:
        run_ids = [self.new_run(tracker, project_id) for _ in range(3)]
        self.new_run(tracker, other_project_id)
        found = tracker.changed_runs(project_id, 0, limit=10)
        if found is None:
            return  # it cannot tell, and may say so
        assert {run.run_id for run in found} == set(run_ids)
        assert {run.experiment_id for run in found} == {"0"}
        newest = max(run.updated_at_ms for run in found)
        assert tracker.changed_runs(project_id, newest + 1, limit=10) == []
        tracker.log_batch(project_id, run_ids[0], metrics=[Metric("m", 1.0, 1, 0)])
        again = tracker.changed_runs(project_id, newest, limit=1) or []
        assert [run.updated_at_ms >= newest for run in again] == [True]
