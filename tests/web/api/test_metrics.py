"""Metrics by our own API: summaries, histories, files, tails, and curves of several runs."""

from __future__ import annotations

import base64
import csv
import io
import json
from typing import Any
from urllib.parse import quote

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.errors import NotFound
from modelyard.core.tracking import run_metrics
from modelyard.core.tracking.sql import execute
from tests.web.api.conftest import NewRunOf, log
from tests.web.conftest import Place
from tests.web.test_problems import problem

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
INFINITY = float("inf")


def get(place: Place, path: str) -> Any:
    answer = place.call("GET", path)
    assert answer.status_code == 200, answer.get_json()
    return answer.get_json()


def test_summaries_are_listed_by_name(place: Place, new_run: NewRunOf) -> None:
    points = {"b": [(0, 1.0), (1, 3.0), (2, 2.0)], "a/x": [(5, -INFINITY)], "a/y": [(1, float("nan"))]}
    address = f"/runs/{new_run(points=points)}/metrics"
    listed = get(place, address)["items"]
    assert listed[2] == {
        "key": "b", "last": 2, "last_step": 2, "last_timestamp": "1970-01-01T00:00:03.000Z",
        "min": 1, "min_step": 0, "max": 3, "max_step": 1, "count": 3,
    }  # fmt: skip
    assert (listed[0]["key"], listed[0]["min"]) == ("a/x", "-Infinity")
    assert (listed[1]["last"], listed[1]["min"], listed[1]["max_step"]) == ("NaN", None, None)
    assert [item["key"] for item in get(place, f"{address}?prefix=a/")["items"]] == ["a/x", "a/y"]
    walked, cursor = [], ""
    while cursor is not None:
        page = get(place, f"{address}?limit=1&cursor={cursor}")
        walked += page["items"]
        cursor = page["next_cursor"]
    assert walked == listed
    problem(place.call("GET", f"{address}?cursor=x"), 422, "invalid_input")
    assert get(place, f"/runs/{new_run()}/metrics")["items"] == []


def test_any_name_of_a_metric_stands_in_an_address(place: Place, services: Services, new_run: NewRunOf) -> None:
    keys = ["a/b/c", "a b", "ü/漢", "x:y", "a..b", "export", "1", "a-b_c.d"]
    run_id = new_run(points={key: [(0, float(number))] for number, key in enumerate(keys)})
    for number, key in enumerate(keys):
        for safe in ("", "/"):
            found = get(place, f"/runs/{run_id}/metrics/{quote(key, safe=safe)}")["items"]
            assert [point["value"] for point in found] == [number], key
        assert get(place, f"/runs/{run_id}/metric-tails?key={quote(key)}")["items"][0]["points"] == found


def test_a_part_of_a_history_is_chosen(place: Place, new_run: NewRunOf) -> None:
    address = f"/runs/{new_run(points={'m': [(step, float(step)) for step in range(-1, 50)]})}/metrics/m"

    def steps(query: str) -> list[int]:
        return [point["step"] for point in get(place, f"{address}?{query}")["items"]]

    assert steps("") == list(range(-1, 50))
    assert steps("start_step=48") == [48, 49]
    assert steps("end_step=0&limit=1") == [-1]
    assert steps("from=1970-01-01T00:00:03Z&to=1970-01-01T00:00:04.999Z") == [2, 3]
    assert steps("start_step=7&end_step=7") == [7]
    assert steps("start_step=99") == []
    sampled = steps("max_points=6&start_step=0")
    assert (len(sampled) <= 6, sampled[0], sampled[-1]) == (True, 0, 49)
    for query in ("start_step=x", "from=yesterday", "max_points=3", "limit=10001", f"end_step={2**63}", "cursor=x"):
        problem(place.call("GET", f"{address}?{query}"), 422, "invalid_input")


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
def test_a_history_is_a_file(
    place: Place, services: Services, new_run: NewRunOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_metrics, "POINTS_AT_ONCE", 3)
    run_id = new_run(points={"a/b": [(step, step / 2) for step in range(7)]})
    log(services, place, run_id, {"a/b": [(7, float("nan"))]})
    answer = place.call("GET", f"/runs/{run_id}/metric-export?key=a/b")
    assert answer.is_streamed
    assert answer.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    assert [row["step"] for row in rows] == [str(step) for step in range(8)]
    assert rows[7] == {"step": "7", "timestamp": "1970-01-01T00:00:08.000Z", "value": "NaN"}
    lines = place.call("GET", f"/runs/{run_id}/metric-export?key=a/b&format=ndjson&start_step=5").get_data()
    assert [json.loads(line) for line in lines.splitlines()] == get(place, f"/runs/{run_id}/metrics/a/b")["items"][5:]
    assert place.call("GET", f"/runs/{run_id}/metric-export?key=none").get_data() == b"step,timestamp,value\r\n"
    problem(place.call("GET", f"/runs/{'f' * 32}/metric-export?key=m"), 404, "not_found")
    problem(place.call("GET", f"/runs/{run_id}/metric-export?key=m&format=xls"), 422, "invalid_input")
    problem(place.call("GET", f"/runs/{run_id}/metric-export"), 422, "invalid_input")


