"""Keys are rotated while servers run: everything is sealed anew, nothing is lost, and old keys end when they may."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from peewee import TextField

from modelyard.config.settings import Settings
from modelyard.core import bootstrap
from modelyard.core.bootstrap import Services
from modelyard.core.db import database
from modelyard.core.errors import ConfigurationError, Conflict
from modelyard.core.idempotency import KeyedRequest
from modelyard.core.projects.models import Connection, Project
from modelyard.core.secret_box import KEY_FILE, SecretBox, key_id, read_keys
from modelyard.core.secret_keys import BATCH, SETTLED_SECONDS, SecretKeys, sealed_columns
from tests.core.test_db import all_tables
from tests.factories import SYSTEM, Factories

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
WEBHOOK: dict[str, Any] = {"kind": "notifier", "provider": "webhook"}


@pytest.fixture
def file(settings: Settings) -> Path:
    return settings.data.directory / KEY_FILE


@pytest.fixture
def keys(services: Services, settings: Settings) -> SecretKeys:
    return SecretKeys(configured=(), data_directory=settings.data.directory)


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project()


def connect(services: Services, project: Project, name: str) -> Connection:
    settings = {"url": "https://hooks.example.com/", "token": f"hunter2 of {name}"}
    return services.connections.create(SYSTEM, project, name=name, settings=settings, **WEBHOOK)


def token_of(services: Services, name: str) -> str:
    found = services.connections.given_settings(Connection.get(Connection.name == name))
    return str(found["token"])


def rotate(keys: SecretKeys) -> str:
    made = keys.add()
    for _ in keys.reseal():
        pass
    return made


def settle(file: Path) -> None:
    """Let the rotation be long ago."""
    long_ago = file.stat().st_mtime - SETTLED_SECONDS - 1
    os.utime(file, (long_ago, long_ago))


def test_every_sealed_column_is_known() -> None:
    assert bootstrap.Services
    named = {f"{field.model._meta.table_name}.{field.name}" for field in sealed_columns()}
    assert named >= {"connection.encrypted_secrets", "deployment.encrypted_token", "idempotent_answer.encrypted_answer"}
    assert all(isinstance(field, TextField) for field in sealed_columns())
    assert len(all_tables()) > 30


def test_whatever_is_sealed_goes_into_a_column_of_that_name() -> None:
    core = Path(bootstrap.__file__).parent
    uses = [
        line.strip()
        for path in core.rglob("*.py")
        if path.name not in {"secret_box.py", "secret_keys.py"}
        for line in path.read_text("utf-8").splitlines()
        if ".seal(" in line
    ]
    assert len(uses) >= 3
    assert [line for line in uses if not re.search(r"encrypted_\w+|sign_in_attempt", line)] == [], (
        "a cookie of minutes is the one thing besides"
    )


def test_a_rotation_seals_everything_anew(
    services: Services, keys: SecretKeys, project: Project, file: Path, settings: Settings
) -> None:
    for number in range(BATCH + 20):
        connect(services, project, f"c{number}")
    connect_plain = {"kind": "notifier", "provider": "log", "settings": {}}
    services.connections.create(SYSTEM, project, name="plain", **connect_plain)
    request = KeyedRequest("a", "POST /x", "k", b"")
    services.idempotency.keep(request, {"status": 200})
    old = keys.uses()[0].id
    assert [(use.id, use.is_newest, use.values) for use in keys.uses()] == [(old, True, BATCH + 21)]

    made = keys.add()
    steps = list(keys.reseal())

    assert steps[-1] == (BATCH + 21, BATCH + 21)
    assert len(steps) == 3
    assert [(use.id, use.is_newest, use.values) for use in keys.uses()] == [(made, True, BATCH + 21), (old, False, 0)]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.glob("secret.keys*")] == [KEY_FILE]
    assert token_of(services, "c7") == "hunter2 of c7"
    assert services.idempotency.find(request) == {"status": 200}
    assert list(keys.reseal()) == []
    assert bootstrap._open_secrets(settings).newest == made


@on_sqlite
def test_running_servers_notice(services: Services, keys: SecretKeys, project: Project) -> None:
    connect(services, project, "before")
    made = rotate(keys)
    assert token_of(services, "before") == "hunter2 of before"
    connect(services, project, "after")
    assert Connection.get(Connection.name == "after").encrypted_secrets.startswith(f"{made}.")


@on_sqlite
def test_an_interrupted_rotation_is_gone_on_with(services: Services, keys: SecretKeys, project: Project) -> None:
    for number in range(3):
        connect(services, project, f"c{number}")
    keys.add()
    assert [use.values for use in keys.uses()] == [0, 3]
    assert token_of(services, "c1") == "hunter2 of c1"
    for _ in keys.reseal():
        pass
    assert [use.values for use in keys.uses()] == [3, 0]


@on_sqlite
def test_a_value_that_changes_meanwhile_is_kept(
    services: Services, keys: SecretKeys, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = connect(services, project, "c")
    keys.add()
    opened = SecretBox.open

    def change(box: SecretBox, sealed: str | None) -> dict[str, Any]:
        found = opened(box, sealed)
        if found.get("token") == "hunter2 of c":
            new = {"url": "https://hooks.example.com/", "token": "newer"}
            Connection.update(encrypted_secrets=box.seal(new)).where(Connection.id == made.id).execute()
        return found

    monkeypatch.setattr(SecretBox, "open", change)
    for _ in keys.reseal():
        pass
    monkeypatch.undo()
    assert token_of(services, "c") == "newer"


@on_sqlite
def test_a_key_ends_when_it_seals_nothing(services: Services, keys: SecretKeys, project: Project, file: Path) -> None:
    connect(services, project, "c")
    old = keys.uses()[0].id
    made = keys.add()
    with pytest.raises(Conflict, match="less than ten minutes ago"):
        keys.prune()
    settle(file)
    assert keys.prune() == [], "it still seals a value"
    for _ in keys.reseal():
        pass
    settle(file)
    assert keys.prune() == [old]
    assert [key_id(key) for key in read_keys(file)] == [made]
    assert token_of(services, "c") == "hunter2 of c"


@on_sqlite
def test_values_of_before_keys_had_names(services: Services, keys: SecretKeys, project: Project, file: Path) -> None:
    connect(services, project, "c")
    unnamed = Fernet(read_keys(file)[0]).encrypt(b'{"token": "hunter2 of c"}').decode()
    Connection.update(encrypted_secrets=unnamed).execute()
    assert token_of(services, "c") == "hunter2 of c"
    settle(file)
    with pytest.raises(Conflict, match="do not name their key"):
        keys.prune()
    rotate(keys)
    assert [use.values for use in keys.uses()] == [1, 0]
    assert token_of(services, "c") == "hunter2 of c"


@on_sqlite
def test_a_lost_key_is_listed_and_stops_the_start(
    services: Services, keys: SecretKeys, project: Project, file: Path, settings: Settings
) -> None:
    connect(services, project, "c")
    lost = keys.uses()[0].id
    file.write_text(Fernet.generate_key().decode())
    assert [(use.id, use.is_known, use.values) for use in keys.uses()][1:] == [(lost, False, 1)]
    with pytest.raises(ConfigurationError, match="MODELYARD_SECRET_KEYS"):
        bootstrap.build(settings, process="web")
    with pytest.raises(ConfigurationError, match="None of this server's keys"):
        list(keys.reseal())


@on_sqlite
def test_keys_of_the_settings_are_not_changed_here(services: Services, project: Project, override: Any) -> None:
    configured = SecretKeys(configured=(Fernet.generate_key().decode(),), data_directory=Path("/no/such"))
    for change in (configured.add, configured.prune):
        with pytest.raises(ConfigurationError, match=r"setting secret\.keys"):
            change()
    assert [use.is_newest for use in configured.uses()] == [True]


@on_sqlite
def test_the_command_line(
    services: Services, keys: SecretKeys, project: Project, file: Path, environment: dict[str, str]
) -> None:
    connect(services, project, "c")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "modelyard.cli.main", "admin", "keys", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    before = read_keys(file)
    rotated = run("rotate")
    assert (rotated.returncode, rotated.stdout[:14]) == (0, "Sealed 1 value"), rotated.stderr
    listed = run("list", "--output", "json")
    assert '"values": 1' in listed.stdout
    assert run("prune").returncode == 5
    settle(file)
    assert key_id(before[0]) in run("prune").stdout
    said = rotated.stdout + rotated.stderr + listed.stdout
    assert not any(key in said for key in [*before, *read_keys(file)])
    assert database.execute_sql("SELECT count(*) FROM connection").fetchone() == (1,)
    assert token_of(services, "c") == "hunter2 of c"
