"""A real MLflow server with one of everything in it, and a project behind a real server of ours."""

from __future__ import annotations

import json
import math
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from modelyard.client import Client
from modelyard.client.project import Project
from tests.mlflow_server import MlflowServer
from tests.web.mlflow.conftest import Wire, live, wire

__all__ = ["live", "wire"]

POINTS = 3000
FOREST, GONE, MODEL, COPY = "import forest", "import gone", "import-churn", "import-copy"


@dataclass(frozen=True)
class Seeded:
    """The server and the ids of what is in it."""

    url: str
    parent: str
    child: str
    failed: str
    deleted: str
    model: str


@pytest.fixture(scope="session")
def seeded(mlflow_server: MlflowServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    """The server, filled once by the unmodified client."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)
        yield _fill(mlflow_server.url, tmp_path_factory.mktemp("artifacts"))


def client_of(url: str) -> Any:
    """MLflow's own client, for reading."""
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=url, registry_uri=url)


def _fill(url: str, folder: Path) -> Seeded:
    from mlflow.entities import Metric, Param, RunTag

    client = client_of(url)
    experiment = client.create_experiment(FOREST, tags={"team": "a", "mlflow.note.content": "trees"})
    start = 1_700_000_000_000
    parent = client.create_run(experiment, start_time=start, tags={"mlflow.user": "ada"}, run_name="pärent").info
    child = client.create_run(
        experiment, start_time=start - 5, tags={"mlflow.parentRunId": parent.run_id}, run_name="child"
    ).info
    failed = client.create_run(experiment, start_time=start + 9).info
    for first in range(0, POINTS, 1000):
        points = [Metric("loss", 1 / (step + 1), start + step, step) for step in range(first, first + 1000)]
        client.log_batch(child.run_id, metrics=points)
    client.log_batch(
        parent.run_id,
        metrics=[Metric("nan", math.nan, start, 0), Metric("big", math.inf, start, 1), Metric("low", -1e-300, 5, -3)],
        params=[Param("depth", "3"), Param("long/key 1", "x" * 6000)],
        tags=[
            RunTag("best run", child.run_id),
            RunTag("mlflow.log-model.history", json.dumps([{"run_id": parent.run_id, "artifact_path": "model"}])),
        ],
    )
    model = _log_model(client, experiment, parent, folder)
    _log_artifacts(client, parent.run_id, folder)
    client.set_terminated(parent.run_id, "FINISHED", start + 100)
    client.set_terminated(child.run_id, "KILLED", start + 50)
    client.set_terminated(failed.run_id, "FAILED", start + 60)
    deleted = client.create_run(experiment, start_time=start + 10, run_name="deleted").info.run_id
    client.log_metric(deleted, "loss", 7)
    client.set_terminated(deleted)
    client.delete_run(deleted)
    gone = client.create_experiment(GONE)
    client.set_terminated(client.create_run(gone, run_name="in gone").info.run_id)
    client.delete_experiment(gone)
    _register(client, parent, model)
    return Seeded(url, parent.run_id, child.run_id, failed.run_id, deleted, model)


def _log_model(client: Any, experiment: str, run: Any, folder: Path) -> str:
    from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput, LoggedModelOutput

    made = client.create_logged_model(
        experiment, "forest", source_run_id=run.run_id, params={"trees": "9"}, tags={"kind": "good"}, model_type="clf"
    )
    client.log_metric(run.run_id, "auc", 0.9, timestamp=5, step=2, model_id=made.model_id)
    (folder / "model").mkdir()
    (folder / "model" / "MLmodel").write_text(f"run_id: {run.run_id}\n")
    client.log_model_artifacts(made.model_id, str(folder / "model"))
    client.finalize_logged_model(made.model_id, "READY")
    client.log_outputs(run.run_id, [LoggedModelOutput(made.model_id, step=4)])
    dataset = Dataset("iris", "d1", "http", "http://example.com/i.csv", schema="{}", profile='{"rows": 3}')
    used = DatasetInput(dataset, [InputTag("mlflow.data.context", "train")])
    client.log_inputs(run.run_id, datasets=[used], models=[LoggedModelInput(made.model_id)])
    return str(made.model_id)


def _log_artifacts(client: Any, run_id: str, folder: Path) -> None:
    kept = folder / "kept"
    (kept / "deep" / "er").mkdir(parents=True)
    (kept / "empty").write_bytes(b"")
    (kept / "deep" / "er" / "ünï cödé 1% #2?.txt").write_text("odd")
    (kept / "model").mkdir()
    (kept / "model" / "MLmodel").write_text("flavors: {}")
    (kept / "big.bin").write_bytes(os.urandom(1024) * 5 * 1024)
    client.log_artifacts(run_id, str(kept))


def _register(client: Any, run: Any, model: str) -> None:
    client.create_registered_model(MODEL, tags={"a": "b"}, description="who leaves")
    files = f"{run.artifact_uri}/model"
    client.create_model_version(MODEL, files, run_id=run.run_id, tags={"x": "y"}, description="first")
    client.create_model_version(MODEL, files, run_id=run.run_id)
    client.create_model_version(MODEL, f"models:/{model}", run_id=run.run_id, model_id=model)
    client.delete_model_version(MODEL, "2")
    client.create_model_version(MODEL, "s3://elsewhere/model")
    client.set_registered_model_alias(MODEL, "champion", "3")
    client.set_registered_model_alias(MODEL, "lost", "4")
    with warnings.catch_warnings(category=FutureWarning, action="ignore"):
        client.transition_model_version_stage(MODEL, "1", "Production")
    client.register_prompt("import-prompt", "Say {{word}}.")
    client.create_registered_model(COPY)
    client.create_model_version(COPY, f"models:/{MODEL}/1", run_id=run.run_id)


@dataclass(frozen=True)
class Place:
    """The project that is written to: its server's address, its MLflow address and a token of its owner."""

    url: str
    tracking_uri: str
    token: str
    path: str
    app: Flask

    def project(self) -> Project:
        """Return it in our client."""
        return Client(self.url, self.token).project(*self.path.split("/"))

    def mlflow(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        """MLflow's own client on it."""
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", self.token)
        return client_of(self.tracking_uri)

    def command(self, source: str, *more: str) -> list[str]:
        """The command line of an import, for a process of its own."""
        return [sys.executable, "-m", "modelyard.cli.main", "import", "mlflow", source, "--project", self.path, *more]

    @property
    def environment(self) -> dict[str, str]:
        """What that process is told by its environment."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("MODELYARD_", "MLFLOW_"))}
        return kept | {"MODELYARD_URL": self.url, "MODELYARD_TOKEN": self.token}


@pytest.fixture
def place(live: str, wire: Wire, app: Flask) -> Place:
    """An empty project."""
    token = wire.headers["Authorization"].removeprefix("Bearer ")
    path = wire.prefix.removeprefix("/mlflow/")
    return Place(live, f"{live}{quote(wire.prefix)}", token, path, app)
