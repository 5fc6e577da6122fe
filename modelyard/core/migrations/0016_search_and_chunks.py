"""What makes searches and charts quick: series, params and tags by experiment, and points summed up in chunks."""

from peewee import BigIntegerField, CompositeKey, DoubleField, ForeignKeyField, IntegerField, Model, SmallIntegerField

OF_RUNS = ("metric_series", "run_param", "run_tag")
INDEXES = {
    "metric_series_search": ("metric_series (experiment_id, key, last_is_nan, last_value, run_id)"),
    "run_param_search": "run_param (experiment_id, key, {prefix})",
    "run_tag_search": "run_tag (experiment_id, key, {prefix})",
    "run_newest_first": "run (experiment_id, start_time_ms DESC, public_id)",
}
MARK = {
    "chunked_step": BigIntegerField(null=True),
    "chunked_timestamp_ms": BigIntegerField(null=True),
    "chunked_value": DoubleField(null=True),
    "chunked_is_nan": SmallIntegerField(null=True),
}


def up(migrator, db):
    """Add the columns, fill them, and make the indexes and the table."""
    is_sqlite = type(db).__name__.endswith("SqliteDatabase")
    prefix = "substr(value, 1, 64)" if is_sqlite else '(substr(value, 1, 64) COLLATE "C")'
    for table in OF_RUNS:
        migrator.migrate(
            migrator.sql(f"ALTER TABLE {table} ADD COLUMN experiment_id BIGINT NOT NULL DEFAULT 0"),
            migrator.sql(
                f"UPDATE {table} SET experiment_id = (SELECT experiment_id FROM run WHERE run.id = {table}.run_id)"
            ),
        )
    migrator.migrate(migrator.sql("ALTER TABLE metric_series ADD COLUMN chunked_count BIGINT NOT NULL DEFAULT 0"))
    migrator.migrate(*(migrator.add_column("metric_series", name, field) for name, field in MARK.items()))
    migrator.migrate(migrator.sql("DROP INDEX run_experiment_id_start_time_ms_public_id"))
    migrator.migrate(
        *(migrator.sql(f"CREATE INDEX {name} ON {what.format(prefix=prefix)}") for name, what in INDEXES.items())
    )

    class MetricSeries(Model):
        class Meta:
            database = db
            table_name = "metric_series"

    class MetricChunk(Model):
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
            database = db
            table_name = "metric_chunk"
            primary_key = CompositeKey("series", "number")

    db.create_tables([MetricChunk], safe=False)


def down(migrator, db):
    """Take it away again."""
    migrator.migrate(
        migrator.sql("DROP TABLE metric_chunk"),
        *(migrator.sql(f"DROP INDEX {name}") for name in INDEXES),
        migrator.sql(
            "CREATE INDEX run_experiment_id_start_time_ms_public_id ON run (experiment_id, start_time_ms, public_id)"
        ),
        *(migrator.sql(f"ALTER TABLE metric_series DROP COLUMN {name}") for name in ("chunked_count", *MARK)),
        *(migrator.sql(f"ALTER TABLE {table} DROP COLUMN experiment_id") for table in OF_RUNS),
    )
