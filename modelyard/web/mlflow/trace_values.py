"""Traces and assessments as MLflow's requests have them: protobuf's JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from modelyard.core.errors import InvalidInput
from modelyard.core.tracking.trace_entities import (
    SOURCE_TYPES,
    TRACE_STATES,
    Assessment,
    AssessmentError,
    Trace,
)
from modelyard.web.mlflow.decoding import Request, Required

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
JSON_FORMAT = "JSON_FORMAT"
_DURATION = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?s")


class ExperimentValue(Request):
    """An experiment as the place of traces."""

    experiment_id: Required


class LocationValue(Request):
    """The place of traces."""

    mlflow_experiment: ExperimentValue | None = None


class SourceValue(Request):
    """Who made an assessment."""

    source_type: str | int = SOURCE_TYPES[0]
    source_id: str | None = None


class ErrorValue(Request):
    """Why an assessment has no value."""

    error_code: str = ""
    error_message: str | None = None
    stack_trace: str | None = None

    def entity(self) -> AssessmentError:
        """Return it for the service."""
        return AssessmentError(self.error_code, self.error_message, self.stack_trace)


class SerializedValue(Request, kw_only=True):
    """A value as JSON in a text."""

    serialization_format: str = JSON_FORMAT
    value: str


class JudgedValue(Request):
    """The value of a feedback or an expectation."""

    value: Any = None
    serialized_value: SerializedValue | None = None
    error: ErrorValue | None = None

    def plain(self) -> Any:
        """Return the value itself."""
        if self.serialized_value is None:
            return self.value
        if self.serialized_value.serialization_format != JSON_FORMAT:
            raise InvalidInput(f"Unknown serialization format {self.serialized_value.serialization_format!r}.")
        try:
            return msgspec.json.decode(self.serialized_value.value)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise InvalidInput(f"The serialized value is not valid JSON: {error}.") from None


class AssessmentValue(Request):
    """An assessment in a request."""

    assessment_id: str = ""
    assessment_name: str = ""
    trace_id: str = ""
    span_id: str | None = None
    source: SourceValue | None = None
    create_time: str | None = None
    last_update_time: str | None = None
    feedback: JudgedValue | None = None
    expectation: JudgedValue | None = None
    issue: dict[str, Any] | None = None
    rationale: str | None = None
    metadata: dict[str, str] = {}
    overrides: str | None = None
    valid: bool = True

    def judged(self) -> tuple[str, Any, AssessmentError | None] | None:
        """Return kind, value and error, where there are any."""
        if self.feedback is not None:
            error = self.feedback.error
            return "feedback", self.feedback.plain(), None if error is None else error.entity()
        if self.expectation is not None:
            return "expectation", self.expectation.plain(), None
        return None if self.issue is None else ("issue", self.issue, None)

    def entity(self, trace_id: str, now_ms: int) -> Assessment:
        """Return it for the service, as one of that trace."""
        judged = self.judged()
        if judged is None:
            raise InvalidInput("Exactly one of 'feedback', 'expectation' or 'issue' must be given.")
        source = self.source or SourceValue()
        created = now_ms if self.create_time is None else moment_ms(self.create_time)
        return Assessment(
            assessment_id=self.assessment_id,
            trace_id=trace_id,
            name=self.assessment_name,
            kind=judged[0],
            value=judged[1],
            error=judged[2],
            source_type=_named(source.source_type, SOURCE_TYPES, "source_type"),
            source_id=source.source_id,
            span_id=self.span_id or None,
            rationale=self.rationale,
            metadata=self.metadata,
            overrides=self.overrides or None,
            created_at_ms=created,
            updated_at_ms=created if self.last_update_time is None else moment_ms(self.last_update_time),
        )


class TraceInfoValue(Request, kw_only=True):
    """A trace in a request."""

    trace_id: Required
    trace_location: LocationValue = msgspec.field(default_factory=LocationValue)
    request_time: str
    client_request_id: str | None = None
    execution_duration: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    state: str | int = TRACE_STATES[0]
    trace_metadata: dict[str, str] = {}
    tags: dict[str, str] = {}
    assessments: list[AssessmentValue] = []

    def entity(self, now_ms: int) -> Trace:
        """Return it for the service."""
        started, duration = moment_ms(self.request_time), self.execution_duration
        return Trace(
            trace_id=self.trace_id,
            experiment_id=experiment_of(self.trace_location),
            state=_named(self.state, TRACE_STATES, "state"),
            start_time_ms=started,
            end_time_ms=None if duration is None else started + duration_ms(duration),
            client_request_id=self.client_request_id,
            request_preview=self.request_preview,
            response_preview=self.response_preview,
            metadata=self.trace_metadata,
            tags=self.tags,
            assessments=[given.entity(self.trace_id, now_ms) for given in self.assessments],
        )


def experiment_of(location: LocationValue) -> str:
    """Return the id of the experiment that is the place, or refuse another kind of place."""
    if location.mlflow_experiment is None:
        raise InvalidInput("Traces are kept in experiments: give trace_location.mlflow_experiment.")
    return location.mlflow_experiment.experiment_id


def _named(given: str | int, names: Sequence[str], what: str) -> str:
    """Return the name of an enumerated value, given by that or by its number in protobuf."""
    if isinstance(given, int) and 0 <= given < len(names):
        return names[given]
    if given in names:
        return str(given)
    raise InvalidInput(f"Invalid {what} {given!r}.", hint=f"It is one of {', '.join(names)}.")


def moment_ms(text: str) -> int:
    """Return a time of RFC 3339 in milliseconds since 1970."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(text)
        return (moment.astimezone(UTC) - EPOCH) // timedelta(milliseconds=1)
    except (ValueError, TypeError, OverflowError):
        raise InvalidInput(f"Invalid time {text!r}.", hint="Write it as 2026-01-31T12:00:00.5Z.") from None


def duration_ms(text: str) -> int:
    """Return a duration such as ``1.5s`` in milliseconds."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise InvalidInput(f"Invalid duration {text!r}.", hint="Write it as 1.5s.")
    return int(found[1]) * 1000 + int((found[2] or "0").ljust(9, "0")) // 1_000_000
