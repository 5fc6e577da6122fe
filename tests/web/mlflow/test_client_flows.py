"""What people log with MLflow's client beside the first steps: images, odd names, threads, large batches, old ways."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow.exceptions import MlflowException

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"]),
    pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_images_tables_and_files_of_odd_names(mlflow: Any, tmp_path: Path) -> None:
    import numpy as np

    empty = tmp_path / "leer ü.bin"
    empty.write_bytes(b"")
    names = ["a b.txt", "100%.txt", "ü漢字🦊.txt", "a+b&c=d;e.txt", "[x]{y}.txt", "it's.txt", "~x"]
    with mlflow.start_run() as run:
        for step in (0, 1):
            mlflow.log_image(np.full((4, 4, 3), step * 200, dtype=np.uint8), key="pixels/in", step=step)
        mlflow.log_image(np.zeros((4, 4), dtype=np.uint8), "plain.png")
        mlflow.log_artifact(empty)
        for name in names:
            mlflow.log_text(name, f"odd/{name}")
        mlflow.log_dict({"ü": [1]}, "d/x.yaml")
        mlflow.log_table({"x": [1], "image": [mlflow.Image(np.zeros((2, 2, 3), dtype=np.uint8))]}, "t.json")
    client, run_id = mlflow.MlflowClient(), run.info.run_id
    assert sorted(file.path for file in client.list_artifacts(run_id, "odd")) == sorted(f"odd/{name}" for name in names)
    for name in names:
        assert mlflow.artifacts.load_text(f"runs:/{run_id}/odd/{name}") == name
        got = client.download_artifacts(run_id, f"odd/{name}", str(tmp_path))
        assert Path(got).read_text() == name
    assert [file.file_size for file in client.list_artifacts(run_id) if file.path == "leer ü.bin"] == [0]
    assert Path(client.download_artifacts(run_id, "leer ü.bin", str(tmp_path / "x"))).read_bytes() == b""
    images = [file.path for file in client.list_artifacts(run_id, "images")]
    assert len([path for path in images if path.endswith(".png")]) == 2
    assert mlflow.artifacts.load_image(f"{run.info.artifact_uri}/plain.png").size == (4, 4)
    assert mlflow.load_table("t.json", run_ids=[run_id])["x"].tolist() == [1]


@pytest.mark.parametrize("name", ["what?.txt", "#1.txt"])
def test_names_that_the_client_does_not_quote_are_refused(mlflow: Any, name: str) -> None:
    """It sends `d/what` and `d/` for these: a server that takes them keeps the file under another's name."""
    with mlflow.start_run() as run, pytest.raises(requests.HTTPError, match="INVALID_PARAMETER_VALUE"):
        mlflow.log_text("x", f"d/{name}")
    assert mlflow.MlflowClient().list_artifacts(run.info.run_id, "d") == []


def test_what_a_client_splits_and_logs_again(mlflow: Any) -> None:
    client = mlflow.MlflowClient()
    with mlflow.start_run() as run:
        mlflow.log_params({f"p{number}": number for number in range(250)})
        mlflow.log_params({"p0": 0, "p1": "1"})
        with pytest.raises(MlflowException, match="p0"):
            mlflow.log_param("p0", "other")
        mlflow.log_metrics({f"m{number}": float(number) for number in range(1500)}, step=2**40)
        mlflow.set_tags({f"t{number}": "x" for number in range(150)})
    found = mlflow.get_run(run.info.run_id).data
    assert (len(found.params), len(found.metrics)) == (250, 1500)
    assert len([key for key in found.tags if key.startswith("t")]) == 150
    (point,) = client.get_metric_history(run.info.run_id, "m7")
    assert (point.value, point.step) == (7.0, 2**40)
    client.log_metric(run.info.run_id, "m7", -math.inf, timestamp=0, step=-5)
    assert [one.value for one in client.get_metric_history(run.info.run_id, "m7")] == [-math.inf, 7.0]
    client.log_batch(run.info.run_id)


def test_many_threads_log_to_runs_of_their_own(mlflow: Any) -> None:
    client, parent = mlflow.MlflowClient(), mlflow.MlflowClient().create_run("0").info.run_id
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            child = client.create_run("0", tags={"mlflow.parentRunId": parent}).info.run_id
            for step in range(5):
                client.log_metric(child, "m", number, step=step)
                client.log_metric(parent, f"m{number}", step, step=step)
            client.set_terminated(child)
        except BaseException as error:  # noqa: BLE001 - it is looked at in the main thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    children = client.search_runs(["0"], f"tags.mlflow.parentRunId = '{parent}' AND status = 'FINISHED'")
    assert len(children) == 6
    assert client.get_run(parent).data.metrics == {f"m{number}": 4.0 for number in range(6)}


def test_a_run_that_goes_on_fails_and_is_found_again(mlflow: Any) -> None:
    with pytest.raises(ZeroDivisionError), mlflow.start_run(run_name="bad") as run:
        raise ZeroDivisionError
    assert mlflow.get_run(run.info.run_id).info.status == "FAILED"
    with mlflow.start_run(run_id=run.info.run_id):
        assert mlflow.get_run(run.info.run_id).info.status == "RUNNING"
        mlflow.log_metric("m", 1)
    assert mlflow.get_run(run.info.run_id).info.status == "FINISHED"
    assert mlflow.last_active_run().info.run_id == run.info.run_id
    with pytest.raises(MlflowException) as gone:
        mlflow.get_run("0" * 32)
    assert gone.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_system_metrics(mlflow: Any) -> None:
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    with mlflow.start_run() as run:
        monitor = SystemMetricsMonitor(run.info.run_id, sampling_interval=0.01, samples_before_logging=1)
        metrics = monitor.collect_metrics()
        monitor.publish_metrics(monitor.aggregate_metrics())
    found = mlflow.get_run(run.info.run_id).data.metrics
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"} <= set(found)
    assert len(metrics) > 3


def test_artifacts_in_parts_where_the_client_insists(
    mlflow: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("UPLOAD", "DOWNLOAD"):
        monkeypatch.setenv(f"MLFLOW_ENABLE_PROXY_MULTIPART_{name}", "true")
        monkeypatch.setenv(f"MLFLOW_MULTIPART_{name}_MINIMUM_FILE_SIZE", "10")
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", str(5 * 1024 * 1024))
    content = os.urandom(100_000)
    (tmp_path / "large.bin").write_bytes(content)
    with mlflow.start_run() as run:
        mlflow.log_artifact(str(tmp_path / "large.bin"), "d")
    got = mlflow.artifacts.download_artifacts(
        run_id=run.info.run_id, artifact_path="d/large.bin", dst_path=str(tmp_path / "back")
    )
    assert Path(got).read_bytes() == content


def test_what_is_not_here_fails_at_once(mlflow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A status that the client would try again is never the answer: with a pause it would wait for minutes."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "100")
    client = mlflow.MlflowClient()
    for call in (
        client.list_workspaces,
        lambda: client.create_dataset("golden"),
        lambda: client.search_datasets(),
        lambda: client.search_mcp_servers(),
        lambda: mlflow.genai.list_scorers(experiment_id="0"),
    ):
        with pytest.raises(MlflowException) as refused:
            call()
        assert refused.value.error_code in {"ENDPOINT_NOT_FOUND", "FEATURE_DISABLED"}, refused.value
