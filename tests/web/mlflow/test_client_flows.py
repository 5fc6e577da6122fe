"""What people do with MLflow's client beside the first steps: searches, pages, models by alias, odd names, old ways."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException, RestException

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"]),
    pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


# --- Searching -------------------------------------------------------------------------------------------------------


@pytest.fixture
def runs(mlflow: Any) -> list[str]:
    """Six runs, five of them in a search: what is odd about each is in the cases below."""
    client = mlflow.MlflowClient()
    found = []
    for number in range(6):
        run = client.create_run("0", start_time=1000 + number // 2, run_name=f"Run_{number}")
        run_id = run.info.run_id
        metrics = [Metric("loss", [1.0, 2.0, 2.0, math.nan, math.inf, 0.0][number], 1, 0)]
        metrics += [Metric("val/auc.top 5", float(number), 1, 0)] if number != 3 else []
        params = [Param("kind", ["Ada", "ada", "ADA's", 'say "hi"', "50%", "x"][number]), Param("a.b c", str(number))]
        tags = [] if number == 4 else [RunTag("team-1", "blue" if number % 2 else "Blue")]
        client.log_batch(run_id, metrics=metrics, params=params, tags=tags)
        found.append(run_id)
    client.set_terminated(found[0], "FINISHED", end_time=5000)
    client.set_terminated(found[1], "FAILED")
    client.delete_run(found[5])
    return found


SEARCHES = [
    ("params.kind LIKE 'A%'", [0, 2]),
    ("params.kind ILIKE 'a%'", [0, 1, 2]),
    ("params.kind LIKE '50\\%'", []),
    ("params.kind LIKE '50_'", [4]),
    ('params.kind = "ADA\'s"', [2]),
    ("params.kind = 'say \"hi\"'", [3]),
    ("params.`a.b c` = '3'", [3]),
    ("params.\"a.b c\" IN ('1', '2')", None),
    ("metrics.`val/auc.top 5` >= 2 AND metrics.loss <= 2", [2]),
    ("metrics.loss > 1e3", [4]),
    ("metrics.loss != 2", [0, 3, 4]),
    ("tags.`team-1` = 'Blue'", [0, 2]),
    ("tags.`team-1` IS NULL", [4]),
    ("tags.`team-1` IS NOT NULL AND params.kind != 'ada'", [0, 2, 3]),
    ("attributes.status = 'FINISHED'", [0]),
    ("status != 'RUNNING'", [0, 1]),
    ("attributes.`run_name` ILIKE 'run\\_%'", []),
    ("run_name LIKE 'Run%3'", [3]),
    ("attributes.start_time >= 1001 AND start_time < 1002", [2, 3]),
    ("end_time = 5000", [0]),
    ("artifact_uri LIKE 'mlflow-artifacts:/0/%'", [0, 1, 2, 3, 4]),
    ("", [0, 1, 2, 3, 4]),
]


def test_the_search_language(mlflow: Any, runs: list[str]) -> None:
    for text, wanted in SEARCHES:
        if wanted is None:
            with pytest.raises(RestException) as refused:
                mlflow.search_runs(["0"], text, output_format="list")
            assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
            continue
        found = mlflow.search_runs(["0"], text, output_format="list")
        assert sorted(runs.index(run.info.run_id) for run in found) == wanted, text
    by_id = mlflow.search_runs(["0"], f"run_id IN ('{runs[1]}', '{runs[3]}')", output_format="list")
    assert {run.info.run_id for run in by_id} == {runs[1], runs[3]}
    rest = mlflow.search_runs(["0"], f"attributes.run_id NOT IN ('{runs[1]}', '{runs[3]}')", output_format="list")
    assert {run.info.run_id for run in rest} == {runs[0], runs[2], runs[4]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("metrics.loss = 'a'", "character 15"),
        ("params.kind = 5", "params"),
        ("status = 'FINISHED' OR status = 'FAILED'", "OR"),
        ("params.kind LIKE", "params.kind LIKE"),
        ("nothing.x = '1'", "nothing"),
        ("status = 'FINISHED", "'FINISHED"),
    ],
)
def test_a_bad_filter_says_where(mlflow: Any, text: str, said: str) -> None:
    with pytest.raises(MlflowException) as refused:
        mlflow.search_runs(["0"], text)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        (["start_time ASC", "params.`a.b c` DESC"], [1, 0, 3, 2, 4]),
        (["metrics.loss DESC", "attributes.run_name ASC"], [4, 1, 2, 0, 3]),
        (["metrics.loss ASC", "run_name DESC"], [0, 2, 1, 4, 3]),
        (["metrics.`val/auc.top 5` DESC"], [4, 2, 1, 0, 3]),
        (["tags.`team-1`", "start_time DESC", "run_name"], [2, 0, 3, 1, 4]),
        (["attributes.status DESC", "run_name desc"], [4, 3, 2, 0, 1]),
    ],
)
def test_orders_with_ties(mlflow: Any, runs: list[str], order: list[str], wanted: list[int]) -> None:
    whole = [runs.index(run.info.run_id) for run in mlflow.search_runs(["0"], order_by=order, output_format="list")]
    assert whole == wanted
    client, paged, token = mlflow.MlflowClient(), [], None
    while True:
        page = client.search_runs(["0"], order_by=order, max_results=1, page_token=token)
        paged += [runs.index(run.info.run_id) for run in page]
        token = page.token
        if not token:
            break
    assert paged == wanted


def test_deep_pages_and_views(mlflow: Any, runs: list[str]) -> None:
    client = mlflow.MlflowClient()
    for number in range(60):
        client.create_run("0", start_time=number + 1, tags={"many": "x"})
    found, token = [], None
    while True:
        page = client.search_runs(["0"], "tags.many = 'x'", max_results=7, page_token=token)
        found += [run.info.start_time for run in page]
        token = page.token
        if not token:
            break
    assert found == sorted(range(1, 61), reverse=True)
    for view, wanted in ((ViewType.ACTIVE_ONLY, 5), (ViewType.DELETED_ONLY, 1), (ViewType.ALL, 6)):
        assert len(client.search_runs(["0"], "params.kind LIKE '%'", view)) == wanted
    client.restore_run(runs[5])
    assert len(client.search_runs(["0"], "params.kind LIKE '%'", ViewType.DELETED_ONLY)) == 0
    names = [client.create_experiment(f"exp {number}") for number in range(9)]
    client.delete_experiment(names[0])
    paged = client.search_experiments(max_results=3, order_by=["name DESC"])
    assert [one.name for one in paged] == ["exp 8", "exp 7", "exp 6"]
    more = client.search_experiments(max_results=3, order_by=["name DESC"], page_token=paged.token)
    assert [one.name for one in more] == ["exp 5", "exp 4", "exp 3"]
    deleted = client.search_experiments(ViewType.DELETED_ONLY, filter_string="name LIKE 'exp%'")
    assert [one.name for one in deleted] == ["exp 0"]


# --- Logging ---------------------------------------------------------------------------------------------------------


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


# --- Models ----------------------------------------------------------------------------------------------------------


def test_a_model_by_alias_stage_and_number(mlflow: Any) -> None:
    import numpy as np
    from sklearn.linear_model import LinearRegression

    features = np.arange(8.0).reshape(4, 2)
    with mlflow.start_run() as run:
        for slope in (1.0, 2.0):
            info = mlflow.sklearn.log_model(
                LinearRegression().fit(features, features[:, 0] * slope), name="line",
                registered_model_name="line", pip_requirements=["scikit-learn"],
            )  # fmt: skip
    client = mlflow.MlflowClient()
    client.set_registered_model_alias("line", "champion", 1)
    client.transition_model_version_stage("line", "2", "Staging")
    first, second = ([0.0, 2.0, 4.0, 6.0], [0.0, 4.0, 8.0, 12.0])
    for uri, wanted in (
        ("models:/line@champion", first),
        ("models:/line/1", first),
        ("models:/line/2", second),
        ("models:/line/latest", second),
        ("models:/line/Staging", second),
        (info.model_uri, second),
        (f"runs:/{run.info.run_id}/line", second),
    ):
        assert mlflow.pyfunc.load_model(uri).predict(features).tolist() == pytest.approx(wanted, abs=1e-9), uri
    tags = mlflow.get_logged_model(info.model_id).tags
    assert "mlflow.modelVersions" in tags
    assert [one.version for one in client.search_model_versions("name = 'line'")] == ["2", "1"]
    copied = client.copy_model_version("models:/line@champion", "copy")
    assert (copied.name, copied.version) == ("copy", "1")
    again = client.copy_model_version("models:/copy/1", "copy")
    assert again.version == "2"
    assert mlflow.pyfunc.load_model("models:/copy/2").predict(features).tolist() == pytest.approx(first, abs=1e-9)


def test_autologging_of_lightgbm(mlflow: Any) -> None:
    import lightgbm
    import numpy as np

    features = np.random.default_rng(0).normal(size=(60, 3))
    data = lightgbm.Dataset(features, label=(features[:, 0] > 0).astype(float))
    mlflow.lightgbm.autolog(log_input_examples=True)
    try:
        with mlflow.start_run() as run:
            parameters = {"objective": "binary", "verbose": -1, "num_leaves": 4, "min_data_in_leaf": 2}
            lightgbm.train(parameters, data, num_boost_round=5, valid_sets=[data], valid_names=["train"])
    finally:
        mlflow.lightgbm.autolog(disable=True)
    found = mlflow.get_run(run.info.run_id)
    assert found.data.params["num_leaves"] == "4"
    assert len(mlflow.MlflowClient().get_metric_history(run.info.run_id, "train-binary_logloss")) == 5
    assert len(found.outputs.model_outputs) == 1
    files = [file.path for file in mlflow.MlflowClient().list_artifacts(run.info.run_id)]
    assert "feature_importance_gain.png" in files


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


def test_prompts(mlflow: Any) -> None:
    first = mlflow.genai.register_prompt("greet", "Hi {{name}}", tags={"lang": "en"})
    second = mlflow.genai.register_prompt("greet", [{"role": "user", "content": "Hello {{name}}"}])
    assert (first.version, second.version) == (1, 2)
    mlflow.genai.set_prompt_alias("greet", "live", 1)
    loaded = mlflow.genai.load_prompt("prompts:/greet@live")
    assert loaded.format(name="Ada") == "Hi Ada"
    assert mlflow.genai.load_prompt("greet").format(name="Bo") == [{"role": "user", "content": "Hello Bo"}]
    assert [prompt.name for prompt in mlflow.genai.search_prompts()] == ["greet"]
    assert mlflow.MlflowClient().search_registered_models() == []
    mlflow.genai.delete_prompt_alias("greet", "live")
    with pytest.raises(MlflowException):
        mlflow.genai.load_prompt("prompts:/greet@live")
