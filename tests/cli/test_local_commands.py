from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from modelyard.config.settings import Settings
from modelyard.core.errors import AlreadyExists, ConfigurationError
from modelyard.core.identity.actor import Actor
from tests.cli.conftest import Run


def _put_module(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> None:
    module = ModuleType(name)
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Settings, bool]]:
    """What the supervisor was told."""
    told: list[tuple[Settings, bool]] = []

    def run(settings: Settings, with_worker: bool, reload: bool) -> int:
        assert not reload
        told.append((settings, with_worker))
        return 0 if with_worker else 3

    _put_module(monkeypatch, "modelyard.web.supervisor", run=run)
    return told


class TestServe:
    def test_options_win_over_environment_and_file(
        self, served: list[tuple[Settings, bool]], run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = home / "settings.toml"
        file.write_text("[server]\nport = 1\nthreads = 7\nworkers = 3\n")
        monkeypatch.setenv("MODELYARD_SERVER_PORT", "2")
        monkeypatch.setenv("MODELYARD_SERVER_WORKERS", "4")
        options = ("--port", "5", "--host", "0.0.0.0", "--data-dir", str(home / "data"), "--config", str(file))
        assert run("serve", *options).exit_code == 0
        settings, with_worker = served[0]
        assert with_worker
        assert (settings.server.host, settings.server.port) == ("0.0.0.0", 5)
        assert (settings.server.workers, settings.server.threads) == (4, 7)
        assert settings.data.directory == home / "data"
        assert settings.origins["server.port"] == "flag"

    def test_its_exit_code_is_the_supervisors(self, served: list[tuple[Settings, bool]], run: Run) -> None:
        assert run("serve", "--no-worker").exit_code == 3
        assert served[0][1] is False
        assert served[0][0].origins == {}

    @pytest.mark.parametrize("arguments", [("--port", "70000"), ("--port", "x"), ("--workers", "-1")])
    def test_nonsense_ends_with_2(self, run: Run, arguments: tuple[str, ...]) -> None:
        assert run("serve", *arguments).exit_code == 2

    def test_a_wrong_setting_ends_with_8(
        self, served: list[tuple[Settings, bool]], run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MODELYARD_SERVER_PORT", "many")
        result = run("serve")
        assert result.exit_code == 8
        assert "server.port = 'many' (from environment MODELYARD_SERVER_PORT)" in result.stderr
        assert served == []


def test_worker(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Settings] = []

    def main(settings: Settings) -> int:
        told.append(settings)
        return 0

    _put_module(monkeypatch, "modelyard.core.worker", main=main)
    assert run("worker", "--threads", "9", "--data-dir", "d").exit_code == 0
    assert (told[0].worker.threads, told[0].data.directory) == (9, Path("d"))


class TestConfig:
    def test_shows_every_setting_with_its_origin(
        self, as_json: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Path("modelyard.toml").write_text("[server]\nthreads = 9\n")
        monkeypatch.setenv("MODELYARD_LOG_LEVEL", "DEBUG")
        shown = {entry["setting"]: entry for entry in as_json("config", "show")}
        assert shown["server.threads"]["value"] == 9
        assert shown["server.threads"]["origin"] == "file modelyard.toml"
        assert shown["log.level"]["origin"] == "environment MODELYARD_LOG_LEVEL"
        assert shown["server.port"]["origin"] == "default"
        assert all(entry["description"] for entry in shown.values())

    def test_masks_secrets(self, ok: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MODELYARD_DATABASE_URL", "postgresql://ada:hunter2@db/modelyard")
        monkeypatch.setenv("MODELYARD_SECRET_KEYS", "a-key,another-key")
        for form in ("table", "json"):
            text = ok("config", "show", "--output", form)
            assert "hunter2" not in text
            assert "a-key" not in text
            assert "********" in text

    def test_check(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        assert run("config", "check").stdout == "The settings are good.\n"
        monkeypatch.setenv("MODELYARD_SERVER_PROT", "80")
        result = run("config", "check")
        assert result.exit_code == 8
        assert "MODELYARD_SERVER_PROT" in result.stderr

    def test_check_leaves_other_programs_variables_alone(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MODELYARD_SERVING_THREADS", "2")
        monkeypatch.setenv("MODELYARD_URL", "http://localhost")
        assert run("config", "check").exit_code == 0

    def test_check_names_a_broken_file(self, run: Run) -> None:
        Path("broken.toml").write_text("[server")
        assert run("config", "check", "--config", "broken.toml").exit_code == 8
        assert run("config", "check", "--config", "absent.toml").exit_code == 8


class FakeUsers:
    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []

    def create(self, actor: Actor, **wish: Any) -> Any:
        if wish["username"] == "taken":
            raise AlreadyExists("There is a user 'taken' already.")
        self.made.append({"actor": actor, **wish})
        return SimpleNamespace(username=wish["username"].lower())

    def edit(self, actor: Actor, username: str, changes: dict[str, Any]) -> None:
        self.made.append({"actor": actor, "username": username, **changes})

    def list(self, actor: Actor) -> list[Any]:
        assert actor.kind == "system"
        return [
            SimpleNamespace(public_id="1", username="ada", display_name="A", is_instance_admin=True, disabled_at_ms=5)
        ]


class FakePasswords:
    def create_link(self, actor: Actor, username: str) -> Any:
        assert actor.kind == "system"
        return SimpleNamespace(url=f"http://127.0.0.1:5000/reset-password/{username}", expires_at_ms=86_400_000)


class TestAdmin:
    @pytest.fixture
    def users(self, monkeypatch: pytest.MonkeyPatch) -> FakeUsers:
        users = FakeUsers()

        def build(settings: Settings, *, process: str) -> Any:
            assert process == "cli"
            if settings.data.directory == Path("nowhere"):
                raise ConfigurationError("There is no database.", hint="Run `modelyard admin db upgrade`.")
            return SimpleNamespace(users=users, passwords=FakePasswords())

        _put_module(monkeypatch, "modelyard.core.bootstrap", build=build)
        return users

    def test_a_password_is_generated_and_shown_once(self, users: FakeUsers, run: Run) -> None:
        result = run("admin", "users", "create", "Ada", "--admin", "--display-name", "Ada L.")
        made = users.made[0]
        assert len(made["password"]) >= 20
        assert result.stdout.splitlines() == ["Made the instance administrator ada.", f"Password: {made['password']}"]
        assert (made["is_instance_admin"], made["display_name"]) == (True, "Ada L.")
        assert (made["actor"].kind, made["actor"].name) == ("system", "admin command line")

    def test_a_given_password_is_not_shown(self, users: FakeUsers, run: Run) -> None:
        result = run("admin", "users", "create", "bo", "--password-stdin", stdin=" correct horse \n")
        assert users.made[0]["password"] == " correct horse "
        assert users.made[0]["is_instance_admin"] is False
        assert "correct horse" not in result.output

    def test_as_json(self, users: FakeUsers, as_json: Callable[..., Any]) -> None:
        made = as_json("admin", "users", "create", "bo")
        assert made == {"username": "bo", "is_instance_admin": False, "password": users.made[0]["password"]}

    @pytest.mark.usefixtures("users")
    def test_errors_of_core(self, run: Run) -> None:
        assert run("admin", "users", "create", "taken").exit_code == 5
        result = run("admin", "--data-dir", "nowhere", "users", "list")
        assert result.exit_code == 8
        assert "modelyard admin db upgrade" in result.stderr

    @pytest.mark.usefixtures("users")
    def test_lists_users(self, ok: Callable[..., str], as_json: Callable[..., Any]) -> None:
        assert as_json("admin", "users", "list")[0]["is_disabled"] is True
        assert ok("admin", "users", "list").splitlines()[1].split() == ["ada", "A", "yes", "yes"]

    def test_a_user_is_disabled_and_enabled(self, users: FakeUsers, ok: Callable[..., str]) -> None:
        ok("admin", "users", "disable", "ada")
        ok("admin", "users", "enable", "ada")
        assert [(made["username"], made["disabled"], made["actor"].kind) for made in users.made] == [
            ("ada", True, "system"),
            ("ada", False, "system"),
        ]

    def test_a_reset_link_alone_is_on_stdout(self, users: FakeUsers, run: Run, as_json: Callable[..., Any]) -> None:
        result = run("admin", "users", "reset-password", "ada")
        assert result.stdout == "http://127.0.0.1:5000/reset-password/ada\n"
        assert as_json("admin", "users", "reset-password", "ada")["expires_at"] == "1970-01-02T00:00:00+00:00"
        assert users.made == []

    def test_upgrade(self, run: Run, ok: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
        applied = ["0001_first", "0002_second"]
        _put_module(monkeypatch, "modelyard.core.migrations", upgrade=lambda settings: applied)
        assert ok("admin", "db", "upgrade") == "Applied 0001_first\nApplied 0002_second\n"
        assert json.loads(ok("admin", "db", "upgrade", "--output", "json")) == {"applied": applied}
        applied.clear()
        assert ok("admin", "db", "upgrade") == "The database is up to date.\n"
