"""Shapes of runs side by side, and of their table."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from modelyard.core.tracking.comparison import DIRECTIONS
from modelyard.core.tracking.export import FORMS
from modelyard.core.tracking.limits import MAX_RUNS_AT_ONCE
from modelyard.web.schemas.base import StrictSchema
from modelyard.web.schemas.metrics import SummarySchema
from modelyard.web.schemas.runs import RunArguments, run_ids_field

FORMAT = {"description": "Form of the file; Parquet needs the extra `parquet` on the server."}
COLUMN = {
    "description": "A column: `name`, `status`, `params.depth`, `metrics.auc`, `tags.team` …; may be given several "
    "times. Without any, all runs are read twice, first for what they have."
}


class ComparisonWishSchema(StrictSchema):
    """Which runs to lay side by side."""

    run_ids = run_ids_field(MAX_RUNS_AT_ONCE)
    directions = fields.Dict(
        keys=fields.String(),
        values=fields.String(validate=validate.OneOf(DIRECTIONS)),
        load_default=dict,
        metadata={"description": "Of metrics by name, whether the `max` or the `min` is the best."},
    )


class RunTableSchema(StrictSchema):
    """Which runs to write down as a table."""

    run_ids = run_ids_field(MAX_RUNS_AT_ONCE)
    format = fields.String(load_default="csv", validate=validate.OneOf([*FORMS]), metadata=FORMAT)
    columns = fields.List(fields.String(), load_default=list, metadata=COLUMN)


class RunExportArguments(RunArguments):
    """Which runs to write down, in which order, with what."""

    class Meta:
        exclude = ("limit", "cursor", "count")

    format = fields.String(load_default="csv", validate=validate.OneOf([*FORMS]), metadata=FORMAT)
    column = fields.List(fields.String(), load_default=list, metadata=COLUMN)
    order_by = fields.String(
        load_default="",
        metadata={"description": "Keys separated by commas; by default the earliest start first.", "example": "name"},
    )


class ComparedRunSchema(Schema):
    """One of the runs."""

    id = fields.String(required=True)
    name = fields.String(required=True)


class ComparedValueSchema(Schema):
    """An attribute, param or tag of all runs."""

    key = fields.String(required=True)
    differs = fields.Boolean(required=True)
    values: Any = fields.List(fields.String(allow_none=True), required=True)


class ComparedMetricSchema(Schema):
    """A metric of all runs."""

    key = fields.String(required=True)
    differs = fields.Boolean(required=True, metadata={"description": "Whether the last values do."})
    values: Any = fields.List(fields.Nested(SummarySchema, allow_none=True), required=True)
    best = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        required=True,
        metadata={"description": "With a direction: the runs with the best `last`, and `max` or `min`."},
    )


class ComparedDatasetSchema(Schema):
    """A dataset, and the contexts that each run used it in."""

    name = fields.String(required=True)
    digest = fields.String(required=True)
    differs = fields.Boolean(required=True)
    values: Any = fields.List(
        fields.List(fields.String(), allow_none=True),
        required=True,
        metadata={"description": "Null for a run that did not use it."},
    )


class ComparisonSchema(Schema):
    """Runs side by side: values are in the order of `runs`, null where a run has none; what differs comes first."""

    runs = fields.List(fields.Nested(ComparedRunSchema), required=True)
    attributes = fields.List(fields.Nested(ComparedValueSchema), required=True)
    params = fields.List(fields.Nested(ComparedValueSchema), required=True)
    tags = fields.List(fields.Nested(ComparedValueSchema), required=True)
    metrics = fields.List(fields.Nested(ComparedMetricSchema), required=True)
    datasets = fields.List(fields.Nested(ComparedDatasetSchema), required=True)
