"""The verbs of assessments: what people, judges and programs say about traces."""

from __future__ import annotations

import msgspec

from modelyard.core.db import atomic, now_ms
from modelyard.core.errors import AlreadyExists, InvalidInput, NotFound
from modelyard.core.identity.actor import Actor
from modelyard.core.projects.models import Project
from modelyard.core.tracking.sql import execute
from modelyard.core.tracking.trace_entities import Assessment, AssessmentChange
from modelyard.core.tracking.trace_reading import find_trace, read_assessments
from modelyard.core.tracking.trace_service import TracingService, check_assessment
from modelyard.core.tracking.trace_writing import hold_trace, insert_assessments, update_assessment


class AssessmentService(TracingService):
    """Assessments of traces. They are logged to traces, so they write no event."""

    def create(self, actor: Actor, project: Project, given: Assessment) -> Assessment:
        """Add an assessment; without an id it gets one. What it overrides is valid no more."""
        self._permit(actor, project, "trace.write")
        made = check_assessment(given)
        with atomic():
            key = hold_trace(project.id, made.trace_id)
            if made.overrides and not _set_validity(key, made.overrides, is_valid=False):
                raise _no_assessment(made.overrides, made.trace_id)
            if not insert_assessments(key, [made]):
                raise AlreadyExists(f"The trace '{made.trace_id}' has an assessment '{made.assessment_id}' already.")
        return made

    def get(self, actor: Actor, project: Project, trace_id: str, assessment_id: str) -> Assessment:
        """Return one assessment."""
        self._permit(actor, project, "trace.read")
        return _find(find_trace(project.id, trace_id), trace_id, assessment_id)

    def update(
        self, actor: Actor, project: Project, trace_id: str, assessment_id: str, change: AssessmentChange
    ) -> Assessment:
        """Change what is given; metadata is added to what there is."""
        self._permit(actor, project, "trace.write")
        with atomic():
            key = hold_trace(project.id, trace_id)
            before = _find(key, trace_id, assessment_id)
            if change.kind is not None and change.kind != before.kind:
                raise InvalidInput(f"Cannot update {change.kind} value on a {before.kind} assessment.")
            is_new = change.kind is not None
            after = msgspec.structs.replace(
                before,
                name=before.name if change.name is None else change.name,
                value=change.value if is_new else before.value,
                error=change.error if is_new else before.error,
                rationale=before.rationale if change.rationale is None else change.rationale,
                metadata={**before.metadata, **(change.metadata or {})},
                updated_at_ms=now_ms(),
            )
            update_assessment(key, check_assessment(after))
        return after

    def delete(self, actor: Actor, project: Project, trace_id: str, assessment_id: str) -> None:
        """Delete an assessment; what it overrode is valid again. One that is not there is no error."""
        self._permit(actor, project, "trace.write")
        with atomic():
            key = hold_trace(project.id, trace_id)
            rows = execute(
                "DELETE FROM assessment WHERE trace_id = ? AND assessment_id = ? RETURNING overrides",
                (key, assessment_id),
            ).fetchall()
            if rows and rows[0][0]:
                _set_validity(key, rows[0][0], is_valid=True)


def _find(trace_key: int, trace_id: str, assessment_id: str) -> Assessment:
    for found in read_assessments([trace_key])[trace_key]:
        if found.assessment_id == assessment_id:
            return found
    raise _no_assessment(assessment_id, trace_id)


def _no_assessment(assessment_id: str, trace_id: str) -> NotFound:
    return NotFound(f"Assessment with ID '{assessment_id}' not found for trace '{trace_id}'.")


def _set_validity(trace_key: int, assessment_id: str, *, is_valid: bool) -> bool:
    found = execute(
        "UPDATE assessment SET is_valid = ? WHERE trace_id = ? AND assessment_id = ? RETURNING id",
        (int(is_valid), trace_key, assessment_id),
    )
    return bool(found.fetchall())
