"""The tutorial of docs/plugins.md, typed as it stands: from two files to a notification of a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.person import ENVIRONMENT
from tests.functional.running_server import RunningServer, eventually

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "plugins.md").read_text("utf-8")
SECTION = PAGE[PAGE.index("## A working notifier") : PAGE.index("### 4. Go on")]
LEFT_OUT = ("python -m venv .venv", ". .venv/bin/activate", "pip install modelyard pytest")
"""What this environment is already."""
PIP = "pip install --no-build-isolation --no-deps --no-index --quiet --disable-pip-version-check --target site"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """The server that the tutorial starts, with a folder of its own, and commands named as installed ones are."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, module in (("modelyard", "modelyard.cli.main"), ("pytest", "pytest"), ("pip", "pip")):
        (commands / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        (commands / name).chmod(0o755)
    search = [str(tmp_path / "site"), str(ROOT), *filter(None, sys.path)]
    environment = {
        **ENVIRONMENT,
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(search),
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "MODELYARD_DATA_DIRECTORY": str(tmp_path / "data"),
    }
    server = RunningServer(environment, tmp_path / "serve.log")
    yield server
    server.kill_all()


def steps() -> Iterator[tuple[str, str]]:
    """What a reader does, in order: `("", command)`, or (path, content) for a file to write."""
    written = r"`(?P<path>modelyard-bell/[\w./]+)`:\n\n```\w+\n(?P<content>.*?)```"
    for match in re.finditer(rf"^    (?P<command>\S[^\n]*)$|{written}", SECTION, re.MULTILINE | re.DOTALL):
        if match["path"]:
            yield match["path"], match["content"]
        else:
            yield "", match["command"]


def test_it_leads_to_a_notification(server: RunningServer, tmp_path: Path) -> None:
    def typed(command: str) -> str:
        command = command.replace("pip install ./", f"{PIP} ./").replace("http://127.0.0.1:5000", server.url)
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=server.environment, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    said: dict[str, str] = {}
    for path, content in steps():
        if path:
            (tmp_path / path).write_text(content)
        elif content == "modelyard serve":
            server.start()
        elif content == "cat bell.txt":
            eventually(lambda: re.search(r"^\w+ Model risk: created$", typed("cat bell.txt"), re.MULTILINE), "the bell")
            said[content] = "rung"
        elif content not in LEFT_OUT:
            said[content] = typed(content)

    assert " passed" in said["pytest -q modelyard-bell"]
    assert re.search(r"^bell +0\.1\.0 .* none", said["modelyard admin plugins doctor bell"], re.MULTILINE)
    assert re.search(r"^bell +0\.1\.0 +loaded +notifier:bell", said["modelyard plugins list"], re.MULTILINE)
    assert said["cat bell.txt"] == "rung"
