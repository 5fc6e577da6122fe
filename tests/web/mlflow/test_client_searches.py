"""Searches by MLflow's client: the whole filter language, orders with ties, deep pages, what is deleted."""

from __future__ import annotations

import math
from typing import Any

import pytest
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException, RestException

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


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


BAD_FILTERS = [
    ("metrics.loss = 'a'", "character 15"),
    ("params.kind = 5", "params"),
    ("status = 'FINISHED' OR status = 'FAILED'", "OR"),
    ("params.kind LIKE", "params.kind LIKE"),
    ("nothing.x = '1'", "nothing"),
    ("status = 'FINISHED", "'FINISHED"),
]


def test_a_bad_filter_says_where(mlflow: Any) -> None:
    for text, said in BAD_FILTERS:
        with pytest.raises(MlflowException) as refused:
            mlflow.search_runs(["0"], text)
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE", text
        assert said in refused.value.message, text


ORDERS = [
    (["start_time ASC", "params.`a.b c` DESC"], [1, 0, 3, 2, 4]),
    (["metrics.loss DESC", "attributes.run_name ASC"], [4, 1, 2, 0, 3]),
    (["metrics.loss ASC", "run_name DESC"], [0, 2, 1, 4, 3]),
    (["metrics.`val/auc.top 5` DESC"], [4, 2, 1, 0, 3]),
    (["tags.`team-1`", "start_time DESC", "run_name"], [2, 0, 3, 1, 4]),
    (["attributes.status DESC", "run_name desc"], [4, 3, 2, 0, 1]),
]


def test_orders_with_ties(mlflow: Any, runs: list[str]) -> None:
    client = mlflow.MlflowClient()
    for order, wanted in ORDERS:
        whole = mlflow.search_runs(["0"], order_by=order, output_format="list")
        assert [runs.index(run.info.run_id) for run in whole] == wanted, order
        paged, token = [], None
        while True:
            page = client.search_runs(["0"], order_by=order, max_results=2, page_token=token)
            paged += [runs.index(run.info.run_id) for run in page]
            token = page.token
            if not token:
                break
        assert paged == wanted, order


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


def test_searches_of_logged_models_and_experiments(mlflow: Any) -> None:
    client = mlflow.MlflowClient()
    for number in range(5):
        model = client.create_logged_model("0", name=f"m{number}", params={"depth": str(number % 2)}, tags={"t": "x"})
        client.log_metric(client.create_run("0").info.run_id, "auc", number / 10, model_id=model.model_id)
        client.create_experiment(f"e{number}", tags={"team": "ab"[number % 2]})
    orders = [{"field_name": "metrics.auc", "ascending": False}]
    page = client.search_logged_models(["0"], "metrics.auc >= 0.1 AND params.depth = '1'", order_by=orders)
    assert [model.name for model in page] == ["m3", "m1"]
    names, token = [], None
    while True:
        page = client.search_logged_models(["0"], "tags.t = 'x'", order_by=orders, max_results=2, page_token=token)
        names += [model.name for model in page]
        token = page.token
        if not token:
            break
    assert names == ["m4", "m3", "m2", "m1", "m0"]
    found = client.search_experiments(filter_string="tags.team = 'a' AND name ILIKE 'E%'", order_by=["name DESC"])
    assert [one.name for one in found] == ["e4", "e2", "e0"]
