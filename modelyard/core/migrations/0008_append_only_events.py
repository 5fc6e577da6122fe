"""Events are only ever added: the database itself refuses to change or delete one.

Two things may happen to an event: its organization or project is set to NULL once that row is gone (its slug stays),
and it is deleted while `audit_purge` has a row that lets go what is older.
"""

from peewee import SqliteDatabase

COLUMNS = (
    *("id", "public_id", "organization_slug", "project_slug", "actor_kind", "actor_id", "actor_name", "action"),
    *("object_kind", "object_id", "object_name", "before", "after", "request_id", "address", "schema_version"),
    "occurred_at_ms",
)
SAME = "IS NOT DISTINCT FROM"
REFUSAL = "events are only ever added"


def up(migrator, db):
    """Make the triggers."""
    for statement in ON_SQLITE if isinstance(db, SqliteDatabase) else ON_POSTGRESQL:
        migrator.migrate(migrator.sql(statement))


def down(migrator, db):
    """Drop them."""
    if isinstance(db, SqliteDatabase):
        for name in ("event_is_not_changed", "event_is_not_deleted"):
            migrator.migrate(migrator.sql(f"DROP TRIGGER {name}"))
        return
    for name in ("event_is_not_changed", "event_is_not_deleted", "event_is_not_truncated"):
        migrator.migrate(migrator.sql(f"DROP TRIGGER {name} ON event"))
    migrator.migrate(migrator.sql("DROP FUNCTION refuse_change_of_event"))


def set_to_null_with(table):
    """Return the condition that the reference is as it was, or NULL because its row is gone."""
    column = f"{table}_id"
    return (
        f"(NEW.{column} {SAME} OLD.{column} OR (NEW.{column} IS NULL "
        f"AND NOT EXISTS (SELECT 1 FROM {table} WHERE {table}.id = OLD.{column})))"
    )


REST_IS_AS_IT_WAS = " AND ".join(f"NEW.{column} {SAME} OLD.{column}" for column in COLUMNS)
MAY_CHANGE = f"{set_to_null_with('project')} AND {set_to_null_with('organization')} AND {REST_IS_AS_IT_WAS}"
MAY_GO = "EXISTS (SELECT 1 FROM audit_purge WHERE OLD.occurred_at_ms < audit_purge.before_ms)"

ON_SQLITE = (
    f"CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event WHEN NOT ({MAY_CHANGE.replace(SAME, 'IS')}) "
    f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END",
    f"CREATE TRIGGER event_is_not_deleted BEFORE DELETE ON event WHEN NOT {MAY_GO} "
    f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END",
)
ON_POSTGRESQL = (
    f"""
    CREATE FUNCTION refuse_change_of_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF {MAY_CHANGE} THEN RETURN NEW; END IF;
        ELSIF TG_OP = 'DELETE' THEN
            IF {MAY_GO} THEN RETURN OLD; END IF;
        END IF;
        RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    "CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event FOR EACH ROW EXECUTE FUNCTION refuse_change_of_event()",
    "CREATE TRIGGER event_is_not_deleted BEFORE DELETE ON event FOR EACH ROW EXECUTE FUNCTION refuse_change_of_event()",
    "CREATE TRIGGER event_is_not_truncated BEFORE TRUNCATE ON event "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_event()",
)
