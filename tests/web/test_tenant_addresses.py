"""Old and dead addresses of tenants, through every door: the API, the MLflow wire, predictions."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.identity.models import User
from modelyard.core.projects.models import Organization, Project
from tests.factories import Factories, system_owner
from tests.web.conftest import Place
from tests.web.test_problems import problem

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


def doors(organization: str, project: str) -> list[tuple[str, str]]:
    return [
        ("GET", f"/api/v1/organizations/{organization}/projects/{project}"),
        ("GET", f"/mlflow/{organization}/{project}/api/2.0/mlflow/experiments/get?experiment_id=0"),
        ("GET", f"/mlflow/{organization}/{project}/api/2.0/mlflow-artifacts/artifacts?path="),
        ("POST", f"/serve/{organization}/{project}/live/invocations"),
    ]


def ask(place: Place, method: str, path: str, body: Any = None) -> Any:
    return place.client.open(path, method=method, headers=place.headers, json=body)


def statuses(place: Place, organization: str, project: str) -> list[int]:
    found = doors(organization, project)
    return [ask(place, method, path, {} if method == "POST" else None).status_code for method, path in found]


def test_an_old_address_goes_on_to_work(place: Place) -> None:
    organization = place.project.organization.slug
    place.call("PATCH", f"/api/v1/organizations/{organization}", {"slug": "acme"})
    renamed = place.call("PATCH", place.address, {"slug": "leavers"})  # by an address that is old already
    assert (renamed.status_code, renamed.get_json()["organization"], renamed.get_json()["slug"]) == (
        200,
        "acme",
        "leavers",
    )
    assert renamed.get_json()["mlflow_uri"].endswith("/mlflow/acme/leavers")
    for place_of_it in [(organization, "churn"), ("acme", "churn"), (organization, "leavers")]:
        assert statuses(place, *place_of_it)[:3] == [200, 200, 200]
    shown = place.call("GET", f"/api/v1/organizations/{organization}").get_json()
    assert shown["slug"] == "acme"


def test_a_deleted_project_is_dead_at_every_door(place: Place, factories: Factories) -> None:
    organization = place.project.organization.slug
    bound = factories.headers(system_owner(place.project), project=place.project)
    problem(place.call("DELETE", place.address), 422, "invalid_input")
    problem(place.call("DELETE", f"{place.address}?confirm=other"), 422, "invalid_input")
    assert place.call("DELETE", f"{place.address}?confirm=churn").status_code == 204
    assert statuses(place, organization, "churn") == [404] * 4
    answer = place.client.get("/api/2.0/mlflow/experiments/get?experiment_id=0", headers=bound)
    assert (answer.status_code, answer.get_json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
    listed = f"/api/v1/organizations/{organization}/projects"
    assert place.call("GET", listed).get_json()["items"] == []
    (gone,) = place.call("GET", f"{listed}?deleted=true").get_json()["items"]
    assert gone["purge_at"] > gone["deleted_at"]
    back = place.call("POST", f"{listed}/{gone['id']}/restore")
    assert (back.status_code, back.get_json()["deleted_at"]) == (200, None)
    assert statuses(place, organization, "churn")[:3] == [200] * 3


def test_a_deleted_organization_takes_its_projects_along(place: Place) -> None:
    organization = place.project.organization.slug
    address = f"/api/v1/organizations/{organization}"
    problem(place.call("DELETE", address), 422, "invalid_input")
    assert place.call("DELETE", f"{address}?confirm={organization}").status_code == 204
    assert statuses(place, organization, "churn") == [404] * 4
    assert place.call("GET", address).status_code == 404
    (gone,) = place.call("GET", "/api/v1/organizations?deleted=true").get_json()["items"]
    assert gone["slug"] == organization
    assert gone["purge_at"] > gone["deleted_at"]
    Organization.create(slug="taken", name="T")
    restore = f"/api/v1/organizations/{gone['id']}/restore"
    problem(place.call("POST", restore, {"slug": "taken"}), 409, "already_exists")
    assert place.call("POST", restore, {"slug": "again"}).get_json()["slug"] == "again"
    assert statuses(place, "again", "churn")[:3] == [200] * 3


def test_the_caller_sees_the_role_that_is_left(place: Place, services: Services, factories: Factories) -> None:
    organization = place.project.organization.slug
    heir = factories.user()
    services.organizations.set_member(
        factories.actor(system_owner(place.project)), organization, heir.username, "member"
    )
    transfer = f"/api/v1/organizations/{organization}/transfer"
    problem(place.call("POST", transfer, {"username": heir.username, "keep_role": "owner"}), 422, "invalid_input")
    assert place.call("POST", transfer, {"username": heir.username}).get_json()["role"] == "admin"
    assert place.call("POST", f"/api/v1/organizations/{organization}/leave").status_code == 204
    problem(place.call("GET", f"/api/v1/organizations/{organization}"), 404, "not_found")


def test_all_organizations_are_for_instance_administrators(place: Place, factories: Factories) -> None:
    everything = "/api/v1/organizations?all=true"
    problem(place.call("GET", everything), 403, "permission_denied")
    root = factories.headers(User.get(username="root"))
    items = place.client.get(f"{everything}&limit=1", headers=root).get_json()["items"]
    assert [(item["role"], item["member_count"]) for item in items] == [(None, 1)]
    assert place.client.get(f"{everything}&q=zzz", headers=root).get_json()["items"] == []


def test_quotas_and_what_is_used_of_them(place: Place, factories: Factories) -> None:
    Project.update(max_runs=0).execute()
    usage = place.call("GET", f"{place.address}/usage").get_json()
    assert usage["quotas"] == {"max_runs": 0, "max_deployments": None, "max_artifact_bytes": None}
    wire = f"/mlflow/{place.project.organization.slug}/churn/api/2.0/mlflow/runs/create"
    refused = ask(place, "POST", wire, {"experiment_id": "0"})
    assert (refused.status_code, refused.get_json()["error_code"]) == (400, "RESOURCE_EXHAUSTED")
    problem(place.call("PATCH", place.address, {"quotas": {"max_runs": 5}}), 403, "permission_denied")
    problem(place.call("PATCH", place.address, {"quotas": {"max_bytes": 5}}), 422, "invalid_input")


def test_lists_are_narrowed(place: Place) -> None:
    projects = f"/api/v1/organizations/{place.project.organization.slug}/projects"
    place.call("POST", projects, {"slug": "other", "name": "Other Churn"})
    place.call("PATCH", f"{projects}/other", {"archived": True})

    def found(query: str) -> list[str]:
        return [item["slug"] for item in place.call("GET", f"{projects}?{query}").get_json()["items"]]

    assert found("") == found("q=CHUR") == ["churn", "other"]
    assert found("archived=true&q=churn") == ["other"]
    assert found("archived=false") == ["churn"]
    assert found("q=_") == found("q=%25") == found("deleted=true&archived=true") == []


def test_the_deleted_are_paged_though_they_share_a_slug(place: Place) -> None:
    projects = f"/api/v1/organizations/{place.project.organization.slug}/projects"
    for _ in range(3):
        place.call("POST", projects, {"slug": "again", "name": "A"})
        place.call("DELETE", f"{projects}/again?confirm=again")
    for order in ("", "&order_by=slug desc"):
        seen, cursor = [], ""
        while True:
            page = place.call("GET", f"{projects}?deleted=true&limit=1{order}{cursor}").get_json()
            seen += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert len(set(seen)) == len(seen) == 3


def test_an_archived_project_is_read_over_the_wire_and_not_changed(place: Place) -> None:
    wire = f"/mlflow/{place.project.organization.slug}/churn/api/2.0"
    run = ask(place, "POST", f"{wire}/mlflow/runs/create", {"experiment_id": "0"}).get_json()["run"]["info"]["run_id"]
    place.call("PATCH", "", {"archived": True})
    for method, path, body in [
        ("POST", "mlflow/runs/create", {"experiment_id": "0"}),
        ("POST", "mlflow/runs/log-metric", {"run_id": run, "key": "m", "value": 1, "timestamp": 1}),
        ("POST", "mlflow/runs/set-tag", {"run_id": run, "key": "k", "value": "v"}),
        ("POST", "mlflow/experiments/create", {"name": "e"}),
        ("POST", "mlflow/registered-models/create", {"name": "m"}),
        ("PUT", "mlflow-artifacts/artifacts/a.txt", {}),
        ("DELETE", "mlflow-artifacts/artifacts/a.txt", None),
    ]:
        answer = ask(place, method, f"{wire}/{path}", body)
        assert (answer.status_code, "archived" in answer.get_data(as_text=True)) == (400, True), path
    assert ask(place, "GET", f"{wire}/mlflow/runs/get?run_id={run}").status_code == 200
    assert ask(place, "POST", f"{wire}/mlflow/runs/search", {"experiment_ids": ["0"]}).status_code == 200
