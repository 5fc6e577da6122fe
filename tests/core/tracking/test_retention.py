"""The end of deleted runs: all of them goes, in parts, whatever is killed; what came back or is in use stays."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from modelyard.core import jobs
from modelyard.core.bootstrap import Services
from modelyard.core.db import database, now_ms
from modelyard.core.errors import Conflict, InvalidTransition, LeaseLost, NotFound, PermissionDenied, QuotaExceeded
from modelyard.core.identity.actor import Actor
from modelyard.core.jobs import Job, Lease
from modelyard.core.notifications.models import Event
from modelyard.core.projects.models import Project
from modelyard.core.registry.models import ModelVersion
from modelyard.core.tracking import due, purge, retention, tasks
from modelyard.core.tracking.entities import (
    DatasetInput,
    Metric,
    ModelInput,
    ModelOutput,
    NewLoggedModel,
    NewRun,
    Param,
    Tag,
)
from modelyard.core.tracking.models import ACTIVE, Experiment, LoggedModel, MetricPoint, MetricSeries, Run
from modelyard.core.tracking.trace_entities import Span, SpanBatch, SpanContent
from modelyard.core.tracking.trace_models import Span as SpanRow
from modelyard.core.tracking.trace_models import Trace as TraceRow
from modelyard.core.worker import Worker
from tests.core.projects.test_leaving import at_once
from tests.core.projects.test_purge import Doomed, Killed
from tests.factories import Factories, system_owner

DAY_MS = 24 * 3600 * 1000
LONG_AGO = 31 * DAY_MS
on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
NOT_COUNTED = {"event", "job", "delivery", "dataset", "schema_migration"}
"""Tables in which something stays that is not the run's own."""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "POINTS", 3)
    monkeypatch.setattr(purge, "ROWS", 2)
    monkeypatch.setattr(purge, "LOGGED_ROWS", 2)
    for module in (retention, due):
        monkeypatch.setattr(module, "BATCH", 2)


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project("churn")


@pytest.fixture
def owner(factories: Factories, project: Project) -> Actor:
    return factories.actor(system_owner(project))


@pytest.fixture
def worker(services: Services) -> Worker:
    return Worker(services, threads=1, lease_seconds=60, max_attempts=3)


@pytest.fixture
def folder(services: Services, project: Project) -> Path:
    return Path(services.settings.data.directory) / "artifacts" / project.public_id


