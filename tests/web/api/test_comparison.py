"""Runs side by side and as files, by our own API."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from urllib.parse import quote

import pytest

from modelyard.core.tracking import many_runs
from tests.factories import Factories, system_owner
from tests.web.api.conftest import NewRunOf
from tests.web.conftest import Place
from tests.web.test_problems import problem

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


def rows(part: list[dict[str, Any]]) -> dict[str, Any]:
    return {row["key"]: (row["differs"], row["values"]) for row in part}


def test_runs_stand_side_by_side(place: Place, new_run: NewRunOf) -> None:
    one = new_run("a", params={"depth": "4", "seed": "7"}, points={"auc": [(0, 0.9), (1, 0.5)]})
    two = new_run("b", start=2000, params={"depth": "5", "seed": "7"}, points={"auc": [(0, 0.7)], "n": [(0, 1.0)]})
    place.call("DELETE", f"/runs/{two}")
    wish = {"run_ids": [two, one, two], "directions": {"auc": "max"}}
    answer = place.call("POST", "/runs/compare", wish)
    assert answer.status_code == 200, answer.get_json()
    made = answer.get_json()
    assert made["runs"] == [{"id": two, "name": "b"}, {"id": one, "name": "a"}]
    assert rows(made["params"]) == {"depth": (True, ["5", "4"]), "seed": (False, ["7", "7"])}
    attributes = rows(made["attributes"])
    assert attributes["lifecycle_stage"] == (True, ["deleted", "active"])
    assert attributes["started_at"] == (True, ["1970-01-01T00:00:02.000Z", "1970-01-01T00:00:01.000Z"])
    assert attributes["ended_at"] == (False, [None, None])
    metrics = {row["key"]: row for row in made["metrics"]}
    assert [value["last"] for value in metrics["auc"]["values"]] == [0.7, 0.5]
    assert metrics["auc"]["best"] == {"last": [two], "max": [one]}
    assert metrics["n"]["values"][1] is None


@on_sqlite
def test_what_cannot_be_compared_is_refused(place: Place, new_run: NewRunOf, factories: Factories) -> None:
    mine = new_run()
    for wish in (
        {"run_ids": []}, {"run_ids": [mine], "directions": {"auc": "up"}}, {"run_ids": [mine] * 201}, {},
    ):  # fmt: skip
        problem(place.call("POST", "/runs/compare", wish), 422, "invalid_input")
    for wrong in ("f" * 32, "'", "a b"):
        problem(place.call("POST", "/runs/compare", {"run_ids": [mine, wrong]}), 404, "not_found")
        problem(place.call("POST", "/runs/compare/export", {"run_ids": [mine, wrong]}), 404, "not_found")
    other = factories.project("other")
    headers = factories.headers(system_owner(other))
    address = f"/api/v1/organizations/{other.organization.slug}/projects/other/runs/compare"
    answer = place.client.post(address, json={"run_ids": [mine]}, headers=headers)
    problem(answer, 404, "not_found")


def table(place: Place, query: str) -> list[dict[str, str]]:
    answer = place.call("GET", f"/runs/export?{query}")
    assert answer.status_code == 200, answer.get_json()
    assert answer.is_streamed
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True), newline="")))


def test_all_runs_of_a_search_are_a_file(place: Place, new_run: NewRunOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_runs, "WALKED_PAGE", 2)
    for number in range(5):
        new_run(f"r{number}", start=number, params={"n": str(number)}, points={"auc": [(0, float(number))]})
    found = table(place, "")
    assert [row["name"] for row in found] == ["r0", "r1", "r2", "r3", "r4"]
    assert (found[3]["params.n"], found[3]["metrics.auc"], found[3]["tags.mlflow.runName"]) == ("3", "3.0", "r3")
    named = table(place, f"column=name&column=metrics.auc&order_by=metrics.auc+DESC&filter={quote('metrics.auc > 1')}")
    assert named == [{"name": f"r{number}", "metrics.auc": f"{number}.0"} for number in (4, 3, 2)]
    lines = place.call("GET", "/runs/export?format=json&column=name").get_data()
    assert json.loads(lines) == [{"name": f"r{number}"} for number in range(5)]
    assert table(place, "lifecycle=deleted&column=name") == []
    for query in ("column=depth", "format=xls", "filter=x", "order_by=x", "experiment=a"):
        problem(place.call("GET", f"/runs/export?{query}"), 422, "invalid_input")


def test_some_runs_are_a_file(place: Place, new_run: NewRunOf) -> None:
    one, two = new_run("a", start=1), new_run("b", start=2)
    new_run("c")
    place.call("DELETE", f"/runs/{one}")
    wish = {"run_ids": [two, one], "format": "ndjson", "columns": ["name", "lifecycle_stage"]}
    answer = place.call("POST", "/runs/compare/export", wish)
    assert answer.mimetype == "application/x-ndjson"
    assert [json.loads(line) for line in answer.get_data().splitlines()] == [
        {"name": "a", "lifecycle_stage": "deleted"}, {"name": "b", "lifecycle_stage": "active"},
    ]  # fmt: skip


@on_sqlite
def test_parquet_is_a_file(place: Place, new_run: NewRunOf) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    new_run("a", points={"auc": [(0, 0.5)]})
    answer = place.call("GET", "/runs/export?format=parquet")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="runs.parquet"'
    (row,) = parquet.read_table(io.BytesIO(answer.get_data())).to_pylist()
    assert (row["name"], row["metrics.auc"]) == ("a", 0.5)
