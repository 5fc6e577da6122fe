from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from modelyard.cli.main import cli
from tests.fake_api import FakeApi, running

TOKEN = "my_0198_secret"
Run = Callable[..., Result]
Ok = Callable[..., str]
AsJson = Callable[..., Any]


class Terminal(io.StringIO):
    """What rich takes for a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home and working folder, and none of the variables that commands read."""
    for name in ("URL", "TOKEN", "PROFILE", "PROFILE_FILE", "PROJECT", "DEBUG", "CONFIG"):
        monkeypatch.delenv(f"MODELYARD_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with running() as fake:
        yield fake


@pytest.fixture
def run() -> Run:
    """Run a command line as a process would; what it raises unplanned fails the test."""

    def invoke(*arguments: str, stdin: str | bytes = "") -> Result:
        result = CliRunner().invoke(cli, arguments, input=stdin, prog_name="modelyard")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoke


@pytest.fixture
def signed_in(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """The fake, as the server, token and project of the environment."""
    monkeypatch.setenv("MODELYARD_URL", api.url)
    monkeypatch.setenv("MODELYARD_TOKEN", TOKEN)
    monkeypatch.setenv("MODELYARD_PROJECT", "acme/churn")
    return api


@pytest.fixture
def ok(run: Run) -> Ok:
    """Run a command that must succeed and return its stdout."""

    def invoke(*arguments: str, stdin: str | bytes = "") -> str:
        result = run(*arguments, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout

    return invoke


@pytest.fixture
def as_json(ok: Ok) -> AsJson:
    """Run a command with `--output json` and return what it printed."""
    return lambda *arguments, stdin="": json.loads(ok(*arguments, "--output", "json", stdin=stdin))
