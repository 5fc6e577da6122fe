"""What depends on where a request comes from: other origins' pages, and proxies in front."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from modelyard.core import bootstrap, db
from modelyard.core.identity.models import Session
from modelyard.web.app import create_app
from tests.factories import PASSWORD, Factories
from tests.web.conftest import Place
from tests.web.test_problems import place_limit, problem

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])
PAGE = "/api/v1/openapi.json"
PROOF = {"X-Requested-With": "test"}
OURS = "https://app.example"


@pytest.fixture
def serve(override: Any) -> Iterator[Any]:
    """Make a client of the application with these settings of its section `server`."""

    def make(**server: Any) -> FlaskClient:
        services = bootstrap.build(override(server=server), process="web")
        Factories(services).user("ada")
        return create_app(services).test_client()

    yield make
    db.close_database()


def cross_origin(answer: TestResponse) -> set[str]:
    return {name.lower() for name, _ in answer.headers if name.lower().startswith("access-control")}


def preflight(client: FlaskClient, origin: str, path: str = "/api/v1/session") -> TestResponse:
    return client.options(path, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})


def test_no_other_origin_reads_answers_unless_it_is_named(serve: Any) -> None:
    client = serve()
    assert cross_origin(client.get(PAGE, headers={"Origin": OURS})) == set()
    assert cross_origin(preflight(client, OURS)) == set()


def test_a_named_origin_reads_answers_by_token_and_never_by_cookie(serve: Any) -> None:
    client = serve(cors_origins=(OURS, "http://localhost:5173"))
    for origin in (OURS, "http://localhost:5173"):
        asked = preflight(client, origin)
        assert asked.status_code == 204
        assert asked.headers["Access-Control-Allow-Origin"] == origin
        allowed = asked.headers["Access-Control-Allow-Headers"].lower().split(", ")
        assert {"authorization", "content-type", "idempotency-key", "if-match"} <= set(allowed)
        assert not {"x-requested-with", "cookie", "*"} & set(allowed)
        assert "PATCH" in asked.headers["Access-Control-Allow-Methods"]
        for path in (PAGE, "/api/v1/tokens", "/api/v1/nothing", "/serve/a/b/c/d", "/mlflow/a/b/version"):
            answer = client.get(path, headers={"Origin": origin})
            assert answer.headers["Access-Control-Allow-Origin"] == origin
            assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
            assert "Access-Control-Allow-Credentials" not in answer.headers
            assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://app.example.evil", "http://app.example", f"{OURS}:8443", ""]
)
def test_every_other_origin_is_told_nothing(serve: Any, origin: str) -> None:
    client = serve(cors_origins=(OURS,))
    assert cross_origin(preflight(client, origin)) == set()
    answer = client.get(PAGE, headers={"Origin": origin})
    assert (answer.status_code, cross_origin(answer)) == (200, set())
    assert "Origin" in answer.headers["Vary"]


def test_pages_health_and_metrics_are_for_no_other_origin(serve: Any) -> None:
    client = serve(cors_origins=(OURS,))
    for path in ("/", "/health/live", "/metrics"):
        assert cross_origin(client.get(path, headers={"Origin": OURS})) == set()


def test_tls_is_asked_for_where_users_come_by_tls(serve: Any) -> None:
    answer = serve(public_url="https://models.example").get(PAGE)
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def seen_address(client: FlaskClient, came_from: str, **headers: str) -> str:
    """Sign in and return the address that the session was opened from."""
    overrides = {"REMOTE_ADDR": came_from}
    body = {"username": "ada", "password": PASSWORD}
    answer = client.post("/api/v1/session", json=body, headers={**PROOF, **headers}, environ_overrides=overrides)
    assert answer.status_code == 201
    return str(Session.select().order_by(Session.id.desc()).get().address)


def test_a_proxy_is_believed_only_if_it_is_trusted(serve: Any) -> None:
    client = serve(trusted_proxies=("10.0.0.0/8", "::1/128"))
    chain = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7, 10.0.0.9"}
    assert seen_address(client, "10.0.0.1", **chain) == "198.51.100.7"
    assert seen_address(client, "192.0.2.1", **chain) == "192.0.2.1"
    assert seen_address(client, "::1", **{"X-Forwarded-For": "2001:db8::5"}) == "2001:db8::5"
    assert seen_address(client, "10.0.0.1") == "10.0.0.1"
    assert seen_address(client, "10.0.0.1", **{"X-Forwarded-For": "rubbish"}) == "10.0.0.1"
    assert seen_address(client, "10.0.0.1", **{"X-Forwarded-For": "1.2.3.4, rubbish, 10.0.0.2"}) == "10.0.0.2"


def test_nobody_is_believed_without_that_setting(serve: Any) -> None:
    assert seen_address(serve(), "127.0.0.1", **{"X-Forwarded-For": "203.0.113.9"}) == "127.0.0.1"


def test_a_trusted_proxy_makes_nobody_local(serve: Any) -> None:
    client = serve(trusted_proxies=("127.0.0.1/32",))
    away = {"X-Forwarded-For": "203.0.113.9"}
    problem(client.get("/metrics", headers=away), 404, "not_found")
    problem(client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}), 404, "not_found")
    assert client.get("/metrics").status_code == 200


def test_a_body_that_is_too_large_for_the_wire_is_refused_too(place: Place) -> None:
    organization = place.project.organization.slug
    path = f"/mlflow/{organization}/{place.project.slug}/api/2.0/mlflow/runs/log-batch"
    length = place_limit(place) + 1
    whole = place.client.post(path, data=b" " * length, content_type="application/json", headers=place.headers)
    chunked = place.client.post(
        path, content_type="application/json", headers={**place.headers, "Transfer-Encoding": "chunked"},
        environ_overrides={
            "wsgi.input": io.BytesIO(b" " * length), "wsgi.input_terminated": True, "CONTENT_LENGTH": "",
        },
    )  # fmt: skip
    for answer in (whole, chunked):
        assert (answer.status_code, answer.get_json()["error_code"]) == (413, "INVALID_PARAMETER_VALUE")
        assert "server.max_body_bytes" in answer.get_json()["message"]
