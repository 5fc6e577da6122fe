"""Shapes of experiments, runs and artifacts."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from modelyard.web.pagination import PageArguments
from modelyard.web.schemas.base import StrictSchema, moment

NUMBER = {"description": 'A number, or "NaN", "Infinity" or "-Infinity".', "type": ["number", "string"]}


class ExperimentReferenceSchema(Schema):
    """The experiment that a run belongs to."""

    id = fields.String(required=True)
    name = fields.String(required=True)


class ExperimentSchema(ExperimentReferenceSchema):
    """An experiment; its id counts within the project."""

    tags = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    created_at = moment("created_at_ms")
    updated_at = moment("updated_at_ms")


class NewExperimentSchema(StrictSchema):
    """A wish for an experiment."""

    name = fields.String(required=True, metadata={"example": "gradient boosting"})


class SearchArguments(PageArguments):
    """What is searched for in MLflow's filter language, in which order."""

    filter = fields.String(
        load_default="", metadata={"description": "MLflow's filter language.", "example": "name LIKE 'boost%'"}
    )
    order_by = fields.String(
        load_default="", metadata={"description": "Keys separated by commas.", "example": "name, creation_time desc"}
    )


class RunArguments(SearchArguments):
    """Which runs, in which order."""

    experiment = fields.String(metadata={"description": "The id of an experiment; by default all of them."})
    filter = fields.String(
        load_default="", metadata={"description": "MLflow's filter language.", "example": "metrics.auc > 0.9"}
    )
    order_by = fields.String(
        load_default="",
        metadata={"description": "Keys separated by commas.", "example": "metrics.auc DESC, start_time ASC"},
    )


class RunSchema(Schema):
    """A run with the last value of each metric."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    status = fields.String(required=True)
    experiment = fields.Nested(ExperimentReferenceSchema, required=True)
    user = fields.String(required=True)
    started_at = moment("started_at_ms", allow_none=True)
    ended_at = moment("ended_at_ms", allow_none=True)
    duration_seconds = fields.Float(required=True, allow_none=True)
    params = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    metrics = fields.Dict(keys=fields.String(), values=fields.Raw(metadata=NUMBER), required=True)
    tags = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class PointSchema(Schema):
    """One value of a metric."""

    step = fields.Integer(required=True)
    timestamp = moment("timestamp_ms")
    value = fields.Raw(required=True, metadata=NUMBER)


class HistoryArguments(Schema):
    """Which part of a history."""

    limit = fields.Integer(load_default=1000, validate=validate.Range(1, 10_000))
    cursor = fields.String(load_default=None)


class ArtifactArguments(Schema):
    """Which folder."""

    path = fields.String(load_default="", metadata={"description": "Relative to the run's artifacts."})


class ArtifactContentArguments(Schema):
    """Which file."""

    path = fields.String(required=True, validate=validate.Length(1, 1024), metadata={"example": "plots/roc.png"})


class ArtifactSchema(Schema):
    """A file or folder; `path` is relative to the run's artifacts."""

    path = fields.String(required=True)
    is_directory = fields.Boolean(required=True)
    size_bytes = fields.Integer(required=True, allow_none=True)


class ArtifactsSchema(Schema):
    """A folder's files and folders, by name."""

    items = fields.List(fields.Nested(ArtifactSchema), required=True)
