"""Tables of tracking: experiments, runs and what runs logged, logged models.

Rows that people manage have a `public_id`; integer keys join them. A metric is one `MetricSeries` row with its summary
and one lean `MetricPoint` row for each value, keyed by the series. NaN is kept as the value 0 with `is_nan` set,
because SQLite turns NaN into NULL and PostgreSQL sorts it above all; flags are 0 or 1 so that both databases compare
them alike. Series, params and tags repeat their run's experiment, which never changes: searches start from there.
"""

from __future__ import annotations

from peewee import (
    BigIntegerField,
    CharField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    Model,
    SmallIntegerField,
    TextField,
    fn,
)

from modelyard.core.db import JSONText, Table, database, new_id, now_ms
from modelyard.core.projects.models import Project

ACTIVE = "active"
DELETED = "deleted"


class Experiment(Table):
    """A named group of runs; `number` is what MLflow calls its id, and counts within the project.

    While it is deleted, `updated_at_ms` is when that happened: nothing else changes it then.
    """

    public_id = CharField(max_length=32, unique=True, default=new_id)
    project = ForeignKeyField(Project, on_delete="CASCADE", backref="experiments")
    project_id: int
    number = BigIntegerField()
    name = CharField(max_length=500)
    lifecycle_stage = CharField(max_length=20, default=ACTIVE)
    artifact_location = TextField()
    created_at_ms = BigIntegerField(default=now_ms)
    updated_at_ms = BigIntegerField(default=now_ms)
    purge_started_at_ms = BigIntegerField(null=True)

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
    purge_started_at_ms = BigIntegerField(null=True)


Run.add_index(Run.index(Run.deleted_at_ms, where=Run.deleted_at_ms.is_null(False), name="run_deleted"))
Run.add_index(Run.index(Run.purge_started_at_ms, where=Run.purge_started_at_ms.is_null(False), name="run_being_purged"))


class RunParam(Table):
    """A parameter of a run; once written it stays."""

    run = ForeignKeyField(Run, on_delete="CASCADE", index=False)
    key = CharField(max_length=250)
    value = TextField()
    experiment_id = BigIntegerField(default=0)

    class Meta:
        indexes = ((("run", "key"), True),)


class RunTag(Table):
    """One tag of a run."""

    run = ForeignKeyField(Run, on_delete="CASCADE", index=False)
    key = CharField(max_length=250)
    value = TextField()
    experiment_id = BigIntegerField(default=0)

    class Meta:
        indexes = ((("run", "key"), True),)


class MetricSeries(Table):
    """A metric of a run with its summary.

    The last point is the one of the highest (step, timestamp, value, is_nan). Least and greatest leave NaN out and are
    NULL where all is NaN; their steps are where each was reached first. `count` counts stored points. The first
    `chunked_count` of them, up to the point of the other ``chunked_`` columns, are summed up in `MetricChunk` rows.
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
    experiment_id = BigIntegerField(default=0)
    chunked_count = BigIntegerField(default=0)
    chunked_step = BigIntegerField(null=True)
    chunked_timestamp_ms = BigIntegerField(null=True)
    chunked_value = DoubleField(null=True)
    chunked_is_nan = SmallIntegerField(null=True)

    class Meta:
        indexes = (
            (("run", "key"), True),
            (("experiment_id", "key", "last_is_nan", "last_value", "run"), False),
        )


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


class MetricChunk(Model):
    """A fixed count of points that follow one another in a metric's history, summed up for drawing.

    `number` counts from 0. Least and greatest leave NaN out; the last two columns are the bounds of the points' times,
    which need not come in the order of steps.
    """

    series = ForeignKeyField(MetricSeries, on_delete="CASCADE", index=False)
    number = IntegerField()
    first_step = BigIntegerField()
    first_timestamp_ms = BigIntegerField()
    first_value = DoubleField()
    first_is_nan = SmallIntegerField()
    last_step = BigIntegerField()
    last_timestamp_ms = BigIntegerField()
    last_value = DoubleField()
    last_is_nan = SmallIntegerField()
    min_step = BigIntegerField(null=True)
    min_timestamp_ms = BigIntegerField(null=True)
    min_value = DoubleField(null=True)
    max_step = BigIntegerField(null=True)
    max_timestamp_ms = BigIntegerField(null=True)
    max_value = DoubleField(null=True)
    earliest_timestamp_ms = BigIntegerField()
    latest_timestamp_ms = BigIntegerField()

    class Meta:
        database = database
        legacy_table_names = False
        primary_key = CompositeKey("series", "number")


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
    """A model that was logged, before and apart from any registration; `public_id` is ``m-`` and 32 hex digits.

    While it is deleted, `updated_at_ms` is when that happened.
    """

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


LoggedModel.add_index(
    LoggedModel.index(LoggedModel.lifecycle_stage, LoggedModel.updated_at_ms, name="logged_model_lifecycle")
)


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


Run.add_index(Run.index(Run.experiment, Run.start_time_ms.desc(), Run.public_id, name="run_newest_first"))
for _table, _name in ((RunParam, "run_param_search"), (RunTag, "run_tag_search")):
    _table.add_index(_table.index(_table.experiment_id, _table.key, fn.substr(_table.value, 1, 64), name=_name))
