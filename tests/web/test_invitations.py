"""Invitations through the API: what is shown to whom, and the sign-in of somebody new."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from modelyard.core.projects.models import OrganizationMember
from modelyard.web.auth import COOKIE
from tests.factories import PASSWORD, Factories
from tests.web.conftest import Place
from tests.web.test_problems import problem

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])
NEW = {"username": "Ada", "display_name": "Ada L.", "password": PASSWORD}


def invite(place: Place, **wish: Any) -> tuple[dict[str, Any], str]:
    """Make an invitation; what was answered, and the address of its offer."""
    address = f"/api/v1/organizations/{place.project.organization.slug}/invitations"
    made = place.call("POST", address, {"role": "member", **wish})
    assert made.status_code == 201, made.get_json()
    body = made.get_json()
    assert body["link"].startswith("http://127.0.0.1:5000/invitations/")
    return body, "/api/v1/invitations/" + body["link"].rpartition("/")[2]


def test_the_link_is_shown_once(place: Place) -> None:
    made, offer = invite(place, email="bo@example.com", project="churn", project_role="viewer")
    listed = place.call("GET", f"/api/v1/organizations/{place.project.organization.slug}/invitations")
    assert offer.rpartition("/")[2] not in listed.get_data(as_text=True)
    (item,) = listed.get_json()["items"]
    assert item == {key: value for key, value in made.items() if key != "link"}
    assert (item["state"], item["project"], item["accepted_by"]) == ("open", "churn", None)


def test_somebody_new_sees_the_offer_joins_and_is_signed_in(place: Place, app: Flask) -> None:
    _, offer = invite(place, project="churn", project_role="editor")
    browser = app.test_client()
    seen = browser.get(offer).get_json()
    organization = place.project.organization
    assert (seen["organization"], seen["organization_name"]) == (organization.slug, organization.name)
    assert (seen["role"], seen["project"], seen["project_role"]) == ("member", "churn", "editor")
    assert "email" not in seen
    for wish, field in (({}, "username"), ({"username": "ada"}, "password"), ({**NEW, "password": "x"}, "password")):
        assert set(problem(browser.post(f"{offer}/accept", json=wish), 422, "invalid_input")["errors"]) == {field}
    joined = browser.post(f"{offer}/accept", json=NEW)
    assert (joined.status_code, joined.get_json()["user"]["username"]) == (201, "ada")
    cookie = browser.get_cookie(COOKIE)
    assert cookie is not None
    assert cookie.http_only
    assert browser.get(place.address).get_json()["role"] == "editor"
    problem(browser.get(offer), 404, "not_found")
    problem(app.test_client().post(f"{offer}/accept", json={**NEW, "username": "bo"}), 404, "not_found")


def test_somebody_signed_in_joins(place: Place, factories: Factories) -> None:
    _, offer = invite(place)
    user = factories.user()
    joined = place.client.post(f"{offer}/accept", headers=factories.headers(user))
    assert (joined.status_code, joined.get_json()["organization"]) == (200, place.project.organization.slug)
    assert OrganizationMember.select().where(OrganizationMember.user == user).count() == 1


def test_a_revoked_link_is_dead(place: Place) -> None:
    made, offer = invite(place)
    address = f"/api/v1/organizations/{place.project.organization.slug}/invitations/{made['id']}"
    assert place.call("DELETE", address).status_code == 204
    problem(place.call("DELETE", address), 404, "not_found")
    unknown = place.client.get("/api/v1/invitations/" + "x" * 43).get_json()
    dead = problem(place.client.get(offer), 404, "not_found")
    assert dead["detail"] == unknown["detail"]


def test_a_taken_username_is_said(place: Place, factories: Factories) -> None:
    factories.user("ada")
    _, offer = invite(place)
    problem(place.client.post(f"{offer}/accept", json=NEW), 409, "already_exists")
    assert place.client.get(offer).status_code == 200


def test_no_log_has_the_link(place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    _, offer = invite(place)

    def fail(token: str) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(place.client.application.extensions["modelyard"].invitations, "find", fail)
    problem(place.client.get(offer), 500, "error")
    logged = caplog.text
    assert "/api/v1/invitations/..." in logged
    assert offer.rpartition("/")[2] not in logged
