"""Artifacts over HTTP: paths as they come from the network, sizes, types."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from modelyard.core.identity.models import User
from modelyard.web.app import create_app
from tests.web.mlflow.conftest import Wire

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])
FILES = "api/2.0/mlflow-artifacts/artifacts"


def address(wire: Wire, path: str) -> str:
    return f"{wire.prefix}/{FILES}/{path}"


@pytest.mark.parametrize(
    "path",
    [
        "../a",
        "a/../../b",
        "%2e%2e/a",
        "..%2fa",
        "%252e%252e%252fa",
        "a//b",
        "/a",
        "a/",
        "a%5cb",
        "a%00b",
        "a%0ab",
        "a%7f",
        ".",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_paths_that_leave_are_refused(wire: Wire, client: FlaskClient, method: str, path: str) -> None:
    answer = client.open(address(wire, path), method=method, headers=wire.headers, data=b"x")
    assert (answer.status_code, answer.get_json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    listed = client.get(f"{wire.prefix}/{FILES}", query_string={"path": "../a"}, headers=wire.headers)
    assert listed.status_code == 400


def test_odd_names_make_the_round(wire: Wire, client: FlaskClient) -> None:
    for name in ("ünï 漢字.bin", "100%25.txt", "a+b.txt", "a;b=c.txt"):
        path = address(wire, f"f/{name}")
        assert client.put(path, data=name.encode(), headers=wire.headers).status_code == 200
        assert client.get(path, headers=wire.headers).data == name.encode()


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("MLmodel", "text/plain; charset=utf-8"),
        ("page.html", "text/plain; charset=utf-8"),
        ("code.js", "text/plain; charset=utf-8"),
        ("code.mjs", "application/octet-stream"),
        ("drawing.svg", "application/octet-stream"),
        ("data.json", "text/plain; charset=utf-8"),
        ("picture.png", "image/png"),
        ("model.unknown", "application/octet-stream"),
    ],
)
def test_a_download_is_an_attachment_that_no_browser_runs(
    wire: Wire, client: FlaskClient, name: str, media_type: str
) -> None:
    client.put(address(wire, name), data=b"x" * 10, headers=wire.headers)
    answer = client.get(address(wire, name), headers=wire.headers)
    assert answer.content_type == media_type
    assert answer.headers["Content-Disposition"] == f"attachment; filename*=UTF-8''{name}"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Length"] == "10"


def test_lists_of_a_run_and_a_model(wire: Wire, client: FlaskClient) -> None:
    run_id = wire.new_run()
    model_id = wire.post("logged-models", experiment_id="0")["model"]["info"]["model_id"]
    for root in (f"0/{run_id}/artifacts", f"0/models/{model_id}/artifacts"):
        client.put(address(wire, f"{root}/d/a.txt"), data=b"abc", headers=wire.headers)
    folder = {"path": "d", "is_dir": True}
    file = {"path": "d/a.txt", "is_dir": False, "file_size": 3}
    assert wire.get("artifacts/list", run_id=run_id)["files"] == [folder]
    assert wire.get("artifacts/list", run_id=run_id, path="d")["files"] == [file]
    assert wire.get("artifacts/list", run_id=run_id, path="d/a.txt")["files"] == []
    listed = wire.get(f"logged-models/{model_id}/artifacts/directories", artifact_directory_path="d")
    assert listed == {"root_uri": f"mlflow-artifacts:/0/models/{model_id}/artifacts", "files": [file]}
    got = client.get(f"{wire.prefix}/get-artifact?run_uuid={run_id}&path=d/a.txt", headers=wire.headers)
    assert got.data == b"abc"
    for path in ("", "../x", "d"):
        query = {"run_id": run_id, "path": path}
        refused = client.get(f"{wire.prefix}/get-artifact", query_string=query, headers=wire.headers)
        assert refused.status_code == 400
    refused = client.get(f"{wire.prefix}/get-artifact?run_id=a%00&path=a.txt", headers=wire.headers)
    assert (refused.status_code, refused.get_json()["message"]) == (400, "The parameter 'run_id' contains NUL.")


def test_artifacts_kept_elsewhere_are_not_ours(wire: Wire) -> None:
    experiment_id = wire.post("experiments/create", name="s3", artifact_location="s3://bucket/a")["experiment_id"]
    run_id = wire.new_run(experiment_id=experiment_id)
    status, code, message = wire.refusal("GET", "artifacts/list", run_id=run_id)
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert "s3://bucket/a" in message


def test_a_file_that_is_not_there(wire: Wire, client: FlaskClient) -> None:
    answer = client.get(address(wire, "none"), headers=wire.headers)
    assert (answer.status_code, answer.get_json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_an_artifact_may_be_larger_than_an_api_request(wire: Wire, client: FlaskClient) -> None:
    large = b"x" * (5 * 1024 * 1024)
    assert client.put(address(wire, "large"), data=large, headers=wire.headers).status_code == 200
    assert client.get(address(wire, "large"), headers=wire.headers).data == large


def test_an_artifact_over_its_limit_is_refused(wire: Wire, services: object, override: object) -> None:
    from modelyard.core import bootstrap

    limited = create_app(bootstrap.build(override(server={"max_artifact_bytes": 10}), process="web"))  # type: ignore[operator]
    answer = limited.test_client().put(address(wire, "a"), data=b"x" * 11, headers=wire.headers)
    assert (answer.status_code, answer.get_json()["error_code"]) == (413, "INVALID_PARAMETER_VALUE")


def test_an_artifact_over_the_projects_quota_is_refused(wire: Wire, client: FlaskClient) -> None:
    quotas = {"quotas": {"max_artifact_bytes": 10}}
    place = f"/api/v1/organizations/{wire.project.organization.slug}/projects/{wire.project.slug}"
    User.update(is_instance_admin=True).execute()
    assert client.patch(place, json=quotas, headers=wire.headers).status_code == 200
    assert client.put(address(wire, "a"), data=b"x" * 8, headers=wire.headers).status_code == 200
    answer = client.put(address(wire, "b"), data=b"x" * 3, headers=wire.headers)
    assert (answer.status_code, answer.get_json()["error_code"]) == (400, "RESOURCE_EXHAUSTED")
    usage = client.get(f"{place}/usage", headers=wire.headers).get_json()
    assert (usage["artifact_bytes"], usage["quotas"]["max_artifact_bytes"]) == (8, 10)


@pytest.mark.parametrize(("pieces", "kept"), [((), True), ((b"hello",), False)])
def test_without_a_length_only_an_empty_file_is_taken(
    wire: Wire, live: str, pieces: tuple[bytes, ...], kept: bool
) -> None:
    answer = requests.put(f"{live}{address(wire, 'chunked')}", data=iter(pieces), headers=wire.headers, timeout=10)
    assert (answer.status_code == 200) is kept
    listed = requests.get(f"{live}{wire.prefix}/{FILES}", headers=wire.headers, timeout=10).json()
    assert bool(listed["files"]) is kept


def test_an_upload_that_breaks_off_leaves_nothing(wire: Wire, app: Flask, live: str) -> None:
    host = urlsplit(live)
    head = (
        f"PUT {address(wire, 'broken')} HTTP/1.1\r\nHost: {host.netloc}\r\n"
        f"Authorization: {wire.headers['Authorization']}\r\nContent-Length: 1000\r\n\r\n"
    )
    with socket.create_connection((host.hostname or "", host.port or 0)) as connection:
        connection.sendall(head.encode() + b"x" * 500)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(10)
        while connection.recv(65536):
            continue
    assert wire.client.get(f"{wire.prefix}/{FILES}", headers=wire.headers).get_json() == {"files": []}
