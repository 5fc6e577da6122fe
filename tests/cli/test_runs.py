from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.answers import RUN, TIME
from tests.cli.conftest import AsJson, Ok, Run, Terminal
from tests.fake_api import PROJECT, Answer, Asked, FakeApi


class TestRuns:
    def test_filters_are_sent(self, signed_in: FakeApi, run: Run) -> None:
        signed_in.page(f"{PROJECT}/runs", [RUN] * 3)
        arguments = ("--filter", "metrics.auc > 0.9", "--order-by", "metrics.auc DESC", "--status", "FINISHED")
        result = run("runs", "list", *arguments, "--experiment", "0", "--limit", "2")
        assert len(result.stdout.splitlines()) == 3
        assert "--limit" in result.stderr
        condition = "metrics.auc > 0.9 and attributes.status = 'FINISHED'"
        query = {"filter": condition, "order_by": "metrics.auc DESC"}
        assert signed_in.last.query == {**query, "experiment": "0", "limit": "3"}

    def test_no_run_at_all_is_another_thing_than_none_that_fits(self, signed_in: FakeApi, run: Run) -> None:
        signed_in.page(f"{PROJECT}/runs", [])
        assert "MLFLOW_TRACKING_URI" in run("runs", "list").stderr
        for condition in ("--filter", "--status", "--experiment"):
            assert "No runs fit" in run("runs", "list", condition, "x").stderr

    def test_metrics(self, signed_in: FakeApi, run: Run, as_json: AsJson) -> None:
        points = [{"step": step, "timestamp": TIME, "value": step / 2} for step in range(30)]
        points[3]["value"] = "NaN"
        signed_in.page(f"{PROJECT}/runs/r1/metrics/train/loss", points)
        lines = run("runs", "metrics", "r1", "train/loss", "--last", "2").stdout.splitlines()
        assert lines[0].startswith("train/loss  ▁▁▁ ")
        assert lines[0].endswith("min 0  max 14.5  last 14.5")
        assert [line.split()[0] for line in lines[1:]] == ["STEP", "28", "29"]
        assert as_json("runs", "metrics", "r1", "train/loss") == points
        assert len(run("runs", "metrics", "r1", "train/loss", "--last", "0").stdout.splitlines()) == 1

    def test_a_metric_without_points(self, signed_in: FakeApi, run: Run) -> None:
        signed_in.page(f"{PROJECT}/runs/r1/metrics/loss", [])
        result = run("runs", "metrics", "r1", "loss")
        assert (result.exit_code, result.stdout) == (0, "")
        assert "`modelyard runs metrics r1`" in result.stderr

    def test_a_long_metric_is_drawn_from_a_sample_and_its_end_is_read(self, signed_in: FakeApi, run: Run) -> None:
        points = [{"step": step * 10, "timestamp": TIME, "value": step} for step in range(2000)]

        def answer(asked: Asked) -> Answer:
            start = int(asked.query.get("start_step", -1))
            found = points if start < 0 else [{**points[0], "step": step} for step in range(start, 19992)]
            return Answer(body={"items": found, "next_cursor": None})

        signed_in.put("GET", f"{PROJECT}/runs/r1/metrics/loss", answer)
        lines = run("runs", "metrics", "r1", "loss", "--last", "2").stdout.splitlines()
        assert signed_in.asked[0].query["max_points"] == "2000"
        assert signed_in.last.query["start_step"] == "19980"
        assert [line.split()[0] for line in lines[1:]] == ["STEP", "19990", "19991"]

    def test_metrics_of_a_run(self, signed_in: FakeApi, run: Run, as_json: AsJson) -> None:
        summary = {"key": "train/loss", "last": 0.25, "last_step": 3, "min": 0.125, "min_step": 2, "max": 1}
        summary |= {"max_step": 0, "count": 4}
        signed_in.page(f"{PROJECT}/runs/r1/metrics", [summary])
        row = run("runs", "metrics", "r1", "--prefix", "train/").stdout.splitlines()[1]
        assert row.split() == ["train/loss", "0.25", "3", "0.125", "2", "1", "0", "4"]
        assert signed_in.last.query["prefix"] == "train/"
        assert as_json("runs", "metrics", "r1") == [summary]
        signed_in.page(f"{PROJECT}/runs/r1/metrics", [])
        assert "`modelyard runs show r1`" in run("runs", "metrics", "r1").stderr

    def test_a_metric_as_a_file(self, signed_in: FakeApi, ok: Ok, run: Run) -> None:
        signed_in.put("GET", f"{PROJECT}/runs/r1/metric-export", b"step,timestamp,value\n")
        assert ok("runs", "metrics", "r1", "a/b", "--format", "csv") == "step,timestamp,value\n"
        assert signed_in.last.query == {"key": "a/b", "format": "csv"}
        assert run("runs", "metrics", "r1", "--format", "csv").exit_code == 2


