"""A real model, saved once, and replicas of them that are all gone at the end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from modelyard import ReplicaSpec, ReplicaStatus
from modelyard.plugins.local_process import life
from modelyard.plugins.local_process.target import LocalProcess
from tests.functional.running_server import eventually

PLAIN_MODEL = """
import os, subprocess, sys
from pathlib import Path
import mlflow.pyfunc
from mlflow.models import set_model


class Plain(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        if os.environ.get("CHILD"):
            environment = None if os.environ["CHILD"] == "session" else {**os.environ}
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                             start_new_session=os.environ["CHILD"] == "escaped", env=environment)
        if os.environ.get("BROKEN"):
            raise RuntimeError("this model is broken")

    def predict(self, context, model_input, params=None):
        return [1]


set_model(Plain())
"""


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that needs nothing but MLflow, and does as its environment says."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "code.py").write_text(PLAIN_MODEL)
    save = "import mlflow.pyfunc as p; p.save_model('model', python_model='code.py', pip_requirements=['mlflow'])"
    subprocess.run([sys.executable, "-c", save], check=True, capture_output=True, cwd=folder)
    return folder / "model"


def spec_in(directory: Path, model: Path, **environment: str) -> ReplicaSpec:
    return ReplicaSpec(
        deployment_id="d1",
        deployment_name="live",
        revision=1,
        index=0,
        directory=directory,
        model_directory=model,
        environment={"MODELYARD_REPLICA_TOKEN": "a-secret-token", **environment},
        model_name="plain",
    )


def end_all(*directories: Path) -> None:
    """Kill whatever runs for these replicas, and wait until no child of this process is left."""

    def are_gone() -> bool:
        left = [pid for directory in directories for pid in life.members(directory)]
        for pid in left:
            with suppress(psutil.NoSuchProcess):
                psutil.Process(pid).kill()
        life.reap()
        return not left and not life._children

    eventually(are_gone, "the end of the replicas")


@pytest.fixture
def target() -> LocalProcess:
    return LocalProcess({})


@pytest.fixture
def spec(tmp_path: Path, plain: Path) -> Iterator[ReplicaSpec]:
    """A replica in a folder of its own; whatever it started is gone at the end."""
    spec = spec_in(tmp_path / "replica", plain)
    yield spec
    end_all(spec.directory)


@pytest.fixture
def with_environment(spec: ReplicaSpec) -> Callable[..., ReplicaSpec]:
    def change(**environment: str) -> ReplicaSpec:
        return replace(spec, environment={**spec.environment, **environment})

    return change


@pytest.fixture
def becomes(target: LocalProcess) -> Callable[[ReplicaSpec, str], ReplicaStatus]:
    """Wait until the replica is seen in a state."""

    def wait(spec: ReplicaSpec, state: str) -> ReplicaStatus:
        last: Any = None

        def look() -> bool:
            nonlocal last
            last = target.observe(spec)
            return bool(last.state == state)

        try:
            eventually(look, state)
        except AssertionError:
            raise AssertionError(f"not {state}: {last}; {target.logs(spec, lines=5)}") from None
        return last

    return wait
