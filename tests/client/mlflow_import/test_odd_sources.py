"""Sources that are old, partly broken, or have what a project does not take; the project is a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from modelyard.client import ServerUnreachableError, UnavailableError
from modelyard.client.mlflow_import import Options, Report, Source, import_mlflow
from tests.client.mlflow_import.conftest import Place
from tests.client.mlflow_import.counting import rows
from tests.client.mlflow_import.test_import import on_sqlite
from tests.fake_api import Answer, Asked, FakeApi, running

pytestmark = on_sqlite
API = "/api/2.0/mlflow/"
RUN = "a" * 32
EXPERIMENT = {"experiment_id": "7", "name": "old", "lifecycle_stage": "active", "creation_time": 1}


def run(run_id: str = RUN, root: str = f"s3://key:word@bucket/7/{RUN}/artifacts", **data: Any) -> dict[str, Any]:
    info = {"run_id": run_id, "experiment_id": "7", "status": "FINISHED", "start_time": 5, "end_time": 6}
    return {"info": {**info, "artifact_uri": root, "lifecycle_stage": "active"}, "data": data}


class Old(FakeApi):
    """An MLflow server of before MLflow 3 with some runs, the first of which is asked for one by one as well."""

    def fill(self, *runs: dict[str, Any], files: list[dict[str, Any]] | None = None) -> Old:
        self.put("GET", "/version", Answer(body=b"2.9.2"))
        self.put("POST", f"{API}experiments/search", {"experiments": [EXPERIMENT]})
        self.put("POST", f"{API}runs/search", {"runs": list(runs)})
        known = {each["info"]["run_id"]: each for each in runs}
        self.put("GET", f"{API}runs/get", lambda asked: Answer(body={"run": known[asked.query["run_id"]]}))
        self.put(
            "GET",
            f"{API}artifacts/list",
            lambda asked: Answer(body={"files": [] if asked.query.get("path") else files or []}),
        )
        self.put("GET", f"{API}registered-models/search", {})
        return self


@pytest.fixture
def old() -> Iterator[Old]:
    with running() as fake:
        fake.__class__ = Old
        assert isinstance(fake, Old)
        yield fake


def bring(place: Place, url: str, slept: list[float] | None = None, **options: Any) -> Report:
    source, project = Source(url, {}), place.project()
    source.client.sleep = project.client.sleep = (slept if slept is not None else []).append
    return import_mlflow(project, source, Options(**options))


def left_out(report: Report) -> dict[str, list[tuple[str, list[str]]]]:
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for entry in report.not_brought:
        found.setdefault(entry.kind, []).append((entry.reason, entry.examples))
    return found


def test_a_server_of_before_mlflow_3_is_brought_but_for_what_it_has_not(place: Place, old: Old) -> None:
    old.fill(run(metrics=[{"key": "m"}], params=[{"key": "p", "value": "1"}]))
    # Servers of old write numbers that JSON has no word for as bare words.
    old.put(
        "GET",
        f"{API}metrics/get-history",
        Answer(body=b'{"metrics": [{"value": NaN}, {"value": -Infinity, "step": 1}]}'),
    )
    report = bring(place, old.url)
    assert report.brought["runs"] == 1
    assert report.notes == ["The source (MLflow 2.9.2) has no logged models; MLflow 3 has."]
    (series,) = place.project().runs.metric_history(our_run(place), "m", limit=1)
    assert series["value"] == "NaN"
    assert rows()["metric_point"] == 2


def our_run(place: Place) -> str:
    (found,) = place.project().runs.list()
    return str(found["id"])


def test_all_pages_of_a_source_are_read(place: Place, old: Old) -> None:
    old.fill(run())
    second = run("b" * 32)

    def page(asked: Asked) -> Answer:
        last = asked.json.get("page_token") == "next"
        return Answer(body={"runs": [second]} if last else {"runs": [run()], "next_page_token": "next"})

    known = {RUN: run(), "b" * 32: second}
    old.put("POST", f"{API}runs/search", page)
    old.put("GET", f"{API}runs/get", lambda asked: Answer(body={"run": known[asked.query["run_id"]]}))
    assert bring(place, old.url).brought["runs"] == 2


def test_artifacts_that_the_source_keeps_elsewhere_come_through_its_own_pages(place: Place, old: Old) -> None:
    old.fill(run(), files=[{"path": "a b.txt", "is_dir": False, "file_size": 3}])
    old.put("GET", "/get-artifact", lambda asked: Answer(body=asked.query["path"][:3].encode()))
    assert bring(place, old.url).brought["artifacts"] == 1
    (file,) = place.project().runs.files(our_run(place))
    assert (file["path"], file["size_bytes"]) == ("a b.txt", 3)


def test_artifacts_that_it_cannot_reach_are_left_out_with_the_reason_and_tried_again_next_time(
    place: Place, old: Old
) -> None:
    old.fill(run(), files=[{"path": "a.txt", "is_dir": False, "file_size": 1}])
    old.put("GET", "/get-artifact", Answer(500, {"error_code": "INTERNAL_ERROR", "message": "no credentials for S3"}))
    report = bring(place, old.url)
    assert left_out(report) == {"artifacts": [("at s3://bucket: no credentials for S3", [f"{RUN}/a.txt"])]}
    old.put("GET", "/get-artifact", Answer(body=b"x"))
    assert bring(place, old.url).brought["artifacts"] == 1
    assert not bring(place, old.url).brought


def test_what_the_project_refuses_is_left_out_and_the_rest_is_brought(place: Place, old: Old) -> None:
    params = [{"key": f"p{number}", "value": "1"} for number in range(9)]
    params.insert(4, {"key": "../up", "value": "1"})
    files = [{"path": "back\\slash", "file_size": 1}, {"path": "fine", "file_size": 1}]
    old.fill(run(params=params, tags=[{"key": "mlflow.parentRunId", "value": "f" * 32}]), files=files)
    old.put("GET", "/get-artifact", Answer(body=b"x"))
    report = bring(place, old.url)
    assert (report.brought["params"], report.brought["artifacts"]) == (9, 1)
    found = left_out(report)
    assert found["params"][0][1] == ["../up"]
    assert "Invalid artifact path" in found["artifacts"][0][0]
    assert found["parents"][0][1] == [RUN]


def test_a_run_that_the_source_cannot_read_does_not_keep_the_others_from_coming(place: Place, old: Old) -> None:
    good = run("b" * 32)
    old.fill(run(), good)

    def get(asked: Asked) -> Answer:
        if asked.query["run_id"] == RUN:
            return Answer(500, {"error_code": "INTERNAL_ERROR", "message": "corrupt"})
        return Answer(body={"run": good})

    old.put("GET", f"{API}runs/get", get)
    report = bring(place, old.url)
    assert report.brought["runs"] == 1
    assert left_out(report) == {"runs": [("corrupt", [RUN])]}


def failing(times: int, then: Any) -> Callable[[Asked], Answer]:
    left = [times]

    def answer(asked: Asked) -> Answer:
        left[0] -= 1
        return Answer(503) if left[0] >= 0 else Answer(body=then)

    return answer


def test_a_source_that_is_away_for_a_while_is_waited_for(place: Place, old: Old) -> None:
    slept: list[float] = []
    old.fill(run())
    old.put("POST", f"{API}runs/search", failing(3, {"runs": [run()]}))
    assert bring(place, old.url, slept).brought["runs"] == 1
    assert slept[:3] == [0.5, 1, 2]


def test_a_source_that_stays_away_ends_the_import_and_the_next_one_goes_on(place: Place, old: Old) -> None:
    old.fill(run())
    old.put("GET", f"{API}runs/get", Answer(503))
    with pytest.raises(UnavailableError, match=r"answered 503.*Import again"):
        bring(place, old.url)
    assert rows()["run"] == 1
    old.put("GET", f"{API}runs/get", {"run": run()})
    assert bring(place, old.url).brought["runs"] == 1
    assert rows()["run"] == 1


def test_a_file_whose_download_always_breaks_off_is_left_out(place: Place, old: Old) -> None:
    old.fill(run(), files=[{"path": "big", "file_size": 1000}])
    old.put("GET", "/get-artifact", Answer(body=b"x" * 1000, cut_at=10))
    report = bring(place, old.url)
    assert left_out(report)["artifacts"][0][1] == [f"{RUN}/big"]
    assert report.brought["runs"] == 1


def test_nobody_at_the_address_is_said_so_before_anything_is_made(place: Place) -> None:
    with pytest.raises(ServerUnreachableError, match="Check that it runs"):
        bring(place, "http://127.0.0.1:9")
    assert rows()["experiment"] <= 1
