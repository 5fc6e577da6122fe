"""Runs and experiments remember that their purge has begun; what is deleted is found by an index of its own.

The columns are added by plain SQL, which rebuilds no table.
"""

STEPS = (
    'ALTER TABLE "experiment" ADD COLUMN "purge_started_at_ms" BIGINT',
    'ALTER TABLE "run" ADD COLUMN "purge_started_at_ms" BIGINT',
    'CREATE INDEX "run_deleted" ON "run" ("deleted_at_ms") WHERE "deleted_at_ms" IS NOT NULL',
    'CREATE INDEX "run_being_purged" ON "run" ("purge_started_at_ms") WHERE "purge_started_at_ms" IS NOT NULL',
    'CREATE INDEX "logged_model_lifecycle" ON "logged_model" ("lifecycle_stage", "updated_at_ms")',
)


def up(migrator, db):
    """Add columns and indexes."""
    migrator.migrate(*(migrator.sql(step) for step in STEPS))


def down(migrator, db):
    """Drop them."""
    migrator.migrate(
        migrator.sql("DELETE FROM job WHERE kind IN ('tracking.find_due_purges', 'tracking.purge')"),
        migrator.sql('DROP INDEX "logged_model_lifecycle"'),
        migrator.sql('DROP INDEX "run_being_purged"'),
        migrator.sql('DROP INDEX "run_deleted"'),
        migrator.sql('ALTER TABLE "run" DROP COLUMN "purge_started_at_ms"'),
        migrator.sql('ALTER TABLE "experiment" DROP COLUMN "purge_started_at_ms"'),
    )
