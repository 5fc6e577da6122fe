"""Reconciliation with a target in memory: from the wish to what runs, and what is told of it on the way."""

from __future__ import annotations

import pytest

from modelyard.core.deployments.models import Deployment, Replica
from modelyard.core.errors import Unavailable
from modelyard.core.jobs import Job
from modelyard.core.projects.models import Project
from tests.core.deployments.conftest import World


def test_a_wish_becomes_ready_and_is_told_once(world: World) -> None:
    world.create(replicas=2)
    world.step()
    assert (world.get().status, world.seen()) == ("starting", [(1, 0, "starting"), (1, 1, "starting")])
    world.settle()
    assert (world.get().status, world.get().message) == ("ready", "")
    assert world.seen() == [(1, 0, "ready"), (1, 1, "ready")]
    world.settle()
    assert world.events() == ["created", "became_ready"]
    assert [call for call in world.target.calls if call[0] == "start"] == [("start", 1, 0), ("start", 1, 1)]


def test_a_deployment_of_no_replicas_is_ready_and_answers_nothing(world: World) -> None:
    world.create(replicas=0)
    world.settle()
    assert (world.get().status, world.target.running) == ("ready", {})
    with pytest.raises(Unavailable):
        world.deployments.replica_for(world.owner, world.project, "live")


def test_the_old_revision_serves_until_the_new_one_is_ready(world: World) -> None:
    world.create(replicas=2)
    world.settle()
    world.target.slow.add("2")
    world.edit(version="2")
    world.step()
    world.step()
    assert world.seen() == [(1, 0, "ready"), (1, 1, "ready"), (2, 0, "starting"), (2, 1, "starting")]
    assert world.get().status == "starting"
    assert world.get().message.startswith("Revision 1 serves until revision 2 is ready.")
    addresses, _ = world.deployments.replica_for(world.owner, world.project, "live")
    assert sorted(addresses) == ["http://replica-1-0", "http://replica-1-1"]

    world.target.slow.clear()
    world.settle()
    assert world.seen() == [(2, 0, "ready"), (2, 1, "ready")]
    assert world.events() == ["created", "became_ready", "updated", "became_ready"]


def test_scaling_restarts_nothing(world: World) -> None:
    world.create(replicas=2)
    world.settle()
    world.edit(replicas=3)
    world.settle()
    assert world.seen() == [(1, 0, "ready"), (1, 1, "ready"), (2, 2, "ready")]
    world.edit(replicas=1, ready_within_seconds=30)
    world.settle()
    assert world.seen() == [(1, 0, "ready")]
    assert [call[1:] for call in world.target.calls if call[0] == "start"] == [(1, 0), (1, 1), (2, 2)]
    world.edit(replicas=0)
    world.settle()
    assert (world.target.running, world.get().status) == ({}, "ready")


def test_a_revision_that_is_overtaken_is_ended_at_once(world: World) -> None:
    world.create()
    world.settle()
    world.target.slow |= {"2", "3"}
    world.edit(version="2")
    world.step()
    world.edit(version="3")
    world.step()
    world.step()
    assert world.seen() == [(1, 0, "ready"), (3, 0, "starting")]
    assert sorted(key[1:] for key in world.target.running) == [(1, 0), (3, 0)]


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_failing_start_counts_and_backs_off(world: World) -> None:
    world.target.broken.add("1")
    world.create()
    pauses = []
    for _ in range(9):
        before = Replica.select(Replica.next_start_at_ms).scalar() or 0
        world.step()
        row = Replica.get()
        if row.next_start_at_ms != before:
            pauses.append(round((row.next_start_at_ms - row.seen_at_ms) / 1000))
        world.step()
        world.step()
        assert Replica.get().starts == len(pauses)
        Replica.update(next_start_at_ms=1).execute()
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert (world.get().status, world.get().message) == ("failed", "the model is broken")
    assert world.events() == ["created", "failed"]
    assert world.last_event().after["message"] == "the model is broken"


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_start_waits_for_its_pause(world: World) -> None:
    world.target.broken.add("1")
    world.create()
    for _ in range(5):
        world.step()
    assert [call[0] for call in world.target.calls].count("start") == 1


def test_a_failed_deployment_becomes_ready_when_the_cause_is_gone(world: World) -> None:
    world.target.broken.add("1")
    world.create()
    for _ in range(4):
        Replica.update(next_start_at_ms=0).execute()
        world.step()
        world.step()
    assert world.get().status == "failed"
    world.target.broken.clear()
    world.settle()
    assert (world.get().status, world.get().message) == ("ready", "")
    assert world.events() == ["created", "failed", "became_ready"]