@pytest.fixture
def new_run(services: Services, owner: Actor, project: Project) -> Callable[..., str]:
    """Make a run with something in every table that hangs on it, and a file."""

    def make(experiment_id: str = "0", *, points: int = 7) -> str:
        run = services.runs.create(owner, project, NewRun(experiment_id=experiment_id, user_id="", start_time_ms=1))
        run_id = run.info.run_id
        wish = NewLoggedModel(experiment_id=experiment_id, name="m", source_run_id=run_id, params=[Param("a", "b")])
        model_id = services.logged_models.create(owner, project, wish).info.model_id
        many = [Metric("loss", float(number), number, number // 5) for number in range(points)]
        services.runs.log_batch(
            owner,
            project,
            run_id,
            metrics=[*many, *(Metric("auc", 1.0, number, 1, model_id=model_id) for number in range(5))],
            params=[Param(f"p{number}", "1") for number in range(5)],
            tags=[Tag("t", "1")],
        )
        data = {"name": "d", "digest": "x", "source_type": "local", "source": "s"}
        services.runs.log_inputs(
            owner, project, run_id, datasets=[dataset_input(**data)], models=[ModelInput(model_id)]
        )
        services.runs.log_outputs(owner, project, run_id, [ModelOutput(model_id, 1)])
        for place in (run_id, f"models/{model_id}"):
            services.artifacts.write(owner, project, f"{experiment_id}/{place}/artifacts/a.txt", [b"hello"])
        return run_id

    return make


def dataset_input(**data: str) -> DatasetInput:
    from modelyard.core.tracking.entities import Dataset

    return DatasetInput(dataset=Dataset(**data), tags=[])


def delete_long_ago(services: Services, owner: Actor, project: Project, *run_ids: str) -> None:
    for run_id in run_ids:
        services.runs.delete(owner, project, run_id)
    Run.update(deleted_at_ms=now_ms() - LONG_AGO).where(Run.public_id.in_(run_ids)).execute()


def model_of(run_id: str) -> str:
    return str(LoggedModel.get(LoggedModel.source_run_id == run_id).public_id)


def delete_models_long_ago(services: Services, owner: Actor, project: Project, *run_ids: str) -> None:
    for run_id in run_ids:
        services.logged_models.delete(owner, project, model_of(run_id))
    LoggedModel.update(updated_at_ms=now_ms() - LONG_AGO).where(LoggedModel.source_run_id.in_(run_ids)).execute()


def delete_experiment_long_ago(services: Services, owner: Actor, project: Project, experiment_id: str) -> None:
    services.experiments.delete(owner, project, experiment_id)
    row = Experiment.get(number=int(experiment_id))
    Experiment.update(updated_at_ms=now_ms() - LONG_AGO).where(Experiment.id == row.id).execute()
    Run.update(deleted_at_ms=now_ms() - LONG_AGO).where(Run.experiment == row.id).execute()


def work_off(services: Services, worker: Worker) -> None:
    services.tracking_retention.enqueue_due()
    for _ in range(100):
        Job.update(run_after_ms=1).where(Job.state.in_(jobs.OPEN_STATES), Job.run_after_ms < now_ms() + 5000).execute()
        if not worker.run_once(jobs_only=True):
            assert not Job.select().where(Job.last_error.is_null(False)).exists()
            return
    raise AssertionError([(job.kind, job.state, job.last_error) for job in Job.select()])


def rows() -> dict[str, int]:
    names = set(database.get_tables()) - NOT_COUNTED
    return {name: database.execute_sql(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}


def purged(action: str = "run.purged") -> list[Event]:
    return list(Event.select().where(Event.action == action).order_by(Event.id))


@pytest.mark.usefixtures("small")
def test_deleted_runs_and_models_go_with_all_that_is_theirs(
    services: Services, owner: Actor, project: Project, worker: Worker, folder: Path, new_run: Callable[..., str]
) -> None:
    kept, recent = new_run(), new_run()
    services.runs.delete(owner, project, recent)
    before, size = rows(), Project.get().artifact_bytes
    gone = [new_run(points=20 * number) for number in range(3)]
    delete_long_ago(services, owner, project, *gone)
    delete_models_long_ago(services, owner, project, *gone)
    models = [path.name for path in (folder / "0" / "models").iterdir()]
    work_off(services, worker)
    assert {name: count for name, count in rows().items() if count != before[name]} == {}
    assert {row.public_id for row in Run.select()} == {kept, recent}
    assert {path.name for path in (folder / "0").iterdir()} == {kept, recent, "models"}
    assert len(list((folder / "0" / "models").iterdir())) == len(models) - 3
    assert Project.get().artifact_bytes == size
    assert services.runs.get(owner, project, kept).data.metrics != []
    told = purged()
    assert [event.before["count"] for event in told] == [2, 1]
    assert {run for event in told for run in event.before["ids"]} == set(gone)
    assert (told[0].object_name, told[0].actor_name, told[1].object_id) == ("2 runs", "purge", told[1].before["ids"][0])
    assert sum(event.before["count"] for event in purged("logged_model.purged")) == 3


@on_sqlite
@pytest.mark.usefixtures("small")
def test_killed_anywhere_it_goes_on(
    services: Services, owner: Actor, project: Project, folder: Path, new_run: Callable[..., str]
) -> None:
    before = rows()
    services.experiments.create(owner, project, name="seven")
    gone = [new_run("1", points=11) for _ in range(3)]
    delete_experiment_long_ago(services, owner, project, "1")
    kills = 0
    for life in range(1, 300):
        services.tracking_retention.enqueue_due()
        Job.delete().where(Job.kind != retention.PURGE).execute()
        Job.update(lease_until_ms=1, run_after_ms=1).execute()
        job = Job.claim("test", 60_000)
        if job is None:
            break
        lease = Lease(Job, job.id, job.fence)
        try:
            lease.finish(services.tracking_retention.purge(Doomed(lease, iter(range(life % 4 + 1))), project.public_id))  # type: ignore[arg-type]
        except Killed:
            kills += 1
    assert kills > 5
    assert {name: count for name, count in rows().items() if count != before[name]} == {}
    assert not (folder / "1").exists()
    assert sorted(run for event in purged() for run in event.before["ids"]) == sorted(gone)
    assert [(event.object_id, event.object_name) for event in purged("experiment.purged")] == [("1", "seven")]
    assert services.experiments.create(owner, project, name="seven").experiment_id == "2"


@on_sqlite
def test_a_run_with_very_many_points_goes_in_parts(
    services: Services, owner: Actor, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = services.runs.create(owner, project, NewRun(experiment_id="0", user_id="", start_time_ms=1)).info
    for base in (0, 50):  # all of one step: a part is a part of a step, too
        many = [Metric("loss", float(number), 5, 1) for number in range(base, base + 50)]
        services.runs.log_batch(owner, project, run.run_id, metrics=many)
    monkeypatch.setattr(purge, "POINTS", 30)
    left = []
    while purge.forget_points(MetricSeries.run.in_(Run.select(Run.id))):
        left.append(MetricPoint.select().count())
    assert left == [70, 40, 10, 0]


@on_sqlite
@pytest.mark.usefixtures("small")
def test_an_experiments_traces_go_in_parts(
    services: Services, owner: Actor, project: Project, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("gone", "kept"):
        made = services.experiments.create(owner, project, name=name).experiment_id
        steps = [
            Span(
                trace_id=f"tr-{name}-{number}",
                span_id=f"{number:016x}",
                name="s",
                start_time_ns=1,
                content=SpanContent(),
            )
            for number in range(5)
        ]
        services.traces.log_spans(owner, project, made, [SpanBatch([step]) for step in steps])
    services.experiments.delete(owner, project, "1")
    services.tracking_retention.purge_experiment(owner, project, "1")
    left: list[int] = []
    confirm = Lease.confirm

    def confirm_and_count(lease: Lease, **given: Any) -> None:
        confirm(lease, **given)
        left.append(SpanRow.select().count() + TraceRow.select().count())

    monkeypatch.setattr(Lease, "confirm", confirm_and_count)
    work_off(services, worker)
    assert not Experiment.select().where(Experiment.number == 1).exists()
    assert (SpanRow.select().count(), TraceRow.select().count()) == (5, 5)
    assert max(before - after for before, after in pairwise([*left, 10])) == 2


@pytest.mark.usefixtures("small")
def test_what_has_begun_is_not_restored_and_what_came_back_in_time_stays(
    services: Services, owner: Actor, project: Project, worker: Worker, new_run: Callable[..., str]
) -> None:
    services.experiments.create(owner, project, name="one")
    begun, back = new_run("1"), new_run("1")
    delete_long_ago(services, owner, project, begun, back)
    services.runs.restore(owner, project, back)
    services.tracking_retention.enqueue_due()
    Run.update(purge_started_at_ms=now_ms()).where(Run.public_id == begun).execute()
    with pytest.raises(Conflict, match=f"The run {begun} is being purged"):
        services.runs.restore(owner, project, begun)
    services.experiments.delete(owner, project, "1")
    services.experiments.restore(owner, project, "1")  # with the runs that can come back
    assert [row.public_id for row in Run.select().where(Run.lifecycle_stage == ACTIVE)] == [back]
    work_off(services, worker)
    assert [row.public_id for row in Run.select()] == [back]
    services.runs.log_metric(owner, project, back, Metric("loss", 1.0, 1, 99))


def test_an_experiment_whose_purge_has_begun_is_not_restored(
    services: Services, owner: Actor, project: Project, new_run: Callable[..., str]
) -> None:
    services.experiments.create(owner, project, name="one")
    run_id = new_run("1")
    services.experiments.delete(owner, project, "1")
    services.tracking_retention.purge_experiment(owner, project, "1")
    with pytest.raises(Conflict, match="The experiment 1 is being purged"):
        services.experiments.restore(owner, project, "1")
    with pytest.raises(Conflict, match="The experiment 1 is being purged"):
        services.runs.restore(owner, project, run_id)


@on_sqlite
@pytest.mark.usefixtures("small")
def test_an_experiment_with_a_restored_run_and_the_default_one_stay(
    services: Services, owner: Actor, project: Project, worker: Worker, new_run: Callable[..., str]
) -> None:
    services.experiments.create(owner, project, name="one")
    back = new_run("1")
    for experiment_id in ("0", "1"):
        delete_experiment_long_ago(services, owner, project, experiment_id)
    services.runs.restore(owner, project, back)
    work_off(services, worker)
    assert [row.number for row in Experiment.select().order_by(Experiment.number)] == [0, 1]
    assert [row.public_id for row in Run.select()] == [back]
    for experiment_id in ("0", "1"):
        with pytest.raises(Conflict):
            services.tracking_retention.purge_experiment(owner, project, experiment_id)
        services.experiments.restore(owner, project, experiment_id)


@on_sqlite
@pytest.mark.usefixtures("small")
def test_files_of_model_versions_stay_with_the_run_that_they_are_from(
    services: Services, owner: Actor, project: Project, worker: Worker, folder: Path, new_run: Callable[..., str]
) -> None:
    services.experiments.create(owner, project, name="one")
    used, by_model = [new_run("1") for _ in range(3)], new_run()
    services.models.create(owner, project, name="risk")
    for run_id in used:
        services.model_versions.create(owner, project, "risk", source=f"runs:/{run_id}/a.txt")
    services.model_versions.create(owner, project, "risk", source=f"models:/{model_of(by_model)}")
    other = new_run("1")
    delete_experiment_long_ago(services, owner, project, "1")
    delete_models_long_ago(services, owner, project, by_model)
    work_off(services, worker)
    assert {row.public_id for row in Run.select()} == {*used, by_model}
    assert not (folder / "1" / other).exists()
    assert (folder / "1" / used[0] / "artifacts" / "a.txt").exists()
    assert LoggedModel.select().where(LoggedModel.source_run_id == by_model).exists()
    for act in (
        lambda: services.tracking_retention.purge_run(owner, project, used[0]),
        lambda: services.tracking_retention.purge_experiment(owner, project, "1"),
    ):
        with pytest.raises(Conflict, match="The model version risk/1 has its files from"):
            act()
    services.models.delete(owner, project, "risk")
    work_off(services, worker)
    assert [row.public_id for row in Run.select()] == [by_model]
    assert [row.number for row in Experiment.select()] == [0]


def test_no_version_is_made_of_what_is_being_purged(
    services: Services, owner: Actor, project: Project, new_run: Callable[..., str]
) -> None:
    run_id = new_run()
    services.models.create(owner, project, name="risk")
    services.model_versions.create(owner, project, "risk", source="mlflow-artifacts:/0/anything")
    services.runs.delete(owner, project, run_id)
    services.tracking_retention.purge_run(owner, project, run_id)
    model_id = model_of(run_id)
    services.logged_models.delete(owner, project, model_id)
    for path in (f"0/{run_id}/artifacts/a.txt", f"0/models/{model_id}/artifacts"):
        with pytest.raises(Conflict, match="are being purged"):
            services.model_versions.create(owner, project, "risk", source=f"mlflow-artifacts:/{path}")


@on_sqlite
def test_a_version_that_came_first_takes_the_mark_away(
    services: Services, owner: Actor, project: Project, worker: Worker, new_run: Callable[..., str]
) -> None:
    services.experiments.create(owner, project, name="one")
    run_id = new_run("1")
    services.models.create(owner, project, name="risk")
    services.model_versions.create(owner, project, "risk", source=f"runs:/{run_id}/a.txt")
    services.experiments.delete(owner, project, "1")
    for table in (Run, Experiment):  # as if the version had been registered just before
        table.update(purge_started_at_ms=now_ms()).where(table.lifecycle_stage != ACTIVE).execute()
    work_off(services, worker)
    services.experiments.restore(owner, project, "1")
    assert services.runs.get(owner, project, run_id).info.lifecycle_stage == ACTIVE


@on_sqlite
@pytest.mark.usefixtures("small")
def test_a_person_purges_at_once_and_the_quota_is_free_after_it(
    services: Services,
    factories: Factories,
    owner: Actor,
    project: Project,
    worker: Worker,
    new_run: Callable[..., str],
) -> None:
    run_id = new_run()
    Project.update(max_runs=1).execute()
    limited = Project.get_by_id(project.id)
    with pytest.raises(InvalidTransition, match="is not deleted"):
        services.tracking_retention.purge_run(owner, limited, run_id)
    services.runs.delete(owner, limited, run_id)
    editor = factories.actor(factories.member(project, "editor"))
    with pytest.raises(PermissionDenied, match="'admin'"):
        services.tracking_retention.purge_run(editor, limited, run_id)
    for _ in range(2):
        services.tracking_retention.purge_run(owner, limited, run_id)
    with pytest.raises(QuotaExceeded):
        services.runs.create(owner, limited, NewRun(experiment_id="0", user_id="", start_time_ms=1))
    assert [(event.actor_id, event.object_id) for event in purged("run.purge_requested")] == [(owner.id, run_id)]
    work_off(services, worker)
    with pytest.raises(NotFound):
        services.tracking_retention.purge_run(owner, limited, run_id)
    with pytest.raises(NotFound):
        services.runs.get(owner, limited, run_id)
    services.runs.create(owner, limited, NewRun(experiment_id="0", user_id="", start_time_ms=1))


@on_sqlite
def test_another_tenants_run_is_not_found(
    services: Services, factories: Factories, new_run: Callable[..., str]
) -> None:
    run_id = new_run()
    other = factories.project()
    with pytest.raises(NotFound):
        services.tracking_retention.purge_run(factories.actor(system_owner(other)), other, run_id)
    with pytest.raises(NotFound):
        services.tracking_retention.purge_experiment(factories.actor(system_owner(other)), other, "7")


@on_sqlite
def test_artifacts_that_are_kept_elsewhere_are_left_alone(
    services: Services, owner: Actor, project: Project, worker: Worker, folder: Path, new_run: Callable[..., str]
) -> None:
    made = services.experiments.create(owner, project, name="s3", artifact_location="s3://bucket/a")
    shared = services.experiments.create(owner, project, name="shared", artifact_location="mlflow-artifacts:/0/sub")
    services.artifacts.write(owner, project, "0/sub/note.txt", [b"hello"])
    runs = [new_run(made.experiment_id), new_run(shared.experiment_id)]
    for experiment in (made, shared):
        delete_experiment_long_ago(services, owner, project, experiment.experiment_id)
    work_off(services, worker)
    assert not Run.select().where(Run.public_id.in_(runs)).exists()
    assert [row.number for row in Experiment.select()] == [0]
    assert (folder / "0" / "sub" / "note.txt").exists()
    row = Run(public_id="a" * 32, artifact_uri=f"mlflow-artifacts:/../{'a' * 32}/artifacts")
    assert retention.folder_of(row) is None


@on_sqlite
def test_what_an_outside_tracker_keeps_is_its_own_affair(
    services: Services, owner: Actor, project: Project, worker: Worker, new_run: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    run_id = new_run()
    delete_long_ago(services, owner, project, run_id)
    monkeypatch.setattr(type(services.connections.tracker_of(project)), "capabilities", frozenset())
    work_off(services, worker)
    assert Run.select().count() == 1
    with pytest.raises(Conflict, match="outside of Modelyard"):
        services.tracking_retention.purge_run(owner, project, run_id)


@on_sqlite
def test_a_worker_that_lost_its_lease_marks_nothing(
    services: Services, owner: Actor, project: Project, new_run: Callable[..., str]
) -> None:
    delete_long_ago(services, owner, project, new_run())
    services.tracking_retention.enqueue_due()
    first = Job.claim("a", 60_000)
    Job.update(lease_until_ms=1).execute()
    Job.claim("b", 60_000)
    with pytest.raises(LeaseLost):
        services.tracking_retention.purge(Lease(Job, first.id, first.fence), project.public_id)
    assert Run.get().purge_started_at_ms is None


@on_sqlite
def test_only_projects_with_something_due_are_worked_on(
    services: Services, factories: Factories, owner: Actor, project: Project, worker: Worker,
    new_run: Callable[..., str],
) -> None:  # fmt: skip
    factories.project()
    delete_long_ago(services, owner, project, new_run())
    services.projects.delete(owner, project, confirm="churn")
    Job.delete().execute()
    for _ in range(3):
        tasks.begin()
    assert worker.run_once(jobs_only=True)
    assert [job.kind for job in Job.select()] == [tasks.FIND_DUE]
    services.projects.restore(owner, project.organization.slug, project.public_id)
    services.tracking_retention.enqueue_due()
    assert [job.arguments for job in Job.select().where(Job.kind == retention.PURGE)] == [{"id": project.public_id}]


def test_of_a_restoration_and_a_purge_at_once_one_wins(
    services: Services, owner: Actor, project: Project, worker: Worker, new_run: Callable[..., str]
) -> None:
    run_id = new_run(points=1)
    services.runs.delete(owner, project, run_id)
    refusals = at_once(
        lambda: services.runs.restore(owner, project, run_id),
        lambda: services.tracking_retention.purge_run(owner, project, run_id),
    )
    assert [type(refused) for refused in refusals] in ([Conflict], [InvalidTransition])
    work_off(services, worker)
    assert Run.select().exists() == isinstance(refusals[0], InvalidTransition)


def test_a_version_registered_while_its_run_is_purged_has_its_files_or_is_not_made(
    services: Services, owner: Actor, project: Project, worker: Worker, folder: Path, new_run: Callable[..., str],
) -> None:  # fmt: skip
    run_id = new_run(points=1)
    services.models.create(owner, project, name="risk")
    services.runs.delete(owner, project, run_id)
    at_once(
        lambda: services.model_versions.create(owner, project, "risk", source=f"runs:/{run_id}/a.txt"),
        lambda: services.tracking_retention.purge_run(owner, project, run_id),
    )
    work_off(services, worker)
    kept = (folder / "0" / run_id / "artifacts" / "a.txt").exists()
    assert kept == Run.select().exists() == ModelVersion.select().exists()
