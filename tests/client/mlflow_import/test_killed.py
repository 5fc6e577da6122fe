"""An import that is killed at any point goes on where it was: nothing is missing in the end, and nothing twice."""

from __future__ import annotations

import itertools
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from modelyard.client.mlflow_import.registry import Registry
from tests.client.mlflow_import.conftest import COPY, FOREST, MODEL, POINTS, Place, Seeded, client_of
from tests.client.mlflow_import.counting import rows
from tests.client.mlflow_import.test_import import (
    NO_FILES,
    bring,
    check_artifacts,
    check_logged_models,
    check_registry,
    check_runs,
    on_sqlite,
)

FEWEST_KILLED = 5


class Killer:
    """Stands before the application and kills the process that sends at its n-th write."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application
        self._lock = threading.Lock()
        self._victim: subprocess.Popen[bytes] | None = None
        self._left, self._lost = 0, False

    def aim(self, victim: subprocess.Popen[bytes] | None, at: int, *, lost: bool) -> None:
        """Kill it at that write, which is lost or done then."""
        with self._lock:
            self._victim, self._left, self._lost = victim, at, lost

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        writes = environ["REQUEST_METHOD"] != "GET" and not environ["PATH_INFO"].endswith("search")
        with self._lock:
            self._left -= writes
            victim = self._victim if writes and self._left <= 0 else None
        if victim is not None and self._lost:
            victim.kill()
            start_response("503 Service Unavailable", [("Content-Length", "0")])
            return []
        answer = self._application(environ, start_response)
        if victim is not None:
            victim.kill()
        return answer


@on_sqlite
def test_an_import_that_is_killed_again_and_again_brings_everything_once(
    place: Place, seeded: Seeded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = place.command(seeded.url, "--experiment", FOREST)
    killer = Killer(place.app.wsgi_app)
    monkeypatch.setattr(place.app, "wsgi_app", killer)
    # Each lives a little longer than the one before: all parts of an import are hit, and the last one comes through.
    for number in itertools.count():
        victim = subprocess.Popen(command, env=place.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        killer.aim(victim, 1 + 3 * number, lost=number % 2 == 0)
        output, _ = victim.communicate(timeout=120)
        if victim.returncode == 0:
            break
        assert victim.returncode == -signal.SIGKILL, output.decode()
    assert number >= FEWEST_KILLED
    killer.aim(None, 0, lost=False)
    there, here = client_of(seeded.url), place.mlflow(monkeypatch)
    check_runs(there, here)
    check_logged_models(there, here, seeded)
    check_artifacts(there, here, tmp_path)
    check_registry(there, here, seeded)
    counts = rows()
    once = {"run": 3, "metric_point": POINTS + 4, "logged_model": 1, "registered_model": 2, "model_version": 3}
    once |= {"experiment": 2, "run_input": 1, "run_output": 1, "logged_model_metric": 1, "stage_change": 1}
    assert {table: counts[table] for table in once} == once
    subprocess.run(command, env=place.environment, capture_output=True, timeout=120, check=True)
    assert rows() == counts
    assert len(here.search_model_versions(f"name='{COPY}'")) == 1


@on_sqlite
def test_a_version_that_only_used_up_a_number_when_all_ended_is_taken_away(
    place: Place, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Registry, "_delete_version", _end)
        with pytest.raises(KeyboardInterrupt):
            bring(place, seeded, NO_FILES)
    here = place.mlflow(monkeypatch)
    assert {int(version.version) for version in here.search_model_versions(f"name='{MODEL}'")} == {1, 2}
    bring(place, seeded, NO_FILES)
    assert {int(version.version) for version in here.search_model_versions(f"name='{MODEL}'")} == {1, 3}


def _end(*_: Any) -> None:
    raise KeyboardInterrupt
