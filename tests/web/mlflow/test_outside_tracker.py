"""A project that tracks to a real MLflow server: the unmodified client through us, and both doors afterwards."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from mlflow.exceptions import MlflowException

from modelyard.core.deployments.model_files import fetch_model
from modelyard.core.notifications.models import Event
from modelyard.core.projects.models import Project
from modelyard.core.registry.models import ModelVersion
from modelyard.core.tracking import run_metrics
from modelyard.core.tracking.models import Experiment, Run
from tests.mlflow_server import MlflowServer
from tests.relay import Relay
from tests.web.mlflow.conftest import Wire

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"]),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]


@pytest.fixture
def relay(mlflow_server: MlflowServer) -> Iterator[Relay]:
    relay = Relay(mlflow_server.url)
    yield relay
    relay.cut()


@pytest.fixture
def prefix() -> str:
    return f"{uuid4().hex}/"


def api(wire: Wire, method: str, path: str = "", body: Any = None, /, **query: Any) -> Any:
    address = f"/api/v1/organizations/{wire.project.organization.slug}/projects/{wire.project.slug}{path}"
    return wire.client.open(address, method=method, json=body, headers=wire.headers, query_string=query)


@pytest.fixture
def connection(wire: Wire, relay: Relay, prefix: str) -> str:
    """The project tracks to the server, with a prefix."""
    settings = {"tracking_uri": relay.url, "experiment_prefix": prefix, "timeout_seconds": 10}
    wish = {"kind": "tracker", "provider": "mlflow", "name": "theirs", "settings": settings}
    made = api(wire, "POST", "/connections", wish).get_json()
    assert made.get("enabled") is False, made
    assert api(wire, "POST", f"/connections/{made['id']}/test").get_json() == {"ok": True, "message": ""}
    chosen = api(wire, "PATCH", "", {"tracker_connection_id": made["id"]}).get_json()
    assert chosen["tracker_connection_id"] == made["id"]
    return str(made["id"])


@pytest.fixture
def straight(mlflow_server: MlflowServer, mlflow: Any) -> Any:
    """The client at the real server, past us."""
    return mlflow.MlflowClient(mlflow_server.url)


def test_a_long_history_is_there_whole_and_in_pieces(
    mlflow: Any, wire: Wire, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mlflow.start_run() as active:
        for step in range(5):
            mlflow.log_metric("loss", step, step=step)
    monkeypatch.setattr(run_metrics, "POINTS_AT_ONCE", 2)
    whole = wire.get("metrics/get-history", run_id=active.info.run_id, metric_key="loss")["metrics"]
    assert [point["step"] for point in whole] == list(range(5))
    file = api(wire, "GET", f"/runs/{active.info.run_id}/metric-export", key="loss", format="ndjson").get_data()
    assert [json.loads(line)["step"] for line in file.splitlines()] == list(range(5))


def test_what_is_logged_through_us_is_there_and_read_here(
    mlflow: Any, wire: Wire, connection: str, straight: Any, prefix: str, tmp_path: Path
) -> None:
    mlflow.set_experiment("forest")
    with mlflow.start_run(run_name="first", tags={"team": "a"}) as active:
        mlflow.log_params({"depth": 3})
        for step in range(3):
            mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
        mlflow.log_metric("odd", math.nan)
        mlflow.log_text("hello", "notes/a b.txt")
    run_id = active.info.run_id

    there = straight.get_run(run_id)
    assert straight.get_experiment(there.info.experiment_id).name == f"{prefix}forest"
    assert (there.data.params, there.data.metrics["loss"], there.info.status) == ({"depth": "3"}, 1 / 3, "FINISHED")
    assert [file.path for file in straight.list_artifacts(run_id, "notes")] == ["notes/a b.txt"]
    assert Run.select().count() == 0

    back = mlflow.search_runs(filter_string="metrics.loss < 0.5 AND params.depth = '3'", output_format="list")
    assert [run.info.run_id for run in back] == [run_id]
    assert math.isnan(back[0].data.metrics["odd"])
    assert mlflow.artifacts.load_text(f"{there.info.artifact_uri}/notes/a b.txt") == "hello"
    shown = api(wire, "GET", f"/runs/{run_id}").get_json()
    assert (shown["experiment"]["name"], shown["params"], shown["tags"]["team"]) == ("forest", {"depth": "3"}, "a")
    points = api(wire, "GET", f"/runs/{run_id}/metrics/loss").get_json()["items"]
    assert [(point["step"], point["value"]) for point in points] == [(step, 1.0 / (step + 1)) for step in range(3)]
    files = api(wire, "GET", f"/runs/{run_id}/artifacts", path="notes").get_json()["items"]
    assert files == [{"path": "notes/a b.txt", "is_directory": False, "size_bytes": 5}]
    part = wire.client.get(
        f"/api/v1/organizations/{wire.project.organization.slug}/projects/{wire.project.slug}/runs/{run_id}"
        "/artifacts/content",
        query_string={"path": "notes/a b.txt"},
        headers=wire.headers | {"Range": "bytes=1-3"},
    )
    assert (part.status_code, part.data) == (206, b"ell")
    assert [event.action for event in Event.select().where(Event.object_id == run_id)] == [
        "run.created",
        "run.finished",
    ]


def test_runs_that_were_there_before_are_deleted_and_restored_here(
    wire: Wire, connection: str, straight: Any, prefix: str
) -> None:
    mine = straight.create_run(straight.create_experiment(f"{prefix}old"))
    foreign = straight.create_run(straight.create_experiment(f"other-{prefix}old"))

    items = api(wire, "GET", "/runs").get_json()["items"]
    assert [(run["id"], run["experiment"]["name"]) for run in items] == [(mine.info.run_id, "old")]
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/metrics/m"), ("GET", "/artifacts")):
        assert api(wire, method, f"/runs/{foreign.info.run_id}{path}").status_code == 404
    assert api(wire, "DELETE", f"/runs/{mine.info.run_id}").status_code == 204
    assert straight.get_run(mine.info.run_id).info.lifecycle_stage == "deleted"
    wire.headers["Idempotency-Key"] = uuid4().hex
    assert api(wire, "POST", f"/runs/{mine.info.run_id}/restore").status_code == 200
    assert straight.get_run(mine.info.run_id).info.lifecycle_stage == "active"


def test_a_model_that_was_logged_there_is_registered_here(
    mlflow: Any, wire: Wire, connection: str, services: Any, tmp_path: Path
) -> None:
    with mlflow.start_run() as active:
        mlflow.log_dict({"w": 1}, "model/MLmodel.json")
        logged = mlflow.create_external_model(name="line")
    mlflow.MlflowClient().create_registered_model("risk")
    for source in (f"runs:/{active.info.run_id}/model", f"models:/{logged.model_id}"):
        mlflow.MlflowClient().create_model_version("risk", source)

    places = [mlflow.MlflowClient().get_model_version_download_uri("risk", version) for version in ("1", "2")]
    assert places[0] == f"{active.info.artifact_uri}/model"
    assert logged.model_id in places[1]
    project, version = Project.get_by_id(wire.project.id), ModelVersion.get(ModelVersion.number == 1)
    files = services.connections.artifacts_of(project)
    fetch_model(files, source=f"{project.public_id}/{version.artifact_path}", destination=tmp_path / "model")
    assert json.loads((tmp_path / "model" / "MLmodel.json").read_text()) == {"w": 1}
    own = services.connections.storage_of(project)  # whose folder a purge deletes
    assert own.entry.name == "local_files"
    assert own.list(project.public_id) == []
    refused = api(wire, "PATCH", "", {"tracker_connection_id": None, "confirm": wire.project.slug})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "conflict")


def test_a_server_that_dies_in_the_middle(
    mlflow: Any,
    wire: Wire,
    connection: str,
    relay: Relay,
    straight: Any,
    services: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run_id = mlflow.MlflowClient().create_run("0").info.run_id
    events = Event.select().count()
    relay.cut_at_next_answer = True

    with pytest.raises(MlflowException, match="503"):
        mlflow.MlflowClient().set_terminated(run_id)
    answer = wire.call("POST", "runs/create", {"experiment_id": "0"})
    assert (answer.status_code, answer.get_json()["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    assert answer.headers["Retry-After"] == "3"
    for _ in range(4):
        answer = api(wire, "GET", "/runs")
        assert (answer.status_code, int(answer.headers["Retry-After"]) >= 1) == (503, True)
    assert answer.get_json()["code"] == "plugin_suspended"
    assert "The MLflow server does not answer" in answer.get_json()["detail"]
    assert api(wire, "GET", "").status_code == 200
    assert (Event.select().count(), Run.select().count(), Experiment.select().count()) == (events, 0, 1)

    relay.mend()
    services.guard.release("mlflow")
    mlflow.MlflowClient().log_metric(run_id, "m", 1.0)
    assert straight.get_run(run_id).data.metrics == {"m": 1.0}
    assert api(wire, "GET", f"/runs/{run_id}").get_json()["metrics"] == {"m": 1.0}


def test_choosing_the_tracker(wire: Wire, connection: str, relay: Relay, mlflow_server: MlflowServer) -> None:
    shared = api(wire, "DELETE", f"/connections/{connection}")
    assert (shared.status_code, "tracks with" in shared.get_json()["detail"]) == (409, True)
    assert api(wire, "PATCH", f"/connections/{connection}", {"enabled": False}).status_code == 422
    wire.new_run()
    relay.cut()
    refused = api(wire, "PATCH", "", {"tracker_connection_id": None})
    assert (refused.status_code, list(refused.get_json()["errors"])) == (409, ["confirm"])
    back = api(wire, "PATCH", "", {"tracker_connection_id": None, "confirm": wire.project.slug})
    assert (back.status_code, back.get_json()["tracker_connection_id"]) == (200, None)
    wire.new_run()
    assert Run.select().count() == 1

    relay.mend()
    again = {"tracker_connection_id": connection}
    refused = api(wire, "PATCH", "", again)
    assert (refused.status_code, "1 runs stay" in refused.get_json()["detail"]) == (409, True)
    assert api(wire, "PATCH", "", again | {"confirm": "x", "name": "New"}).status_code == 409
    assert api(wire, "GET", "").get_json()["name"] != "New"
    assert api(wire, "PATCH", "", again | {"confirm": wire.project.slug}).status_code == 200
    assert len(api(wire, "GET", "/runs").get_json()["items"]) == 1
    actions = [event.after for event in Event.select().where(Event.action == "project.updated").order_by(Event.id)]
    assert actions[-3:] == [{"tracker_connection": name} for name in ("theirs", None, "theirs")]


def test_a_project_is_made_with_its_tracker(wire: Wire, relay: Relay, prefix: str, services: Any) -> None:
    organization = f"/api/v1/organizations/{wire.project.organization.slug}/projects"
    settings = {"tracking_uri": relay.url, "experiment_prefix": prefix}

    def make(slug: str, **tracker: Any) -> Any:
        body = {"slug": slug, "name": "N", "tracker": tracker}
        return wire.client.post(organization, json=body, headers=wire.headers | {"Idempotency-Key": uuid4().hex})

    for wrong in ({"provider": "none"}, {"provider": "mlflow", "settings": {"tracking_uri": "ftp://x"}}):
        assert make("wrong", **wrong).status_code == 422
    assert wire.client.get(f"{organization}/wrong", headers=wire.headers).status_code == 404

    made = make("outside", provider="mlflow", settings=settings)
    assert made.status_code == 201
    (connection,) = wire.client.get(f"{organization}/outside/connections", headers=wire.headers).get_json()["items"]
    assert (connection["name"], connection["enabled"]) == ("tracker", True)
    assert made.get_json()["tracker_connection_id"] == connection["id"]
    experiments = wire.client.get(f"{organization}/outside/experiments", headers=wire.headers).get_json()["items"]
    assert [(experiment["id"], experiment["name"]) for experiment in experiments] == [("0", "Default")]


def test_only_a_tracker_of_the_project_itself_is_chosen(wire: Wire) -> None:
    shared = f"/api/v1/organizations/{wire.project.organization.slug}/connections"
    wish = {"kind": "tracker", "provider": "mlflow", "name": "shared", "settings": {"tracking_uri": "http://h"}}
    refused = wire.client.post(shared, json=wish, headers=wire.headers)
    assert (refused.status_code, list(refused.get_json()["errors"])) == (422, ["kind"])
    log = api(wire, "POST", "/connections", {"kind": "notifier", "provider": "log", "name": "log"}).get_json()
    refused = api(wire, "PATCH", "", {"tracker_connection_id": log["id"]})
    assert (refused.status_code, list(refused.get_json()["errors"])) == (422, ["tracker_connection_id"])
    assert api(wire, "PATCH", "", {"tracker_connection_id": "0" * 32}).status_code == 404


def test_no_client_waits_for_minutes(wire: Wire, connection: str, mlflow_server: MlflowServer) -> None:
    """Credentials that the server refuses are not tried again; its absence is, every three seconds."""
    settings = {"tracking_uri": f"{mlflow_server.url}/nowhere", "experiment_prefix": ""}
    assert api(wire, "PATCH", f"/connections/{connection}", {"settings": settings}).status_code == 200
    status, code, text = wire.refusal("GET", "experiments/get", experiment_id="0")
    assert (status, code) == (400, "INVALID_STATE")
    assert "no MLflow server at the tracking URI" in text
    assert api(wire, "GET", "/runs").status_code == 502
