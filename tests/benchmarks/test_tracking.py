"""The benchmark of tracking: a short run without MLflow measures everything, reads back what it wrote, and kills."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts import postgresql_url

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "tracking.py"
QUICK = "--without-mlflow --rounds 1 --seconds 0.2 --mixed-seconds 0.5 --idle-seconds 0 --runs 150 --points 3000"


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
def test_a_short_run_measures_everything_and_loses_nothing(tmp_path: Path, database_kind: str) -> None:
    where = ["--postgresql", postgresql_url()] if database_kind == "postgresql" else []
    command = [sys.executable, str(PROGRAM), *QUICK.split(), *where, "--json", str(tmp_path / "report.json")]
    command += ["--markdown", str(tmp_path / "table.md")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["errors"] == []
    measured = {row["measure"].partition(",")[0].partition(":")[0] for row in report["rows"]}
    assert {"start to first answer", "log_metric", "create_run", "search 150 runs", "history of 3"} <= measured
    assert all(row["rate"] or row["p50_ms"] for row in report["rows"])
    assert report["limits"]["rows in bulk"] > report["limits"]["commits of one row"] > 0
    assert len((tmp_path / "table.md").read_text().splitlines()) == len(report["rows"]) + 2
    assert any("were answered, all are there" in note for note in report["notes"])
