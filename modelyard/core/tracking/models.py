"""Tables of tracking: experiments, runs and what runs logged, logged models.

Rows that people manage have a `public_id`; integer keys join them. A metric is one `MetricSeries` row with its summary
and one lean `MetricPoint` row for each value, keyed by the series. NaN is kept as the value 0 with `is_nan` set,
because SQLite turns NaN into NULL and PostgreSQL sorts it above all; flags are 0 or 1 so that both databases compare
them alike.
"""

from __future__ import annotations

from peewee import (
    BigIntegerField,
    CharField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    Model,
    SmallIntegerField,
    TextField,
)

from modelyard.core.db import JSONText, Table, database, new_id, now_ms
from modelyard.core.projects.models import Project

ACTIVE = "active"
DELETED = "deleted"


class Experiment(Table):
    """A named group of runs; `number` is what MLflow calls its id, and counts within the project."""

    public_id = CharField(max_length=32, unique=True, default=new_id)
    project = ForeignKeyField(Project, on_delete="CASCADE", backref="experiments")
    number = BigIntegerField()
    name = CharField(max_length=500)
    lifecycle_stage = CharField(max_length=20, default=ACTIVE)
    artifact_location = TextField()
    created_at_ms = BigIntegerField(default=now_ms)
    updated_at_ms = BigIntegerField(default=now_ms)

    class Meta:
        indexes = ((("project", "number"), True), (("project", "name"), True))


class ExperimentTag(Table):
    """One tag of an experiment."""

    experiment = ForeignKeyField(Experiment, on_delete="CASCADE", index=False)
    key = CharField(max_length=250)
    value = TextField()

    class Meta:
        indexes = ((("experiment", "key"), True),)


class Run(Table):
    """One execution; `public_id` is MLflow's run id. `updated_at_ms` also moves when something is logged to it.

    The database keeps `updated_minute` by it, which is indexed in its place: an index on a time that each batch
    moves would cost them all.
    """

    public_id = CharField(max_length=32, unique=True, default=new_id)
    experiment = ForeignKeyField(Experiment, on_delete="CASCADE", backref="runs", index=False)
    name = TextField(default="")
    status = CharField(max_length=20, default="RUNNING")
    start_time_ms = BigIntegerField(default=now_ms)
    end_time_ms = BigIntegerField(null=True)
    user_name = TextField(default="")
    lifecycle_stage = CharField(max_length=20, default=ACTIVE)
    artifact_uri = TextField()
    created_at_ms = BigIntegerField(default=now_ms)
    updated_at_ms = BigIntegerField(default=now_ms)
    deleted_at_ms = BigIntegerField(null=True)

    class Meta:
        indexes = ((("experiment", "start_time_ms", "public_id"), False),)


class RunParam(Table):
    """A parameter of a run; once written it stays."""

    run = ForeignKeyField(Run, on_delete="CASCADE", index=False)
    key = CharField(max_length=250)
    value = TextField()

    class Meta:
        indexes = ((("run", "key"), True),)


class RunTag(Table):
    """One tag of a run."""

    run = ForeignKeyField(Run, on_delete="CASCADE", index=False)
    key = CharField(max_length=250)
    value = TextField()

    class Meta:
        indexes = ((("run", "key"), True),)


class MetricSeries(Table):
    """A metric of a run with its summary.

    The last point is the one of the highest (step, timestamp, value, is_nan). Least and greatest leave NaN out and are
    NULL where all is NaN; their steps are where each was reached first. `count` counts stored points.
    """

    run = ForeignKeyField(Run, on_delete="CASCADE", index=False)
    key = CharField(max_length=250)
    last_value = DoubleField()
    last_is_nan = SmallIntegerField()
    last_step = BigIntegerField()
    last_timestamp_ms = BigIntegerField()
    min_value = DoubleField(null=True)
    min_step = BigIntegerField(null=True)
    max_value = DoubleField(null=True)
    max_step = BigIntegerField(null=True)
    count = BigIntegerField()

    class Meta:
        indexes = ((("run", "key"), True),)


