"""What a real MLflow server has is in the project afterwards, seen through MLflow's own client on both sides."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from modelyard.client.mlflow_import import Options, Report, import_mlflow
from tests.client.mlflow_import.conftest import COPY, FOREST, GONE, MODEL, POINTS, Place, Seeded, client_of
from tests.client.mlflow_import.counting import rows

ONLY_FOREST = Options(experiments=(FOREST,))


def bring(place: Place, seeded: Seeded, options: Options = ONLY_FOREST) -> Report:
    return import_mlflow(place.project(), seeded.url, options, environment={})


def same(value: float, other: float) -> bool:
    return value == other or (math.isnan(value) and math.isnan(other))


def by_name(client: Any, experiment: str = FOREST, view: int = 1) -> dict[str, Any]:
    found = client.get_experiment_by_name(experiment)
    return {run.info.run_name: run for run in client.search_runs([found.experiment_id], run_view_type=view)}


def files(client: Any, run_id: str, folder: str = "") -> dict[str, int]:
    found: dict[str, int] = {}
    for file in client.list_artifacts(run_id, folder or None):
        found |= files(client, run_id, file.path) if file.is_dir else {file.path: file.file_size or 0}
    return found


def test_everything_is_brought(place: Place, seeded: Seeded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    report = bring(place, seeded)
    there, here = client_of(seeded.url), place.mlflow(monkeypatch)
    check_runs(there, here)
    check_logged_models(there, here, seeded)
    check_artifacts(there, here, tmp_path)
    check_registry(there, here, seeded)
    assert report.brought["runs"] == 3
    assert report.brought["metric_points"] == POINTS + 4
    assert {entry.kind for entry in report.not_brought} == {"model_versions", "aliases"}


def check_runs(there: Any, here: Any) -> None:
    experiment = here.get_experiment_by_name(FOREST)
    assert experiment.tags["team"] == "a"
    source, target = by_name(there), by_name(here)
    assert set(source) == set(target)
    ids = {source[name].info.run_id: target[name].info.run_id for name in source}
    for name, theirs in source.items():
        ours = target[name]
        for field in ("status", "start_time", "end_time", "user_id", "lifecycle_stage"):
            assert getattr(ours.info, field) == getattr(theirs.info, field), field
        assert ours.data.params == theirs.data.params
        assert set(ours.data.metrics) == set(theirs.data.metrics)
        assert {key: value for key, value in ours.data.tags.items() if not key.startswith("modelyard.")} == {
            key: ids.get(value, value)
            if key == "mlflow.parentRunId"
            else value.replace(*ids_of(theirs, ours))
            if key == "mlflow.log-model.history"
            else value
            for key, value in theirs.data.tags.items()
        }
        for key in theirs.data.metrics:
            check_history(there, here, theirs, ours, key)
    inputs = target["pärent"].inputs.dataset_inputs
    assert [(each.dataset, each.tags) for each in inputs] == [
        (each.dataset, each.tags) for each in source["pärent"].inputs.dataset_inputs
    ]


def ids_of(theirs: Any, ours: Any) -> tuple[str, str]:
    return theirs.info.run_id, ours.info.run_id


def check_history(there: Any, here: Any, theirs: Any, ours: Any, key: str) -> None:
    old = sorted(there.get_metric_history(theirs.info.run_id, key), key=lambda point: point.step)
    new = here.get_metric_history(ours.info.run_id, key)
    assert [(point.step, point.timestamp) for point in new] == [(point.step, point.timestamp) for point in old]
    assert all(same(point.value, other.value) for point, other in zip(new, old, strict=True))


def check_logged_models(there: Any, here: Any, seeded: Seeded) -> None:
    theirs = there.get_logged_model(seeded.model)
    parent = by_name(here)["pärent"]
    (ours,) = here.search_logged_models([parent.info.experiment_id])
    assert (ours.name, ours.model_type, ours.status) == (theirs.name, theirs.model_type, theirs.status)
    assert ours.source_run_id == parent.info.run_id
    assert ours.params == theirs.params
    assert ours.tags["kind"] == "good"
    assert [(each.key, each.value, each.step, each.run_id) for each in ours.metrics] == [
        ("auc", 0.9, 2, parent.info.run_id)
    ]
    assert [(each.model_id, each.step) for each in parent.outputs.model_outputs] == [(ours.model_id, 4)]
    assert [each.model_id for each in parent.inputs.model_inputs] == [ours.model_id]


def check_artifacts(there: Any, here: Any, folder: Path) -> None:
    theirs, ours = by_name(there)["pärent"].info.run_id, by_name(here)["pärent"].info.run_id
    names = files(there, theirs)
    assert len(names) == 4
    assert files(here, ours) == names
    for number, path in enumerate(names):
        (folder / f"{number}").mkdir()
        got = Path(here.download_artifacts(ours, path, str(folder / f"{number}")))
        (folder / f"{number}-source").mkdir()
        wanted = Path(there.download_artifacts(theirs, path, str(folder / f"{number}-source")))
        assert got.read_bytes() == wanted.read_bytes()


def check_registry(there: Any, here: Any, seeded: Seeded) -> None:
    model = here.get_registered_model(MODEL)
    assert (model.description, model.tags["a"]) == ("who leaves", "b")
    assert model.aliases == {"champion": "3"}
    versions = {version.version: version for version in here.search_model_versions(f"name='{MODEL}'")}
    parent = by_name(here)["pärent"].info
    (logged,) = here.search_logged_models([parent.experiment_id])
    assert {number: version.source for number, version in versions.items()} == {
        "1": f"{parent.artifact_uri}/model",
        "3": f"models:/{logged.model_id}",
    } or {str(number): version.source for number, version in versions.items()} == {
        "1": f"{parent.artifact_uri}/model",
        "3": f"models:/{logged.model_id}",
    }
    first = here.get_model_version(MODEL, "1")
    assert (first.current_stage, first.description, first.tags["x"]) == ("Production", "first", "y")
    assert first.run_id == parent.run_id
    assert here.get_model_version(MODEL, "3").run_id == parent.run_id
    assert here.get_model_version(COPY, "1").source == f"{parent.artifact_uri}/model"
