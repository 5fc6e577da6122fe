"""Traces from their rows: a fixed number of statements for a page, however many traces it has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from modelyard.core.tracking.search import pages_of
from modelyard.core.tracking.sql import execute, marks
from modelyard.core.tracking.trace_entities import (
    KEPT_HERE,
    SIZE_KEY,
    SPANS_LOCATION_TAG,
    Assessment,
    AssessmentError,
    Span,
    SpanContent,
    Trace,
)
from modelyard.core.tracking.trace_writing import no_trace

_TRACES = (
    "SELECT t.id, t.trace_id, e.number, t.state, t.start_time_ms, t.end_time_ms, t.client_request_id,"
    " t.request_preview, t.response_preview FROM trace t JOIN experiment e ON e.id = t.experiment_id"
    " WHERE t.id IN ({})"
)
_PAIRS = "SELECT trace_id, key, value FROM {} WHERE trace_id IN ({{}}) ORDER BY trace_id, key"
_ASSESSMENTS = (
    "SELECT a.trace_id, t.trace_id, a.assessment_id, a.name, a.kind, a.value, a.error, a.source_type, a.source_id,"
    " a.span_id, a.rationale, a.metadata, a.overrides, a.is_valid, a.created_at_ms, a.updated_at_ms"
    " FROM assessment a JOIN trace t ON t.id = a.trace_id WHERE a.trace_id IN ({}) ORDER BY a.created_at_ms, a.id"
)
_SPANS = (
    "SELECT s.trace_id, t.trace_id, s.span_id, s.parent_span_id, s.name, s.type, s.status, s.start_time_ns,"
    " s.end_time_ns, s.content FROM span s JOIN trace t ON t.id = s.trace_id WHERE s.trace_id IN ({})"
    " ORDER BY CASE WHEN s.parent_span_id IS NULL THEN 0 ELSE 1 END, s.start_time_ns, s.id"
)
_content = msgspec.json.Decoder(SpanContent)
_error = msgspec.json.Decoder(AssessmentError)


def find_traces(
    project_id: int, trace_ids: Sequence[str], experiment_numbers: Sequence[int] | None = None
) -> list[int]:
    """Return the keys of those traces that are there, in the order of their ids, each once."""
    keys: dict[str, int] = {}
    for part in pages_of(list(dict.fromkeys(trace_ids))):
        rows = execute(
            "SELECT t.trace_id, t.id, e.number FROM trace t JOIN experiment e ON e.id = t.experiment_id"
            f" WHERE t.project_id = ? AND e.lifecycle_stage = 'active' AND t.trace_id IN ({marks(len(part))})",
            (project_id, *part),
        ).fetchall()
        keys |= {row[0]: row[1] for row in rows if experiment_numbers is None or row[2] in experiment_numbers}
    return [keys[trace_id] for trace_id in dict.fromkeys(trace_ids) if trace_id in keys]


def find_trace(project_id: int, trace_id: str) -> int:
    """Return the key of one trace, or refuse."""
    found = find_traces(project_id, [trace_id])
    if not found:
        raise no_trace(trace_id)
    return found[0]


def read_trace(key: int, trace_id: str) -> Trace:
    """Return the trace of this key, or refuse where it is gone meanwhile."""
    found = read_traces([key])
    if not found:
        raise no_trace(trace_id)
    return found[0]


def read_traces(keys: Sequence[int]) -> list[Trace]:
    """Return the traces of these keys, in this order; one that is gone meanwhile is left out."""
    rows = {row[0]: row for row in _rows(_TRACES, keys)}
    tags, metadata = _pairs("trace_tag", keys), _pairs("trace_metadata", keys)
    assessments = read_assessments(keys)
    return [
        Trace(
            trace_id=row[1],
            experiment_id=str(row[2]),
            state=row[3],
            start_time_ms=row[4],
            end_time_ms=row[5],
            client_request_id=row[6],
            request_preview=row[7],
            response_preview=row[8],
            tags=tags[row[0]],
            metadata=metadata[row[0]],
            assessments=assessments[row[0]],
        )
        for row in (rows[key] for key in keys if key in rows)
    ]


def read_assessments(keys: Sequence[int]) -> defaultdict[int, list[Assessment]]:
    """Return the assessments of each trace, oldest first."""
    found: defaultdict[int, list[Assessment]] = defaultdict(list)
    for row in _rows(_ASSESSMENTS, keys):
        found[row[0]].append(_assessment(row))
    return found


def _assessment(row: Sequence[Any]) -> Assessment:
    return Assessment(
        trace_id=row[1],
        assessment_id=row[2],
        name=row[3],
        kind=row[4],
        value=msgspec.json.decode(row[5]),
        error=None if row[6] is None else _error.decode(row[6]),
        source_type=row[7],
        source_id=row[8],
        span_id=row[9],
        rationale=row[10],
        metadata={} if row[11] is None else msgspec.json.decode(row[11]),
        overrides=row[12],
        is_valid=bool(row[13]),
        created_at_ms=row[14],
        updated_at_ms=row[15],
    )


def read_spans(keys: Sequence[int]) -> defaultdict[int, list[Span]]:
    """Return the spans of each trace: the root first, then in the order in which they began."""
    found: defaultdict[int, list[Span]] = defaultdict(list)
    for row in _rows(_SPANS, keys):
        found[row[0]].append(
            Span(
                trace_id=row[1],
                span_id=row[2],
                parent_span_id=row[3],
                name=row[4],
                type=row[5],
                status=row[6],
                start_time_ns=row[7],
                end_time_ns=row[8],
                content=_content.decode(row[9]),
            )
        )
    return found


def is_complete(trace: Trace, span_count: int) -> bool:
    """Say whether all spans are here that the client counted when the trace ended."""
    if trace.tags.get(SPANS_LOCATION_TAG) != KEPT_HERE:
        return True
    try:
        told = msgspec.json.decode(trace.metadata.get(SIZE_KEY, "{}"), type=dict[str, int]).get("num_spans", 0)
    except msgspec.MsgspecError:
        return True
    return span_count >= told


def _pairs(table: str, keys: Sequence[int]) -> defaultdict[int, dict[str, str]]:
    found: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for owner, key, value in _rows(_PAIRS.format(table), keys):
        found[owner][key] = value
    return found


def _rows(statement: str, keys: Sequence[int]) -> Iterator[Any]:
    for part in pages_of(keys):
        yield from execute(statement.format(marks(len(part))), part).fetchall()
