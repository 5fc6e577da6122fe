"""Shapes of traces, spans and assessments."""

from __future__ import annotations

from marshmallow import Schema, fields

from modelyard.web.pagination import PageArguments
from modelyard.web.schemas.base import moment
from modelyard.web.schemas.tracking import ExperimentReferenceSchema

ANYTHING: dict[str, object] = {"description": "Any JSON value."}


class TraceArguments(PageArguments):
    """Which traces, in which order."""

    experiment = fields.String(metadata={"description": "The id of an experiment; by default all of them."})
    filter = fields.String(
        load_default="",
        metadata={"description": "MLflow's filter language for traces.", "example": "attributes.status = 'ERROR'"},
    )
    order_by = fields.String(
        load_default="",
        metadata={"description": "Keys separated by commas.", "example": "execution_time_ms DESC, timestamp_ms ASC"},
    )


class AssessmentSchema(Schema):
    """A judgement on a trace or one of its spans."""

    id = fields.String(required=True, attribute="assessment_id")
    name = fields.String(required=True)
    kind = fields.String(required=True, metadata={"description": "feedback, expectation or issue."})
    value = fields.Raw(required=True, allow_none=True, metadata=ANYTHING)
    source_type = fields.String(required=True)
    source_id = fields.String(required=True, allow_none=True)
    span_id = fields.String(required=True, allow_none=True)
    rationale = fields.String(required=True, allow_none=True)
    is_valid = fields.Boolean(required=True, metadata={"description": "False once another assessment overrides it."})
    created_at = moment("created_at_ms")
    updated_at = moment("updated_at_ms")


class TraceSchema(Schema):
    """A trace without its spans."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    status = fields.String(required=True, metadata={"description": "OK, ERROR, IN_PROGRESS or STATE_UNSPECIFIED."})
    experiment = fields.Nested(ExperimentReferenceSchema, required=True)
    started_at = moment("started_at_ms")
    duration_seconds = fields.Float(required=True, allow_none=True)
    request_preview = fields.String(required=True, allow_none=True)
    response_preview = fields.String(required=True, allow_none=True)
    tags = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    metadata = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    assessments = fields.List(fields.Nested(AssessmentSchema), required=True)


class SpanEventSchema(Schema):
    """Something that happened at one moment of a span."""

    name = fields.String(required=True)
    at = moment("at_ms")
    attributes = fields.Dict(keys=fields.String(), values=fields.Raw(metadata=ANYTHING), required=True)


class SpanSchema(Schema):
    """One step of a trace; spans come in the order of the tree, each behind its parent with one more `depth`."""

    id = fields.String(required=True)
    parent_id = fields.String(required=True, allow_none=True)
    depth = fields.Integer(required=True)
    name = fields.String(required=True)
    type = fields.String(required=True, allow_none=True)
    status = fields.String(required=True, metadata={"description": "OK, ERROR or UNSET."})
    status_message = fields.String(required=True)
    started_at = moment("started_at_ms")
    duration_seconds = fields.Float(required=True, allow_none=True)
    attributes = fields.Dict(keys=fields.String(), values=fields.Raw(metadata=ANYTHING), required=True)
    events = fields.List(fields.Nested(SpanEventSchema), required=True)


class WholeTraceSchema(TraceSchema):
    """A trace with its spans."""

    spans = fields.List(fields.Nested(SpanSchema), required=True)
