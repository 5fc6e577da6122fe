"""Events and their deliveries: written with the change, told after it, told again until it is done."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.db import atomic, database
from modelyard.core.errors import Conflict, InvalidInput, PluginError, PluginUnavailable
from modelyard.core.events import EventRecord, describe
from modelyard.core.identity.actor import Actor
from modelyard.core.jobs import Job
from modelyard.core.notifications.models import Delivery, DeliveryAttempt, Event
from modelyard.core.projects.models import Connection, Project
from modelyard.core.registry.models import ModelVersion
from modelyard.core.worker import Worker
from tests.factories import SYSTEM, Factories

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
SOURCE = "mlflow-artifacts:/m"


@pytest.fixture
def project(factories: Factories, parrot: ModuleType) -> Project:
    made = factories.project("churn")
    Delivery.delete().execute()
    return made


@pytest.fixture
def admin(factories: Factories, project: Project) -> Actor:
    return factories.actor(project.organization.members[0].user)


@pytest.fixture
def worker(services: Services) -> Worker:
    return Worker(services, threads=1, lease_seconds=60, max_attempts=3)


def connect(services: Services, admin: Actor, project: Project, name: str, **more: Any) -> Connection:
    wish = {"kind": "notifier", "provider": "parrot", "settings": {}, **more}
    return services.connections.create(admin, project, name=name, **wish)


def version(services: Services, admin: Actor, project: Project) -> None:
    services.models.create(admin, project, name="risk")
    services.model_versions.create(admin, project, "risk", source=SOURCE)


def promote(services: Services, admin: Actor, project: Project, stage: str = "Production") -> None:
    services.model_versions.promote(admin, project, "risk", 1, stage=stage)


def work(worker: Worker) -> None:
    """Do all that is due, and what is to be tried again, too."""
    for _ in range(30):
        Delivery.update(run_after_ms=1).where(Delivery.state == "queued").execute()
        if not worker.run_once():
            return


def subscribers(action: str) -> list[str]:
    rows = Delivery.select().join(Event).where(Event.action == action).order_by(Delivery.id)
    return [row.connection.name if row.connection else f"{row.plugin}.{row.moment}" for row in rows]


def test_an_event_outside_of_a_transaction_is_refused(services: Services, project: Project) -> None:
    count = Event.select().count()
    with pytest.raises(RuntimeError, match="outside of the transaction"):
        services.events.record("model.created", actor=SYSTEM, object_id="1", object_name="risk", project=project)
    assert Event.select().count() == count


def test_a_change_that_is_rolled_back_tells_nobody(
    services: Services, admin: Actor, project: Project, worker: Worker, parrot: ModuleType
) -> None:
    version(services, admin, project)
    before = (Event.select().count(), Delivery.select().count())
    with pytest.raises(ZeroDivisionError), atomic():
        promote(services, admin, project)
        _ = 1 / 0
    assert (Event.select().count(), Delivery.select().count()) == before
    work(worker)
    assert [moment for moment, _ in parrot.MOMENTS] == ["model_version_created"]


def test_each_subscriber_has_a_delivery_of_its_own(
    services: Services, factories: Factories, admin: Actor, project: Project
) -> None:
    connect(services, admin, project, "all")
    for name, patterns in [
        ("exact", ["model_version.stage_changed"]), ("family", ["model_version.*"]), ("other", ["run.*", "model.*"]),
        ("twice", ["model_version.*", "*"]), ("nothing", []), ("wrong-case", ["MODEL_VERSION.*"]),
    ]:  # fmt: skip
        connect(services, admin, project, name, subscriptions=patterns)
    off = connect(services, admin, project, "off")
    services.connections.edit(admin, project, off.public_id, {"enabled": False})
    elsewhere = factories.project()
    connect(services, factories.actor(elsewhere.organization.members[0].user), elsewhere, "elsewhere")
    version(services, admin, project)
    promote(services, admin, project)
    assert subscribers("model_version.stage_changed") == ["parrot.stage_changed", "all", "exact", "family", "twice"]
    assert subscribers("model_version.created") == ["parrot.model_version_created", "all", "family", "twice"]
    assert subscribers("model.created") == ["all", "other", "twice"]


def test_what_is_told_is_what_happened(
    services: Services, admin: Actor, project: Project, worker: Worker, parrot: ModuleType
) -> None:
    connect(services, admin, project, "all", subscriptions=["model_version.stage_changed"])
    version(services, admin, project)
    services.model_versions.promote(admin, project, "risk", 1, stage="Staging", reason="looks good")
    work(worker)
    event = Event.get(Event.action == "model_version.stage_changed")
    (moment, record) = parrot.MOMENTS[-1]
    assert (moment, record) == ("stage_changed", describe(event))
    assert (record.organization, record.project) == (project.organization.slug, "churn")
    assert (record.actor_name, record.request_id) == (admin.name, "test")
    assert (record.before, record.after) == ({"stage": "None"}, {"stage": "Staging", "reason": "looks good"})
    (note,) = parrot.SENT
    assert (note.id, note.action) == (event.public_id, "model_version.stage_changed")
    assert note.title == "Model version risk/1: stage changed"
    assert note.text == (
        f"{admin.name} in {project.organization.slug}/churn\nstage: None → Staging\nreason: looks good"
    )
    assert note.link == f"{services.settings.public_url}/{project.organization.slug}/churn"
    assert note.event["object_name"] == "risk/1"
    assert {row.state for row in Delivery.select()} == {"done"}
    assert all(row.delivered_at_ms and row.last_error is None for row in Delivery.select())


def test_a_subscriber_that_fails_leaves_the_change_and_the_others(
    services: Services, admin: Actor, project: Project, worker: Worker, parrot: ModuleType
) -> None:
    connect(services, admin, project, "all", subscriptions=["model_version.stage_changed"])
    version(services, admin, project)
    work(worker)
    promote(services, admin, project)
    parrot.FAIL[:] = [RuntimeError("the parrot is dead"), PluginUnavailable("asleep", plugin="x", operation="y")]
    for _ in range(2):
        assert worker.run_once()
    rows = list(Delivery.select().join(Event).where(Event.action == "model_version.stage_changed"))
    assert [(row.state, row.attempts) for row in rows] == [("queued", 1)] * 2
    assert "the parrot is dead" in rows[0].last_error
    assert "asleep" in rows[1].last_error
    assert all(row.run_after_ms > row.created_at_ms for row in rows)
    assert ModelVersion.get().stage == "Production"
    work(worker)
    rows = list(Delivery.select().join(Event).where(Event.action == "model_version.stage_changed"))
    assert [row.state for row in rows] == ["done", "done"]
    assert [note.action for note in parrot.SENT] == ["model_version.stage_changed"]
    assert parrot.MOMENTS[-1][0] == "stage_changed"


def test_what_never_works_is_given_up(
    services: Services, admin: Actor, project: Project, worker: Worker, parrot: ModuleType
) -> None:
    connect(services, admin, project, "all", subscriptions=["model.*"])
    parrot.FAIL[:] = [PluginUnavailable("asleep", plugin="x", operation="y")] * 10
    services.models.create(admin, project, name="risk")
    work(worker)
    row = Delivery.get()
    assert (row.state, row.attempts, row.delivered_at_ms) == ("failed", 3, None)
    assert "asleep" in row.last_error
    assert len(parrot.FAIL) == 7


def test_what_is_wrong_with_the_input_is_not_tried_again(
    services: Services, admin: Actor, project: Project, worker: Worker, parrot: ModuleType
) -> None:
    connect(services, admin, project, "all", subscriptions=["model.*"])
    parrot.FAIL[:] = [InvalidInput("no such channel")] * 2
    services.models.create(admin, project, name="risk")
    work(worker)
    assert (Delivery.get().state, Delivery.get().attempts, len(parrot.FAIL)) == ("failed", 1, 1)


@on_sqlite
def test_a_worker_that_dies_leaves_the_delivery_to_the_next(
    services: Services, admin: Actor, project: Project, worker: Worker, parrot: ModuleType
) -> None:
    connect(services, admin, project, "all", subscriptions=["model.*"])
    services.models.create(admin, project, name="risk")
    assert Delivery.claim("one that dies", 60_000) is not None
    assert not worker.run_once()
    Delivery.update(lease_until_ms=1).execute()
    assert worker.run_once()
    assert (Delivery.get().state, len(parrot.SENT)) == ("done", 1)


@on_sqlite
def test_a_deleted_connection_leaves_its_deliveries_and_their_log(
    services: Services, admin: Actor, project: Project, worker: Worker, parrot: ModuleType
) -> None:
    made = connect(services, admin, project, "all", subscriptions=["model.*"])
    services.models.create(admin, project, name="risk")
    work(worker)
    services.models.create(admin, project, name="churn")
    services.connections.delete(admin, project, made.public_id)
    work(worker)
    assert len(parrot.SENT) == 1
    done, open_then = Delivery.select().order_by(Delivery.id)
    assert [(row.subscriber, row.connection) for row in (done, open_then)] == [("all", None)] * 2
    assert (done.state, open_then.state, open_then.attempts) == ("done", "failed", 1)
    assert open_then.last_error == "The connection 'all' was deleted."
    assert [attempt.outcome for attempt in DeliveryAttempt.of(done)] == ["delivered"]
    assert [attempt.outcome for attempt in DeliveryAttempt.of(open_then)] == ["refused"]
    with pytest.raises(Conflict, match="was deleted"):
        services.deliveries.redeliver(admin, project, open_then.public_id)


@on_sqlite
def test_a_plugin_that_is_gone_is_named(services: Services, admin: Actor, project: Project, worker: Worker) -> None:
    version(services, admin, project)
    Delivery.update(plugin="uninstalled").execute()
    worker.run_once()
    assert "'uninstalled'" in Delivery.get().last_error
    with pytest.raises(PluginError):
        services.notifications.deliver(Delivery.get())


def record(**more: Any) -> EventRecord:
    values: dict[str, Any] = {
        "id": "e1", "action": "model.created", "occurred_at_ms": 1, "organization": "acme", "project": "churn",
        "actor_kind": "user", "actor_id": "u1", "actor_name": "ada", "object_kind": "model", "object_id": "m1",
        "object_name": "risk", "before": {}, "after": {},
    }  # fmt: skip
    return EventRecord(**{**values, **more})


@on_sqlite
@pytest.mark.parametrize(
    ("more", "title", "text", "link"),
    [
        ({}, "Model risk: created", "ada in acme/churn", "/acme/churn"),
        ({"after": {"name": "x"}}, "Model risk: created", "ada in acme/churn\nname: x", "/acme/churn"),
        (
            {
                "action": "run.finished",
                "object_name": "r 1",
                "before": {"status": "RUNNING"},
                "after": {"status": "FAILED"},
            },
            "Run r 1: finished",
            "ada in acme/churn\nstatus: RUNNING → FAILED",
            "/acme/churn",
        ),
        ({"action": "deployment.became_ready"}, "Deployment risk: became ready", "ada in acme/churn", "/acme/churn"),
        ({"actor_name": "", "actor_kind": "system"}, "Model risk: created", "system in acme/churn", "/acme/churn"),
        ({"project": None}, "Model risk: created", "ada in acme", ""),
        ({"organization": None, "project": None}, "Model risk: created", "ada", ""),
        (
            {"after": {"note": "ünï 🦊\nline"}},
            "Model risk: created",
            "ada in acme/churn\nnote: ünï 🦊\nline",
            "/acme/churn",
        ),
    ],
)
def test_what_people_read(services: Services, more: Any, title: str, text: str, link: str) -> None:
    note = services.notifications.compose(record(**more))
    assert (note.title, note.text, note.link) == (title, text, services.settings.public_url + link)
    assert (note.id, note.occurred_at_ms, note.event["object_id"]) == ("e1", 1, "m1")


def test_events_hold_no_job_of_their_own(services: Services, admin: Actor, project: Project) -> None:
    version(services, admin, project)
    assert Job.select().count() == 0
    stored = database.execute_sql("SELECT address, request_id, schema_version FROM event").fetchall()[-1]
    assert tuple(stored) == ("127.0.0.1", "test", 1)
