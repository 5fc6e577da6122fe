"""Shapes of experiments."""

from __future__ import annotations

from marshmallow import Schema, fields

from modelyard.web.schemas.base import StrictSchema, moment
from modelyard.web.schemas.tracking import ExperimentReferenceSchema, SearchArguments, tags_field


class ExperimentSchema(ExperimentReferenceSchema):
    """An experiment; its id counts within the project."""

    lifecycle_stage = fields.String(required=True, metadata={"description": "active or deleted."})
    artifact_location = fields.String(required=True)
    note = fields.String(required=True, allow_none=True, metadata={"description": "The tag `mlflow.note.content`."})
    tags = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    runs_count = fields.Integer(metadata={"description": "Its runs that are not deleted, where it was asked for."})
    created_at = moment("created_at_ms")
    updated_at = moment("updated_at_ms")


class ExperimentDetailArguments(Schema):
    """How much of an experiment to show."""

    runs_count = fields.Boolean(load_default=False, metadata={"description": "Count its runs as well."})


class ExperimentArguments(SearchArguments):
    """Which experiments, in which order."""

    q = fields.String(metadata={"description": "Text that the name must contain, in whichever case."})
    runs_count = fields.Boolean(load_default=False, metadata={"description": "Count the runs of each as well."})


class NewExperimentSchema(StrictSchema):
    """A wish for an experiment."""

    name = fields.String(required=True, metadata={"example": "gradient boosting"})
    artifact_location = fields.String(
        load_default=None,
        allow_none=True,
        metadata={"description": "Where its runs' artifacts go, if that is not this server."},
    )
    note = fields.String(load_default=None, allow_none=True)
    tags = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)


class ExperimentChangesSchema(StrictSchema):
    """What to change of an experiment."""

    name = fields.String()
    note = fields.String(allow_none=True)
    tags = tags_field()
