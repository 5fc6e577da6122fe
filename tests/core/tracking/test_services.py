"""The services of tracking: who may, and which events a change writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.db import database
from modelyard.core.errors import Conflict, InvalidInput, NotFound, PermissionDenied
from modelyard.core.identity.actor import Actor
from modelyard.core.interfaces import Tracker
from modelyard.core.notifications.models import Event
from modelyard.core.projects.models import Project
from modelyard.core.tracking.entities import (
    LoggedModelQuery,
    Metric,
    NewLoggedModel,
    NewRun,
    Param,
    Query,
    Tag,
)
from modelyard.core.tracking.runs import MODEL_HISTORY_TAG, RunService
from modelyard.plugins.sql_tracker.tracker import SqlTracker
from tests.factories import Factories

RUN = NewRun(experiment_id="0", user_id="", start_time_ms=1)


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project()


@pytest.fixture
def editor(factories: Factories, project: Project) -> Actor:
    return factories.actor(factories.member(project, "editor"))


@pytest.fixture
def run_id(services: Services, editor: Actor, project: Project) -> str:
    return services.runs.create(editor, project, RUN).info.run_id


def events(noun: str) -> list[Any]:
    return list(Event.select().where(Event.object_kind == noun).order_by(Event.id))


def test_what_is_done_to_experiments_is_told(services: Services, editor: Actor, project: Project) -> None:
    made = services.experiments.create(editor, project, name="a")
    services.experiments.rename(editor, project, made.experiment_id, name="b")
    services.experiments.rename(editor, project, made.experiment_id, name="b")
    services.experiments.set_tag(editor, project, made.experiment_id, Tag("k", "v"))
    services.experiments.delete(editor, project, made.experiment_id)
    services.experiments.restore(editor, project, made.experiment_id)

    assert [(event.action, event.before, event.after) for event in events("experiment")] == [
        ("experiment.created", {}, {"name": "a"}),
        ("experiment.renamed", {"name": "a"}, {"name": "b"}),
        ("experiment.deleted", {"lifecycle_stage": "active"}, {"lifecycle_stage": "deleted"}),
        ("experiment.restored", {"lifecycle_stage": "deleted"}, {"lifecycle_stage": "active"}),
    ]
    assert {event.object_id for event in events("experiment")} == {made.experiment_id}
    assert events("experiment")[-1].object_name == "b"


def test_what_is_done_to_runs_is_told_and_what_is_logged_is_not(
    services: Services, editor: Actor, project: Project, run_id: str
) -> None:
    runs = services.runs
    runs.log_batch(editor, project, run_id, metrics=[Metric("m", 1.0, 1, 0)], params=[Param("p", "1")])
    runs.log_metric(editor, project, run_id, Metric("m", 1.0, 1, 1))
    runs.log_param(editor, project, run_id, Param("q", "1"))
    runs.set_tag(editor, project, run_id, Tag("t", "1"))
    runs.delete_tag(editor, project, run_id, "t")
    runs.set_tag(editor, project, run_id, Tag("mlflow.runName", "renamed"))
    runs.update(editor, project, run_id, status="FINISHED", end_time_ms=5)
    runs.update(editor, project, run_id, status="FINISHED", end_time_ms=6)
    runs.update(editor, project, run_id, status="RUNNING")
    runs.delete(editor, project, run_id)
    runs.delete(editor, project, run_id)
    runs.restore(editor, project, run_id)

    found = events("run")
    assert [event.action for event in found] == [
        "run.created",
        "run.renamed",
        "run.finished",
        "run.deleted",
        "run.restored",
    ]
    assert (found[2].before, found[2].after) == ({"status": "RUNNING"}, {"status": "FINISHED"})
    assert found[2].object_name == "renamed"
    assert {event.object_id for event in found} == {run_id}


def test_what_is_done_to_logged_models_is_told(services: Services, editor: Actor, project: Project) -> None:
    models = services.logged_models
    model_id = models.create(editor, project, NewLoggedModel(experiment_id="0", name="line")).info.model_id
    models.set_tags(editor, project, model_id, [Tag("a", "b")])
    models.log_params(editor, project, model_id, [Param("a", "b")])
    models.finalize(editor, project, model_id, status="READY")
    models.finalize(editor, project, model_id, status="READY")
    models.delete(editor, project, model_id)

    assert [event.action for event in events("logged_model")] == [
        "logged_model.created",
        "logged_model.finalized",
        "logged_model.deleted",
    ]


def test_a_refused_change_writes_no_event(services: Services, editor: Actor, project: Project, run_id: str) -> None:
    before = Event.select().count()
    with pytest.raises(InvalidInput):
        services.runs.update(editor, project, run_id, status="DONE")
    with pytest.raises(NotFound):
        services.experiments.delete(editor, project, "77")
    with pytest.raises(InvalidInput):
        services.experiments.create(editor, project, name="b", artifact_location="mlflow-artifacts:/")
    assert Event.select().count() == before


def test_a_run_is_its_authors(services: Services, editor: Actor, project: Project) -> None:
    assert services.runs.create(editor, project, RUN).info.user_id == editor.name
    named = NewRun(experiment_id="0", user_id="eve", start_time_ms=1)
    assert services.runs.create(editor, project, named).info.user_id == "eve"


def test_two_names_that_differ_are_refused(services: Services, editor: Actor, project: Project) -> None:
    run = NewRun(experiment_id="0", user_id="", start_time_ms=1, name="a", tags=[Tag("mlflow.runName", "b")])
    with pytest.raises(InvalidInput, match="differ"):
        services.runs.create(editor, project, run)


def test_an_old_clients_model_is_kept_in_a_tag(
    services: Services, editor: Actor, project: Project, run_id: str
) -> None:
    for name in ("a", "b"):
        services.runs.log_model(editor, project, run_id, f'{{"artifact_path": "{name}", "signature": 1}}')
    tags = {tag.key: tag.value for tag in services.runs.get(editor, project, run_id).data.tags}
    assert tags[MODEL_HISTORY_TAG] == '[{"artifact_path":"a"},{"artifact_path":"b"}]'
    for bad in ("no json", "[]", '{"artifact_path": "' + "x" * 8000 + '"}'):
        with pytest.raises(InvalidInput):
            services.runs.log_model(editor, project, run_id, bad)


WRITES: list[Callable[[Services, Actor, Project, str], object]] = [
    lambda s, a, p, r: s.runs.create(a, p, RUN),
    lambda s, a, p, r: s.runs.update(a, p, r, status="FINISHED"),
    lambda s, a, p, r: s.runs.delete(a, p, r),
    lambda s, a, p, r: s.runs.restore(a, p, r),
    lambda s, a, p, r: s.runs.log_batch(a, p, r),
    lambda s, a, p, r: s.runs.log_metric(a, p, r, Metric("m", 1.0, 1, 0)),
    lambda s, a, p, r: s.runs.log_param(a, p, r, Param("m", "1")),
    lambda s, a, p, r: s.runs.set_tag(a, p, r, Tag("m", "1")),
    lambda s, a, p, r: s.runs.delete_tag(a, p, r, "m"),
    lambda s, a, p, r: s.runs.log_inputs(a, p, r),
    lambda s, a, p, r: s.runs.log_outputs(a, p, r, []),
    lambda s, a, p, r: s.runs.log_model(a, p, r, "{}"),
    lambda s, a, p, r: s.experiments.create(a, p, name="n"),
    lambda s, a, p, r: s.experiments.rename(a, p, "0", name="n"),
    lambda s, a, p, r: s.experiments.delete(a, p, "0"),
    lambda s, a, p, r: s.experiments.restore(a, p, "0"),
    lambda s, a, p, r: s.experiments.set_tag(a, p, "0", Tag("a", "b")),
    lambda s, a, p, r: s.experiments.delete_tag(a, p, "0", "a"),
    lambda s, a, p, r: s.logged_models.create(a, p, NewLoggedModel(experiment_id="0")),
    lambda s, a, p, r: s.logged_models.finalize(a, p, "m-1", status="READY"),
    lambda s, a, p, r: s.logged_models.delete(a, p, "m-1"),
    lambda s, a, p, r: s.logged_models.log_params(a, p, "m-1", []),
    lambda s, a, p, r: s.logged_models.set_tags(a, p, "m-1", []),
    lambda s, a, p, r: s.logged_models.delete_tag(a, p, "m-1", "a"),
]
READS: list[Callable[[Services, Actor, Project, str], object]] = [
    lambda s, a, p, r: s.runs.get(a, p, r),
    lambda s, a, p, r: s.runs.search(a, p, Query(experiment_ids=["0"])),
    lambda s, a, p, r: s.runs.metric_history(a, p, r, key="m"),
    lambda s, a, p, r: s.experiments.get(a, p, "0"),
    lambda s, a, p, r: s.experiments.get_by_name(a, p, "Default"),
    lambda s, a, p, r: s.experiments.search(a, p, Query()),
    lambda s, a, p, r: s.logged_models.search(a, p, LoggedModelQuery(experiment_ids=["0"])),
]


def test_viewers_read_strangers_find_nothing(
    services: Services, factories: Factories, project: Project, run_id: str
) -> None:
    viewer, stranger = factories.actor(factories.member(project, "viewer")), factories.actor()
    for read in READS:
        read(services, viewer, project, run_id)
        with pytest.raises(NotFound):
            read(services, stranger, project, run_id)
    for write in WRITES:
        with pytest.raises(PermissionDenied):
            write(services, viewer, project, run_id)
        with pytest.raises(NotFound):
            write(services, stranger, project, run_id)


class Outside(SqlTracker):
    """A tracker that does not write to our database, as far as its capabilities say."""

    capabilities = frozenset()

    def update_run(self, *args: Any, **more: Any) -> Any:
        assert database.transaction_depth() == 0
        return super().update_run(*args, **more)


def test_an_outside_tracker_is_called_without_a_transaction(
    services: Services, editor: Actor, project: Project, run_id: str
) -> None:
    tracker: Tracker = Outside({})
    runs = RunService(services.events, lambda project: tracker)
    runs.update(editor, project, run_id, status="FINISHED")
    assert [event.action for event in events("run")] == ["run.created", "run.finished"]


def test_a_param_that_differs_is_a_conflict(services: Services, editor: Actor, project: Project, run_id: str) -> None:
    services.runs.log_param(editor, project, run_id, Param("p", "1"))
    with pytest.raises(Conflict, match="already logged"):
        services.runs.log_param(editor, project, run_id, Param("p", "2"))
