"""What the schemas share: strictness, times, and the shape of an error."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marshmallow import RAISE, Schema, fields


class StrictSchema(Schema):
    """A request body: fields that nobody knows are refused."""

    class Meta:
        unknown = RAISE


class Moment(fields.Field[str]):
    """Integer milliseconds inside, RFC 3339 with Z outside."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if value is None:
            return None
        return datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(attribute: str, *, allow_none: bool = False) -> Moment:
    """Declare a time of the answer that is kept in the column `attribute`."""
    return Moment(
        attribute=attribute, dump_only=True, allow_none=allow_none, metadata={"type": "string", "format": "date-time"}
    )


class ProblemSchema(Schema):
    """RFC 9457, with a stable `code`, a `hint`, and the fields that are wrong."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    code = fields.String(required=True)
    hint = fields.String()
    request_id = fields.String(required=True)
    errors = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))
