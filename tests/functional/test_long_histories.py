"""A whole history is sent while it is read: in little memory, and never cut short without a word."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modelyard.core import db
from modelyard.core.tracking.sql import execute
from tests.functional.conftest import Tenant
from tests.functional.running_server import RunningServer

POINTS = 200_000
MOST_GROWTH_BYTES = 32 * 1024**2
"""The points of the whole take 60 MiB at once, and its JSON 13."""


def log_many(server: RunningServer, tenant: Tenant) -> str:
    """Make a run with a long history, most of it behind the server's back; returns the run's id."""
    wire = f"{tenant.mlflow}/api/2.0/mlflow"
    made = server.post(f"{wire}/runs/create", {"experiment_id": "0"}, token=tenant.token)
    run_id = str(made.json()["run"]["info"]["run_id"])
    point = {"run_id": run_id, "key": "loss", "value": 0.5, "timestamp": 1, "step": 0}
    assert server.post(f"{wire}/runs/log-metric", point, token=tenant.token).status == 200
    with db.atomic():
        execute(
            "WITH RECURSIVE steps(step) AS (SELECT 1 UNION ALL SELECT step + 1 FROM steps WHERE step < ?)"
            " INSERT INTO metric_point (series_id, step, timestamp_ms, value, is_nan)"
            " SELECT id, step, 1700000000000 + step, step * 0.37, 0 FROM steps, metric_series",
            (POINTS - 1,),
        )
    return run_id


def most_memory_bytes(server: RunningServer) -> int:
    """Return the most memory that the server's process ever had."""
    (pid,) = server.pids("web")
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


@pytest.fixture
def run_id(server: RunningServer, tenant: Tenant) -> str:
    server.environment["MODELYARD_SERVER_WORKERS"] = "1"
    server.start()
    return log_many(server, tenant)


def test_a_long_history_takes_little_memory(server: RunningServer, tenant: Tenant, run_id: str) -> None:
    path = f"{tenant.mlflow}/api/2.0/mlflow/metrics/get-history?metric_key=loss&run_id={run_id}"
    assert server.get(f"{path}&max_results=20000", token=tenant.token).status == 200
    before = most_memory_bytes(server)
    metrics = server.get(path, token=tenant.token).json()["metrics"]
    assert most_memory_bytes(server) - before < MOST_GROWTH_BYTES
    assert [one["step"] for one in metrics] == list(range(POINTS))
    assert metrics[-1] == {
        "key": "loss", "value": (POINTS - 1) * 0.37, "timestamp": 1700000000000 + POINTS - 1, "step": POINTS - 1,
    }  # fmt: skip


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_what_breaks_off_says_so(server: RunningServer, tenant: Tenant, run_id: str) -> None:
    whole = f"{tenant.mlflow}/api/2.0/mlflow/metrics/get-history?metric_key=loss&run_id={run_id}"
    file = f"{tenant.api}/runs/{run_id}/metric-export?key=loss"
    with half_read(server, tenant, whole) as json_answer, half_read(server, tenant, file) as csv_answer:
        with db.atomic():
            execute("UPDATE run SET public_id = ?", ("0" * 32,))
        with pytest.raises(ValueError, match="Expecting"):
            json.loads(json_answer())
        lines = csv_answer().splitlines()
    assert "is incomplete" in lines[-1]
    assert 2 < len(lines) < POINTS


@contextmanager
def half_read(server: RunningServer, tenant: Tenant, path: str) -> Iterator[Callable[[], str]]:
    """Begin to read an answer, by little at a time; what is given returns all of it."""
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", server.port))
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.sock = reader
        connection.request("GET", path, headers={"Authorization": f"Bearer {tenant.token}"})
        answer = connection.getresponse()
        assert answer.status == 200
        begun = answer.read(1000)
        yield lambda: (begun + answer.read()).decode()
