"""What may stand at a tracking URI besides a server that is well, and what is sent there."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from modelyard.core import outgoing
from modelyard.core.errors import (
    InvalidInput,
    ModelyardError,
    NotFound,
    PluginContractError,
    PluginError,
    PluginRefused,
    PluginUnavailable,
    TooLarge,
)
from modelyard.core.testing.provider import assert_no_secret
from modelyard.core.tracking.entities import Query
from modelyard.plugins.mlflow import histories, server
from tests.plugins.mlflow.conftest import tracker_of


class Scripted(ThreadingHTTPServer):
    """Answers everything with `answers`, the last one for ever, and keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, Any]] = [(200, {})]
        self.headers: dict[str, str] = {}
        self.seen: list[tuple[str, str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Scripted

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((f"{self.command} {self.path}", self.headers.get("Authorization", ""), body))
        status, said = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        content = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    server = Scripted()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def said(code: str, text: str = "what it says") -> dict[str, str]:
    return {"error_code": code, "message": text}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, said("RESOURCE_DOES_NOT_EXIST"), NotFound),
        (400, said("INVALID_PARAMETER_VALUE"), InvalidInput),
        (401, b"Unauthorized", PluginRefused),
        (403, said("PERMISSION_DENIED"), PluginRefused),
        (404, b"<html>", PluginRefused),
        (302, b"", PluginRefused),
        (500, said("INTERNAL_ERROR"), PluginError),
        (400, said("FEATURE_DISABLED"), PluginError),
        (429, b"", PluginUnavailable),
        (503, said("TEMPORARILY_UNAVAILABLE"), PluginUnavailable),
        (200, b"<html>", PluginContractError),
        (200, {"run": {"info": {"run_id": "a"}}}, PluginContractError),
    ],
)
def test_answers_become_errors_of_ours(scripted: Scripted, status: int, body: Any, error: type[ModelyardError]) -> None:
    scripted.answers, scripted.headers = [(status, body)], {"Retry-After": "7"}
    tracker = tracker_of(scripted.url, token="open-sesame")
    with pytest.raises(ModelyardError) as caught:
        tracker.get_run(1, "0" * 32)
    assert type(caught.value) is error
    assert_no_secret(tracker, str(caught.value))
    if isinstance(caught.value, PluginUnavailable):
        assert caught.value.retry_after_seconds == 7
    assert len(scripted.seen) == 1


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({}, ""),
        ({"token": "abc"}, "Bearer abc"),
        ({"username": "ada", "password": "pässword"}, "Basic YWRhOnDDpHNzd29yZA=="),
    ],
)
def test_credentials_are_those_of_the_connection_alone(
    scripted: Scripted, settings: dict[str, str], header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "the server's own")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    tracker = tracker_of(f"{scripted.url}/behind/a/path/", **settings)
    assert tracker.health().ok
    assert [(asked, shown) for asked, shown, _ in scripted.seen] == [
        ("POST /behind/a/path/api/2.0/mlflow/experiments/search", header)
    ]


def test_an_unwell_server_says_why(scripted: Scripted) -> None:
    scripted.answers = [(401, b"")]
    health = tracker_of(scripted.url).health()
    assert (health.ok, "credentials" in health.message) == (False, True)


def test_private_addresses_need_the_setting(scripted: Scripted) -> None:
    outgoing.set_policy(outgoing.OutgoingPolicy())
    assert not tracker_of(scripted.url).health().ok
    with pytest.raises(outgoing.AddressRefused, match="inside of this network"):
        tracker_of(scripted.url).get_run(1, "0" * 32)
    assert scripted.seen == []


def test_a_dead_server_is_unavailable(scripted: Scripted) -> None:
    scripted.server_close()
    for ask in (
        lambda tracker: tracker.get_run(1, "0" * 32),
        lambda tracker: list(tracker.artifacts.read("p/a")),
        lambda tracker: tracker.artifacts.write("p/a", [b"x"]),
    ):
        with pytest.raises(PluginUnavailable, match="does not answer"):
            ask(tracker_of(scripted.url))


def test_an_answer_may_not_be_larger_than_the_limit(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_ANSWER_BYTES", 10)
    scripted.answers = [(200, {"runs": "x" * 20})]
    with pytest.raises(TooLarge, match="10 bytes"):
        tracker_of(scripted.url).get_run(1, "0" * 32)


def test_a_history_may_not_be_longer_than_the_limit(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "MAX_POINTS", 1)
    points = [{"key": "m", "value": 1, "timestamp": "5"}, {"key": "m", "value": "NaN", "timestamp": 6, "step": "1"}]
    page = {"metrics": points, "next_page_token": "more"}
    scripted.answers = [(200, page), (200, {"metrics": points})]
    with pytest.raises(TooLarge, match="more than 1 points"):
        tracker_of(scripted.url).metric_history(1, "0" * 32, "m")


def test_a_list_that_never_ends_is_left(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_PAGES", 3)
    scripted.answers = [(200, {"runs": [], "next_page_token": "again"})]
    with pytest.raises(PluginContractError, match="no end"):
        tracker_of(scripted.url).count_runs(1, Query(experiment_ids=["0"]))
    assert len(scripted.seen) == 3


def test_experiments_that_are_not_known_are_looked_up_once(scripted: Scripted) -> None:
    scripted.answers = [(200, {"experiment": {"experiment_id": "7", "name": "a/Default", "lifecycle_stage": "active"}})]
    tracker = tracker_of(scripted.url, "a/")
    assert tracker.search_runs(1, Query(experiment_ids=[str(number) for number in range(1000)])).items == []
    assert [asked.rpartition("/")[2].partition("?")[0] for asked, _, _ in scripted.seen] == [
        "get-by-name", "search", "search"
    ]  # fmt: skip


def test_a_server_without_ranges_sends_all(scripted: Scripted) -> None:
    scripted.answers = [(200, b"0123456789")]
    artifacts = tracker_of(scripted.url).artifacts
    assert b"".join(artifacts.read("p/a", offset=3, length=4)) == b"3456"
    assert b"".join(artifacts.read("p/a", offset=8)) == b"89"


@pytest.mark.parametrize(
    "settings",
    [
        {"tracking_uri": "file:///tmp"},
        {"tracking_uri": "http://user:password@host"},
        {"tracking_uri": "http://host?x=1"},
        {"experiment_prefix": "team-a"},
        {"experiment_prefix": "%/"},
        {"token": "a b"},
        {"token": "a", "username": "b"},
        {"username": "a:b"},
    ],
)
def test_settings_that_are_refused(settings: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        tracker_of(**{"url": settings.pop("tracking_uri", "http://host"), **settings})
