from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from modelyard.cli.main import COMMANDS, cli
from tests.cli.conftest import Run
from tests.cli.tree import all_commands

HEAVY = ["peewee", "marshmallow", "flask", "rich", "requests", "urllib3", "httpx", "mlflow"]
HEAVY += ["modelyard.core", "modelyard.web", "modelyard.config"]


def _leaves() -> Iterator[tuple[str, Any]]:
    return ((path, command) for path, command in all_commands() if not isinstance(command, click.Group))


@pytest.mark.parametrize("path", [path for path, _ in all_commands()])
def test_every_command_has_help(run: Run, path: str) -> None:
    result = run(*path.split()[1:], "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: {path}")


@pytest.mark.parametrize(("path", "command"), [*all_commands()])
def test_every_command_and_option_says_what_it_does(path: str, command: click.Command) -> None:
    assert command.help
    assert command.get_short_help_str(200).endswith(".")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.name}"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_agrees_with_the_commands(name: str) -> None:
    command = COMMANDS[name].load()
    assert command.name == name
    said = command.get_short_help_str(500)
    assert said.split()[0] == COMMANDS[name].short_help.split()[0]


def test_listing_imports_no_command() -> None:
    assert not {name for name in _modules_after("--help") if name.startswith("modelyard.cli.commands")}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), *[(name, "--help") for name in COMMANDS]])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    loaded = _modules_after(*arguments)
    assert not {name for name in loaded if name.startswith(tuple(f"{heavy}." for heavy in HEAVY)) or name in HEAVY}


def _modules_after(*arguments: str) -> set[str]:
    program = (
        f"import sys; sys.argv = ['modelyard', *{arguments!r}]\n"
        "from modelyard.cli.main import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_a_word_that_is_no_command_ends_with_2(run: Run) -> None:
    result = run("deploymnets")
    assert result.exit_code == 2
    assert "deploymnets" in result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(run: Run, shell: str) -> None:
    script = run("completion", shell).stdout
    assert "_MODELYARD_COMPLETE" in script
    assert "modelyard" in script


def test_completion_completes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_WORDS", "modelyard deployments ro")
    monkeypatch.setenv("COMP_CWORD", "2")
    result: Result = CliRunner().invoke(cli, [], prog_name="modelyard", complete_var="_X", env={"_X": "bash_complete"})
    assert "rollback" in result.output


@pytest.mark.parametrize(("path", "command"), [*_leaves()])
def test_every_command_that_answers_with_data_has_both_forms(path: str, command: click.Command) -> None:
    silent = {"serve", "worker", "check", "login", "logout", "use", "completion", "remove", "revoke", "unblock"}
    silent |= {"export", "leave", "log", "purge"}
    silent |= {"password", "reset-password", "end", "end-all", "end-sessions"}
    has_output = any(parameter.name == "output" for parameter in command.params)
    assert has_output or path.split()[-1] in silent or path.split()[-1].startswith("delete")
