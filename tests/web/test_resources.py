"""What single resources promise beyond the services behind them."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.identity.models import ApiToken
from tests.factories import Factories
from tests.web.conftest import Place
from tests.web.test_problems import problem

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


def test_a_token_is_shown_once(place: Place) -> None:
    made = place.call("POST", "/api/v1/tokens", {"name": "node 7", "expires_in_days": 1})
    assert made.status_code == 201
    body = made.get_json()
    assert (body["scopes"], body["project"], body["last_used_at"]) == (["read", "write"], None, None)
    assert place.client.get("/api/v1/session", headers={"Authorization": f"Bearer {body['token']}"}).status_code == 200
    listed = place.call("GET", "/api/v1/tokens")
    assert body["token"].split("_", 2)[2] not in listed.get_data(as_text=True)
    assert body["id"] in {item["id"] for item in listed.get_json()["items"]}
    gone = place.call("DELETE", f"/api/v1/tokens/{body['id']}")
    assert (gone.status_code, gone.get_data()) == (204, b"")
    problem(place.call("DELETE", f"/api/v1/tokens/{body['id']}"), 404, "not_found")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"organization": "ORG"}, "project"), ({"project": "churn"}, "organization"),
        ({"organization": "ORG", "project": None}, "project"),
    ],
)  # fmt: skip
def test_half_a_place_makes_no_token_for_everywhere(place: Place, more: dict[str, Any], field: str) -> None:
    wish = {
        key: value.replace("ORG", place.project.organization.slug) if value else value for key, value in more.items()
    }
    count = ApiToken.select().count()
    answer = place.call("POST", "/api/v1/tokens", {"name": "t", **wish})
    assert set(problem(answer, 422, "invalid_input")["errors"]) == {field}
    for slug in ("", "nope"):
        wish = {"name": "t", "organization": place.project.organization.slug, "project": slug}
        problem(place.call("POST", "/api/v1/tokens", wish), 404, "not_found")
    assert ApiToken.select().count() == count


def test_a_token_is_bound_to_the_project_that_it_names(place: Place, factories: Factories) -> None:
    organization = place.project.organization.slug
    wish = {"name": "t", "organization": organization, "project": "churn"}
    body = place.call("POST", "/api/v1/tokens", wish).get_json()
    assert body["project"] == f"{organization}/churn"
    headers = {"Authorization": f"Bearer {body['token']}"}
    assert place.client.get(place.address, headers=headers).status_code == 200
    problem(place.client.get(f"/api/v1/organizations/{organization}", headers=headers), 404, "not_found")


def test_an_edit_of_a_project_is_whole_or_nothing(place: Place, services: Services) -> None:
    before = place.call("GET").get_json()
    for wish in (
        {"storage_connection_id": None, "name": ""}, {"storage_connection_id": None, "description": "x" * 10_001},
        {"storage_connection_id": "0" * 32, "name": "New"},
        {"storage_connection_id": None, "allow_local_deployments": True},
    ):  # fmt: skip
        answer = place.call("PATCH", "", wish)
        assert answer.status_code in {403, 404, 422}, wish
    assert place.call("GET").get_json() == before


@pytest.fixture
def root(services: Services, factories: Factories, place: Place) -> dict[str, str]:
    """An instance administrator who is an admin here, too."""
    user = factories.user(is_instance_admin=True)
    services.organizations.set_member(place.actor, place.project.organization.slug, user.username, "admin")
    return factories.headers(user)


def test_a_storage_and_a_name_are_changed_together(place: Place, root: dict[str, str], tmp_path: Any) -> None:
    wish = {"name": "disk", "kind": "storage", "provider": "local_files", "settings": {"root": str(tmp_path / "disk")}}
    problem(place.call("POST", "/connections", wish), 403, "permission_denied")
    disk = place.client.post(f"{place.address}/connections", json=wish, headers=root).get_json()["id"]
    refused = place.call("PATCH", "", {"storage_connection_id": disk, "name": ""})
    problem(refused, 422, "invalid_input")
    assert place.call("GET").get_json()["storage_connection_id"] is None
    edited = place.call("PATCH", "", {"storage_connection_id": disk, "name": "New"}).get_json()
    assert (edited["storage_connection_id"], edited["name"]) == (disk, "New")
    problem(place.call("DELETE", f"/connections/{disk}"), 409, "conflict")


def test_a_plugin_that_is_not_there_is_not_found(place: Place) -> None:
    answer = problem(place.call("GET", "/api/v1/plugins/none"), 404, "not_found")
    assert "webhook" in answer["hint"]
    assert place.call("GET", "/api/v1/plugins/webhook").get_json()["state"] == "loaded"
    wish = {"name": "x", "kind": "notifier", "provider": "none", "settings": {}}
    problem(place.call("POST", "/connections", wish), 422, "plugin_not_found")


def test_providers_say_what_reaches_the_host(place: Place) -> None:
    found = {item["name"]: item for item in place.call("GET", "/api/v1/providers").get_json()["items"]}
    assert "server_files" in found["local_files"]["capabilities"]
    assert "runs_on_server_host" in found["local_process"]["capabilities"]
    assert "server_files" not in found["webhook"]["capabilities"]
    token = found["webhook"]["settings_schema"]["properties"]["token"]
    assert (token["writeOnly"], token["x-secret"]) == (True, True)


def test_a_revision_that_cannot_be_is_refused(place: Place) -> None:
    for number in (0, -1, 2**31, 10**30, 1.5, "x"):
        answer = place.call("POST", "/deployments/live/rollback", {"revision": number})
        assert set(problem(answer, 422, "invalid_input")["errors"]) == {"revision"}


def test_a_version_that_cannot_be_is_refused(place: Place, services: Services) -> None:
    services.models.create(place.actor, place.project, name="risk")
    for number, status in (("1", 404), ("9" * 30, 422), ("-1", 404), ("x", 404)):
        assert place.call("GET", f"/models/risk/versions/{number}").status_code == status


def test_odd_names_stand_in_addresses(place: Place, services: Services) -> None:
    from urllib.parse import quote

    for name in ("漢字 (v2)", "a%2Fb", "50% #?&=+;", "..."):
        assert place.call("POST", "/models", {"name": name}).status_code == 201
        answer = place.call("GET", f"/models/{quote(name, safe='')}")
        assert answer.get_json()["name"] == name
        wish = {"source": "mlflow-artifacts:/m", "description": "ünï 🦊"}
        made = place.call("POST", f"/models/{quote(name, safe='')}/versions", wish)
        assert (made.get_json()["version"], made.get_json()["description"]) == (1, "ünï 🦊")


def test_an_organization_that_is_made_for_somebody_gives_its_maker_no_role(
    place: Place, root: dict[str, str], factories: Factories
) -> None:
    factories.user("ada")
    for wish, role in (({"owner": "ada"}, None), ({}, "owner")):
        body = {"slug": f"made-{role or 'for-ada'}".lower(), "name": "Made", **wish}
        made = place.client.post("/api/v1/organizations", json=body, headers=root)
        assert (made.status_code, made.get_json()["role"]) == (201, role)
        seen = place.client.get(f"/api/v1/organizations/{body['slug']}", headers=root)
        assert seen.status_code == (404 if role is None else 200)
