"""Models and prompts by MLflow's client: by alias and stage, piece by piece, autologged, evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"]),
    pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_a_model_by_alias_stage_and_number(mlflow: Any) -> None:
    import numpy as np
    from sklearn.linear_model import LinearRegression

    features = np.arange(8.0).reshape(4, 2)
    with mlflow.start_run():
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
        ("models:/line/2", second),
        ("models:/line/latest", second),
        ("models:/line/Staging", second),
        (info.model_uri, second),
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
    mlflow.lightgbm.autolog(log_models=False)
    try:
        with mlflow.start_run() as run:
            parameters = {"objective": "binary", "verbose": -1, "num_leaves": 4, "min_data_in_leaf": 2}
            lightgbm.train(parameters, data, num_boost_round=5, valid_sets=[data], valid_names=["train"])
    finally:
        mlflow.lightgbm.autolog(disable=True)
    found = mlflow.get_run(run.info.run_id)
    assert found.data.params["num_leaves"] == "4"
    assert len(mlflow.MlflowClient().get_metric_history(run.info.run_id, "train-binary_logloss")) == 5
    assert [one.dataset.source_type for one in found.inputs.dataset_inputs] == ["code", "code"]
    files = [file.path for file in mlflow.MlflowClient().list_artifacts(run.info.run_id)]
    assert "feature_importance_gain.png" in files


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
    client = mlflow.MlflowClient()
    client.set_prompt_version_tag("greet", 1, "state", "good")
    client.delete_prompt_version_tag("greet", 1, "state")
    client.set_prompt_tag("greet", "team", "a")
    assert client.get_prompt("greet").tags["team"] == "a"
    assert {version.version for version in client.search_prompt_versions("greet")} == {1, 2}
    mlflow.genai.delete_prompt_alias("greet", "live")
    with pytest.raises(MlflowException):
        mlflow.genai.load_prompt("prompts:/greet@live")
    for number in ("1", "2"):
        client.delete_prompt_version("greet", number)
    client.delete_prompt("greet")
    assert list(mlflow.genai.search_prompts()) == []


def test_logged_models_piece_by_piece(mlflow: Any, tmp_path: Path) -> None:
    from mlflow.entities import DatasetInput, InputTag, LoggedModelInput, LoggedModelOutput
    from mlflow.entities.dataset import Dataset

    client = mlflow.MlflowClient()
    parent = client.create_run("0")
    run_id = client.create_run("0", tags={"mlflow.parentRunId": parent.info.run_id}).info.run_id
    assert client.get_parent_run(run_id).info.run_id == parent.info.run_id
    model = client.create_logged_model("0", name="m", source_run_id=run_id, tags={"a": "b"}, params={"p": "1"})
    client.log_model_params(model.model_id, {"q": "2"})
    (tmp_path / "MLmodel").write_text("flavors: {}\n")
    client.log_model_artifact(model.model_id, str(tmp_path / "MLmodel"))
    assert [file.path for file in client.list_logged_model_artifacts(model.model_id)] == ["MLmodel"]
    client.finalize_logged_model(model.model_id, "READY")
    dataset = Dataset("iris", "d1", "local", "{}", schema=None, profile=None)
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("k", "v")])], [LoggedModelInput(model.model_id)])
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=3)])
    found = client.get_run(run_id)
    assert [one.model_id for one in found.inputs.model_inputs] == [model.model_id]
    assert [(one.model_id, one.step) for one in found.outputs.model_outputs] == [(model.model_id, 3)]
    assert client.get_logged_model(model.model_id).params == {"p": "1", "q": "2"}
    with mlflow.start_run():
        mlflow.set_active_model(name="agent")
        mlflow.log_metric("score", 1.0, dataset=None)
    external = mlflow.create_external_model(name="elsewhere", params={"url": "x"})
    (same,) = mlflow.search_logged_models(filter_string="name = 'elsewhere'", output_format="list")
    assert (same.model_id, same.params) == (external.model_id, {"url": "x"})
    mlflow.set_experiment_tags({"a": "1", "b": "2"})
    client.delete_experiment_tag("0", "a")
    assert client.get_experiment("0").tags == {"b": "2"}


def test_evaluation_of_a_model(mlflow: Any) -> None:
    import pandas as pd

    data = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "y": [0.0, 2.0, 4.0, 6.0]})
    data["guess"] = data["x"] * 2
    with mlflow.start_run() as run:
        dataset = mlflow.data.from_pandas(data, name="line", targets="y", predictions="guess")
        result = mlflow.models.evaluate(data=dataset, model_type="regressor")
    found = mlflow.get_run(run.info.run_id)
    assert found.data.metrics["mean_squared_error"] == result.metrics["mean_squared_error"] == 0.0
    assert [one.dataset.name for one in found.inputs.dataset_inputs] == ["line"]
