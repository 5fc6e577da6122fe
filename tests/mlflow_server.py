"""A real `mlflow server` process, started once for the session: its start takes longer than most tests."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.parts import need

PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class MlflowServer:
    """Where it listens, and the folder that holds its database and artifacts."""

    url: str
    folder: Path


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """MLflow's own tracking server on SQLite, which keeps artifacts itself; tests share it and what is in it."""
    from tests.functional.running_server import free_port

    need(importlib.util.find_spec("mlflow"), "no mlflow server: pip install mlflow")
    folder = tmp_path_factory.mktemp("mlflow_server")
    server = MlflowServer(f"http://127.0.0.1:{free_port()}", folder)
    options = ["--host", "127.0.0.1", "--port", server.url.rpartition(":")[2], "--workers", "1"]
    options += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    options += ["--artifacts-destination", str(folder / "artifacts")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *options],
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait(process, server)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process: subprocess.Popen[bytes], server: MlflowServer) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{server.url}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            ended = process.poll() is not None
            assert not ended, f"The MLflow server ended: {(server.folder / 'log').read_text()[-2000:]}"
            assert time.monotonic() < deadline, "The MLflow server did not start."
            time.sleep(0.1)
