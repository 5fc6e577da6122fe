"""A process that freezes in the middle of a transaction on PostgreSQL holds nobody else up for long."""

from __future__ import annotations

import base64
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tests.functional.conftest import Tenant
from tests.functional.running_server import Answer, RunningServer, eventually

COUNT = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND "
WAITS_FOR_A_ROW = f"{COUNT} wait_event_type = 'Lock'"
IS_IDLE = f"{COUNT} state = 'idle in transaction'"


@contextmanager
def frozen_in_a_transaction(server: RunningServer, database_url: str, send: Callable[[], object]) -> Iterator[Any]:
    """Stop the server's process while it holds the run's row for what is sent; gives a connection of somebody else."""
    pid, sending = server.pids("web")[0], threading.Thread(target=send)
    with psycopg.connect(database_url, autocommit=True) as other:

        def counts(query: str) -> bool:
            return bool(other.execute(query).fetchone()[0])  # type: ignore[index]

        with psycopg.connect(database_url) as holder:
            holder.execute("SELECT id FROM run FOR UPDATE")
            sending.start()
            eventually(lambda: counts(WAITS_FOR_A_ROW), "the server's wait for the row")
            os.kill(pid, signal.SIGSTOP)
        try:
            eventually(lambda: counts(IS_IDLE), "the server's idle transaction")
            yield other
        finally:
            os.kill(pid, signal.SIGCONT)
            sending.join()


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_frozen_process_loses_its_locks_and_what_it_was_at(
    server: RunningServer, tenant: Tenant, database_url: str
) -> None:
    server.environment["MODELYARD_SERVER_WORKERS"] = "1"
    server.environment["MODELYARD_DATABASE_IDLE_TRANSACTION_TIMEOUT_SECONDS"] = "1"
    server.start()
    wire = f"{tenant.mlflow}/api/2.0/mlflow"
    made = server.post(f"{wire}/runs/create", {"experiment_id": "0", "run_name": "before"}, token=tenant.token)
    run_id = made.json()["run"]["info"]["run_id"]

    def log() -> Answer:
        body = {"run_id": run_id, "params": [{"key": "lr", "value": "0.1"}]}
        basic = {"Authorization": f"Basic {base64.b64encode(f'any:{tenant.token}'.encode()).decode()}"}
        return server.request("POST", f"{wire}/runs/log-batch", body=body, headers=basic)

    def rename() -> Answer:
        once = {"Idempotency-Key": "once"}
        return server.request(
            "PATCH", f"{tenant.api}/runs/{run_id}", token=tenant.token, body={"name": "after"}, headers=once
        )

    for send in (log, rename):
        answers: list[Answer] = []
        with frozen_in_a_transaction(server, database_url, lambda: answers.append(send())) as other:  # noqa: B023
            other.execute("SET lock_timeout = '20s'")
            assert other.execute("UPDATE run SET user_name = 'other'").rowcount == 1
        assert answers[0].status == 503
        assert "The database does not answer." in answers[0].body.decode()
        run = server.get(f"{wire}/runs/get?run_id={run_id}", token=tenant.token).json()["run"]
        assert (run["info"]["run_name"], bool(run["data"].get("params"))) == ("before", send is rename)
        assert send().status == 200


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_point_that_a_frozen_process_was_at_is_written_once_or_refused(
    server: RunningServer, tenant: Tenant, database_url: str
) -> None:
    server.environment["MODELYARD_SERVER_WORKERS"] = "1"
    server.environment["MODELYARD_DATABASE_IDLE_TRANSACTION_TIMEOUT_SECONDS"] = "1"
    server.start()
    wire = f"{tenant.mlflow}/api/2.0/mlflow"
    made = server.post(f"{wire}/runs/create", {"experiment_id": "0"}, token=tenant.token)
    run_id, answers = made.json()["run"]["info"]["run_id"], list[Answer]()

    def log() -> None:
        points = [{"key": key, "value": 0.5, "timestamp": 1, "step": 0} for key in ("a", "b")]
        body = {"run_id": run_id, "metrics": points}
        answers.append(server.post(f"{wire}/runs/log-batch", body, token=tenant.token))

    with frozen_in_a_transaction(server, database_url, log) as other:
        other.execute("SET lock_timeout = '20s'")
        assert other.execute("UPDATE run SET user_name = 'other'").rowcount == 1
    kept = server.get(f"{wire}/runs/get?run_id={run_id}", token=tenant.token).json()["run"]["data"].get("metrics", [])
    assert (answers[0].status, len(kept)) in {(200, 2), (503, 0)}
