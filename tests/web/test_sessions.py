"""The browser's door: cookies, proof against foreign pages, headers on every answer."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from modelyard.config.settings import ServerSettings, Settings
from modelyard.core import bootstrap, db
from modelyard.core.db import database
from modelyard.core.identity import credentials, throttle
from modelyard.core.identity.models import Session
from modelyard.web.app import create_app
from modelyard.web.security_headers import HEADERS
from tests.factories import PASSWORD, Factories
from tests.web.conftest import Place
from tests.web.test_problems import problem

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])
PROOF = {"X-Requested-With": "test"}
SIGN_IN = "/api/v1/session"


def sign_in(client: FlaskClient, username: str, password: str = PASSWORD) -> TestResponse:
    return client.post(SIGN_IN, json={"username": username, "password": password})


def cookie_of(answer: TestResponse) -> dict[str, str]:
    name, _, rest = answer.headers["Set-Cookie"].partition("=")
    value, *flags = rest.split("; ")
    return {"name": name, "value": value, **{flag.split("=")[0].lower(): flag.partition("=")[2] for flag in flags}}


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(place: Place) -> None:
    answer = sign_in(place.client, place.user.username)
    assert answer.status_code == 201
    cookie = cookie_of(answer)
    assert {"httponly", "path", "samesite", "max-age", "expires"} <= set(cookie)
    assert (cookie["path"], cookie["samesite"], "secure" in cookie, "domain" in cookie) == ("/", "Lax", False, False)
    assert int(cookie["max-age"]) == 14 * 24 * 3600
    assert cookie["value"] not in answer.get_data(as_text=True)
    assert cookie["value"] not in str(database.execute_sql('SELECT * FROM "session"').fetchall())
    assert answer.get_json()["user"]["username"] == place.user.username


def test_behind_https_the_cookie_goes_nowhere_else(settings: Settings, factories: Factories) -> None:
    server = dataclasses.replace(ServerSettings(), public_url="https://models.example.org/")
    client = create_app(bootstrap.build(dataclasses.replace(settings, server=server), process="web")).test_client()
    factories.user("ada")
    assert "secure" in cookie_of(sign_in(client, "ada"))


def test_a_session_that_is_used_keeps_its_cookie(place: Place) -> None:
    first = cookie_of(sign_in(place.client, place.user.username))
    answer = place.client.get(SIGN_IN)
    assert (answer.status_code, answer.get_json()["kind"]) == (200, "user")
    assert cookie_of(answer)["value"] == first["value"]
    assert "Set-Cookie" not in place.client.get(SIGN_IN, headers=place.headers).headers


def test_wrong_sign_ins_read_the_same(factories: Factories, client: FlaskClient) -> None:
    factories.user("ada")
    told = set()
    for username, password in (("ada", "wrong password"), ("nobody", PASSWORD)):
        answer = sign_in(client, username, password)
        body = problem(answer, 401, "authentication_required")
        told.add((body["detail"], body.get("hint"), "Set-Cookie" in answer.headers))
    assert len(told) == 1
    assert Session.select().count() == 0


def test_guessing_is_slowed_down_in_every_process(
    factories: Factories, client: FlaskClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "password_matches", lambda given, stored: False)
    frozen = db.now_ms()
    monkeypatch.setattr(throttle, "now_ms", lambda: frozen)
    factories.user("ada")
    told = set()
    for username in ("ada", "nobody"):
        for _ in range(5):
            problem(sign_in(client, username, "wrong password"), 401, "authentication_required")
        other_process = create_app(bootstrap.build(settings, process="web")).test_client()
        for browser in (client, other_process):
            answer = sign_in(browser, username)
            body = problem(answer, 429, "too_many_requests")
            told.add((body["detail"], body["hint"], answer.headers["Retry-After"]))
    assert told == {("There were too many failed sign-ins.", "Try again in 1 s.", "1")}


def test_a_change_by_cookie_needs_proof(place: Place) -> None:
    client, models = place.client, f"{place.address}/models"
    wire = f"/mlflow/{place.project.organization.slug}/churn/api/2.0/mlflow"
    sign_in(client, place.user.username)
    assert client.get(models).status_code == 200
    changes: list[tuple[str, str, Any]] = [
        ("POST", models, {"name": "risk"}), ("PATCH", place.address, {"name": "New"}), ("DELETE", SIGN_IN, None),
        ("DELETE", f"{models}/risk", None), ("PUT", f"{place.address}/members/x", {"role": "viewer"}),
        ("POST", f"{wire}/registered-models/create", {"name": "m"}),
    ]  # fmt: skip
    for method, address, body in changes:
        answer = client.open(address, method=method, json=body)
        assert answer.status_code == 403, (method, address)
        assert "X-Requested-With" in answer.get_data(as_text=True)
    assert client.get(models).get_json()["items"] == []
    assert client.post(models, json={"name": "risk"}, headers=PROOF).status_code == 201
    assert client.post(models, json={"name": "more"}, headers=place.headers).status_code == 201


def test_signing_out_ends_it(place: Place) -> None:
    secret = cookie_of(sign_in(place.client, place.user.username))["value"]
    answer = place.client.delete(SIGN_IN, headers=PROOF)
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert cookie_of(answer)["max-age"] == "0"
    place.client.set_cookie("modelyard_session", secret)
    problem(place.client.get(SIGN_IN), 401, "authentication_required")
    assert place.client.delete(SIGN_IN, headers=PROOF).status_code == 204


def test_a_bad_cookie_is_nobody_and_a_bad_token_is_refused(place: Place) -> None:
    for value in ("x", "", "ü" * 50, "a" * 3000):
        place.client.set_cookie("modelyard_session", value)
        problem(place.client.get(place.address), 401, "authentication_required")
    sign_in(place.client, place.user.username)
    problem(place.client.get(place.address, headers={"Authorization": "Bearer wrong"}), 401, "authentication_required")


def test_basic_takes_the_token_as_its_password(place: Place) -> None:
    token = place.headers["Authorization"].removeprefix("Bearer ")
    answer = place.client.get(SIGN_IN, auth=("whoever", token))
    assert (answer.get_json()["kind"], answer.get_json()["user"]["username"]) == ("token", place.user.username)
    problem(place.client.get(SIGN_IN, auth=(place.user.username, PASSWORD)), 401, "authentication_required")
    for broken in ("Basic", "Basic !!!", "Basic /w==", "Bearer", "Bearer  ", ""):
        problem(place.client.get(SIGN_IN, headers={"Authorization": broken}), 401, "authentication_required")


ANSWERS = [
    ("GET", "/api/v1/session", 401), ("GET", "/api/v1/openapi.json", 200), ("GET", "/health/live", 200),
    ("GET", "/metrics", 200), ("GET", "/api/v1/nothing", 404), ("PUT", "/api/v1/session", 405),
    ("POST", "/api/v1/session", 422), ("GET", "/mlflow/a/b/api/2.0/mlflow/runs/get", 401),
    ("GET", "/serve/a/b/c/d", 401), ("GET", "/assets/none.js", 404),
]  # fmt: skip


def test_every_answer_has_its_id_and_is_safe_to_show(client: FlaskClient) -> None:
    seen = set()
    for method, address, status in ANSWERS:
        answer = client.open(address, method=method, json={} if method == "POST" else None)
        assert answer.status_code == status, address
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "microphone=()" in answer.headers["Permissions-Policy"]
        assert "Strict-Transport-Security" not in answer.headers
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "object-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "unsafe-eval" not in answer.headers["Content-Security-Policy"]
        assert "script-src" not in answer.headers["Content-Security-Policy"]  # so default-src 'self' rules
        assert not any(name.lower().startswith("access-control") for name in answer.headers.keys())  # noqa: SIM118
        seen.add(answer.headers["X-Request-ID"])
    assert len(seen) == len(ANSWERS)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("abc-1.2_Z", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("a b", False),
        ("", False),
        ("ü", False),
        ("a;b", False),
    ],
)
def test_a_request_id_is_kept_if_it_is_a_plain_one(place: Place, given: str, kept: bool) -> None:
    answer = place.call("POST", "/models", {"name": "risk"}, headers={"X-Request-ID": given})
    assert (answer.headers["X-Request-ID"] == given) == kept
    (event,) = [row for row in place.call("GET", "/events").get_json()["items"] if row["action"] == "model.created"]
    assert event["request_id"] == answer.headers["X-Request-ID"]


def test_without_an_issuer_only_passwords_sign_in(client: FlaskClient) -> None:
    assert client.get("/api/v1/sign-in-options").get_json() == {"password": True, "oidc": None}
    for path in ("/auth/oidc/start", "/auth/oidc/callback", "/auth/other"):
        problem(client.get(path), 404, "not_found")
