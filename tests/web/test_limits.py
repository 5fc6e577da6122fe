"""Rate limits: who is counted, for what, and how a refusal reads to each kind of client."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from modelyard.config.settings import Settings
from modelyard.core import bootstrap, db
from modelyard.web.app import create_app
from modelyard.web.rate_counters import ProcessCounters
from tests.factories import PASSWORD, Factories
from tests.functional.running_server import eventually, free_port
from tests.parts import command
from tests.web.test_problems import problem

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])
LOOSE = dict.fromkeys(("address", "reads", "writes", "tracking", "predictions", "sign_in"), "1000000/day")
SESSION = "/api/v1/session"
PAGE = "/api/v1/tokens"


class Limited:
    """The application with some limits, and its users."""

    def __init__(self, settings: Settings) -> None:
        self.services = bootstrap.build(settings, process="web")
        self.factories = Factories(self.services)
        self.client: FlaskClient = create_app(self.services).test_client()

    def get(self, path: str, headers: dict[str, str] | None = None, address: str = "192.0.2.1") -> TestResponse:
        return self.client.get(path, headers=headers, environ_overrides={"REMOTE_ADDR": address})

    def sign_in(self, address: str = "192.0.2.1", **headers: str) -> TestResponse:
        body = {"username": "nobody", "password": PASSWORD}
        overrides = {"REMOTE_ADDR": address}
        return self.client.post(SESSION, json=body, headers=headers, environ_overrides=overrides)


@pytest.fixture
def limited(override: Any) -> Iterator[Any]:
    """Make the application with loose limits, but for those given."""

    def make(**limits: Any) -> Limited:
        return Limited(override(limits={**LOOSE, **limits}))

    yield make
    db.close_database()


def statuses(answers: list[TestResponse]) -> list[int]:
    return [answer.status_code for answer in answers]


def test_a_token_has_its_own_count_for_reads_and_for_changes(limited: Any) -> None:
    site = limited(reads="3/day", writes="2/day")
    user = site.factories.user()
    first, second = site.factories.headers(user), site.factories.headers(user)
    assert statuses([site.get(PAGE, first) for _ in range(5)]) == [200, 200, 200, 429, 429]
    assert site.get(PAGE, second).status_code == 200
    changes = [site.client.post(PAGE, json={}, headers=first) for _ in range(3)]
    assert statuses(changes) == [422, 422, 429]


def test_the_answers_say_how_much_is_left_and_when_there_is_more(limited: Any) -> None:
    site = limited(reads="2/minute")
    headers = site.factories.headers(site.factories.user())
    told = [site.get(PAGE, headers).headers for _ in range(3)]
    assert [(one["RateLimit-Limit"], one["RateLimit-Remaining"]) for one in told[:2]] == [("2", "1"), ("2", "0")]
    refused = site.get(PAGE, headers)
    body = problem(refused, 429, "too_many_requests")
    assert "limits.reads" in body["detail"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 61
    assert refused.headers["Retry-After"] in body["hint"]
    assert "Retry-After" not in told[0]


def test_an_address_is_refused_before_its_body_is_read_or_its_token_is_looked_up(limited: Any) -> None:
    site = limited(address="2/day")
    headers = site.factories.headers(site.factories.user())
    wrong = {"Authorization": "Bearer nonsense"}
    assert statuses([site.get(PAGE, wrong) for _ in range(3)]) == [401, 401, 429]
    assert site.get(PAGE, headers).status_code == 429
    assert site.get(PAGE, headers, address="192.0.2.2").status_code == 200
    huge = site.client.post(PAGE, data=b"x" * 9_000_000, environ_overrides={"REMOTE_ADDR": "192.0.2.1"})
    assert huge.status_code == 429


def test_an_ipv6_customer_is_one_address(limited: Any) -> None:
    site = limited(address="1/day")
    assert site.get(PAGE, address="2001:db8:0:1::1").status_code == 401
    assert site.get(PAGE, address="2001:db8:0:1:ffff::2").status_code == 429
    assert site.get(PAGE, address="2001:db8:0:2::1").status_code == 401


def test_attempts_to_sign_in_count_by_address_whatever_else_is_shown(limited: Any) -> None:
    site = limited(sign_in="2/day")
    headers = site.factories.headers(site.factories.user())
    assert statuses([site.sign_in(), site.sign_in(**headers), site.sign_in()]) == [401, 401, 429]
    assert site.sign_in(Cookie="modelyard_session=made-up").status_code == 429
    assert site.sign_in(address="192.0.2.9").status_code == 401
    assert site.get(PAGE, headers).status_code == 200


def test_a_session_counts_by_its_user(limited: Any) -> None:
    site = limited(reads="1/day")
    site.factories.user("ada")
    for expected in (200, 429):
        browser = site.client.application.test_client()
        browser.post(SESSION, json={"username": "ada", "password": PASSWORD})
        assert browser.get(PAGE).status_code == expected


def test_an_mlflow_client_is_told_in_its_own_words(limited: Any) -> None:
    site = limited(tracking="1/day")
    project = site.factories.project()
    headers = site.factories.headers(project.organization.members.get().user)
    path = f"/mlflow/{project.organization.slug}/{project.slug}/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert site.get(path, headers).status_code == 200
    refused = site.get(path, headers)
    assert (refused.status_code, refused.get_json()["error_code"]) == (429, "REQUEST_LIMIT_EXCEEDED")
    assert int(refused.headers["Retry-After"]) >= 1
    assert site.get(PAGE, headers).status_code == 200


def test_predictions_have_their_own_count(limited: Any) -> None:
    site = limited(predictions="1/day")
    headers = site.factories.headers(site.factories.user())
    answers = [site.get("/serve/a/b/c/invocations", headers) for _ in range(2)]
    assert statuses(answers) == [404, 429]


def test_probes_metrics_and_pages_are_not_limited(limited: Any) -> None:
    site = limited(address="1/day", reads="1/day")
    for path in ("/health/live", "/health/ready", "/metrics", "/"):
        answers = [site.get(path, address="127.0.0.1") for _ in range(3)]
        assert 429 not in statuses(answers), path


@pytest.mark.parametrize("off", [{"reads": "off"}, {"reads": "1/day", "enabled": False}])
def test_a_limit_or_all_can_be_switched_off(limited: Any, off: dict[str, Any]) -> None:
    site = limited(**off)
    headers = site.factories.headers(site.factories.user())
    answers = [site.get(PAGE, headers) for _ in range(4)]
    assert statuses(answers) == [200] * 4
    assert "RateLimit-Limit" not in answers[0].headers


def test_counters_run_out_and_are_thrown_away(database_kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("modelyard.web.rate_counters.time.time", lambda: now[0])
    counters = ProcessCounters()
    assert [counters.incr("a", 60) for _ in range(3)] == [1, 2, 3]
    now[0] += 59
    assert (counters.get("a"), counters.get_expiry("a")) == (3, 1060)
    now[0] += 2
    assert (counters.get("a"), counters.incr("b", 60)) == (0, 1)
    assert (counters.incr("a", 60), counters.get_expiry("a")) == (1, 1121)
    now[0] += 100
    counters.incr("c", 60)
    assert counters.reset() == 1


@pytest.fixture
def redis_port() -> int:
    return free_port()


@pytest.fixture
def start_redis(redis_port: int, tmp_path: Path) -> Iterator[Any]:
    """Start a throwaway Redis; ended at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> Any:
        import redis

        arguments = ["--port", str(redis_port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        words = [command("redis-server"), *arguments, "--dir", str(tmp_path)]
        started.append(subprocess.Popen(words, stdout=subprocess.DEVNULL))
        client = redis.Redis(port=redis_port)

        def answers() -> bool:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

        eventually(answers, "Redis")
        return client, started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def redis_health(site: Limited) -> str:
    return str(site.get("/health/ready", address="127.0.0.1").get_json()["parts"]["redis"]["status"])


def test_redis_keeps_no_secret_and_lets_counters_run_out(limited: Any, redis_port: int, start_redis: Any) -> None:
    redis, _ = start_redis()
    site = limited(storage_url=f"redis://127.0.0.1:{redis_port}/0", reads="2/minute")
    headers = site.factories.headers(site.factories.user())
    secret = headers["Authorization"].split("_", 2)[2]
    assert statuses([site.get(PAGE, headers) for _ in range(3)]) == [200, 200, 429]
    keys = [key.decode() for key in redis.scan_iter()]
    assert keys
    assert all(key.startswith("modelyard:limits") and secret not in key for key in keys)
    assert all(redis.ttl(key) > 0 for key in keys)
    redis.close()


def test_without_redis_each_process_counts_by_itself(
    limited: Any, redis_port: int, start_redis: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    site = limited(storage_url=f"redis://127.0.0.1:{redis_port}/0", reads="2/day")
    headers = site.factories.headers(site.factories.user())
    assert statuses([site.get(PAGE, headers) for _ in range(3)]) == [200, 200, 429]
    assert [record.message.count("Redis does not answer") for record in caplog.records] == [1]
    assert redis_health(site) == "failing"
    redis, process = start_redis()
    assert redis_health(site) == "ok"
    monkeypatch.setattr("modelyard.web.rate_counters.RETRY_REDIS_SECONDS", 0)
    site.client.application.extensions["modelyard.limits"]._shared_from = 0
    assert statuses([site.get(PAGE, headers) for _ in range(3)]) == [200, 200, 429]
    process.kill()
    process.wait()
    assert site.get(PAGE, headers).status_code == 429
    redis.close()
