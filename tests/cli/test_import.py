"""`modelyard import mlflow`: what it says, and to whom it sends which secret. The two servers are fakes."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from modelyard.cli.import_progress import Bars, Lines, counted, drawn
from modelyard.client.mlflow_import import Report
from tests.cli.conftest import TOKEN, AsJson, Ok, Run, Terminal
from tests.fake_api import Answer, FakeApi, running

API = "/api/2.0/mlflow/"
OURS = f"/mlflow/acme/churn{API}"


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOKEN", "USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)


@pytest.fixture
def mlflow() -> Iterator[FakeApi]:
    """An MLflow server with one experiment that is empty."""
    with running() as fake:
        fake.put("GET", "/version", Answer(body=b"3.17.2"))
        experiment = {"experiment_id": "0", "name": "Default", "lifecycle_stage": "active"}
        fake.put("POST", f"{API}experiments/search", {"experiments": [experiment]})
        fake.put("POST", f"{API}runs/search", {})
        fake.put("POST", f"{API}logged-models/search", {})
        fake.put("GET", f"{API}registered-models/search", {})
        fake.put("POST", "/api/3.0/mlflow/traces/search", {"traces": [{}]})
        yield fake


@pytest.fixture
def project(signed_in: FakeApi) -> FakeApi:
    """A project that has the experiment and nothing in it."""
    experiment = {"experiment_id": "0", "name": "Default", "lifecycle_stage": "active"}
    signed_in.put("POST", f"{OURS}experiments/search", {"experiments": [experiment]})
    signed_in.put("POST", f"{OURS}runs/log-batch", Answer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST"}))
    signed_in.put("POST", f"{OURS}runs/search", {})
    signed_in.put("POST", f"{OURS}logged-models/search", {})
    return signed_in


def test_the_report_says_what_was_brought_and_what_not(ok: Ok, mlflow: FakeApi, project: FakeApi) -> None:
    said = ok("import", "mlflow", mlflow.url)
    assert f"Brought from {mlflow.url} to acme/churn: nothing." in said
    assert "There already: 1 experiment." in said
    assert "The project had an experiment 'Default'" in said
    assert "traces and their assessments are not brought" in said


def test_the_report_for_programs(as_json: AsJson, mlflow: FakeApi, project: FakeApi) -> None:
    report = as_json("import", "mlflow", mlflow.url)
    assert (report["source"], report["project"], report["dry_run"]) == (mlflow.url, "acme/churn", False)
    assert report["not_brought"] == [
        {
            "kind": "traces",
            "reason": "traces and their assessments are not brought",
            "count": 1,
            "examples": ["Default"],
        }
    ]


def test_a_dry_run_says_would(ok: Ok, mlflow: FakeApi, project: FakeApi) -> None:
    assert "Would bring" in ok("import", "mlflow", mlflow.url, "--dry-run", "--no-models")


def test_each_server_gets_its_own_secret(
    run: Run, mlflow: FakeApi, project: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("import", "mlflow", mlflow.url)
    assert {asked.headers.get("Authorization") for asked in mlflow.asked} == {None}
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "theirs")
    run("import", "mlflow", mlflow.url)
    assert mlflow.last.headers["Authorization"] == "Bearer theirs"
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "word")
    run("import", "mlflow", mlflow.url)
    assert mlflow.last.headers["Authorization"] == "Basic " + base64.b64encode(b"ada:word").decode()
    assert {asked.headers["Authorization"] for asked in project.asked} == {f"Bearer {TOKEN}"}


def test_a_login_in_the_address_is_used_and_never_shown_or_kept(run: Run, mlflow: FakeApi, project: FakeApi) -> None:
    result = run("import", "mlflow", mlflow.url.replace("//", "//ada:s3cret%21@") + "/")
    assert mlflow.last.headers["Authorization"] == "Basic " + base64.b64encode(b"ada:s3cret!").decode()
    assert "s3cret" not in result.output
    assert not any(b"s3cret" in asked.body for asked in project.asked)


@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_are_refused(run: Run, mlflow: FakeApi, project: FakeApi, status: int) -> None:
    mlflow.put("POST", f"{API}experiments/search", Answer(status, b"no"))
    result = run("import", "mlflow", mlflow.url)
    assert result.exit_code == 4
    assert "MLFLOW_TRACKING_TOKEN" in result.stderr
    assert "modelyard login" not in result.stderr


def test_credentials_that_end_on_the_way(run: Run, mlflow: FakeApi, project: FakeApi) -> None:
    mlflow.put("POST", f"{API}runs/search", Answer(401, b"no"))
    result = run("import", "mlflow", mlflow.url)
    assert result.exit_code == 4
    assert "modelyard login" not in result.stderr


def test_another_program_at_the_address(run: Run, api: FakeApi, project: FakeApi) -> None:
    api.put("GET", "/version", Answer(body=b"<html>"))
    result = run("import", "mlflow", api.url)
    assert result.exit_code == 1
    assert f"{api.url} is not an MLflow server" in result.stderr


@pytest.mark.parametrize(
    "uri", ["sqlite:///mlflow.db", "./mlruns", "databricks", "http://ada:s3cret@", "http://[ada:s3cret@x"]
)
def test_what_is_no_address_of_a_server(run: Run, project: FakeApi, uri: str) -> None:
    result = run("import", "mlflow", uri)
    assert result.exit_code == 8
    assert "Write it as" in result.stderr
    assert "s3cret" not in result.stderr


def test_a_role_that_may_not_log_ends_it_before_anything_is_asked_of_the_source(
    run: Run, mlflow: FakeApi, project: FakeApi
) -> None:
    refusal = {"error_code": "PERMISSION_DENIED", "message": "The role editor is needed."}
    project.put("POST", f"{OURS}runs/log-batch", Answer(403, refusal))
    result = run("import", "mlflow", mlflow.url)
    assert result.exit_code == 4
    assert "The role editor is needed." in result.stderr


def test_an_experiment_that_is_not_there(run: Run, mlflow: FakeApi, project: FakeApi) -> None:
    result = run("import", "mlflow", mlflow.url, "--experiment", "forest")
    assert result.exit_code == 3
    assert "no experiment 'forest'" in result.stderr


def test_counts_are_written_in_the_order_of_what_matters() -> None:
    counts = {"aliases": 1, "tags": 2, "runs": 1, "stages": 0, "artifact_bytes": 3}
    assert counted(counts) == "1 run, 2 tags, 3 B of artifacts, 1 alias"


def progressed(progress: Any) -> None:
    progress.report = Report("http://x", "acme/churn")
    progress.begin("runs of a\x1b[31m", None)
    progress.advance()
    progress.report.add("runs", 1234)
    progress.report.add("artifact_bytes", 2048)
    progress.begin("runs", 2)
    progress.advance()
    progress.begin("nothing", 0)


def test_progress_without_a_terminal_is_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelyard.cli.import_progress.SECONDS_BETWEEN_LINES", 0.0)
    with drawn() as progress:
        assert isinstance(progress, Lines)
        progressed(progress)
    assert capsys.readouterr().err.splitlines() == [
        "runs of a\N{REPLACEMENT CHARACTER}[31m",
        "runs of a\N{REPLACEMENT CHARACTER}[31m: 1; brought nothing yet",
        "runs: 2",
        "runs: 1 of 2; brought 1,234 runs, 2.0 KiB of artifacts",
    ]


def test_progress_on_a_terminal_is_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "160")
    with drawn() as progress:
        assert isinstance(progress, Bars)
        progressed(progress)
    last = screen.getvalue().rpartition("\x1b[2K")[2]
    assert "1/2" in last
    assert "0 points, 0 files, 2.0 KiB" in last
    assert "runs of a" in screen.getvalue()
    assert "runs of a" not in last
    assert "nothing" not in last
    assert "runs of a\x1b[31m" not in screen.getvalue()
