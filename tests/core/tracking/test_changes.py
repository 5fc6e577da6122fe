"""What changed: each change is told, none is hidden by another, and nothing is told twice without need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.db import database, now_ms
from modelyard.core.errors import InvalidInput, NotFound
from modelyard.core.identity.actor import Actor
from modelyard.core.interfaces import Tracker
from modelyard.core.notifications.models import Event
from modelyard.core.projects.models import Project
from modelyard.core.tracking import changes as changes_module
from modelyard.core.tracking.changes import Changes, ChangeService
from modelyard.core.tracking.entities import Metric, NewRun, RunChange, Tag
from modelyard.plugins.sql_tracker.tracker import SqlTracker
from tests.factories import Factories, system_owner

Look = Callable[[], Changes]


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project()


@pytest.fixture
def actor(factories: Factories, project: Project) -> Actor:
    return factories.actor(system_owner(project))


@pytest.fixture
def run_id(services: Services, actor: Actor, project: Project) -> str:
    return services.runs.create(actor, project, NewRun(experiment_id="0", user_id="", start_time_ms=1)).info.run_id


@pytest.fixture
def look(services: Services, actor: Actor, project: Project, run_id: str) -> Look:
    """Look at what is new since the look before."""
    cursor = services.changes.changes(actor, project).cursor

    def again() -> Changes:
        nonlocal cursor
        found = services.changes.changes(actor, project, after=cursor)
        cursor = found.cursor
        return found

    return again


def told(found: Changes) -> set[str]:
    return {run.run_id for run in found.runs or ()}


def test_whatever_touches_a_run_is_told_once(
    services: Services, actor: Actor, project: Project, run_id: str, look: Look
) -> None:
    runs = services.runs
    other = runs.create(actor, project, NewRun(experiment_id="0", user_id="", start_time_ms=1)).info.run_id
    assert told(look()) == {other}
    deeds: list[Callable[[], Any]] = [
        lambda: runs.log_metric(actor, project, run_id, Metric("m", 1.0, 1, 0)),
        lambda: runs.set_tag(actor, project, run_id, Tag("a", "b")),
        lambda: runs.delete_tag(actor, project, run_id, "a"),
        lambda: runs.update(actor, project, run_id, status="FINISHED"),
        lambda: runs.log_inputs(actor, project, run_id),
        lambda: runs.delete(actor, project, run_id),
        lambda: runs.restore(actor, project, run_id),
    ]
    last = 0
    for deed in deeds:
        last = tick(last)
        deed()
        assert told(look()) == {run_id}
        quiet = look()
        assert (quiet.runs, quiet.things, quiet.is_complete) == ([], [], True)
        assert look().cursor == quiet.cursor


def tick(last: int) -> int:
    """Wait for the next millisecond: two changes of a run within one are one."""
    while now_ms() == last:
        pass
    return now_ms()


def test_what_is_done_to_things_is_told(services: Services, actor: Actor, project: Project, look: Look) -> None:
    made = services.experiments.create(actor, project, name="a")
    services.models.create(actor, project, name="risk")
    assert [(thing.kind, thing.thing_id, thing.action) for thing in look().things] == [
        ("experiment", made.experiment_id, "experiment.created"),
        ("model", model_id(project), "model.created"),
    ]
    assert look().things == []


def model_id(project: Project) -> str:
    return str(Event.select(Event.object_id).where(Event.object_kind == "model", Event.project == project).scalar())


def stamp(run_id: str, when: int) -> None:
    database.execute_sql(f"UPDATE run SET updated_at_ms = {when} WHERE public_id = '{run_id}'")


def test_a_change_that_is_seen_after_a_later_one_is_told(
    services: Services, actor: Actor, project: Project, run_id: str, look: Look
) -> None:
    first, second = (
        services.runs.create(actor, project, NewRun(experiment_id="0", user_id="", start_time_ms=1)).info.run_id
        for _ in range(2)
    )
    look()
    now = now_ms()
    stamp(first, now + 5)
    assert told(look()) == {first}
    stamp(second, now - 20_000)  # it took its time before the other, and was committed after it
    assert told(look()) == {second}
    stamp(first, now - 10_000)
    assert told(look()) == {first}
    assert told(look()) == set()


def test_cursors_stay_short_and_old_ones_are_answered(
    services: Services, actor: Actor, project: Project, run_id: str, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes_module, "MOST_TOLD", 5)
    old = look().cursor
    for _ in range(6):
        services.runs.create(actor, project, NewRun(experiment_id="0", user_id="", start_time_ms=1))
    much = look()
    assert (much.is_complete, much.runs, much.things) == (False, [], [])
    assert len(much.cursor) < 250
    monkeypatch.setattr(changes_module, "MOST_TOLD", 300)
    found = services.changes.changes(actor, project, after=old)
    assert (len(found.runs or ()), found.is_complete) == (6, True)


def test_what_is_long_past_is_not_remembered(
    services: Services, actor: Actor, project: Project, run_id: str, look: Look
) -> None:
    first = look().cursor
    stamp(run_id, now_ms() - 29_000)
    look()
    for later in range(0, 20_000, 2000):
        stamp(run_id, now_ms() + later)
        assert told(look()) == {run_id}
    assert len(look().cursor) < len(first) + 100


def test_a_cursor_forgets_once_all_is_past(
    services: Services, actor: Actor, project: Project, run_id: str, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.runs.log_metric(actor, project, run_id, Metric("m", 1.0, 1, 0))
    remembered = look().cursor
    with monkeypatch.context() as later:
        later.setattr(changes_module, "now_ms", lambda: now_ms() + 60_000)
        rested = look()
        assert (rested.runs, rested.things) == ([], [])
        assert len(rested.cursor) < len(remembered)
        assert look().cursor == rested.cursor
    stamp(run_id, now_ms() + 1)
    assert told(look()) == {run_id}
    services.experiments.create(actor, project, name="a")
    assert [thing.action for thing in look().things] == ["experiment.created"]


def test_another_project_is_not_told_of(services: Services, factories: Factories, look: Look, actor: Actor) -> None:
    other = factories.project("other")
    owner = factories.actor(system_owner(other))
    services.runs.create(owner, other, NewRun(experiment_id="0", user_id="", start_time_ms=1))
    found = look()
    assert (found.runs, found.things) == ([], [])
    with pytest.raises(InvalidInput):
        services.changes.changes(owner, other, after=found.cursor)
    with pytest.raises(NotFound):
        services.changes.changes(actor, other)


class Untold(SqlTracker):
    """A tracker that cannot tell which runs changed."""

    def changed_runs(self, project_id: int, since_ms: int, *, limit: int) -> list[RunChange] | None:
        return Tracker.changed_runs(self, project_id, since_ms, limit=limit)


def test_a_tracker_that_cannot_tell_says_so(services: Services, actor: Actor, project: Project) -> None:
    service = ChangeService(services.events, lambda project: Untold({}))
    cursor = service.changes(actor, project).cursor
    services.experiments.create(actor, project, name="a")
    found = service.changes(actor, project, after=cursor)
    assert (found.runs, [thing.action for thing in found.things]) == (None, ["experiment.created"])
    quiet = service.changes(actor, project, after=found.cursor)
    assert (quiet.runs, quiet.things, quiet.cursor) == (None, [], found.cursor)


def test_the_index_is_what_finds_them(services: Services, actor: Actor, project: Project, run_id: str) -> None:
    explain = "EXPLAIN QUERY PLAN " if "sqlite" in type(database.obj).__name__.lower() else "EXPLAIN "
    if explain == "EXPLAIN ":
        database.execute_sql("SET enable_seqscan = off")
    plan = str(
        database.execute_sql(
            f"{explain}SELECT r.id FROM run r WHERE r.experiment_id = 1 AND r.updated_minute >= 5"
        ).fetchall()
    )
    assert "updated_minute" in plan
