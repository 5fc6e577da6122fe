"""The steps of the tour. Each takes a `report(share, detail)` and returns in a few words what it made, or raises."""

from __future__ import annotations

import json
import logging
import os
import secrets
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local_server import BIN, LocalServer, wait_for

from modelyard.client import Client

Report = Callable[[float, str], None]
HERE = Path(__file__).parent
PIGEON = HERE.parent / "modelyard-carrier-pigeon"
ORGANIZATION, PROJECT, ARCHIVE = "acme", "diagnosis", "archive"
MODEL, DEPLOYMENT = "tumour", "tumour-live"
NOTIFIED = ["model_version.stage_changed", "deployment.became_ready"]
SCOPES = ("admin", "deploy", "read", "write")
PATIENCE_SECONDS = 60


class Tour:
    """What the steps hand to one another."""

    username = "ada"
    place = f"{ORGANIZATION}/{PROJECT}"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.server = LocalServer(directory)
        self.password = secrets.token_urlsafe(12)
        self._client: Client | None = None
        self._model_uri = ""
        self._version = 0
        self._data: Any = None
        self._received = directory / "received.jsonl"
        self._loft = directory / "loft.jsonl"

    @property
    def client(self) -> Client:
        """The API's client, once there is a token."""
        assert self._client is not None
        return self._client

    def start_server(self, report: Report) -> str:
        """Begin anew, and start server and worker on loopback."""
        report(0.2, "ending what an earlier tour left")
        self.server.begin_anew()
        report(0.5, "starting")
        self.server.start()
        return self.server.url

    def create_tenant(self, report: Report) -> str:
        """Create the first user at the command line, the rest through the API."""
        command = [str(BIN / "modelyard"), "admin", "users", "create", self.username, "--admin", "--password-stdin"]
        environment = {**os.environ, "MODELYARD_DATA_DIRECTORY": str(self.server.data)}
        subprocess.run(command, input=self.password, text=True, env=environment, check=True, capture_output=True)
        report(0.3, "signing in")
        browser = Client(self.server.url, token="")
        browser.session.create(self.username, self.password)
        token = browser.tokens.create("demo", SCOPES)["token"]
        self._client = Client(self.server.url, token=token)
        report(0.6, "organization and project")
        self.client.organizations.create(ORGANIZATION, name="Acme")
        self.client.projects.create(ORGANIZATION, PROJECT, name="Diagnosis", description="Is this tumour benign?")
        self.client.project(ORGANIZATION, PROJECT).edit(allow_local_deployments=True)
        self._log_to(PROJECT, token)
        return f"{self.username}, {self.place}"

    def connect_notifiers(self, report: Report) -> str:
        """Make two connections: the server's log, and a webhook to a small receiver of ours."""
        port_file, lock_file = self.directory / "receiver.port", self.directory / "receiver.lock"
        for old in (port_file, self._received, self._loft):
            old.unlink(missing_ok=True)
        script = [sys.executable, str(HERE / "receiver.py")]
        quiet = subprocess.DEVNULL
        subprocess.Popen(
            [*script, "--out", str(self._received), "--port-file", str(port_file), "--lock-file", str(lock_file)],
            stdin=quiet,
            stdout=quiet,
            stderr=quiet,
            start_new_session=True,
        )
        wait_for(port_file.exists, PATIENCE_SECONDS, "the webhook receiver")
        url = f"http://127.0.0.1:{port_file.read_text()}/"
        connections = self.client.project(ORGANIZATION, PROJECT).connections
        hook = connections.create("notifier", "webhook", "team-webhook", {"url": url}, subscriptions=NOTIFIED)
        connections.create("notifier", "log", "team-log", {}, subscriptions=NOTIFIED)
        health = connections.test(hook["id"])
        if not health["ok"]:
            raise RuntimeError(f"The webhook does not answer: {health['message']}")
        return f"log, webhook {url}"

    def train(self, report: Report) -> str:
        """Train 20 models with the unmodified MLflow client."""
        report(0.0, "importing scikit-learn and MLflow")
        warnings.simplefilter("ignore")  # scikit-learn says that 40 epochs are few, MLflow that it will change
        import training

        logging.getLogger("mlflow").setLevel(logging.ERROR)

        self._data = training.Data()
        runs = []
        for name, accuracy in training.train_all(self._data):
            runs.append(accuracy)
            report(len(runs) / 20, f"{len(runs)} of 20: {name}, accuracy {accuracy:.3f}")
        return f"{len(runs)} runs, accuracy {min(runs):.3f} to {max(runs):.3f}"

    def register(self, report: Report) -> str:
        """Search the best run, register its model from the client, promote it through our API."""
        import mlflow
        import training

        best, count = training.best_run()
        if count != 20:
            raise RuntimeError(f"The search found {count} runs of 20.")
        report(0.4, f"best of {count}: {best['tags.mlflow.runName']}")
        version = mlflow.register_model(f"runs:/{best['run_id']}/model", MODEL)
        self._version = int(version.version)
        report(0.7, "promoting")
        project = self.client.project(ORGANIZATION, PROJECT)
        project.models.promote(MODEL, self._version, "Production", reason="best accuracy of 20")
        self._model_uri = f"models:/{MODEL}/{self._version}"
        accuracy = best["metrics.accuracy"]
        return f"{MODEL} version {self._version} in Production, accuracy {accuracy:.3f}"

    def deploy(self, report: Report) -> str:
        """Deploy the version as a local process, and wait until it is healthy."""
        deployments = self.client.project(ORGANIZATION, PROJECT).deployments
        deployments.create(DEPLOYMENT, MODEL, self._version, target="local_process")
        shares = {"pending": 0.1, "starting": 0.5}

        def show(seen: Mapping[str, Any]) -> None:
            report(shares.get(seen["status"], 0.9), f"{seen['status']} {seen['message']}".strip())

        ready = deployments.wait_until_ready(DEPLOYMENT, deadline_seconds=180, on_change=show)
        return str(ready["address"])

    def predict(self, report: Report) -> str:
        """Send the test rows by both protocols, and compare with what the model itself says."""
        import mlflow

        rows = self._data.test_x
        own = [int(value) for value in mlflow.pyfunc.load_model(self._model_uri).predict(rows)]
        report(0.5, "MLflow's scoring protocol")
        body = {"dataframe_split": rows.to_dict(orient="split")}
        scored = self.client.predict(ORGANIZATION, PROJECT, DEPLOYMENT, body)["predictions"]
        report(0.8, "Open Inference Protocol v2")
        shape = {"shape": [len(rows)], "datatype": "FP64"}
        inputs = [{"name": name, **shape, "data": rows[name].tolist()} for name in rows.columns]
        answer = self.client.infer(ORGANIZATION, PROJECT, DEPLOYMENT, MODEL, inputs)
        inferred = answer["outputs"][0]["data"]
        if not own == [int(value) for value in scored] == [int(value) for value in inferred]:
            raise RuntimeError("The deployment's answers differ from the model's own.")
        return f"{len(own)} rows by 2 protocols, all answers equal"

    def check_notifications(self, report: Report) -> str:
        """Wait until both notifiers have been told of the promotion and the deployment."""
        wait_for(lambda: set(NOTIFIED) <= self._told(self._received), PATIENCE_SECONDS, "the webhook's notifications")
        report(0.7, "webhook")
        project = self.client.project(ORGANIZATION, PROJECT)

        def log_was_told() -> bool:
            mine = [row for row in project.audit.deliveries() if row["subscriber"] == "team-log"]
            return set(NOTIFIED) <= {row["action"] for row in mine if row["state"] == "done"}

        wait_for(log_was_told, PATIENCE_SECONDS, "the log's notifications")
        return "promotion and deployment, by log and by webhook"

    def install_plugin(self, report: Report) -> str:
        """Install a stranger's distribution with pip beside Modelyard, and restart the server."""
        report(0.2, "pip install modelyard-carrier-pigeon")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
        done = subprocess.run([*pip, str(PIGEON)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"pip failed: {done.stderr[-1000:]}")
        report(0.6, "restarting the server")
        self.server.stop()
        self.server.start()
        plugin = self.client.plugins.get("carrier_pigeon")
        if plugin["state"] != "loaded":
            raise RuntimeError(f"The plugin did not load: {plugin['error']}")
        self.client.project(ORGANIZATION, PROJECT).deployments.wait_until_ready(DEPLOYMENT, deadline_seconds=60)
        return f"{plugin['distribution']} {plugin['version']}; the deployment went on meanwhile"

    def use_plugin(self, report: Report) -> str:
        """Keep a second project's artifacts in the plugin's storage, and be told by its notifier."""
        import mlflow

        self.client.projects.create(ORGANIZATION, ARCHIVE, name="Archive")
        archive = self.client.project(ORGANIZATION, ARCHIVE)
        zips = self.directory / "data" / "zips"
        storage = archive.connections.create("storage", "zipped_files", "zips", {"folder": str(zips)})
        archive.edit(storage_connection_id=storage["id"])
        archive.connections.create("notifier", "carrier_pigeon", "pigeons", {"loft": str(self._loft)})
        report(0.4, "logging an artifact")
        self._log_to(ARCHIVE, os.environ["MLFLOW_TRACKING_TOKEN"])
        mlflow.set_experiment("Default")
        with mlflow.start_run(run_name="kept zipped") as run:
            mlflow.log_text("kept in a zip\n", "note.txt")
        with tempfile.TemporaryDirectory() as folder:
            fetch = mlflow.artifacts.download_artifacts
            path = fetch(run_id=run.info.run_id, artifact_path="note.txt", dst_path=folder)
            if Path(path).read_text() != "kept in a zip\n" or not list(zips.rglob("*.zip")):
                raise RuntimeError("The artifact did not come back from the plugin's storage.")
        self._log_to(PROJECT, os.environ["MLFLOW_TRACKING_TOKEN"])
        report(0.8, "waiting for the pigeon")
        wait_for(lambda: "run.finished" in self._told(self._loft), PATIENCE_SECONDS, "the carrier pigeon")
        return f"an artifact in {zips.name}/, {len(self._loft.read_text().splitlines())} pigeons"

    def leave(self) -> None:
        """Stop the deployment and the server, as far as they came."""
        if self._client is not None:
            deployments = self.client.project(ORGANIZATION, PROJECT).deployments
            if any(row["name"] == DEPLOYMENT for row in deployments.list()):
                deployments.stop(DEPLOYMENT)
                wait_for(self._deployment_is_stopped, PATIENCE_SECONDS, "the deployment's end")
        self.server.leave()

    def _deployment_is_stopped(self) -> bool:
        deployments = self.client.project(ORGANIZATION, PROJECT).deployments
        return bool(deployments.get(DEPLOYMENT)["status"] == "stopped")

    def _log_to(self, project: str, token: str) -> None:
        os.environ["MLFLOW_TRACKING_URI"] = f"{self.server.url}/mlflow/{ORGANIZATION}/{project}"
        os.environ["MLFLOW_TRACKING_TOKEN"] = token
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
        if "mlflow" in sys.modules:
            sys.modules["mlflow"].set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])

    @staticmethod
    def _told(file: Path) -> set[str]:
        """Return the actions that a receiver's file tells of."""
        if not file.exists():
            return set()
        told = [json.loads(line) for line in file.read_text().splitlines()]
        return {line.get("action") or line["body"]["type"].removeprefix("modelyard.") for line in told}
