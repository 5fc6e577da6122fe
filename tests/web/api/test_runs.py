"""Runs by our own API: one, and many at once."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.notifications.models import Event
from modelyard.core.tracking.entities import Dataset, DatasetInput, ModelOutput, NewLoggedModel, Tag
from tests.web.api.conftest import NewRunOf
from tests.web.conftest import Place
from tests.web.test_problems import problem

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


def listed(place: Place, query: str) -> list[str]:
    answer = place.call("GET", f"/runs?{query}")
    assert answer.status_code == 200, answer.get_json()
    return [item["name"] for item in answer.get_json()["items"]]


def actions(noun: str) -> list[str]:
    return [event.action for event in Event.select().where(Event.object_kind == noun).order_by(Event.id)]


def test_a_run_is_made_logged_to_ended_and_changed(place: Place) -> None:
    parent = place.call("POST", "/runs", {"name": "parent"}).get_json()
    wish = {
        "name": "child", "parent_run_id": parent["id"], "started_at": "2026-01-02T03:04:05.678+01:00",
        "note": "First try.", "tags": {"team": "growth", "draft": "yes"},
    }  # fmt: skip
    made = place.call("POST", "/runs", wish)
    assert made.status_code == 201, made.get_json()
    run = made.get_json()
    assert (run["status"], run["user"], run["started_at"]) == (
        "RUNNING",
        place.user.username,
        "2026-01-02T02:04:05.678Z",
    )
    assert (run["parent_run_id"], run["note"], run["experiment"]["name"]) == (parent["id"], "First try.", "Default")
    address = f"/runs/{run['id']}"

    batch = {
        "metrics": [
            {"key": "train/loss", "value": 0.5, "step": 3, "timestamp": "2026-01-02T03:04:06Z"},
            {"key": "train/loss", "value": "NaN", "step": 4},
            {"key": "n", "value": 7},
        ],
        "params": {"depth": "4"},
        "tags": {"data": "2026-09"},
    }
    assert place.call("POST", f"{address}/log", batch).status_code == 204
    changes = {"name": "renamed", "status": "FINISHED", "tags": {"draft": None, "absent": None, "x": "y"}}
    edited = place.call("PATCH", address, changes).get_json()
    assert (edited["name"], edited["status"]) == ("renamed", "FINISHED")
    assert edited["ended_at"] > edited["started_at"]
    assert edited["params"] == {"depth": "4"}
    assert edited["metrics"] == {"n": 7, "train/loss": "NaN"}
    assert {key: value for key, value in edited["tags"].items() if "." not in key} == {
        "data": "2026-09", "team": "growth", "x": "y",
    }  # fmt: skip
    shown = place.call("GET", f"/runs/{parent['id']}?children=true").get_json()
    assert shown["children"] == [{"id": run["id"], "name": "renamed", "status": "FINISHED"}]
    assert "children" not in place.call("GET", f"/runs/{parent['id']}").get_json()
    assert listed(place, f"parent={parent['id']}") == ["renamed"]
    assert actions("run") == ["run.created", "run.created", "run.renamed", "run.finished"]


def test_a_run_that_has_ended_keeps_its_end(place: Place, new_run: NewRunOf) -> None:
    address = f"/runs/{new_run()}"
    first = place.call("PATCH", address, {"status": "FAILED", "ended_at": "2026-01-01T00:00:00Z"}).get_json()
    assert first["ended_at"] == "2026-01-01T00:00:00.000Z"
    again = place.call("PATCH", address, {"status": "FINISHED"}).get_json()
    assert (again["status"], again["ended_at"]) == ("FINISHED", first["ended_at"])
    by_tag = place.call("PATCH", address, {"tags": {"mlflow.runName": "by tag"}}).get_json()
    assert (by_tag["name"], actions("run")[-1]) == ("by tag", "run.renamed")


def test_an_edit_names_the_state_that_it_was_made_on(place: Place, new_run: NewRunOf) -> None:
    address = f"/runs/{new_run()}"
    seen = {"If-Match": place.call("GET", address).headers["ETag"]}
    assert place.call("PATCH", address, {"note": "1"}, headers=seen).status_code == 200
    problem(place.call("PATCH", address, {"note": "2"}, headers=seen), 412, "precondition_failed")
    assert place.call("GET", address).get_json()["note"] == "1"


def test_an_edit_is_whole_or_nothing(place: Place, new_run: NewRunOf) -> None:
    address = f"/runs/{new_run(tags={'a': '1'})}"
    before = place.call("GET", address).get_json()
    for changes in (
        {"name": "x", "tags": {"bad\\key": "1"}}, {"name": "x", "status": "DONE"}, {"name": ""},
        {"name": "x", "ended_at": "yesterday"}, {"name": "x", "tags": {"a": ["b"]}}, {"name": "x", "other": 1},
        {"name": "x", "ended_at": "2026-01-01T00:00:00"},
    ):  # fmt: skip
        problem(place.call("PATCH", address, changes), 422, "invalid_input")
        assert place.call("GET", address).get_json() == before, changes
    place.call("DELETE", address)
    problem(place.call("PATCH", address, {"name": "x"}), 409, "conflict")
    problem(place.call("PATCH", address, {"tags": {"a": None}}), 409, "conflict")


@pytest.mark.parametrize(
    "batch",
    [
        {"metrics": [{"key": "m", "value": "high"}]},
        {"metrics": [{"key": "m", "value": True}]},
        {"metrics": [{"key": "m", "value": 10**400}]},
        {"metrics": [{"key": "m", "value": 1, "step": 2**63}]},
        {"metrics": [{"key": "m", "value": 1, "step": "1"}]},
        {"metrics": [{"key": "m", "value": 1, "timestamp": 5}]},
        {"metrics": [{"key": "../m", "value": 1}]},
        {"metrics": [{"key": "m", "value": 1}] * 1001},
        {"metrics": [{"value": 1}]},
        {"params": {f"p{number}": "1" for number in range(101)}},
        {"params": {"p": 1}},
        {"tags": {"": "1"}},
    ],
)
@on_sqlite
def test_a_batch_that_cannot_be_is_not_logged(place: Place, new_run: NewRunOf, batch: dict[str, Any]) -> None:
    address = f"/runs/{new_run()}"
    good = {"params": {"good": "1"}} if "params" not in batch else {"tags": {"good": "1"}}
    problem(place.call("POST", f"{address}/log", {**good, **batch}), 422, "invalid_input")
    run = place.call("GET", address).get_json()
    assert (run["params"], run["metrics"], "good" in run["tags"]) == ({}, {}, False)


@on_sqlite
def test_a_param_that_has_another_value_is_a_conflict(place: Place, new_run: NewRunOf) -> None:
    address = f"/runs/{new_run(params={'p': '1'})}"
    problem(place.call("POST", f"{address}/log", {"params": {"p": "2"}, "tags": {"t": "1"}}), 409, "conflict")
    assert "t" not in place.call("GET", address).get_json()["tags"]


def test_runs_are_listed_counted_and_paged(place: Place, new_run: NewRunOf) -> None:
    other = place.call("POST", "/experiments", {"name": "other"}).get_json()["id"]
    for number in range(4):
        experiment = other if number == 3 else "0"
        new_run(f"r{number}", start=number, experiment=experiment, points={"a b/c": [(0, number)]})
    gone = new_run("gone", start=9)
    place.call("DELETE", f"/runs/{gone}")
    assert listed(place, "") == ["r3", "r2", "r1", "r0"]
    assert listed(place, "lifecycle=deleted") == ["gone"]
    assert listed(place, "lifecycle=all&limit=2") == ["gone", "r3"]
    assert listed(place, f"experiment={other}") == ["r3"]
    assert listed(place, f"experiment=0,%20{other}&order_by=start_time+asc") == ["r0", "r1", "r2", "r3"]
    assert listed(place, f"order_by={quote('metrics.`a b/c` DESC, run_name')}&limit=1") == ["r3"]
    page = place.call("GET", f"/runs?count=true&limit=1&filter={quote('metrics.`a b/c` > 0')}").get_json()
    assert (page["total_count"], len(page["items"])) == (3, 1)
    assert "total_count" not in place.call("GET", "/runs").get_json()
    for query in ("lifecycle=x", "experiment=a", "parent=%27", "count=2x", "order_by=x", "filter=x"):
        problem(place.call("GET", f"/runs?{query}"), 422, "invalid_input")


def test_what_a_run_used_and_made_is_shown(place: Place, services: Services, new_run: NewRunOf) -> None:
    run_id = new_run()
    dataset = Dataset("customers", "d1", "http", "http://x/customers.csv", schema="{}")
    used = DatasetInput(dataset, [Tag("mlflow.data.context", "training")])
    services.runs.log_inputs(place.actor, place.project, run_id, datasets=[used])
    model = services.logged_models.create(place.actor, place.project, NewLoggedModel(experiment_id="0", name="m"))
    services.runs.log_outputs(place.actor, place.project, run_id, [ModelOutput(model.info.model_id, 3)])
    shown = place.call("GET", f"/runs/{run_id}").get_json()
    assert shown["datasets"] == [
        {"name": "customers", "digest": "d1", "context": "training", "source_type": "http",
         "source": "http://x/customers.csv", "schema": "{}", "profile": None,
         "tags": {"mlflow.data.context": "training"}}
    ]  # fmt: skip
    assert shown["model_outputs"] == [{"id": model.info.model_id, "step": 3}]
    assert shown["model_inputs"] == []


def test_many_runs_are_changed_as_one(place: Place, new_run: NewRunOf) -> None:
    ids = [new_run(f"r{number}", tags={"draft": "yes"} if number else {}) for number in range(3)]
    tagged = place.call("POST", "/runs/tags", {"run_ids": ids, "tags": {"team": "growth", "draft": None}})
    assert tagged.get_json() == {"changed_count": 3}
    for run_id in ids:
        tags = place.call("GET", f"/runs/{run_id}").get_json()["tags"]
        assert (tags["team"], "draft" in tags) == ("growth", False)
    assert place.call("POST", "/runs/delete", {"run_ids": [*ids, ids[0]]}).get_json() == {"changed_count": 3}
    assert place.call("POST", "/runs/delete", {"run_ids": ids}).get_json() == {"changed_count": 0}
    assert listed(place, "") == []
    problem(place.call("POST", "/runs/tags", {"run_ids": ids, "tags": {"a": "b"}}), 409, "conflict")
    assert place.call("POST", "/runs/restore", {"run_ids": ids[:2]}).get_json() == {"changed_count": 2}
    assert len(listed(place, "")) == 2
    written = list(Event.select().where(Event.object_kind == "runs").order_by(Event.id))
    assert [event.action for event in written] == ["runs.tagged", "runs.deleted", "runs.restored"]
    assert written[1].after == {"run_ids": sorted(ids), "lifecycle_stage": "deleted"}
    assert written[2].object_name == "2 runs"


def test_of_many_runs_all_are_changed_or_none(place: Place, new_run: NewRunOf) -> None:
    ids = [new_run("a"), new_run("b")]
    for verb in ("delete", "restore", "tags"):
        body: dict[str, Any] = {"run_ids": [*ids, "f" * 32]} | ({"tags": {"k": "v"}} if verb == "tags" else {})
        problem(place.call("POST", f"/runs/{verb}", body), 404, "not_found")
        problem(place.call("POST", f"/runs/{verb}", {**body, "run_ids": []}), 422, "invalid_input")
        problem(place.call("POST", f"/runs/{verb}", {**body, "run_ids": ["x"] * 1001}), 422, "invalid_input")
    assert len(listed(place, "")) == 2
    assert "k" not in place.call("GET", f"/runs/{ids[0]}").get_json()["tags"]
    assert actions("runs") == []


@on_sqlite
def test_times_that_no_calendar_has_are_shown_at_its_rim(place: Place, new_run: NewRunOf) -> None:
    shown = place.call("GET", f"/runs/{new_run(start=10**17)}").get_json()
    assert shown["started_at"] == "9999-12-31T23:59:59.999Z"


@on_sqlite
def test_what_is_not_there_is_not_found(place: Place) -> None:
    ghost = "f" * 32
    for method, path, body in (
        ("GET", f"/runs/{ghost}", None), ("PATCH", f"/runs/{ghost}", {"name": "x"}),
        ("POST", f"/runs/{ghost}/log", {}), ("POST", "/runs", {"parent_run_id": ghost}),
        ("POST", "/runs", {"experiment_id": "77"}),
    ):  # fmt: skip
        problem(place.call(method, path, body), 404, "not_found")
