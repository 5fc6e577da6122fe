"""The audit log: whose events are whose, what is found by which filter, and reading all of it in pieces."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.db import database
from modelyard.core.errors import InvalidInput, NotFound, PermissionDenied
from modelyard.core.identity.actor import Actor
from modelyard.core.notifications import audit
from modelyard.core.notifications.audit import EventFilter
from modelyard.core.notifications.models import Event
from modelyard.core.projects.models import Project
from tests.factories import Factories


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project("churn")


@pytest.fixture
def admin(factories: Factories, project: Project) -> Actor:
    return factories.actor(project.organization.members[0].user)


@pytest.fixture
def root(factories: Factories, project: Project) -> Actor:
    from modelyard.core.identity.models import User

    return factories.actor(User.get(User.username == "root"))


def actions(events: Any) -> list[str]:
    return [event.action for event in events]


def test_a_project_has_its_own_events_newest_first(
    services: Services, factories: Factories, admin: Actor, project: Project
) -> None:
    factories.project("other")
    services.models.create(admin, project, name="risk")
    viewer = factories.actor(factories.member(project, "viewer"))
    events = list(services.audit.of_project(viewer, project))
    assert actions(events)[-1] == "project.created"
    assert "model.created" in actions(events)
    assert [event.id for event in events] == sorted((event.id for event in events), reverse=True)
    assert {event.project_slug for event in events} == {"churn"}
    stranger = factories.actor()
    with pytest.raises(NotFound):
        services.audit.of_project(stranger, project)


def test_an_organization_has_those_of_all_its_projects_for_its_admins(
    services: Services, factories: Factories, admin: Actor, project: Project
) -> None:
    other = factories.project("other")
    slug = project.organization.slug
    second = services.projects.create(admin, slug, slug="second", name="Second")
    services.models.create(admin, second, name="risk")
    found = services.audit.of_organization(admin, slug)
    assert {event.organization_slug for event in found} == {slug}
    assert {event.project_slug for event in found} >= {"churn", "second", ""}
    with pytest.raises(PermissionDenied):
        services.audit.of_organization(factories.actor(factories.member(project, "admin")), slug)
    with pytest.raises(NotFound):
        services.audit.of_organization(admin, other.organization.slug)


def test_the_instance_has_users_and_organizations_and_nothing_of_what_is_within(
    services: Services, factories: Factories, admin: Actor, root: Actor, project: Project
) -> None:
    services.users.create(root, username="newcomer", password="correct horse battery")
    services.models.create(admin, project, name="risk")
    found = list(services.audit.of_instance(root))
    assert {"user.created", "organization.created"} <= set(actions(found))
    assert {event.object_kind for event in found} <= {"user", "organization", "session", "token"}
    project.delete_instance()
    project.organization.delete_instance()
    assert "model.created" not in actions(services.audit.of_instance(root))
    with pytest.raises(PermissionDenied):
        services.audit.of_instance(admin)


def test_filters(services: Services, factories: Factories, admin: Actor, project: Project) -> None:
    editor = factories.actor(factories.member(project, "editor"))
    model = services.models.create(editor, project, name="risk")
    services.models.create(admin, project, name="other")
    services.model_versions.create(editor, project, "risk", source="mlflow-artifacts:/m")
    first = Event.get(Event.action == "model.created")

    def found(**wanted: Any) -> list[tuple[str, str]]:
        events = services.audit.of_project(admin, project, EventFilter(**wanted))
        return [(event.action, event.object_name) for event in events]

    created = [("model.created", "other"), ("model.created", "risk")]
    assert found(action="model.created") == created == found(action="model.*") == found(object_kind="model")
    by_editor = [("model_version.created", "risk/1"), ("model.created", "risk")]
    assert found(actor=editor.name) == by_editor == found(actor=editor.id)
    assert found(actor=editor.name, object_kind="model") == [("model.created", "risk")]
    assert found(object_id=first.object_id) == [("model.created", "risk")]
    assert found(action="model.*", since_ms=first.occurred_at_ms) == created
    assert found(until_ms=1) == []
    assert ("model.created", "risk") not in found(until_ms=first.occurred_at_ms)
    assert found(action="model.*", address="127.0.0.1") == created
    assert found(address="10.0.0.1") == []
    assert found(action="model.*", request_id="test") == created
    assert found(request_id="no such") == []
    assert model.name == "risk"


@pytest.mark.parametrize("action", ["*", "m*", "model*", "model.cr*", ".*x", "a.b.*", "*.created"])
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_star_stands_for_all_of_a_noun(services: Services, admin: Actor, project: Project, action: str) -> None:
    with pytest.raises(InvalidInput, match="is no action"):
        services.audit.of_project(admin, project, EventFilter(action=action))


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_addresses_are_for_admins(services: Services, factories: Factories, admin: Actor, project: Project) -> None:
    editor = factories.actor(factories.member(project, "editor"))
    assert services.audit.shows_addresses(admin, project)
    assert not services.audit.shows_addresses(editor, project)
    with pytest.raises(PermissionDenied):
        services.audit.of_project(editor, project, EventFilter(address="127.0.0.1"))


def test_all_of_it_is_read_in_pieces_that_hold_no_connection(
    services: Services, admin: Actor, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "BATCH", 3)
    for number in range(8):
        services.models.create(admin, project, name=f"m{number}")
    events = services.audit.of_project(admin, project)
    expected = [event.id for event in events]
    database.close()
    read, was_open = [], []
    for batch in services.audit.batches(events):
        assert len(batch) <= 3
        read += [event.id for event in batch]
        was_open.append(not database.is_closed())
    assert read == expected
    from modelyard.core.db import is_postgresql

    assert not is_postgresql() or not any(was_open)
