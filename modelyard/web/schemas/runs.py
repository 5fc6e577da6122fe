"""Shapes of runs."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from modelyard.core.tracking.entities import DEFAULT_EXPERIMENT_ID, RUN_STATUSES
from modelyard.core.tracking.many_runs import MOST_CHANGED_AT_ONCE
from modelyard.web.pagination import page_schema
from modelyard.web.schemas.base import StrictSchema, moment
from modelyard.web.schemas.tracking import (
    NUMBER,
    ExperimentReferenceSchema,
    Number,
    SearchArguments,
    tags_field,
    time_field,
)

INT64 = validate.Range(-(2**63), 2**63 - 1)


class RunArguments(SearchArguments):
    """Which runs, in which order."""

    experiment = fields.String(metadata={"description": "Ids of experiments, separated by commas; by default all."})
    parent = fields.String(metadata={"description": "The id of a run: only those nested in it."})
    count = fields.Boolean(load_default=False, metadata={"description": "Count all that are found as well."})
    filter = fields.String(
        load_default="", metadata={"description": "MLflow's filter language.", "example": "metrics.auc > 0.9"}
    )
    order_by = fields.String(
        load_default="",
        metadata={"description": "Keys separated by commas.", "example": "metrics.auc DESC, start_time ASC"},
    )


class RunReferenceSchema(Schema):
    """A run by name."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    status = fields.String(required=True)


class RunSchema(RunReferenceSchema):
    """A run with the last value of each metric."""

    lifecycle_stage = fields.String(required=True, metadata={"description": "active or deleted."})
    experiment = fields.Nested(ExperimentReferenceSchema, required=True)
    parent_run_id = fields.String(
        required=True, allow_none=True, metadata={"description": "The run that it is nested in."}
    )
    user = fields.String(required=True)
    note = fields.String(required=True, allow_none=True, metadata={"description": "The tag `mlflow.note.content`."})
    artifact_uri = fields.String(required=True)
    started_at = moment("started_at_ms", allow_none=True)
    ended_at = moment("ended_at_ms", allow_none=True)
    duration_seconds = fields.Float(required=True, allow_none=True)
    params = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    metrics = fields.Dict(keys=fields.String(), values=fields.Raw(metadata=NUMBER), required=True)
    tags = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class DatasetUseSchema(Schema):
    """A dataset as a run used it."""

    name = fields.String(required=True)
    digest = fields.String(required=True)
    context = fields.String(required=True, allow_none=True, metadata={"description": "What for, such as training."})
    source_type = fields.String(required=True)
    source = fields.String(required=True)
    schema = fields.String(required=True, allow_none=True)
    profile = fields.String(required=True, allow_none=True)
    tags = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class ModelUseSchema(Schema):
    """A logged model that a run used or made."""

    id = fields.String(required=True)
    step = fields.Integer(required=True, allow_none=True, metadata={"description": "When it was made."})


class RunDetailArguments(Schema):
    """How much of a run to show."""

    children = fields.Boolean(
        load_default=False, metadata={"description": "Look for the runs that are nested in it as well."}
    )


class RunDetailSchema(RunSchema):
    """A run with all that it used and made."""

    children = fields.List(
        fields.Nested(RunReferenceSchema),
        metadata={"description": "The first 100 runs nested in it, with `children=true`; `?parent=` lists all."},
    )
    datasets = fields.List(fields.Nested(DatasetUseSchema), required=True)
    model_inputs = fields.List(fields.Nested(ModelUseSchema), required=True)
    model_outputs = fields.List(fields.Nested(ModelUseSchema), required=True)


class RunPageSchema(page_schema(RunSchema)):  # type: ignore[misc]
    """A page of runs."""

    total_count = fields.Integer(metadata={"description": "How many runs the search finds in all, with `count=true`."})


class NewRunSchema(StrictSchema):
    """A wish for a run."""

    experiment_id = fields.String(load_default=DEFAULT_EXPERIMENT_ID, metadata={"description": "Default: Default's."})
    name = fields.String(
        load_default=None, allow_none=True, metadata={"description": "Without one, it gets one that is easy to say."}
    )
    parent_run_id = fields.String(
        load_default=None, allow_none=True, metadata={"description": "The run that it is nested in."}
    )
    start_time_ms = time_field("started_at", "When it began; default: now.", load_default=None)
    note = fields.String(load_default=None, allow_none=True)
    tags = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)


class RunChangesSchema(StrictSchema):
    """What to change of a run."""

    name = fields.String(validate=validate.Length(min=1))
    status = fields.String(validate=validate.OneOf(RUN_STATUSES), metadata={"description": "Where it stands."})
    end_time_ms = time_field("ended_at", "When it ended; default where it ends by `status`: now.")
    note = fields.String(allow_none=True)
    tags = tags_field()


class LoggedMetricSchema(StrictSchema):
    """One value of one metric."""

    key = fields.String(required=True)
    value = Number(required=True)
    step = fields.Integer(load_default=0, strict=True, validate=INT64)
    timestamp_ms = time_field("timestamp", "When it was measured; default: now.", load_default=None)


class RunLogSchema(StrictSchema):
    """What to log to a run: all of it, or nothing."""

    metrics = fields.List(
        fields.Nested(LoggedMetricSchema), load_default=list, metadata={"description": "At most 1000 values."}
    )
    params = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        load_default=dict,
        metadata={"description": "At most 100; one that has another value already is a conflict."},
    )
    tags = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)


def run_ids_field(most: int = MOST_CHANGED_AT_ONCE) -> Any:
    """Declare the runs that a request is about."""
    return fields.List(
        fields.String(),
        required=True,
        validate=validate.Length(1, most),
        metadata={"description": f"Ids of 1 to {most} runs."},
    )


class RunSelectionSchema(StrictSchema):
    """Which runs."""

    run_ids = run_ids_field()


class RunTagsSchema(RunSelectionSchema):
    """Which runs get which tags."""

    tags = tags_field(required=True)


class ChangedRunsSchema(Schema):
    """What became of a change of many runs."""

    changed_count = fields.Integer(required=True, metadata={"description": "Runs that were otherwise before."})
