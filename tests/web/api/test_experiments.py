"""Experiments by our own API."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from modelyard.core.notifications.models import Event
from tests.web.api.conftest import NewRunOf
from tests.web.conftest import Place
from tests.web.test_problems import problem


def names(place: Place, query: str) -> list[str]:
    answer = place.call("GET", f"/experiments?{query}")
    assert answer.status_code == 200, answer.get_json()
    return [item["name"] for item in answer.get_json()["items"]]


def test_an_experiment_is_made_shown_changed_deleted_and_restored(place: Place, new_run: NewRunOf) -> None:
    wish = {"name": "trees", "tags": {"team": "growth", "draft": "yes"}, "note": "All depths."}
    made = place.call("POST", "/experiments", wish)
    assert made.status_code == 201
    body = made.get_json()
    assert (body["note"], body["lifecycle_stage"], "runs_count" in body) == ("All depths.", "active", False)
    assert body["tags"] == {"team": "growth", "draft": "yes", "mlflow.note.content": "All depths."}
    address = f"/experiments/{body['id']}"
    run_id = new_run(experiment=body["id"])

    changes = {"name": "forests", "note": "", "tags": {"draft": None, "absent": None, "state": "done"}}
    edited = place.call("PATCH", address, changes).get_json()
    assert (edited["name"], edited["note"]) == ("forests", None)
    assert place.call("GET", f"{address}?runs_count=true").get_json() == {**edited, "runs_count": 1}
    assert edited["tags"] == {"team": "growth", "state": "done"}
    assert place.call("GET", address).get_json() == edited

    assert place.call("DELETE", address).status_code == 204
    assert place.call("GET", address).get_json()["lifecycle_stage"] == "deleted"
    assert place.call("GET", f"/runs/{run_id}").get_json()["lifecycle_stage"] == "deleted"
    assert names(place, "") == ["Default"]
    assert names(place, "lifecycle=deleted") == ["forests"]
    assert sorted(names(place, "lifecycle=all")) == ["Default", "forests"]
    problem(place.call("PATCH", address, {"name": "x"}), 409, "invalid_transition")
    problem(place.call("PATCH", address, {"tags": {"a": "b"}}), 409, "conflict")

    assert place.call("POST", f"{address}/restore").get_json()["lifecycle_stage"] == "active"
    assert place.call("GET", f"/runs/{run_id}").get_json()["lifecycle_stage"] == "active"
    actions = [event.action for event in Event.select().where(Event.object_kind == "experiment").order_by(Event.id)]
    assert actions == ["experiment.created", "experiment.renamed", "experiment.deleted", "experiment.restored"]


def test_an_edit_is_whole_or_nothing(place: Place) -> None:
    place.call("POST", "/experiments", {"name": "taken"})
    made = place.call("POST", "/experiments", {"name": "mine", "tags": {"a": "1"}}).get_json()
    for changes, status in (
        ({"name": "taken", "tags": {"a": "2"}}, 409),
        ({"name": "new", "tags": {"a": "2", "bad\\key": "3"}}, 422),
        ({"name": " ", "tags": {"a": "2"}}, 422),
        ({"name": "new", "unknown": 1}, 422),
        ({"name": "new", "tags": {"a": 5}}, 422),
    ):
        assert place.call("PATCH", f"/experiments/{made['id']}", changes).status_code == status, changes
        assert place.call("GET", f"/experiments/{made['id']}").get_json() == made


def test_an_edit_names_the_state_that_it_was_made_on(place: Place) -> None:
    address = f"/experiments/{place.call('POST', '/experiments', {'name': 'mine'}).get_json()['id']}"
    seen = place.call("GET", address).headers["ETag"]
    assert place.call("PATCH", address, {"note": "1"}, headers={"If-Match": seen}).status_code == 200
    problem(place.call("PATCH", address, {"note": "2"}, headers={"If-Match": seen}), 412, "precondition_failed")


def test_experiments_are_found(place: Place, new_run: NewRunOf) -> None:
    for name, team in (("Boosting", "a"), ("bagging", "a"), ("it's", "b")):
        place.call("POST", "/experiments", {"name": name, "tags": {"team": team}})
    new_run()
    assert names(place, "q=BOO") == ["Boosting"]
    assert names(place, "q=it%27s") == ["it's"]
    of_team = quote("tags.team = 'a'")
    assert names(place, f"q=g&filter={of_team}&order_by=name") == ["Boosting", "bagging"]
    counted = place.call("GET", "/experiments?runs_count=true&q=default").get_json()["items"]
    assert [(item["name"], item["runs_count"]) for item in counted] == [("Default", 1)]
    assert "runs_count" not in place.call("GET", "/experiments").get_json()["items"][0]
    for query in ("lifecycle=none", "filter=name+==", "order_by=tags.x", "limit=0", "runs_count=maybe"):
        problem(place.call("GET", f"/experiments?{query}"), 422, "invalid_input")


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"name": "a", "artifact_location": "s3://bucket/../x"}, 422),
        ({"name": "a", "artifact_location": "s3://bucket/x/"}, 201),
        ({"name": ""}, 422),
        ({"name": "Default"}, 409),
        ({"name": "x" * 501}, 422),
        ({"tags": {}}, 422),
    ],
)
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_wish_that_cannot_be_makes_nothing(place: Place, wish: dict[str, Any], status: int) -> None:
    answer = place.call("POST", "/experiments", wish)
    assert answer.status_code == status
    assert len(names(place, "lifecycle=all")) == (2 if status == 201 else 1)
    if status == 201:
        assert answer.get_json()["artifact_location"] == "s3://bucket/x"


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_what_is_not_there_is_not_found(place: Place) -> None:
    for method, path, body in (
        ("GET", "", None), ("PATCH", "", {"name": "x"}), ("PATCH", "", {"tags": {"a": None}}), ("DELETE", "", None),
        ("POST", "/restore", None),
    ):  # fmt: skip
        problem(place.call(method, f"/experiments/77{path}", body), 404, "not_found")
        problem(place.call(method, f"/experiments/x{path}", body), 422, "invalid_input")
    problem(place.call("POST", "/experiments/0/restore"), 404, "not_found")
