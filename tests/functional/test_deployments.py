"""A real model behind a real server: deployed, asked, killed, adopted and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.functional.conftest import Tenant
from tests.functional.running_server import RunningServer, eventually

MAKE_MODELS = Path(__file__).parents[1] / "serving" / "make_models.py"
FLOWER = [5.1, 3.5, 1.4, 0.2]
COLUMNS = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]


@pytest.fixture(scope="session")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a scikit-learn model."""
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, MAKE_MODELS, folder], check=True, capture_output=True, cwd=folder)
    return folder / "iris"


class Deployed:
    """The deployment `live` of a model that was uploaded and registered over HTTP."""

    def __init__(self, server: RunningServer, tenant: Tenant, model: Path) -> None:
        self.server, self.tenant = server, tenant
        self.home = Path(server.environment["MODELYARD_DATA_DIRECTORY"]) / "deployments"
        run = self._post(f"{tenant.mlflow}/api/2.0/mlflow/runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
        for file in sorted(model.rglob("*")):
            if file.is_file():
                path = f"0/{run}/artifacts/model/{file.relative_to(model)}"
                address = f"{tenant.mlflow}/api/2.0/mlflow-artifacts/artifacts/{path}"
                answer = server.request("PUT", address, token=tenant.token, body=file.read_bytes())
                assert answer.status == 200, answer.body
        self._post(f"{tenant.api}/models", {"name": "iris"})
        source = f"mlflow-artifacts:/0/{run}/artifacts/model"
        self._post(f"{tenant.api}/models/iris/versions", {"source": source})
        self._post(f"{tenant.api}/deployments", {"name": "live", "model": "iris", "version": "1"})

    def _post(self, path: str, body: Any) -> Any:
        answer = self.server.post(path, body, token=self.tenant.token)
        assert answer.status in {200, 201}, answer.body
        return answer.json()

    def get(self) -> Any:
        return self.server.get(f"{self.tenant.api}/deployments/live", token=self.tenant.token).json()

    def ready(self, *, other_than: int = 0) -> int:
        """Wait until it is ready; returns the pid of its one replica."""

        def look() -> int:
            seen = self.get()
            if seen["status"] != "ready" or seen["ready_replicas"] != 1:
                return 0
            pid = int(seen["replica_states"][0]["identity"]["pid"])
            return pid if pid != other_than else 0

        return eventually(look, f"a ready replica other than {other_than}")

    def ask(self, path: str, body: Any) -> Any:
        answer = self.server.post(f"/serve/{self.tenant.place}/live/{path}", body, token=self.tenant.token)
        assert answer.status == 200, answer.body
        return answer.json()

    def predictions(self) -> Any:
        return self.ask("invocations", {"dataframe_split": {"columns": COLUMNS, "data": [FLOWER]}})["predictions"]

    def told(self, verb: str) -> int:
        """How often it was told that this happened to the deployment."""
        events = self.server.get(f"{self.tenant.api}/events?limit=200", token=self.tenant.token).json()["items"]
        return [event["action"] for event in events].count(f"deployment.{verb}")

    def processes(self) -> list[int]:
        """The pids of all model servers of this deployment, whoever knows of them."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            command = process.info["cmdline"] or []
            if "modelyard.serving" in command and any(str(self.home) in part for part in command):
                found.append(process.pid)
        return found


@pytest.fixture
def deployed(server: RunningServer, tenant: Tenant, iris: Path) -> Deployed:
    return Deployed(server.start(), tenant, iris)


def test_a_model_is_deployed_asked_killed_adopted_and_deleted(server: RunningServer, deployed: Deployed) -> None:
    first = deployed.ready()
    assert deployed.predictions() == [0]
    answer = deployed.ask(
        "v2/models/iris/infer",
        {"inputs": [{"name": "flowers", "shape": [1, 4], "datatype": "FP64", "data": FLOWER}]},
    )
    assert (answer["model_version"], answer["outputs"][0]["data"]) == ("1", [0])

    os.kill(first, signal.SIGKILL)
    second = deployed.ready(other_than=first)
    assert deployed.predictions() == [0]

    assert server.stop() == 0
    assert deployed.processes() == [second]
    server.start()
    assert deployed.ready() == second
    assert deployed.predictions() == [0]

    tenant = deployed.tenant
    logs = server.get(f"{tenant.api}/deployments/live/logs", token=tenant.token).json()["items"]
    assert "/invocations" in logs[0]["text"]

    assert server.request("DELETE", f"{tenant.api}/deployments/live", token=tenant.token).status == 202
    eventually(lambda: not list(deployed.home.glob("*")), "the end of the folder")
    assert not psutil.pid_exists(second) or psutil.Process(second).status() == psutil.STATUS_ZOMBIE
    eventually(lambda: deployed.told("deleted") == 1, "the event of its end")
    assert [deployed.told(verb) for verb in ("created", "deleted", "failed")] == [1, 1, 0]


def test_a_worker_that_is_killed_in_the_middle_leaves_one_replica(server: RunningServer, deployed: Deployed) -> None:
    started = eventually(lambda: deployed.processes(), "the start of the replica")
    killed = server.kill("worker")
    eventually(lambda: killed not in server.pids("worker") and server.pids("worker"), "another worker")
    assert deployed.ready() == started[0]
    assert deployed.processes() == started
    assert deployed.predictions() == [0]
