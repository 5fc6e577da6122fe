"""The minute of a run's last change, kept by the database, with an index: what a page asks for that is polling.

An index on `updated_at_ms` itself would cost every batch that is logged: PostgreSQL updates a row in place (HOT) only
where no indexed column changes, and SQLite writes the index's page as well. The minute changes once a minute.
"""

INDEX = "run_experiment_id_updated_minute"
MINUTE = "UPDATE run SET updated_minute = NEW.updated_at_ms / 60000 WHERE id = NEW.id;"
TRIGGERS = {
    "run_minute_insert": f"AFTER INSERT ON run BEGIN {MINUTE} END",
    "run_minute_update": "AFTER UPDATE OF updated_at_ms ON run"
    f" WHEN NEW.updated_minute IS NOT NEW.updated_at_ms / 60000 BEGIN {MINUTE} END",
}


def up(migrator, db):
    """Add the column and its index: PostgreSQL works it out by itself, SQLite by triggers."""
    if type(db).__name__.endswith("SqliteDatabase"):
        statements = [
            "ALTER TABLE run ADD COLUMN updated_minute BIGINT",
            "UPDATE run SET updated_minute = updated_at_ms / 60000",
            *(f"CREATE TRIGGER {name} {body}" for name, body in TRIGGERS.items()),
        ]
    else:
        statements = [
            "ALTER TABLE run ADD COLUMN updated_minute BIGINT GENERATED ALWAYS AS (updated_at_ms / 60000) STORED"
        ]
    for statement in (*statements, f"CREATE INDEX {INDEX} ON run (experiment_id, updated_minute)"):
        migrator.migrate(migrator.sql(statement))


def down(migrator, db):
    """Drop all of it."""
    triggers = TRIGGERS if type(db).__name__.endswith("SqliteDatabase") else ()
    for statement in (
        *(f"DROP TRIGGER {name}" for name in triggers),
        f"DROP INDEX {INDEX}",
        "ALTER TABLE run DROP COLUMN updated_minute",
    ):
        migrator.migrate(migrator.sql(statement))
