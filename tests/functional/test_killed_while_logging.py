"""Sixteen clients log, every process of the server is killed at once, and nothing that was answered is lost or doubled.

Half of the clients send what was not answered again, as MLflow's does; the others never do.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.tracking.sql import execute
from modelyard.plugins.sql_tracker import points as sql_points
from modelyard.plugins.sql_tracker.chunks import CHUNK, WRITE_AT
from tests.factories import Factories, system_owner
from tests.functional.conftest import Tenant
from tests.functional.running_server import RunningServer, eventually

CLIENTS = 16
KEYS = ("loss", "accuracy")
STEPS_OF_A_BATCH = 40
ANSWERS_BEFORE = 20 * CLIENTS
ANSWERS_AFTER = 5 * CLIENTS

Point = tuple[str, int, int, float]
"""Key, step, timestamp and value."""


@dataclass(frozen=True)
class Sent:
    """One request: a run and the points for it; one point goes by log-metric, several by log-batch."""

    run_id: str
    points: tuple[Point, ...]

    @property
    def endpoint(self) -> str:
        """Where it goes."""
        return "runs/log-metric" if len(self.points) == 1 else "runs/log-batch"

    @property
    def body(self) -> bytes:
        """What is sent there."""
        metrics = [dict(zip(("key", "step", "timestamp", "value"), point, strict=True)) for point in self.points]
        given: dict[str, Any] = metrics[0] if len(metrics) == 1 else {"metrics": metrics}
        return json.dumps({"run_id": self.run_id, **given}).encode()


@dataclass
class Clients:
    """Threads that log, each to a run of its own and to one that all share."""

    send: Callable[[http.client.HTTPConnection, Sent], int]
    port: int
    runs: list[str]
    answered: list[Sent] = field(default_factory=list)
    unanswered: list[Sent] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    is_up: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin."""
        self.is_up.set()
        self._threads = [threading.Thread(target=self._log, args=(number,)) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Let each finish its request."""
        self.stop.set()
        self.is_up.set()
        for thread in self._threads:
            thread.join()

    def _log(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sends_again = number % 2 == 0
        for sent in self._requests(number):
            is_answered = self._answer(connection, sent)
            while not is_answered and sends_again and not self.stop.is_set():
                is_answered = self._answer(connection, sent)
            if self.stop.is_set():
                break
        connection.close()

    def _answer(self, connection: http.client.HTTPConnection, sent: Sent) -> bool:
        """Send it; without an answer, wait for the server to be back."""
        try:
            status = self.send(connection, sent)
        except (OSError, http.client.HTTPException):
            connection.close()
            self.unanswered.append(sent)
            self.is_up.wait()
            return False
        if status == 200:
            self.answered.append(sent)
        else:
            self.refused.append(status)
        return True

    def _requests(self, number: int) -> Iterator[Sent]:
        """Make requests with points that nobody else logs: steps go up, values name the client."""
        steps = count()
        for index in count():
            is_batch = index % 2 == 1
            some = [next(steps) for _ in range(STEPS_OF_A_BATCH if is_batch else 1)]
            keys = KEYS if is_batch else KEYS[:1]
            made = tuple((key, step, 1000 + step, step + number / CLIENTS) for step in some for key in keys)
            yield Sent(self.runs[-1] if index // 2 % 2 else self.runs[number], made)


@pytest.fixture
def clients(server: RunningServer, tenant: Tenant) -> Iterator[Clients]:
    """Clients of a server with two processes where the database allows it."""
    server.environment["MODELYARD_SERVER_WORKERS"] = "2"
    server.start()
    wire = f"{tenant.mlflow}/api/2.0/mlflow"
    headers = {"Authorization": f"Bearer {tenant.token}", "Content-Type": "application/json"}

    def send(connection: http.client.HTTPConnection, sent: Sent) -> int:
        connection.request("POST", f"{wire}/{sent.endpoint}", sent.body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def make_run() -> str:
        made = server.post(f"{wire}/runs/create", {"experiment_id": "0"}, token=tenant.token)
        return str(made.json()["run"]["info"]["run_id"])

    clients = Clients(send, server.port, [make_run() for _ in range(CLIENTS + 1)])
    yield clients
    clients.end()


def test_what_was_answered_is_there_once_after_all_processes_were_killed(
    server: RunningServer,
    tenant: Tenant,
    services: Services,
    factories: Factories,
    clients: Clients,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clients.start()
    eventually(lambda: len(clients.answered) > ANSWERS_BEFORE, "answers")
    clients.is_up.clear()
    server.crash()
    eventually(lambda: len(clients.unanswered) >= CLIENTS, "the clients' notice")
    server.start()
    clients.is_up.set()
    before = len(clients.answered)
    eventually(lambda: len(clients.answered) > before + ANSWERS_AFTER, "more answers")
    clients.end()
    assert clients.refused == []

    kept = {run_id: history_of(server, tenant, run_id) for run_id in clients.runs}
    lost = [sent for sent in clients.answered if not kept[sent.run_id].issuperset(sent.points)]
    assert lost == []
    halves = [
        sent for sent in clients.unanswered if len(kept[sent.run_id].intersection(sent.points)) % len(sent.points)
    ]
    assert halves == []
    logged = {(sent.run_id, point) for sent in clients.answered + clients.unanswered for point in sent.points}
    assert {(run_id, point) for run_id, found in kept.items() for point in found} <= logged

    assert len(series(kept[clients.runs[-1]], KEYS[0])) > WRITE_AT  # enough for chunks
    actor = factories.actor(system_owner(tenant.project))
    monkeypatch.setattr(sql_points, "FEW_CHUNKS", 1)
    for run_id, found in kept.items():
        assert latest(server, tenant, run_id) == {key: max(series(found, key)) for key in KEYS}
        for key in KEYS:
            sampled = services.runs.sample_metric(actor, tenant.project, [run_id], key=key, max_points=4)[run_id]
            assert_drawn([(one.step, one.timestamp_ms, float(one.value)) for one in sampled], series(found, key))
            assert_summed_up(run_id, key, series(found, key))


def history_of(server: RunningServer, tenant: Tenant, run_id: str) -> set[Point]:
    """Return the run's points as MLflow's client sees them; each may be there but once."""
    found: list[Point] = []
    for key in KEYS:
        path = f"{tenant.mlflow}/api/2.0/mlflow/metrics/get-history?run_id={run_id}&metric_key={key}"
        metrics = server.get(path, token=tenant.token).json()["metrics"]
        found += [(one["key"], one["step"], one["timestamp"], one["value"]) for one in metrics]
    assert len(found) == len(set(found))
    return set(found)


def series(points: set[Point], key: str) -> list[tuple[int, int, float]]:
    """Return step, timestamp and value of one metric's points in the order of a history."""
    return sorted(point[1:] for point in points if point[0] == key)


def latest(server: RunningServer, tenant: Tenant, run_id: str) -> dict[str, tuple[int, int, float]]:
    """Return the metrics that the run itself shows."""
    run = server.get(f"{tenant.mlflow}/api/2.0/mlflow/runs/get?run_id={run_id}", token=tenant.token).json()["run"]
    return {one["key"]: (one["step"], one["timestamp"], one["value"]) for one in run["data"]["metrics"]}


def assert_drawn(sample: list[tuple[int, int, float]], points: list[tuple[int, int, float]]) -> None:
    """A picture has points of the history, its ends, its least and its greatest."""
    assert set(sample) <= set(points)
    assert (sample[0], sample[-1]) == (points[0], points[-1])
    values = [value for _, _, value in points]
    assert {min(values), max(values)} <= {value for _, _, value in sample}


def assert_summed_up(run_id: str, key: str, points: list[tuple[int, int, float]]) -> None:
    """The summary counts each point, and each chunk is that of its place in the history."""
    series_id, counted, chunked = execute(
        "SELECT s.id, s.count, s.chunked_count FROM metric_series s JOIN run r ON r.id = s.run_id"
        " WHERE r.public_id = ? AND s.key = ?",
        (run_id, key),
    ).fetchone()
    assert counted == len(points)
    chunks = execute(
        "SELECT number, first_step, first_timestamp_ms, first_value, last_step, last_timestamp_ms, last_value,"
        " min_value, max_value FROM metric_chunk WHERE series_id = ? ORDER BY number",
        (series_id,),
    ).fetchall()
    parts = [points[start : start + CHUNK] for start in range(0, chunked, CHUNK)]
    values = [[value for _, _, value in part] for part in parts]
    assert [tuple(chunk) for chunk in chunks] == [
        (number, *part[0], *part[-1], min(values[number]), max(values[number])) for number, part in enumerate(parts)
    ]
