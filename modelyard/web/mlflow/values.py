"""Values that several of MLflow's requests have, and answers that several endpoints give."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from msgspec import Struct

from modelyard.core.errors import InvalidInput
from modelyard.core.tracking.entities import LIFECYCLE_STAGES, RUN_STATUSES, Metric, Page, Param, Tag, as_number
from modelyard.web.mlflow.decoding import Int64, Required

_VIEW_TYPES: dict[str | int, Sequence[str]] = {
    "ACTIVE_ONLY": ("active",),
    "DELETED_ONLY": ("deleted",),
    "ALL": LIFECYCLE_STAGES,
    1: ("active",),
    2: ("deleted",),
    3: LIFECYCLE_STAGES,
}


class TagValue(Struct):
    """A tag in a request."""

    key: Required
    value: str = ""

    def entity(self) -> Tag:
        """Return it for a service."""
        return Tag(self.key, self.value)


class ParamValue(Struct):
    """A param in a request."""

    key: Required
    value: str = ""

    def entity(self) -> Param:
        """Return it for a service."""
        return Param(self.key, self.value)


class MetricValue(Metric):
    """A metric in a request; it is the entity itself, for a batch has a thousand."""

    key: Required
    value: float
    timestamp_ms: Int64
    step: Int64 = 0

    def entity(self) -> Metric:
        """Return it for a service."""
        if isfinite(self.value) and self.run_id is None:
            return self
        where = self.model_id, self.dataset_name, self.dataset_digest
        return Metric(self.key, as_number(self.value), self.timestamp_ms, self.step, *where)


def lifecycle_stages(view_type: str | int) -> Sequence[str]:
    """Return the stages that a view shows, given by its name or its number in protobuf."""
    view = int(view_type) if isinstance(view_type, str) and view_type.isdigit() else view_type
    stages = _VIEW_TYPES.get(view)
    if stages is None:
        raise InvalidInput(f"Invalid view type {view_type!r}.", hint="It is ACTIVE_ONLY, DELETED_ONLY or ALL.")
    return stages


def run_status(status: str | int | None) -> str | None:
    """Return a run's status by its name, given by that or by its number in protobuf."""
    if isinstance(status, int):
        if not 1 <= status <= len(RUN_STATUSES):
            raise InvalidInput(f"Invalid status {status}.", hint=f"It is one of {', '.join(RUN_STATUSES)}.")
        return RUN_STATUSES[status - 1]
    return status or None


def page_answer(name: str, page: Page[Any]) -> dict[str, Any]:
    """Answer a page; the last one has no token."""
    answer: dict[str, Any] = {name: page.items}
    if page.next_page_token:
        answer["next_page_token"] = page.next_page_token
    return answer
