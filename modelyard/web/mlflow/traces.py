"""Traces on MLflow's wire: told, found, read, tagged, linked and deleted. Their spans come by OTLP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from flask import Response, request

from modelyard.core.db import now_ms
from modelyard.core.errors import InvalidInput
from modelyard.core.tracking.entities import Page, Query, Tag
from modelyard.core.tracking.trace_entities import Span, Trace
from modelyard.core.tracking.traces import TraceService
from modelyard.web.mlflow.decoding import Decoder, Int64, Request, Required
from modelyard.web.mlflow.errors import EndpointNotFound
from modelyard.web.mlflow.router import Answer, Context, endpoint
from modelyard.web.mlflow.trace_answers import show_span, show_trace, span_for_file
from modelyard.web.mlflow.trace_values import LocationValue, TraceInfoValue, experiment_of


class TraceValue(Request):
    """A trace in a request; spans that come with it are not read."""

    trace_info: TraceInfoValue


class StartTrace(Request):
    """Fields of traces."""

    trace: TraceValue


class OfTrace(Request):
    """Fields of what asks for one trace."""

    trace_id: Required


class GetTrace(OfTrace):
    """Fields of traces/get."""

    allow_partial: bool = False


class GetTraces(Request):
    """Fields of traces/batchGet and traces/batchGetInfos."""

    trace_ids: list[str] = []
    experiment_ids: list[str] = []


class SearchTraces(Request):
    """Fields of traces/search."""

    locations: list[LocationValue] = []
    filter: str = ""
    max_results: Int64 = 100
    order_by: list[str] = []
    page_token: str = ""


class SetTraceTag(OfTrace, kw_only=True):
    """Fields of traces/{trace_id}/tags."""

    key: Required
    value: str = ""


class DeleteTraceTag(OfTrace, kw_only=True):
    """Fields of traces/{trace_id}/tags."""

    key: Required


class DeleteTraces(Request):
    """Fields of traces/delete-traces."""

    experiment_id: Required
    max_timestamp_millis: Int64 | None = None
    max_traces: Int64 | None = None
    request_ids: list[str] = []


class LinkToRun(Request, kw_only=True):
    """Fields of traces/link-to-run."""

    trace_ids: list[str] = []
    run_id: Required


class PromptValue(Request):
    """A version of a prompt."""

    name: Required
    version: Required


class LinkPrompts(OfTrace, kw_only=True):
    """Fields of traces/link-prompts."""

    prompt_versions: list[PromptValue] = []


class SpansFile(Request, kw_only=True):
    """Fields of get-trace-artifact."""

    request_id: Required
    path: str = ""


_SPANS_FILE = Decoder(SpansFile)


def kept(context: Context) -> TraceService:
    """Return the service of traces; refuses a project that keeps them elsewhere."""
    service = context.services.traces
    if not service.are_kept(context.project):
        raise EndpointNotFound("This project tracks with a server of its own, which keeps its traces.")
    return service


def _whole(trace: Trace, spans: Sequence[Span]) -> dict[str, Any]:
    return {"trace_info": show_trace(trace), "spans": [show_span(span) for span in spans]}


@endpoint("POST", "3.0/traces")
def start_trace(context: Context, request: StartTrace) -> Answer:
    """Take in a trace at its end."""
    made = kept(context).start(context.actor, context.project, request.trace.trace_info.entity(now_ms()))
    return {"trace": {"trace_info": show_trace(made)}}


@endpoint("GET", "3.0/traces/{trace_id}")
def get_trace_info(context: Context, request: OfTrace) -> Answer:
    """Answer a trace without its spans."""
    found = kept(context).get(context.actor, context.project, request.trace_id)
    return {"trace": {"trace_info": show_trace(found)}}


@endpoint("GET", "3.0/traces/get")
def get_trace(context: Context, request: GetTrace) -> Answer:
    """Answer a trace with its spans."""
    found = kept(context).get_with_spans(
        context.actor, context.project, request.trace_id, is_partial_good=request.allow_partial
    )
    return {"trace": _whole(*found)}


@endpoint("GET", "3.0/traces/batchGet")
def get_traces(context: Context, request: GetTraces) -> Answer:
    """Answer those traces that are whole, with their spans."""
    found = kept(context).get_many_with_spans(
        context.actor, context.project, request.trace_ids, request.experiment_ids or None
    )
    return {"traces": [_whole(*pair) for pair in found]}


@endpoint("POST", "3.0/traces/batchGetInfos")
def get_trace_infos(context: Context, request: GetTraces) -> Answer:
    """Answer those traces that are there, without their spans."""
    found = kept(context).get_many(context.actor, context.project, request.trace_ids, request.experiment_ids or None)
    return {"trace_infos": [show_trace(trace) for trace in found]}


@endpoint("POST", "3.0/traces/search")
def search_traces(context: Context, request: SearchTraces) -> Answer:
    """Answer a page of traces."""
    page: Page[Trace] = kept(context).search(
        context.actor,
        context.project,
        Query(
            experiment_ids=[experiment_of(location) for location in request.locations],
            filter=request.filter,
            order_by=request.order_by,
            max_results=request.max_results,
            page_token=request.page_token or None,
        ),
    )
    answer: dict[str, Any] = {"traces": [show_trace(trace) for trace in page.items]}
    return {**answer, "next_page_token": page.next_page_token} if page.next_page_token else answer


@endpoint("PATCH", "traces/{trace_id}/tags")
@endpoint("PATCH", "3.0/traces/{trace_id}/tags")
def set_trace_tag(context: Context, request: SetTraceTag) -> Answer:
    """Set one tag."""
    kept(context).set_tag(context.actor, context.project, request.trace_id, Tag(request.key, request.value))
    return {}


@endpoint("DELETE", "traces/{trace_id}/tags")
@endpoint("DELETE", "3.0/traces/{trace_id}/tags")
def delete_trace_tag(context: Context, request: DeleteTraceTag) -> Answer:
    """Remove one tag."""
    kept(context).delete_tag(context.actor, context.project, request.trace_id, request.key)
    return {}


@endpoint("POST", "traces/delete-traces")
@endpoint("POST", "3.0/traces/delete-traces")
def delete_traces(context: Context, request: DeleteTraces) -> Answer:
    """Delete traces for good."""
    count = kept(context).delete(
        context.actor,
        context.project,
        request.experiment_id,
        trace_ids=request.request_ids,
        until_ms=request.max_timestamp_millis,
        limit=request.max_traces,
    )
    return {"traces_deleted": count}


@endpoint("POST", "traces/link-to-run")
def link_traces(context: Context, request: LinkToRun) -> Answer:
    """Note the run of traces."""
    kept(context).link_to_run(context.actor, context.project, request.trace_ids, request.run_id)
    return {}


@endpoint("POST", "traces/link-prompts")
def link_prompts(context: Context, request: LinkPrompts) -> Answer:
    """Note the prompts of a trace."""
    prompts = [(prompt.name, prompt.version) for prompt in request.prompt_versions]
    kept(context).link_prompts(context.actor, context.project, request.trace_id, prompts)
    return {}


def spans_file(context: Context) -> Response:
    """Answer the present request for ``get-trace-artifact?request_id=``: the spans of a trace as a file."""
    wanted: SpansFile = _SPANS_FILE.query(request.args, {})
    if wanted.path:
        raise InvalidInput("Give 'request_id' and no 'path': attachments are artifacts.")
    _, spans = kept(context).get_with_spans(context.actor, context.project, wanted.request_id)
    body = msgspec.json.encode({"spans": [span_for_file(span) for span in spans]})
    headers = {"Content-Disposition": "attachment; filename=traces.json", "X-Content-Type-Options": "nosniff"}
    return Response(body, content_type="application/octet-stream", headers=headers)
