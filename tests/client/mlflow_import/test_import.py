"""What a real MLflow server has is in the project afterwards, seen through MLflow's own client on both sides."""

from __future__ import annotations

import dataclasses
import io
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from modelyard.client.mlflow_import import Options, Report, Source, import_mlflow, registry
from tests.client.mlflow_import.conftest import COPY, FOREST, GONE, MODEL, POINTS, Place, Seeded, client_of
from tests.client.mlflow_import.counting import rows

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
ONLY_FOREST = Options(experiments=(FOREST,))
NO_FILES = dataclasses.replace(ONLY_FOREST, artifacts=False)


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
    assert {entry.kind for entry in report.not_brought} == {"model_versions", "aliases", "prompts"}
    before = rows()
    again = bring(place, seeded)
    assert rows() == before
    assert not again.brought
    assert again.present["runs"] == 3


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
    parent = by_name(here)["pärent"].info
    (logged,) = here.search_logged_models([parent.experiment_id])
    versions = here.search_model_versions(f"name='{MODEL}'")
    assert {str(version.version): version.source for version in versions} == {
        "1": f"{parent.artifact_uri}/model",
        "3": f"models:/{logged.model_id}",
    }
    first = here.get_model_version(MODEL, "1")
    assert (first.current_stage, first.description, first.tags["x"]) == ("Production", "first", "y")
    assert first.run_id == parent.run_id
    assert here.get_model_version(MODEL, "3").run_id == parent.run_id
    assert here.get_model_version(COPY, "1").source == f"{parent.artifact_uri}/model"


