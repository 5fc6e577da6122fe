"""A number that every change of who may do what raises, so that caches of it know when they are old.

Triggers raise it, so that no code can forget to. On PostgreSQL they fire at the commit: the number's row is the last
that a transaction locks, and no two can wait for each other in a ring.
"""

from peewee import BigAutoField, BigIntegerField, Model

WATCHED = {
    "user_account": ("UPDATE", "DELETE"),
    "api_token": ("UPDATE", "DELETE"),
    "organization": ("INSERT", "UPDATE", "DELETE"),
    "organization_member": ("INSERT", "UPDATE", "DELETE"),
    "project": ("INSERT", "UPDATE", "DELETE"),
    "project_member": ("INSERT", "UPDATE", "DELETE"),
    "connection": ("UPDATE", "DELETE"),
}
UNWATCHED_COLUMNS = {
    "user_account": {"password_hash", "display_name", "email"},
    "api_token": {"last_used_at_ms"},
    "project": {"last_experiment_number"},
    "connection": {"health_ok", "health_message", "health_checked_at_ms"},
}


def up(migrator, db):
    """Make the table, its one row and the triggers."""

    class AccessGeneration(Model):
        id = BigAutoField()
        number = BigIntegerField()

        class Meta:
            database = db
            table_name = "access_generation"

    db.create_tables([AccessGeneration], safe=False)
    AccessGeneration.insert(id=1, number=0).execute()
    is_sqlite = type(db).__name__.endswith("SqliteDatabase")
    if not is_sqlite:
        migrator.migrate(
            migrator.sql(
                "CREATE FUNCTION raise_access_generation() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN UPDATE access_generation SET number = number + 1; RETURN NULL; END $$"
            )
        )
    for table, events in WATCHED.items():
        watched = [c.name for c in db.get_columns(table) if c.name not in UNWATCHED_COLUMNS.get(table, ())]
        columns = ", ".join(f'"{name}"' for name in watched)
        for event in events:
            when = f"UPDATE OF {columns}" if event == "UPDATE" else event
            head = f'TRIGGER access_{table}_{event.lower()} AFTER {when} ON "{table}"'
            migrator.migrate(
                migrator.sql(
                    f"CREATE {head} BEGIN UPDATE access_generation SET number = number + 1; END"
                    if is_sqlite
                    else f"CREATE CONSTRAINT {head} DEFERRABLE INITIALLY DEFERRED"
                    " FOR EACH ROW EXECUTE FUNCTION raise_access_generation()"
                )
            )


def down(migrator, db):
    """Drop the triggers and the table."""
    is_sqlite = type(db).__name__.endswith("SqliteDatabase")
    for table, events in WATCHED.items():
        for event in events:
            of = "" if is_sqlite else f' ON "{table}"'
            migrator.migrate(migrator.sql(f"DROP TRIGGER access_{table}_{event.lower()}{of}"))
    if not is_sqlite:
        migrator.migrate(migrator.sql("DROP FUNCTION raise_access_generation()"))
    migrator.migrate(migrator.sql('DROP TABLE "access_generation"'))
