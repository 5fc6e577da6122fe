"""Plugins that are not called."""

from peewee import BigAutoField, BigIntegerField, CharField, Model, TextField


def up(migrator, db):
    """Make the table."""

    class PluginBlock(Model):
        id = BigAutoField()
        plugin = CharField(max_length=200, unique=True)
        reason = TextField()
        blocked_by = CharField(max_length=200)
        blocked_at_ms = BigIntegerField()
        until_ms = BigIntegerField(null=True)

        class Meta:
            database = db
            table_name = "plugin_block"

    db.create_tables([PluginBlock], safe=False)


def down(migrator, db):
    """Drop it."""
    migrator.migrate(migrator.sql("DROP TABLE plugin_block"))
