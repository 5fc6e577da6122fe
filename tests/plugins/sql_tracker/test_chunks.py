"""Sums of long histories: they are those of the points, whatever was written in which order."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.core.db import connection, database
from modelyard.core.errors import Conflict, NotFound
from modelyard.core.tracking.entities import Metric, MetricWindow, NewRun
from modelyard.plugins.sql_tracker import chunks, points
from modelyard.plugins.sql_tracker.tracker import SqlTracker
from tests.conftest import run_on_postgresql
from tests.factories import Factories
from tests.functional.running_server import eventually

WINDOWS = [
    MetricWindow(),
    MetricWindow(start_step=10),
    MetricWindow(start_step=5, end_step=30),
    MetricWindow(start_time_ms=40, end_time_ms=70),
    MetricWindow(end_step=20, start_time_ms=30),
]
value = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf, -math.inf, 0.0]))
batch = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 90), value), min_size=1, max_size=40)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of so few points that a short history has many."""
    for module, name, number in (
        (chunks, "CHUNK", 4),
        (chunks, "WRITE_AT", 8),
        (chunks, "MOST_AT_ONCE", 16),
        (points, "CHUNK", 4),
        (points, "FEW_CHUNKS", 2),
    ):
        monkeypatch.setattr(module, name, number)


@pytest.fixture
def project_id(factories: Factories) -> Iterator[int]:
    with connection():
        yield factories.project().id


def rows(sql: str, *parameters: Any) -> list[Any]:
    found: list[Any] = database.execute_sql(sql.replace("?", database.param), parameters).fetchall()
    return found


def check_series(run_id: str) -> tuple[list[Any], int, int]:
    """Hold a run's only metric against its points; return these, how many are in chunks, and the series."""
    ((series, count, chunked, *summary),) = rows(
        "SELECT s.id, s.count, s.chunked_count, s.last_step, s.last_timestamp_ms, s.last_value, s.last_is_nan,"
        " s.min_value, s.max_value FROM metric_series s JOIN run r ON r.id = s.run_id WHERE r.public_id = ?",
        run_id,
    )
    order = "ORDER BY step, timestamp_ms, value, is_nan"
    stored = rows(f"SELECT step, timestamp_ms, value, is_nan FROM metric_point WHERE series_id = ? {order}", series)
    numbers = [point[2] for point in stored if not point[3]]
    assert count == len(stored)
    assert summary == [*stored[-1], min(numbers, default=None), max(numbers, default=None)]
    return stored, chunked, series


def metric_step(batch_number: int, step: int, ascending: bool) -> int:
    return step + 50 * batch_number if ascending else step


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches=st.lists(batch, min_size=1, max_size=8), ascending=st.booleans(), singly=st.booleans())
def test_chunks_are_those_of_the_points(
    small_chunks: None, project_id: int, batches: list[list[tuple[int, int, float]]], ascending: bool, singly: bool
) -> None:
    tracker = SqlTracker({})
    run_id = tracker.create_run(project_id, NewRun(experiment_id="0", user_id="a", start_time_ms=1)).info.run_id
    for number, part in enumerate(batches):
        logged = [
            Metric("m", "NaN" if math.isnan(v) else v, when, metric_step(number, step, ascending))
            for step, when, v in part
        ]
        for metrics in [[metric] for metric in logged] if singly else [logged]:
            tracker.log_batch(project_id, run_id, metrics=metrics)

    stored, chunked, series = check_series(run_id)
    assert len(stored) == len(
        {(metric_step(n, s, ascending), w, repr(v)) for n, b in enumerate(batches) for s, w, v in b}
    )
    assert chunked % 4 == 0
    found = rows(f"SELECT {', '.join(chunks.COLUMNS)} FROM metric_chunk WHERE series_id = ? ORDER BY number", series)
    assert len(found) == chunked // 4
    for number, chunk in enumerate(found):
        part = stored[number * 4 : number * 4 + 4]
        numbers = [point[2] for point in part if not point[3]]
        assert chunk[1] == number
        assert (tuple(chunk[2:6]), tuple(chunk[6:10])) == (tuple(part[0]), tuple(part[-1]))
        assert (chunk[12], chunk[15]) == ((min(numbers), max(numbers)) if numbers else (None, None))
        assert tuple(chunk[16:]) == (min(point[1] for point in part), max(point[1] for point in part))

    for window in WINDOWS:
        whole = tracker.metric_history(project_id, run_id, "m", window=window).items
        sampled = tracker.sample_metric(project_id, [run_id], "m", max_points=12, window=window)[run_id]
        assert len(sampled) <= 12
        positions = [whole.index(point) for point in sampled]
        assert positions == sorted(set(positions))
        if len(whole) <= 12:
            assert sampled == whole
            continue
        assert (sampled[0], sampled[-1]) == (whole[0], whole[-1])
        numbers = [float(point.value) for point in whole if point.value != "NaN"]
        if numbers:
            kept = {float(point.value) for point in sampled}
            assert {min(numbers), max(numbers)} <= kept


