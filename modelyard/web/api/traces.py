"""Traces with their spans. Logging is the MLflow wire's, and OpenTelemetry's."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint

from modelyard.core.projects.models import Project
from modelyard.core.tracking.trace_entities import NAME_TAG, Span, Trace
from modelyard.core.tracking.trace_spans import in_tree_order
from modelyard.web.api.experiments import search_of
from modelyard.web.context import actor, open_project, services
from modelyard.web.pagination import envelope, page_schema
from modelyard.web.schemas.traces import TraceArguments, TraceSchema, WholeTraceSchema

URL_PREFIX = "/api/v1/organizations/<organization>/projects/<project>"
blueprint = Blueprint("traces", __name__, url_prefix=URL_PREFIX, description="Traces and their spans")


def show_trace(trace: Trace, experiment_name: str) -> dict[str, Any]:
    """Describe a trace."""
    ended = trace.end_time_ms
    return {
        "id": trace.trace_id,
        "name": trace.tags.get(NAME_TAG, ""),
        "status": trace.state,
        "experiment": {"id": trace.experiment_id, "name": experiment_name},
        "started_at_ms": trace.start_time_ms,
        "duration_seconds": None if ended is None else (ended - trace.start_time_ms) / 1000,
        "request_preview": trace.request_preview,
        "response_preview": trace.response_preview,
        "tags": trace.tags,
        "metadata": trace.metadata,
        "assessments": trace.assessments,
    }


def show_span(span: Span, depth: int) -> dict[str, Any]:
    """Describe a span at its place in the tree."""
    ended = span.end_time_ns
    return {
        "id": span.span_id,
        "parent_id": span.parent_span_id,
        "depth": depth,
        "name": span.name,
        "type": span.type,
        "status": span.status,
        "status_message": span.content.status_message,
        "started_at_ms": span.start_time_ns // 1_000_000,
        "duration_seconds": None if ended is None else (ended - span.start_time_ns) / 1e9,
        "attributes": span.content.attributes,
        "events": [
            {"name": event.name, "at_ms": event.time_ns // 1_000_000, "attributes": event.attributes}
            for event in span.content.events
        ],
    }


def _name_of_experiment(project: Project, experiment_id: str) -> str:
    return services().experiments.get(actor(), project, experiment_id).name


@blueprint.route("/traces")
class TracesView(MethodView):
    """A project's traces."""

    @blueprint.arguments(TraceArguments, location="query")
    @blueprint.response(200, page_schema(TraceSchema))
    def get(self, arguments: dict[str, Any], organization: str, project: str) -> Any:
        """List traces, by default the newest first."""
        found = open_project(organization, project)
        page = services().traces.search(actor(), found, search_of(arguments))
        names = {number: _name_of_experiment(found, number) for number in {item.experiment_id for item in page.items}}
        return envelope([show_trace(item, names[item.experiment_id]) for item in page.items], page.next_page_token)


@blueprint.route("/traces/<trace_id>")
class TraceView(MethodView):
    """One trace."""

    @blueprint.response(200, WholeTraceSchema)
    def get(self, organization: str, project: str, trace_id: str) -> dict[str, Any]:
        """Show a trace with its spans, in the order of their tree."""
        found = open_project(organization, project)
        trace, spans = services().traces.get_with_spans(actor(), found, trace_id)
        shown = [show_span(span, depth) for span, depth in in_tree_order(spans)]
        return {**show_trace(trace, _name_of_experiment(found, trace.experiment_id)), "spans": shown}

    @blueprint.response(204)
    def delete(self, organization: str, project: str, trace_id: str) -> None:
        """Delete a trace for good."""
        services().traces.delete_one(actor(), open_project(organization, project), trace_id)
