"""Tables of the model registry."""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, CharField, ForeignKeyField, IntegerField, TextField

from modelyard.core.db import Table, new_id, now_ms
from modelyard.core.projects.models import Project

PROMPT_TAG = "mlflow.prompt.is_prompt"


class RegisteredModel(Table):
    """A named line of versions. The counter numbers them and never goes back."""

    public_id = CharField(max_length=32, unique=True, default=new_id)
    project = ForeignKeyField(Project, on_delete="CASCADE", backref="models")
    tags: Any
    name = CharField(max_length=255)
    description = TextField(default="")
    last_version = IntegerField(default=0)
    created_at_ms = BigIntegerField(default=now_ms)
    updated_at_ms = BigIntegerField(default=now_ms)

    class Meta:
        indexes = ((("project", "name"), True),)


class RegisteredModelTag(Table):
    """A tag of a registered model."""

    model = ForeignKeyField(RegisteredModel, on_delete="CASCADE", backref="tags")
    key = CharField(max_length=250)
    value = TextField()

    class Meta:
        indexes = ((("model", "key"), True),)


def is_prompt(model: RegisteredModel) -> bool:
    """Whether it is a prompt, which MLflow keeps as a model with that tag; its versions have a text and no files."""
    tag = (RegisteredModelTag.key == PROMPT_TAG) & (RegisteredModelTag.value == "true")
    return bool(RegisteredModelTag.select().where(RegisteredModelTag.model == model.id, tag).exists())


class ModelVersion(Table):
    """One version; `source` is where its files were logged, `artifact_path` the same place within the project.

    A version of a prompt has no files: its `artifact_path` is empty, and its `source` says nothing.
    """

    public_id = CharField(max_length=32, unique=True, default=new_id)
    model = ForeignKeyField(RegisteredModel, on_delete="CASCADE", backref="versions")
    model_id: int
    tags: Any
    aliases: Any
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
    created_at_ms = BigIntegerField(default=now_ms)
    updated_at_ms = BigIntegerField(default=now_ms)

    class Meta:
        indexes = ((("model", "number"), True), (("model", "stage"), False))


class ModelVersionTag(Table):
    """A tag of a version."""

    version = ForeignKeyField(ModelVersion, on_delete="CASCADE", backref="tags")
    key = CharField(max_length=250)
    value = TextField()

    class Meta:
        indexes = ((("version", "key"), True),)


class ModelAlias(Table):
    """A name that points to one version of a model."""

    model = ForeignKeyField(RegisteredModel, on_delete="CASCADE", backref="aliases")
    version = ForeignKeyField(ModelVersion, on_delete="CASCADE", backref="aliases")
    name = CharField(max_length=255)

    class Meta:
        indexes = ((("model", "name"), True),)


class StageChange(Table):
    """One line of a model's stage history; rows are only ever added."""

    model = ForeignKeyField(RegisteredModel, on_delete="CASCADE", backref="stage_changes")
    version_number = IntegerField()
    from_stage = CharField(max_length=63)
    to_stage = CharField(max_length=63)
    reason = TextField(default="")
    actor_name = CharField(max_length=200)
    changed_at_ms = BigIntegerField(default=now_ms)
