"""Organizations and projects keep the slugs that they had, are deleted with a way back, and projects have quotas."""

from peewee import BigAutoField, BigIntegerField, CharField, ForeignKeyField, Model

COLUMNS = (
    ("organization", "deleted_at_ms"),
    ("organization", "purge_started_at_ms"),
    ("organization", "purged_at_ms"),
    ("project", "deleted_at_ms"),
    ("project", "purge_started_at_ms"),
    ("project", "max_runs"),
    ("project", "max_deployments"),
)


def up(migrator, db):
    """Add the columns and tables; a slug is unique among those that are not deleted."""

    class Organization(Model):
        id = BigAutoField()

        class Meta:
            database = db
            table_name = "organization"

    class Project(Model):
        id = BigAutoField()

        class Meta:
            database = db
            table_name = "project"

    class OrganizationFormerSlug(Model):
        id = BigAutoField()
        organization = ForeignKeyField(Organization, on_delete="CASCADE")
        slug = CharField(max_length=63, unique=True)
        created_at_ms = BigIntegerField()

        class Meta:
            database = db
            table_name = "organization_former_slug"

    class ProjectFormerSlug(Model):
        id = BigAutoField()
        organization = ForeignKeyField(Organization, on_delete="CASCADE", index=False)
        project = ForeignKeyField(Project, on_delete="CASCADE")
        slug = CharField(max_length=63)
        created_at_ms = BigIntegerField()

        class Meta:
            database = db
            table_name = "project_former_slug"
            indexes = ((("organization", "slug"), True),)

    for table, column in COLUMNS:
        migrator.migrate(migrator.add_column(table, column, BigIntegerField(null=True)))
    migrator.migrate(
        migrator.drop_index("organization", "organization_slug"),
        migrator.drop_index("project", "project_organization_id_slug"),
        migrator.sql(
            'CREATE UNIQUE INDEX "organization_slug_of_living" ON "organization" ("slug") WHERE "deleted_at_ms" IS NULL'
        ),
        migrator.sql(
            'CREATE UNIQUE INDEX "project_slug_of_living" ON "project" ("organization_id", "slug")'
            ' WHERE "deleted_at_ms" IS NULL'
        ),
    )
    db.create_tables([OrganizationFormerSlug, ProjectFormerSlug])


def down(migrator, db):
    """Drop what `up` made; the deleted that share a slug with another are given one of their own."""
    for table in ("project_former_slug", "organization_former_slug"):
        migrator.migrate(migrator.sql(f'DROP TABLE "{table}"'))
    db.execute_sql("UPDATE project SET slug = public_id WHERE deleted_at_ms IS NOT NULL")
    db.execute_sql("UPDATE organization SET slug = public_id WHERE deleted_at_ms IS NOT NULL")
    migrator.migrate(
        migrator.drop_index("project", "project_slug_of_living"),
        migrator.drop_index("organization", "organization_slug_of_living"),
        migrator.add_index("organization", ("slug",), unique=True),
        migrator.add_index("project", ("organization_id", "slug"), unique=True),
    )
    for table, column in COLUMNS:
        migrator.migrate(migrator.drop_column(table, column))
