"""Registered models: names, tags, and who may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.db import database
from modelyard.core.errors import AlreadyExists, Conflict, InvalidInput, NotFound, PermissionDenied
from modelyard.core.identity.actor import Actor
from modelyard.core.notifications.models import Event
from modelyard.core.projects.models import Project
from modelyard.core.registry.models import ModelVersion, RegisteredModel, RegisteredModelTag
from tests.factories import Factories

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
SOURCE = "mlflow-artifacts:/m"


def told(noun: str) -> list[tuple[str, Any, Any]]:
    rows = Event.select().where(Event.object_kind == noun).order_by(Event.id)
    return [(row.action.split(".")[1], row.before, row.after) for row in rows]


def test_a_name_is_taken_once_in_a_project(
    services: Services, factories: Factories, editor: Actor, project: Project, risk: RegisteredModel
) -> None:
    with pytest.raises(AlreadyExists, match="risk"):
        services.models.create(editor, project, name="risk", tags={"a": "b"})
    assert (RegisteredModel.select().count(), RegisteredModelTag.select().count()) == (1, 0)
    assert told("model") == [("created", {}, {"name": "risk"})]
    services.models.create(editor, project, name="Risk")
    other = factories.project()
    owner = factories.actor(other.organization.members[0].user)
    assert services.models.create(owner, other, name="risk").id != risk.id


def test_renaming_keeps_the_versions(
    services: Services, editor: Actor, project: Project, risk: RegisteredModel
) -> None:
    services.model_versions.create(editor, project, "risk", source=SOURCE)
    services.models.create(editor, project, name="taken")
    with pytest.raises(AlreadyExists, match="taken"):
        services.models.edit(editor, project, "risk", new_name="taken")
    services.models.edit(editor, project, "risk", new_name="hazard", description="what it is")
    services.models.edit(editor, project, "hazard", description="what it is")
    with pytest.raises(NotFound):
        services.models.get(editor, project, "risk")
    assert services.model_versions.get(editor, project, "hazard", 1).model.description == "what it is"
    before, after = {"name": "risk", "description": ""}, {"name": "hazard", "description": "what it is"}
    assert [event for event in told("model") if event[0] == "updated"] == [("updated", before, after)]


@on_sqlite
@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b", "..", "a\nb", "a\0", "\ud800", "x" * 256])
def test_bad_names_are_refused(
    services: Services, editor: Actor, project: Project, risk: RegisteredModel, name: str
) -> None:
    for act in (
        lambda: services.models.create(editor, project, name=name),
        lambda: services.models.edit(editor, project, "risk", new_name=name),
    ):
        with pytest.raises(InvalidInput) as refused:
            act()
        assert refused.value.details["field"] == "name"
    assert [model.name for model in RegisteredModel.select()] == ["risk"]


def test_tags_are_set_changed_and_removed(
    services: Services, editor: Actor, project: Project, risk: RegisteredModel
) -> None:
    services.models.set_tag(editor, project, "risk", "team", "a")
    services.models.set_tag(editor, project, "risk", "team", "b" * 300)
    stored = database.execute_sql("SELECT key, value FROM registered_model_tag").fetchall()
    assert [tuple(row) for row in stored] == [("team", "b" * 300)]
    services.models.delete_tag(editor, project, "risk", "team")
    services.models.delete_tag(editor, project, "risk", "team")
    assert RegisteredModelTag.select().count() == 0
    assert told("model")[1:] == [
        ("tag_set", {}, {"team": "a"}),
        ("tag_set", {}, {"team": "b" * 300}),
        ("tag_deleted", {"key": "team"}, {}),
    ]
    for key, value in [("", "v"), ("k" * 251, "v"), ("k", "v" * 100_001), ("k\0", "v"), ("k", "\ud800")]:
        with pytest.raises(InvalidInput, match="tag"):
            services.models.set_tag(editor, project, "risk", key, value)
        with pytest.raises(InvalidInput, match="tag"):
            services.models.create(editor, project, name="new", tags={key: value})
    assert (RegisteredModelTag.select().count(), RegisteredModel.select().count()) == (0, 1)


def test_a_model_goes_with_its_versions_but_not_from_under_a_deployment(
    services: Services, editor: Actor, project: Project, factories: Factories
) -> None:
    local = factories.project(local=True)
    owner = factories.actor(local.organization.members[0].user)
    services.models.create(owner, local, name="risk")
    for _ in range(2):
        services.model_versions.create(owner, local, "risk", source=SOURCE)
    services.deployments.create(owner, local, name="live", model="risk", version="1", target="local_process")
    with pytest.raises(Conflict, match="'live'"):
        services.models.delete(owner, local, "risk")
    with pytest.raises(Conflict, match="'live'"):
        services.model_versions.delete(owner, local, "risk", 1)
    assert ModelVersion.select().count() == 2
    services.model_versions.delete(owner, local, "risk", 2)
    database.execute_sql("DELETE FROM deployment_revision")
    services.models.delete(owner, local, "risk")
    assert (RegisteredModel.select().count(), ModelVersion.select().count()) == (0, 0)


def test_viewers_read_and_strangers_find_nothing(
    services: Services, factories: Factories, editor: Actor, project: Project, risk: RegisteredModel
) -> None:
    services.model_versions.create(editor, project, "risk", source=SOURCE)
    models, versions = services.models, services.model_versions
    reads: list[Callable[[Actor], Any]] = [
        lambda actor: models.get(actor, project, "risk"),
        lambda actor: models.list(actor, project),
        lambda actor: versions.get(actor, project, "risk", 1),
        lambda actor: versions.list(actor, project, "risk"),
        lambda actor: versions.get_by_alias(actor, project, "risk", "latest"),
        lambda actor: versions.stage_changes(actor, project, "risk"),
    ]
    writes: list[Callable[[Actor], Any]] = [
        lambda actor: models.create(actor, project, name="x"),
        lambda actor: models.edit(actor, project, "risk", new_name="x"),
        lambda actor: models.delete(actor, project, "risk"),
        lambda actor: models.set_tag(actor, project, "risk", "k", "v"),
        lambda actor: models.delete_tag(actor, project, "risk", "k"),
        lambda actor: versions.create(actor, project, "risk", source=SOURCE),
        lambda actor: versions.describe(actor, project, "risk", 1, "d"),
        lambda actor: versions.promote(actor, project, "risk", 1, stage="Staging"),
        lambda actor: versions.delete(actor, project, "risk", 1),
        lambda actor: versions.set_tag(actor, project, "risk", 1, "k", "v"),
        lambda actor: versions.delete_tag(actor, project, "risk", 1, "k"),
        lambda actor: versions.set_alias(actor, project, "risk", "a", 1),
        lambda actor: versions.delete_alias(actor, project, "risk", "a"),
    ]
    viewer, stranger = factories.actor(factories.member(project, "viewer")), factories.actor()
    events = Event.select().count()
    for read in reads:
        read(viewer)
    for write in writes:
        with pytest.raises(PermissionDenied, match="'editor'"):
            write(viewer)
    for act in reads + writes:
        with pytest.raises(NotFound, match="There is no project"):
            act(stranger)
    assert Event.select().count() == events