@on_sqlite
@pytest.mark.parametrize(("kind", "last"), [("csv", b'"The server failed'), ("ndjson", b'{"error":"The server failed')])
def test_a_file_that_breaks_off_says_so(
    place: Place, new_run: NewRunOf, monkeypatch: pytest.MonkeyPatch, kind: str, last: bytes
) -> None:
    monkeypatch.setattr(run_metrics, "POINTS_AT_ONCE", 3)
    run_id = new_run(points={"m": [(step, step / 2) for step in range(7)]})
    pieces = place.call("GET", f"/runs/{run_id}/metric-export?key=m&format={kind}").iter_encoded()
    sent = [next(pieces)]
    execute("UPDATE run SET public_id = ?", ("0" * 32,))
    with pytest.raises(NotFound):
        sent.extend(pieces)
    assert b"".join(sent).splitlines()[-1].startswith(last)


def test_tails_tell_what_is_new(place: Place, services: Services, new_run: NewRunOf) -> None:
    run_id = new_run(points={"a": [(0, 1.0)], "b": [(0, 1.0)]})
    address = f"/runs/{run_id}/metric-tails?key=a&key=b&key=c"
    first = get(place, address)
    assert [(item["key"], item["replace"], len(item["points"])) for item in first["items"]] == [
        ("a", True, 1), ("b", True, 1),
    ]  # fmt: skip
    asked = f"{address}&after={first['cursor']}"
    quiet = place.call("GET", asked)
    assert quiet.get_json() == {"items": [], "cursor": first["cursor"], "has_more": False}
    tag = {"If-None-Match": quiet.headers["ETag"]}
    assert place.call("GET", asked, headers=tag).status_code == 304

    log(services, place, run_id, {"a": [(1, 2.0)], "c": [(3, 4.0)]})
    assert place.call("GET", asked, headers=tag).status_code == 200
    second = get(place, asked)
    assert [(item["key"], item["replace"]) for item in second["items"]] == [("a", False), ("c", True)]
    assert second["items"][0]["points"] == [{"step": 1, "timestamp": "1970-01-01T00:00:02.000Z", "value": 2}]

    log(services, place, run_id, {"a": [(-1, 0.0)]})
    (late,) = get(place, f"{address}&after={second['cursor']}")["items"]
    assert (late["replace"], [point["step"] for point in late["points"]]) == (True, [-1, 0, 1])


def name_of_m(cursor: str) -> str:
    (name,) = json.loads(base64.urlsafe_b64decode(cursor + "=="))[1]
    return str(name)


