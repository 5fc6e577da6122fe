"""Sources that are old, partly broken, or have what a project does not take; the project is a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from modelyard.client import ClientError, ServerUnreachableError, UnavailableError
from modelyard.client.mlflow_import import Options, Report, Source, import_mlflow
from tests.client.mlflow_import.conftest import Place
from tests.client.mlflow_import.counting import rows
from tests.client.mlflow_import.test_import import on_sqlite
from tests.factories import Factories
from tests.fake_api import Answer, Asked, FakeApi, running
from tests.web.mlflow.conftest import Wire

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
    runs = [run(f"{number:032x}") for number in range(30)]
    old.fill(*runs)

    def page(asked: Asked) -> Answer:
        start = int(asked.json.get("page_token") or 0)
        more = {"next_page_token": str(start + 10)} if start < 20 else {}
        return Answer(body={"runs": runs[max(0, start - 3) : start + 10], **more})  # pages overlap

    old.put("POST", f"{API}runs/search", page)
    assert bring(place, old.url).brought["runs"] == 30
    assert {each["tags"]["modelyard.import.id"] for each in place.project().runs.list()} == {
        each["info"]["run_id"] for each in runs
    }


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


def test_a_server_that_hides_its_version_is_brought(place: Place, old: Old) -> None:
    old.fill(run())
    old.put("GET", "/version", Answer(404))
    report = bring(place, old.url)
    assert report.brought["runs"] == 1
    assert report.notes == ["The source (MLflow of an unknown version) has no logged models; MLflow 3 has."]


def test_an_import_that_is_interrupted_lets_its_threads_go(place: Place, old: Old) -> None:
    old.fill(*(run(f"{number:032x}") for number in range(20)))
    old.put("GET", f"{API}runs/get", Answer(503))

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    source = Source(old.url, {})
    source.client.sleep = interrupt
    with pytest.raises(KeyboardInterrupt):
        import_mlflow(place.project(), source)
    asked = len(old.asked)
    with pytest.raises(ClientError, match="was ended"):
        source.run(RUN)
    assert len(old.asked) == asked


def test_nobody_at_the_address_is_said_so_before_anything_is_made(place: Place) -> None:
    with pytest.raises(ServerUnreachableError, match="Check that it runs"):
        bring(place, "http://127.0.0.1:9")
    assert rows()["experiment"] <= 1


def version(number: int, source: str, **more: Any) -> dict[str, Any]:
    return {"name": "risk", "version": str(number), "source": source, "creation_timestamp": number, **more}


def test_versions_are_brought_where_their_files_have_a_place(
    place: Place, old: Old, monkeypatch: pytest.MonkeyPatch
) -> None:
    old.fill(run())
    sources = [
        f"runs:/{RUN}/model",
        f"s3://bucket/7/{RUN}/artifacts",
        "runs:/" + "f" * 32 + "/model",
        "models:/m-" + "f" * 32,
        "models:/gone/1",
        "models:/risk/6",
        "dbfs:/somewhere",
    ]
    versions = [version(number, source) for number, source in enumerate(sources, 1)]
    versions[0] |= {"current_stage": "Shadow", "tags": [{"key": "mlflow.of", "value": RUN}], "user_id": "ada"}
    model = {"name": "risk", "creation_timestamp": 1, "aliases": [{"alias": "v1", "version": "1"}]}

    def models(asked: Asked) -> Answer:
        return Answer(body={} if "prompt" in asked.query.get("filter", "") else {"registered_models": [model]})

    def get(asked: Asked) -> Answer:
        found = [
            each for each in versions if each["version"] == asked.query["version"] and asked.query["name"] == "risk"
        ]
        return Answer(body={"model_version": found[0]}) if found else Answer(404, {"message": "none"})

    old.put("GET", f"{API}registered-models/search", models)
    old.put("GET", f"{API}model-versions/search", {"model_versions": versions})
    old.put("GET", f"{API}model-versions/get", get)
    found = left_out(bring(place, old.url))
    here = place.mlflow(monkeypatch)
    ours = our_run(place)
    root = here.get_run(ours).info.artifact_uri
    brought = {str(each.version): each for each in here.search_model_versions("name='risk'")}
    assert {number: each.source for number, each in brought.items()} == {"1": f"runs:/{ours}/model", "2": root}
    first = here.get_model_version("risk", "1")
    assert first.tags["mlflow.of"] == ours
    assert first.tags["modelyard.import.created_by"] == "ada"
    assert dict(found["model_versions"]) == {
        "the run that has its files was not brought": ["risk/3"],
        "the logged model that has its files was not brought": ["risk/4"],
        "the version that it is a copy of is not there": ["risk/5"],
        "it is a copy of a copy of a copy without an end": ["risk/6"],
        "its files are not those of a run or logged model": ["risk/7"],
    }
    assert "Invalid Model Version stage: Shadow" in found["stages"][0][0]
    assert found["aliases"][0][1] == ["risk@v1"]
    old.put("GET", f"{API}model-versions/search", {"model_versions": versions[2:]})
    assert "model_versions" not in left_out(bring(place, old.url, experiments=("old",)))


def test_an_alias_comes_with_the_import_that_brings_its_version(
    place: Place, old: Old, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = {"name": "risk", "aliases": [{"alias": "champion", "version": "1"}]}

    def models(asked: Asked) -> Answer:
        return Answer(body={} if "prompt" in asked.query.get("filter", "") else {"registered_models": [model]})

    for runs in ([], [run()]):
        old.fill(*runs).put("GET", f"{API}registered-models/search", models)
        old.put("GET", f"{API}model-versions/search", {"model_versions": [version(1, f"runs:/{RUN}/model")]})
        assert ("aliases" in left_out(bring(place, old.url))) is not bool(runs)
    assert place.mlflow(monkeypatch).get_registered_model("risk").aliases == {"champion": "1"}


def test_an_experiment_that_is_deleted_here_or_keeps_its_files_elsewhere(
    place: Place, old: Old, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = place.mlflow(monkeypatch)
    elsewhere = here.create_experiment("old", artifact_location="s3://mine/old")
    old.fill(run(), files=[{"path": "a.txt", "file_size": 1}])
    reason = "the project keeps this experiment's artifacts elsewhere, not on its server"
    assert left_out(bring(place, old.url))["artifacts"] == [(reason, [RUN])]
    here.delete_experiment(elsewhere)
    reason = "the project's experiment of that name is deleted; restore it, and import again"
    assert left_out(bring(place, old.url))["experiments"] == [(reason, ["old"])]


def test_logged_models_that_lack_their_run_or_are_refused(
    place: Place, old: Old, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = "m-" + "1" * 32, "m-" + "2" * 32
    infos = {good: {"name": "fine", "status": "LOGGED_MODEL_READY"}, bad: {"name": "no/slash"}}
    metric = {"key": "auc", "value": 1.0, "timestamp": 1, "run_id": "f" * 32}
    models = {
        key: {
            "info": {"model_id": key, "experiment_id": "7", "source_run_id": RUN, **info},
            "data": {"metrics": [metric]},
        }
        for key, info in infos.items()
    }
    used = run()
    used["outputs"] = {"model_outputs": [{"model_id": bad, "step": 1}]}
    old.fill(used)
    old.put("POST", f"{API}logged-models/search", {"models": list(models.values())})
    old.put("GET", f"{API}logged-models/{good}", {"model": models[good]})
    found = left_out(bring(place, old.url, artifacts=False))
    assert found["model_metrics"] == [("the run that measured them was not brought", ["f" * 32])]
    assert [examples for _, examples in found["logged_models"]] == [[bad], [bad]]
    (brought,) = place.mlflow(monkeypatch).search_logged_models(["1"])
    assert (brought.name, brought.source_run_id) == ("fine", our_run(place))


def test_another_project_of_ours_is_a_source_as_well(place: Place, old: Old, factories: Factories, wire: Wire) -> None:
    old.fill(run(params=[{"key": "p", "value": "1"}], tags=[{"key": "team", "value": "a"}]))
    bring(place, old.url)
    second = factories.project(owner=wire.owner)
    to = place.project().client.project(second.organization.slug, second.slug)
    report = import_mlflow(to, place.tracking_uri, environment={"MLFLOW_TRACKING_TOKEN": place.token})
    assert report.not_brought == []
    (brought,) = to.runs.list()
    assert (brought["params"], brought["tags"]["team"]) == ({"p": "1"}, "a")
    assert brought["tags"]["modelyard.import.id"] == our_run(place)
    assert not import_mlflow(to, place.tracking_uri, environment={"MLFLOW_TRACKING_TOKEN": place.token}).brought
