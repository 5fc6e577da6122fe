"""Following a run, and files that break off."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard.client import Client, ServerUnreachableError
from tests.fake_api import PROJECT, Answer, FakeApi


def answer(cursor: str, *values: float, has_more: bool = False) -> dict[str, Any]:
    points = [{"step": 0, "timestamp": "", "value": value} for value in values]
    items = [{"key": "m", "replace": False, "points": points}] if points else []
    return {"items": items, "cursor": cursor, "has_more": has_more}


def test_a_run_is_followed_until_nothing_comes_after_its_end(api: FakeApi) -> None:
    pauses: list[float] = []
    client = Client(api.url, "my_1_x", sleep=pauses.append)
    api.put(
        "GET", f"{PROJECT}/runs/r1/metric-tails",
        answer("a", 1, has_more=True), answer("b", 2), answer("b"), answer("c", 3), answer("c"),
    )  # fmt: skip
    api.put("GET", f"{PROJECT}/runs/r1", {"status": "RUNNING"}, {"status": "FINISHED"})
    followed = client.project("acme", "churn").runs.follow_metrics("r1", ["m"], pause_seconds=7)
    assert [point["value"] for item in followed for point in item["points"]] == [1, 2, 3]
    assert pauses == [7]


def test_a_file_that_breaks_off_is_told(api: FakeApi, client: Client) -> None:
    api.put("GET", f"{PROJECT}/runs/export", Answer(body=b"x" * 100_000, cut_at=50_000))
    with pytest.raises(ServerUnreachableError, match="broke off"):
        list(client.project("acme", "churn").runs.export())


def test_the_runs_of_a_search_are_counted(api: FakeApi, client: Client) -> None:
    api.put("GET", f"{PROJECT}/runs", {"items": [], "total_count": 7})
    assert client.project("acme", "churn").runs.count(filter="x") == 7
    assert api.last.query == {"count": "true", "limit": "1", "filter": "x"}
