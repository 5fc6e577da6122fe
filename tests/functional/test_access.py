"""What was taken away is gone in every server process at its next request, caches or not."""

from __future__ import annotations

import pytest

from modelyard.core.projects.models import OrganizationMember
from tests.factories import Factories, system_owner
from tests.functional.conftest import Tenant
from tests.functional.running_server import RunningServer, eventually

on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"])
REQUESTS = 40
"""Each comes by a connection of its own; that none of so many meets one of two processes is as good as impossible."""


@pytest.fixture
def run_id(server: RunningServer, tenant: Tenant) -> str:
    server.environment["MODELYARD_SERVER_WORKERS"] = "2"
    server.start()
    eventually(lambda: len(server.pids("web")) == 2, "two server processes")
    made = server.post(f"{tenant.mlflow}/api/2.0/mlflow/runs/create", {"experiment_id": "0"}, token=tenant.token)
    return str(made.json()["run"]["info"]["run_id"])


def statuses(server: RunningServer, tenant: Tenant, run_id: str, token: str) -> set[int]:
    """Log metrics by many connections; returns the different answers."""
    path = f"{tenant.mlflow}/api/2.0/mlflow/runs/log-metric"
    body = {"run_id": run_id, "key": "loss", "value": 0.5, "timestamp": 1}
    return {server.post(path, body, token=token).status for _ in range(REQUESTS)}


@on_postgresql
def test_a_revoked_token_is_refused_by_every_process(
    server: RunningServer, tenant: Tenant, factories: Factories, run_id: str
) -> None:
    token = factories.token(system_owner(tenant.project))
    assert statuses(server, tenant, run_id, token) == {200}
    answer = server.request("DELETE", f"/api/v1/tokens/{token.split('_')[1]}", token=tenant.token)
    assert answer.status == 204
    assert statuses(server, tenant, run_id, token) == {401}


@on_postgresql
def test_a_role_that_was_taken_is_gone_in_every_process(
    server: RunningServer, tenant: Tenant, factories: Factories, run_id: str
) -> None:
    editor = factories.member(tenant.project, "editor")
    token = factories.token(editor)
    assert statuses(server, tenant, run_id, token) == {200}
    address = f"{tenant.api}/members/{editor.username}"
    assert server.request("PUT", address, token=tenant.token, body={"role": "viewer"}).status == 200
    assert statuses(server, tenant, run_id, token) == {403}
    assert OrganizationMember.delete().where(OrganizationMember.user == editor).execute() == 1
    assert statuses(server, tenant, run_id, token) == {404}
