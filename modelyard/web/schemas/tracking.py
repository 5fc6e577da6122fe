"""What the shapes of experiments, runs and metrics share."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from modelyard.core.tracking.entities import as_number
from modelyard.web.pagination import PageArguments
from modelyard.web.schemas.base import EARLIEST_MS, LATEST_MS
from modelyard.web.schemas.events import Instant

NAMED_NUMBERS = ("NaN", "Infinity", "-Infinity")
NUMBER: dict[str, Any] = {"anyOf": [{"type": "number"}, {"type": "string", "enum": list(NAMED_NUMBERS)}]}
LIFECYCLES = {"active": ("active",), "deleted": ("deleted",), "all": ("active", "deleted")}


class Number(fields.Field[Any]):
    """A number of a metric; what JSON has no number for stands as its name."""

    def __init__(self, **more: Any) -> None:
        super().__init__(metadata={**NUMBER, "description": 'A number, "NaN", "Infinity" or "-Infinity".'}, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if value in NAMED_NUMBERS:
            return value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValidationError(f"{value!r:.60} is neither a number nor one of {', '.join(NAMED_NUMBERS)}.")
        try:
            return as_number(float(value))
        except OverflowError:
            raise ValidationError("The number is larger than a float.") from None


def time_field(name: str, description: str, **more: Any) -> Instant:
    """Declare a time of a body or query, as RFC 3339."""
    return Instant(
        data_key=name,
        validate=validate.Range(EARLIEST_MS, LATEST_MS),
        metadata={"type": "string", "format": "date-time", "description": description},
        **more,
    )


def tags_field(description: str = "Texts by name; null removes one.", **more: Any) -> Any:
    """Declare tags to set, of which one that is null goes."""
    return fields.Dict(
        keys=fields.String(),
        values=fields.String(allow_none=True),
        metadata={"description": description},
        **more,
    )


class ExperimentReferenceSchema(Schema):
    """The experiment that a run belongs to."""

    id = fields.String(required=True)
    name = fields.String(required=True)


class SearchArguments(PageArguments):
    """What is searched for in MLflow's filter language, in which order."""

    filter = fields.String(
        load_default="", metadata={"description": "MLflow's filter language.", "example": "name LIKE 'boost%'"}
    )
    order_by = fields.String(
        load_default="", metadata={"description": "Keys separated by commas.", "example": "name, creation_time desc"}
    )
    lifecycle = fields.String(
        load_default="active",
        validate=validate.OneOf([*LIFECYCLES]),
        metadata={"description": "Whether those that are not deleted, the deleted ones, or all."},
    )
