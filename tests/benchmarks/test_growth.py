"""What shows how cost grows: a short run measures each size, without an error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "growth.py"
QUICK = "--runs 20 60 --points 2000 5000 --keys 10 1200 --seconds 0.1"


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_short_run_measures_every_size(tmp_path: Path, database_kind: str) -> None:
    command = [sys.executable, str(PROGRAM), *QUICK.split(), "--json", str(tmp_path / "lines.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    lines = json.loads((tmp_path / "lines.json").read_text())
    assert {(line["what"], line["size"]) for line in lines} == {
        *(("runs", size) for size in (20, 60)),
        *(("points", size) for size in (2000, 5000)),
        *(("metrics of a run", size) for size in (10, 1200)),
    }
    assert all(line["per_second"] > 0 and line["errors"] == 0 for line in lines)
