"""The core of what people do, by the client of MLflow 3.12, without the rest of it, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts import older_mlflow
from tests.web.mlflow.conftest import Wire

SEEN = {
    "experiments": {
        "id": "1",
        "tags": {"k": "v"},
        "deleted": ["another"],
        "names": ["Default", "another", "older"],
    },
    "runs": {
        "params": {"lr": "0.1", "kind": "x", "p": "1"},
        "loss": [1.0, 0.5, 1 / 3],
        "odd": "nan",
        "order": [9.0, 1 / 3],
        "deleted": [True],
        "refused": "INVALID_PARAMETER_VALUE",
        "tags": ["stage"],
    },
    "artifacts": {
        "listed": [["files/deep", None], ["files/leer", 0]],
        "read": "two",
        "text": "hello",
        "dict": {"a": 1},
    },
    "models": {
        "ready": "READY",
        "found": [True],
        "version": ["1", "Staging", {"k": "v"}],
        "weights": "w",
        "models": ["risk"],
    },
}


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_it_sees_what_it_logged(wire: Wire, live: str, tmp_path: Path) -> None:
    token = wire.headers["Authorization"].removeprefix("Bearer ")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "MLFLOW_TRACKING_URI": f"{live}{wire.prefix}",
        "MLFLOW_TRACKING_TOKEN": token,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "PYTHONPATH": str(older_mlflow()),
    }
    program = Path(__file__).with_name("older_client.py")
    command = [sys.executable, "-W", "ignore", str(program)]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout)
    assert seen.pop("version").startswith("3.12.")
    assert seen == SEEN
