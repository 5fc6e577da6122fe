"""What a plugin is to be told while it is not called waits, at no attempt's cost, and comes when it is called again."""

from __future__ import annotations

from types import ModuleType

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.db import now_ms
from modelyard.core.errors import PluginUnavailable
from modelyard.core.identity.actor import Actor
from modelyard.core.notifications.models import Delivery
from modelyard.core.projects.models import Project
from modelyard.core.worker import Worker
from tests.core.notifications.test_deliveries import connect, promote, version
from tests.factories import Factories

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def project(factories: Factories, parrot: ModuleType) -> Project:
    made = factories.project("churn")
    Delivery.delete().execute()
    return made


@pytest.fixture
def admin(factories: Factories, project: Project) -> Actor:
    return factories.actor(project.organization.members[0].user)


@pytest.fixture
def root(factories: Factories) -> Actor:
    return factories.actor(factories.user(is_instance_admin=True))


@pytest.fixture
def worker(services: Services) -> Worker:
    return Worker(services, threads=1, lease_seconds=60, max_attempts=3)


def work(worker: Worker) -> None:
    while worker.run_once():
        pass


def waiting() -> list[tuple[str, int]]:
    return [(row.state, row.attempts) for row in Delivery.select().where(Delivery.state != "done")]


def test_moments_and_notifications_of_a_blocked_plugin_wait(
    services: Services, admin: Actor, root: Actor, project: Project, worker: Worker, parrot: ModuleType
) -> None:
    connect(services, admin, project, "bird", subscriptions=["model_version.*"])
    services.plugin_blocks.block(root, "parrot", reason="it shouts")
    version(services, admin, project)
    promote(services, admin, project)
    for _ in range(5):
        Delivery.update(run_after_ms=1).execute()
        work(worker)
    assert waiting() == [("queued", 0)] * 4
    row = Delivery.select().first()
    assert "it shouts" in row.last_error
    assert row.run_after_ms > now_ms() + 60_000
    assert (parrot.SENT, parrot.MOMENTS) == ([], [])

    services.plugin_blocks.unblock(root, "parrot")
    work(worker)
    assert waiting() == []
    assert len(parrot.SENT) == 2
    assert [name for name, _ in parrot.MOMENTS] == ["model_version_created", "stage_changed"]


def test_an_open_breaker_costs_the_others_no_attempt(
    services: Services, admin: Actor, project: Project, worker: Worker, parrot: ModuleType
) -> None:
    connect(services, admin, project, "bird", subscriptions=["model_version.stage_changed"])
    version(services, admin, project)
    work(worker)
    for number in range(8):
        promote(services, admin, project, "Staging" if number % 2 else "Production")
    parrot.FAIL.extend([PluginUnavailable("asleep")] * 5)
    Delivery.update(state="done").where(Delivery.plugin == "parrot").execute()
    work(worker)
    assert sorted(waiting()) == [("queued", 0)] * 3 + [("queued", 1)] * 5
    assert parrot.SENT == []
