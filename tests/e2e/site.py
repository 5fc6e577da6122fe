"""One real server with a user, a project and data in it, made over HTTP as programs make them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.functional.running_server import Answer, RunningServer

USERNAME, PASSWORD = "ada", "correct horse battery"
PLACE = "/acme/churn"
PROJECT = "/api/v1/organizations/acme/projects/churn"
WIRE = "/mlflow/acme/churn/api/2.0"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c494441"
    "54789c631068480000019400f1d111ba470000000049454e44ae426082"
)


EXAMPLE = Path(__file__).parents[2] / "examples" / "modelyard-carrier-pigeon" / "src"


def install_example(packages: Path) -> str:
    """Install a stranger's plugin beside the server, as pip would; returns the PYTHONPATH that finds it."""
    info = packages / "modelyard_carrier_pigeon-1.0.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: modelyard-carrier-pigeon\nVersion: 1.0.0\n")
    (info / "entry_points.txt").write_text("[modelyard]\ncarrier_pigeon = modelyard_carrier_pigeon\n")
    return os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH", ""), str(packages), str(EXAMPLE))))


class Site:
    """The server, and what tests and their browser need to know of it."""

    def __init__(self, directory: Path) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("MODELYARD_", "PROMETHEUS_"))}
        environment = kept | {
            "MODELYARD_DATA_DIRECTORY": str(directory / "data"),
            "MODELYARD_LOG_FORMAT": "json",
            "MODELYARD_OUTGOING_ALLOWED_NETWORKS": "127.0.0.0/8",
            "PYTHONPATH": install_example(directory / "packages"),
        }
        self.server = RunningServer(environment, directory / "serve.log")
        self.token = ""
        self.runs: dict[str, str] = {}
        self.connection = ""

    @property
    def url(self) -> str:
        """The address of the server."""
        return self.server.url

    def start(self) -> None:
        """Start the server and fill it."""
        self.server.start()
        command = ("admin", "users", "create", USERNAME, "--admin", "--password-stdin")
        subprocess.run(
            [sys.executable, "-m", "modelyard.cli.main", *command],
            input=PASSWORD,
            text=True,
            env=self.server.environment,
            check=True,
            capture_output=True,
        )
        self.token = self._make_token()
        self.post("/api/v1/organizations", {"slug": "acme", "name": "Acme"})
        self.post("/api/v1/organizations/acme/projects", {"slug": "churn", "name": "Customer churn"})
        self.ok("PATCH", PROJECT, {"allow_local_deployments": True})
        for number, (name, accuracy) in enumerate({"shallow": 0.7, "deep": 0.9, "deeper": 0.8}.items()):
            self.runs[name] = self.log_run(name, accuracy, depth=number + 2)
        wish = {"kind": "notifier", "provider": "log", "name": "server-log", "settings": {"level": "info"}}
        self.connection = str(self.post(f"{PROJECT}/connections", wish)["id"])
        self._keep_artifacts(self.runs["deep"])
        self._register_model(self.runs["deep"])

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request that must be granted; returns what the answer says."""
        answer = self.server.request(method, path, token=self.token, body=body)
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.body!r}"
        return answer.json() if answer.body else None

    def post(self, path: str, body: Any) -> Any:
        """Send a POST that must be granted."""
        return self.ok("POST", path, body)

    def log_run(self, name: str, accuracy: float, *, depth: int) -> str:
        """Log a finished run with a curve, as an MLflow client does."""
        now = int(time.time() * 1000)
        wish = {"experiment_id": "0", "run_name": name, "start_time": now - 60_000}
        run = str(self.post(f"{WIRE}/mlflow/runs/create", wish)["run"]["info"]["run_id"])
        metrics = [
            {"key": "loss", "value": 1 / (step + 1), "timestamp": now + step, "step": step} for step in range(20)
        ]
        metrics.append({"key": "accuracy", "value": accuracy, "timestamp": now, "step": 0})
        params = [{"key": "depth", "value": str(depth)}]
        self.post(f"{WIRE}/mlflow/runs/log-batch", {"run_id": run, "metrics": metrics, "params": params})
        self.post(f"{WIRE}/mlflow/runs/update", {"run_id": run, "status": "FINISHED", "end_time": now})
        return run

    def get(self, path: str) -> Answer:
        """Send a GET."""
        return self.server.get(path, token=self.token)

    def _make_token(self) -> str:
        proof = {"X-Requested-With": "test"}
        sign_in = {"username": USERNAME, "password": PASSWORD}
        session = self.server.request("POST", "/api/v1/session", body=sign_in, headers=proof)
        assert session.status == 201, session.body
        headers = {**proof, "Cookie": {key.lower(): value for key, value in session.headers.items()}["set-cookie"]}
        wish = {"name": "setup", "scopes": ["admin", "deploy", "read", "write"]}
        return str(self.server.request("POST", "/api/v1/tokens", body=wish, headers=headers).json()["token"])

    def _keep_artifacts(self, run: str) -> None:
        found = self.ok("GET", f"{WIRE}/mlflow/runs/get?run_id={run}")
        root = found["run"]["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
        for path, content in (
            ("notes.txt", b"three layers\n"),
            ("mistakes.json", b'{"columns": ["is", "said"], "data": [["cat", "dog"]]}'),
            ("plots/confusion.png", PIXEL),
            ("model/MLmodel", b"flavors: {}\n"),
        ):
            self.ok("PUT", f"{WIRE}/mlflow-artifacts/artifacts/{root}/{path}", content)

    def _register_model(self, run: str) -> None:
        self.post(f"{PROJECT}/models", {"name": "risk", "description": "Who leaves next month."})
        self.post(f"{PROJECT}/models/risk/versions", {"source": f"runs:/{run}/model", "run_id": run})
