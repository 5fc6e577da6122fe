"""How many bytes of artifacts a project has and may have; what is there already is counted by a job.

The columns are added by plain SQL: what rebuilds a table on SQLite would take its triggers away. The triggers of
`access_generation` watch the columns that were there before, so that counting does not make what is cached old.
"""

import uuid


def up(migrator, db):
    """Add the columns, and leave the count of old files to the worker."""
    migrator.migrate(
        migrator.sql('ALTER TABLE "project" ADD COLUMN "artifact_bytes" BIGINT NOT NULL DEFAULT 0'),
        migrator.sql('ALTER TABLE "project" ADD COLUMN "max_artifact_bytes" BIGINT'),
        migrator.sql(
            "INSERT INTO job (public_id, kind, arguments, dedupe_key, state, run_after_ms, lease_until_ms, fence,"
            f" attempts, created_at_ms) SELECT '{uuid.uuid4().hex}', 'artifacts.recount_all', '{{}}',"
            " 'artifacts.recount_all', 'queued', 0, 0, 0, 0, 0 WHERE EXISTS (SELECT 1 FROM project)"
        ),
    )


def down(migrator, db):
    """Drop the columns."""
    migrator.migrate(
        migrator.sql("DELETE FROM job WHERE kind IN ('artifacts.recount_all', 'artifacts.recount')"),
        migrator.sql('ALTER TABLE "project" DROP COLUMN "max_artifact_bytes"'),
        migrator.sql('ALTER TABLE "project" DROP COLUMN "artifact_bytes"'),
    )
