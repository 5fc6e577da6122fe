"""Invitations by link."""

from peewee import BigAutoField, BigIntegerField, CharField, ForeignKeyField, Model


def up(migrator, db):
    """Add the table."""

    def known(name):
        """Name a table that is there."""
        meta = type("Meta", (), {"database": db, "table_name": name})
        return type(name.title(), (Model,), {"id": BigAutoField(), "Meta": meta})

    class Invitation(Model):
        id = BigAutoField()
        public_id = CharField(unique=True, max_length=32)
        organization = ForeignKeyField(known("organization"), on_delete="CASCADE")
        role = CharField(max_length=20)
        project = ForeignKeyField(known("project"), null=True, on_delete="CASCADE")
        project_role = CharField(max_length=20, null=True)
        email = CharField(max_length=320, default="")
        secret_hash = CharField(unique=True, max_length=64)
        invited_by = ForeignKeyField(known("user_account"), on_delete="CASCADE", backref="invited")
        created_at_ms = BigIntegerField()
        expires_at_ms = BigIntegerField()
        accepted_at_ms = BigIntegerField(null=True)
        accepted_by = ForeignKeyField(known("user_account"), null=True, on_delete="SET NULL", backref="accepted")
        revoked_at_ms = BigIntegerField(null=True)

        class Meta:
            database = db
            table_name = "invitation"

    db.create_tables([Invitation])


def down(migrator, db):
    """Drop the table."""
    migrator.migrate(migrator.sql('DROP TABLE "invitation"'))
