"""Where the wire answers: below a project's prefix, on the bare host, and to probes."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.factories import Factories
from tests.web.mlflow.conftest import Wire

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.mark.parametrize("prefix", [True, False])
def test_probes_need_no_credentials(wire: Wire, client: FlaskClient, prefix: bool) -> None:
    base = wire.prefix if prefix else ""
    version = client.get(f"{base}/version")
    assert version.content_type.startswith("text/plain")
    assert tuple(map(int, version.get_data(as_text=True).split("."))) >= (3, 4)
    assert client.get(f"{base}/health").data == b"OK"
    for api in ("api", "ajax-api"):
        info = client.get(f"{base}/{api}/3.0/mlflow/server-info").get_json()
        assert info["workspaces_enabled"] is False
        assert info["multipart_uploads_enabled"] is False


def test_a_browser_is_sent_to_the_projects_page(wire: Wire, client: FlaskClient) -> None:
    for address in (wire.prefix, f"{wire.prefix}/"):
        answer = client.get(address, follow_redirects=False)
        while answer.location == f"{wire.prefix}/" or answer.status_code == 308:
            answer = client.get(answer.location)
        assert answer.status_code == 302
        assert answer.location == f"{wire.prefix.removeprefix('/mlflow')}/runs"
    assert client.post(f"{wire.prefix}/", headers=wire.headers).status_code == 404


@pytest.mark.parametrize("path", ["/mlflow/%09/evil.example/", "/mlflow/%5Cevil.example/x/"])
def test_nobody_is_sent_to_another_site(wire: Wire, client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.location) == (404, None)


def test_every_path_is_there_again_for_the_pages(wire: Wire, client: FlaskClient) -> None:
    answer = client.get(f"{wire.prefix}/ajax-api/2.0/mlflow/experiments/get?experiment_id=0", headers=wire.headers)
    assert answer.get_json()["experiment"]["name"] == "Default"


def test_the_bare_host_is_the_tokens_project(wire: Wire, client: FlaskClient, factories: Factories) -> None:
    bound = factories.headers(wire.owner, project=wire.project)
    run_id = wire.new_run()
    for api in ("api", "ajax-api"):
        found = client.get(f"/{api}/2.0/mlflow/runs/get?run_id={run_id}", headers=bound)
        assert found.get_json()["run"]["info"]["run_id"] == run_id
    path = f"/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/a.txt"
    assert client.put(path, data=b"x", headers=bound).status_code == 200
    assert client.get(path, headers=bound).data == b"x"
    assert client.get(f"/get-artifact?run_id={run_id}&path=a.txt", headers=bound).data == b"x"
    folder = f"/api/2.0/mlflow-artifacts/artifacts?path=0/{run_id}/artifacts"
    assert client.get(folder, headers=bound).get_json()["files"] == [{"path": "a.txt", "is_dir": False, "file_size": 1}]


def test_the_bare_host_never_lists_its_root(wire: Wire, client: FlaskClient, factories: Factories) -> None:
    bound = factories.headers(wire.owner, project=wire.project)
    for address in ("/api/2.0/mlflow-artifacts/artifacts", "/api/2.0/mlflow-artifacts/artifacts?path="):
        answer = client.get(address, headers=bound)
        assert (answer.status_code, answer.get_json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
    listed = client.get(f"{wire.prefix}/api/2.0/mlflow-artifacts/artifacts", headers=wire.headers)
    assert listed.get_json() == {"files": []}


def test_the_bare_host_without_a_project_names_the_prefix(wire: Wire, client: FlaskClient) -> None:
    for address in ("/api/2.0/mlflow/runs/get?run_id=1", "/api/2.0/mlflow-artifacts/artifacts/a", "/get-artifact"):
        answer = client.get(address, headers=wire.headers)
        assert (answer.status_code, answer.get_json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
        assert "/mlflow/<organization>/<project>" in answer.get_json()["message"]
        assert client.get(address).status_code == 401


def test_a_token_of_one_project_opens_no_other(wire: Wire, client: FlaskClient, factories: Factories) -> None:
    other = factories.project(owner=wire.owner)
    bound = factories.headers(wire.owner, project=other)
    answer = client.get(f"{wire.prefix}/api/2.0/mlflow/experiments/get?experiment_id=0", headers=bound)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "api/2.0/mlflow/", 404, "ENDPOINT_NOT_FOUND"),
        ("GET", "nothing", 404, "ENDPOINT_NOT_FOUND"),
        ("GET", "api/3.0/mlflow/scorers/list", 404, "ENDPOINT_NOT_FOUND"),
        ("POST", "api/3.0/mlflow/runs/create", 404, "ENDPOINT_NOT_FOUND"),
        ("GET", "api/3.0/mlflow/workspaces", 404, "ENDPOINT_NOT_FOUND"),
        ("POST", "api/2.0/mlflow-artifacts/mpu/create/a", 501, "NOT_IMPLEMENTED"),
        ("GET", "api/2.0/mlflow-artifacts/presigned/a", 501, "NOT_IMPLEMENTED"),
        ("PUT", "api/2.0/mlflow-artifacts/artifacts", 404, "ENDPOINT_NOT_FOUND"),
        ("POST", "api/2.0/mlflow-artifacts/artifacts/a", 404, "ENDPOINT_NOT_FOUND"),
        ("GET", "v1/traces", 404, "ENDPOINT_NOT_FOUND"),
        ("POST", "graphql", 404, "ENDPOINT_NOT_FOUND"),
    ],
)
def test_what_is_not_here_says_so_in_json(
    wire: Wire, client: FlaskClient, method: str, path: str, status: int, code: str
) -> None:
    answer = client.open(f"{wire.prefix}/{path}", method=method, headers=wire.headers)
    assert (answer.status_code, answer.get_json()["error_code"]) == (status, code)
    assert answer.content_type == "application/json"


def test_a_project_that_is_not_there(wire: Wire, client: FlaskClient) -> None:
    answer = client.get("/mlflow/none/none/api/2.0/mlflow/experiments/get?experiment_id=0", headers=wire.headers)
    assert (answer.status_code, answer.get_json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
