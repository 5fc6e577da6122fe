"""Reconciliation when targets, storages and files do not do what they should."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

import pytest

from modelyard import NotFound, PluginUnavailable, ReplicaStatus, StoredFile
from modelyard.config.settings import Settings
from modelyard.core.deployments.models import Deployment, Replica
from modelyard.core.errors import ModelyardError, Unavailable
from modelyard.core.jobs import Job
from tests.core.deployments.conftest import World


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings under which a target is asked however often it failed: that is looked at by itself elsewhere."""
    return replace(settings, plugins=replace(settings.plugins, breaker_failures=100))


def homes(world: World, *parts: str) -> list[str]:
    """The names in a deployment's folder."""
    home = world.services.settings.data.directory.resolve() / "deployments"
    deployment = next(home.iterdir()).joinpath(*parts)
    return sorted(entry.name for entry in deployment.iterdir()) if deployment.exists() else []


def raising(_: Any) -> None:
    raise RuntimeError("out of order")


def unreachable(_: Any) -> None:
    raise PluginUnavailable("the cluster does not answer")


@pytest.mark.parametrize(
    ("answer", "text"),
    [(raising, "out of order"), (unreachable, "cluster does not answer"), (lambda _: "rubbish", "str instead of")],
)
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_what_a_target_does_wrong_costs_only_itself(world: World, answer: Any, text: str) -> None:
    world.create("other")
    world.settle()
    world.create()
    world.target.ailing["observe"] = lambda spec: (
        answer(spec) if spec.deployment_name == "live" else ReplicaStatus("ready", "http://x")
    )
    for _ in range(4):
        world.step("live")
        world.step("other")
    assert (world.get("live").status, world.get("other").status) == ("starting", "ready")
    assert text in world.get("live").message
    world.target.ailing.clear()
    for _ in range(4):
        Replica.update(next_start_at_ms=0).execute()
        world.step("live")
    assert (world.get("live").status, world.get("live").message) == ("ready", "")


