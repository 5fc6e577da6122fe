import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from modelyard.serving.messages import RefusedError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # MLflow warns about itself while it is imported
    import mlflow.pyfunc  # noqa: F401

HERE = Path(__file__).parent
DEADLINE = 60.0


def until(true: Callable[[], object], what: str) -> None:
    """Poll until something holds; fail, saying what never came true, after the deadline."""
    deadline = time.monotonic() + DEADLINE
    pause = threading.Event()
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {DEADLINE} seconds"
        pause.wait(0.02)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        def refuse(name: str) -> None:
            raise AssertionError(f"{name} is not strict JSON")

        return json.loads(self.body, parse_constant=refuse)


@dataclass
class Server:
    """A model server in a process of its own."""

    process: subprocess.Popen[bytes]
    directory: Path
    token: str | None = None

    @property
    def state(self) -> dict[str, Any]:
        return json.loads((self.directory / "replica.json").read_text(encoding="utf-8"))

    @property
    def stdout(self) -> str:
        return (self.directory / "stdout").read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        return (self.directory / "stderr").read_text(encoding="utf-8")

    def wait_for_address(self) -> None:
        until(lambda: (self.directory / "replica.json").exists() or self.process.poll() is not None, "replica.json")
        assert self.process.poll() is None, self.stderr

    def wait_until_ready(self) -> None:
        self.wait_for_address()
        until(lambda: self.process.poll() is not None or self.call("/health/ready").status == 200, "ready")
        assert self.process.poll() is None, self.stderr

    def call(
        self, path: str, body: bytes | Any = None, *, method: str | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        if body is not None and not isinstance(body, bytes):
            body, headers = json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(self.state["address"] + path, body, headers or {}, method=method)
        if self.token and not request.has_header("Authorization"):
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as answer:
            with answer:
                return Answer(answer.code, answer.headers, answer.read())

    def exit_code(self) -> int:
        return self.process.wait(DEADLINE)


@contextlib.contextmanager
def serving(model: Path, directory: Path, *arguments: str, **environment: str) -> Iterator[Server]:
    directory.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "modelyard.serving", "--model", str(model), "--directory", str(directory)]
    with (directory / "stdout").open("wb") as stdout, (directory / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [*command, *arguments], stdout=stdout, stderr=stderr, env={**os.environ, **environment}
        )
    try:
        yield Server(process, directory, environment.get("MODELYARD_REPLICA_TOKEN"))
    finally:
        process.kill()
        process.wait()


def answer_or_refusal(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except RefusedError as refused:
        return refused


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the models `iris` and `odd`, and `iris.json`: rows and what the model itself predicts for them."""
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, HERE / "make_models.py", folder], check=True, capture_output=True, cwd=folder)
    return folder


@pytest.fixture(scope="session")
def flowers(models: Path) -> dict[str, Any]:
    return json.loads((models / "iris.json").read_text(encoding="utf-8"))
