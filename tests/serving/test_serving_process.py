"""The life of the process, with a model that does what the test asks."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from .conftest import Server, serving, until


def ask(do: str, text: object = "x", **more: Any) -> dict[str, Any]:
    return {"dataframe_records": [{"do": do, "text": str(text)}], **more}


def predictions(server: Server) -> tuple[int, int]:
    """How many run and how many wait."""
    lines = dict(line.rsplit(" ", 1) for line in server.call("/metrics").body.decode().splitlines() if line[0] != "#")
    names = [f"modelyard_serving_predictions_{state}" for state in ("running", "waiting")]
    return int(lines[names[0]]), int(lines[names[1]])


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def test_health_answers_before_the_model_is_loaded(models: Path, tmp_path: Path) -> None:
    gate = pipe(tmp_path / "pipe")
    with serving(models / "odd", tmp_path / "replica", ODD_LOADS_AFTER=str(gate)) as server:
        server.wait_for_address()
        answer = server.call("/health/ready")
        assert (answer.status, answer.json()) == (503, {"status": "starting"})
        assert server.call("/health/live").json() == {"nonce": None, "pid": server.process.pid}
        assert server.call("/ping").status == 503
        assert server.call("/v2/health/ready").json() == {"ready": False}
        assert server.call("/invocations", ask("answer")).status == 503
        gate.write_text("go", encoding="utf-8")
        server.wait_until_ready()
        assert server.call("/health/ready").json() == {"status": "ready"}


def test_a_stop_while_loading_is_a_stop(models: Path, tmp_path: Path) -> None:
    gate = pipe(tmp_path / "pipe")
    with serving(models / "odd", tmp_path / "replica", ODD_LOADS_AFTER=str(gate)) as server:
        server.wait_for_address()
        server.process.send_signal(signal.SIGTERM)
        assert server.exit_code() == 0


def test_a_model_that_fails_tells_a_line_and_keeps_serving(models: Path, tmp_path: Path) -> None:
    with serving(models / "odd", tmp_path, MODELYARD_REPLICA_TOKEN="secret-token") as server:
        server.wait_until_ready()
        answer = server.call("/invocations", ask("raise", "luck"))
        assert (answer.status, answer.json()["error_code"]) == (500, "INTERNAL_ERROR")
        assert answer.json()["message"] == "the model raised RuntimeError: no luck today"
        assert "Traceback" in server.stderr
        assert "odd_model.py" in server.stderr
        assert server.call("/invocations", ask("exit")).status == 500
        assert server.call("/invocations", ask("nan")).json() == {"predictions": [{"number": None, "text": "x"}]}
        assert server.call("/invocations", ask("answer", params={"scale": 2})).json()["predictions"][0]["number"] == 3
        assert server.call("/invocations", ask("answer", params={"scale": "a"})).status == 400
        column = {"shape": [1], "datatype": "BYTES", "data": ["x"]}
        inputs = [{**column, "name": name} for name in ("do", "text")]
        answer = server.call("/v2/models/model/infer", {"inputs": inputs, "parameters": {"scale": 2.0, "other": 1}})
        assert answer.json()["outputs"] == [
            {"name": "number", "shape": [1], "datatype": "FP64", "data": [3.0]},
            {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["x"]},
        ]
        check_token(server)


def check_token(server: Server) -> None:
    for header in ("Bearer wrong", "Basic secret-token", "Bearer", "Bearer sécret"):
        for path in ("/metrics", "/ping", "/invocations", "/nothing", "/v2/health/ready"):
            answer = server.call(path, headers={"Authorization": header})
            assert answer.status == 401, (header, path)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    for path in ("/health/live", "/health/ready"):
        assert server.call(path, headers={"Authorization": "Bearer wrong"}).status == 200
    assert server.call("/metrics", headers={"Authorization": "bearer secret-token"}).status == 200


def test_predictions_run_at_once_up_to_the_threads_given(models: Path, tmp_path: Path) -> None:
    gates = [pipe(tmp_path / name) for name in ("first", "second", "third")]
    threads = {"MODELYARD_SERVING_THREADS": "2"}
    with serving(models / "odd", tmp_path / "replica", **threads) as server, ThreadPoolExecutor() as pool:
        server.wait_until_ready()
        answers = []
        for gate, expected in zip(gates, [(1, 0), (2, 0), (2, 1)], strict=True):
            answers.append(pool.submit(server.call, "/invocations", ask("wait", gate)))
            until(lambda expected=expected: predictions(server) == expected, f"{expected} predictions")
        # Every prediction thread is taken, and yet:
        assert server.call("/health/live").status == 200
        server.process.send_signal(signal.SIGTERM)
        for gate in gates:
            gate.write_text("go", encoding="utf-8")
        # A stop finishes what was begun, what waits for its turn too.
        assert [answer.result().status for answer in answers] == [200, 200, 200]
        assert server.exit_code() == 0
        assert "stopped" in server.stderr


def test_a_stop_does_not_wait_for_ever(models: Path, tmp_path: Path) -> None:
    gate = pipe(tmp_path / "pipe")
    with serving(models / "odd", tmp_path / "replica") as server, ThreadPoolExecutor() as pool:
        server.wait_until_ready()
        answer = pool.submit(server.call, "/invocations", ask("wait", gate))
        until(lambda: predictions(server) == (1, 0), "the prediction runs")
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.exit_code() == 0
        assert time.monotonic() - started < 6
        assert isinstance(answer.exception(), OSError)


def test_a_stop_leaves_the_models_own_threads_behind(models: Path, tmp_path: Path) -> None:
    gate = pipe(tmp_path / "pipe")
    with serving(models / "odd", tmp_path / "replica") as server:
        server.wait_until_ready()
        assert server.call("/invocations", ask("linger", gate)).status == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.exit_code() == 0


def failure(server: Server) -> str:
    return (server.directory / "failure.json").read_text(encoding="utf-8")


def test_a_model_with_a_missing_package_says_what_to_install(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "MLmodel").write_text("flavors:\n  python_function:\n    loader_module: not_a_package.at_all\n")
    (model / "requirements.txt").write_text("mlflow\nNot.A-Package>=1.2  # why\n")
    with serving(model, tmp_path / "replica") as server:
        assert server.exit_code() == 70
        assert "the package not_a_package" in failure(server)
        assert "pip install 'Not.A-Package>=1.2'" in failure(server)
        assert "Traceback" in server.stderr


def test_a_folder_without_a_model_says_so_and_a_later_start_forgets_it(models: Path, tmp_path: Path) -> None:
    with serving(tmp_path, tmp_path / "replica") as server:
        assert server.exit_code() == 70
        assert "no MLmodel file" in failure(server)
    with serving(models / "iris", tmp_path / "replica") as server:
        until(lambda: not (server.directory / "failure.json").exists(), "the old failure is gone")


@pytest.mark.parametrize(("package", "install"), [("waitress", "waitress"), ("mlflow", "mlflow-skinny")])
def test_a_server_without_its_own_packages_says_what_to_install(tmp_path: Path, package: str, install: str) -> None:
    code = f"""