class TestTail:
    def point(self, step: int) -> dict[str, Any]:
        return {"step": step, "timestamp": TIME, "value": step / 2}

    def test_points_are_printed_as_they_come_until_the_run_ends(self, signed_in: FakeApi, run: Run) -> None:
        first = {"key": "loss", "replace": True, "points": [self.point(1)]}
        later = {"key": "loss", "replace": False, "points": [self.point(2), self.point(3)]}
        late = {"key": "loss", "replace": True, "points": [self.point(0), self.point(1)]}
        signed_in.put(
            "GET", f"{PROJECT}/runs/r1/metric-tails",
            {"items": [first], "cursor": "c1", "has_more": True}, {"items": [later], "cursor": "c2", "has_more": True},
            {"items": [late], "cursor": "c3", "has_more": True}, {"items": [], "cursor": "c3", "has_more": False},
        )  # fmt: skip
        signed_in.put("GET", f"{PROJECT}/runs/r1", {**RUN, "status": "FINISHED"})
        result = run("runs", "tail", "r1", "loss")
        assert [line.split()[:2] for line in result.stdout.splitlines()] == [
            ["loss", str(step)] for step in (1, 2, 3, 0, 1)
        ]
        assert "came late" in result.stderr
        asked = [one.query.get("after") for one in signed_in.asked if one.path.endswith("metric-tails")]
        assert asked == [None, "c1", "c2", "c3", "c3"]

    def test_once_shows_all_metrics_as_lines_of_json(self, signed_in: FakeApi, ok: Ok) -> None:
        signed_in.page(f"{PROJECT}/runs/r1/metrics", [{"key": "loss"}])
        item = {"key": "loss", "replace": True, "points": [self.point(1)]}
        signed_in.put("GET", f"{PROJECT}/runs/r1/metric-tails", {"items": [item], "cursor": "c", "has_more": False})
        line = json.loads(ok("runs", "tail", "r1", "--once", "--output", "json"))
        assert line == {"key": "loss", **self.point(1)}

    def test_a_run_without_metrics(self, signed_in: FakeApi, run: Run) -> None:
        signed_in.page(f"{PROJECT}/runs/r1/metrics", [])
        assert "no metrics yet" in run("runs", "tail", "r1").stderr