def test_a_long_history_is_drawn_from_its_chunks(project_id: int) -> None:
    tracker = SqlTracker({})
    run_id = tracker.create_run(project_id, NewRun(experiment_id="0", user_id="a", start_time_ms=1)).info.run_id
    spikes = {3333: 9.0, 17_777: -9.0, 39_999: 5.0}
    for start in range(0, 40_000, 1000):
        steps = range(start, start + 1000)
        logged = [Metric("m", spikes.get(step, math.sin(step / 900)), step, step) for step in steps]
        tracker.log_batch(project_id, run_id, metrics=logged)

    assert rows("SELECT COUNT(*) FROM metric_chunk") == [(40_000 // chunks.CHUNK,)]
    database.execute_sql("DELETE FROM metric_point WHERE step BETWEEN 4000 AND 12000")
    drawn = tracker.sample_metric(project_id, [run_id], "m", max_points=320)[run_id]
    assert 250 < len(drawn) <= 320
    assert {0, *spikes} <= {point.step for point in drawn}
    assert any(4000 <= point.step <= 12000 for point in drawn)


def test_one_point_at_a_time_by_several_writers_is_summed_up_as_well(small_chunks: None, project_id: int) -> None:
    tracker = SqlTracker({})
    run_id = tracker.create_run(project_id, NewRun(experiment_id="0", user_id="a", start_time_ms=1)).info.run_id
    draw = random.Random(4)
    plans = [[Metric("m", draw.random(), 5, draw.randrange(60)) for _ in range(40)] for _ in range(4)]

    def log(plan: list[Metric]) -> None:
        with connection():
            for metric in [*plan, *plan[:5]]:
                tracker.log_batch(project_id, run_id, metrics=[metric])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(log, plans))
    stored, chunked, series = check_series(run_id)
    assert len(stored) == 160
    ends = rows("SELECT first_step, last_step FROM metric_chunk WHERE series_id = ? ORDER BY number", series)
    assert [tuple(end) for end in ends] == [(stored[start][0], stored[start + 3][0]) for start in range(0, chunked, 4)]
    assert tracker.get_run(project_id, run_id).data.metrics[0].step == stored[-1][0]


def test_metrics_that_are_logged_together_are_not_summed_up_all_at_once(small_chunks: None, project_id: int) -> None:
    tracker = SqlTracker({})
    run_id = tracker.create_run(project_id, NewRun(experiment_id="0", user_id="a", start_time_ms=1)).info.run_id

    def log(step: int) -> int:
        before = rows("SELECT COUNT(*) FROM metric_chunk")[0][0]
        tracker.log_batch(project_id, run_id, metrics=[Metric(f"m{key}", step, 1, step) for key in range(30)])
        return int(rows("SELECT COUNT(*) FROM metric_chunk")[0][0]) - before

    made = [log(step) for step in range(40)]
    assert max(made) * 4 <= chunks.READ_FOR_ONE * 30 + chunks.MOST_AT_ONCE
    assert not rows("SELECT key FROM metric_series WHERE count - chunked_count >= 3 * ?", chunks.WRITE_AT)


def test_a_point_to_a_deleted_or_foreign_run_is_refused(project_id: int, factories: Factories) -> None:
    tracker = SqlTracker({})
    run_id = tracker.create_run(project_id, NewRun(experiment_id="0", user_id="a", start_time_ms=1)).info.run_id
    tracker.log_batch(project_id, run_id, metrics=[Metric("m", 1, 1, 1)])
    with pytest.raises(NotFound):
        tracker.log_batch(factories.project().id, run_id, metrics=[Metric("m", 2, 2, 2)])
    tracker.set_run_lifecycle(project_id, run_id, "deleted")
    with pytest.raises(Conflict):
        tracker.log_batch(project_id, run_id, metrics=[Metric("m", 3, 3, 3)])
    assert [point[0] for point in check_series(run_id)[0]] == [1]


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_late_point_that_waited_for_another_writer_drops_the_chunks_this_one_made(
    small_chunks: None, project_id: int
) -> None:
    tracker = SqlTracker({})
    run_id = tracker.create_run(project_id, NewRun(experiment_id="0", user_id="a", start_time_ms=1)).info.run_id
    tracker.log_batch(project_id, run_id, metrics=[Metric("m", 1, 1, 0)])

    def log_late() -> None:
        with connection():
            tracker.log_batch(project_id, run_id, metrics=[Metric("m", 7, 9, 2)])

    with ThreadPoolExecutor(1) as pool:
        with database.atomic():
            tracker.log_batch(project_id, run_id, metrics=[Metric("m", step, 1, step) for step in range(1, 9)])
            late = pool.submit(log_late)
            here = f"wait_event_type = 'Lock' AND datname = '{database.obj.database}'"
            waiting = f"SELECT COUNT(*) FROM pg_stat_activity WHERE {here}"
            eventually(lambda: run_on_postgresql(waiting) == [(1,)], "the late point waits for the run's row")
        late.result(20)
    stored, chunked, series = check_series(run_id)
    chunk = rows("SELECT last_step, max_value FROM metric_chunk WHERE series_id = ? ORDER BY number", series)
    assert [tuple(each) for each in chunk] == [
        (stored[start + 3][0], max(point[2] for point in stored[start : start + 4])) for start in range(0, chunked, 4)
    ]
