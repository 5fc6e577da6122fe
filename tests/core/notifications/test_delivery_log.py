"""The log of deliveries: each attempt, how long a receiver asks to wait, telling again, and whose they are."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.db import connection, now_ms
from modelyard.core.errors import (
    Conflict,
    InvalidTransition,
    NotFound,
    PermissionDenied,
    PluginRefused,
    PluginUnavailable,
)
from modelyard.core.identity.actor import Actor
from modelyard.core.notifications.models import MOST_ATTEMPTS_KEPT, Delivery, DeliveryAttempt, Event
from modelyard.core.projects.models import Connection, Project
from modelyard.core.worker import Worker
from tests.factories import Factories


@pytest.fixture
def project(factories: Factories, parrot: ModuleType) -> Project:
    return factories.project("churn")


@pytest.fixture
def admin(factories: Factories, project: Project) -> Actor:
    return factories.actor(project.organization.members[0].user)


@pytest.fixture
def worker(services: Services) -> Worker:
    return Worker(services, threads=1, lease_seconds=60, max_attempts=3)


@pytest.fixture
def delivery(services: Services, admin: Actor, project: Project, parrot: ModuleType) -> Delivery:
    """One that waits to be told to the parrot."""
    connect(services, admin, project, "all")
    Delivery.delete().execute()
    services.models.create(admin, project, name="risk")
    return Delivery.get()


def connect(services: Services, admin: Actor, project: Project, name: str, **more: Any) -> Connection:
    wish = {"kind": "notifier", "provider": "parrot", "settings": {}, "subscriptions": ["model.*"], **more}
    return services.connections.create(admin, project, name=name, **wish)


def work(worker: Worker) -> None:
    Delivery.update(run_after_ms=1).where(Delivery.state == "queued").execute()
    while worker.run_once():
        Delivery.update(run_after_ms=1).where(Delivery.state == "queued").execute()


def busy(text: str = "asleep", seconds: float | None = None) -> PluginUnavailable:
    return PluginUnavailable(text, retry_after_seconds=seconds)


def test_each_attempt_is_written_down(delivery: Delivery, worker: Worker, parrot: ModuleType) -> None:
    parrot.FAIL[:] = [busy("asleep"), busy("still asleep")]
    before = now_ms()
    work(worker)
    log = DeliveryAttempt.of(delivery)
    assert [(one.outcome, one.error) for one in log] == [
        ("delivered", None), ("failed", "still asleep"), ("failed", "asleep"),
    ]  # fmt: skip
    assert all(before <= one.started_at_ms <= now_ms() and one.duration_ms >= 0 for one in log)


def test_what_is_refused_is_final(delivery: Delivery, worker: Worker, parrot: ModuleType) -> None:
    parrot.FAIL[:] = [PluginRefused("Slack answered 404: no_service")] * 2
    work(worker)
    row = Delivery.get_by_id(delivery.id)
    assert (row.state, row.attempts, row.last_error) == ("failed", 1, "Slack answered 404: no_service")
    assert [one.outcome for one in DeliveryAttempt.of(row)] == ["refused"]
    assert len(parrot.FAIL) == 1


def test_the_log_is_bounded(services: Services, delivery: Delivery) -> None:
    for number in range(MOST_ATTEMPTS_KEPT + 5):
        DeliveryAttempt.note(delivery, started_at_ms=number, outcome="failed", error=str(number))
    other = Delivery.create(event=delivery.event, subscriber="other", plugin="parrot", moment="stage_changed")
    DeliveryAttempt.note(other, started_at_ms=1, outcome="failed")
    assert [one.error for one in DeliveryAttempt.of(delivery)] == [str(number) for number in range(24, 4, -1)]
    assert len(DeliveryAttempt.of(other)) == 1


def test_a_receiver_that_asks_to_wait_is_left_alone(
    services: Services, admin: Actor, project: Project, delivery: Delivery, worker: Worker, parrot: ModuleType
) -> None:
    services.models.create(admin, project, name="second")
    connect(services, admin, project, "other")
    services.models.create(admin, project, name="third")
    parrot.FAIL[:] = [busy("429", seconds=300)]
    assert worker.run_once()
    waits = {
        (row.subscriber, row.event.object_name): row.run_after_ms - now_ms() > 290_000
        for row in Delivery.select().where(Delivery.state == "queued")
    }
    assert waits == {
        ("all", "risk"): True, ("all", "second"): True, ("all", "third"): True, ("other", "third"): False,
    }  # fmt: skip


def test_telling_again_begins_anew_and_is_recorded(
    services: Services, admin: Actor, project: Project, delivery: Delivery, worker: Worker, parrot: ModuleType
) -> None:
    parrot.FAIL[:] = [PluginRefused("no")]
    work(worker)
    again = services.deliveries.redeliver(admin, project, delivery.public_id)
    assert (again.state, again.attempts) == ("queued", 0)
    work(worker)
    row = Delivery.get_by_id(delivery.id)
    assert (row.state, row.attempts) == ("done", 1)
    assert [one.outcome for one in DeliveryAttempt.of(row)] == ["delivered", "refused"]
    assert [note.id for note in parrot.SENT] == [delivery.event.public_id]
    event = Event.get(Event.action == "delivery.redelivered")
    assert (event.object_id, event.object_name, event.actor_name) == (delivery.public_id, "all", admin.name)
    assert (event.before, event.after) == ({"state": "failed"}, {"state": "queued", "event": "model.created"})
    assert event.project_id == project.id


def test_what_is_still_told_is_not_told_again(
    services: Services, admin: Actor, project: Project, delivery: Delivery
) -> None:
    for state in ("queued", "running"):
        Delivery.update(state=state).execute()
        with pytest.raises(InvalidTransition, match=f"still {state}"):
            services.deliveries.redeliver(admin, project, delivery.public_id)


def test_nobody_is_told_by_a_disabled_connection(
    services: Services, admin: Actor, project: Project, delivery: Delivery, worker: Worker
) -> None:
    work(worker)
    assert delivery.connection is not None
    services.connections.edit(admin, project, delivery.connection.public_id, {"enabled": False})
    with pytest.raises(Conflict, match="disabled"):
        services.deliveries.redeliver(admin, project, delivery.public_id)
    assert Event.select().where(Event.action == "delivery.redelivered").count() == 0


def test_deliveries_are_their_projects_and_its_organizations(
    services: Services, factories: Factories, admin: Actor, project: Project, delivery: Delivery, worker: Worker
) -> None:
    work(worker)
    other = factories.project("other")
    stranger = factories.actor(other.organization.members[0].user)
    viewer = factories.actor(factories.member(project, "viewer"))
    slug = project.organization.slug
    assert [row.public_id for row in services.deliveries.of_project(viewer, project)] == [delivery.public_id]
    assert delivery.public_id in {row.public_id for row in services.deliveries.of_organization(admin, slug)}
    assert services.deliveries.get_of_organization(admin, slug, delivery.public_id).id == delivery.id
    for deed in (services.deliveries.get, services.deliveries.redeliver):
        with pytest.raises(NotFound):
            deed(stranger, project, delivery.public_id)
        with pytest.raises(NotFound):
            deed(stranger, other, delivery.public_id)
    for verb in (services.deliveries.get_of_organization, services.deliveries.redeliver_of_organization):
        with pytest.raises(NotFound):
            verb(stranger, slug, delivery.public_id)
        with pytest.raises(NotFound):
            verb(stranger, other.organization.slug, delivery.public_id)
        with pytest.raises(PermissionDenied):
            verb(viewer, slug, delivery.public_id)
    with pytest.raises(PermissionDenied):
        services.deliveries.redeliver(viewer, project, delivery.public_id)
    again = services.deliveries.redeliver_of_organization(admin, slug, delivery.public_id)
    assert again.state == "queued"


class TestShares:
    """A connection has one attempt under way, an organization and a plugin two, whoever claims."""

    def claim(self, count: int = 10) -> list[str]:
        Delivery.update(run_after_ms=1).where(Delivery.state == "queued").execute()
        found = (Delivery.claim(f"worker-{number}", 60_000) for number in range(count))
        return [row.subscriber for row in found if row is not None]

    def test_of_a_connection_and_an_organization(
        self, services: Services, factories: Factories, admin: Actor, project: Project, delivery: Delivery
    ) -> None:
        for name in ("second", "third"):
            connect(services, admin, project, name)
        for name in ("a", "b"):
            services.models.create(admin, project, name=name)
        other = factories.project()
        stranger = factories.actor(other.organization.members[0].user)
        connect(services, stranger, other, "theirs")
        services.models.create(stranger, other, name="risk")
        Delivery.delete().where(Delivery.plugin.is_null(False)).execute()
        assert self.claim() == ["all", "second", "theirs"]
        Delivery.update(state="done").where(Delivery.subscriber == "all", Delivery.state == "running").execute()
        assert self.claim() == ["all"]
        Delivery.update(lease_until_ms=1).where(Delivery.state == "running").execute()
        assert sorted(self.claim()) == ["all", "second", "theirs"]

    def test_of_a_plugin(self, services: Services, project: Project, delivery: Delivery) -> None:
        Delivery.delete().execute()
        event = Event.get()
        for plugin in ("bell", "bell", "bell", "horn"):
            Delivery.create(event=event, subscriber=plugin, plugin=plugin, moment="run_finished")
        assert self.claim() == ["bell", "bell", "horn"]

    def test_claimers_at_the_same_time_do_not_exceed_it(
        self, services: Services, admin: Actor, project: Project, delivery: Delivery
    ) -> None:
        for number in range(12):
            services.models.create(admin, project, name=f"m{number}")
        Delivery.update(run_after_ms=1).execute()
        ready = threading.Barrier(6)
        claimed = []

        def claim() -> None:
            ready.wait(10)
            with connection():
                claimed.append(Delivery.claim("w", 60_000))

        threads = [threading.Thread(target=claim) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len([row for row in claimed if row is not None]) == 1


class Receiver(ThreadingHTTPServer):
    """Hangs until it is let go, but for /fine."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.released = threading.Event()
        self.seen: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append(self.path)
        if self.path != "/fine":
            self.server.released.wait(60)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Keep the tests' output quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join(10)


