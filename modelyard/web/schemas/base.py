"""What the schemas share: strictness, times, and the shape of an error."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from marshmallow import RAISE, Schema, fields

EARLIEST_MS, LATEST_MS = -62_135_596_800_000, 253_402_300_799_999
"""The times that RFC 3339 can say: the years 1 to 9999."""
EPOCH = datetime(1970, 1, 1)


class StrictSchema(Schema):
    """A request body: fields that nobody knows are refused."""

    class Meta:
        unknown = RAISE


class Moment(fields.Field[str]):
    """Integer milliseconds inside, RFC 3339 with Z outside; what lies outside of its years is at their rim."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else rfc3339(value)


def rfc3339(value_ms: int) -> str:
    """Write milliseconds since 1970 as RFC 3339 in UTC."""
    seconds, ms = divmod(min(max(value_ms, EARLIEST_MS), LATEST_MS), 1000)
    return f"{(EPOCH + timedelta(seconds=seconds)).isoformat(timespec='seconds')}.{ms:03}Z"


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
