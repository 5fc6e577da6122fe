"""The verbs of deployments: what they write, what they refuse, and who may."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.deployments.models import Deployment, DeploymentRevision
from modelyard.core.errors import (
    AlreadyExists,
    Conflict,
    InvalidInput,
    InvalidTransition,
    NotFound,
    PermissionDenied,
    PluginNotFound,
    Unavailable,
)
from modelyard.core.jobs import Job
from modelyard.core.notifications.models import Event
from modelyard.core.projects.models import Project
from tests.core.deployments.conftest import World
from tests.factories import Factories


def test_a_wish_is_written_with_its_revision_its_event_and_its_job(world: World) -> None:
    deployment = world.create(replicas=2, environment={"THRESHOLD": "0.4"}, ready_within_seconds=60)

    assert (deployment.revision, world.get().status, world.get().desired_status) == (1, "pending", "running")
    revision = DeploymentRevision.get()
    assert (revision.number, revision.replicas, revision.environment) == (1, 2, {"THRESHOLD": "0.4"})
    assert (revision.model_version.number, revision.note, revision.created_by) == (1, "created", "ada")
    event = world.last_event()
    assert (event.action, event.actor_name, event.object_name) == ("deployment.created", "ada", "live")
    assert event.after["status"] == "pending"
    assert "0.4" not in str(event.after)
    assert Job.get().arguments == {"deployment": deployment.public_id}


@pytest.mark.parametrize(("asked", "got"), [("2", 2), ("latest", 3), ("champion", 1), ("@champion", 1)])
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_version_is_named_by_number_alias_or_latest(world: World, asked: str, got: int) -> None:
    world.services.model_versions.set_alias(world.owner, world.project, "risk", "champion", 1)
    world.create(version=asked)
    assert DeploymentRevision.get().model_version.number == got


REFUSED: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"name": "Not a slug"}, InvalidInput),
    ({"name": "a" * 64}, InvalidInput),
    ({"replicas": -1}, InvalidInput),
    ({"replicas": 65}, InvalidInput),
    ({"ready_within_seconds": 0}, InvalidInput),
    ({"ready_within_seconds": 86_401}, InvalidInput),
    ({"environment": {"MODELYARD_DATABASE_URL": "x"}}, InvalidInput),
    ({"environment": {"not a name": "x"}}, InvalidInput),
    ({"environment": {"": "x"}}, InvalidInput),
    ({"environment": {"A=B": "x"}}, InvalidInput),
    ({"environment": {"NUL": "a\0b"}}, InvalidInput),
    ({"environment": {"HALF": "\ud800"}}, InvalidInput),
    ({"environment": {"LONG": "x" * 10_001}}, InvalidInput),
    ({"environment": {"N" * 201: "x"}}, InvalidInput),
    ({"environment": {"Ärger": "x"}}, InvalidInput),
    ({"environment": {f"V{number}": "x" for number in range(101)}}, InvalidInput),
    ({"version": "9"}, NotFound),
    ({"version": "no-such-alias"}, NotFound),
    ({"model": "no-such-model"}, NotFound),
    ({"target": "no_such_target"}, PluginNotFound),
]


def test_what_cannot_be_is_refused_and_nothing_is_written(world: World) -> None:
    told = Event.select().count()
    for wish, error in REFUSED:
        with pytest.raises(error):
            world.create(**wish)
    world.create("kept")
    before = world.written()
    for changes, error in REFUSED:
        if not {"name", "target"} & changes.keys():
            with pytest.raises(error):
                world.edit("kept", **changes)
    assert world.written() == before
    assert (Deployment.select().count(), Job.select().count()) == (1, 1)
    assert Event.select().count() == told + 1


@pytest.mark.parametrize("wrong", ["replicas", "ready_within_seconds", "environment", "name"])
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_the_field_that_is_wrong_is_named(world: World, wrong: str) -> None:
    value = {"replicas": 65, "ready_within_seconds": 0, "environment": {"a b": ""}, "name": "A"}[wrong]
    with pytest.raises(InvalidInput) as caught:
        world.create(**{wrong: value})
    assert caught.value.details["field"] == wrong


def test_a_name_is_taken_once(world: World) -> None:
    world.create()
    with pytest.raises(AlreadyExists, match="'live' already"):
        world.create()


def test_a_name_is_free_again_once_the_deployment_is_gone(world: World) -> None:
    world.create()
    world.deployments.delete(world.owner, world.project, "live")
    with pytest.raises(AlreadyExists, match="still being deleted"):
        world.create()
    world.settle()
    world.create()
    assert world.get().revision == 1


CHANGES: list[tuple[dict[str, Any], list[str]]] = [
    ({"version": "2"}, ["version"]),
    ({"version": "latest"}, ["version"]),
    ({"model": "risk"}, ["version"]),
    ({"replicas": 2}, ["replicas"]),
    ({"environment": {"A": "changed"}}, ["environment"]),
    ({"environment": {"A": "1", "B": "2"}}, ["environment"]),
    ({"ready_within_seconds": 7}, ["ready_within_seconds"]),
]


@pytest.mark.parametrize(("changes", "told"), CHANGES)
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_each_change_is_a_new_revision(world: World, changes: dict[str, Any], told: list[str]) -> None:
    world.create(environment={"A": "1"})
    edited = world.edit(**changes)
    assert edited.revision == 2
    assert [note for _, _, note in world.revisions()] == ["created", "edited"]
    event = world.last_event()
    assert event.action == "deployment.updated"
    assert sorted(event.before) == told
    assert sorted(event.after) == sorted([*told, "status"])
    assert "changed" not in str(event.after)


@pytest.mark.parametrize("changes", [{}, {"version": "1"}, {"replicas": 1, "environment": {"A": "1"}}])
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_no_change_is_no_revision(world: World, changes: dict[str, Any]) -> None:
    world.create(environment={"A": "1"})
    assert world.edit(**changes).revision == 1
    assert world.events() == ["created"]


def test_a_roll_back_makes_a_revision_like_the_old_one(world: World) -> None:
    world.create(environment={"A": "1"})
    world.edit(version="2", environment={}, replicas=3)
    rolled = world.deployments.roll_back(world.owner, world.project, "live")
    assert rolled.revision == 3
    revision = DeploymentRevision.get(number=3)
    assert (revision.model_version.number, revision.environment, revision.replicas) == (1, {"A": "1"}, 1)
    assert revision.note == "rolled back to revision 1"
    assert world.deployments.roll_back(world.owner, world.project, "live", 2).revision == 4
    assert world.last_event().after == {"revision": 4, "like_revision": 2, "status": "pending"}


@pytest.mark.parametrize("number", [None, 0, -1, 2, 10**20])
def test_there_is_no_way_back_to_what_never_was(world: World, number: int | None) -> None:
    world.create()
    with pytest.raises(NotFound):
        world.deployments.roll_back(world.owner, world.project, "live", number)
    assert world.get().revision == 1


def test_stop_start_and_delete(world: World) -> None:
    world.create()
    stop, start = world.deployments.stop, world.deployments.start
    here = (world.owner, world.project, "live")
    with pytest.raises(InvalidTransition):
        start(*here)
    assert (stop(*here).desired_status, world.get().status) == ("stopped", "stopping")
    with pytest.raises(InvalidTransition):
        stop(*here)
    assert (start(*here).desired_status, world.get().status) == ("running", "pending")
    world.deployments.delete(*here)
    for verb in (stop, start, world.deployments.delete, world.deployments.get, world.deployments.roll_back):
        with pytest.raises(NotFound):
            verb(*here)
    assert list(world.deployments.list(world.owner, world.project)) == []
    assert world.events() == ["created", "updated", "updated", "updated"]
    assert world.last_event().after == {"desired_status": "deleted", "status": "stopping"}


def test_a_stopped_deployment_can_be_edited_and_stays_stopped(world: World) -> None:
    world.create()
    world.deployments.stop(world.owner, world.project, "live")
    world.settle()
    assert world.edit(version="2").status == "stopped"
    world.settle()
    assert (world.get().status, world.target.running) == ("stopped", {})


ROLES = {
    "viewer": {"get", "list", "revisions", "logs"},
    "editor": {"get", "list", "revisions", "logs", "create", "edit", "roll_back", "stop", "start", "delete"},
    None: set(),
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_who_may_do_what(world: World, factories: Factories, role: str | None) -> None:
    world.create()
    before = world.written()
    actor = factories.actor(factories.member(world.project, role) if role else factories.user())
    here = (actor, world.project)
    wish = {"name": "mine", "model": "risk", "version": "1", "target": "fake"}
    verbs: dict[str, Any] = {
        "get": lambda: world.deployments.get(*here, "live"),
        "list": lambda: list(world.deployments.list(*here)),
        "revisions": lambda: list(world.deployments.revisions(*here, "live")),
        "logs": lambda: world.deployments.logs(*here, "live", lines=1),
        "create": lambda: world.deployments.create(*here, **wish),
        "edit": lambda: world.deployments.edit(*here, "live", {"replicas": 2}),
        "roll_back": lambda: world.deployments.roll_back(*here, "live", 1),
        "stop": lambda: world.deployments.stop(*here, "live"),
        "start": lambda: world.deployments.start(*here, "live"),
        "delete": lambda: world.deployments.delete(*here, "live"),
    }
    for name, verb in verbs.items():
        if name in ROLES[role]:
            verb()
        else:
            with pytest.raises(NotFound if role is None else PermissionDenied):
                verb()
    if role != "editor":
        assert world.written() == before


def test_a_token_needs_the_scope_deploy(world: World, services: Services, factories: Factories) -> None:
    from modelyard.core.identity.models import User
    from modelyard.core.identity.tokens import actor_of_token

    token = factories.token(User.get(username="ada"), scopes=("read", "write"))
    actor = actor_of_token(*services.tokens.find(token), request_id="r", address="")
    with pytest.raises(PermissionDenied, match=r"deployment\.write"):
        world.deployments.create(actor, world.project, name="x", model="risk", version="1", target="fake")


def test_another_projects_models_are_not_found(world: World, factories: Factories) -> None:
    stranger = factories.user()
    elsewhere = factories.project(owner=stranger)
    with pytest.raises(NotFound):
        world.deployments.create(
            factories.actor(stranger), elsewhere, name="x", model="risk", version="1", target="fake"
        )


def test_the_servers_own_host_needs_an_administrators_leave(world: World) -> None:
    with pytest.raises(PermissionDenied, match="server's own host"):
        world.create(target="local_process")
    assert Deployment.select().count() == 0


def test_what_an_administrator_takes_back_starts_no_more(world: World) -> None:
    def allow(yes: bool) -> None:
        Project.update(allow_local_deployments=yes).execute()
        world.project = Project.get_by_id(world.project.id)

    allow(True)
    world.create(target="local_process", replicas=0)
    allow(False)
    here = (world.owner, world.project, "live")
    with pytest.raises(PermissionDenied):
        world.edit(replicas=1)
    with pytest.raises(PermissionDenied):
        world.deployments.roll_back(*here, 1)
    world.deployments.stop(*here)
    with pytest.raises(PermissionDenied):
        world.deployments.start(*here)
    world.deployments.delete(*here)
    assert world.get().revision == 1


def test_a_version_with_a_deployment_cannot_be_deleted(world: World) -> None:
    world.create()
    with pytest.raises(Conflict):
        world.services.model_versions.delete(world.owner, world.project, "risk", 1)


def test_predictions_take_turns_among_the_replicas_that_are_ready(world: World) -> None:
    world.create(replicas=2)
    with pytest.raises(Unavailable, match="pending"):
        world.deployments.replica_for(world.owner, world.project, "live")
    world.settle()
    first, token = world.deployments.replica_for(world.owner, world.project, "live")
    second, _ = world.deployments.replica_for(world.owner, world.project, "live")
    assert sorted(first) == ["http://replica-1-0", "http://replica-1-1"]
    assert second == list(reversed(first))
    assert len(token) >= 32


def test_logs_come_from_each_replica(world: World) -> None:
    world.create(replicas=2)
    world.settle()
    logs = world.deployments.logs(world.owner, world.project, "live", lines=5)
    assert [text for _, text in logs] == ["1/0: the last 5 lines", "1/1: the last 5 lines"]
