"""Events and deliveries outlive what they tell of, and each attempt at a delivery is kept."""

from peewee import (
    BigAutoField,
    BigIntegerField,
    CharField,
    ForeignKeyField,
    IntegerField,
    Model,
    SqliteDatabase,
    TextField,
)

EVENT = (
    "id, public_id, organization_id, project_id, actor_kind, actor_id, actor_name, action, object_kind, object_id, "
    "object_name, before, after, request_id, address, schema_version, occurred_at_ms"
)
DELIVERY = (
    "id, state, run_after_ms, lease_until_ms, leased_by, fence, attempts, public_id, event_id, plugin, moment, "
    "connection_id, last_error, created_at_ms, delivered_at_ms"
)
SLUGS = (
    "COALESCE((SELECT slug FROM organization WHERE organization.id = event_old.organization_id), ''), "
    "COALESCE((SELECT slug FROM project WHERE project.id = event_old.project_id), '')"
)
SUBSCRIBER = "COALESCE((SELECT name FROM connection WHERE connection.id = delivery_old.connection_id), plugin, '')"


def up(migrator, db):
    """Copy both tables into new ones, whose rows stay when a project or a connection goes."""
    event, delivery, attempt, purge = tables(db, on_delete="SET NULL")
    set_aside(migrator, db)
    db.create_tables([event, delivery], safe=False)
    copy(db, "event", EVENT, "organization_slug, project_slug", SLUGS)
    copy(db, "delivery", DELIVERY, "subscriber", SUBSCRIBER)
    drop_old(migrator, db)
    db.create_tables([attempt, purge])


def down(migrator, db):
    """Copy them back; what would point to nothing goes."""
    for table in ("audit_purge", "delivery_attempt"):
        migrator.migrate(migrator.sql(f'DROP TABLE "{table}"'))
    event, delivery = tables(db, on_delete="CASCADE")[:2]
    set_aside(migrator, db)
    db.create_tables([event, delivery], safe=False)
    copy(db, "event", EVENT)
    copy(db, "delivery", DELIVERY)
    drop_old(migrator, db)


def set_aside(migrator, db):
    """Rename the tables and drop their indexes, whose names the new ones take."""
    for table in ("delivery", "event"):
        for index in db.get_indexes(table):
            if not index.name.endswith("_pkey"):
                migrator.migrate(migrator.sql(f'DROP INDEX "{index.name}"'))
        migrator.migrate(migrator.sql(f'ALTER TABLE "{table}" RENAME TO "{table}_old"'))
        if not isinstance(db, SqliteDatabase):
            for kind, end in (("SEQUENCE", "id_seq"), ("INDEX", "pkey")):
                migrator.migrate(migrator.sql(f'ALTER {kind} "{table}_{end}" RENAME TO "{table}_old_{end}"'))


def copy(db, table, columns, more="", values=""):
    """Fill the new table from the old one, and let the numbers go on where they were."""
    into, source = (f"{columns}, {more}", f"{columns}, {values}") if more else (columns, columns)
    db.execute_sql(f"INSERT INTO {table} ({into}) SELECT {source} FROM {table}_old")
    if not isinstance(db, SqliteDatabase):
        db.execute_sql(f"SELECT setval('{table}_id_seq', (SELECT last_value FROM {table}_old_id_seq))")


def drop_old(migrator, db):
    """Drop what was copied."""
    for table in ("delivery_old", "event_old"):
        migrator.migrate(migrator.sql(f'DROP TABLE "{table}"'))


def tables(db, *, on_delete):
    """Return the tables as they are from here on, or as they were before for `CASCADE`."""
    is_new = on_delete == "SET NULL"

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

    class Connection(Model):
        id = BigAutoField()

        class Meta:
            database = db
            table_name = "connection"

    class Event(Model):
        id = BigAutoField()
        public_id = CharField(unique=True, max_length=32)
        organization = ForeignKeyField(Organization, null=True, on_delete=on_delete, index=not is_new)
        project = ForeignKeyField(Project, null=True, on_delete=on_delete, index=not is_new)
        if is_new:
            organization_slug = CharField(max_length=63, default="")
            project_slug = CharField(max_length=63, default="")
        actor_kind = CharField(max_length=20)
        actor_id = CharField(max_length=64)
        actor_name = CharField(max_length=200)
        action = CharField(max_length=63)
        object_kind = CharField(max_length=63)
        object_id = CharField(max_length=64)
        object_name = CharField(max_length=512)
        before = TextField()
        after = TextField()
        request_id = CharField(max_length=64, default="")
        address = CharField(max_length=64, default="")
        schema_version = BigIntegerField(default=1)
        occurred_at_ms = BigIntegerField()

        class Meta:
            database = db
            table_name = "event"
            indexes = ((("project", "id"), False),) + (
                ((("organization", "id"), False), (("actor_id", "id"), False), (("action", "id"), False))
                if is_new
                else ()
            )

    class Delivery(Model):
        id = BigAutoField()
        state = CharField(max_length=20, default="queued")
        run_after_ms = BigIntegerField()
        lease_until_ms = BigIntegerField(default=0)
        leased_by = CharField(null=True, max_length=64)
        fence = BigIntegerField(default=0)
        attempts = IntegerField(default=0)
        public_id = CharField(unique=True, max_length=32)
        event = ForeignKeyField(Event, on_delete="CASCADE")
        if is_new:
            subscriber = CharField(max_length=63)
        plugin = CharField(null=True, max_length=63)
        moment = CharField(null=True, max_length=63)
        connection = ForeignKeyField(Connection, null=True, on_delete=on_delete)
        last_error = TextField(null=True)
        created_at_ms = BigIntegerField()
        delivered_at_ms = BigIntegerField(null=True)

        class Meta:
            database = db
            table_name = "delivery"
            indexes = ((("state", "run_after_ms"), False),)

    class DeliveryAttempt(Model):
        id = BigAutoField()
        delivery = ForeignKeyField(Delivery, on_delete="CASCADE")
        started_at_ms = BigIntegerField()
        duration_ms = BigIntegerField()
        outcome = CharField(max_length=20)
        error = TextField(null=True)

        class Meta:
            database = db
            table_name = "delivery_attempt"

    class AuditPurge(Model):
        id = BigAutoField()
        before_ms = BigIntegerField()

        class Meta:
            database = db
            table_name = "audit_purge"

    return Event, Delivery, DeliveryAttempt, AuditPurge
