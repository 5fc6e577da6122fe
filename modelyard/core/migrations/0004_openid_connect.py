"""Sign-in with OpenID Connect: who is who at the provider, and the roles that came from groups."""

from peewee import BigAutoField, BigIntegerField, CharField, ForeignKeyField, Model


def up(migrator, db):
    """Make the tables."""

    class User(Model):
        id = BigAutoField()

        class Meta:
            database = db
            table_name = "user_account"

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

    class IdentityLink(Model):
        id = BigAutoField()
        user = ForeignKeyField(User, on_delete="CASCADE")
        issuer = CharField(max_length=255)
        subject = CharField(max_length=255)
        created_at_ms = BigIntegerField()

        class Meta:
            database = db
            table_name = "identity_link"
            indexes = ((("issuer", "subject"), True),)

    class UsedAttempt(Model):
        id = BigAutoField()
        state_hash = CharField(max_length=64, unique=True)
        expires_at_ms = BigIntegerField(index=True)

        class Meta:
            database = db
            table_name = "used_attempt"

    class MappedRole(Model):
        id = BigAutoField()
        user = ForeignKeyField(User, on_delete="CASCADE")
        organization = ForeignKeyField(Organization, null=True, on_delete="CASCADE")
        project = ForeignKeyField(Project, null=True, on_delete="CASCADE")
        role = CharField(max_length=20)
        role_by_hand = CharField(max_length=20, null=True)

        class Meta:
            database = db
            table_name = "mapped_role"

    db.create_tables([IdentityLink, UsedAttempt, MappedRole])


def down(migrator, db):
    """Drop the tables."""
    for table in ("mapped_role", "used_attempt", "identity_link"):
        migrator.migrate(migrator.sql(f'DROP TABLE "{table}"'))
