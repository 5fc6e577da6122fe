"""Users, passwords, sessions and set-up through the API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from peewee import OperationalError

from modelyard.core import db
from modelyard.core.bootstrap import Services
from modelyard.core.identity import credentials, throttle
from modelyard.core.identity.models import OneTimeLink, Session, SignInCount, User
from modelyard.core.notifications.models import Event
from tests.factories import PASSWORD, Factories
from tests.web.test_problems import problem
from tests.web.test_sessions import PROOF, sign_in

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])
NEW = "another sensible password"
USERS = "/api/v1/users"
SESSIONS = "/api/v1/account/sessions"


@pytest.fixture
def root(factories: Factories) -> dict[str, str]:
    """The headers of an instance administrator."""
    return factories.headers(factories.user("root", is_instance_admin=True))


@pytest.fixture
def ada(factories: Factories) -> User:
    return factories.user("ada")


def path_of(link: dict[str, Any]) -> str:
    """The API's address for a link to a page."""
    return f"/api/v1/password-resets/{link['url'].rpartition('/reset-password/')[2]}"


def test_users_are_made_found_changed_and_deleted(client: FlaskClient, root: dict[str, str]) -> None:
    wish = {"username": "Grace", "password": NEW, "display_name": "Grace Hopper", "email": "grace@example.com"}
    made = client.post(USERS, json=wish, headers=root)
    assert made.status_code == 201
    assert made.get_json() | {"id": "", "created_at": ""} == {
        "id": "", "username": "grace", "display_name": "Grace Hopper", "email": "grace@example.com", "kind": "person",
        "is_instance_admin": False, "disabled": False, "created_at": "", "password_link": None,
    }  # fmt: skip
    assert NEW not in made.get_data(as_text=True)
    for q in ("HOPPER", "grace@", "rac"):
        found = client.get(f"{USERS}?q={q}", headers=root).get_json()["items"]
        assert [item["username"] for item in found] == ["grace"], q
    assert client.get(f"{USERS}?q=%25", headers=root).get_json()["items"] == []
    listed = client.get(f"{USERS}?order_by=created_at desc&limit=1", headers=root).get_json()
    assert ([item["username"] for item in listed["items"]], bool(listed["next_cursor"])) == (["grace"], True)
    admins = client.get(f"{USERS}?is_instance_admin=true&kind=person", headers=root).get_json()["items"]
    assert [item["username"] for item in admins] == ["root"]
    patched = client.patch(f"{USERS}/grace", json={"is_instance_admin": True, "disabled": True}, headers=root)
    assert (patched.get_json()["is_instance_admin"], patched.get_json()["disabled"]) == (True, True)
    assert client.get(f"{USERS}/GRACE", headers=root).get_json() == patched.get_json()
    assert client.delete(f"{USERS}/grace", headers=root).status_code == 204
    problem(client.get(f"{USERS}/grace", headers=root), 404, "not_found")
    last = client.patch(f"{USERS}/root", json={"disabled": True}, headers=root)
    assert "last active" in problem(last, 409, "conflict")["detail"]


def test_a_user_without_a_password_comes_in_by_a_link(client: FlaskClient, root: dict[str, str]) -> None:
    made = client.post(USERS, json={"username": "grace"}, headers=root).get_json()
    assert made["password_link"]["expires_at"] > made["created_at"]
    path = path_of(made["password_link"])
    assert set(problem(client.post(path, json={"password": "short"}), 422, "invalid_input")["errors"]) == {"password"}
    assert client.post(path, json={"password": NEW}).status_code == 204
    assert sign_in(client, "grace", NEW).status_code == 201
    problem(client.post(path, json={"password": PASSWORD}, headers=PROOF), 404, "not_found")
    link = client.post(f"{USERS}/grace/password-reset", headers=root)
    assert (link.status_code, set(link.get_json())) == (201, {"url", "expires_at"})
    problem(client.post(f"{USERS}/nobody/password-reset", headers=root), 404, "not_found")


