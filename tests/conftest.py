"""Fixtures of the whole tree: both databases, the platform on them, the application, and real servers."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from modelyard.config.settings import DatabaseSettings, DataSettings, OutgoingSettings, Settings, WorkerSettings
from modelyard.core import bootstrap, db, migrations
from modelyard.core.plugin_guard import Guard
from tests.factories import Factories
from tests.mlflow_server import mlflow_server
from tests.parts import postgresql_url

__all__ = ["mlflow_server"]

DATABASES = ("sqlite", "postgresql")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run whatever touches a database on both, unless the test chooses with `@pytest.mark.parametrize`."""
    if "database_kind" in metafunc.fixturenames and not any(
        "database_kind" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")
    ):
        metafunc.parametrize("database_kind", DATABASES)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """In CI a test that is skipped has failed: the part that it needs is missing there."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome, report.longrepr = "failed", f"{item.nodeid} may not be skipped in CI: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def no_plugin_call_inside_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test does, a plugin that may take its time is never waited for while rows are locked."""
    waited = Guard._on_thread

    def wait(self: Guard, call: Any, *more: Any) -> Any:
        depth = db.database.transaction_depth() if db.database.obj is not None else 0
        assert depth == 0, f"{call.plugin} is called for {call.operation} inside a transaction"
        return waited(self, call, *more)

    monkeypatch.setattr(Guard, "_on_thread", wait)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy."""
    directory = tmp_path_factory.mktemp("sqlite")
    migrations.upgrade(Settings(data=DataSettings(directory=directory)))
    return directory / "modelyard.db"


@pytest.fixture(scope="session")
def postgresql_template() -> Iterator[str]:
    """The name of a migrated, empty PostgreSQL database to copy."""
    name = f"modelyard_template_{uuid4().hex[:12]}"
    run_on_postgresql(f'CREATE DATABASE "{name}"')
    migrations.upgrade(Settings(database=DatabaseSettings(url=f"{postgresql_url()}/{name}")))
    yield name
    run_on_postgresql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def run_on_postgresql(statement: str) -> list[Any]:
    """Run a statement that cannot stand in a transaction, and return its rows."""
    import psycopg

    with psycopg.connect(f"{postgresql_url()}/postgres", autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def database_url(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a fresh, migrated database of the kind."""
    if database_kind == "sqlite":
        file = tmp_path / "data" / "modelyard.db"
        file.parent.mkdir()
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite:///{file}"
        return
    template = request.getfixturevalue("postgresql_template")
    name = f"modelyard_test_{uuid4().hex[:12]}"
    run_on_postgresql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield f"{postgresql_url()}/{name}"
    run_on_postgresql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings for a server of its own in the test's folder."""
    return Settings(
        data=DataSettings(directory=tmp_path / "data"),
        database=DatabaseSettings(url=database_url),
        worker=WorkerSettings(lease_seconds=5),
        outgoing=OutgoingSettings(allowed_networks=("127.0.0.0/8",)),
    )


@pytest.fixture
def opened_database(settings: Settings) -> Iterator[Any]:
    """The database, open, without the platform."""
    opened = db.open_database(settings.database_url)
    yield opened
    db.close_database(opened)


@pytest.fixture
def services(settings: Settings) -> Iterator[bootstrap.Services]:
    """The platform on a fresh database."""
    yield bootstrap.build(settings, process="web")
    db.close_database()


@pytest.fixture
def factories(services: bootstrap.Services) -> Factories:
    """Makes rows through the services."""
    return Factories(services)


@pytest.fixture
def app(services: bootstrap.Services) -> Flask:
    """The application."""
    from modelyard.web.app import create_app

    app = create_app(services)
    app.testing = False
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client that shows nothing of itself."""
    return app.test_client()


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    """The environment of a real process that shares the test's database and folder."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MODELYARD_", "PROMETHEUS_"))}
    return kept | {
        "MODELYARD_DATA_DIRECTORY": str(settings.data.directory),
        "MODELYARD_DATABASE_URL": settings.database_url,
        "MODELYARD_WORKER_LEASE_SECONDS": "2",
        "MODELYARD_OUTGOING_ALLOWED_NETWORKS": "127.0.0.0/8",
        "MODELYARD_LOG_FORMAT": "json",
    }


@pytest.fixture
def override(settings: Settings) -> Any:
    """Return the settings with some sections' fields changed: `override(server={"max_body_bytes": 10})`."""

    def change(**sections: dict[str, Any]) -> Settings:
        changed = {name: dataclasses.replace(getattr(settings, name), **values) for name, values in sections.items()}
        return dataclasses.replace(settings, **changed)

    return change
