"""A project with a model of three versions, and a target in memory that does what the test asks."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event as Gate
from typing import Any, ClassVar

import pytest

from modelyard import DeploymentTarget, Health, ReplicaSpec, ReplicaStatus
from modelyard.core.bootstrap import Services
from modelyard.core.deployments.models import Deployment, DeploymentRevision, Replica
from modelyard.core.deployments.service import RECONCILE
from modelyard.core.deployments.tasks import reconcile
from modelyard.core.identity.actor import Actor
from modelyard.core.jobs import Again, Job, Lease
from modelyard.core.notifications.models import Event
from modelyard.core.plugin_providers import check_provider
from modelyard.core.projects.models import Project
from modelyard.core.providers import BoundTarget
from tests.factories import Factories

WATCHING = 2.0
LONG_AGO_MS = 24 * 3600 * 1000


class FakeTarget(DeploymentTarget):
    """Replicas in a dictionary. A started one is ready when it is looked at, unless its version is told otherwise."""

    name = "fake"
    title = "Fake"
    capabilities: ClassVar[frozenset[str]] = frozenset({"logs"})

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.running: dict[tuple[str, int, int], str] = {}
        self.calls: list[tuple[str, int, int]] = []
        self.broken: set[str] = set()
        self.slow: set[str] = set()
        self.ailing: dict[str, Callable[[ReplicaSpec], Any]] = {}

    def health(self) -> Health:
        return Health(True)

    def start(self, spec: ReplicaSpec) -> ReplicaStatus:
        self._called("start", spec)
        assert (spec.model_directory / "MLmodel").is_file()
        assert spec.environment["MODELYARD_REPLICA_TOKEN"]
        self.running.setdefault(key_of(spec), "starting")
        return ReplicaStatus("starting")

    def observe(self, spec: ReplicaSpec) -> Any:
        self._called("observe", spec)
        if "observe" in self.ailing:
            return self.ailing["observe"](spec)
        key = key_of(spec)
        if key not in self.running:
            return ReplicaStatus("absent")
        if self.running[key] == "starting" and spec.model_version in self.broken:
            self.running[key] = "failed"
        if self.running[key] == "failed":
            del self.running[key]
            return ReplicaStatus("failed", None, "the model is broken")
        if spec.model_version not in self.slow:
            self.running[key] = "ready"
        return ReplicaStatus(self.running[key], address_of(spec), "", {"key": list(key)})

    def stop(self, spec: ReplicaSpec) -> None:
        self._called("stop", spec)
        self.running.pop(key_of(spec), None)

    def logs(self, spec: ReplicaSpec, *, lines: int = 200) -> str:
        return f"{spec.revision}/{spec.index}: the last {lines} lines"

    def _called(self, operation: str, spec: ReplicaSpec) -> None:
        self.calls.append((operation, spec.revision, spec.index))
        if operation != "observe" and operation in self.ailing:
            self.ailing[operation](spec)


def key_of(spec: ReplicaSpec) -> tuple[str, int, int]:
    return spec.deployment_id, spec.revision, spec.index


def address_of(spec: ReplicaSpec) -> str:
    return f"http://replica-{spec.revision}-{spec.index}"


class World:
    """One project, its owner, the fake target, and a reconciler that runs step by step."""

    def __init__(self, services: Services, project: Project, owner: Actor, target: FakeTarget) -> None:
        self.services, self.project, self.owner, self.target = services, project, owner, target
        entry = check_provider("deployment_target", "fake_plugin", FakeTarget)
        self.bound = BoundTarget(entry, target, guard=services.guard, connection_id="fake")
        self.deployments = services.deployments

    def add_version(self, *, files: bool = True) -> int:
        """Register another version of the model `risk`."""
        version = self.services.model_versions.create(
            self.owner, self.project, "risk", source="mlflow-artifacts:/0/somewhere"
        )
        path = f"0/{version.number}/model"
        version.artifact_path = path
        version.save()
        storage = self.services.connections.storage_of(self.project)
        for name in ("MLmodel", "data/weights.bin") if files else ():
            storage.write(f"{self.project.public_id}/{path}/{name}", [b"of version ", b"%d" % version.number])
        return int(version.number)

    def create(self, name: str = "live", **wish: Any) -> Deployment:
        wish = {"model": "risk", "version": "1", "target": "fake", **wish}
        return self.deployments.create(self.owner, self.project, name=name, **wish)

    def edit(self, name: str = "live", **changes: Any) -> Deployment:
        return self.deployments.edit(self.owner, self.project, name, changes)

    def step(self, name: str = "", *, wrap: Callable[[Lease], Any] = lambda lease: lease) -> Again | None:
        """Do the reconcile job that is open (of the deployment that is named), at once, as a worker does."""
        key = f"{RECONCILE}:{self.get(name).public_id}" if name else Job.dedupe_key
        Job.update(run_after_ms=2**60).where(Job.state == "queued", Job.dedupe_key != key).execute()
        Job.update(run_after_ms=1).where(Job.state == "queued", Job.dedupe_key == key).execute()
        Job.update(lease_until_ms=1).where(Job.state == "running").execute()
        job = Job.claim("test", 60_000)
        assert job is not None, "no job is open"
        assert job.kind == RECONCILE
        lease = wrap(Lease(Job, job.id, job.fence))
        again = reconcile(self.services, lease, job.arguments)
        lease.finish(again)
        return again

    def settle(self) -> None:
        """Step, without pauses between starts, until nothing is under way any more."""
        for _ in range(40):
            Replica.update(next_start_at_ms=0).execute()
            again = self.step()
            if again is None or again.after_seconds >= WATCHING:
                return
        raise AssertionError(f"It never settles: {self.seen()}")

    def let_time_pass(self) -> None:
        """Make every clock of the deployments look as if a day had gone by."""
        Deployment.update(updated_at_ms=Deployment.updated_at_ms - LONG_AGO_MS).execute()
        Replica.update(seen_at_ms=Replica.seen_at_ms - LONG_AGO_MS, next_start_at_ms=0).execute()

    def get(self, name: str = "live") -> Deployment:
        found: Deployment = Deployment.get(project=self.project, name=name)
        return found

    def seen(self) -> list[tuple[int, int, str]]:
        """Revision, index and state of each replica's row."""
        rows = Replica.select().order_by(Replica.revision, Replica.replica_index)
        return [(row.revision, row.replica_index, row.state) for row in rows]

    def revisions(self) -> list[tuple[int, int, str]]:
        """Number, model version and note of each revision."""
        rows = DeploymentRevision.select().order_by(DeploymentRevision.number)
        return [(row.number, row.model_version.number, row.note) for row in rows]

    def events(self) -> list[str]:
        """What was told of deployments, oldest first."""
        rows = Event.select().where(Event.object_kind == "deployment").order_by(Event.id)
        return [row.action.removeprefix("deployment.") for row in rows]

    def last_event(self) -> Event:
        found: Event = Event.select().where(Event.object_kind == "deployment").order_by(Event.id.desc()).get()
        return found

    def written(self) -> list[Any]:
        """All rows that a reconciler may change."""
        return [list(table.select().order_by(table.id).dicts()) for table in (Deployment, DeploymentRevision, Replica)]


@pytest.fixture
def world(services: Services, factories: Factories, monkeypatch: pytest.MonkeyPatch) -> World:
    user = factories.user("ada")
    owner = factories.actor(user)
    project = factories.project("churn", owner=user)
    services.models.create(owner, project, name="risk")
    world = World(services, project, owner, FakeTarget({}))
    real = services.connections.target
    monkeypatch.setattr(
        services.connections, "target", lambda at, name: world.bound if name == "fake" else real(at, name)
    )
    for _ in range(3):
        world.add_version()
    return world


@pytest.fixture
def gate() -> Any:
    """What a hanging plugin waits for; opened at the end."""
    gate = Gate()
    yield gate
    gate.set()
