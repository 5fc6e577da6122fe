"""The soak itself: a short run looks at the server all the way, and what is wrong is said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.parts import postgresql_url

FOLDER = Path(__file__).parents[2] / "benchmarks"
REQUESTS = 400


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
def test_a_short_soak_answers_every_request(tmp_path: Path, database_kind: str) -> None:
    where = ["--postgresql", postgresql_url()] if database_kind == "postgresql" else []
    options = ["--requests", str(REQUESTS), "--clients", "3", "--json", str(tmp_path / "report.json")]
    done = subprocess.run(
        [sys.executable, str(FOLDER / "soak.py"), *where, *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    report = json.loads((tmp_path / "report.json").read_text())
    assert not [line for line in report["wrong"] if "failed" in line], done.stderr
    assert (done.returncode == 0) == (report["wrong"] == []), done.stdout
    assert len(report["looks"]) == 20
    assert report["looks"][-1]["requests"] == REQUESTS
    assert all(look["held"]["pss_mib"] > 20 and look["held"]["threads"] > 3 for look in report["looks"])


@pytest.fixture
def soak(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The program as a module."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import soak

    yield soak
    for name in ("soak", "processes", "servers", "wire"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("first_mib", "last_mib", "errors", "wrong"),
    [
        (100.0, 132.0, [], []),
        (100.0, 133.0, [], ["Memory grew by 33.0 MiB from the first tenth to the end."]),
        (133.0, 100.0, ["GET /x: 500"], ["1 requests failed, the first: GET /x: 500"]),
    ],
)
def test_growth_and_failures_are_wrong(
    soak: Any, first_mib: float, last_mib: float, errors: list[str], wrong: list[str]
) -> None:
    sizes = [1.0, first_mib, *[last_mib] * (soak.LOOKS - 2)]
    looks = [soak.Look(1, 1.0, soak.Held(size, 1, 1)) for size in sizes]
    assert soak.judge(looks, errors) == wrong
