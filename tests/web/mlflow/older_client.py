"""The core of what people do, as a program for whatever MLflow client comes first; it prints what it saw as JSON.

Run by `test_older_client.py` with an older MLflow before the installed one.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException


def experiments(client: Any) -> dict[str, Any]:
    """Make, find, change, delete and restore."""
    experiment_id = mlflow.set_experiment("older").experiment_id
    client.set_experiment_tag(experiment_id, "k", "v")
    other = client.create_experiment("other", tags={"a": "b"})
    client.rename_experiment(other, "another")
    client.delete_experiment(other)
    deleted = [one.name for one in client.search_experiments(ViewType.DELETED_ONLY)]
    client.restore_experiment(other)
    return {
        "id": experiment_id,
        "tags": client.get_experiment_by_name("older").tags,
        "deleted": deleted,
        "names": [one.name for one in client.search_experiments(order_by=["name"])],
    }


def runs(client: Any) -> dict[str, Any]:
    """Log all that a run has, nested, in batches and in the background."""
    with mlflow.start_run(run_name="parent") as parent:
        mlflow.log_params({"lr": 0.1, "kind": "x"})
        for step in range(3):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metric("odd", float("nan"))
        mlflow.set_tag("stage", "late")
        with mlflow.start_run(nested=True) as child:
            mlflow.log_metric("loss", 9.0, synchronous=False)
            mlflow.flush_async_logging()
    run_id = parent.info.run_id
    client.log_batch(run_id, [Metric("b", 1.0, 1, 0)], [Param("p", "1")], [RunTag("t", "2")])
    client.delete_tag(run_id, "t")
    found = client.get_run(run_id)
    history = client.get_metric_history(run_id, "loss")
    in_order = client.search_runs([found.info.experiment_id], "metrics.loss > 0", order_by=["metrics.loss DESC"])
    client.delete_run(child.info.run_id)
    gone = client.search_runs([found.info.experiment_id], "", ViewType.DELETED_ONLY)
    try:
        client.log_param(run_id, "p", "2")
    except MlflowException as refused:
        code = refused.error_code
    return {
        "params": found.data.params,
        "loss": [point.value for point in history],
        "odd": str(found.data.metrics["odd"]),
        "order": [run.data.metrics["loss"] for run in in_order],
        "deleted": [run.info.run_id == child.info.run_id for run in gone],
        "refused": code,
        "tags": sorted(key for key in found.data.tags if not key.startswith("mlflow.")),
    }


def artifacts(client: Any) -> dict[str, Any]:
    """Send and fetch files, an empty one too."""
    with mlflow.start_run() as run, tempfile.TemporaryDirectory() as folder:
        Path(folder, "leer").write_bytes(b"")
        Path(folder, "deep").mkdir()
        Path(folder, "deep", "ü 1%.txt").write_text("two")
        mlflow.log_artifacts(folder, "files")
        mlflow.log_dict({"a": 1}, "d.json")
        mlflow.log_text("hello", "notes/a.txt")
        back = Path(client.download_artifacts(run.info.run_id, "", folder))
        read = (back / "files" / "deep" / "ü 1%.txt").read_text()
    return {
        "listed": [[file.path, file.file_size] for file in client.list_artifacts(run.info.run_id, "files")],
        "read": read,
        "text": mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/notes/a.txt"),
        "dict": mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/d.json"),
    }


def models(client: Any) -> dict[str, Any]:
    """Log a model without its framework, register it, and read it by alias."""
    with mlflow.start_run() as run:
        logged = mlflow.initialize_logged_model("m", tags={"a": "b"}, params={"p": "1"})
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "weights").write_text("w")
            client.log_model_artifacts(logged.model_id, folder)
        mlflow.finalize_logged_model(logged.model_id, "READY")
        mlflow.log_metric("rmse", 0.5, model_id=logged.model_id)
    client.create_registered_model("risk", tags={"team": "a"})
    version = client.create_model_version("risk", f"models:/{logged.model_id}", run.info.run_id)
    client.set_registered_model_alias("risk", "champion", version.version)
    client.set_model_version_tag("risk", "1", "k", "v")
    client.transition_model_version_stage("risk", "1", "Staging")
    found = client.get_model_version_by_alias("risk", "champion")
    searched = mlflow.search_logged_models(filter_string="metrics.rmse < 1", output_format="list")
    return {
        "ready": str(client.get_logged_model(logged.model_id).status),
        "found": [one.model_id == logged.model_id for one in searched],
        "version": [found.version, found.current_stage, found.tags],
        "weights": mlflow.artifacts.load_text("models:/risk@champion/weights"),
        "models": [one.name for one in client.search_registered_models()],
    }


def main() -> None:
    """Do all of it."""
    client = mlflow.MlflowClient()
    steps = (experiments, runs, artifacts, models)
    seen = {step.__name__: step(client) for step in steps}
    json.dump({"version": mlflow.__version__, **seen}, sys.stdout)


main()