def test_a_replica_that_died_is_started_again(world: World) -> None:
    world.create()
    world.settle()
    world.let_time_pass()
    world.target.running.clear()
    world.step()
    assert world.get().status == "degraded"
    world.settle()
    assert world.get().status == "ready"
    assert world.events() == ["created", "became_ready", "became_ready"]


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_one_of_two_dead_is_degraded(world: World) -> None:
    world.create(replicas=2)
    world.settle()
    world.target.running[next(iter(world.target.running))] = "failed"
    Replica.update(next_start_at_ms=2**60).execute()
    world.step()
    assert (world.get().status, world.get().message) == ("degraded", "the model is broken")
    addresses, _ = world.deployments.replica_for(world.owner, world.project, "live")
    assert addresses == ["http://replica-1-1"]


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_replica_that_dies_again_and_again_is_not_hurried(world: World) -> None:
    world.create()
    for _ in range(4):
        Replica.update(next_start_at_ms=0).execute()
        world.settle()
        world.target.running.clear()
        world.step()
    assert Replica.get().starts == 5
    world.settle()
    world.let_time_pass()
    world.step()
    assert (Replica.get().starts, Replica.get().next_start_at_ms) == (0, 0)


def test_the_clock_of_a_roll_out_starts_again_with_a_new_start(world: World) -> None:
    world.create(ready_within_seconds=60)
    world.settle()
    world.deployments.stop(world.owner, world.project, "live")
    world.settle()
    world.let_time_pass()
    world.target.slow.add("1")
    world.deployments.start(world.owner, world.project, "live")
    world.step()
    world.step()
    assert world.get().status == "starting"
    world.target.slow.clear()
    world.settle()
    assert world.events() == ["created", "became_ready", "updated", "stopped", "updated", "became_ready"]


def test_a_first_revision_that_is_not_ready_in_time_has_failed(world: World) -> None:
    world.target.slow.add("1")
    world.create(ready_within_seconds=5)
    world.step()
    world.step()
    assert world.get().status == "starting"
    world.let_time_pass()
    for _ in range(3):
        world.step()
    assert (world.get().status, world.get().message) == ("failed", "Not ready within 5 s.")
    assert world.events() == ["created", "failed"]
    world.target.slow.clear()
    world.settle()
    assert world.get().status == "ready"


def test_stop_ends_all_and_start_brings_them_back(world: World) -> None:
    world.create(replicas=2)
    world.settle()
    world.deployments.stop(world.owner, world.project, "live")
    assert world.step() is None
    assert (world.get().status, world.seen(), world.target.running) == ("stopped", [], {})
    assert Job.select().where(Job.state != "done").count() == 0
    world.deployments.start(world.owner, world.project, "live")
    world.settle()
    assert (world.get().status, len(world.target.running)) == ("ready", 2)
    assert world.events() == ["created", "became_ready", "updated", "stopped", "updated", "became_ready"]


def test_delete_leaves_nothing_but_events(world: World) -> None:
    world.create(replicas=2)
    world.settle()
    folder = world.services.settings.data.directory.resolve() / "deployments" / world.get().public_id
    assert folder.exists()
    world.deployments.delete(world.owner, world.project, "live")
    assert world.step() is None
    assert (world.target.running, Replica.select().count(), Deployment.select().count()) == ({}, 0, 0)
    assert not folder.exists()
    assert world.events() == ["created", "became_ready", "updated", "deleted"]


def test_a_deployment_that_is_gone_has_no_job_left(world: World) -> None:
    world.create()
    Deployment.delete().execute()
    assert world.step() is None
    assert Job.get().state == "done"


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_project_that_may_no_longer_use_the_host_starts_nothing_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelyard.core.deployments import reconcile

    monkeypatch.setattr(reconcile, "HOST_CAPABILITY", "logs")
    Project.update(allow_local_deployments=True).execute()
    world.create()
    world.settle()
    Project.update(allow_local_deployments=False).execute()
    world.step()
    assert len(world.target.running) == 1, "what runs goes on"
    world.target.running.clear()
    world.step()
    assert world.target.running == {}
    assert "may no longer" in world.get().message
    Project.update(allow_local_deployments=True).execute()
    Replica.update(next_start_at_ms=0).execute()
    world.settle()
    assert world.get().status == "ready"
