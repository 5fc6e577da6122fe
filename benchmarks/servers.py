"""Servers to measure: Modelyard's own, and MLflow's, each in a folder and on a database of its own."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psutil

from modelyard.client import Client

PASSWORD = "correct horse battery"
START_SECONDS = 120


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


class Server:
    """A process that answers HTTP; `headers` go with every request, `prefix` before every path of MLflow's API."""

    probe = "/health"

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        self.name, self.folder, self.environment = name, folder, environment
        self.port = free_port()
        self.prefix = ""
        self.headers: dict[str, str] = {}
        self.start_seconds = 0.0
        folder.mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        """What to run."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it, wait for its first answer, and keep how long that took."""
        began = time.perf_counter()
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), env=self.environment, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        while not self._answers():
            if self.process.poll() is not None or time.perf_counter() > began + START_SECONDS:
                raise RuntimeError(f"{self.name} did not start: {(self.folder / 'server.log').read_text()[-2000:]}")
            time.sleep(0.02)
        self.start_seconds = time.perf_counter() - began

    def pss_mib(self) -> float:
        """Return the memory of all processes, shared pages divided among those that share them."""
        family = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        return sum(process.memory_full_info().pss for process in family) / 1024**2

    def kill(self) -> None:
        """End all of its processes at once, without a warning."""
        family = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        for process in family:
            process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

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
    """`modelyard serve` with authentication on, and two projects."""

    probe = "/health/ready"

    def __init__(self, folder: Path, database_url: str) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("MODELYARD_", "PROMETHEUS_"))}
        super().__init__("modelyard", folder, kept)
        self.environment |= {
            "MODELYARD_DATA_DIRECTORY": str(folder / "data"),
            "MODELYARD_DATABASE_URL": database_url,
            "MODELYARD_LIMITS_ENABLED": "false",
            "MODELYARD_SERVER_PORT": str(self.port),
        }

    def command(self) -> list[str]:
        """The supervisor with its server and its worker."""
        return [sys.executable, "-m", "modelyard.cli.main", "serve"]

    def fill(self) -> None:
        """Make a user, a token and two projects; requests go to the first."""
        create = [sys.executable, "-m", "modelyard.cli.main", "admin", "users", "create", "ada", "--admin"]
        subprocess.run(
            [*create, "--password-stdin"], env=self.environment, input=PASSWORD.encode(), check=True, capture_output=True
        )
        client = Client(f"http://127.0.0.1:{self.port}")
        client.session.create("ada", PASSWORD)
        token = client.tokens.create("benchmark", ["read", "write", "admin"])["token"]
        client = Client(f"http://127.0.0.1:{self.port}", token)
        client.call("POST", "/api/v1/organizations", json={"slug": "acme", "name": "Acme"})
        for slug in ("one", "two"):
            client.call("POST", "/api/v1/organizations/acme/projects", json={"slug": slug, "name": slug})
        self.prefix = "/mlflow/acme/one"
        self.headers = {"Authorization": f"Bearer {token}"}


class Mlflow(Server):
    """`mlflow server`, by default with its four workers."""

    def __init__(self, name: str, folder: Path, database_url: str, *, workers: int = 4) -> None:
        super().__init__(name, folder, {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"})
        self.database_url, self.workers = database_url, workers

    def command(self) -> list[str]:
        """The server as its documentation starts it, keeping artifacts itself."""
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", str(self.workers)]
        options += ["--backend-store-uri", self.database_url]
        options += ["--artifacts-destination", str(self.folder / "artifacts")]
        return [sys.executable, "-m", "mlflow", "server", *options]


@contextmanager
def database_of(postgresql: str, folder: Path, name: str) -> Iterator[str]:
    """Make a database of one server's own, and drop it at the end."""
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
