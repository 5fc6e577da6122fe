"""What was taken away is gone in every server process at its next request, caches or not."""

from __future__ import annotations

import http.client
import json
import threading
from typing import Any

import pytest

from modelyard.core.projects.models import OrganizationMember
from tests.factories import Factories, system_owner
from tests.functional.conftest import Tenant
from tests.functional.running_server import RunningServer, eventually

on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"])
LOGGING = 16
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
def test_who_is_logging_when_the_token_is_revoked_is_not_served_again(
    server: RunningServer, tenant: Tenant, factories: Factories, run_id: str
) -> None:
    token = factories.token(system_owner(tenant.project))
    is_revoked, served, late = threading.Event(), [0] * LOGGING, list[int]()

    def log(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        status = 200
        while status == 200:
            is_late = is_revoked.is_set()
            method, path, body = hot_requests(run_id)[served[number] % 4]
            connection.request(method, f"{tenant.mlflow}/api/2.0/mlflow/{path}", json.dumps(body), headers)
            answer = connection.getresponse()
            answer.read()
            status = answer.status
            served[number] += status == 200
            if is_late or status != 200:
                late.append(status)
        connection.close()

    threads = [threading.Thread(target=log, args=(number,)) for number in range(LOGGING)]
    for thread in threads:
        thread.start()
    eventually(lambda: min(served) > 8, "answers on every connection")
    assert server.request("DELETE", f"/api/v1/tokens/{token.split('_')[1]}", token=tenant.token).status == 204
    is_revoked.set()
    for thread in threads:
        thread.join()
    assert late == [401] * LOGGING


def hot_requests(run_id: str) -> list[tuple[str, str, dict[str, Any]]]:
    """What clients ask for most, by method, path and body."""
    point = {"key": "loss", "value": 0.5, "timestamp": 1}
    return [
        ("POST", "runs/log-metric", {"run_id": run_id, **point}),
        ("POST", "runs/log-batch", {"run_id": run_id, "metrics": [point]}),
        ("POST", "runs/search", {"experiment_ids": ["0"]}),
        ("GET", f"metrics/get-history?run_id={run_id}&metric_key=loss", {}),
    ]


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
