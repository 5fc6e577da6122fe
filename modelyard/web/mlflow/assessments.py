"""Assessments of traces on MLflow's wire."""

from __future__ import annotations

import re

from modelyard.core.db import now_ms
from modelyard.core.errors import InvalidInput
from modelyard.core.tracking.trace_entities import AssessmentChange
from modelyard.web.mlflow.decoding import Required
from modelyard.web.mlflow.router import Answer, Context, endpoint
from modelyard.web.mlflow.trace_answers import show_assessment
from modelyard.web.mlflow.trace_values import AssessmentValue
from modelyard.web.mlflow.traces import OfTrace, kept

_HUMP = re.compile(r"(?<=[a-z])([A-Z])")


class CreateAssessment(OfTrace, kw_only=True):
    """Fields of traces/{trace_id}/assessments."""

    assessment: AssessmentValue


class OfAssessment(OfTrace, kw_only=True):
    """Fields of what asks for one assessment."""

    assessment_id: Required


class UpdateAssessment(OfAssessment, kw_only=True):
    """Fields of traces/{trace_id}/assessments/{assessment_id}; the mask names what changes, separated by commas."""

    assessment: AssessmentValue
    update_mask: str


@endpoint("POST", "3.0/traces/{trace_id}/assessments")
def create_assessment(context: Context, request: CreateAssessment) -> Answer:
    """Add an assessment."""
    kept(context)
    given = request.assessment.entity(request.trace_id, now_ms())
    return {"assessment": show_assessment(context.services.assessments.create(context.actor, context.project, given))}


@endpoint("GET", "3.0/traces/{trace_id}/assessments/{assessment_id}")
def get_assessment(context: Context, request: OfAssessment) -> Answer:
    """Answer one assessment."""
    kept(context)
    found = context.services.assessments.get(context.actor, context.project, request.trace_id, request.assessment_id)
    return {"assessment": show_assessment(found)}


@endpoint("PATCH", "3.0/traces/{trace_id}/assessments/{assessment_id}")
def update_assessment(context: Context, request: UpdateAssessment) -> Answer:
    """Change what the mask names."""
    kept(context)
    changed = context.services.assessments.update(
        context.actor, context.project, request.trace_id, request.assessment_id, _change(request)
    )
    return {"assessment": show_assessment(changed)}


def _change(request: UpdateAssessment) -> AssessmentChange:
    names = {_HUMP.sub(r"_\1", name.strip()).lower() for name in request.update_mask.split(",") if name.strip()}
    given = request.assessment
    if {"feedback", "expectation"} <= names:
        raise InvalidInput("Cannot specify both 'feedback' and 'expectation'.")
    judged = given.judged() if names & {"feedback", "expectation"} else None
    if judged is not None and judged[0] not in names:
        raise InvalidInput(f"The mask names {', '.join(sorted(names))}, but the value is a {judged[0]}.")
    return AssessmentChange(
        kind=judged and judged[0],
        value=judged and judged[1],
        error=judged and judged[2],
        name=given.assessment_name if "assessment_name" in names else None,
        rationale=given.rationale if "rationale" in names else None,
        metadata=given.metadata if "metadata" in names else None,
    )


@endpoint("DELETE", "3.0/traces/{trace_id}/assessments/{assessment_id}")
def delete_assessment(context: Context, request: OfAssessment) -> Answer:
    """Delete an assessment."""
    kept(context)
    context.services.assessments.delete(context.actor, context.project, request.trace_id, request.assessment_id)
    return {}
