from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from modelyard import client
from modelyard.cli import errors
from modelyard.cli.main import cli
from modelyard.config import sources
from modelyard.core import errors as core
from tests.cli.conftest import Run
from tests.fake_api import PROJECT, Answer, FakeApi

PATH = f"{PROJECT}/models/risk"


def _subclasses(kind: type[BaseException]) -> set[type[BaseException]]:
    found = {kind}
    for inner in kind.__subclasses__():
        found |= _subclasses(inner)
    return {each for each in found if each.__module__.startswith("modelyard.")}


ROOTS = [client.ClientError, core.ModelyardError, sources.SettingError, errors.ProfileError]


@pytest.mark.parametrize("root", ROOTS)
def test_every_error_class_has_an_exit_code(root: type[BaseException]) -> None:
    """Its own, or that of a parent below the root where another module refines an error."""
    codes = errors.exit_codes()
    listed = {kind for kind in _subclasses(root) if kind.__module__ == root.__module__}
    assert listed <= set(codes)
    for kind in _subclasses(root) - listed:
        nearest = next(parent for parent in kind.__mro__ if parent in codes)
        assert nearest is not root, f"{kind.__name__} would end with {codes[root]}"


def test_every_code_is_documented() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")
    for code in {0, 2, *errors.exit_codes().values()}:
        assert f"| {code} |" in documented
        assert [line for line in (errors.__doc__ or "").splitlines() if line.split(maxsplit=1)[:1] == [str(code)]]


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, 4), (403, 4), (404, 3), (409, 5), (413, 6), (422, 6), (429, 7), (500, 1), (502, 7), (418, 1), (301, 1)],
)
def test_a_problem_becomes_what_why_what_to_do(signed_in: FakeApi, run: Run, status: int, code: int) -> None:
    hint, fields = "Choose another one.", {"name": ["Longer than 255."]}
    signed_in.problem("GET", PATH, status, "some_code", "This cannot be.", hint=hint, errors=fields)
    result = run("models", "show", "risk")
    assert result.exit_code == code
    assert result.stdout == ""
    if status >= 400:
        assert result.stderr.splitlines() == [
            "Error: This cannot be.",
            "  Why: name: Longer than 255.",
            "  What to do: Choose another one." + (" `modelyard login URL` signs in anew." if status == 401 else ""),
            "  Request: req-1",
        ]


def test_a_wait_is_named(signed_in: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard.client.client.MAX_ATTEMPTS", 1)
    signed_in.put("GET", PATH, Answer(429, {"detail": "Too many."}, headers={"Retry-After": "40"}))
    result = run("models", "show", "risk")
    assert result.exit_code == 7
    assert "What to do: Try again in 40 s." in result.stderr


def test_a_reason_is_not_said_twice(signed_in: FakeApi, run: Run) -> None:
    signed_in.problem("GET", PATH, 422, "invalid_input", "name: Too long.", errors={"name": ["Too long."]})
    assert "Why" not in run("models", "show", "risk").stderr


def test_nobody_there_ends_with_7(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_URL", "http://127.0.0.1:1")
    monkeypatch.setattr("modelyard.client.client.MAX_ATTEMPTS", 1)
    result = run("whoami")
    assert result.exit_code == 7
    assert "modelyard serve" in result.stderr


def test_no_server_ends_with_8(run: Run) -> None:
    result = run("whoami")
    assert result.exit_code == 8
    assert "modelyard login URL" in result.stderr


def test_no_project_ends_with_2(api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_URL", api.url)
    result = run("models", "list")
    assert result.exit_code == 2
    assert "modelyard projects use" in result.stderr
    assert run("models", "list", "--project", "nonsense").exit_code == 2


def _raising(error: Exception) -> click.Group:
    @click.group(cls=type(cli), lazy={})
    def group() -> None:
        pass

    @group.command()
    def fail() -> None:
        raise error

    return group


def test_a_surprise_shows_no_stack_trace_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(_raising(RuntimeError("odd")), ["fail"])
    assert result.exit_code == 1
    assert "RuntimeError: odd" in result.stderr
    assert "MODELYARD_DEBUG=1" in result.stderr
    assert "Traceback" not in result.stderr
    monkeypatch.setenv("MODELYARD_DEBUG", "1")
    assert "Traceback" in CliRunner().invoke(_raising(RuntimeError("odd")), ["fail"]).stderr


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (FileNotFoundError(2, "No such file or directory", "data.csv"), "No such file or directory: data.csv"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (core.PermissionDenied("Your role is too small.", hint="It needs 'admin'."), "It needs 'admin'."),
    ],
)
def test_errors_of_files_and_of_core(error: Exception, says: str) -> None:
    assert says in CliRunner().invoke(_raising(error), ["fail"]).stderr


def test_subclasses_that_nobody_listed_have_their_parents_code() -> None:
    class OddError(client.ConflictError):
        pass

    assert errors.failure_of(OddError("odd")).exit_code == errors.CONFLICT


def test_a_name_cannot_command_the_terminal(signed_in: FakeApi, run: Run) -> None:
    signed_in.put("GET", PATH, Answer(404, {"detail": "There is no \x1b[31mred\x07 \u202e\ud800."}))
    stderr = run("models", "show", "risk").stderr
    assert "\x1b" not in stderr
    assert "\N{REPLACEMENT CHARACTER}" in stderr


def test_public_names_are_documented() -> None:
    members: list[tuple[str, Any]] = inspect.getmembers(errors, inspect.isclass)
    assert all(kind.__doc__ for _, kind in members if kind.__module__ == errors.__name__)
