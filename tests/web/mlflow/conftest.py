"""A project served over real HTTP, to an unmodified MLflow client in this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import TestResponse

from modelyard.core.identity.models import User
from modelyard.core.projects.models import Project
from tests.factories import Factories


@dataclass(frozen=True)
class Wire:
    """Calls to one project's endpoints, without a network."""

    client: FlaskClient
    project: Project
    owner: User
    headers: dict[str, str]

    @property
    def prefix(self) -> str:
        return f"/mlflow/{self.project.organization.slug}/{self.project.slug}"

    def call(self, method: str, path: str, body: Any = None, /, **query: Any) -> TestResponse:
        """Send one request to ``/api/2.0/mlflow/<path>`` and return the answer."""
        more: dict[str, Any] = {"json": body} if isinstance(body, dict) else {"data": body}
        address = f"{self.prefix}/api/2.0/mlflow/{path}"
        return self.client.open(address, method=method, headers=self.headers, query_string=query, **more)

    def post(self, path: str, /, **body: Any) -> dict[str, Any]:
        """Post JSON and return the answer, which must be a good one."""
        response = self.call("POST", path, body)
        assert response.status_code == 200, response.json
        return dict(response.get_json())

    def get(self, path: str, /, **query: Any) -> dict[str, Any]:
        """Get and return the answer, which must be a good one."""
        response = self.call("GET", path, **query)
        assert response.status_code == 200, response.json
        return dict(response.get_json())

    def refusal(self, method: str, path: str, body: Any = None, /, **query: Any) -> tuple[int, str, str]:
        """Send a request that is refused; return status, error code and message."""
        response = self.call(method, path, body, **query)
        assert response.status_code >= 400, response.json
        answer = response.get_json()
        return response.status_code, answer["error_code"], answer["message"]

    def new_run(self, **body: Any) -> str:
        """Make a run and return its id."""
        run_id: str = self.post("runs/create", **{"experiment_id": "0", **body})["run"]["info"]["run_id"]
        return run_id


@pytest.fixture
def wire(factories: Factories, client: FlaskClient) -> Wire:
    """A fresh project and its owner."""
    owner = factories.user()
    project = factories.project(owner=owner)
    return Wire(client, project, owner, factories.headers(owner))


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def live(app: Flask) -> Iterator[str]:
    """The address of a real server of the application."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def mlflow(live: str, wire: Wire, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """MLflow's own client, pointed at the project."""
    token = wire.headers["Authorization"].removeprefix("Bearer ")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", token)
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    for name in ("MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_ID", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "")  # the client sets some of them itself: this has them removed at the end
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    import mlflow

    mlflow.set_tracking_uri(f"{live}{wire.prefix}")
    yield mlflow
    while mlflow.active_run():
        mlflow.end_run()
    mlflow.clear_active_model()
    for thread in threading.enumerate():
        if thread.name.startswith("link_prompt"):  # what a client does in the background, while there is a server
            thread.join(10)
    mlflow.tracking.fluent._active_experiment_id = None
    mlflow.set_tracking_uri(None)
