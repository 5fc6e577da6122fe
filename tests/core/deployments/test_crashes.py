"""A reconciler that is killed, or loses its lease, at any point; and two who write at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from modelyard.core import db
from modelyard.core.deployments import service
from modelyard.core.deployments.models import Deployment, DeploymentRevision, Replica
from modelyard.core.errors import InvalidTransition, LeaseLost
from modelyard.core.jobs import Job, Lease
from modelyard.core.notifications.models import AuditPurge, Event
from tests.core.deployments.conftest import World


class Killed(BaseException):
    """The process is gone: nothing behind this point happens."""


class Tripwire:
    """Acts once, at the n-th of the points that it is told of."""

    def __init__(self, at: int, act: Callable[[], None]) -> None:
        self.left, self.act = at, act

    def pass_by(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.act()


class WatchedLease:
    """A lease that passes the tripwire before each confirmation."""

    def __init__(self, lease: Lease, wire: Tripwire) -> None:
        self._lease, self._wire = lease, wire

    def confirm(self, **changes: Any) -> None:
        self._wire.pass_by()
        self._lease.confirm(**changes)

    def finish(self, again: Any = None) -> None:
        self._wire.pass_by()
        self._lease.finish(again)


class WatchedTarget:
    """A target that passes the tripwire before and after each call."""

    def __init__(self, world: World, wire: Tripwire) -> None:
        self._bound, self._wire = world.bound, wire
        self.entry = world.bound.entry

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            self._wire.pass_by()
            answer = getattr(self._bound, name)(*arguments, **named)
            self._wire.pass_by()
            return answer

        return call


def deploy(world: World) -> None:
    world.create(replicas=2)


def roll_out(world: World) -> None:
    world.create(replicas=2)
    world.settle()
    world.edit(version="2", replicas=1)
    world.step()


def come_back(world: World) -> None:
    world.create()
    world.settle()
    world.target.slow = {"2"}
    world.edit(version="2")
    world.step()
    world.let_time_pass()


def stop(world: World) -> None:
    world.create(replicas=2)
    world.settle()
    world.deployments.stop(world.owner, world.project, "live")


def delete(world: World) -> None:
    world.create(replicas=2)
    world.settle()
    world.deployments.delete(world.owner, world.project, "live")


SCENES = [deploy, roll_out, come_back, stop, delete]
POINTS = {deploy: 8, roll_out: 8, come_back: 4, stop: 10, delete: 11}


def clear(world: World) -> None:
    """Leave the project as it was before the first deployment."""
    with db.atomic():
        permit = AuditPurge.create(before_ms=2**62)
        for table in (Deployment, Job, Event):
            table.delete().execute()
        permit.delete_instance()
    world.target.running.clear()
    world.target.slow.clear()


@pytest.mark.parametrize("scene", SCENES)
def test_nothing_is_written_or_called_once_the_lease_is_lost(world: World, scene: Callable[[World], None]) -> None:
    points = 0
    for at in range(1, 20):
        clear(world)
        scene(world)
        then: list[Any] = []

        def steal(then: list[Any] = then) -> None:
            Job.update(lease_until_ms=1).execute()
            assert Job.claim("another", 60_000) is not None
            then += [world.written(), world.events(), list(world.target.calls)]

        wire = Tripwire(at, steal)
        try:
            world.step(wrap=lambda lease, wire=wire: WatchedLease(lease, wire))
        except LeaseLost:
            points += 1
            assert [world.written(), world.events(), world.target.calls] == then
        else:
            assert not then
            break
    assert points >= POINTS[scene]


@pytest.mark.parametrize("scene", SCENES)
def test_whoever_is_killed_another_finishes(
    world: World, scene: Callable[[World], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die() -> None:
        raise Killed

    for at in range(1, 40):
        clear(world)
        scene(world)
        wire = Tripwire(at, die)
        watched = WatchedTarget(world, wire)
        with monkeypatch.context() as patch:
            patch.setattr(world.services.connections, "target", lambda project, name, watched=watched: watched)
            try:
                world.step(wrap=lambda lease, wire=wire: WatchedLease(lease, wire))
            except Killed:
                pass
            else:
                break
        world.settle()
        check(world, {deploy: 2, roll_out: 1, come_back: 1}.get(scene, 0))
    assert at > POINTS[scene]


def check(world: World, replicas: int) -> None:
    """What runs is what is wished for, and nothing else; each thing was told once."""
    assert len(world.target.running) == replicas
    rows = list(Replica.select())
    assert {(world.get().public_id, row.revision, row.replica_index) for row in rows} == set(world.target.running)
    told = world.events()
    last = {"created": None, "updated": None}
    for verb in told:
        assert verb in last or verb != last.get("verb"), told
        last["verb"] = verb


def test_a_verb_and_a_step_at_once_do_not_wait_for_each_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.create()
    world.step()
    holds, confirmed = threading.Event(), threading.Event()
    real = service.enqueue_reconcile

    def enqueue_late(deployment: Deployment) -> None:
        holds.set()
        confirmed.wait(0.3)
        real(deployment)

    class Telling(WatchedLease):
        def confirm(self, **changes: Any) -> None:
            if not changes:
                holds.wait(0.5)
            super().confirm(**changes)
            if not changes:
                confirmed.set()

    monkeypatch.setattr(service, "enqueue_reconcile", enqueue_late)
    failures: list[Exception] = []

    def edit() -> None:
        try:
            with db.connection():
                world.edit(version="2")
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shall fail
            failures.append(error)
        finally:
            db.database.close()

    editor = threading.Thread(target=edit)
    world.target.slow.add("1")
    real_conclude = world.services.reconciler._conclude

    def conclude(*arguments: Any) -> Any:
        editor.start()
        return real_conclude(Telling(arguments[0], Tripwire(0, lambda: None)), *arguments[1:])

    monkeypatch.setattr(world.services.reconciler, "_conclude", conclude)
    world.step()
    editor.join(30)
    assert not failures
    assert world.get().revision == 2


class Deployments(RuleBasedStateMachine):
    """Wishes, steps and deaths in any order: what runs in the end is what was wished for last."""

    world: World
    replace_target: Callable[[Any], Any]

    @initialize()
    def begin(self) -> None:
        clear(self.world)
        self.world.target.broken = set()
        self.world.create(replicas=1)
        self.wish, self.version, self.replicas = "running", "1", 1
        self.serving = False

    @precondition(lambda self: self.wish != "deleted")
    @rule(version=strategies.sampled_from(["1", "2"]), replicas=strategies.integers(0, 2))
    def edit(self, version: str, replicas: int) -> None:
        self.world.edit(version=version, replicas=replicas)
        self.version, self.replicas = version, replicas
        self.serving = self.serving and replicas > 0

    @precondition(lambda self: self.wish != "deleted")
    @rule(wish=strategies.sampled_from(["stopped", "running", "stopped", "running", "deleted"]))
    def want(self, wish: str) -> None:
        here = (self.world.owner, self.world.project, "live")
        verbs = self.world.deployments
        verb = {"stopped": verbs.stop, "running": verbs.start, "deleted": verbs.delete}[wish]
        try:
            verb(*here)
        except InvalidTransition:
            assert self.wish == wish
        self.serving = self.serving and wish == "running"
        self.wish = wish

    @rule()
    def step(self) -> None:
        if self.open_job():
            self.world.step()

    @rule(at=strategies.integers(1, 20))
    def die(self, at: int) -> None:
        def killed() -> None:
            raise Killed

        if self.open_job():
            wire = Tripwire(at, killed)
            with self.replace_target(WatchedTarget(self.world, wire)), suppress(Killed):
                self.world.step(wrap=lambda lease: WatchedLease(lease, wire))

    @rule()
    def a_replica_dies(self) -> None:
        if self.world.target.running:
            self.world.target.running.popitem()
            self.serving = False

    @precondition(lambda self: self.wish == "running" and self.replicas > 0)
    @rule()
    def settle(self) -> None:
        self.world.settle()
        self.serving = True

    @invariant()
    def what_serves_goes_on_serving(self) -> None:
        if getattr(self, "serving", False):
            assert Replica.select().where(Replica.state == "ready").exists()
            assert self.world.target.running

    def open_job(self) -> bool:
        return bool(Job.select().where(Job.state.in_(["queued", "running"])).exists())

    def teardown(self) -> None:
        if not hasattr(self, "wish"):
            return
        if self.open_job():
            self.world.settle()
        running = self.replicas if self.wish == "running" else 0
        assert len(self.world.target.running) == running
        if self.wish == "deleted":
            assert (Deployment.select().count(), Replica.select().count()) == (0, 0)
            return
        assert self.world.get().status == {"running": "ready", "stopped": "stopped"}[self.wish]
        for _, number, _ in self.world.target.running:
            assert str(DeploymentRevision.get(number=number).model_version.number) == self.version


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_any_order_of_wishes_and_deaths(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def replace_target(watched: Any) -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(world.services.connections, "target", lambda project, name: watched)
            yield

    machine = type("Machine", (Deployments,), {"world": world, "replace_target": staticmethod(replace_target)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
