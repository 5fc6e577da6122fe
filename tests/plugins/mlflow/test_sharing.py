"""One server for the whole project, or for several by prefix: what is seen, and what is not."""

from __future__ import annotations

from uuid import uuid4

import pytest

from modelyard.core.errors import Conflict, InvalidInput, NotFound
from modelyard.core.tracking.entities import LoggedModelQuery, Metric, NewLoggedModel, NewRun, Query
from modelyard.plugins.mlflow.tracker import MlflowTracker
from tests.plugins.mlflow.conftest import tracker_of


@pytest.fixture
def prefix() -> str:
    return f"{uuid4().hex}/"


@pytest.fixture
def whole(mlflow_url: str) -> MlflowTracker:
    return tracker_of(mlflow_url)


@pytest.fixture
def mine(mlflow_url: str, prefix: str) -> MlflowTracker:
    return tracker_of(mlflow_url, prefix)


def new_run(tracker: MlflowTracker, experiment_id: str = "0") -> str:
    return tracker.create_run(1, NewRun(experiment_id=experiment_id, user_id="ada", start_time_ms=1)).info.run_id


def test_without_a_prefix_the_whole_server_is_the_projects(
    whole: MlflowTracker, mine: MlflowTracker, prefix: str
) -> None:
    run_id = new_run(mine)
    found = whole.get_experiment_by_name(1, f"{prefix}Default")
    assert whole.get_experiment(1, "0").experiment_id == "0"
    assert whole.get_run(1, run_id).info.experiment_id == found.experiment_id
    assert mine.get_run(1, run_id).info.experiment_id == "0"
    everywhere = whole.search_runs(1, Query(max_results=1000)).items
    assert run_id in {run.info.run_id for run in everywhere}
    whole.artifacts.write(f"p/{found.experiment_id}/{run_id}/artifacts/a.txt", [b"x"])
    assert [file.path for file in mine.artifacts.list(f"p/{found.experiment_id}/{run_id}/artifacts")] == [
        f"p/{found.experiment_id}/{run_id}/artifacts/a.txt"
    ]


def test_the_servers_default_is_nobodys_with_a_prefix(whole: MlflowTracker, mine: MlflowTracker) -> None:
    run_id = new_run(whole)
    with pytest.raises(NotFound):
        mine.get_run(1, run_id)
    assert mine.get_experiment(1, "0").experiment_id == "0"
    mlflow_id = whole.get_experiment_by_name(1, f"{mine.settings['experiment_prefix']}Default").experiment_id
    with pytest.raises(NotFound):
        mine.get_experiment(1, mlflow_id)
    assert mine.search_experiments(1, Query(filter="experiment_id IN ('0')")).items == [mine.get_experiment(1, "0")]


def test_names_that_only_look_like_the_prefix_are_not_seen(mlflow_url: str, whole: MlflowTracker) -> None:
    stem = uuid4().hex
    mine = tracker_of(mlflow_url, f"{stem}_a/")
    whole.create_experiment(1, name=f"{stem}xa/b")
    whole.create_experiment(1, name=f"{stem}_A/b".upper())
    assert [found.name for found in mine.search_experiments(1, Query()).items] == ["Default"]
    assert mine.search_experiments(1, Query(filter="name ILIKE 'B'")).items == []


def test_an_experiment_that_leaves_the_prefix_takes_its_runs_along(
    whole: MlflowTracker, mlflow_url: str, prefix: str
) -> None:
    mine = tracker_of(mlflow_url, prefix)
    experiment_id = mine.create_experiment(1, name="a").experiment_id
    run_id = new_run(mine, experiment_id)
    whole.rename_experiment(1, experiment_id, f"gone-{prefix}a")
    late = tracker_of(mlflow_url, prefix)
    for missing in (
        lambda: late.log_batch(1, run_id, params={"a": "b"}),
        lambda: late.metric_history(1, run_id, "m"),
        lambda: new_run(late, experiment_id),
    ):
        with pytest.raises(NotFound):
            missing()
    assert late.search_logged_models(1, LoggedModelQuery(experiment_ids=[experiment_id])).items == []


