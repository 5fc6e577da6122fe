"""The minute of a run's last change, worked out by the database, with an index: what a page asks for that is polling.

An index on `updated_at_ms` itself would cost every batch that is logged: PostgreSQL updates a row in place (HOT) only
where no indexed column changes. The minute changes once a minute.
"""

INDEX = "run_experiment_id_updated_minute"


def up(migrator, db):
    """Add the column and its index; SQLite keeps it in the index alone."""
    kind = "VIRTUAL" if type(db).__name__.endswith("SqliteDatabase") else "STORED"
    for statement in (
        f"ALTER TABLE run ADD COLUMN updated_minute BIGINT GENERATED ALWAYS AS (updated_at_ms / 60000) {kind}",
        f"CREATE INDEX {INDEX} ON run (experiment_id, updated_minute)",
    ):
        migrator.migrate(migrator.sql(statement))


def down(migrator, db):
    """Drop both."""
    for statement in (f"DROP INDEX {INDEX}", "ALTER TABLE run DROP COLUMN updated_minute"):
        migrator.migrate(migrator.sql(statement))
