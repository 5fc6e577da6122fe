"""What stops a start: wrong settings and lost keys end with 8, one clear text, and no stack trace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.running_server import RunningServer, free_port

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


def refused(environment: dict[str, str], *arguments: str) -> str:
    """Return what a start that must fail says."""
    done = subprocess.run(
        [sys.executable, "-m", "modelyard.cli.main", "serve", "--port", str(free_port()), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 8, done.stderr
    assert "Traceback" not in done.stderr
    assert "serving at" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("MODELYARD_SECRET_KEYS", "abc", "no Fernet key"),
        ("MODELYARD_PLUGINS_STORAGE", "nope", "'nope'"),
        ("MODELYARD_OUTGOING_ALLOWED_NETWORKS", "10.0.0.0/33", "10.0.0.0/33"),
        ("MODELYARD_OIDC_ISSUER", "http://id.example.com", "oidc.issuer 'http://id.example.com'"),
        ("MODELYARD_OIDC_ROLE_MAPPINGS", "ml=acme:boss", "'boss'"),
        ("MODELYARD_SERVER_THREADS", "0", "server.threads = 0"),
        ("MODELYARD_SERVER_PROT", "1", "MODELYARD_SERVER_PROT is no setting"),
        ("MODELYARD_DATABASE_URL", "postgresql://x:y@h:abc/z", "database.url"),
        ("MODELYARD_DATABASE_URL", "sqlite:////x?y", "database.url"),
    ],
)
def test_a_wrong_setting_stops_the_start(environment: dict[str, str], variable: str, value: str, said: str) -> None:
    assert said in refused(environment | {variable: value})


def test_a_host_that_is_none_stops_the_start(environment: dict[str, str]) -> None:
    assert "nosuch.invalid" in refused(environment, "--host", "nosuch.invalid")


def test_a_lost_key_stops_the_start(
    environment: dict[str, str], server: RunningServer, services: object, factories: object, settings: object
) -> None:
    project = factories.project()  # type: ignore[attr-defined]
    owner = factories.actor(project.organization.members.get().user)  # type: ignore[attr-defined]
    services.connections.create(  # type: ignore[attr-defined]
        owner,
        project,
        name="hook",
        kind="notifier",
        provider="webhook",
        settings={"url": "http://x.example/", "token": "t"},
    )
    key = Path(environment["MODELYARD_DATA_DIRECTORY"]) / "secret.keys"
    key.unlink()
    assert str(key) in refused(environment)
    assert not key.exists()


def test_odd_characters_in_the_data_folder_stay_in_it(environment: dict[str, str], tmp_path: Path) -> None:
    odd = tmp_path / "da ta#1?x%41"
    done = subprocess.run(
        [sys.executable, "-m", "modelyard.cli.main", "admin", "--data-dir", str(odd), "users", "create", "ada"],
        env={key: value for key, value in environment.items() if key != "MODELYARD_DATABASE_URL"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    database = odd / "modelyard.db"
    assert database.stat().st_mode & 0o777 == 0o600
