"""What each step does to the rows that are there already."""

from __future__ import annotations

from typing import Any

from playhouse.migrations import Runner

from modelyard.core import migrations
from modelyard.core.db import database
from modelyard.core.identity.models import ApiToken, Session, User
from modelyard.core.jobs import Job
from modelyard.core.projects.models import Organization, Project

OLD_ROWS = [
    "INSERT INTO user_account (id, public_id, username, display_name, password_hash, is_instance_admin, created_at_ms) "
    "VALUES (901, 'u1', 'ada', '', 'h', {yes}, 5)",
    "INSERT INTO organization (id, public_id, slug, name, created_at_ms) VALUES (1, 'o1', 'acme', 'Acme', 5)",
    "INSERT INTO project (id, public_id, organization_id, slug, name, description, allow_local_deployments, "
    "last_experiment_number, created_at_ms, updated_at_ms) VALUES (1, 'p1', 1, 'churn', 'Churn', '', {no}, 0, 5, 5)",
    *(
        "INSERT INTO api_token (public_id, user_id, project_id, name, secret_hash, scopes, created_at_ms) "
        f"VALUES ('{name}', 901, {project}, 't', 'h', '[]', 5)"
        for name, project in (("free", "NULL"), ("bound", "1"), ("orphan", "77"))
    ),
    *(
        "INSERT INTO session (user_id, secret_hash, created_at_ms, last_seen_at_ms, expires_at_ms, address, user_agent)"
        f" VALUES (901, '{name}', 5, 5, 9, '', '')"
        for name in ("s1", "s2")
    ),
]


def test_people_keep_their_sessions_and_tokens(opened_database: Any) -> None:
    runner = Runner(opened_database, str(migrations.FOLDER))
    while len(runner.applied()) > 1:
        runner.down()
    yes, no = ("true", "false") if "Postgresql" in type(opened_database).__name__ else ("1", "0")
    for statement in OLD_ROWS:
        database.execute_sql(statement.format(yes=yes, no=no))
    runner.up()
    assert {(row.public_id, row.project_id) for row in ApiToken.select()} == {("free", None), ("bound", 1)}
    assert {row.secret_hash for row in Session.select()} == {"s1", "s2"}
    assert len({row.public_id for row in Session.select()} - {None, ""}) == 2
    assert [(row.username, row.kind, row.email) for row in User.select()] == [("ada", "person", "")]
    assert [job.kind for job in Job.select()] == ["artifacts.recount_all"]  # what is there already is to be counted
    assert Project.get().artifact_bytes == 0
    Project.delete().where(Project.id == 1).execute()
    assert [row.public_id for row in ApiToken.select()] == ["free"]
    User.create(username="ci@acme", password_hash="", kind="service", organization=1)
    Organization.delete().execute()
    assert [row.username for row in User.select()] == ["ada"]
    while runner.applied():
        runner.down()
