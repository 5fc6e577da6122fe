"""The database itself keeps the audit log: nothing changes an event, and what it tells of may go without it."""

from __future__ import annotations

from typing import Any

import pytest
from peewee import PeeweeException
from playhouse.migrations import Runner

from modelyard.core import migrations
from modelyard.core.bootstrap import Services
from modelyard.core.db import atomic, database, is_postgresql
from modelyard.core.notifications.models import AuditPurge, Delivery, Event
from modelyard.core.projects.models import Project
from tests.factories import Factories

REFUSED = "events are only ever added"


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project("churn")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET actor_name = 'somebody else'",
        "UPDATE event SET after = '{}', occurred_at_ms = 1",
        "UPDATE event SET project_slug = ''",
        "UPDATE event SET project_id = NULL",
        "UPDATE event SET organization_id = NULL",
        "UPDATE event SET address = '', project_id = NULL",
        "DELETE FROM event",
    ],
)
def test_an_event_stays_as_it_is(project: Project, statement: str) -> None:
    before = database.execute_sql("SELECT * FROM event ORDER BY id").fetchall()
    with pytest.raises(PeeweeException, match=REFUSED), atomic():
        database.execute_sql(statement)
    assert database.execute_sql("SELECT * FROM event ORDER BY id").fetchall() == before


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_the_table_is_not_emptied(project: Project) -> None:
    with pytest.raises(PeeweeException, match=REFUSED), atomic():
        database.execute_sql("TRUNCATE event CASCADE")
    assert Event.select().count() > 0


def test_events_outlive_their_project_and_organization(project: Project) -> None:
    organization = project.organization
    mine = Event.select().where(Event.project == project).count()
    count = Event.select().count()
    project.delete_instance()
    left = list(Event.select().where(Event.project_slug == "churn"))
    assert len(left) == mine > 0
    assert {(event.project_id, event.organization_id) for event in left} == {(None, organization.id)}
    organization.delete_instance()
    assert Event.select().count() == count
    assert Event.select().where(Event.organization_slug == organization.slug, Event.organization.is_null()).count() > 1


def test_a_purge_lets_go_only_what_is_older(services: Services, project: Project) -> None:
    newest = Event.select().order_by(Event.occurred_at_ms.desc(), Event.id.desc()).first()
    with pytest.raises(PeeweeException, match=REFUSED), atomic():
        AuditPurge.create(before_ms=newest.occurred_at_ms)
        Event.delete().execute()
    with atomic():
        row = AuditPurge.create(before_ms=newest.occurred_at_ms + 1)
        Event.delete().where(Event.id == newest.id).execute()
        row.delete_instance()
    assert Event.get_or_none(Event.id == newest.id) is None
    with pytest.raises(PeeweeException, match=REFUSED), atomic():
        Event.delete().execute()


def test_what_an_older_version_wrote_is_kept(opened_database: Any) -> None:
    """Rows with and without a project, of a plugin and of a connection, keep ids, references and counters."""
    runner = Runner(opened_database, str(migrations.FOLDER))
    runner.down("0007_audit_log")
    run = opened_database.execute_sql
    run("INSERT INTO organization (id, public_id, slug, name, created_at_ms) VALUES (7, 'o', 'acme', 'A', 1)")
    run(
        "INSERT INTO project (id, public_id, organization_id, slug, name, description, allow_local_deployments, "
        "last_experiment_number, created_at_ms, updated_at_ms) VALUES (8, 'p', 7, 'churn', 'C', '', false, 0, 1, 1)"
    )
    run(
        "INSERT INTO connection (id, public_id, organization_id, project_id, name, kind, provider, settings, "
        "subscriptions, enabled, created_at_ms, updated_at_ms) "
        "VALUES (9, 'c', 7, 8, 'hook', 'notifier', 'log', '{}', '[]', true, 1, 1)"
    )
    for number, place in ((40, "7, 8"), (41, "NULL, NULL")):
        run(
            "INSERT INTO event (id, public_id, organization_id, project_id, actor_kind, actor_id, actor_name, action, "
            "object_kind, object_id, object_name, before, after, request_id, address, schema_version, occurred_at_ms) "
            f"VALUES ({number}, 'e{number}', {place}, 'user', 'u', 'ada', 'a.b', 'a', 'x', 'x', '{{}}', '{{}}', 'r', "
            "'1.2.3.4', 1, 5)"
        )
    for number, to in ((50, "NULL, NULL, 9"), (51, "'bell', 'run_finished', NULL")):
        run(
            "INSERT INTO delivery (id, state, run_after_ms, lease_until_ms, fence, attempts, public_id, event_id, "
            f"plugin, moment, connection_id, created_at_ms) VALUES ({number}, 'queued', 1, 0, 0, 0, 'd{number}', 40, "
            f"{to}, 1)"
        )
    if is_postgresql():
        for table, last in (("event", 41), ("delivery", 51)):
            run(f"SELECT setval('{table}_id_seq', {last})")
    runner.up()
    assert list(Event.select(Event.id, Event.organization_slug, Event.project_slug, Event.address).tuples()) == [
        (40, "acme", "churn", "1.2.3.4"),
        (41, "", "", "1.2.3.4"),
    ]
    rows = list(Delivery.select(Delivery.id, Delivery.event, Delivery.subscriber, Delivery.connection).tuples())
    assert rows == [(50, 40, "hook", 9), (51, 40, "bell", None)]
    assert Event.create(
        actor_kind="u", actor_id="u", actor_name="a", action="a.b", object_kind="a", object_id="x", object_name="x",
        before={}, after={},
    ).id == 42  # fmt: skip
    run("DELETE FROM connection")
    assert [row.connection_id for row in Delivery.select()] == [None, None]
    assert is_postgresql() or run("PRAGMA foreign_key_check").fetchall() == []
    runner.down("0007_audit_log")
    assert run("SELECT count(*) FROM delivery").fetchone()[0] == 2