def test_a_cursor_of_tails_is_the_runs_own(place: Place, new_run: NewRunOf) -> None:
    one, other = new_run(points={"m": [(0, 1.0)]}), new_run(points={"m": [(0, 1.0)]})
    cursor = get(place, f"/runs/{one}/metric-tails?key=m")["cursor"]
    for wrong in (cursor[:-2], "x", "!", "漢", "W10"):
        problem(place.call("GET", f"/runs/{one}/metric-tails?key=m&after={quote(wrong)}"), 422, "invalid_input")
    problem(place.call("GET", f"/runs/{other}/metric-tails?key=m&after={cursor}"), 422, "invalid_input")
    for mark in (
        [1, 2**63, 0, 1.0],
        [1, 0, 0, "x"],
        [1, 0, 0],
        {},
        [1, 0, 0, None],
        [1, 1.5, 0, 1.0],
        [1, -(2**64), 0, 1],
    ):
        forged = base64.urlsafe_b64encode(json.dumps([one, {name_of_m(cursor): mark}]).encode()).decode()
        problem(place.call("GET", f"/runs/{one}/metric-tails?key=m&after={forged}"), 422, "invalid_input")
    problem(place.call("GET", f"/runs/{one}/metric-tails"), 422, "invalid_input")
    many = "&".join(f"key=k{number}" for number in range(51))
    problem(place.call("GET", f"/runs/{one}/metric-tails?{many}"), 422, "invalid_input")
    problem(place.call("GET", f"/runs/{'f' * 32}/metric-tails?key=m"), 404, "not_found")


def test_curves_of_several_runs(place: Place, new_run: NewRunOf) -> None:
    one = new_run("a", points={"m": [(0, 1.0), (2, 3.0)], "n": [(0, 9.0)]})
    two = new_run("b", start=2000, points={"m": [(1, 5.0), (2, float("nan")), (4, 7.0)]})
    wish: dict[str, Any] = {"run_ids": [one, two], "keys": ["m", "n"]}

    def curves(**more: Any) -> Any:
        answer = place.call("POST", "/metrics/sample", {**wish, **more})
        assert answer.status_code == 200, answer.get_json()
        return answer.get_json()

    assert curves() == {
        "items": [
            {"run_id": one, "key": "m", "x": [0, 2], "values": [1, 3], "steps": [0, 2]},
            {"run_id": two, "key": "m", "x": [1, 2, 4], "values": [5, "NaN", 7], "steps": [1, 2, 4]},
            {"run_id": one, "key": "n", "x": [0], "values": [9], "steps": [0]},
        ]
    }
    assert curves(x="relative_time")["items"][1]["x"] == [0, 1, 3]
    assert curves(x="wall_time", start_step=2)["items"][0] == {
        "run_id": one, "key": "m", "x": [3], "values": [3], "steps": [2],
    }  # fmt: skip
    assert curves(align="last", keys=["m"]) == {
        "x": [0, 1, 2, 4],
        "items": [
            {"run_id": one, "key": "m", "values": [1, 1, 3, None]},
            {"run_id": two, "key": "m", "values": [None, 5, "NaN", 7]},
        ],
    }
    assert curves(align="nearest", keys=["none"]) == {"x": [], "items": []}
    assert curves(**{"from": "1970-01-01T00:00:05Z"})["items"][0]["steps"] == [4]


@on_sqlite
def test_curves_that_cannot_be_are_refused(place: Place, new_run: NewRunOf) -> None:
    wish = {"run_ids": [new_run()], "keys": ["m"]}
    for more in (
        {"run_ids": []}, {"run_ids": ["x"] * 201}, {"keys": []}, {"keys": ["m"] * 51}, {"max_points": 3},
        {"max_points": 50_001}, {"x": "time"}, {"align": "first"}, {"start_step": 2**63}, {"start_step": "1"},
        {"keys": [f"k{number}" for number in range(21)], "max_points": 50_000}, {"other": 1},
    ):  # fmt: skip
        problem(place.call("POST", "/metrics/sample", {**wish, **more}), 422, "invalid_input")
    for x in ("step", "relative_time"):
        problem(place.call("POST", "/metrics/sample", {**wish, "run_ids": ["f" * 32], "x": x}), 404, "not_found")
