"""Servers to measure: Modelyard's own and MLflow's, each in a folder of its own."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil

from modelyard.client import Client

API = "/api/2.0/mlflow"
PASSWORD = "correct horse battery"
START_SECONDS = 120
STOP_SECONDS = 30


@dataclass(frozen=True)
class Space:
    """Where runs go: a project of Modelyard's, an experiment of MLflow's; `prefix` comes before each path of its API."""

    prefix: str
    experiment_id: str


class Server:
    """A process that answers MLflow's protocol; `headers` go with every request, and there are two spaces."""

    probe = "/health"

    def __init__(self, name: str, folder: Path, database_url: str, environment: dict[str, str]) -> None:
        self.name, self.folder, self.database_url, self.environment = name, folder, database_url, environment
        with socket.socket() as trial:
            trial.bind(("127.0.0.1", 0))
            self.port = int(trial.getsockname()[1])
        self.headers: dict[str, str] = {}
        self.spaces: list[Space] = []
        folder.mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        """What to run."""
        raise NotImplementedError

    def start(self) -> float:
        """Start it, wait for its first answer, and return how many seconds that took."""
        began = time.perf_counter()
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), env=self.environment, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        while not self._answers():
            if self.process.poll() is not None or time.perf_counter() > began + START_SECONDS:
                raise RuntimeError(f"{self.name} did not start: {(self.folder / 'server.log').read_text()[-2000:]}")
            time.sleep(0.01)
        return time.perf_counter() - began

    def family(self) -> list[psutil.Process]:
        """Return all of its processes."""
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]

    def pss_mib(self) -> float:
        """Return the memory of all processes, shared pages divided among those that share them."""
        return float(sum(process.memory_full_info().pss for process in self.family())) / 1024**2

    def freeze(self) -> None:
        """Let none of its processes run, so that what it does when idle takes nothing from others."""
        for process in self.family():
            process.suspend()

    def thaw(self) -> None:
        """Let them run again."""
        for process in self.family():
            process.resume()

    def kill(self) -> None:
        """End all of its processes at once, without a warning."""
        for process in self.family():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it."""
        if self.process.poll() is not None:
            return
        self.thaw()
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", self.probe)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class Modelyard(Server):
    """`modelyard serve` with authentication on; its spaces are two projects."""

    probe = "/health/ready"

    def __init__(self, folder: Path, database_url: str) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("MODELYARD_", "PROMETHEUS_"))}
        super().__init__("modelyard", folder, database_url, kept)
        self.environment |= {
            "MODELYARD_DATA_DIRECTORY": str(folder / "data"),
            "MODELYARD_DATABASE_URL": database_url,
            "MODELYARD_LIMITS_ENABLED": "false",
            "MODELYARD_SERVER_PORT": str(self.port),
        }

    def command(self) -> list[str]:
        """The supervisor, which starts servers and worker."""
        return [sys.executable, "-m", "modelyard.cli.main", "serve"]

    def fill(self) -> None:
        """Make a user, a token and two projects."""
        create = [sys.executable, "-m", "modelyard.cli.main", "admin", "users", "create", "ada", "--admin"]
        subprocess.run(
            [*create, "--password-stdin"],
            env=self.environment,
            input=PASSWORD.encode(),
            check=True,
            capture_output=True,
        )
        client = Client(f"http://127.0.0.1:{self.port}")
        client.session.create("ada", PASSWORD)
        token = client.tokens.create("benchmark", ["read", "write", "admin"])["token"]
        client = Client(f"http://127.0.0.1:{self.port}", token)
        client.call("POST", "/api/v1/organizations", json={"slug": "acme", "name": "Acme"})
        for slug in ("one", "two"):
            client.call("POST", "/api/v1/organizations/acme/projects", json={"slug": slug, "name": slug})
            self.spaces.append(Space(f"/mlflow/acme/{slug}", "0"))
        self.headers = {"Authorization": f"Bearer {token}"}


class Mlflow(Server):
    """`mlflow server` with its default of four workers; its spaces are two experiments."""

    def __init__(self, name: str, folder: Path, database_url: str, *options: str) -> None:
        super().__init__(name, folder, database_url, {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"})
        self.options = options

    def command(self) -> list[str]:
        """The server as its documentation starts it, keeping artifacts itself."""
        options = ["--host", "127.0.0.1", "--port", str(self.port), *self.options]
        options += ["--backend-store-uri", self.database_url]
        options += ["--artifacts-destination", str(self.folder / "artifacts")]
        return [sys.executable, "-m", "mlflow", "server", *options]

    def fill(self) -> None:
        """Make two experiments."""
        client = Client(f"http://127.0.0.1:{self.port}")
        for name in ("one", "two"):
            made = client.call("POST", f"{API}/experiments/create", json={"name": f"{self.name} {name}"})
            self.spaces.append(Space("", made["experiment_id"]))


@contextmanager
def database_of(postgresql: str, folder: Path, name: str) -> Iterator[str]:
    """Make a database of one product's own, and drop it at the end."""
    if not postgresql:
        folder.mkdir(parents=True, exist_ok=True)
        yield f"sqlite:///{folder}/{name}.db"
        return
    import psycopg

    made = f"{name}_{uuid4().hex[:12]}"
    with psycopg.connect(f"{postgresql}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{made}"')
        try:
            yield f"{postgresql}/{made}"
        finally:
            connection.execute(f'DROP DATABASE "{made}" WITH (FORCE)')