import sys
from pathlib import Path
from modelyard.serving.config import Config
from modelyard.serving.server import serve
sys.modules[{package!r}] = None
sys.exit(serve(Config(Path(), directory=Path({str(tmp_path)!r}))))
"""
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert result.returncode == 70, result.stderr
    reason = json.loads((tmp_path / "failure.json").read_text(encoding="utf-8"))["reason"]
    assert f"the package {package}," in reason
    assert reason.endswith(f"pip install {install}")


def test_a_taken_port_is_a_failure_of_its_own(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with serving(tmp_path, tmp_path / "replica", "--port", port) as server:
            assert server.exit_code() == 69
            assert f"port {port}" in failure(server)


def test_an_interpreter_with_the_server_in_it_has_nothing_of_the_platform() -> None:
    code = """
import pkgutil, sys, importlib, modelyard.serving
light = {"modelyard.serving.server", "modelyard.serving.config"}
for name in light: importlib.import_module(name)
assert not {"mlflow", "pandas", "numpy"} & set(sys.modules), "health checks wait for heavy imports"
for module in pkgutil.iter_modules(modelyard.serving.__path__, "modelyard.serving."):
    if not module.name.endswith("__main__"): importlib.import_module(module.name)
foreign = {"modelyard.core", "modelyard.config", "modelyard.web", "modelyard.cli", "pluggy", "peewee"}
print(sorted(foreign & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "[]"
