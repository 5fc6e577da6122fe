"""Brings the database's schema to the one that this code knows.

Each file of this folder is one step for `playhouse.migrations`: `up` and `down` in a transaction of its own, with
frozen copies of the tables, never imports of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playhouse.migrations import MigrationError, Runner

from modelyard.config.settings import Settings
from modelyard.core import db
from modelyard.core.errors import ConfigurationError, Unavailable

FOLDER = Path(__file__).parent
ADVISORY_LOCK = 0x6D6F64656C


def upgrade(settings: Settings) -> list[str]:
    """Apply what is missing, in order, and return the names; safe to call from several processes at once.

    Raises `ConfigurationError` when the database was made by newer code.
    """
    settings.data.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    opened = db.open_database(settings.database_url)
    try:
        with db.connection(), _only_one():
            _check_connections(settings)
            runner = Runner(opened, str(FOLDER))
            refuse_newer(runner)
            return list(runner.up())
    except Unavailable as error:
        raise cannot_open(error) from error
    except MigrationError as error:
        raise ConfigurationError(f"The database cannot be upgraded: {error}") from error
    finally:
        db.close_database(opened)


def _check_connections(settings: Settings) -> None:
    """Refuse a start whose pools together could use up PostgreSQL's connections."""
    if not db.is_postgresql():
        return
    show = "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    most = db.database.execute_sql(show).fetchone()[0]
    wanted = (settings.server_processes + 1) * settings.database.pool_size
    if wanted > most:
        raise ConfigurationError(
            f"{settings.server_processes} server processes and the worker may open {wanted} connections of the {most} "
            "that PostgreSQL gives.",
            hint="Lower database.pool_size or server.workers, or raise max_connections.",
        )


def cannot_open(error: Unavailable) -> ConfigurationError:
    """Make the refusal of a start without a database, with the driver's reason."""
    return ConfigurationError(
        f"The database cannot be opened: {str(error.__cause__).strip()}",
        hint="Check the settings database.url and data.directory.",
    )


def pending() -> list[str]:
    """Return the names of the steps that the open database lacks."""
    runner = Runner(db.database.obj, str(FOLDER))
    refuse_newer(runner)
    return [step.name for step in runner.status() if step.applied is None]


def refuse_newer(runner: Runner) -> None:
    """Raise `ConfigurationError` where the database has steps that this code does not know."""
    unknown = sorted(set(runner.applied()) - {step.name for step in runner.migrations()})
    if unknown:
        raise ConfigurationError(
            f"The database was upgraded by a newer Modelyard (step {unknown[-1]}).", hint="Install that version again."
        )


@contextmanager
def _only_one() -> Iterator[None]:
    """Keep other processes from upgrading at the same time; on SQLite each step's own transaction does."""
    if not db.is_postgresql():
        yield
        return
    db.database.execute_sql("SELECT pg_advisory_lock(%s)", (ADVISORY_LOCK,))
    try:
        yield
    finally:
        db.database.execute_sql("SELECT pg_advisory_unlock(%s)", (ADVISORY_LOCK,))
