"""The end of the retention: all is taken away, whatever is killed meanwhile, and the audit log stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from modelyard.core import db, jobs
from modelyard.core.bootstrap import Services
from modelyard.core.db import database, now_ms
from modelyard.core.deployments.models import Deployment
from modelyard.core.errors import LeaseLost, NotFound, PluginUnavailable
from modelyard.core.identity.actor import Actor
from modelyard.core.identity.models import ApiToken, User
from modelyard.core.jobs import Job, Lease
from modelyard.core.notifications.models import Event
from modelyard.core.projects import tasks
from modelyard.core.projects.models import Connection, Organization, OrganizationMember, Project
from modelyard.core.tracking import purge
from modelyard.core.tracking.entities import Metric, NewLoggedModel, NewRun
from modelyard.core.tracking.models import MetricPoint, Run
from modelyard.core.tracking.trace_entities import Span, SpanBatch, SpanContent, Trace
from modelyard.core.worker import Worker
from tests.factories import Factories, system_owner

DAY_MS = 24 * 3600 * 1000
on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
KEPT = {"event", "organization", "organization_member", "user_account", "schema_migration", "job"}
"""Tables in which a purged project leaves something that is not its own."""


class Killed(BaseException):
    """What a kill -9 looks like from inside."""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "POINTS", 3)
    monkeypatch.setattr(purge, "ROWS", 2)


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project("churn", local=True)


@pytest.fixture
def owner(factories: Factories, project: Project) -> Actor:
    return factories.actor(system_owner(project))


@pytest.fixture
def worker(services: Services) -> Worker:
    return Worker(services, threads=1, lease_seconds=60, max_attempts=3)


def fill(services: Services, factories: Factories, owner: Actor, project: Project) -> None:
    """Put something into every table that hangs on a project."""
    for number in range(3):
        run = services.runs.create(owner, project, NewRun(experiment_id="0", user_id="", start_time_ms=1)).info
        many = [Metric("loss", 0.5, step, step // 5) for step in range(9 * number)]
        services.runs.log_batch(owner, project, run.run_id, metrics=[*many, Metric("auc", 1.0, 1, 1)])
        services.artifacts.write(owner, project, f"0/{run.run_id}/a.txt", [b"hello"])
    services.logged_models.create(owner, project, NewLoggedModel(experiment_id="0", name="m"))
    for number in range(3):
        trace = Trace(trace_id=f"tr-{number}", experiment_id="0", state="OK", start_time_ms=1, tags={"a": "b"})
        services.traces.start(owner, project, trace)
        steps = [
            Span(trace_id=f"tr-{number}", span_id=f"{step:016x}", name="s", start_time_ns=1, content=SpanContent())
            for step in range(3)
        ]
        services.traces.log_spans(owner, project, "0", [SpanBatch(steps)])
    services.models.create(owner, project, name="risk", tags={"a": "b"})
    for _ in range(3):
        services.model_versions.create(owner, project, "risk", source="mlflow-artifacts:/m")
    services.model_versions.promote(owner, project, "risk", "1", stage="Production")
    services.deployments.create(owner, project, name="live", model="risk", version="1", target="local_process")
    wish = {"kind": "notifier", "provider": "log", "settings": {}}
    services.connections.create(owner, project, name="log", **wish)
    services.projects.edit(owner, project, {"slug": "leavers"})
    factories.member(project, "viewer")
    factories.token(User.get_by_id(owner.user_id), project=project)


def delete_long_ago(services: Services, owner: Actor, project: Project) -> None:
    found = Project.get_by_id(project.id)
    services.projects.delete(owner, found, confirm=found.slug)
    Project.update(deleted_at_ms=now_ms() - 31 * DAY_MS).where(Project.id == project.id).execute()


def work_off(services: Services, worker: Worker) -> None:
    """Do what the worker does until nothing is left to do but to come again later."""
    services.purger.enqueue_due()
    for _ in range(60):
        Job.update(run_after_ms=Job.run_after_ms - DAY_MS).where(Job.state.in_(jobs.OPEN_STATES)).execute()
        if not worker.run_once(jobs_only=True):
            return
    raise AssertionError([(job.kind, job.state, job.last_error) for job in Job.select()])


def rows() -> dict[str, int]:
    names = set(database.get_tables()) - KEPT
    return {name: database.execute_sql(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}


@pytest.mark.usefixtures("small")
def test_all_goes_and_the_audit_log_stays(
    services: Services, factories: Factories, owner: Actor, project: Project, worker: Worker
) -> None:
    factories.project()  # somebody else's
    kept = rows()
    again = services.projects.create(owner, project.organization.slug, slug="again", name="Churn")
    Project.update(allow_local_deployments=True).execute()
    before = rows()
    fill(services, factories, owner, Project.get_by_id(again.id))
    files = services.settings.data.directory / "artifacts" / again.public_id
    assert files.is_dir()
    delete_long_ago(services, owner, again)
    told = [(row.public_id, row.action) for row in Event.select().where(Event.project == again)]
    work_off(services, worker)
    assert before["project"] == kept["project"] + 1
    assert {name: count for name, count in rows().items() if count != kept[name]} == {}
    assert not files.exists()
    assert not (services.settings.data.directory / "deployments").exists() or not list(
        (services.settings.data.directory / "deployments").iterdir()
    )
    mine = Event.select().where(Event.organization == project.organization_id, Event.project.is_null())
    assert set(told) <= {(row.public_id, row.action) for row in mine}
    last = Event.select().order_by(Event.id.desc()).first()
    assert (last.action, last.object_id, last.before["slug"]) == ("project.purged", again.public_id, "leavers")
    with pytest.raises(NotFound):
        services.projects.restore(owner, project.organization.slug, again.public_id)


@on_sqlite
def test_what_is_within_its_retention_or_came_back_stays(
    services: Services, owner: Actor, project: Project, worker: Worker
) -> None:
    services.projects.delete(owner, project, confirm="churn")
    work_off(services, worker)
    assert Job.select().count() == 0
    delete_at = now_ms() - 31 * DAY_MS
    Project.update(deleted_at_ms=delete_at).execute()
    services.purger.enqueue_due()
    services.purger.enqueue_due()
    assert [job.kind for job in Job.select()] == ["project.purge"]
    services.projects.restore(owner, project.organization.slug, project.public_id)
    work_off(services, worker)
    assert Project.get().deleted_at_ms is None


class Doomed:
    """A lease whose holder is killed at its n-th sign of life."""

    def __init__(self, lease: Lease, life: Iterator[int]) -> None:
        self._lease, self._life = lease, life

    def confirm(self, **changes: Any) -> None:
        if next(self._life, None) is None:
            raise Killed
        self._lease.confirm(**changes)


@on_sqlite
@pytest.mark.usefixtures("small")
def test_killed_anywhere_it_goes_on(services: Services, factories: Factories, owner: Actor, project: Project) -> None:
    fill(services, factories, owner, project)
    delete_long_ago(services, owner, project)
    Deployment.delete().execute()
    kills = 0
    for life in range(1, 200):
        services.purger.enqueue_due()
        Job.update(lease_until_ms=1, run_after_ms=1).execute()
        Job.delete().where(Job.kind != "project.purge").execute()
        job = Job.claim("test", 60_000)
        try:
            services.purger.purge_project(
                Doomed(Lease(Job, job.id, job.fence), iter(range(life % 5 + 1))), project.public_id
            )  # type: ignore[arg-type]
        except Killed:
            kills += 1
            with pytest.raises(NotFound, match="no deleted project"):  # what has begun is not undone
                services.projects.restore(owner, project.organization.slug, project.public_id)
            continue
        break
    assert kills > 5
    assert (Project.select().count(), Run.select().count(), MetricPoint.select().count()) == (0, 0, 0)
    assert Event.select().where(Event.action == "project.purged").count() == 1
    assert (Connection.select().count(), ApiToken.select().count()) == (0, 0)


@on_sqlite
def test_a_worker_that_lost_its_lease_takes_nothing_away(services: Services, owner: Actor, project: Project) -> None:
    delete_long_ago(services, owner, project)
    services.purger.enqueue_due()
    first = Job.claim("a", 60_000)
    Job.update(lease_until_ms=1).execute()
    Job.claim("b", 60_000)
    with pytest.raises(LeaseLost):
        services.purger.purge_project(Lease(Job, first.id, first.fence), project.public_id)
    assert Project.get().purge_started_at_ms is None


@on_sqlite
def test_a_storage_that_does_not_answer_is_asked_again(
    services: Services, owner: Actor, project: Project, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete_long_ago(services, owner, project)
    real = services.connections.storage_of

    def gone(project: Project) -> Any:
        raise PluginUnavailable("The bucket does not answer.", plugin="s3", operation="list")

    monkeypatch.setattr(services.purger, "_storage_of", gone)
    work_off(services, worker)
    job = Job.get(kind="project.purge")
    assert (job.state, job.last_error, Project.select().count()) == ("failed", "The bucket does not answer.", 1)
    monkeypatch.setattr(services.purger, "_storage_of", real)
    work_off(services, worker)
    assert Project.select().count() == 0


def test_a_purged_organization_is_a_name_for_its_events(
    services: Services, factories: Factories, owner: Actor, project: Project, worker: Worker
) -> None:
    slug, organization_id = project.organization.slug, project.organization.public_id
    services.projects.create(owner, slug, slug="second", name="Second")
    services.organizations.edit(owner, slug, {"slug": "renamed"})
    services.organizations.delete(owner, "renamed", confirm="renamed")
    Organization.update(deleted_at_ms=now_ms() - 31 * DAY_MS).execute()
    told = Event.select().count()
    work_off(services, worker)
    left = Organization.get()
    assert (left.public_id, left.name, left.purged_at_ms is not None) == (organization_id, slug.title(), True)
    assert (Project.select().count(), OrganizationMember.select().count()) == (0, 0)
    assert Event.select().where(Event.organization == left).count() == told + 3
    assert Event.select().order_by(Event.id.desc()).first().action == "organization.purged"
    assert list(services.organizations.list_deleted(owner)) == []
    Job.delete().execute()
    work_off(services, worker)
    assert Job.select().count() == 0
    factories.organization("renamed")


@on_sqlite
def test_any_number_of_workers_look_by_one_row(services: Services, worker: Worker) -> None:
    for _ in range(3):
        tasks.begin()
    assert [job.kind for job in Job.select()] == [tasks.FIND_DUE]
    assert worker.run_once(jobs_only=True)
    job = Job.get()
    assert (job.state, job.run_after_ms > now_ms() + 500_000) == ("queued", True)
    assert not worker.run_once(jobs_only=True)
    with db.atomic():
        assert Job.select().count() == 1