class MetricPoint(Model):
    """One value of a metric. The key orders a history and makes equal points one."""

    series = ForeignKeyField(MetricSeries, on_delete="CASCADE", index=False)
    step = BigIntegerField()
    timestamp_ms = BigIntegerField()
    value = DoubleField()
    is_nan = SmallIntegerField()

    class Meta:
        database = database
        legacy_table_names = False
        primary_key = CompositeKey("series", "step", "timestamp_ms", "value", "is_nan")


class Dataset(Table):
    """Data that runs used, known in its project by name and digest."""

    project = ForeignKeyField(Project, on_delete="CASCADE", index=False)
    name = CharField(max_length=500)
    digest = CharField(max_length=36)
    source_type = TextField()
    source = TextField()
    schema = TextField(null=True)
    profile = TextField(null=True)
    created_at_ms = BigIntegerField(default=now_ms)

    class Meta:
        indexes = ((("project", "name", "digest"), True),)


class RunInput(Table):
    """A dataset as a run used it; `context` is the tag ``mlflow.data.context``, for searching."""

    run = ForeignKeyField(Run, on_delete="CASCADE", index=False)
    dataset = ForeignKeyField(Dataset, on_delete="CASCADE")
    tags = JSONText(default=dict)
    context = TextField(null=True)

    class Meta:
        indexes = ((("run", "dataset"), True),)


class LoggedModel(Table):
    """A model that was logged, before and apart from any registration; `public_id` is ``m-`` and 32 hex digits."""

    public_id = CharField(max_length=34, unique=True)
    experiment = ForeignKeyField(Experiment, on_delete="CASCADE", index=False)
    name = TextField()
    model_type = TextField(null=True)
    source_run_id = TextField(null=True)
    status = CharField(max_length=20, default="PENDING")
    artifact_uri = TextField()
    lifecycle_stage = CharField(max_length=20, default=ACTIVE)
    created_at_ms = BigIntegerField(default=now_ms)
    updated_at_ms = BigIntegerField(default=now_ms)

    class Meta:
        indexes = ((("experiment", "created_at_ms"), False),)


class LoggedModelParam(Table):
    """A parameter of a logged model."""

    model = ForeignKeyField(LoggedModel, on_delete="CASCADE", index=False)
    key = CharField(max_length=250)
    value = TextField()

    class Meta:
        indexes = ((("model", "key"), True),)


class LoggedModelTag(Table):
    """One tag of a logged model."""

    model = ForeignKeyField(LoggedModel, on_delete="CASCADE", index=False)
    key = CharField(max_length=250)
    value = TextField()

    class Meta:
        indexes = ((("model", "key"), True),)


class LoggedModelMetric(Table):
    """A metric that a run measured on a logged model; a dataset's name and digest are empty where none was named."""

    model = ForeignKeyField(LoggedModel, on_delete="CASCADE", index=False)
    run = ForeignKeyField(Run, on_delete="CASCADE")
    key = CharField(max_length=250)
    step = BigIntegerField()
    timestamp_ms = BigIntegerField()
    value = DoubleField()
    is_nan = SmallIntegerField()
    dataset_name = TextField(default="")
    dataset_digest = TextField(default="")

    class Meta:
        indexes = (
            (
                ("model", "key", "step", "timestamp_ms", "value", "is_nan", "run", "dataset_name", "dataset_digest"),
                True,
            ),
        )


class RunModelInput(Table):
    """A logged model that a run used."""

    run = ForeignKeyField(Run, on_delete="CASCADE", index=False)
    model = ForeignKeyField(LoggedModel, on_delete="CASCADE")

    class Meta:
        indexes = ((("run", "model"), True),)


class RunOutput(Table):
    """A logged model that a run made, at a step."""

    run = ForeignKeyField(Run, on_delete="CASCADE", index=False)
    model = ForeignKeyField(LoggedModel, on_delete="CASCADE")
    step = BigIntegerField(default=0)

    class Meta:
        indexes = ((("run", "model", "step"), True),)
