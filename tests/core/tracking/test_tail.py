"""Live tails: whoever follows a metric has, in the end, what its history has, in whatever order its points came."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from modelyard.core.bootstrap import Services
from modelyard.core.identity.actor import Actor
from modelyard.core.projects.models import Project
from modelyard.core.tracking.entities import Metric, NewRun
from modelyard.core.tracking.tail import Mark, Tail, tails
from modelyard.plugins.sql_tracker.tracker import SqlTracker
from tests.factories import Factories, system_owner

Point = tuple[int, int, float]


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project()


@pytest.fixture
def actor(factories: Factories, project: Project) -> Actor:
    return factories.actor(system_owner(project))


def new_run(services: Services, actor: Actor, project: Project) -> str:
    return services.runs.create(actor, project, NewRun(experiment_id="0", user_id="", start_time_ms=1)).info.run_id


class Reader:
    """What somebody has who follows metrics."""

    def __init__(self, tracker: Any, project: Project, run_id: str, keys: Sequence[str] = ("m",)) -> None:
        self.tracker, self.project, self.run_id = tracker, project, run_id
        self.marks: dict[str, Mark | None] = dict.fromkeys(keys)
        self.points: dict[str, list[Metric]] = {key: [] for key in keys}
        self.replaced = 0

    def look(self, max_points: int = 1000) -> list[Tail]:
        found = tails(self.tracker, self.project.id, self.run_id, self.marks, max_points=max_points)
        for tail in found:
            self.replaced += tail.is_whole
            self.points[tail.key] = [*([] if tail.is_whole else self.points[tail.key]), *tail.points]
            self.marks[tail.key] = tail.mark
        return found


def log(services: Services, actor: Actor, project: Project, run_id: str, points: Sequence[Point]) -> None:
    metrics = [Metric("m", "NaN" if math.isnan(value) else value, when, step) for step, when, value in points]
    services.runs.log_batch(actor, project, run_id, metrics=metrics)


def test_what_comes_in_order_is_appended(services: Services, actor: Actor, project: Project) -> None:
    run_id = new_run(services, actor, project)
    reader = Reader(SqlTracker({}), project, run_id)
    assert reader.look() == []
    for start in (0, 10, 20):
        log(services, actor, project, run_id, [(step, step, float(step)) for step in range(start, start + 10)])
        (tail,) = reader.look()
        assert tail.is_whole == (start == 0)
        assert reader.look() == []
    assert [point.step for point in reader.points["m"]] == list(range(30))


@pytest.mark.parametrize(
    "late", [(2, 5, 1.0), (5, 3, 1.0), (5, 5, 0.5), (-1, 5, 1.0), (5, 5, -math.inf), (0, 0, math.nan)]
)
@pytest.mark.parametrize("beside", [[], [(6, 6, 1.0)]])
def test_a_late_point_is_never_missed(
    services: Services, actor: Actor, project: Project, late: Point, beside: list[Point]
) -> None:
    run_id = new_run(services, actor, project)
    reader = Reader(SqlTracker({}), project, run_id)
    log(services, actor, project, run_id, [(0, 0, 1.0), (5, 5, 1.0)])
    reader.look()
    log(services, actor, project, run_id, [late, *beside])
    (tail,) = reader.look()
    assert tail.is_whole
    assert len(reader.points["m"]) == 3 + len(beside)
    assert reader.look() == []


@pytest.mark.parametrize("later", [(5, 5, 2.0), (5, 6, 0.0), (6, 0, 0.0), (5, 5, math.inf), (2**63 - 1, 0, 1.0)])
def test_what_is_behind_the_last_point_by_time_or_value_is_appended(
    services: Services, actor: Actor, project: Project, later: Point
) -> None:
    run_id = new_run(services, actor, project)
    reader = Reader(SqlTracker({}), project, run_id)
    log(services, actor, project, run_id, [(5, 5, 0.5), (5, 5, 1.0)])
    reader.look()
    log(services, actor, project, run_id, [later])
    (tail,) = reader.look()
    assert (tail.is_whole, len(tail.points)) == (False, 1)


def test_much_that_is_new_comes_in_parts(services: Services, actor: Actor, project: Project) -> None:
    run_id = new_run(services, actor, project)
    reader = Reader(SqlTracker({}), project, run_id)
    log(services, actor, project, run_id, [(0, 0, 1.0)])
    reader.look(10)
    log(services, actor, project, run_id, [(0, when, 1.0) for when in range(1, 16)])
    log(services, actor, project, run_id, [(step, 0, 1.0) for step in range(1, 11)])
    looks = [reader.look(10) for _ in range(3)]
    assert [(len(look[0].points), look[0].has_more) for look in looks] == [(10, True), (10, True), (5, False)]
    assert reader.look(10) == []
    assert len(reader.points["m"]) == 26
    assert reader.replaced == 1


def test_a_long_metric_comes_sampled_at_first(services: Services, actor: Actor, project: Project) -> None:
    run_id = new_run(services, actor, project)
    log(services, actor, project, run_id, [(step, step, float(step == 500)) for step in range(1000)])
    reader = Reader(SqlTracker({}), project, run_id)
    (tail,) = reader.look(50)
    assert len(tail.points) <= 50
    assert {500, 999} <= {point.step for point in tail.points}
    assert tail.mark == Mark(1000, 999, 999, 0.0)


class Racing(SqlTracker):
    """Somebody logs between the two reads of a look."""

    def __init__(self, write: Any) -> None:
        super().__init__({})
        self.write = write

    def metric_summaries(self, *args: Any, **more: Any) -> Any:
        found = super().metric_summaries(*args, **more)
        self.write()
        return found


def test_what_is_logged_during_a_look_is_seen_by_the_next_ones(
    services: Services, actor: Actor, project: Project
) -> None:
    run_id = new_run(services, actor, project)
    waiting: list[list[Point]] = []
    tracker = Racing(lambda: log(services, actor, project, run_id, waiting.pop(0)) if waiting else None)
    reader = Reader(tracker, project, run_id)
    log(services, actor, project, run_id, [(5, 5, 1.0)])
    waiting[:] = [[(6, 6, 1.0), (2, 2, 1.0)]]
    reader.look()
    waiting[:] = [[(7, 7, 1.0), (1, 1, 1.0)], [(7, 6, 1.0)], []]
    for _ in range(5):
        reader.look()
    assert [point.step for point in reader.points["m"]] == [1, 2, 5, 6, 7, 7]
    assert len(set(map(str, reader.points["m"]))) == 6


BATCH = strategies.lists(
    strategies.tuples(
        strategies.integers(0, 3), strategies.integers(0, 3), strategies.sampled_from([0.0, 1.0, math.nan, math.inf])
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("database_kind", ["sqlite"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=strategies.lists(BATCH, min_size=1, max_size=8))
def test_a_reader_ends_up_with_the_history(
    services: Services, actor: Actor, project: Project, batches: list[list[Point]]
) -> None:
    run_id = new_run(services, actor, project)
    tracker = SqlTracker({})
    reader = Reader(tracker, project, run_id)
    for batch in batches:
        log(services, actor, project, run_id, batch)
        reader.look(4000)
    assert reader.points["m"] == tracker.metric_history(project.id, run_id, "m").items
    assert reader.look(4000) == []
