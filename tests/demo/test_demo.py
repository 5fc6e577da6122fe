"""`make demo`, not trusted: what it says is read back through other doors, and real processes are killed under it."""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import signal
import sqlite3
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.functional.running_server import eventually, free_port

pytestmark = pytest.mark.demo
ROOT = Path(__file__).parents[2]
PLACE = "acme/diagnosis"
API = "/api/v1/organizations/acme/projects/diagnosis"


@dataclass(frozen=True)
class Demo:
    """A tour that was made, and whose server goes on."""

    directory: Path
    environment: dict[str, str]
    output: str
    url: str
    token: str

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request by token; returns the JSON of the answer."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read the database file."""
        connection = sqlite3.connect(f"file:{self.directory}/data/modelyard.db?mode=ro", uri=True)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def processes(self) -> list[psutil.Process]:
        """Return every process that has to do with the demo's folder; those of the server have a file of it open."""
        found = []
        for process in psutil.process_iter():
            try:
                words = [*process.cmdline(), process.environ().get("MODELYARD_DATA_DIRECTORY", "")]
                words += [file.path for file in process.open_files()]
                ended = process.status() == psutil.STATUS_ZOMBIE
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            if not ended and any(str(self.directory) in word for word in words):
                found.append(process)
        return found

    def pid_of(self, part: str) -> int:
        """Return the process of a part by its title or command line."""
        for process in self.processes():
            try:
                words = " ".join(process.cmdline()).strip()
            except psutil.NoSuchProcess:  # it ended, or is a zombie, since it was listed
                continue
            if part == "replica" and "modelyard.serving" in words:
                return process.pid
            if part in {"web", "worker"} and words.startswith(f"modelyard: {part}"):
                return process.pid
        return 0


