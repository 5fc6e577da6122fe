"""Points go with their series by a trigger on PostgreSQL, not by a foreign key.

The key was looked up for each point that came, which took more time than to write it. Whoever writes points has just
inserted or locked their series, so that the key found nothing, ever. SQLite looks it up where it writes anyway.

Chunks get the series' wide key on PostgreSQL, as points have it.
"""

FORGET = (
    "CREATE FUNCTION forget_points() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN DELETE FROM metric_point USING gone WHERE series_id = gone.id; RETURN NULL; END $$"
)
UP = (
    "ALTER TABLE metric_point DROP CONSTRAINT metric_point_series_id_fkey",
    FORGET,
    "CREATE TRIGGER metric_series_points AFTER DELETE ON metric_series REFERENCING OLD TABLE AS gone"
    " FOR EACH STATEMENT EXECUTE FUNCTION forget_points()",
    "ALTER TABLE metric_chunk ALTER COLUMN series_id TYPE BIGINT",
)
DOWN = (
    "ALTER TABLE metric_chunk ALTER COLUMN series_id TYPE INTEGER",
    "DROP TRIGGER metric_series_points ON metric_series",
    "DROP FUNCTION forget_points()",
    "ALTER TABLE metric_point ADD CONSTRAINT metric_point_series_id_fkey"
    " FOREIGN KEY (series_id) REFERENCES metric_series (id) ON DELETE CASCADE",
)


def up(migrator, db):
    """Exchange them."""
    _run(migrator, db, UP)


def down(migrator, db):
    """Exchange them back."""
    _run(migrator, db, DOWN)


def _run(migrator, db, statements):
    if not type(db).__name__.endswith("SqliteDatabase"):
        migrator.migrate(*(migrator.sql(statement) for statement in statements))
