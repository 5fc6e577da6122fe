"""The stable address: what reaches a replica, what comes back, and what happens when replicas misbehave."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import WSGIRequestHandler, make_server

from modelyard.core import db
from modelyard.core.bootstrap import Services
from modelyard.core.deployments.models import Deployment, Replica
from modelyard.web import prediction
from tests.factories import PASSWORD, Factories
from tests.functional.running_server import eventually, free_port
from tests.web.fake_replica import MIB, FakeReplica


@pytest.fixture
def replica() -> Iterator[FakeReplica]:
    yield from _running()


@pytest.fixture
def other() -> Iterator[FakeReplica]:
    yield from _running()


def _running() -> Iterator[FakeReplica]:
    server = FakeReplica()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()
    prediction.pool.clear()


class Place:
    """A deployment whose replicas are rows only, and its owner."""

    def __init__(self, services: Services, factories: Factories) -> None:
        user = factories.user("ada")
        owner = factories.actor(user)
        project = factories.project("churn", owner=user, local=True)
        services.models.create(owner, project, name="risk")
        services.model_versions.create(owner, project, "risk", source="mlflow-artifacts:/0/model")
        self.deployment: Deployment = services.deployments.create(
            owner, project, name="live", model="risk", version="1", target="local_process"
        )
        self.path = f"/serve/{project.organization.slug}/churn/live"
        self.headers = factories.headers(user, scopes=("read",))
        self.user = user

    def put(self, *addresses: str, state: str = "ready") -> None:
        """Say where the replicas are."""
        Replica.delete().execute()
        for index, address in enumerate(addresses):
            Replica.create(deployment=self.deployment, revision=1, replica_index=index, state=state, address=address)


@pytest.fixture
def place(services: Services, factories: Factories) -> Place:
    return Place(services, factories)


def test_no_browser_runs_what_a_model_answers(client: FlaskClient, place: Place, replica: FakeReplica) -> None:
    place.put(replica.address)
    answer = client.get(f"{place.path}/page", headers=place.headers)
    assert answer.content_type == "application/octet-stream"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Disposition"] == "attachment"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_request_reaches_the_replica_and_its_answer_comes_back(
    client: FlaskClient, place: Place, replica: FakeReplica
) -> None:
    place.put(replica.address)
    answer = client.post(
        f"{place.path}/v2/models/risk/infer?a=1&b=%20%2F",
        data=b'{"inputs": []}',
        headers={
            **place.headers,
            "Content-Type": "application/json; charset=utf-8",
            "Accept": "application/json",
            "Cookie": "theirs=2",
            "X-Forwarded-For": "10.0.0.1",
            "X-Request-ID": "given-by-the-caller",
        },
    )
    assert answer.status_code == 200
    assert answer.json == {"replica": replica.server_port}
    assert answer.content_type == "application/vnd.odd+json"
    assert "Set-Cookie" not in answer.headers
    method, path, headers, length = replica.seen[0]
    assert (method, path, length) == ("POST", "/v2/models/risk/infer?a=1&b=%20%2F", 14)
    assert replica.bodies == [b'{"inputs": []}']
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["X-Request-ID"] == "given-by-the-caller"
    assert headers["Authorization"].startswith("Bearer ")
    assert headers["Authorization"] != place.headers["Authorization"]
    assert "Cookie" not in headers
    assert "X-Forwarded-For" not in headers


def test_the_replicas_own_token_is_shown(
    client: FlaskClient, place: Place, replica: FakeReplica, services: Services, factories: Factories
) -> None:
    place.put(replica.address)
    client.get(f"{place.path}/ping", headers=place.headers)
    _, token = services.deployments.replica_for(factories.actor(place.user), place.deployment.project, "live")
    assert replica.seen[0][2]["Authorization"] == f"Bearer {token}"


def test_a_browsers_session_is_kept_here(client: FlaskClient, place: Place, replica: FakeReplica) -> None:
    place.put(replica.address)
    client.post("/api/v1/session", json={"username": "ada", "password": PASSWORD}, headers={"X-Requested-With": "t"})
    assert client.get(f"{place.path}/ping").status_code == 200
    assert "Cookie" not in replica.seen[0][2]
    assert client.post(f"{place.path}/invocations", data=b"{}").status_code == 403


@pytest.mark.parametrize("status", [400, 404, 413, 415, 500, 503])
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_replicas_errors_are_passed_back(
    client: FlaskClient, place: Place, replica: FakeReplica, status: int
) -> None:
    place.put(replica.address)
    answer = client.post(f"{place.path}/{status}", data=b"{}", headers=place.headers)
    assert (answer.status_code, answer.json) == (status, {"replica": replica.server_port})
    assert answer.headers.get("Retry-After") == ("7" if status == 503 else None)


def test_a_dead_replica_is_skipped(client: FlaskClient, place: Place, replica: FakeReplica) -> None:
    place.put(f"http://127.0.0.1:{free_port()}", replica.address)
    for _ in range(4):
        assert client.post(f"{place.path}/invocations", data=b"{}", headers=place.headers).status_code == 200
    assert replica.bodies == [b"{}"] * 4


def test_living_replicas_take_turns(
    client: FlaskClient, place: Place, replica: FakeReplica, other: FakeReplica
) -> None:
    place.put(replica.address, other.address)
    for _ in range(4):
        client.get(f"{place.path}/ping", headers=place.headers)
    assert (len(replica.seen), len(other.seen)) == (2, 2)


@pytest.mark.parametrize("state", ["starting", "failed", "unhealthy", "absent"])
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_only_what_is_ready_is_asked(client: FlaskClient, place: Place, replica: FakeReplica, state: str) -> None:
    place.put(replica.address, state=state)
    answer = client.get(f"{place.path}/ping", headers=place.headers)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.content_type == "application/problem+json"
    assert replica.seen == []


def test_none_that_can_be_reached_is_503(client: FlaskClient, place: Place) -> None:
    place.put(f"http://127.0.0.1:{free_port()}")
    answer = client.get(f"{place.path}/ping", headers=place.headers)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


def test_strangers_find_nothing(client: FlaskClient, place: Place, replica: FakeReplica, factories: Factories) -> None:
    place.put(replica.address)
    stranger = factories.headers(factories.user())
    assert client.get(f"{place.path}/ping", headers=stranger).status_code == 404
    assert client.get(f"{place.path}/ping").status_code == 401
    assert client.get(f"{place.path}-not/ping", headers=place.headers).status_code == 404
    viewer = factories.headers(factories.member(place.deployment.project, "viewer"))
    assert client.get(f"{place.path}/ping", headers=viewer).status_code == 200
    assert len(replica.seen) == 1


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE"])
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_other_methods_are_refused(client: FlaskClient, place: Place, replica: FakeReplica, method: str) -> None:
    place.put(replica.address)
    answer = client.open(f"{place.path}/invocations", method=method, headers=place.headers)
    assert answer.status_code == 405
    assert replica.seen == []


TRICKS = [
    ("/../../admin", None),
    ("/..%2f..%2fadmin", None),
    ("/a/%2e%2e/b", None),
    ("/./b", None),
    ("//evil.example/x", None),
    ("/a//b", "/a//b"),
    ("/%3Fq=1", "/%3Fq=1"),
    ("/a%23b", "/a%23b"),
    ("/a%2Fb", "/a/b"),
    ("/@evil.example/", "/@evil.example/"),
    ("/a%20b%25c", "/a%20b%25c"),
    ("/%C3%A9", "/%C3%A9"),
    ("/a%0d%0aX-Evil:1", None),
]


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_no_path_leads_elsewhere(client: FlaskClient, place: Place, replica: FakeReplica) -> None:
    place.put(replica.address)
    for path, arrives in TRICKS:
        replica.seen.clear()
        answer = client.get(place.path + path, headers=place.headers)
        if arrives is None:
            assert answer.status_code in {308, 404}, path
            assert replica.seen == [], path
            assert answer.headers.get("Location", "http://localhost/").startswith("http://localhost/"), path
        else:
            assert answer.status_code == 200, path
            assert replica.seen[0][1] == arrives


def test_what_is_compressed_stays_so(client: FlaskClient, place: Place, replica: FakeReplica) -> None:
    place.put(replica.address)
    answer = client.post(
        f"{place.path}/gzip",
        data=gzip.compress(b"{}"),
        headers={**place.headers, "Content-Encoding": "gzip", "Accept-Encoding": "gzip"},
    )
    assert answer.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer.data)) == {"replica": replica.server_port}
    assert (replica.seen[0][2]["Content-Encoding"], replica.seen[0][2]["Accept-Encoding"]) == ("gzip", "gzip")


def test_a_get_with_a_length_does_not_make_the_replica_wait(
    client: FlaskClient, place: Place, replica: FakeReplica
) -> None:
    place.put(replica.address)
    answer = client.get(f"{place.path}/ping", data=b"a body", headers=place.headers)
    assert answer.status_code == 200
    assert "Content-Length" not in replica.seen[0][2]


def test_a_replica_that_breaks_off_is_502(client: FlaskClient, place: Place, replica: FakeReplica) -> None:
    place.put(replica.address)
    answer = client.post(f"{place.path}/break", data=b"{}", headers=place.headers)
    assert (answer.status_code, answer.content_type) == (502, "application/problem+json")
    assert len(replica.bodies) == 1


def test_a_replica_that_is_too_slow_is_504(client: FlaskClient, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction, "READ_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        place.put(f"http://127.0.0.1:{mute.getsockname()[1]}")
        answer = client.get(f"{place.path}/ping", headers=place.headers)
    assert answer.status_code == 504


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the base class's name for it
        """Say nothing."""


@pytest.fixture
def live(app: Flask) -> Iterator[int]:
    """The port of a real server of the application."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_large_body_is_streamed_without_memory_or_connection(live: int, place: Place, replica: FakeReplica) -> None:
    place.put(replica.address)
    connection = http.client.HTTPConnection("127.0.0.1", live, timeout=30)
    connection.putrequest("POST", f"{place.path}/large")
    connection.putheader("Authorization", place.headers["Authorization"])
    connection.putheader("Content-Length", str(20 * MIB))
    connection.endheaders()
    piece = b"x" * MIB
    connection.send(piece)
    eventually(lambda: replica.received > 0, "the first bytes at the replica")
    if db.is_postgresql():
        assert len(db.database.obj._in_use) <= 1  # this thread's own
    memory = psutil.Process()
    before = memory.memory_info().rss
    for _ in range(19):
        connection.send(piece)
    answer = connection.getresponse()
    length = 0
    while part := answer.read(MIB):
        length += len(part)
    assert (answer.status, length, replica.received) == (200, 20 * MIB, 20 * MIB)
    # The fake replica makes one answer of 20 MiB in this same process.
    assert memory.memory_info().rss - before < 20 * MIB + 15 * MIB
    connection.close()