def test_artifacts_of_others_are_not_there(whole: MlflowTracker, mine: MlflowTracker, prefix: str) -> None:
    location = f"mlflow-artifacts:/{prefix}deep"
    with pytest.raises(InvalidInput, match="another project's"):
        mine.create_experiment(1, name="files", artifact_location=location)
    made = whole.create_experiment(1, name=f"{prefix}files", artifact_location=location)
    own, foreign = f"p/{prefix}deep/a b ü.txt", f"p/{uuid4().hex}/b.txt"
    whole.artifacts.write(foreign, [b"theirs"])
    assert mine.artifacts.write(own, [b"mi", b"ne"]).size_bytes == 4
    assert made.artifact_location == location
    assert b"".join(mine.artifacts.read(own)) == b"mine"
    assert b"".join(mine.artifacts.read(own, offset=2, length=1)) == b"n"
    assert list(mine.artifacts.read(own, length=0)) == []
    assert (mine.artifacts.stat(own).size_bytes, mine.artifacts.stat("p").is_directory) == (4, True)
    assert [file.path for file in mine.artifacts.list("p")] == [f"p/{prefix.strip('/')}"]
    for refused in (
        lambda: list(mine.artifacts.read(foreign)),
        lambda: mine.artifacts.write(foreign, [b"x"]),
        lambda: mine.artifacts.delete(foreign),
        lambda: mine.artifacts.delete("p"),
        lambda: mine.artifacts.stat(foreign),
    ):
        with pytest.raises(NotFound):
            refused()
    mine.artifacts.delete(own)
    mine.artifacts.delete(own)
    assert list(mine.artifacts.list(f"p/{prefix}deep")) == []
    assert b"".join(whole.artifacts.read(foreign)) == b"theirs"


def test_an_upload_that_breaks_off_leaves_nothing(mine: MlflowTracker) -> None:
    def chunks() -> object:
        yield b"half"
        raise RuntimeError("broke off")

    mlflow_id = mine._scope.ensure_default()
    with pytest.raises(RuntimeError, match="broke off"):
        mine.artifacts.write(f"p/{mlflow_id}/half.bin", chunks())  # type: ignore[arg-type]
    assert list(mine.artifacts.list(f"p/{mlflow_id}")) == []


def test_what_an_mlflow_server_cannot_be_asked(mine: MlflowTracker) -> None:
    for text in ("tags.a = '''\"'", "params.p = 'a''b\"c'"):
        with pytest.raises(InvalidInput, match="quotes"):
            mine.search_runs(1, Query(filter=text))
    for text in ("status LIKE 'R%'", "status = 'LOST'"):
        with pytest.raises(InvalidInput, match="status"):
            mine.search_logged_models(1, LoggedModelQuery(experiment_ids=["0"], filter=text))
    made = mine.create_logged_model(1, NewLoggedModel(experiment_id="0")).info.model_id
    query = LoggedModelQuery(experiment_ids=["0"], filter="status IN ('PENDING', 'READY')")
    assert [model.info.model_id for model in mine.search_logged_models(1, query).items] == [made]


def test_a_changed_param_beside_good_metrics_leaves_neither(mine: MlflowTracker) -> None:
    run_id = new_run(mine)
    mine.log_batch(1, run_id, params={"a": "1"})
    metrics = [Metric("m", float(step), 1, step) for step in range(1000)]
    with pytest.raises(Conflict, match="'a'"):
        mine.log_batch(1, run_id, metrics=metrics, params={"a": "2", "b": "3"})
    run = mine.get_run(1, run_id)
    assert ([param.key for param in run.data.params], run.data.metrics) == (["a"], [])
    mine.log_batch(1, run_id, metrics=metrics)
    assert len(mine.metric_history(1, run_id, "m").items) == 1000