@on_sqlite
def test_what_changes_in_the_source_is_brought_by_the_next_import(
    place: Place, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = client_of(seeded.url)
    experiment = there.create_experiment("import live")
    run = there.create_run(experiment, run_name="live").info.run_id
    there.log_metric(run, "loss", 1, timestamp=1, step=1)
    options = Options(experiments=("import live",), models=False)
    assert any("had not ended" in note for note in bring(place, seeded, options).notes)
    here = place.mlflow(monkeypatch)
    assert by_name(here, "import live")["live"].info.status == "RUNNING"
    there.log_metric(run, "loss", 2, timestamp=2, step=2)
    there.set_terminated(run)
    bring(place, seeded, options)
    there.set_tag(run, "verdict", "good")
    assert bring(place, seeded, options).brought["runs"] == 1
    ours = by_name(here, "import live")["live"]
    assert (ours.info.status, ours.data.tags["verdict"]) == ("FINISHED", "good")
    assert [point.value for point in here.get_metric_history(ours.info.run_id, "loss")] == [1, 2]


@on_sqlite
def test_deleted_things_are_brought_when_asked_for_and_are_deleted_here(
    place: Place, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options(experiments=(FOREST, GONE), deleted=True, models=False, artifacts=False)
    bring(place, seeded, options)
    here = place.mlflow(monkeypatch)
    assert here.get_experiment_by_name(GONE).lifecycle_stage == "deleted"
    assert by_name(here, GONE, view=2)["in gone"].info.status == "FINISHED"
    deleted = by_name(here, view=2)["deleted"]
    assert deleted.data.metrics == {"loss": 7}
    assert set(by_name(here)) == {"pärent", "child", *(name for name in by_name(client_of(seeded.url)))}
    before = rows()
    assert not bring(place, seeded, options).brought
    assert rows() == before


@on_sqlite
def test_files_follow_an_import_without_them(place: Place, seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(place, seeded, dataclasses.replace(NO_FILES, models=False))
    here = place.mlflow(monkeypatch)
    assert files(here, by_name(here)["pärent"].info.run_id) == {}
    bring(place, seeded, dataclasses.replace(ONLY_FOREST, models=False))
    assert len(files(here, by_name(here)["pärent"].info.run_id)) == 4


@on_sqlite
def test_a_dry_run_counts_and_changes_nothing(place: Place, seeded: Seeded) -> None:
    before = rows()
    report = bring(place, seeded, dataclasses.replace(NO_FILES, dry_run=True))
    assert rows() == before
    assert (report.brought["experiments"], report.brought["runs"], report.brought["logged_models"]) == (1, 3, 1)
    assert report.brought["metrics"] == 5
    bring(place, seeded, NO_FILES)
    report = bring(place, seeded, dataclasses.replace(NO_FILES, dry_run=True, models=False))
    assert not report.brought


@on_sqlite
def test_what_the_project_has_of_the_same_name_is_kept_and_added_to(
    place: Place, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = place.mlflow(monkeypatch)
    experiment = here.create_experiment(FOREST, tags={"team": "mine"})
    here.create_registered_model(MODEL, tags={"a": "mine"}, description="mine")
    own = here.create_run(experiment, run_name="own").info
    for _ in range(2):
        here.create_model_version(MODEL, f"{own.artifact_uri}/model", run_id=own.run_id)
    report = bring(place, seeded, NO_FILES)
    assert here.get_experiment_by_name(FOREST).tags["team"] == "mine"
    assert here.get_experiment_by_name(FOREST).experiment_id == experiment
    assert {"own", "pärent", "child"} < set(by_name(here))
    model = here.get_registered_model(MODEL)
    assert (model.description, model.tags["a"]) == ("mine", "mine")
    # The project's own versions keep 1 and 2; number 3 is free and stays what it is in the source.
    assert here.get_model_version(MODEL, "3").tags["modelyard.import.version"] == "1"
    assert model.aliases == {"champion": "4"}
    (moved,) = [entry for entry in report.not_brought if entry.kind == "version_numbers"]
    assert moved.count == 2
    assert not bring(place, seeded, NO_FILES).brought


@on_sqlite
def test_too_many_deleted_numbers_are_not_passed_over(
    place: Place, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "LARGEST_GAP", 0)
    bring(place, seeded, NO_FILES)
    here = place.mlflow(monkeypatch)
    assert here.get_model_version(MODEL, "2").tags["modelyard.import.version"] == "3"
    assert here.get_registered_model(MODEL).aliases == {"champion": "2"}
    assert not bring(place, seeded, NO_FILES).brought


@on_sqlite
def test_a_run_that_was_deleted_here_stays_deleted(
    place: Place, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = dataclasses.replace(NO_FILES, models=False)
    bring(place, seeded, options)
    here = place.mlflow(monkeypatch)
    here.delete_run(by_name(here)["child"].info.run_id)
    report = bring(place, seeded, dataclasses.replace(options, artifacts=True))
    assert set(by_name(here)) == set(by_name(client_of(seeded.url))) - {"child"}
    assert [(entry.kind, entry.count) for entry in report.not_brought] == [("runs", 1)]


@on_sqlite
def test_a_user_s_tags_and_stages_stay_until_the_source_changes(
    place: Place, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(place, seeded, NO_FILES)
    here = place.mlflow(monkeypatch)
    here.set_tag(by_name(here)["pärent"].info.run_id, "best run", "mine")
    here.set_registered_model_alias(MODEL, "champion", "1")
    bring(place, seeded, NO_FILES)
    assert by_name(here)["pärent"].data.tags["best run"] == "mine"
    assert here.get_registered_model(MODEL).aliases == {"champion": "1"}
    client_of(seeded.url).set_registered_model_alias(MODEL, "challenger", "3")
    try:
        assert bring(place, seeded, NO_FILES).brought["aliases"] == 2
        assert here.get_registered_model(MODEL).aliases == {"champion": "3", "challenger": "3"}
    finally:
        client_of(seeded.url).delete_registered_model_alias(MODEL, "challenger")


def test_versions_are_found_whatever_quotes_a_model_s_name_has(seeded: Seeded) -> None:
    client = client_of(seeded.url)
    names = ("it's", 'the "best"', """it's the "best\"""", """it_s the "best\"""")
    for name in names:
        client.create_registered_model(name)
        client.create_model_version(name, f"runs:/{seeded.parent}/model", seeded.parent)
    try:
        source = Source(seeded.url, {})
        assert [[version["name"] for version in source.versions(name)] for name in names] == [[name] for name in names]
    finally:
        for name in names:
            client.delete_registered_model(name)


class Forgetful:
    """Stands before the application, does what is asked, and answers each change the first time as if it had not."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application
        self._lock = threading.Lock()
        self._seen: set[tuple[str, bytes]] = set()
        self.lost: Counter[str] = Counter()

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] in {"GET", "PUT"} or path.endswith("search"):
            return self._application(environ, start_response)
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        with self._lock:
            is_new = (path, body) not in self._seen and b"0" * 32 not in body  # the question at the start
            self._seen.add((path, body))
        answer = self._application({**environ, "wsgi.input": io.BytesIO(body)}, start_response if not is_new else _drop)
        if not is_new:
            return answer
        b"".join(answer)
        self.lost[path.rpartition("/2.0/mlflow/")[2]] += 1
        start_response("503 Service Unavailable", [("Content-Length", "0")])
        return []


def _drop(*_: Any) -> None:
    """Take the head of an answer that nobody gets."""


@on_sqlite
def test_changes_whose_answer_is_lost_are_made_once(
    place: Place, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgetful = Forgetful(place.app.wsgi_app)
    monkeypatch.setattr(place.app, "wsgi_app", forgetful)
    project = place.project()
    project.client.sleep = lambda seconds: None
    options = Options(experiments=(FOREST, GONE), artifacts=False, deleted=True)
    import_mlflow(project, seeded.url, options, environment={})
    monkeypatch.undo()
    creations = ["experiments/create", "runs/create", "logged-models", "registered-models/create"]
    removals = ["experiments/delete", "runs/delete", "model-versions/delete"]
    assert forgetful.lost.keys() >= {*creations, *removals, "model-versions/create", "registered-models/alias"}
    here = place.mlflow(monkeypatch)
    check_logged_models(client_of(seeded.url), here, seeded)
    check_registry(client_of(seeded.url), here, seeded)
    counts = rows()
    once = {"run": 5, "metric_point": POINTS + 5, "logged_model": 1, "registered_model": 2, "model_version": 3}
    assert {table: counts[table] for table in once} == once
    assert here.get_experiment_by_name(GONE).lifecycle_stage == "deleted"