def run_demo(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--silent", "demo"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    directory = tmp_path_factory.mktemp("demo")
    ours = ("MODELYARD_", "PYTHON", "COV")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    environment |= {
        "MODELYARD_DEMO_DIRECTORY": str(directory),
        "MODELYARD_DEMO_PORT": str(free_port()),
        "COLUMNS": "200",
    }
    done = run_demo(environment)
    begun = Demo(directory, environment, done.stdout, "", "")
    try:
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        shown = dict(re.findall(r"^│ (\S[^│]*?) +│ (\S[^│]*?) +│$", done.stdout, re.MULTILINE))
        token = sign_in(shown["Address"], shown["User"], shown["Password"])
        yield Demo(directory, environment, done.stdout, shown["Address"], token)
    finally:
        for process in begun.processes():
            process.kill()


def sign_in(url: str, username: str, password: str) -> str:
    """Sign in as a browser would, and make a token."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    headers = {"Content-Type": "application/json", "X-Requested-With": "test"}
    for path, body in (
        ("session", {"username": username, "password": password}),
        ("tokens", {"name": "test", "scopes": ["read", "write", "deploy", "admin"]}),
    ):
        request = urllib.request.Request(f"{url}/api/v1/{path}", data=json.dumps(body).encode(), headers=headers)
        with opener.open(request, timeout=30) as answer:
            answered = json.load(answer)
    return str(answered["token"])


def test_the_environment_was_installed_from_a_wheel_with_pages_and_migrations(demo: Demo) -> None:
    site = next((demo.directory / "venv" / "lib").glob("python3*/site-packages"))
    assert (site / "modelyard" / "web" / "ui" / "dist" / "index.html").is_file()
    assert (site / "modelyard" / "core" / "migrations" / "0001_initial.py").is_file()
    assert not list(site.glob("__editable__*modelyard*"))


def test_the_database_holds_what_was_logged(demo: Demo) -> None:
    assert demo.rows("SELECT status, COUNT(*) FROM run GROUP BY status") == [("FINISHED", 21)]
    assert demo.rows("SELECT COUNT(*) FROM metric_series WHERE key = 'training_loss'") == [(20,)]
    assert demo.rows("SELECT COUNT(*) > 500 FROM metric_point") == [(1,)]
    assert demo.rows("SELECT number, stage FROM model_version") == [(1, "Production")]
    assert demo.rows("SELECT from_stage, to_stage, reason FROM stage_change") == [
        ("None", "Production", "best accuracy of 20")
    ]
    assert demo.rows("SELECT DISTINCT state FROM delivery WHERE connection_id IS NOT NULL") == [("done",)]
    assert demo.rows("SELECT COUNT(*) FROM user_account WHERE password_hash LIKE '$argon2id$%'") == [(1,)]


def test_the_password_is_nowhere_on_the_disk(demo: Demo) -> None:
    shown = dict(re.findall(r"^│ (\S[^│]*?) +│ (\S[^│]*?) +│$", demo.output, re.MULTILINE))
    password = shown["Password"].encode()
    kept = [path for path in (demo.directory / "data").rglob("*") if path.is_file() and password in path.read_bytes()]
    assert kept == []
    assert password not in (demo.directory / "serve.log").read_bytes()


@pytest.mark.filterwarnings("ignore")  # MLflow and scikit-learn warn of their own futures
def test_the_mlflow_client_reads_everything_back(demo: Demo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import mlflow
    import pandas as pd

    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", demo.token)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow.set_tracking_uri(f"{demo.url}/mlflow/{PLACE}")
    client = mlflow.MlflowClient()
    runs = mlflow.search_runs(experiment_names=["breast cancer"], order_by=["metrics.accuracy DESC"])
    assert len(runs) == 20
    best = runs.iloc[0]
    history = client.get_metric_history(best["run_id"], "training_loss")
    assert len(history) >= 30
    assert [point.step for point in history] == list(range(len(history)))
    assert {file.path for file in client.list_artifacts(best["run_id"])} >= {"plots", "mistakes.json"}
    fetch = mlflow.artifacts.download_artifacts
    plot = fetch(run_id=best["run_id"], artifact_path="plots/confusion.png", dst_path=str(tmp_path))
    assert Path(plot).read_bytes().startswith(b"\x89PNG")
    version = client.get_model_version("tumour", "1")
    assert (version.current_stage, version.run_id) == ("Production", best["run_id"])
    from sklearn.datasets import load_breast_cancer

    rows = load_breast_cancer(as_frame=True).data.head(50)
    own = mlflow.pyfunc.load_model("models:/tumour/Production").predict(rows)
    scored = demo.call("POST", f"/serve/{PLACE}/tumour-live/invocations", {"dataframe_split": rows.to_dict("split")})
    assert pd.Series(scored["predictions"]).tolist() == own.tolist()
    mlflow.set_tracking_uri(None)


def test_the_page_is_served(demo: Demo) -> None:
    with urllib.request.urlopen(f"{demo.url}/{PLACE}/runs", timeout=10) as answer:
        page = answer.read().decode()
    script = re.search(r'src="(/assets/[^"]+\.js)"', page)
    assert script is not None
    with urllib.request.urlopen(demo.url + script[1], timeout=10) as answer:
        assert answer.status == 200


def test_the_strangers_plugin_kept_and_told(demo: Demo) -> None:
    import zipfile

    archives = list((demo.directory / "data" / "zips").rglob("*.zip"))
    texts = [zipfile.ZipFile(archive).read("content") for archive in archives]
    assert b"kept in a zip\n" in texts
    pigeons = [json.loads(line) for line in (demo.directory / "loft.jsonl").read_text().splitlines()]
    assert "run.finished" in {pigeon["action"] for pigeon in pigeons}
    received = [json.loads(line) for line in (demo.directory / "received.jsonl").read_text().splitlines()]
    assert {"modelyard.model_version.stage_changed", "modelyard.deployment.became_ready"} <= {
        line["body"]["type"] for line in received
    }


@pytest.mark.parametrize("part", ["replica", "worker", "web"])
def test_a_killed_part_comes_back_and_predicts(demo: Demo, part: str) -> None:
    killed = demo.pid_of(part)
    assert killed
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: demo.pid_of(part) not in (0, killed), f"another {part}")

    def predicts() -> bool:
        instance = {"dataframe_records": [dict.fromkeys(features(), 1.0)]}
        try:
            return len(demo.call("POST", f"/serve/{PLACE}/tumour-live/invocations", instance)["predictions"]) == 1
        except OSError:
            return False

    eventually(predicts, "a prediction")
    eventually(lambda: demo.call("GET", f"{API}/deployments/tumour-live")["status"] == "ready", "readiness")


def features() -> list[str]:
    from sklearn.datasets import load_breast_cancer

    return [str(name) for name in load_breast_cancer().feature_names]


def test_it_can_be_run_again_and_stops_all_that_it_started(demo: Demo) -> None:
    again = run_demo({**demo.environment, "MODELYARD_DEMO_EXIT": "1"})
    assert again.returncode == 0, f"{again.stdout[-3000:]}\n{again.stderr[-3000:]}"
    eventually(lambda: demo.processes() == [], "the end of every process", seconds=10)