def test_a_tenant_whose_receivers_hang_does_not_hold_up_another(
    services: Services, factories: Factories, admin: Actor, project: Project, receiver: Receiver
) -> None:
    """Three connections that hang, and three threads that deliver: one of them is free for the others."""
    base = f"http://127.0.0.1:{receiver.server_port}"
    for name in ("a", "b", "c"):
        connect(services, admin, project, name, provider="webhook", settings={"url": f"{base}/{name}"})
    for number in range(5):
        services.models.create(admin, project, name=f"m{number}")
    other = factories.project()
    stranger = factories.actor(other.organization.members[0].user)
    connect(services, stranger, other, "fine", provider="webhook", settings={"url": f"{base}/fine"})
    services.models.create(stranger, other, name="risk")
    worker = Worker(services, threads=4, lease_seconds=60, max_attempts=3)
    running = threading.Thread(target=worker.run)
    running.start()
    try:
        deadline = time.monotonic() + 30
        while Delivery.get(Delivery.subscriber == "fine").state != "done":
            assert time.monotonic() < deadline, "the other tenant's delivery did not go through"
            time.sleep(0.02)
        hanging = [path for path in receiver.seen if path != "/fine"]
        assert len(hanging) == len(set(hanging)) <= 2
    finally:
        receiver.released.set()
        worker.stop()
        running.join(30)


def test_a_wish_that_is_wrong_changes_nothing(services: Services, admin: Actor, project: Project) -> None:
    with pytest.raises(NotFound, match="'nonsense'"):
        services.deliveries.redeliver(admin, project, "nonsense")
