"""`modelyard serve --reload`, on a copy of the package that may be changed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import modelyard
from tests.functional.running_server import RunningServer, eventually

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])
PACKAGE = Path(modelyard.__file__).parent


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package."""
    leave_out = shutil.ignore_patterns("node_modules", "dist", "__pycache__", "src")
    return Path(shutil.copytree(PACKAGE, tmp_path / "copy" / "modelyard", ignore=leave_out))


@pytest.fixture
def server(environment: dict[str, str], copy: Path, tmp_path: Path) -> Iterator[RunningServer]:
    """A server that runs from the copy."""
    own = {"PYTHONPATH": str(copy.parent), "PYTHONSAFEPATH": "1"}
    server = RunningServer(environment | own, tmp_path / "serve.log", "--reload")
    yield server
    server.kill_all()


def test_a_changed_file_starts_all_anew_and_a_broken_one_waits_for_its_mend(server: RunningServer, copy: Path) -> None:
    server.start()
    before = set(server.pids("web") + server.pids("worker"))
    health = copy / "web" / "health.py"
    text = health.read_text()
    health.write_text(text.replace('jsonify(status="live")', 'jsonify(status="alive")'))

    def said() -> str:
        try:
            return str(server.get("/health/live").json()["status"])
        except OSError:
            return ""

    eventually(lambda: said() == "alive", "the changed answer")
    eventually(lambda: server.pids("worker") and not before & set(server.pids("web") + server.pids("worker")), "pids")
    health.write_text("this is no Python")
    eventually(lambda: said() == "", "the broken server's silence")
    health.write_text(text)
    eventually(lambda: said() == "live", "the mended answer")
    assert server.stop() == 0
