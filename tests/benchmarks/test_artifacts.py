"""A large artifact goes up and down with MLflow's own client, and the server's memory stays flat."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "artifacts.py"


def test_the_servers_memory_stays_flat_while_a_large_file_passes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--size-mib", "64", "--json", str(tmp_path / "report.json")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    up, down = json.loads((tmp_path / "report.json").read_text())
    assert (up["way"], down["way"]) == ("up", "down")
    for one in (up, down):
        assert one["growth_mib"] < 32
        assert one["mib_per_second"] > 0
