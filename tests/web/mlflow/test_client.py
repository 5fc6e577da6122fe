"""The unmodified MLflow client against a live server."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException, RestException

from tests.web.mlflow.conftest import Wire

pytestmark = [
    pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]
on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


def test_a_run_of_the_fluent_api(mlflow: Any, tmp_path: Path) -> None:
    experiment = mlflow.set_experiment("first")
    assert experiment.experiment_id == "1"
    with mlflow.start_run(run_name="parent", tags={"team": "a"}, description="what it is") as parent:
        mlflow.log_param("lr", 0.1)
        mlflow.log_params({"depth": 3, "kind": "x" * 10})
        for step in range(5):
            mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
        mlflow.log_metrics({"nan": float("nan"), "up": float("inf"), "down": float("-inf")}, step=3)
        mlflow.set_tag("stage", "late")
        with mlflow.start_run(nested=True, run_name="child"):
            mlflow.log_metric("loss", 9)
    run = mlflow.get_run(parent.info.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "parent"
    assert run.data.params == {"lr": "0.1", "depth": "3", "kind": "x" * 10}
    assert run.data.metrics["loss"] == 0.2
    assert math.isnan(run.data.metrics["nan"])
    assert (run.data.metrics["up"], run.data.metrics["down"]) == (math.inf, -math.inf)
    assert run.data.tags["stage"] == "late"
    assert run.data.tags["mlflow.note.content"] == "what it is"
    assert run.data.tags["mlflow.runName"] == "parent"
    assert run.data.tags["mlflow.user"]
    history = mlflow.MlflowClient().get_metric_history(parent.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(step, 1.0 / (step + 1)) for step in range(5)]
    children = mlflow.search_runs(
        filter_string=f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'", output_format="list"
    )
    assert [child.info.run_name for child in children] == ["child"]
    frame = mlflow.search_runs(order_by=["metrics.loss ASC"])
    assert list(frame["metrics.loss"]) == [0.2, 9.0]


def test_artifacts_of_all_kinds(mlflow: Any, tmp_path: Path) -> None:
    import matplotlib
    import pandas as pd

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    folder = tmp_path / "folder"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a.txt").write_text("one")
    (folder / "deep" / "er" / "ünï cödé 1%.txt").write_text("two")
    (folder / "empty").write_bytes(b"")
    (tmp_path / "big.bin").write_bytes(b"0123456789abcdef" * 200_000)
    with mlflow.start_run() as run:
        mlflow.log_artifact(tmp_path / "big.bin")
        mlflow.log_artifacts(folder, "folder")
        mlflow.log_text("text", "notes/readme.md")
        mlflow.log_dict({"a": 1}, "config.json")
        mlflow.log_figure(Figure(), "figure.png")
        mlflow.log_table(pd.DataFrame({"x": [1, 2], "y": ["a", "b"]}), "table.json")
        mlflow.log_table(pd.DataFrame({"x": [3], "y": ["c"]}), "table.json")
    client = mlflow.MlflowClient()
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == [
        "big.bin",
        "config.json",
        "figure.png",
        "folder",
        "notes",
        "table.json",
    ]
    sizes = {file.path: file.file_size for file in client.list_artifacts(run.info.run_id, "folder")}
    assert sizes == {"folder/a.txt": 3, "folder/deep": None, "folder/empty": 0}
    target = tmp_path / "down"
    target.mkdir()
    mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="", dst_path=str(target))
    assert (target / "big.bin").read_bytes() == (tmp_path / "big.bin").read_bytes()
    assert (target / "folder" / "deep" / "er" / "ünï cödé 1%.txt").read_text() == "two"
    assert (target / "folder" / "empty").read_bytes() == b""
    assert mlflow.load_table("table.json", run_ids=[run.info.run_id]).shape[0] == 3
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/notes/readme.md") == "text"
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    get_artifact_repository(run.info.artifact_uri).delete_artifacts("folder")
    assert client.list_artifacts(run.info.run_id, "folder") == []


def test_a_model_with_signature_and_example(mlflow: Any) -> None:
    import numpy as np
    from mlflow.models import infer_signature
    from sklearn.linear_model import LinearRegression

    features = np.arange(12.0).reshape(6, 2)
    model = LinearRegression().fit(features, np.arange(6.0))
    with mlflow.start_run() as run:
        info = mlflow.sklearn.log_model(
            model,
            name="line",
            signature=infer_signature(features, np.arange(6.0)),
            input_example=features[:2],
            pip_requirements=["scikit-learn"],
            params={"p": 1},
            tags={"t": "v"},
        )
        mlflow.log_metric("rmse", 0.5, model_id=info.model_id)
    logged = mlflow.get_logged_model(info.model_id)
    assert (logged.name, str(logged.status), logged.source_run_id) == ("line", "READY", run.info.run_id)
    assert logged.tags["t"] == "v"
    assert logged.params["p"] == "1"
    assert [(metric.key, metric.value) for metric in logged.metrics] == [("rmse", 0.5)]
    assert mlflow.get_run(run.info.run_id).outputs.model_outputs[0].model_id == info.model_id
    loaded = mlflow.pyfunc.load_model(info.model_uri)
    assert loaded.predict(features)[:2].tolist() == pytest.approx([0.0, 1.0])
    found = mlflow.search_logged_models(filter_string="metrics.rmse < 1 AND name = 'line'", output_format="list")
    assert [model.model_id for model in found] == [info.model_id]
    client = mlflow.MlflowClient()
    client.set_logged_model_tags(info.model_id, {"more": "1"})
    client.delete_logged_model_tag(info.model_id, "more")
    with pytest.raises(MlflowException, match="No tag"):
        client.delete_logged_model_tag(info.model_id, "more")
    client.delete_logged_model(info.model_id)
    with pytest.raises(RestException, match="not found"):
        mlflow.get_logged_model(info.model_id)


def test_autologging_of_scikit_learn(mlflow: Any) -> None:
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier

    mlflow.sklearn.autolog()
    try:
        features, target = load_iris(return_X_y=True, as_frame=True)
        with mlflow.start_run() as run:
            forest = RandomForestClassifier(n_estimators=3, random_state=0).fit(features, target)
            forest.score(features, target)
    finally:
        mlflow.sklearn.autolog(disable=True)
    found = mlflow.get_run(run.info.run_id)
    assert found.data.params["n_estimators"] == "3"
    assert found.data.metrics["training_accuracy_score"] > 0.9
    assert found.inputs.dataset_inputs[0].tags[0].value == "train"
    assert len(found.outputs.model_outputs) == 1
    names = [file.path for file in mlflow.MlflowClient().list_artifacts(run.info.run_id)]
    assert "estimator.html" in names


@on_sqlite
def test_datasets_as_inputs(mlflow: Any) -> None:
    import pandas as pd

    dataset = mlflow.data.from_pandas(pd.DataFrame({"a": [1, 2]}), source="https://example.org/a.csv", name="numbers")
    with mlflow.start_run() as run:
        mlflow.log_input(dataset, context="training", tags={"k": "v"})
        mlflow.log_input(dataset, context="training")
    (given,) = mlflow.get_run(run.info.run_id).inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("numbers", dataset.digest)
    assert {tag.key: tag.value for tag in given.tags} == {"mlflow.data.context": "training", "k": "v"}
    for query, count in (
        ("datasets.name = 'numbers' AND datasets.context = 'training'", 1),
        ("dataset.digest = 'none'", 0),
        ("dataset.context IN ('training', 'test')", 1),
    ):
        assert len(mlflow.search_runs(filter_string=query)) == count


@on_sqlite
def test_logging_in_the_background(mlflow: Any) -> None:
    with mlflow.start_run() as run:
        mlflow.log_params({f"p{number}": number for number in range(150)}, synchronous=False)
        for step in range(30):
            mlflow.log_metric("m", step, step=step, synchronous=False)
        mlflow.set_tags({"a": "b"}, synchronous=False)
        mlflow.flush_async_logging()
    found = mlflow.get_run(run.info.run_id)
    assert len(found.data.params) == 150
    assert found.data.metrics["m"] == 29.0
    assert len(mlflow.MlflowClient().get_metric_history(run.info.run_id, "m")) == 30


def test_the_life_of_experiments_and_runs(mlflow: Any) -> None:
    client = mlflow.MlflowClient()
    experiment_id = client.create_experiment("cycle", tags={"a": "b"})
    with pytest.raises(RestException) as taken:
        client.create_experiment("cycle")
    assert taken.value.error_code == "RESOURCE_ALREADY_EXISTS"
    client.rename_experiment(experiment_id, "renamed")
    client.set_experiment_tag(experiment_id, "owner", "me")
    experiment = client.get_experiment_by_name("renamed")
    assert experiment.tags == {"a": "b", "owner": "me"}
    assert client.get_experiment_by_name("cycle") is None
    run = client.create_run(experiment_id)
    client.set_terminated(run.info.run_id, "FAILED")
    client.update_run(run.info.run_id, name="named")
    client.delete_run(run.info.run_id)
    assert client.get_run(run.info.run_id).info.lifecycle_stage == "deleted"
    with pytest.raises(RestException, match="must be in the 'active' state") as refused:
        client.log_metric(run.info.run_id, "m", 1)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    client.restore_run(run.info.run_id)
    client.set_tag(run.info.run_id, "mlflow.runName", "again")
    assert client.get_run(run.info.run_id).info.run_name == "again"
    client.delete_tag(run.info.run_id, "mlflow.runName")
    client.delete_experiment(experiment_id)
    assert client.get_experiment(experiment_id).lifecycle_stage == "deleted"
    assert [found.name for found in client.search_experiments()] == ["Default"]
    assert [found.name for found in client.search_experiments(view_type=2)] == ["renamed"]
    client.restore_experiment(experiment_id)
    assert client.get_run(run.info.run_id).info.lifecycle_stage == "active"


@on_sqlite
def test_a_token_of_one_project_needs_no_prefix(
    mlflow: Any, live: str, wire: Wire, factories: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", factories.token(wire.owner, project=wire.project))
    mlflow.set_tracking_uri(live)
    with mlflow.start_run() as run:
        mlflow.log_metric("m", 1)
        mlflow.log_text("hello", "a/b.txt")
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/a/b.txt") == "hello"
    assert [file.path for file in mlflow.MlflowClient().list_artifacts(run.info.run_id)] == ["a"]


@on_sqlite
def test_basic_takes_the_token_as_password(mlflow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", os.environ["MLFLOW_TRACKING_TOKEN"])
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "anybody")
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN")
    assert [found.name for found in mlflow.search_experiments()] == ["Default"]


@on_sqlite
def test_traces_do_not_disturb(mlflow: Any) -> None:
    with mlflow.start_run(), mlflow.start_span("step"):
        mlflow.log_metric("m", 1)
    mlflow.flush_trace_async_logging()
