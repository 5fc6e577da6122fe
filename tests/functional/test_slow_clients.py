"""Clients that send or read slowly, with real sockets: everybody else is still served."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.functional.conftest import Tenant
from tests.functional.running_server import RunningServer, eventually

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])
THREADS = 8


@pytest.fixture
def server(environment: dict[str, str], tmp_path: Path) -> Iterator[RunningServer]:
    """A server with few threads."""
    server = RunningServer(environment | {"MODELYARD_SERVER_THREADS": str(THREADS)}, tmp_path / "serve.log")
    yield server.start()
    server.kill_all()


@pytest.fixture
def clients(server: RunningServer) -> Iterator[Callable[[bytes], list[socket.socket]]]:
    """Open twice as many connections as there are threads, each of which sends the bytes and then nothing more."""
    with ExitStack() as stack:

        def open_all(sent: bytes) -> list[socket.socket]:
            opened = [
                stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
                for _ in range(2 * THREADS)
            ]
            for connection in opened:
                connection.sendall(sent)
            return opened

        yield open_all


def head(tenant: Tenant, method: str, path: str, *more: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {tenant.token}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def test_senders_that_stop_in_the_middle(
    server: RunningServer, tenant: Tenant, clients: Callable[[bytes], list[socket.socket]]
) -> None:
    begun = head(tenant, "POST", f"{tenant.api}/models", "Content-Type: application/json", "Content-Length: 20")
    opened = clients(begun + b'{"na')
    assert server.get(tenant.api, token=tenant.token).status == 200
    waiting = server.post(f"{tenant.api}/models", {"name": "late"}, token=tenant.token)
    assert (waiting.status, waiting.json()["code"], waiting.headers["retry-after"]) == (503, "unavailable", "1")
    for connection in opened:
        connection.close()
    eventually(lambda: server.post(f"{tenant.api}/models", {"name": "late"}, token=tenant.token).status == 201, "room")


def test_readers_that_stop_in_the_middle(
    server: RunningServer, tenant: Tenant, clients: Callable[[bytes], list[socket.socket]]
) -> None:
    run = server.post(f"{tenant.mlflow}/api/2.0/mlflow/runs/create", {"experiment_id": "0"}, token=tenant.token).json()
    root = run["run"]["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    path = f"{tenant.mlflow}/api/2.0/mlflow-artifacts/artifacts/{root}/big"
    assert server.request("PUT", path, token=tenant.token, body=os.urandom(32 * 1024 * 1024)).status == 200
    opened = clients(head(tenant, "GET", path))
    assert server.get(tenant.api, token=tenant.token).status == 200
    refused = server.get(path, token=tenant.token)
    assert (refused.status, refused.json()["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    for connection in opened:
        connection.close()
    eventually(lambda: len(server.get(path, token=tenant.token).body) == 32 * 1024 * 1024, "room for a reader")
