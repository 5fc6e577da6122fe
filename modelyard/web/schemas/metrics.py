"""Shapes of metrics: summaries, histories, samples and live tails."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from modelyard.core.tracking.curves import ALIGNMENTS, X_AXES
from modelyard.core.tracking.limits import MAX_RUNS_AT_ONCE, MAX_SAMPLED_POINTS
from modelyard.core.tracking.run_metrics import MOST_FOLLOWED
from modelyard.core.tracking.sampling import FEWEST_POINTS
from modelyard.web.pagination import page_schema
from modelyard.web.schemas.base import StrictSchema, moment
from modelyard.web.schemas.runs import INT64, run_ids_field
from modelyard.web.schemas.tracking import NUMBER, time_field

FORMATS = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
DEFAULT_POINTS = 1000
SAMPLED = validate.Range(FEWEST_POINTS, MAX_SAMPLED_POINTS)


class PointSchema(Schema):
    """One value of a metric."""

    step = fields.Integer(required=True)
    timestamp = moment("timestamp_ms")
    value = fields.Raw(required=True, metadata=NUMBER)


class SummarySchema(Schema):
    """A metric of a run without its points; NaN is neither least nor greatest."""

    key = fields.String(required=True)
    last = fields.Raw(required=True, metadata=NUMBER)
    last_step = fields.Integer(required=True)
    last_timestamp = moment("last_timestamp_ms")
    min = fields.Raw(required=True, allow_none=True, metadata={"anyOf": [*NUMBER["anyOf"], {"type": "null"}]})
    min_step = fields.Integer(required=True, allow_none=True)
    max = fields.Raw(required=True, allow_none=True, metadata={"anyOf": [*NUMBER["anyOf"], {"type": "null"}]})
    max_step = fields.Integer(required=True, allow_none=True)
    count = fields.Integer(required=True, metadata={"description": "How many points it has."})


class SummaryArguments(Schema):
    """Which metrics of a run."""

    limit = fields.Integer(load_default=1000, validate=validate.Range(1, 10_000))
    cursor = fields.String(load_default=None)
    prefix = fields.String(load_default="", metadata={"description": "What their names begin with, such as `train/`."})


class WindowArguments(Schema):
    """Which part of a history; both ends are in it."""

    start_step = fields.Integer(validate=INT64, metadata={"description": "The first step."})
    end_step = fields.Integer(validate=INT64, metadata={"description": "The last step."})
    start_time_ms = time_field("from", "The earliest time, RFC 3339.")
    end_time_ms = time_field("to", "The latest time, RFC 3339.")


class HistoryArguments(WindowArguments):
    """Which points of a history."""

    limit = fields.Integer(load_default=1000, validate=validate.Range(1, 10_000))
    cursor = fields.String(load_default=None)
    max_points = fields.Integer(
        load_default=None,
        validate=SAMPLED,
        metadata={"description": "Draw the part by at most so many points on one page; its spikes stay."},
    )


class HistoryExportArguments(WindowArguments):
    """Which history, and how it is written down."""

    key = fields.String(required=True)
    format = fields.String(
        load_default="csv", validate=validate.OneOf([*FORMATS]), metadata={"description": "Form of the file."}
    )


class TailArguments(Schema):
    """Which metrics to follow, and since when."""

    key = fields.List(
        fields.String(),
        required=True,
        validate=validate.Length(1, MOST_FOLLOWED),
        metadata={"description": "The metric's name; may be given several times."},
    )
    after = fields.String(load_default="", metadata={"description": "`cursor` of the answer before."})
    max_points = fields.Integer(
        load_default=DEFAULT_POINTS, validate=SAMPLED, metadata={"description": "Points of each metric at most."}
    )


class TailSchema(Schema):
    """What is new of one metric."""

    key = fields.String(required=True)
    replace = fields.Boolean(
        required=True,
        attribute="is_whole",
        metadata={"description": "Whether the points replace all from before: at first, and when some came late."},
    )
    points = fields.List(fields.Nested(PointSchema), required=True)


class TailsSchema(Schema):
    """What is new of a run's metrics; those of which nothing is are left out."""

    items = fields.List(fields.Nested(TailSchema), required=True)
    cursor = fields.String(required=True, metadata={"description": "For `after` of the next request."})
    has_more = fields.Boolean(required=True, metadata={"description": "Whether more is new than was answered."})


class WindowSchema(StrictSchema):
    """A part of histories; both ends are in it."""

    start_step = fields.Integer(strict=True, validate=INT64, metadata={"description": "The first step."})
    end_step = fields.Integer(strict=True, validate=INT64, metadata={"description": "The last step."})
    start_time_ms = time_field("from", "The earliest time.")
    end_time_ms = time_field("to", "The latest time.")


class SampleSchema(WindowSchema):
    """Which metrics of which runs to draw, along what."""

    run_ids = run_ids_field(MAX_RUNS_AT_ONCE)
    keys = fields.List(
        fields.String(),
        required=True,
        validate=validate.Length(1, MOST_FOLLOWED),
        metadata={"description": "The metrics' names."},
    )
    max_points = fields.Integer(
        load_default=DEFAULT_POINTS,
        strict=True,
        validate=SAMPLED,
        metadata={"description": "Points of each curve at most; runs times metrics times this is 1,000,000 at most."},
    )
    x = fields.String(
        load_default="step",
        validate=validate.OneOf(X_AXES),
        metadata={"description": "The step, the seconds since the run's start, or the seconds since 1970 UTC."},
    )
    align = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf([*ALIGNMENTS, None]),
        metadata={
            "description": "Give all curves the same x: the last value up to there, or the nearest one. "
            "Before its first and after its last point a curve has no value."
        },
    )


def _column(of: dict[str, Any], description: str, **more: Any) -> Any:
    return fields.Raw(metadata={"type": "array", "items": of, "description": description}, **more)


OR_NOTHING: dict[str, Any] = {"anyOf": [*NUMBER["anyOf"], {"type": "null"}]}


class CurveSchema(Schema):
    """One metric of one run, in columns."""

    run_id = fields.String(required=True)
    key = fields.String(required=True)
    x = _column({"type": "number"}, "Left out where all curves have the same.")
    values = _column(OR_NOTHING, "Null where an aligned curve has none.", required=True)
    steps = _column({"type": "integer"}, "Left out where curves are aligned.")


class CurvesSchema(Schema):
    """Curves to lay over each other."""

    x = _column({"type": "number"}, "What all curves have in common, where they are aligned.")
    items = fields.List(fields.Nested(CurveSchema), required=True)


SummaryPageSchema = page_schema(SummarySchema)
