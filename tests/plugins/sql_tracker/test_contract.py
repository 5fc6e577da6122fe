"""The built-in tracker: the kit, and what only our own database has."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import pytest

from modelyard.core import db
from modelyard.core.errors import AlreadyExists, Conflict
from modelyard.core.testing.tracker import TrackerContract
from modelyard.core.tracking.entities import Metric, NewLoggedModel, NewRun
from modelyard.core.tracking.models import Experiment, MetricPoint, MetricSeries, Run
from modelyard.plugins.sql_tracker.tracker import SqlTracker
from tests.factories import Factories


@pytest.fixture
def tracker(services: Any) -> SqlTracker:
    return SqlTracker({})


@pytest.fixture
def project_id(factories: Factories) -> int:
    return int(factories.project().id)


class TestContract(TrackerContract):
    @pytest.fixture
    def tracker(self, services: Any) -> SqlTracker:
        return SqlTracker({})

    @pytest.fixture
    def project_id(self, factories: Factories) -> int:
        return int(factories.project().id)

    @pytest.fixture
    def other_project_id(self, factories: Factories) -> int:
        return int(factories.project().id)


@pytest.fixture
def run_id(tracker: SqlTracker, project_id: int) -> str:
    run = NewRun(experiment_id="0", user_id="ada", start_time_ms=1)
    return tracker.create_run(project_id, run).info.run_id


def series(key: str = "m") -> Any:
    return MetricSeries.get(MetricSeries.key == key)


@pytest.mark.parametrize("size", [1, 150, 1000])
def test_the_summary_of_a_metric(tracker: SqlTracker, project_id: int, run_id: str, size: int) -> None:
    points = [Metric("m", float((step * 7919) % 1009), step, step) for step in range(1000)]
    for start in range(0, len(points), size):
        tracker.log_batch(project_id, run_id, metrics=points[start : start + size])
    found = series()
    assert (found.count, found.last_value, found.last_step) == (1000, points[-1].value, 999)
    least, greatest = min(points, key=lambda p: p.value), max(points, key=lambda p: p.value)
    assert (found.min_value, found.min_step) == (least.value, least.step)
    assert (found.max_value, found.max_step) == (greatest.value, greatest.step)
    assert MetricPoint.select().count() == 1000


def test_nan_is_in_no_summary_but_the_last(tracker: SqlTracker, project_id: int, run_id: str) -> None:
    tracker.log_batch(project_id, run_id, metrics=[Metric("m", math.nan, 1, 5)])
    assert (series().last_is_nan, series().min_value, series().max_step) == (1, None, None)
    tracker.log_batch(project_id, run_id, metrics=[Metric("m", 2.0, 1, 3), Metric("m", math.inf, 1, 4)])
    found = series()
    assert (found.last_is_nan, found.last_step, found.count) == (1, 5, 3)
    assert (found.min_value, found.min_step, found.max_value, found.max_step) == (2.0, 3, math.inf, 4)


@pytest.mark.parametrize("size", [3, 300])
def test_points_that_come_again_are_not_counted_again(
    tracker: SqlTracker, project_id: int, run_id: str, size: int
) -> None:
    batch = [Metric(key, 1.0, 1, step) for step in range(size) for key in ("m", "n")]
    tracker.log_batch(project_id, run_id, metrics=batch)
    tracker.log_batch(project_id, run_id, metrics=[*batch, Metric("m", 1.0, 1, size)])
    assert (series("m").count, series("n").count) == (size + 1, size)
    assert MetricPoint.select().count() == 2 * size + 1


def test_logging_moves_the_time_of_change(tracker: SqlTracker, project_id: int, run_id: str) -> None:
    Run.update(updated_at_ms=0).execute()
    tracker.log_batch(project_id, run_id, tags={"a": "b"})
    assert Run.get().updated_at_ms > 0


def test_numbers_of_experiments_are_never_used_again(tracker: SqlTracker, project_id: int) -> None:
    tracker.create_experiment(project_id, name="a")
    with pytest.raises(AlreadyExists):
        tracker.create_experiment(project_id, name="a")
    second = tracker.create_experiment(project_id, name="b")
    assert second.experiment_id == "2"
    Experiment.delete().where(Experiment.name == "b").execute()
    assert tracker.create_experiment(project_id, name="c").experiment_id == "3"


def test_deleting_a_project_takes_everything_along(tracker: SqlTracker, project_id: int, run_id: str) -> None:
    from modelyard.core.projects.models import Project

    model_id = tracker.create_logged_model(project_id, NewLoggedModel(experiment_id="0")).info.model_id
    tracker.log_batch(project_id, run_id, metrics=[Metric("m", 1.0, 1, 0, model_id=model_id)], params={"a": "b"})
    Project.delete().where(Project.id == project_id).execute()
    assert MetricPoint.select().count() == 0


def together(count: int, action: Callable[[int], None]) -> list[BaseException]:
    """Do it from several threads at once; return what went wrong."""
    errors: list[BaseException] = []
    start = threading.Barrier(count)

    def one(number: int) -> None:
        with db.connection():
            start.wait()
            try:
                action(number)
            except (Conflict, db.OperationalError) as error:
                errors.append(error)
        if not db.database.is_closed():
            db.database.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_writers_to_one_run_take_turns(tracker: SqlTracker, project_id: int, run_id: str) -> None:
    def write(number: int) -> None:
        for step in range(20):
            keys = ("a", "b", "c") if number % 2 else ("c", "b", "a")
            metrics = [Metric(key, float(number), 1, step * 10 + number) for key in keys]
            tracker.log_batch(project_id, run_id, metrics=metrics, tags={key: str(number) for key in keys})

    assert together(6, write) == []
    assert [found.count for found in MetricSeries.select()] == [120, 120, 120]
    assert [found.last_step for found in MetricSeries.select()] == [195, 195, 195]


def test_of_two_params_at_once_one_is_refused(tracker: SqlTracker, project_id: int, run_id: str) -> None:
    errors = together(4, lambda number: tracker.log_batch(project_id, run_id, params={"p": str(number)}))
    assert len(errors) == 3
    assert all(isinstance(error, Conflict) for error in errors)


def test_of_experiments_of_one_name_one_is_made(tracker: SqlTracker, project_id: int) -> None:
    def make(number: int) -> None:
        tracker.create_experiment(project_id, name="same")

    assert len(together(4, make)) == 3
    assert tracker.create_experiment(project_id, name="next").experiment_id == "2"
