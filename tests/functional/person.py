"""Somebody at a terminal, who uses the command line of a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from modelyard.cli.main import cli
from tests.functional.running_server import RunningServer

PASSWORD = "correct horse battery"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith(("MODELYARD_", "PROMETHEUS_"))}


@dataclass(frozen=True)
class Ended:
    """A command that came to its end."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Person:
    """Somebody at a terminal, with a home of their own; `project` is what their commands work in."""

    username: str
    home: Path
    url: str
    project: str = ""

    def run(self, *arguments: str, **variables: str) -> Ended:
        """Run a command in this process; what it raises unplanned fails the test."""
        others = dict.fromkeys(name for name in os.environ if name.startswith("MODELYARD_"))
        result = CliRunner().invoke(cli, arguments, env={**others, **self._own, **variables}, prog_name="modelyard")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    def start(self, *arguments: str, stdin: str = "", **variables: str) -> Ended:
        """Run a command as a process."""
        environment = {**ENVIRONMENT, **self._own, **variables}
        return start_process(*arguments, stdin=stdin, environment=environment)

    def ok(self, *arguments: str) -> str:
        """Run a command that must succeed and return its stdout."""
        ended = self.run(*arguments)
        assert ended.code == 0, ended.stderr
        return ended.stdout

    def json(self, *arguments: str) -> Any:
        """Run a command that must succeed and return what it answers programs."""
        return json.loads(self.ok(*arguments, "--output", "json"))

    def fails(self, code: int, *arguments: str, **variables: str) -> str:
        """Run a command that must end with the code and print nothing; returns its stderr."""
        ended = self.run(*arguments, **variables)
        assert (ended.code, ended.stdout) == (code, ""), ended
        assert ended.stderr.startswith("Error: ")
        return ended.stderr

    def sign_in(self) -> Person:
        """Log in by password."""
        words = ("login", self.url, "--username", self.username, "--password-stdin")
        ended = self.start(*words, stdin=f"{PASSWORD}\n")
        assert ended.code == 0, ended.stderr
        return self

    @property
    def profile(self) -> Path:
        """The file that keeps the login."""
        return self.home / "modelyard" / "profiles.toml"

    @property
    def token(self) -> str:
        """The kept token."""
        return str(tomllib.loads(self.profile.read_text())["default"]["token"])

    @property
    def _own(self) -> dict[str, str]:
        return {"HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home), "MODELYARD_PROJECT": self.project}


def start_process(*arguments: str, stdin: str, environment: dict[str, str]) -> Ended:
    """Run `modelyard` to its end, which is never a stack trace."""
    done = subprocess.run(
        [sys.executable, "-m", "modelyard.cli.main", *arguments],
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Ended(done.returncode, done.stdout, done.stderr)


def make_user(server: RunningServer, username: str, *options: str) -> str:
    """Make a user by the command for the server's own machine and return the name."""
    words = ("admin", "users", "create", username, "--password-stdin", *options)
    ended = start_process(*words, stdin=f"{PASSWORD}\n", environment=server.environment)
    assert ended.code == 0, ended.stderr
    return username
