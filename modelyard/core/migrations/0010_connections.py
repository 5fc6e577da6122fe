"""Connections of organizations and of the settings file, their last health, and a foreign key to their project."""

from peewee import BigIntegerField, BooleanField, CharField, TextField

NAMES = '"connection" ("organization_id", "project_id", "name")'


def up(migrator, db):
    """Add the columns; connections whose project is gone go, too."""
    migrator.migrate(
        migrator.sql('DELETE FROM "connection" WHERE "project_id" NOT IN (SELECT "id" FROM "project")'),
        migrator.sql(
            'ALTER TABLE "connection" ADD COLUMN "place_id" BIGINT REFERENCES "project" ("id") ON DELETE CASCADE'
        ),
        *_move_project(migrator),
        migrator.sql(
            'CREATE UNIQUE INDEX "connection_of_organization" ON "connection" ("organization_id", "name") '
            'WHERE ("project_id" IS NULL)'
        ),
        migrator.add_column("connection", "managed_by", CharField(max_length=20, default="api")),
        migrator.add_column("connection", "health_ok", BooleanField(null=True)),
        migrator.add_column("connection", "health_message", TextField(default="")),
        migrator.add_column("connection", "health_checked_at_ms", BigIntegerField(null=True)),
    )


def down(migrator, db):
    """Take them away again; connections of organizations stay, as they were possible before."""
    columns = ("health_checked_at_ms", "health_message", "health_ok", "managed_by")
    migrator.migrate(
        *(migrator.sql(f'ALTER TABLE "connection" DROP COLUMN "{column}"') for column in columns),
        migrator.sql('DROP INDEX "connection_of_organization"'),
        migrator.sql('ALTER TABLE "connection" ADD COLUMN "place_id" BIGINT'),
        *_move_project(migrator),
    )


def _move_project(migrator):
    """Put `place_id` into the place of `project_id`, with its indexes: SQLite cannot change a column's reference."""
    return [
        migrator.sql('UPDATE "connection" SET "place_id" = "project_id"'),
        migrator.sql('DROP INDEX "connection_organization_id_project_id_name"'),
        migrator.sql('DROP INDEX "connection_project_id"'),
        migrator.sql('ALTER TABLE "connection" DROP COLUMN "project_id"'),
        migrator.sql('ALTER TABLE "connection" RENAME COLUMN "place_id" TO "project_id"'),
        migrator.sql('CREATE INDEX "connection_project_id" ON "connection" ("project_id")'),
        migrator.sql(f'CREATE UNIQUE INDEX "connection_organization_id_project_id_name" ON {NAMES}'),
    ]
