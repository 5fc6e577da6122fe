"""The benchmark itself: a short run measures every call, without an error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts import postgresql_url

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "api.py"


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
def test_a_short_run_measures_every_call(tmp_path: Path, database_kind: str) -> None:
    where = ["--postgresql", postgresql_url()] if database_kind == "postgresql" else []
    options = ["--clients", "1", "3", "--seconds", "0.2", "--memory-seconds", "0.6"]
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *where, *options, "--json", str(tmp_path / "report.json")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert {(one["call"].partition(" (")[0], one["clients"]) for one in report["results"]} == {
        (call, clients)
        for call in ("health", "get project", "list runs", "search runs", "log-metric", "log-batch of 100")
        for clients in (1, 3)
    }
    for one in report["results"]:
        assert one["errors"] == 0, one
        assert one["requests"] >= one["clients"]
        assert 0 < one["p50_ms"] <= one["p95_ms"] <= one["p99_ms"]
    assert report["memory"][-1]["requests"] > 0
    assert all(look["pss_mib"] > 20 for look in report["memory"])
    assert "log-metric" in done.stdout
