"""How the processes under `modelyard serve` begin."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import pytest

from modelyard.core.errors import ConfigurationError
from modelyard.web import children

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="children are forked on Linux only")

AT_THE_FORK = """
import json, os, sys
from modelyard.web.children import build_shared

build_shared()
from modelyard.core import db
files = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if name not in "012"
         and os.path.exists(f"/proc/self/fd/{name}")]
found = {
    "threads": len(os.listdir("/proc/self/task")),
    "database": db.database.obj is not None,
    "open": [file for file in files if file.startswith("socket:") or file.endswith(".db")],
    "missing": [name for name in ("flask", "granian", "modelyard.web.app", "modelyard.core.worker",
                "modelyard.plugins.sql_tracker.tracker") if name not in sys.modules],
    "disabled": "modelyard.plugins.slack" in sys.modules,
    "needless": [name for name in ("psycopg", "rich", "watchfiles") if name in sys.modules],
}
import rich  # which a plugin may still want
print(json.dumps(found))
"""


def test_what_may_not_cross_a_fork_is_not_there(environment: dict[str, str], database_kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AT_THE_FORK],
        env=environment | {"MODELYARD_PLUGINS_DISABLED": "slack"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    needless = ["psycopg"] if database_kind == "postgresql" else []
    expected = {"threads": 1, "database": False, "open": [], "missing": [], "disabled": False, "needless": needless}
    assert json.loads(done.stdout) == expected


def _refuse(refusal: Connection, tell: Callable[[str], None]) -> None:
    refusal.send(("The disk is full.", "Buy another."))
    sys.exit(1)


def _die(refusal: Connection, tell: Callable[[str], None]) -> None:
    raise RuntimeError("no reason")


@pytest.mark.parametrize(("run", "said"), [(_refuse, "The disk is full. Buy another."), (_die, "lines above say why")])
def test_a_start_that_cannot_be_says_why(run: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "_prepare", run)
    with pytest.raises(ConfigurationError, match=said):
        children.prepare(multiprocessing.get_context("fork"), print)


def test_children_are_forked_unless_files_are_to_be_read_again() -> None:
    assert children.context_for(reload=False).get_start_method() == "fork"
    assert children.context_for(reload=True).get_start_method() == "spawn"