def test_others_cannot_tell_which_accounts_there_are(
    client: FlaskClient, factories: Factories, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = db.now_ms()
    monkeypatch.setattr(throttle, "now_ms", lambda: frozen)
    monkeypatch.setattr(credentials, "password_matches", lambda given, stored: False)
    disabled = factories.user("gone")
    User.update(disabled_at_ms=1).where(User.id == disabled.id).execute()
    organization = factories.organization("acme")
    User.create(username="ci@acme", password_hash="", kind="service", organization=organization)
    curious = factories.headers(ada)
    told: dict[str, list[Any]] = {}
    for username in ("bo", "nobody", "gone", "ci@acme", "BO"):
        if username == "bo":
            factories.user("bo")
        SignInCount.delete().execute()
        answers = [sign_in(client, username, "wrong password") for _ in range(6)]
        for method in ("GET", "PATCH", "DELETE"):
            body = {"display_name": "x"} if method == "PATCH" else None
            answers.append(client.open(f"{USERS}/{username}", method=method, json=body, headers=curious))
        answers.append(client.post(f"{USERS}/{username}/password-reset", headers=curious))
        answers.append(client.delete(f"{USERS}/{username}/sessions", headers=curious))
        told[username] = [
            (answer.status_code, {**answer.get_json(), "request_id": ""}, sorted(set(answer.headers.keys())))
            for answer in answers
        ]
    assert [status for status, *_ in told["nobody"]] == [401] * 5 + [429] + [403] * 5
    assert all(answers == told["nobody"] for answers in told.values()), json.dumps(told, indent=1)


def test_the_password_is_changed_by_browser(client: FlaskClient, app: Flask, ada: User) -> None:
    other = app.test_client()
    sign_in(other, "ada")
    sign_in(client, "ada")
    path, wish = "/api/v1/account/password", {"current_password": PASSWORD, "password": NEW}
    problem(client.put(path, json=wish), 403, "permission_denied")
    wrong = client.put(path, json={**wish, "current_password": "wrong"}, headers=PROOF)
    assert set(problem(wrong, 422, "invalid_input")["errors"]) == {"current_password"}
    assert client.put(path, json=wish, headers=PROOF).status_code == 204
    assert client.get("/api/v1/session").status_code == 200
    assert other.get("/api/v1/session").status_code == 401
    assert User.get_by_id(ada.id).password_hash != ada.password_hash
    assert sign_in(other, "ada", NEW).status_code == 201


def test_a_password_is_checked_while_no_transaction_waits(
    client: FlaskClient, factories: Factories, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    depths: list[int] = []
    monkeypatch.setattr(
        credentials, "password_matches", lambda given, stored: depths.append(db.database.transaction_depth()) or False
    )
    headers = {**factories.headers(ada), "Idempotency-Key": "a-key"}
    client.put("/api/v1/account/password", json={"current_password": "x", "password": NEW}, headers=headers)
    client.post("/api/v1/session", json={"username": "ada", "password": "x"}, headers=headers)
    assert depths == [0, 0]


def test_guessing_the_current_password_is_slowed_down(
    client: FlaskClient, factories: Factories, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "password_matches", lambda given, stored: False)
    headers = factories.headers(ada)
    for _ in range(5):
        wish = {"current_password": "guess", "password": NEW}
        problem(client.put("/api/v1/account/password", json=wish, headers=headers), 422, "invalid_input")
    refused = client.put("/api/v1/account/password", json=wish, headers=headers)
    problem(refused, 429, "too_many_requests")
    assert int(refused.headers["Retry-After"]) >= 1


def test_sessions_are_listed_and_ended(client: FlaskClient, app: Flask, ada: User) -> None:
    other = app.test_client()
    other.post("/api/v1/session", json={"username": "ada", "password": PASSWORD}, headers={"User-Agent": "Lynx/2.8"})
    sign_in(client, "ada")
    items = client.get(SESSIONS).get_json()["items"]
    assert [(item["is_current"], item["user_agent"]) for item in items][1] == (False, "Lynx/2.8")
    assert [item["is_current"] for item in items] == [True, False]
    assert {item["address"] for item in items} == {"127.0.0.1"}
    fields = {"id", "address", "user_agent", "is_current", "created_at", "last_seen_at", "expires_at"}
    assert all(set(item) == fields for item in items)
    assert Session.get().secret_hash not in client.get(SESSIONS).get_data(as_text=True)
    assert client.delete(f"{SESSIONS}/{items[1]['id']}", headers=PROOF).status_code == 204
    assert other.get("/api/v1/session").status_code == 401
    problem(client.delete(f"{SESSIONS}/{items[1]['id']}", headers=PROOF), 404, "not_found")
    sign_in(other, "ada")
    assert client.delete(SESSIONS, headers=PROOF).status_code == 204
    assert (client.get(SESSIONS).status_code, other.get(SESSIONS).status_code) == (200, 401)
    assert client.delete(f"{SESSIONS}/{items[0]['id']}", headers=PROOF).status_code == 204
    assert client.get(SESSIONS).status_code == 401
    assert ada


def test_an_administrator_signs_somebody_out(client: FlaskClient, app: Flask, root: dict[str, str], ada: User) -> None:
    sign_in(client, "ada")
    assert app.test_client().delete(f"{USERS}/ada/sessions", headers=root).status_code == 204
    assert client.get("/api/v1/session").status_code == 401
    assert ada


def test_an_administrator_sees_and_ends_somebodys_tokens(
    client: FlaskClient, factories: Factories, root: dict[str, str], ada: User
) -> None:
    own = factories.headers(ada)
    kept, ended = (client.post("/api/v1/tokens", json={"name": name}, headers=own).get_json() for name in "ab")
    listed = client.get(f"{USERS}/ada/tokens?q=b", headers=root)
    assert [item["id"] for item in listed.get_json()["items"]] == [ended["id"]]
    assert ended["token"].split("_", 2)[2] not in listed.get_data(as_text=True)
    assert client.delete(f"{USERS}/ada/tokens/{ended['id']}", headers=root).status_code == 204
    problem(client.delete(f"{USERS}/root/tokens/{kept['id']}", headers=root), 404, "not_found")
    for token, status in ((kept, 200), (ended, 401)):
        shown = {"Authorization": f"Bearer {token['token']}"}
        assert client.get("/api/v1/session", headers=shown).status_code == status


def test_set_up_does_not_exist_without_its_link(client: FlaskClient, services: Services, factories: Factories) -> None:
    wish = {"username": "ada", "password": PASSWORD}
    nothing = problem(client.post("/api/v1/setup/guess", json=wish), 404, "not_found")
    assert nothing["detail"] == "There is nothing here."
    token = str(services.setup.create_link()).rpartition("/")[2]
    problem(client.post("/api/v1/setup/guess", json=wish), 404, "not_found")
    for body, field in (({**wish, "password": "short"}, "password"), ({**wish, "username": "-"}, "username")):
        assert set(problem(client.post(f"/api/v1/setup/{token}", json=body), 422, "invalid_input")["errors"]) == {field}
    made = client.post(f"/api/v1/setup/{token}", json=wish)
    assert (made.status_code, made.get_json()["is_instance_admin"]) == (201, True)
    assert sign_in(client, "ada").status_code == 201
    after = problem(client.post(f"/api/v1/setup/{token}", json=wish, headers=PROOF), 404, "not_found")
    assert {**after, "request_id": ""} == {**nothing, "request_id": ""}
    assert (User.select().count(), OneTimeLink.select().count()) == (1, 0)
    assert Event.get(Event.action == "user.created").address == "127.0.0.1"
    assert factories


def test_a_failing_server_keeps_the_secrets_of_links_out_of_its_log(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for failure, status in ((KeyError("broken"), 500), (OperationalError("broken"), 503)):
        monkeypatch.setattr(credentials, "hash_secret", lambda secret, failure=failure: _raise(failure))
        for path, body in (("password-resets", {}), ("setup", {"username": "ada"})):
            answer = client.post(f"/api/v1/{path}/hunter2", json={**body, "password": NEW})
            assert answer.status_code == status
            assert path in caplog.records[-1].getMessage()
    assert "hunter2" not in caplog.text


def _raise(error: Exception) -> None:
    raise error


def test_service_accounts_through_the_api(client: FlaskClient, factories: Factories) -> None:
    owner = factories.user("ada")
    slug = factories.project("churn", owner=owner).organization.slug
    headers, accounts = factories.headers(owner), f"/api/v1/organizations/{slug}/service-accounts"
    made = client.post(accounts, json={"name": "ci", "display_name": "Build"}, headers=headers)
    assert (made.status_code, made.get_json()["username"], made.get_json()["name"]) == (201, f"ci@{slug}", "ci")
    wish = {"name": "t", "scopes": ["read"], "project": "churn", "expires_in_days": 1}
    token = client.post(f"{accounts}/ci/tokens", json=wish, headers=headers).get_json()
    assert token["project"] == f"{slug}/churn"
    assert token["token"].startswith(token["prefix"])
    own = {"Authorization": f"Bearer {token['token']}"}
    session = client.get("/api/v1/session", headers=own).get_json()
    assert (session["kind"], session["user"]["username"]) == ("token", f"ci@{slug}")
    project = f"/api/v1/organizations/{slug}/projects/churn"
    problem(client.get(project, headers=own), 404, "not_found")
    given = client.put(f"{project}/members/ci@{slug}", json={"role": "viewer"}, headers=headers)
    assert (given.status_code, given.get_json()["kind"]) == (200, "service")
    assert client.get(project, headers=own).status_code == 200
    members = client.get(f"/api/v1/organizations/{slug}/members", headers=headers).get_json()["items"]
    assert {item["username"]: item["kind"] for item in members} == {"ada": "person", f"ci@{slug}": "service"}
    listed = client.get(f"{accounts}/ci/tokens", headers=headers)
    assert token["token"].split("_", 2)[2] not in listed.get_data(as_text=True)
    assert client.patch(f"{accounts}/ci", json={"disabled": True}, headers=headers).get_json()["disabled"] is True
    assert client.get(project, headers=own).status_code == 401
    client.patch(f"{accounts}/ci", json={"disabled": False}, headers=headers)
    assert client.delete(f"{accounts}/ci/tokens/{token['id']}", headers=headers).status_code == 204
    assert client.get(project, headers=own).status_code == 401
    assert client.delete(f"{accounts}/ci", headers=headers).status_code == 204
    assert client.get(accounts, headers=headers).get_json()["items"] == []
    problem(client.post(f"{accounts}/ci/tokens", json={"name": "t"}, headers=headers), 404, "not_found")
    problem(client.post(f"{accounts}/ci/tokens", json={**wish, "project": "none"}, headers=headers), 404, "not_found")
