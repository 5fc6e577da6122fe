from __future__ import annotations

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
        assert "`modelyard runs show r1`" in result.stderr


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
