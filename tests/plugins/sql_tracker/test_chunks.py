"""Sums of long histories: they are those of the points, whatever was written in which order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.core.db import connection, database
from modelyard.core.tracking.entities import Metric, MetricWindow, NewRun
from modelyard.plugins.sql_tracker import chunks, points
from modelyard.plugins.sql_tracker.tracker import SqlTracker
from tests.factories import Factories

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


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches=st.lists(batch, min_size=1, max_size=8), ascending=st.booleans())
def test_chunks_are_those_of_the_points(
    small_chunks: None, project_id: int, batches: list[list[tuple[int, int, float]]], ascending: bool
) -> None:
    tracker = SqlTracker({})
    run_id = tracker.create_run(project_id, NewRun(experiment_id="0", user_id="a", start_time_ms=1)).info.run_id
    for number, part in enumerate(batches):
        base = 50 * number if ascending else 0
        logged = [Metric("m", "NaN" if math.isnan(v) else v, when, base + step) for step, when, v in part]
        tracker.log_batch(project_id, run_id, metrics=logged)

    ((series, count, chunked),) = rows(
        "SELECT s.id, s.count, s.chunked_count FROM metric_series s JOIN run r ON r.id = s.run_id"
        " WHERE r.public_id = ?",
        run_id,
    )
    order = "ORDER BY step, timestamp_ms, value, is_nan"
    stored = rows(f"SELECT step, timestamp_ms, value, is_nan FROM metric_point WHERE series_id = ? {order}", series)
    assert count == len(stored)
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