class TestSeveralRuns:
    COMPARISON: dict[str, Any] = {
        "runs": [{"id": "r1", "name": "bold-fox"}, {"id": "r2", "name": "calm-owl"}],
        "attributes": [
            {"key": "status", "differs": False, "values": ["FINISHED", "FINISHED"]},
            {"key": "user", "differs": True, "values": ["ada", "bo"]},
        ],
        "params": [
            {"key": "depth", "differs": True, "values": ["4", None]},
            {"key": "seed", "differs": False, "values": ["7", "7"]},
        ],
        "tags": [],
        "datasets": [],
        "metrics": [
            {"key": "auc", "differs": True, "values": [{"last": 0.5}, {"last": 0.75}], "best": {"last": ["r2"]}},
            {"key": "n", "differs": True, "values": [None, {"last": 1}], "best": {}},
        ],
    }

    def test_what_differs_stands_side_by_side(self, signed_in: FakeApi, ok: Ok, as_json: AsJson) -> None:
        signed_in.put("POST", f"{PROJECT}/runs/compare", self.COMPARISON)
        lines = [line.split() for line in ok("runs", "compare", "r1", "r2", "--best", "auc=max").splitlines()]
        assert lines == [
            ["KIND", "KEY", "BOLD-FOX", "CALM-OWL"], ["attribute", "user", "ada", "bo"], ["param", "depth", "4"],
            ["metric", "auc", "0.5", "0.75", "*"], ["metric", "n", "1"],
        ]  # fmt: skip
        assert signed_in.last.json == {"run_ids": ["r1", "r2"], "directions": {"auc": "max"}}
        assert "seed" in ok("runs", "compare", "r1", "r2", "--all")
        assert as_json("runs", "compare", "r1", "r2") == self.COMPARISON

    def test_curves_are_drawn(self, signed_in: FakeApi, ok: Ok, as_json: AsJson) -> None:
        signed_in.put("POST", f"{PROJECT}/runs/compare", self.COMPARISON)
        curve = {"run_id": "r2", "key": "loss", "x": [0, 1], "values": [1, "NaN"], "steps": [0, 1]}
        signed_in.put("POST", f"{PROJECT}/metrics/sample", {"items": [curve]})
        last = ok("runs", "compare", "r1", "r2", "--curve", "loss").splitlines()[-1]
        assert last.startswith("loss  calm-owl  ")
        assert signed_in.last.json == {"run_ids": ["r1", "r2"], "keys": ["loss"]}
        assert as_json("runs", "compare", "r1", "--curve", "loss")["curves"] == [curve]

    def test_a_table_of_runs_goes_into_a_file(self, signed_in: FakeApi, ok: Ok, run: Run) -> None:
        signed_in.put("GET", f"{PROJECT}/runs/export", b"name\nbold-fox\n")
        signed_in.put("POST", f"{PROJECT}/runs/compare/export", b"[]\n")
        ok("runs", "export", "--filter", "metrics.auc > 0.9", "--column", "name", "--to", "runs.csv")
        assert Path("runs.csv").read_bytes() == b"name\nbold-fox\n"
        assert signed_in.last.query == {"format": "csv", "column": "name", "filter": "metrics.auc > 0.9"}
        assert ok("runs", "export", "r1", "r2", "--format", "json") == "[]\n"
        assert signed_in.last.json == {"run_ids": ["r1", "r2"], "format": "json", "columns": []}
        assert run("runs", "export", "r1", "--filter", "x").exit_code == 2

    def test_several_runs_are_deleted_restored_and_tagged(self, signed_in: FakeApi, ok: Ok, run: Run) -> None:
        for verb in ("delete", "restore", "tags"):
            signed_in.put("POST", f"{PROJECT}/runs/{verb}", {"changed_count": 2})
        assert run("runs", "delete", "r1", "r2", stdin="n\n").exit_code == 1
        assert ok("runs", "delete", "r1", "r2", "--yes") == "Deleted 2 runs.\n"
        assert ok("runs", "restore", "r1", "r2") == "Restored 2 runs.\n"
        assert ok("runs", "tag", "r1", "r2", "--tag", "a=b", "--remove-tag", "c") == "Tagged 2 runs.\n"
        assert signed_in.last.json == {"run_ids": ["r1", "r2"], "tags": {"a": "b", "c": None}}
        assert run("runs", "tag", "r1").exit_code == 2

    def test_values_are_logged(self, signed_in: FakeApi, ok: Ok, run: Run) -> None:
        signed_in.put("POST", f"{PROJECT}/runs/r1/log", Answer(204))
        metrics = ("--metric", "loss=0.5", "--metric", "gap=nan", "--metric", "top=inf", "--metric", "low=-inf")
        said = ok("runs", "log", "r1", *metrics, "--step", "3", "--param", "p=1", "--tag", "t=2")
        assert said == "Logged 6 values to the run r1.\n"
        assert signed_in.last.json == {
            "metrics": [
                {"key": key, "value": value, "step": 3}
                for key, value in (("loss", 0.5), ("gap", "NaN"), ("top", "Infinity"), ("low", "-Infinity"))
            ],
            "params": {"p": "1"},
            "tags": {"t": "2"},
        }
        assert run("runs", "log", "r1", "--metric", "loss=low").exit_code == 2


