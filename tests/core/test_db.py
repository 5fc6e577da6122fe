"""The database: fairness, the write lock, after-commit actions, ids, and the schema's history."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from playhouse.migrations import Runner
from playhouse.schema_diff import diff_models

from modelyard.config.settings import Settings
from modelyard.core import bootstrap, db, migrations
from modelyard.core.errors import ConfigurationError
from modelyard.core.identity.models import User
from tests.conftest import run_on_postgresql


def all_tables() -> list[Any]:
    found: list[Any] = []
    waiting = [db.Model]
    while waiting:
        for table in waiting.pop().__subclasses__():
            waiting.append(table)
            if table.__module__.startswith("modelyard.") and table.__name__ not in {"Table", "LeasedTable"}:
                found.append(table)
    return list(dict.fromkeys(found))


WORKED_OUT_BY_THE_DATABASE = {
    "drop column run.updated_minute",
    "drop index run.run_experiment_id_updated_minute (experiment_id, updated_minute)",
}
"""What no model declares, because no code may write it."""


def test_the_schema_is_what_the_models_say(opened_database: Any) -> None:
    assert bootstrap.Services  # imports every subject's tables
    assert len(all_tables()) > 30
    found = str(diff_models(opened_database, all_tables())).splitlines()
    assert [line for line in found if line not in WORKED_OUT_BY_THE_DATABASE] == []


def test_every_migration_goes_down_and_up_again(opened_database: Any) -> None:
    runner = Runner(opened_database, str(migrations.FOLDER))
    while runner.applied():
        runner.down()
    assert set(opened_database.get_tables()) <= {"schema_migration"}
    assert runner.up() == [step.name for step in runner.migrations()]


def test_upgrading_twice_applies_nothing(settings: Settings) -> None:
    assert migrations.upgrade(settings) == []
    db.database.close()


def test_a_database_of_newer_code_is_refused(settings: Settings, opened_database: Any) -> None:
    opened_database.execute_sql("INSERT INTO schema_migration (name, applied) VALUES ('9999_future', '2030-01-01')")
    with pytest.raises(ConfigurationError, match="9999_future"):
        migrations.upgrade(settings)
    db.database.close()


def test_the_embedded_database_is_durable_and_keeps_foreign_keys(tmp_path: Path) -> None:
    opened = db.open_database(f"sqlite:///{tmp_path / 'x.db'}")
    found = {
        name: opened.execute_sql(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys")
    }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    opened.close()


def test_threads_that_read_and_then_write_never_find_the_database_locked(opened_database: Any) -> None:
    User.create(username="counter", password_hash="0")
    errors: list[BaseException] = []

    def count() -> None:
        try:
            for _ in range(20):
                with db.connection(), db.atomic():
                    user = User.get(User.username == "counter")
                    locked = db.locked(User.select().where(User.id == user.id)).get()
                    User.update(password_hash=str(int(locked.password_hash) + 1)).where(User.id == user.id).execute()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test shows it
            errors.append(error)
        finally:
            if not db.database.is_closed():
                db.database.close()

    threads = [threading.Thread(target=count) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert User.get(User.username == "counter").password_hash == "120"


def test_the_lock_is_handed_over_in_the_order_of_arrival() -> None:
    lock, order = db.FairLock(), []
    lock.acquire()
    threads = []
    for number in range(5):
        arrived = len(lock._waiting)

        def take(number: int = number) -> None:
            lock.acquire()
            order.append(number)
            lock.release()

        thread = threading.Thread(target=take)
        thread.start()
        while len(lock._waiting) == arrived:
            pass
        threads.append(thread)
    lock.release()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("url", ["mysql://x", "x", ""])
def test_an_unknown_scheme_says_what_to_write(url: str) -> None:
    with pytest.raises(ConfigurationError, match="sqlite:///PATH"):
        db.open_database(url)


def test_ids_are_version_7_and_sort_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from uuid import UUID

    monkeypatch.setattr(db, "now_ms", iter([1, 1, 2, 2**47]).__next__)
    ids = [db.new_id() for _ in range(4)]
    assert [UUID(text).version for text in ids] == [7] * 4
    assert ids[1] < ids[2] < ids[3]
    assert len(set(ids)) == 4


def test_an_unsynced_commit_is_kept_and_the_next_is_synced_again(opened_database: Any) -> None:
    def setting() -> str:
        return str(
            db.database.execute_sql(
                "SHOW synchronous_commit" if db.is_postgresql() else "PRAGMA synchronous"
            ).fetchone()[0]
        )

    before = setting()
    with db.unsynced():
        assert setting() != before
        User.create(username="kept", password_hash="")
    with pytest.raises(ZeroDivisionError), db.unsynced():
        User.create(username="lost", password_hash="")
        raise ZeroDivisionError
    assert setting() == before
    with db.atomic(), db.unsynced():
        assert setting() == before
    assert [row.username for row in User.select()] == ["kept"]


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_kept_connection_that_the_server_has_closed_is_replaced(opened_database: Any) -> None:
    def backend() -> int:
        with db.connection():
            return int(opened_database.execute_sql("SELECT pg_backend_pid()").fetchone()[0])

    first = backend()
    assert backend() == first
    ended = f"SELECT pg_terminate_backend({first}, 10000)"
    assert run_on_postgresql(ended) == [(True,)]
    assert backend() != first
