"""Traces with their spans, and what was said about them."""

from peewee import (
    BigAutoField,
    BigIntegerField,
    CharField,
    DoubleField,
    ForeignKeyField,
    Model,
    SmallIntegerField,
    TextField,
)

TABLES = ("trace_prompt", "trace_run", "assessment", "span", "trace_usage", "trace_metadata", "trace_tag", "trace")


def up(migrator, db):
    """Make the tables."""

    class Base(Model):
        id = BigAutoField()

        class Meta:
            database = db
            legacy_table_names = False

    class Project(Base):
        pass

    class Experiment(Base):
        pass

    class Run(Base):
        pass

    class Trace(Base):
        project = ForeignKeyField(Project, on_delete="CASCADE", index=False)
        experiment = ForeignKeyField(Experiment, on_delete="CASCADE", index=False)
        trace_id = CharField(max_length=50)
        state = CharField(max_length=20)
        start_time_ms = BigIntegerField()
        end_time_ms = BigIntegerField(null=True)
        client_request_id = CharField(max_length=50, null=True)
        request_preview = TextField(null=True)
        response_preview = TextField(null=True)
        is_finished = SmallIntegerField()

        class Meta:
            indexes = ((("project", "trace_id"), True), (("experiment", "start_time_ms", "trace_id"), False))

    class TraceTag(Base):
        trace = ForeignKeyField(Trace, on_delete="CASCADE", index=False)
        key = CharField(max_length=250)
        value = TextField()

        class Meta:
            indexes = ((("trace", "key"), True),)

    class TraceMetadata(Base):
        trace = ForeignKeyField(Trace, on_delete="CASCADE", index=False)
        key = CharField(max_length=250)
        value = TextField()

        class Meta:
            indexes = ((("trace", "key"), True),)

    class TraceUsage(Base):
        trace = ForeignKeyField(Trace, on_delete="CASCADE", index=False)
        key = CharField(max_length=50)
        value = DoubleField()

        class Meta:
            indexes = ((("trace", "key"), True),)

    class Span(Base):
        trace = ForeignKeyField(Trace, on_delete="CASCADE", index=False)
        span_id = CharField(max_length=16)
        parent_span_id = CharField(max_length=16, null=True)
        name = TextField()
        type = TextField(null=True)
        status = CharField(max_length=10)
        start_time_ns = BigIntegerField()
        end_time_ns = BigIntegerField(null=True)
        usage = TextField(null=True)
        model_name = TextField(null=True)
        model_provider = TextField(null=True)
        input_cost = DoubleField(null=True)
        output_cost = DoubleField(null=True)
        total_cost = DoubleField(null=True)
        content = TextField()

        class Meta:
            indexes = ((("trace", "span_id"), True),)

    class Assessment(Base):
        trace = ForeignKeyField(Trace, on_delete="CASCADE", index=False)
        assessment_id = CharField(max_length=50)
        name = CharField(max_length=250)
        kind = CharField(max_length=20)
        value = TextField()
        number = DoubleField(null=True)
        is_number = SmallIntegerField()
        error = TextField(null=True)
        source_type = CharField(max_length=50)
        source_id = CharField(max_length=250, null=True)
        span_id = CharField(max_length=50, null=True)
        rationale = TextField(null=True)
        metadata = TextField(null=True)
        overrides = CharField(max_length=50, null=True)
        is_valid = SmallIntegerField()
        created_at_ms = BigIntegerField()
        updated_at_ms = BigIntegerField()

        class Meta:
            indexes = ((("trace", "assessment_id"), True), (("trace", "name"), False))

    class TraceRun(Base):
        trace = ForeignKeyField(Trace, on_delete="CASCADE", index=False)
        run = ForeignKeyField(Run, on_delete="CASCADE")

        class Meta:
            indexes = ((("trace", "run"), True),)

    class TracePrompt(Base):
        trace = ForeignKeyField(Trace, on_delete="CASCADE", index=False)
        prompt = CharField(max_length=500)

        class Meta:
            indexes = ((("trace", "prompt"), True),)

    tables = [Trace, TraceTag, TraceMetadata, TraceUsage, Span, Assessment, TraceRun, TracePrompt]
    db.create_tables(tables, safe=False)


def down(migrator, db):
    """Drop them."""
    migrator.migrate(*(migrator.sql(f'DROP TABLE "{table}"') for table in TABLES))
