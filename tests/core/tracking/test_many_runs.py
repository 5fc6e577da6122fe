"""All runs of a search, once each, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.db import database
from modelyard.core.errors import InvalidInput, NotFound, PluginUnavailable
from modelyard.core.identity.actor import Actor
from modelyard.core.notifications.models import Event
from modelyard.core.projects.models import Project
from modelyard.core.tracking import many_runs
from modelyard.core.tracking.entities import NewRun, Query, Run
from modelyard.core.tracking.runs import RunService
from modelyard.plugins.sql_tracker.tracker import SqlTracker
from tests.factories import Factories, system_owner


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project()


@pytest.fixture
def actor(factories: Factories, project: Project) -> Actor:
    return factories.actor(system_owner(project))


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_runs, "WALKED_PAGE", 3)


def make(services: Services, actor: Actor, project: Project, start: int, name: str = "r") -> str:
    wanted = NewRun(experiment_id="0", user_id="", start_time_ms=start, name=name)
    return services.runs.create(actor, project, wanted).info.run_id


def ids(pages: Iterator[list[Run]]) -> list[str]:
    return [run.info.run_id for page in pages for run in page]


@pytest.mark.parametrize("starts", [range(8), [5] * 8, [1, 2, 2, 2, 2, 2, 3, 3], [-5, -5, 0, 9, 9, 9, 9, 9], [], [1]])
def test_every_run_comes_once_by_start(services: Services, actor: Actor, project: Project, starts: list[int]) -> None:
    made = sorted((start, make(services, actor, project, start)) for start in starts)
    assert ids(services.runs.walk(actor, project, Query())) == [run_id for _, run_id in made]


def test_runs_that_come_and_go_meanwhile_double_and_hide_none(
    services: Services, actor: Actor, project: Project
) -> None:
    made = [make(services, actor, project, start) for start in range(10)]
    pages = services.runs.walk(actor, project, Query())
    found = [run.info.run_id for run in next(pages)]
    services.runs.delete(actor, project, made[0])
    early, late = make(services, actor, project, -1), make(services, actor, project, 99)
    found += ids(pages)
    assert found == [*made, late]
    assert early not in found


def test_a_search_is_walked_with_its_filter_and_order(services: Services, actor: Actor, project: Project) -> None:
    made = {name: make(services, actor, project, 7, name) for name in "hgfedcba"}
    found = ids(services.runs.walk(actor, project, Query(filter="run_name != 'c'")))
    assert sorted(found) == sorted(run_id for name, run_id in made.items() if name != "c")
    ordered = ids(services.runs.walk(actor, project, Query(order_by=["run_name ASC"])))
    assert ordered == [made[name] for name in "abcdefgh"]


def test_no_connection_is_held_between_pages(services: Services, actor: Actor, project: Project) -> None:
    for start in range(5):
        make(services, actor, project, start)
    pages = services.runs.walk(actor, project, Query())
    database.close()
    next(pages)
    assert database.is_closed() or "sqlite" in type(database.obj).__name__.lower()


class Failing(SqlTracker):
    """An outside tracker that fails at the second run."""

    capabilities = frozenset()
    calls = 0

    def set_run_lifecycle(self, *args: Any) -> Any:
        self.calls += 1
        if self.calls > 1:
            raise PluginUnavailable("It is away.")
        return super().set_run_lifecycle(*args)


def test_what_an_outside_tracker_did_before_it_failed_is_told(
    services: Services, actor: Actor, project: Project
) -> None:
    made = [make(services, actor, project, start) for start in range(3)]
    tracker = Failing({})
    runs = RunService(services.events, lambda project: tracker)
    with pytest.raises(PluginUnavailable):
        runs.delete_many(actor, project, made)
    (event,) = Event.select().where(Event.object_kind == "runs")
    assert event.after["run_ids"] == sorted(made)[:1]


def test_some_runs_are_read_in_the_order_asked_for(services: Services, actor: Actor, project: Project) -> None:
    first, second = make(services, actor, project, 1), make(services, actor, project, 2)
    services.runs.delete(actor, project, second)
    found = services.runs.get_many(actor, project, [second, first, second])
    assert [run.info.run_id for run in found] == [second, first]
    assert services.runs.get_many(actor, project, []) == []
    for wrong in ("f" * 32, "' OR 1", "", "ü", "x" * 65):
        with pytest.raises(NotFound):
            services.runs.get_many(actor, project, [first, wrong])
    with pytest.raises(InvalidInput, match="200"):
        services.runs.get_many(actor, project, [first] * 201)