def test_what_cannot_be_seen_goes_on_serving(world: World) -> None:
    world.create()
    world.settle()
    world.target.ailing["observe"] = unreachable
    for _ in range(3):
        world.step()
    addresses, _ = world.deployments.replica_for(world.owner, world.project, "live")
    assert addresses == ["http://replica-1-0"]
    assert "does not answer" in world.get().message
    world.edit(version="2")
    for _ in range(3):
        world.step()
    assert (1, 0, "ready") in world.seen()
    assert "stop" not in [call[0] for call in world.target.calls]


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_target_that_hangs_costs_its_deadline(world: World, gate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard.core.providers.OBSERVE_SECONDS", 0.1)
    world.target.ailing["observe"] = lambda _: gate.wait()
    world.create()
    world.step()
    assert "within 0.1 seconds" in Replica.get().message
    assert Job.get().state == "queued"


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_start_that_raises_is_counted(world: World) -> None:
    world.target.ailing["start"] = raising
    world.create()
    for _ in range(6):
        Replica.update(next_start_at_ms=0).execute()
        world.step()
    assert (world.get().status, Replica.get().starts) == ("failed", 6)
    assert "out of order" in world.get().message
    assert world.events() == ["created", "failed"]


@pytest.mark.parametrize(("verb", "left"), [("stop", "stopped"), ("delete", "deleted")])
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_replica_that_cannot_be_ended_is_tried_again_beside_the_others(world: World, verb: str, left: str) -> None:
    world.create(replicas=3)
    world.settle()

    def stubborn(spec: Any) -> None:
        if spec.index == 1:
            raise PluginUnavailable("it holds on")

    world.target.ailing["stop"] = stubborn
    getattr(world.deployments, verb)(world.owner, world.project, "live")
    for _ in range(20):
        again = world.step()
        assert again is not None
        assert again.after_seconds >= 1
    assert world.seen() == [(1, 1, "absent")]
    assert "it holds on" in world.get().message
    assert world.get().status == "stopping"
    with pytest.raises(Unavailable):
        world.deployments.replica_for(world.owner, world.project, "live") if verb == "stop" else _unavailable()
    world.target.ailing.clear()
    assert world.step() is None
    assert (world.target.running, world.events()[-1]) == ({}, left)


def _unavailable() -> None:
    raise Unavailable("it is being deleted")


def test_an_old_replica_that_cannot_be_ended_gets_no_traffic_and_stops_nothing(world: World) -> None:
    world.create()
    world.settle()
    world.target.ailing["stop"] = raising
    world.edit(version="2")
    for _ in range(4):
        world.step()
    assert world.seen() == [(1, 0, "absent"), (2, 0, "ready")]
    assert world.get().status == "ready"
    world.target.ailing.clear()
    world.settle()
    assert world.seen() == [(2, 0, "ready")]


def test_a_target_that_is_no_more_is_shown(world: World) -> None:
    world.create()
    world.settle()
    Deployment.update(target="gone").execute()
    world.step()
    assert "gone" in world.get().message
    assert Job.get().state == "queued"
    world.deployments.stop(world.owner, world.project, "live")
    world.step()
    assert "gone" in world.get().message
    Deployment.update(target="fake").execute()
    assert world.step() is None
    assert world.get().status == "stopped"


def test_missing_files_are_told_at_once(world: World) -> None:
    number = world.add_version(files=False)
    world.create(version=str(number))
    world.step()
    world.step()
    assert world.get().status == "failed"
    assert f"0/{number}/model" in world.get().message
    assert world.events() == ["created", "failed"]
    storage = world.services.connections.storage_of(world.project)
    storage.write(f"{world.project.public_id}/0/{number}/model/MLmodel", [b"late"])
    world.settle()
    assert world.events() == ["created", "failed", "became_ready"]


class Storage:
    """A storage that does not answer; the real one stands behind it."""

    def __init__(self, real: Any) -> None:
        self.entry, self.real = real.entry, real
        self.error: Exception | None = None
        self.listed: Any = None

    def list(self, path: str) -> Any:
        if self.error is not None:
            raise self.error
        return self.real.list(path) if self.listed is None else self.listed

    def read(self, path: str) -> Any:
        return self.real.read(path)


@pytest.fixture
def storage(world: World, monkeypatch: pytest.MonkeyPatch) -> Storage:
    storage = Storage(world.services.connections.storage_of(world.project))
    monkeypatch.setattr(world.services.connections, "storage_of", lambda project: storage)
    return storage


@pytest.mark.parametrize(
    "error",
    [
        PluginUnavailable("no such host", plugin="s3", operation="list"),
        ModelyardError("a key opens nothing"),
        OSError(28, "No space left on device"),
    ],
)
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_storage_that_does_not_answer_is_waited_for(world: World, storage: Storage, error: Exception) -> None:
    storage.error = error
    world.create()
    for _ in range(10):
        world.step()
    assert world.get().status == "starting"
    assert str(getattr(error, "strerror", None) or error) in world.get().message
    storage.error = None
    world.settle()
    assert world.get().status == "ready"
    storage.error = error
    world.target.running.clear()
    world.settle()
    assert world.get().status == "ready"
    assert world.events() == ["created", "became_ready", "became_ready"]


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_storage_that_never_answers_has_failed_in_the_end(world: World, storage: Storage) -> None:
    storage.error = PluginUnavailable("no such host", plugin="s3", operation="list")
    world.create()
    world.step()
    world.let_time_pass()
    for _ in range(3):
        world.step()
    assert world.get().status == "failed"
    assert world.events() == ["created", "failed"]


@pytest.mark.parametrize("path", ["../../escape", "/etc/passwd", "elsewhere/file", "a/../../b", ""])
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_storage_that_lists_foreign_files_writes_nothing(world: World, storage: Storage, path: str) -> None:
    source = f"{world.project.public_id}/0/1/model"
    listed = f"{source}/{path}" if path[:1] == "." else path
    storage.listed = [StoredFile(listed, 1)]
    world.create()
    world.step()
    assert "listed" in world.get().message
    assert homes(world, "models") == []


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_half_fetched_models_are_not_used_and_go_away(world: World) -> None:
    world.create()
    world.settle()
    home = world.services.settings.data.directory.resolve() / "deployments" / world.get().public_id
    left = home / "models" / ".half.0123"
    left.mkdir()
    world.edit(version="2")
    world.settle()
    assert not left.exists()
    assert len(homes(world, "models")) == 2


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_old_models_are_forgotten_but_the_newest_few(world: World) -> None:
    world.create()
    world.settle()
    for version in ("2", "3", "2", "3"):
        world.edit(version=version)
        world.settle()
    assert len(homes(world, "models")) == 2
    assert homes(world) == ["models"]
    world.deployments.roll_back(world.owner, world.project, "live", 1)
    world.settle()
    assert world.get().status == "ready"


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_model_that_vanished_under_a_running_replica_is_fetched_again(world: World) -> None:
    world.create()
    world.settle()
    home = world.services.settings.data.directory.resolve() / "deployments" / world.get().public_id
    shutil.rmtree(home / "models")
    world.step()
    assert world.get().status == "ready"
    assert len(homes(world, "models")) == 1


def test_not_found_by_a_target_is_no_reason_to_give_up(world: World) -> None:
    def not_found(_: Any) -> None:
        raise NotFound("no such namespace")

    world.target.ailing["observe"] = not_found
    world.create()
    world.step()
    assert "no such namespace" in world.get().message
    assert Job.get().state == "queued"
