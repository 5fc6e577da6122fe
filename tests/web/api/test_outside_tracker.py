"""A project whose tracker is another system: it is read and changed as any other, and never called in a transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.db import HeldTransaction, database
from modelyard.core.interfaces import Tracker
from modelyard.plugins.sql_tracker.tracker import SqlTracker
from tests.web.api.conftest import NewRunOf
from tests.web.conftest import Place

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


class Outside(SqlTracker):
    """A tracker that, as far as its capabilities say, is somewhere else."""

    capabilities = frozenset()

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        return elsewhere(found) if name in Tracker.__abstractmethods__ - {"health"} else found


def elsewhere(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Do what another system would do: outside of the request's transaction, which must not have begun."""

    def call(*args: Any, **more: Any) -> Any:
        assert database.transaction_depth() == 0, f"{verb.__name__} is called in a transaction"
        kept, HeldTransaction._thread.held = HeldTransaction.here(), None
        try:
            return verb(*args, **more)
        finally:
            HeldTransaction._thread.held = kept

    return call


@pytest.fixture(autouse=True)
def outside(services: Services) -> None:
    tracker = Outside({})
    for service in (services.runs, services.experiments, services.changes):
        service._trackers = lambda project: tracker


@pytest.mark.parametrize("key", [False, True])
def test_everything_is_done_to_it_as_to_ours(place: Place, new_run: NewRunOf, key: bool) -> None:
    count = iter(range(100))

    def call(method: str, path: str, body: Any = None) -> Any:
        headers = {"Idempotency-Key": f"k{next(count)}"} if key else {}
        answer = place.call(method, path, body, headers=headers)
        assert answer.status_code < 300, answer.get_data(as_text=True)
        return answer.get_json() if answer.mimetype == "application/json" and answer.get_data() else answer.get_data()

    one, two = new_run("a", points={"m": [(0, 1.0)]}), new_run("b")
    cursor = call("GET", "/changes")["cursor"]
    made = call("POST", "/experiments", {"name": "e", "tags": {"a": "1"}})
    edited = call("PATCH", f"/experiments/{made['id']}", {"name": "f", "note": "n", "tags": {"a": None}})
    assert (edited["name"], edited["tags"]) == ("f", {"mlflow.note.content": "n"})
    call("DELETE", f"/experiments/{made['id']}")
    assert call("POST", f"/experiments/{made['id']}/restore")["lifecycle_stage"] == "active"
    nested = call("POST", "/runs", {"parent_run_id": one, "tags": {"a": "1"}})
    assert nested["parent_run_id"] == one
    ended = call("PATCH", f"/runs/{nested['id']}", {"name": "n", "status": "FINISHED", "tags": {"a": None, "b": "2"}})
    assert (ended["name"], ended["status"], ended["tags"].get("a"), ended["tags"]["b"]) == ("n", "FINISHED", None, "2")
    call("POST", f"/runs/{one}/log", {"metrics": [{"key": "m", "value": 2, "step": 1}]})
    call("DELETE", f"/runs/{two}")
    assert call("POST", f"/runs/{two}/restore")["lifecycle_stage"] == "active"
    for verb, more in (("tags", {"tags": {"x": "y"}}), ("delete", {}), ("restore", {})):
        call("POST", f"/runs/{verb}", {"run_ids": [one, two], **more})
    assert len(call("POST", "/runs/compare", {"run_ids": [one, two]})["runs"]) == 2
    assert call("POST", "/metrics/sample", {"run_ids": [one], "keys": ["m"]})["items"][0]["values"] == [1, 2]
    assert call("GET", f"/runs/{one}?children=true")["children"][0]["name"] == "n"
    assert len(call("GET", "/runs/export?column=name").splitlines()) == 4
    actions = [thing["action"] for thing in call("GET", f"/changes?after={cursor}")["things"]]
    assert actions == [
        "experiment.created", "experiment.renamed", "experiment.deleted", "experiment.restored", "run.created",
        "run.renamed", "run.finished", "run.deleted", "run.restored", "runs.tagged", "runs.deleted", "runs.restored",
    ]  # fmt: skip
