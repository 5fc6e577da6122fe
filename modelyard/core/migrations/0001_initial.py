"""The first schema."""

from peewee import (
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    Model,
    SmallIntegerField,
    SqliteDatabase,
    TextField,
)

TABLES = (
    "user_account",
    "api_token",
    "organization",
    "connection",
    "project",
    "dataset",
    "event",
    "delivery",
    "deployment",
    "registered_model",
    "model_version",
    "deployment_revision",
    "experiment",
    "experiment_tag",
    "job",
    "logged_model",
    "run",
    "logged_model_metric",
    "logged_model_param",
    "logged_model_tag",
    "metric_series",
    "metric_point",
    "model_alias",
    "model_version_tag",
    "organization_member",
    "project_member",
    "registered_model_tag",
    "replica",
    "run_input",
    "run_model_input",
    "run_output",
    "run_param",
    "run_tag",
    "session",
    "stage_change",
    "worker",
)


def up(migrator, db):
    """Make all tables."""

    class User(Model):
        id = BigAutoField()
        public_id = CharField(unique=True, max_length=32)
        username = CharField(unique=True, max_length=63)
        display_name = CharField(max_length=200, default="")
        password_hash = CharField()
        is_instance_admin = BooleanField(default=False)
        created_at_ms = BigIntegerField()
        disabled_at_ms = BigIntegerField(null=True)

        class Meta:
            database = db
            table_name = "user_account"

    class ApiToken(Model):
        id = BigAutoField()
        public_id = CharField(unique=True, max_length=32)
        user = ForeignKeyField(User, on_delete="CASCADE")
        project_id = BigIntegerField(index=True, null=True)
        name = CharField(max_length=200)
        secret_hash = CharField(max_length=64)
        scopes = TextField()
        created_at_ms = BigIntegerField()
        expires_at_ms = BigIntegerField(null=True)
        last_used_at_ms = BigIntegerField(null=True)
        revoked_at_ms = BigIntegerField(null=True)

        class Meta:
            database = db
            table_name = "api_token"

    class Organization(Model):
        id = BigAutoField()
        public_id = CharField(unique=True, max_length=32)
        slug = CharField(unique=True, max_length=63)
        name = CharField(max_length=200)
        created_at_ms = BigIntegerField()

        class Meta:
            database = db
            table_name = "organization"

    class Connection(Model):
        id = BigAutoField()
        public_id = CharField(unique=True, max_length=32)
        organization = ForeignKeyField(Organization, on_delete="CASCADE")
        project_id = BigIntegerField(index=True, null=True)
        name = CharField(max_length=63)
        kind = CharField(max_length=20)
        provider = CharField(max_length=63)
        settings = TextField()
        encrypted_secrets = TextField(null=True)
        subscriptions = TextField()
        enabled = BooleanField(default=True)
        created_at_ms = BigIntegerField()
        updated_at_ms = BigIntegerField()

        class Meta:
            database = db
            table_name = "connection"
            indexes = ((("organization", "project_id", "name"), True),)

    class Project(Model):
        id = BigAutoField()
        public_id = CharField(unique=True, max_length=32)
        organization = ForeignKeyField(Organization, on_delete="CASCADE")
        slug = CharField(max_length=63)
        name = CharField(max_length=200)
        description = TextField(default="")
        allow_local_deployments = BooleanField(default=False)
        storage_connection = ForeignKeyField(Connection, null=True, on_delete="RESTRICT")
        last_experiment_number = BigIntegerField(default=0)
        created_at_ms = BigIntegerField()
        updated_at_ms = BigIntegerField()
        archived_at_ms = BigIntegerField(null=True)

        class Meta:
            database = db
            table_name = "project"
            indexes = ((("organization", "slug"), True),)

    class Dataset(Model):
        id = BigAutoField()
        project = ForeignKeyField(Project, on_delete="CASCADE", index=False)
        name = CharField(max_length=500)
        digest = CharField(max_length=36)
        source_type = TextField()
        source = TextField()
        schema = TextField(null=True)
        profile = TextField(null=True)
        created_at_ms = BigIntegerField()

        class Meta:
            database = db
            table_name = "dataset"
            indexes = ((("project", "name", "digest"), True),)

    class Event(Model):
        id = BigAutoField()
        public_id = CharField(unique=True, max_length=32)
        organization = ForeignKeyField(Organization, null=True, on_delete="CASCADE")
        project = ForeignKeyField(Project, null=True, on_delete="CASCADE")
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
            indexes = ((("project", "id"), False),)

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
        plugin = CharField(null=True, max_length=63)
        moment = CharField(null=True, max_length=63)
        connection = ForeignKeyField(Connection, null=True, on_delete="CASCADE")
        last_error = TextField(null=True)
        created_at_ms = BigIntegerField()
        delivered_at_ms = BigIntegerField(null=True)

        class Meta:
            database = db
            table_name = "delivery"
            indexes = ((("state", "run_after_ms"), False),)

    class Deployment(Model):
        id = BigAutoField()
        public_id = CharField(unique=True, max_length=32)
        project = ForeignKeyField(Project, on_delete="CASCADE")
        name = CharField(max_length=63)
        target = CharField(max_length=63)
        desired_status = CharField(max_length=20, default="running")
        status = CharField(max_length=20, default="pending")
        message = TextField(default="")
        revision = IntegerField(default=0)
        encrypted_token = TextField()
        created_at_ms = BigIntegerField()
        updated_at_ms = BigIntegerField()

        class Meta:
            database = db
            table_name = "deployment"
            indexes = ((("project", "name"), True),)

    class RegisteredModel(Model):
        id = BigAutoField()
        public_id = CharField(unique=True, max_length=32)
        project = ForeignKeyField(Project, on_delete="CASCADE")
        name = CharField()
        description = TextField(default="")
        last_version = IntegerField(default=0)
        created_at_ms = BigIntegerField()
        updated_at_ms = BigIntegerField()

        class Meta:
            database = db
            table_name = "registered_model"
            indexes = ((("project", "name"), True),)

    class ModelVersion(Model):
        id = BigAutoField()
        public_id = CharField(unique=True, max_length=32)
        model = ForeignKeyField(RegisteredModel, on_delete="CASCADE")
        number = IntegerField()
        source = TextField()
        artifact_path = TextField()
        run_id = CharField(max_length=32, default="")
        run_link = TextField(default="")
        logged_model_id = CharField(max_length=64, default="")
        stage = CharField(max_length=63, default="None")
        status = CharField(max_length=20, default="READY")
        description = TextField(default="")
        created_by = CharField(max_length=200)
        created_at_ms = BigIntegerField()
        updated_at_ms = BigIntegerField()

        class Meta:
            database = db
            table_name = "model_version"
            indexes = ((("model", "number"), True), (("model", "stage"), False))

    class DeploymentRevision(Model):
        id = BigAutoField()
        deployment = ForeignKeyField(Deployment, on_delete="CASCADE")
        number = IntegerField()
        model_version = ForeignKeyField(ModelVersion, on_delete="RESTRICT")
        replicas = IntegerField()
        environment = TextField()
        ready_within_seconds = IntegerField()
        note = CharField(max_length=400, default="")
        created_by = CharField(max_length=200)
        created_at_ms = BigIntegerField()

        class Meta:
            database = db
            table_name = "deployment_revision"
            indexes = ((("deployment", "number"), True),)

    class Experiment(Model):
        id = BigAutoField()
        public_id = CharField(unique=True, max_length=32)
        project = ForeignKeyField(Project, on_delete="CASCADE")
        number = BigIntegerField()
        name = CharField(max_length=500)
        lifecycle_stage = CharField(max_length=20, default="active")
        artifact_location = TextField()
        created_at_ms = BigIntegerField()
        updated_at_ms = BigIntegerField()

        class Meta:
            database = db
            table_name = "experiment"
            indexes = ((("project", "number"), True), (("project", "name"), True))

    class ExperimentTag(Model):
        id = BigAutoField()
        experiment = ForeignKeyField(Experiment, on_delete="CASCADE", index=False)
        key = CharField(max_length=250)
        value = TextField()

        class Meta:
            database = db
            table_name = "experiment_tag"
            indexes = ((("experiment", "key"), True),)

    class Job(Model):
        id = BigAutoField()
        state = CharField(max_length=20, default="queued")
        run_after_ms = BigIntegerField()
        lease_until_ms = BigIntegerField(default=0)
        leased_by = CharField(null=True, max_length=64)
        fence = BigIntegerField(default=0)
        attempts = IntegerField(default=0)
        public_id = CharField(unique=True, max_length=32)
        kind = CharField(max_length=63)
        arguments = TextField()
        dedupe_key = CharField(unique=True, null=True, max_length=200)
        last_error = TextField(null=True)
        created_at_ms = BigIntegerField()
        finished_at_ms = BigIntegerField(null=True)

        class Meta:
            database = db
            table_name = "job"
            indexes = ((("state", "run_after_ms"), False),)

    class LoggedModel(Model):
        id = BigAutoField()
        public_id = CharField(unique=True, max_length=34)
        experiment = ForeignKeyField(Experiment, on_delete="CASCADE", index=False)
        name = TextField()
        model_type = TextField(null=True)
        source_run_id = TextField(null=True)
        status = CharField(max_length=20, default="PENDING")
        artifact_uri = TextField()
        lifecycle_stage = CharField(max_length=20, default="active")
        created_at_ms = BigIntegerField()
        updated_at_ms = BigIntegerField()

        class Meta:
            database = db
            table_name = "logged_model"
            indexes = ((("experiment", "created_at_ms"), False),)

    class Run(Model):
        id = BigAutoField()
        public_id = CharField(unique=True, max_length=32)
        experiment = ForeignKeyField(Experiment, on_delete="CASCADE", index=False)
        name = TextField(default="")
        status = CharField(max_length=20, default="RUNNING")
        start_time_ms = BigIntegerField()
        end_time_ms = BigIntegerField(null=True)
        user_name = TextField(default="")
        lifecycle_stage = CharField(max_length=20, default="active")
        artifact_uri = TextField()
        created_at_ms = BigIntegerField()
        updated_at_ms = BigIntegerField()
        deleted_at_ms = BigIntegerField(null=True)

        class Meta:
            database = db
            table_name = "run"
            indexes = ((("experiment", "start_time_ms", "public_id"), False),)

    class LoggedModelMetric(Model):
        id = BigAutoField()
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
            database = db
            table_name = "logged_model_metric"
            indexes = (
                (
                    (
                        "model",
                        "key",
                        "step",
                        "timestamp_ms",
                        "value",
                        "is_nan",
                        "run",
                        "dataset_name",
                        "dataset_digest",
                    ),
                    True,
                ),
            )

    class LoggedModelParam(Model):
        id = BigAutoField()
        model = ForeignKeyField(LoggedModel, on_delete="CASCADE", index=False)
        key = CharField(max_length=250)
        value = TextField()

        class Meta:
            database = db
            table_name = "logged_model_param"
            indexes = ((("model", "key"), True),)

    class LoggedModelTag(Model):
        id = BigAutoField()
        model = ForeignKeyField(LoggedModel, on_delete="CASCADE", index=False)
        key = CharField(max_length=250)
        value = TextField()

        class Meta:
            database = db
            table_name = "logged_model_tag"
            indexes = ((("model", "key"), True),)

    class MetricSeries(Model):
        id = BigAutoField()
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
            database = db
            table_name = "metric_series"
            indexes = ((("run", "key"), True),)

    class MetricPoint(Model):
        series = ForeignKeyField(MetricSeries, on_delete="CASCADE", index=False)
        step = BigIntegerField()
        timestamp_ms = BigIntegerField()
        value = DoubleField()
        is_nan = SmallIntegerField()

        class Meta:
            database = db
            table_name = "metric_point"
            without_rowid = isinstance(db, SqliteDatabase)
            primary_key = CompositeKey("series", "step", "timestamp_ms", "value", "is_nan")

    class ModelAlias(Model):
        id = BigAutoField()
        model = ForeignKeyField(RegisteredModel, on_delete="CASCADE")
        version = ForeignKeyField(ModelVersion, on_delete="CASCADE")
        name = CharField()

        class Meta:
            database = db
            table_name = "model_alias"
            indexes = ((("model", "name"), True),)

    class ModelVersionTag(Model):
        id = BigAutoField()
        version = ForeignKeyField(ModelVersion, on_delete="CASCADE")
        key = CharField(max_length=250)
        value = TextField()

        class Meta:
            database = db
            table_name = "model_version_tag"
            indexes = ((("version", "key"), True),)

    class OrganizationMember(Model):
        id = BigAutoField()
        organization = ForeignKeyField(Organization, on_delete="CASCADE")
        user = ForeignKeyField(User, on_delete="CASCADE")
        role = CharField(max_length=20)
        created_at_ms = BigIntegerField()

        class Meta:
            database = db
            table_name = "organization_member"
            indexes = ((("organization", "user"), True),)

    class ProjectMember(Model):
        id = BigAutoField()
        project = ForeignKeyField(Project, on_delete="CASCADE")
        user = ForeignKeyField(User, on_delete="CASCADE")
        role = CharField(max_length=20)
        created_at_ms = BigIntegerField()

        class Meta:
            database = db
            table_name = "project_member"
            indexes = ((("project", "user"), True),)

    class RegisteredModelTag(Model):
        id = BigAutoField()
        model = ForeignKeyField(RegisteredModel, on_delete="CASCADE")
        key = CharField(max_length=250)
        value = TextField()

        class Meta:
            database = db
            table_name = "registered_model_tag"
            indexes = ((("model", "key"), True),)

    class Replica(Model):
        id = BigAutoField()
        deployment = ForeignKeyField(Deployment, on_delete="CASCADE")
        revision = IntegerField()
        replica_index = IntegerField()
        state = CharField(max_length=20, default="absent")
        address = CharField(null=True, max_length=400)
        message = TextField(default="")
        starts = IntegerField(default=0)
        next_start_at_ms = BigIntegerField(default=0)
        identity = TextField()
        seen_at_ms = BigIntegerField()

        class Meta:
            database = db
            table_name = "replica"
            indexes = ((("deployment", "revision", "replica_index"), True),)

    class RunInput(Model):
        id = BigAutoField()
        run = ForeignKeyField(Run, on_delete="CASCADE", index=False)
        dataset = ForeignKeyField(Dataset, on_delete="CASCADE")
        tags = TextField()
        context = TextField(null=True)

        class Meta:
            database = db
            table_name = "run_input"
            indexes = ((("run", "dataset"), True),)

    class RunModelInput(Model):
        id = BigAutoField()
        run = ForeignKeyField(Run, on_delete="CASCADE", index=False)
        model = ForeignKeyField(LoggedModel, on_delete="CASCADE")

        class Meta:
            database = db
            table_name = "run_model_input"
            indexes = ((("run", "model"), True),)

    class RunOutput(Model):
        id = BigAutoField()
        run = ForeignKeyField(Run, on_delete="CASCADE", index=False)
        model = ForeignKeyField(LoggedModel, on_delete="CASCADE")
        step = BigIntegerField(default=0)

        class Meta:
            database = db
            table_name = "run_output"
            indexes = ((("run", "model", "step"), True),)

    class RunParam(Model):
        id = BigAutoField()
        run = ForeignKeyField(Run, on_delete="CASCADE", index=False)
        key = CharField(max_length=250)
        value = TextField()

        class Meta:
            database = db
            table_name = "run_param"
            indexes = ((("run", "key"), True),)

    class RunTag(Model):
        id = BigAutoField()
        run = ForeignKeyField(Run, on_delete="CASCADE", index=False)
        key = CharField(max_length=250)
        value = TextField()

        class Meta:
            database = db
            table_name = "run_tag"
            indexes = ((("run", "key"), True),)

    class Session(Model):
        id = BigAutoField()
        user = ForeignKeyField(User, on_delete="CASCADE")
        secret_hash = CharField(unique=True, max_length=64)
        created_at_ms = BigIntegerField()
        last_seen_at_ms = BigIntegerField()
        expires_at_ms = BigIntegerField(index=True)
        address = CharField(max_length=64, default="")
        user_agent = CharField(max_length=400, default="")

        class Meta:
            database = db
            table_name = "session"

    class StageChange(Model):
        id = BigAutoField()
        model = ForeignKeyField(RegisteredModel, on_delete="CASCADE")
        version_number = IntegerField()
        from_stage = CharField(max_length=63)
        to_stage = CharField(max_length=63)
        reason = TextField(default="")
        actor_name = CharField(max_length=200)
        changed_at_ms = BigIntegerField()

        class Meta:
            database = db
            table_name = "stage_change"

    class WorkerRow(Model):
        id = BigAutoField()
        name = CharField(unique=True, max_length=64)
        host = CharField()
        pid = IntegerField()
        started_at_ms = BigIntegerField()
        seen_at_ms = BigIntegerField()

        class Meta:
            database = db
            table_name = "worker"

    db.create_tables(
        [
            User,
            ApiToken,
            Organization,
            Connection,
            Project,
            Dataset,
            Event,
            Delivery,
            Deployment,
            RegisteredModel,
            ModelVersion,
            DeploymentRevision,
            Experiment,
            ExperimentTag,
            Job,
            LoggedModel,
            Run,
            LoggedModelMetric,
            LoggedModelParam,
            LoggedModelTag,
            MetricSeries,
            MetricPoint,
            ModelAlias,
            ModelVersionTag,
            OrganizationMember,
            ProjectMember,
            RegisteredModelTag,
            Replica,
            RunInput,
            RunModelInput,
            RunOutput,
            RunParam,
            RunTag,
            Session,
            StageChange,
            WorkerRow,
        ]
    )


def down(migrator, db):
    """Drop all tables, those that others point to last."""
    for table in reversed(TABLES):
        migrator.migrate(migrator.sql(f'DROP TABLE "{table}"'))