class TestArtifacts:
    TREE: dict[str, list[dict[str, Any]]] = {
        "": [
            {"path": "notes.txt", "is_directory": False, "size_bytes": 5},
            {"path": "model", "is_directory": True, "size_bytes": None},
        ],
        "model": [{"path": "model/weights.bin", "is_directory": False, "size_bytes": 2048}],
    }

    @pytest.fixture(autouse=True)
    def tree(self, signed_in: FakeApi) -> None:
        def listing(asked: Asked) -> Answer:
            return Answer(body={"items": self.TREE.get(asked.query.get("path", ""), []), "next_cursor": None})

        def content(asked: Asked) -> Answer:
            if asked.query["path"] not in {"notes.txt", "model/weights.bin"}:
                return Answer(404, {"detail": "There is no such artifact.", "code": "not_found"})
            return Answer(body=asked.query["path"].encode())

        signed_in.put("GET", f"{PROJECT}/runs/r1/artifacts", listing)
        signed_in.put("GET", f"{PROJECT}/runs/r1/artifacts/content", content)

    def test_list(self, ok: Ok) -> None:
        assert ok("runs", "artifacts", "list", "r1").splitlines() == ["PATH       SIZE", "notes.txt  5 B", "model/"]
        assert "2.0 KiB" in ok("runs", "artifacts", "list", "r1", "model")

    @pytest.mark.parametrize(
        ("path", "files"),
        [
            ("", ["notes.txt", "model/weights.bin"]),
            ("model", ["weights.bin"]),
            ("/model/", ["weights.bin"]),
            ("model/weights.bin", ["weights.bin"]),
            ("notes.txt", ["notes.txt"]),
        ],
    )
    def test_download(self, as_json: AsJson, path: str, files: list[str]) -> None:
        saved = as_json("runs", "artifacts", "download", "r1", path, "--to", "out")["files"]
        assert saved == [f"out/{file}" for file in files]
        assert all(Path(file).read_bytes().decode().endswith(Path(file).name) for file in saved)

    def test_an_empty_folder_says_where_to_look(self, signed_in: FakeApi, run: Run) -> None:
        assert "`modelyard runs artifacts list r1`" in run("runs", "artifacts", "list", "r1", "absent").stderr
        signed_in.page(f"{PROJECT}/runs/r2/artifacts", [])
        assert "`modelyard runs show r2`" in run("runs", "artifacts", "list", "r2").stderr

    def test_download_to_the_current_folder(self, ok: Ok) -> None:
        assert ok("runs", "artifacts", "download", "r1", "notes.txt") == "Saved 1 file in ..\n"
        assert Path("notes.txt").is_file()

    def test_what_is_not_there(self, run: Run, signed_in: FakeApi) -> None:
        assert run("runs", "artifacts", "download", "r1", "absent").exit_code == 3
        signed_in.page(f"{PROJECT}/runs/r2/artifacts", [])
        assert run("runs", "artifacts", "download", "r2").exit_code == 3

    @pytest.mark.parametrize("path", ["../evil.sh", "/etc/evil.sh", "model/../../evil.sh"])
    def test_nothing_is_written_outside_of_the_folder(
        self, run: Run, signed_in: FakeApi, home: Path, path: str
    ) -> None:
        signed_in.page(f"{PROJECT}/runs/r1/artifacts", [{"path": path, "is_directory": False, "size_bytes": 1}])
        assert run("runs", "artifacts", "download", "r1", "--to", "out").exit_code == 6
        assert not list(home.rglob("evil.sh"))

    def test_a_terminal_sees_progress(self, ok: Ok, monkeypatch: pytest.MonkeyPatch) -> None:
        screen = Terminal()
        monkeypatch.setattr("modelyard.cli.download.sys.stderr", screen)
        from modelyard.cli.download import progress

        with progress([{"path": "a", "size_bytes": 10}, {"path": "b", "size_bytes": None}]) as advance:
            advance(10)
        with progress([{"path": "[red]a", "size_bytes": 10}]) as advance:
            advance(10)
        assert "2 files" in screen.getvalue()
        assert "[red]a" in screen.getvalue()
