"""Service accounts, ids of sessions, counts of failed sign-ins, one-time links; tokens go with their project."""

from uuid import uuid4

from peewee import SQL, BigAutoField, BigIntegerField, CharField, ForeignKeyField, IntegerField, Model


def up(migrator, db):
    """Add columns and tables."""

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

    class User(Model):
        id = BigAutoField()

        class Meta:
            database = db
            table_name = "user_account"

    class Session(Model):
        id = BigAutoField()
        public_id = CharField(max_length=32, null=True)

        class Meta:
            database = db
            table_name = "session"

    class SignInCount(Model):
        id = BigAutoField()
        key_hash = CharField(max_length=64, unique=True)
        failures = IntegerField(default=0)
        blocked_until_ms = BigIntegerField(default=0)
        succeeded_at_ms = BigIntegerField(null=True)
        expires_at_ms = BigIntegerField(index=True)

        class Meta:
            database = db
            table_name = "sign_in_count"

    class OneTimeLink(Model):
        id = BigAutoField()
        user = ForeignKeyField(User, on_delete="CASCADE", null=True)
        secret_hash = CharField(max_length=64, unique=True)
        created_at_ms = BigIntegerField()
        expires_at_ms = BigIntegerField(null=True)

        class Meta:
            database = db
            table_name = "one_time_link"

    email = CharField(max_length=254, default="", constraints=[SQL("DEFAULT ''")])
    kind = CharField(max_length=20, default="person", constraints=[SQL("DEFAULT 'person'")])
    organization = ForeignKeyField(Organization, field=Organization.id, null=True, on_delete="CASCADE")
    migrator.migrate(
        migrator.add_column("user_account", "email", email, allow_not_null=True),
        migrator.add_column("user_account", "kind", kind, allow_not_null=True),
        migrator.add_column("user_account", "organization_id", organization),
        migrator.add_column("session", "public_id", Session.public_id),
    )
    for session in list(Session.select(Session.id)):
        Session.update(public_id=uuid4().hex).where(Session.id == session.id).execute()
    migrator.migrate(
        migrator.add_not_null("session", "public_id"),
        migrator.add_index("session", ("public_id",), True),
    )
    _bind_tokens(migrator, ForeignKeyField(Project, field=Project.id, null=True, on_delete="CASCADE"))
    db.create_tables([SignInCount, OneTimeLink])


def _bind_tokens(migrator, project):
    """Make `api_token.project_id` a foreign key: by a new column, since SQLite adds none to one that is there."""
    migrator.migrate(
        migrator.sql("DELETE FROM api_token WHERE project_id NOT IN (SELECT id FROM project)"),
        migrator.drop_index("api_token", "apitoken_project_id"),
        migrator.rename_column("api_token", "project_id", "project_number"),
        migrator.add_column("api_token", "project_id", project),
        migrator.sql("UPDATE api_token SET project_id = project_number"),
        migrator.drop_column("api_token", "project_number"),
    )


def down(migrator, db):
    """Take them away again; service accounts go with them."""
    migrator.migrate(
        migrator.sql('DROP TABLE "one_time_link"'),
        migrator.sql('DROP TABLE "sign_in_count"'),
        migrator.sql("DELETE FROM user_account WHERE kind = 'service'"),
        migrator.drop_index("api_token", "api_token_project_id"),
        migrator.rename_column("api_token", "project_id", "project_number"),
        migrator.add_column("api_token", "project_id", BigIntegerField(null=True)),
        migrator.sql("UPDATE api_token SET project_id = project_number"),
        migrator.drop_column("api_token", "project_number"),
        migrator.sql('CREATE INDEX "apitoken_project_id" ON "api_token" ("project_id")'),
        migrator.drop_index("session", "session_public_id"),
        migrator.drop_column("session", "public_id"),
        migrator.drop_index("user_account", "user_account_organization_id"),
        migrator.drop_column("user_account", "organization_id"),
        migrator.drop_column("user_account", "kind"),
        migrator.drop_column("user_account", "email"),
    )
