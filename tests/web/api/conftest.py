"""Runs to ask for, in a project of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.tracking.entities import Metric, NewRun, Param, Tag
from tests.web.conftest import Place

NewRunOf = Callable[..., str]


@pytest.fixture
def new_run(services: Services, place: Place) -> NewRunOf:
    """Make a run; what is given by name is logged to it."""

    def make(
        name: str = "a",
        *,
        experiment: str = "0",
        start: int = 1000,
        params: dict[str, str] | None = None,
        tags: dict[str, str] | None = None,
        points: dict[str, list[tuple[int, float]]] | None = None,
    ) -> str:
        wanted = NewRun(
            experiment_id=experiment,
            user_id="ada",
            start_time_ms=start,
            name=name,
            tags=[Tag(*pair) for pair in (tags or {}).items()],
        )
        run_id = services.runs.create(place.actor, place.project, wanted).info.run_id
        log(services, place, run_id, points or {})
        given = [Param(*pair) for pair in (params or {}).items()]
        services.runs.log_batch(place.actor, place.project, run_id, params=given)
        return run_id

    return make


def log(services: Services, place: Place, run_id: str, points: dict[str, list[tuple[int, Any]]]) -> None:
    """Log (step, value) pairs; a point's time is its step in seconds after the start."""
    metrics = [Metric(key, value, 1000 + step * 1000, step) for key, pairs in points.items() for step, value in pairs]
    services.runs.log_batch(place.actor, place.project, run_id, metrics=metrics)
