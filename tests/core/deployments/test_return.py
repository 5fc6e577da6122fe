"""A roll-out that is not ready in time returns by itself."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard.core.deployments.models import DeploymentRevision
from modelyard.core.errors import PluginUnavailable
from tests.core.deployments.conftest import World

# Both databases see a return in test_crashes.py.
pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def rolling(world: World) -> World:
    """A deployment that serves with version 1 and whose version 2 does not come up."""
    world.create(replicas=2, environment={"A": "1"})
    world.settle()
    world.target.slow.add("2")
    world.edit(version="2", ready_within_seconds=30)
    world.step()
    world.step()
    return world


def test_before_its_time_is_over_nothing_returns(rolling: World) -> None:
    for _ in range(5):
        rolling.step()
    assert len(rolling.revisions()) == 2


def test_a_late_roll_out_returns_to_what_still_serves(rolling: World) -> None:
    started = [call for call in rolling.target.calls if call[0] == "start"]
    rolling.let_time_pass()
    rolling.step()

    assert rolling.revisions()[2:] == [(3, 1, "returned from revision 2: Not ready within 30 s.")]
    revision = DeploymentRevision.get(number=3)
    assert (revision.replicas, revision.environment, revision.created_by) == (2, {"A": "1"}, "reconciler")
    event = rolling.last_event()
    assert (event.action, event.after["status"], event.after["returned_to"]) == ("deployment.failed", "failed", 1)
    assert event.after["revision"] == 2

    rolling.settle()
    assert rolling.seen() == [(1, 0, "ready"), (1, 1, "ready")]
    assert rolling.get().status == "ready"
    assert sorted(key[1:] for key in rolling.target.running) == [(1, 0), (1, 1)]
    assert [call for call in rolling.target.calls if call[0] == "start"] == started
    assert rolling.events() == ["created", "became_ready", "updated", "failed", "became_ready"]


def test_the_reason_of_the_replicas_is_told(rolling: World) -> None:
    rolling.target.slow.clear()
    rolling.target.broken.add("2")
    rolling.step()
    rolling.let_time_pass()
    rolling.step()
    assert (
        rolling.revisions()[2][2] == "returned from revision 2: Not ready within 30 s. Last time: the model is broken"
    )


def test_a_long_reason_fits_into_the_note(rolling: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> None:
        raise RuntimeError("x" * 1000)

    rolling.target.ailing["observe"] = fail
    rolling.let_time_pass()
    rolling.step()
    assert len(rolling.revisions()[2][2]) <= 400


def test_the_old_replicas_serve_all_the_time(rolling: World) -> None:
    rolling.let_time_pass()
    for _ in range(4):
        rolling.step()
        addresses, _ = rolling.deployments.replica_for(rolling.owner, rolling.project, "live")
        assert {"http://replica-1-0", "http://replica-1-1"} == set(addresses)


def test_it_returns_to_the_newest_like_revision(world: World) -> None:
    world.create()
    world.settle()
    world.edit(replicas=3)
    world.settle()
    world.target.slow.add("2")
    world.edit(version="2", replicas=1)
    world.step()
    world.let_time_pass()
    world.settle()
    assert DeploymentRevision.get(number=4).replicas == 3
    assert world.seen() == [(1, 0, "ready"), (2, 1, "ready"), (2, 2, "ready")]


def test_half_a_roll_out_returns_too(rolling: World) -> None:
    rolling.target.slow.clear()
    rolling.target.ailing["start"] = lambda spec: None
    rolling.target.running[rolling.get().public_id, 2, 1] = "failed"
    rolling.let_time_pass()
    rolling.target.running[rolling.get().public_id, 2, 0] = "ready"
    rolling.step()
    assert rolling.revisions()[-1][0] == 3
    rolling.settle()
    assert rolling.seen() == [(1, 0, "ready"), (1, 1, "ready")]


def test_what_became_ready_just_in_time_does_not_return(rolling: World) -> None:
    rolling.target.slow.clear()
    rolling.let_time_pass()
    rolling.settle()
    assert [number for number, _, _ in rolling.revisions()] == [1, 2]
    assert rolling.get().status == "ready"


def test_with_nothing_to_return_to_it_has_failed(rolling: World) -> None:
    rolling.target.running.clear()
    rolling.let_time_pass()
    for _ in range(3):
        rolling.step()
    assert (len(rolling.revisions()), rolling.get().status) == (2, "failed")
    assert rolling.events() == ["created", "became_ready", "updated", "failed"]


def test_files_that_never_come_return_too(world: World) -> None:
    world.create()
    world.settle()
    number = world.add_version(files=False)
    world.edit(version=str(number))
    world.step()
    assert world.get().status == "degraded"
    world.let_time_pass()
    world.settle()
    assert world.revisions()[-1][:2] == (3, 1)
    assert "no files" in world.revisions()[-1][2]
    assert world.get().status == "ready"


def test_a_return_does_not_return_again(rolling: World) -> None:
    rolling.target.slow.clear()
    rolling.target.running[rolling.get().public_id, 2, 1] = "failed"
    rolling.target.ailing["start"] = _unwilling
    rolling.let_time_pass()
    rolling.step()
    assert rolling.revisions()[-1][2].startswith("returned")
    del rolling.target.running[rolling.get().public_id, 1, 1]
    for _ in range(4):
        rolling.let_time_pass()
        rolling.step()
    assert len(rolling.revisions()) == 3


def _unwilling(_: Any) -> None:
    raise PluginUnavailable("no room")


def test_another_wish_made_meanwhile_is_not_returned_from(rolling: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rolling.let_time_pass()
    real = rolling.bound.observe

    def edit_meanwhile(spec: Any) -> Any:
        if rolling.get().revision == 2:
            rolling.edit(version="3")
        return real(spec)

    monkeypatch.setattr(rolling.bound, "observe", edit_meanwhile)
    rolling.step()
    assert [version for _, version, _ in rolling.revisions()] == [1, 2, 3]
    rolling.settle()
    assert rolling.get().status == "ready"
    assert "failed" not in rolling.events()
