"""Traces and spans into their tables: many rows in few statements, in the transaction of the caller.

Spans may come before their trace is told as a whole, after it, and twice. The upsert of the trace's row, with which a
write begins, makes writers to one trace take turns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from modelyard.core.db import is_postgresql
from modelyard.core.errors import Conflict, NotFound
from modelyard.core.tracking.limits import parse_experiment_id
from modelyard.core.tracking.search import pages_of
from modelyard.core.tracking.sql import execute, marks
from modelyard.core.tracking.trace_entities import (
    ARTIFACT_LOCATION_TAG,
    COST_KEY,
    KEPT_HERE,
    SPANS_LOCATION_TAG,
    TOKENS_KEY,
    Assessment,
    Trace,
)
from modelyard.core.tracking.trace_spans import TraceUpdate, numbers_of, total_usage

_TRACE_COLUMNS = (
    "project_id",
    "experiment_id",
    "trace_id",
    "state",
    "start_time_ms",
    "end_time_ms",
    "client_request_id",
    "request_preview",
    "response_preview",
    "is_finished",
)
_WIDER = (
    "state = CASE WHEN trace.state IN ('IN_PROGRESS', 'STATE_UNSPECIFIED') THEN excluded.state ELSE trace.state END,"
    " start_time_ms = CASE WHEN trace.is_finished = 1 OR trace.start_time_ms <= excluded.start_time_ms"
    " THEN trace.start_time_ms ELSE excluded.start_time_ms END,"
    " end_time_ms = CASE WHEN trace.is_finished = 1 OR excluded.end_time_ms IS NULL"
    " OR trace.end_time_ms >= excluded.end_time_ms THEN trace.end_time_ms ELSE excluded.end_time_ms END,"
    " request_preview = COALESCE(trace.request_preview, excluded.request_preview),"
    " response_preview = COALESCE(trace.response_preview, excluded.response_preview)"
)
_WHOLE = (
    "request_preview = COALESCE(excluded.request_preview, trace.request_preview),"
    " response_preview = COALESCE(excluded.response_preview, trace.response_preview), "
    + ", ".join(
        f"{column} = excluded.{column}"
        for column in ("experiment_id", "state", "start_time_ms", "end_time_ms", "client_request_id", "is_finished")
    )
)
_SPAN_COLUMNS = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "name",
    "type",
    "status",
    "start_time_ns",
    "end_time_ns",
    "content",
    "usage",
    "model_name",
    "model_provider",
    "input_cost",
    "output_cost",
    "total_cost",
)
_ASSESSMENT_COLUMNS = (
    "trace_id",
    "assessment_id",
    "name",
    "kind",
    "value",
    "number",
    "is_number",
    "error",
    "source_type",
    "source_id",
    "span_id",
    "rationale",
    "metadata",
    "overrides",
    "is_valid",
    "created_at_ms",
    "updated_at_ms",
)
ROWS = 1000
"""How many rows one statement inserts: so many parameters that both databases take them."""


def insert(table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], then: str) -> list[Any]:
    """Insert rows in few statements, each ending with `then`, and return what those return.

    PostgreSQL takes them as one JSON text: to bind many values one by one costs more than to write them.
    """
    names, group = ", ".join(columns), f"({marks(len(columns))})"
    found: list[Any] = []
    for part in pages_of(rows, ROWS):
        if is_postgresql():
            source = f"SELECT {names} FROM json_populate_recordset(NULL::{table}, ?)"
            parameters: list[Any] = [_json([dict(zip(columns, row, strict=True)) for row in part])]
        else:
            source = f"VALUES {', '.join([group] * len(part))}"
            parameters = [value for row in part for value in row]
        cursor = execute(f"INSERT INTO {table} ({names}) {source} {then}", parameters)
        found += cursor.fetchall() if "RETURNING" in then else ()
    return found


def put_pairs(table: str, pairs: Iterable[tuple[int, str, Any]], *, overwrite: bool) -> None:
    """Set values by trace and key, or add only those that are not there; of a key that comes twice the later counts."""
    unique = {(owner, key): value for owner, key, value in pairs}
    rows = [(owner, key, value) for (owner, key), value in sorted(unique.items(), key=lambda item: item[0])]
    then = "UPDATE SET value = excluded.value" if overwrite else "NOTHING"
    insert(table, ("trace_id", "key", "value"), rows, f"ON CONFLICT (trace_id, key) DO {then}")


def hold_experiment(project_id: int, experiment_id: str) -> tuple[int, str]:
    """Return key and artifact location of an active experiment, kept from being deleted until the transaction ends."""
    rows = execute(
        "SELECT id, artifact_location, lifecycle_stage FROM experiment WHERE project_id = ? AND number = ?"
        + (" FOR SHARE" if is_postgresql() else ""),
        (project_id, parse_experiment_id(experiment_id)),
    ).fetchall()
    if not rows:
        raise NotFound(f"No Experiment with id={experiment_id} exists.")
    key, location, stage = rows[0]
    if stage != "active":
        raise Conflict(f"The experiment {experiment_id} must be in the 'active' state. It is deleted.")
    return key, location


def hold_trace(project_id: int, trace_id: str) -> int:
    """Return the key of a trace of an active experiment; other writers to it wait until the transaction ends."""
    rows = execute(
        "SELECT t.id FROM trace t JOIN experiment e ON e.id = t.experiment_id"
        " WHERE t.project_id = ? AND t.trace_id = ? AND e.lifecycle_stage = 'active'"
        + (" FOR UPDATE OF t" if is_postgresql() else ""),
        (project_id, trace_id),
    ).fetchall()
    if not rows:
        raise no_trace(trace_id)
    key: int = rows[0][0]
    return key


def no_trace(trace_id: str) -> NotFound:
    """Make the refusal of a trace that is not there."""
    return NotFound(f"Trace with ID '{trace_id}' not found.")


def write_spans(project_id: int, experiment_id: str, updates: Sequence[TraceUpdate]) -> None:
    """Write spans of traces, in the order of their ids, and what follows from them for the traces."""
    experiment_key, location = hold_experiment(project_id, experiment_id)
    rows = [(project_id, experiment_key, *update.row()) for update in updates]
    written = insert(
        "trace",
        _TRACE_COLUMNS,
        rows,
        f"ON CONFLICT (project_id, trace_id) DO UPDATE SET {_WIDER} RETURNING trace_id, id, is_finished",
    )
    keys = {trace_id: key for trace_id, key, _ in written}
    taken = ", ".join(f"{column} = excluded.{column}" for column in _SPAN_COLUMNS[2:])
    insert(
        "span",
        _SPAN_COLUMNS,
        [(keys[update.trace_id], *row) for update in updates for row in update.span_rows],
        f"ON CONFLICT (trace_id, span_id) DO UPDATE SET {taken}",
    )
    tags = [(keys[update.trace_id], *tag) for update in updates for tag in update.tags.items()]
    tags += [(key, ARTIFACT_LOCATION_TAG, _artifacts_of(location, trace_id)) for trace_id, key in keys.items()]
    put_pairs("trace_tag", tags, overwrite=False)
    put_pairs("trace_tag", [(key, SPANS_LOCATION_TAG, KEPT_HERE) for key in keys.values()], overwrite=True)
    put_pairs(
        "trace_metadata",
        [(keys[update.trace_id], *pair) for update in updates for pair in update.metadata.items()],
        overwrite=False,
    )
    finished = {key for _, key, is_finished in written if is_finished}
    _count_usage([keys[update.trace_id] for update in updates if update.has_usage], finished)


def _artifacts_of(location: str, trace_id: str) -> str:
    return f"{location}/traces/{trace_id}/artifacts"


def _count_usage(keys: Sequence[int], finished: set[int]) -> None:
    """Add up what the spans of these traces used; what a client has told of a finished trace stands."""
    told = {key for part in pages_of(sorted(finished)) for key in _with_usage(part)}
    nodes: dict[int, list[tuple[str, str | None, str | None]]] = {key: [] for key in keys if key not in told}
    for part in pages_of(sorted(nodes)):
        for key, *node in execute(
            f"SELECT trace_id, span_id, parent_span_id, usage FROM span WHERE trace_id IN ({marks(len(part))})", part
        ).fetchall():
            nodes[key].append((node[0], node[1], node[2]))
    metadata, numbers = [], []
    for key, spans in nodes.items():
        for name, total in total_usage(spans).items():
            metadata.append((key, name, msgspec.json.encode(total).decode()))
            numbers += [(key, *pair) for pair in total.items()]
    put_pairs("trace_metadata", metadata, overwrite=True)
    put_pairs("trace_usage", numbers, overwrite=True)


def _with_usage(keys: Sequence[int]) -> list[int]:
    rows = execute(f"SELECT DISTINCT trace_id FROM trace_usage WHERE trace_id IN ({marks(len(keys))})", keys)
    return [row[0] for row in rows.fetchall()]


def write_trace(project_id: int, trace: Trace) -> int:
    """Write a trace as its client tells it, over what its spans said, and return its key."""
    experiment_key, location = hold_experiment(project_id, trace.experiment_id)
    row = (
        project_id,
        experiment_key,
        trace.trace_id,
        trace.state,
        trace.start_time_ms,
        trace.end_time_ms,
        trace.client_request_id,
        trace.request_preview,
        trace.response_preview,
        1,
    )
    then = f"ON CONFLICT (project_id, trace_id) DO UPDATE SET {_WHOLE} RETURNING id"
    key: int = insert("trace", _TRACE_COLUMNS, [row], then)[0][0]
    tags = {**trace.tags, ARTIFACT_LOCATION_TAG: _artifacts_of(location, trace.trace_id)}
    put_pairs("trace_tag", [(key, *tag) for tag in tags.items()], overwrite=True)
    put_pairs("trace_metadata", [(key, *pair) for pair in trace.metadata.items()], overwrite=True)
    used = [numbers_of(trace.metadata[name]) for name in (TOKENS_KEY, COST_KEY) if name in trace.metadata]
    put_pairs("trace_usage", [(key, *pair) for numbers in used for pair in numbers.items()], overwrite=True)
    insert_assessments(key, trace.assessments)
    return key


def insert_assessments(trace_key: int, assessments: Sequence[Assessment]) -> int:
    """Insert those whose ids the trace does not have yet, and return how many."""
    rows = [_assessment_row(trace_key, assessment) for assessment in assessments]
    then = "ON CONFLICT (trace_id, assessment_id) DO NOTHING RETURNING id"
    return len(insert("assessment", _ASSESSMENT_COLUMNS, rows, then))


def update_assessment(trace_key: int, assessment: Assessment) -> None:
    """Write all of an assessment anew."""
    row = _assessment_row(trace_key, assessment)
    changes = ", ".join(f"{column} = ?" for column in _ASSESSMENT_COLUMNS[2:])
    execute(
        f"UPDATE assessment SET {changes} WHERE trace_id = ? AND assessment_id = ?",
        (*row[2:], trace_key, assessment.assessment_id),
    )


def _assessment_row(trace_key: int, given: Assessment) -> tuple[Any, ...]:
    number = float(given.value) if isinstance(given.value, bool | int | float) else None
    return (
        trace_key,
        given.assessment_id,
        given.name,
        given.kind,
        _json(given.value),
        number,
        int(number is not None and not isinstance(given.value, bool)),
        None if given.error is None else _json(given.error),
        given.source_type,
        given.source_id,
        given.span_id,
        given.rationale,
        _json(given.metadata) if given.metadata else None,
        given.overrides,
        int(given.is_valid),
        given.created_at_ms,
        given.updated_at_ms,
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def delete_traces(keys: Sequence[int]) -> int:
    """Delete traces with all that belongs to them, and return how many there were.

    They are locked in the order of their ids, as whoever writes to many locks them.
    """
    count = 0
    for part in pages_of(keys):
        among = f"IN ({marks(len(part))})"
        if is_postgresql():
            execute(f"SELECT id FROM trace WHERE id {among} ORDER BY trace_id FOR UPDATE", part)
        count += len(execute(f"DELETE FROM trace WHERE id {among} RETURNING id", part).fetchall())
    return count


def link(table: str, column: str, pairs: Iterable[tuple[int, Any]]) -> None:
    """Note what traces belong to; what is noted already stays."""
    rows = sorted(set(pairs))
    insert(table, ("trace_id", column), rows, f"ON CONFLICT (trace_id, {column}) DO NOTHING")
