"""What the services of traces share: who may, whether the project keeps traces here, and what values they take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import msgspec

from modelyard.core.errors import Conflict, InvalidInput
from modelyard.core.identity.actor import Actor
from modelyard.core.projects.access import authorize
from modelyard.core.projects.models import Project
from modelyard.core.tracking.limits import INT64, MAX_KEY_LENGTH, MAX_TAG_VALUE_LENGTH, check_length
from modelyard.core.tracking.service import TRANSACTIONAL, TrackingService
from modelyard.core.tracking.trace_entities import (
    ASSESSMENT_KINDS,
    SOURCE_TYPES,
    SPANS_LOCATION_TAG,
    TRACE_STATES,
    Assessment,
    Trace,
)
from modelyard.core.tracking.trace_spans import MAX_PREVIEW_LENGTH

MAX_ID_LENGTH = 50
MAX_NAME_LENGTH = 250
MAX_TEXT_LENGTH = 65_535
MAX_DEPTH = 25
"""How deep a value may be nested: clients refuse to read what is much deeper."""

OURS = frozenset({SPANS_LOCATION_TAG, "mlflow.trace.archiveLocation", "mlflow.trace.archivalFailure"})
"""Tags that say where a trace is kept, which nobody else may change."""


class TracingService(TrackingService):
    """Traces are kept in Modelyard's own database, for projects whose tracker keeps everything there."""

    def are_kept(self, project: Project) -> bool:
        """Say whether the project keeps its traces here."""
        return TRANSACTIONAL in self._trackers(project).capabilities

    def _permit(self, actor: Actor, project: Project, permission: str) -> None:
        authorize(actor, project, permission)
        if not self.are_kept(project):
            raise Conflict(
                f"The project {project.slug!r} tracks with a server of its own, which keeps its traces.",
                hint="Send traces to that server.",
            )


def check_count(what: str, given: Sequence[object], most: int) -> None:
    """Refuse more than `most` things in a request."""
    if len(given) > most:
        raise InvalidInput(f"A request takes at most {most} {what}. Got {len(given)}.")


def check_free(key: str) -> str:
    """Return the key of a tag, or refuse one that only the server sets."""
    if key in OURS:
        raise InvalidInput(f"Tag '{key}' is immutable on a trace.")
    return key


def check_trace(trace: Trace) -> Trace:
    """Return the trace as it is kept: values that are too long are cut; refuses keys and ids that are."""
    check_length("trace_id", trace.trace_id, MAX_ID_LENGTH)
    check_length("client_request_id", trace.client_request_id or "", MAX_ID_LENGTH)
    if not trace.trace_id:
        raise InvalidInput("Missing value for required parameter 'trace_id'.")
    if trace.state not in TRACE_STATES:
        raise InvalidInput(f"Invalid state {trace.state!r}.", hint=f"It is one of {', '.join(TRACE_STATES)}.")
    for key in (*trace.tags, *trace.metadata):
        check_length("key", key, MAX_KEY_LENGTH)
    return msgspec.structs.replace(
        trace,
        tags={key: value[:MAX_TAG_VALUE_LENGTH] for key, value in trace.tags.items() if key not in OURS},
        metadata={key: value[:MAX_TAG_VALUE_LENGTH] for key, value in trace.metadata.items()},
        request_preview=trace.request_preview and trace.request_preview[:MAX_PREVIEW_LENGTH],
        response_preview=trace.response_preview and trace.response_preview[:MAX_PREVIEW_LENGTH],
        assessments=[check_assessment(given) for given in trace.assessments],
    )


def check_assessment(given: Assessment) -> Assessment:
    """Return the assessment with an id, or refuse what is too long or no such thing."""
    if given.kind not in ASSESSMENT_KINDS or given.source_type not in SOURCE_TYPES:
        raise InvalidInput(
            f"Invalid assessment of kind {given.kind!r} from {given.source_type!r}.",
            hint=f"It is one of {', '.join(ASSESSMENT_KINDS)}, from one of {', '.join(SOURCE_TYPES)}.",
        )
    if not given.name:
        raise InvalidInput("Missing value for required parameter 'assessment_name'.")
    check_length("assessment_name", given.name, MAX_NAME_LENGTH)
    check_length("source_id", given.source_id or "", MAX_NAME_LENGTH)
    for what in ("assessment_id", "span_id", "overrides"):
        check_length(what, getattr(given, what) or "", MAX_ID_LENGTH)
    if not can_be_sent(given.value):
        raise InvalidInput(
            f"Invalid value of an assessment: it takes integers of at most 64 bits, nested at most {MAX_DEPTH} deep."
        )
    for what in ("value", "error", "metadata"):
        check_length(what, msgspec.json.encode(getattr(given, what)).decode(), MAX_TEXT_LENGTH)
    check_length("rationale", given.rationale or "", MAX_TEXT_LENGTH)
    return msgspec.structs.replace(given, assessment_id=given.assessment_id or f"a-{uuid4().hex}")


def can_be_sent(value: Any, depth: int = MAX_DEPTH) -> bool:
    """Say whether a value is nested no deeper, and has only integers that protobuf has: others stop a client."""
    if isinstance(value, int):
        return value in INT64
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth > 0 and all(can_be_sent(child, depth - 1) for child in children)
