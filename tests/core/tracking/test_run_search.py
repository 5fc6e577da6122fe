"""Searches for runs against a plain sort in memory, whichever way the search takes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from modelyard.core.db import atomic, connection
from modelyard.core.tracking import run_search
from modelyard.core.tracking.entities import Metric, NewRun, Query
from modelyard.core.tracking.models import Experiment
from modelyard.plugins.sql_tracker.tracker import SqlTracker
from tests.factories import Factories

LONG = "x" * 70
VALUES = [math.nan, math.inf, -math.inf, 0.0, 1.0, 1.0, 2.5, -3.0, None, None]
TEXTS = ["", "a", "B", "b", LONG + "1", LONG + "2", "ä", None]


@dataclass
class Known:
    """A run as it was logged."""

    run_id: str
    start: int
    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def tracker() -> SqlTracker:
    return SqlTracker({})


@pytest.fixture
def project_id(factories: Factories) -> Iterator[int]:
    with connection():
        yield int(factories.project().id)


@pytest.fixture
def runs(tracker: SqlTracker, project_id: int, factories: Factories) -> list[Known]:
    """Forty runs with ties in everything, and the like in another project, which nobody may find."""
    chance = random.Random(5)
    other_project_id = int(factories.project().id)
    known = []
    for number in range(50):
        owner = other_project_id if number % 5 == 4 else project_id
        start = chance.randrange(12)
        made = tracker.create_run(owner, NewRun(experiment_id="0", user_id="ada", start_time_ms=start))
        run = Known(made.info.run_id, start)
        run.metrics = {key: value for key in ("m", "n") if (value := chance.choice(VALUES)) is not None}
        run.params = {key: text for key in ("p", "q") if (text := chance.choice(TEXTS)) is not None}
        metrics = [Metric(key, value, 1, 0) for key, value in run.metrics.items()]
        tracker.log_batch(owner, run.run_id, metrics=metrics, params=run.params, tags=run.params)
        if owner == project_id:
            known.append(run)
    return known


def newest(run: Known) -> tuple[Any, ...]:
    return -run.start, run.run_id


def by_metric(key: str, sign: int) -> Callable[[Known], tuple[Any, ...]]:
    def place(run: Known) -> tuple[Any, ...]:
        value = run.metrics.get(key)
        return (2, 0.0) if value is None else (1, 0.0) if math.isnan(value) else (0, sign * value)

    return place


def by_text(key: str, sign: int) -> Callable[[Known], tuple[Any, ...]]:
    def place(run: Known) -> tuple[Any, ...]:
        text = run.params.get(key)
        points = [] if text is None else [sign * ord(character) for character in text]
        return (text is None, [*points, -math.inf if sign > 0 else math.inf])

    return place


ORDERS: list[tuple[list[str], list[Callable[[Known], tuple[Any, ...]]]]] = [
    ([], []),
    (["start_time DESC"], []),
    (["start_time ASC"], [lambda run: (run.start, run.run_id)]),
    (["metrics.m"], [by_metric("m", 1)]),
    (["metrics.m DESC"], [by_metric("m", -1)]),
    (["metrics.m DESC", "metrics.n ASC"], [by_metric("m", -1), by_metric("n", 1)]),
    (["params.p"], [by_text("p", 1)]),
    (["tags.p DESC"], [by_text("p", -1)]),
    (["params.p DESC", "metrics.n"], [by_text("p", -1), by_metric("n", 1)]),
    (["params.q", "params.p", "start_time ASC"], [by_text("q", 1), by_text("p", 1), lambda run: (run.start,)]),
]
FILTERS: list[tuple[str, Callable[[Known], bool]]] = [
    ("", lambda run: True),
    ("metrics.m > 0", lambda run: run.metrics.get("m", -1) > 0),
    ("metrics.m != 1", lambda run: "m" in run.metrics and run.metrics["m"] != 1),
    ("metrics.m <= 1 AND params.p = 'b'", lambda run: run.metrics.get("m", 9) <= 1 and run.params.get("p") == "b"),
    (f"params.q = '{LONG}2'", lambda run: run.params.get("q") == f"{LONG}2"),
    ("tags.q = '' AND metrics.n >= -3", lambda run: run.params.get("q") == "" and run.metrics.get("n", -9) >= -3),
    ("metrics.m > -9 AND metrics.n < 9", lambda run: run.metrics.get("m", -9) > -9 and run.metrics.get("n", 9) < 9),
    ("params.q IS NULL", lambda run: "q" not in run.params),
    ("metrics.none = 1", lambda run: False),
]


@pytest.mark.parametrize(("few", "look_at", "page"), [(2, 4000, 9), (1000, 4000, 9), (2, 6, 2)])
def test_what_is_found_is_what_a_plain_sort_gives(
    tracker: SqlTracker,
    project_id: int,
    runs: list[Known],
    few: int,
    look_at: int,
    page: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_search, "FEW", few)
    monkeypatch.setattr(run_search, "FEW_OF_SEVERAL", few)
    monkeypatch.setattr(run_search, "LOOK_AT", look_at)
    for text, fulfils in FILTERS:
        wanted = [run for run in runs if fulfils(run)]
        query = Query(filter=text, experiment_ids=["0"], max_results=1)
        assert tracker.count_runs(project_id, query) == len(wanted), text
        for order_by, places in ORDERS:
            ordered = sorted(wanted, key=lambda run: (*(place(run) for place in places), newest(run)))
            found = walk(tracker, project_id, Query(filter=text, order_by=order_by, max_results=page))
            assert found == [run.run_id for run in ordered], (text, order_by)


def walk(tracker: SqlTracker, project_id: int, query: Query) -> list[str]:
    """Read all pages."""
    found: list[str] = []
    query.experiment_ids = ["0"]
    while True:
        page = tracker.search_runs(project_id, query)
        assert len(page.items) <= query.max_results
        found += [run.info.run_id for run in page.items]
        query.page_token = page.next_page_token
        if query.page_token is None:
            return found


def test_a_run_that_comes_between_two_pages_moves_nothing(
    tracker: SqlTracker, project_id: int, runs: list[Known]
) -> None:
    query = Query(experiment_ids=["0"], max_results=10)
    first = tracker.search_runs(project_id, query)
    tracker.create_run(project_id, NewRun(experiment_id="0", user_id="ada", start_time_ms=99))
    query.page_token = first.next_page_token
    second = tracker.search_runs(project_id, query)

    ordered = [run.run_id for run in sorted(runs, key=newest)]
    assert [run.info.run_id for run in [*first.items, *second.items]] == ordered[:20]


@pytest.mark.parametrize("most_named", [100, 1])
def test_several_experiments_are_one_list(
    tracker: SqlTracker, project_id: int, runs: list[Known], most_named: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_search, "MOST_NAMED", most_named)
    other = tracker.create_experiment(project_id, name="other").experiment_id
    made = tracker.create_run(project_id, NewRun(experiment_id=other, user_id="ada", start_time_ms=5)).info.run_id
    tracker.log_batch(project_id, made, metrics=[Metric("m", 1.5, 1, 0)])
    runs = [*runs, Known(made, 5, {"m": 1.5})]
    for order_by, places in (ORDERS[0], ORDERS[4], ORDERS[7]):
        ordered = sorted(runs, key=lambda run: (*(place(run) for place in places), newest(run)))
        query = Query(order_by=order_by, experiment_ids=["0", other], max_results=100)
        found = [run.info.run_id for run in tracker.search_runs(project_id, query).items]
        assert found == [run.run_id for run in ordered], order_by


def test_a_project_of_very_many_experiments_is_searched(
    tracker: SqlTracker, project_id: int, runs: list[Known]
) -> None:
    rows = [
        {"project": project_id, "number": number, "name": f"e{number}", "artifact_location": ""}
        for number in range(1, 40_001)
    ]
    with atomic():
        for start in range(0, len(rows), 5_000):
            Experiment.insert_many(rows[start : start + 5_000]).execute()
    query = Query(filter="metrics.m > 0", order_by=["metrics.m DESC"], max_results=100)
    found = tracker.search_runs(project_id, query).items
    assert len(found) == len([run for run in runs if run.metrics.get("m", -1) > 0])