def test_pieces_come_as_they_are_made(live: int, place: Place, replica: FakeReplica) -> None:
    place.put(replica.address)
    connection = http.client.HTTPConnection("127.0.0.1", live, timeout=10)
    connection.request("GET", f"{place.path}/pieces", headers=place.headers)
    answer = connection.getresponse()
    assert answer.read1(100) == b"first"
    replica.go_on.set()
    assert answer.read() == b"second"
    connection.close()


def test_half_an_answer_is_known_as_such(live: int, place: Place, replica: FakeReplica) -> None:
    place.put(replica.address)
    connection = http.client.HTTPConnection("127.0.0.1", live, timeout=10)
    connection.request("GET", f"{place.path}/half", headers=place.headers)
    answer = connection.getresponse()
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    connection.close()


def test_an_answer_that_nobody_read_does_not_reach_the_next_caller(
    app: Flask, place: Place, replica: FakeReplica
) -> None:
    place.put(replica.address)
    for _ in range(3):
        left = app.test_client().get(f"{place.path}/large", headers=place.headers, buffered=False)
        assert next(iter(left.response))
        left.close()
        answer = app.test_client().get(f"{place.path}/ping", headers=place.headers)
        assert (answer.status_code, answer.json) == (200, {"replica": replica.server_port})


def test_an_upload_that_breaks_off_does_not_reach_the_next_caller(
    live: int, client: FlaskClient, place: Place, replica: FakeReplica
) -> None:
    place.put(replica.address)
    with socket.create_connection(("127.0.0.1", live), timeout=10) as raw:
        token = place.headers["Authorization"]
        raw.sendall(
            f"POST {place.path}/invocations HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
            "Content-Length: 1000\r\n\r\nonly this".encode()
        )
    answer = client.post(f"{place.path}/invocations", data=b"whole", headers=place.headers)
    assert answer.status_code == 200
    assert b"whole" in replica.bodies
