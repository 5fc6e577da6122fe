"""Answers kept by Idempotency-Key."""

from peewee import BigAutoField, BigIntegerField, CharField, Model, TextField


def up(migrator, db):
    """Make the table."""

    class IdempotentAnswer(Model):
        id = BigAutoField()
        actor = CharField(max_length=100)
        route_hash = CharField(max_length=64)
        key = CharField(max_length=255)
        encrypted_answer = TextField()
        created_at_ms = BigIntegerField(index=True)

        class Meta:
            database = db
            table_name = "idempotent_answer"
            indexes = ((("actor", "route_hash", "key"), True),)

    db.create_tables([IdempotentAnswer], safe=False)


def down(migrator, db):
    """Drop it."""
    migrator.migrate(migrator.sql("DROP TABLE idempotent_answer"))
