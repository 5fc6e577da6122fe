"""The verbs of traces. What is logged to a trace writes no event; its deletion does."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.core.db import atomic
from modelyard.core.errors import InvalidInput, NotFound
from modelyard.core.group_commit import write_together
from modelyard.core.identity.actor import Actor
from modelyard.core.projects.models import Project
from modelyard.core.tracking.entities import Page, Query, Tag
from modelyard.core.tracking.limits import MAX_TAG_VALUE_LENGTH, check_key, check_length, parse_experiment_id
from modelyard.core.tracking.sql import Clause, execute, join, marks
from modelyard.core.tracking.trace_entities import (
    Span,
    SpanBatch,
    Trace,
    TraceCorrelation,
    TraceMetric,
    TraceMetricsQuery,
)
from modelyard.core.tracking.trace_metrics import aggregate
from modelyard.core.tracking.trace_reading import (
    find_trace,
    find_traces,
    is_complete,
    read_spans,
    read_trace,
    read_traces,
)
from modelyard.core.tracking.trace_search import FROM, correlate, find_traces_by, scope
from modelyard.core.tracking.trace_service import TracingService, check_count, check_free, check_trace
from modelyard.core.tracking.trace_spans import updates_of
from modelyard.core.tracking.trace_writing import (
    delete_traces,
    hold_trace,
    link,
    put_pairs,
    write_spans,
    write_trace,
)

MAX_PAGE = 500
MAX_IDS = 1000
MAX_LINKS = 100
MAX_PROMPT_LENGTH = 500


class TraceService(TracingService):
    """Traces of projects whose tracker keeps them in Modelyard's own database."""

    def log_spans(
        self,
        actor: Actor,
        project: Project,
        experiment_id: str,
        batches: Sequence[SpanBatch],
        *,
        run_id: str | None = None,
    ) -> None:
        """Write spans, of which each may have come before; their traces begin with the first one.

        All are written or none. Traces that ended here are linked to the run; one that is not there is ignored.
        """
        self._permit(actor, project, "trace.write")
        updates = updates_of(batches)

        def write() -> None:
            write_spans(project.id, experiment_id, updates)
            if run_id:
                ended = [update.trace_id for update in updates if update.root is not None]
                _link_to_run(project.id, ended, run_id)

        if updates:
            write_together(write)

    def start(self, actor: Actor, project: Project, trace: Trace) -> Trace:
        """Write a trace as its client tells it, which is at its end; it stands over what its spans said."""
        self._permit(actor, project, "trace.write")
        wanted = check_trace(trace)
        key = write_together(lambda: write_trace(project.id, wanted))
        return read_trace(key, wanted.trace_id)

    def get(self, actor: Actor, project: Project, trace_id: str) -> Trace:
        """Return the trace without its spans."""
        self._permit(actor, project, "trace.read")
        return read_trace(find_trace(project.id, trace_id), trace_id)

    def get_with_spans(
        self, actor: Actor, project: Project, trace_id: str, *, is_partial_good: bool = True
    ) -> tuple[Trace, list[Span]]:
        """Return the trace and its spans; `NotFound` where some are still to come, unless a part is good enough."""
        self._permit(actor, project, "trace.read")
        key = find_trace(project.id, trace_id)
        trace, spans = read_trace(key, trace_id), read_spans([key])[key]
        if not is_partial_good and not is_complete(trace, len(spans)):
            raise NotFound(f"Trace with ID {trace_id} is not fully exported yet.", hint="Try again later.")
        return trace, spans

    def get_many(
        self, actor: Actor, project: Project, trace_ids: Sequence[str], experiment_ids: Sequence[str] | None = None
    ) -> list[Trace]:
        """Return those traces that are there, without their spans, in the order of the ids."""
        return read_traces(self._keys(actor, project, trace_ids, experiment_ids))

    def get_many_with_spans(
        self, actor: Actor, project: Project, trace_ids: Sequence[str], experiment_ids: Sequence[str] | None = None
    ) -> list[tuple[Trace, list[Span]]]:
        """Return those traces that are there with all their spans, in the order of the ids."""
        keys = self._keys(actor, project, trace_ids, experiment_ids)
        spans = read_spans(keys)
        by_id = {mine[0].trace_id: mine for mine in spans.values()}
        found = [(trace, by_id.get(trace.trace_id, [])) for trace in read_traces(keys)]
        return [(trace, mine) for trace, mine in found if mine and is_complete(trace, len(mine))]

    def _keys(
        self, actor: Actor, project: Project, trace_ids: Sequence[str], experiment_ids: Sequence[str] | None
    ) -> list[int]:
        self._permit(actor, project, "trace.read")
        check_count("trace_ids", trace_ids, MAX_IDS)
        numbers = None if experiment_ids is None else [parse_experiment_id(given) for given in experiment_ids]
        return find_traces(project.id, trace_ids, numbers)

    def search(self, actor: Actor, project: Project, query: Query) -> Page[Trace]:
        """Return a page of traces."""
        self._permit(actor, project, "trace.read")
        if not 1 <= query.max_results <= MAX_PAGE:
            raise InvalidInput(
                f"Invalid value {query.max_results} for parameter 'max_results': it must be from 1 to {MAX_PAGE}."
            )
        keys, token = find_traces_by(project.id, query)
        return Page(read_traces(keys), token)

    def set_tag(self, actor: Actor, project: Project, trace_id: str, tag: Tag) -> None:
        """Set one tag; too long a value is cut."""
        self._permit(actor, project, "trace.write")
        check_key("key", check_free(tag.key))
        with atomic():
            key = hold_trace(project.id, trace_id)
            put_pairs("trace_tag", [(key, tag.key, tag.value[:MAX_TAG_VALUE_LENGTH])], overwrite=True)

    def delete_tag(self, actor: Actor, project: Project, trace_id: str, key: str) -> None:
        """Remove one tag."""
        self._permit(actor, project, "trace.write")
        with atomic():
            gone = execute(
                "DELETE FROM trace_tag WHERE trace_id = ? AND key = ? RETURNING id",
                (hold_trace(project.id, trace_id), check_free(key)),
            )
            if not gone.fetchall():
                raise NotFound(f"No trace tag with key '{key}' for trace with ID '{trace_id}'.")

    def delete(
        self,
        actor: Actor,
        project: Project,
        experiment_id: str,
        *,
        trace_ids: Sequence[str] = (),
        until_ms: int | None = None,
        limit: int | None = None,
    ) -> int:
        """Delete traces of an experiment for good, and return how many: those named, or the oldest until a time."""
        self._permit(actor, project, "trace.write")
        if bool(trace_ids) == (until_ms is not None):
            raise InvalidInput("Either max_timestamp_millis or trace ids must be given, and not both.")
        if limit is not None and (trace_ids or limit < 1):
            raise InvalidInput(f"Invalid max_traces {limit}: it must be positive, and goes with a time only.")
        check_count("request_ids", trace_ids, MAX_IDS)
        chosen = [scope(project.id, [experiment_id])]
        if until_ms is not None:
            chosen.append(Clause("t.start_time_ms <= ?", (until_ms,)))
        if trace_ids:
            chosen.append(Clause(f"t.trace_id IN ({marks(len(trace_ids))})", tuple(trace_ids)))
        where = join(chosen, " AND ")
        most = "" if limit is None else f" LIMIT {int(limit)}"
        with atomic():
            rows = execute(
                f"SELECT t.id, t.trace_id {FROM} WHERE {where.sql} ORDER BY t.start_time_ms, t.trace_id{most}",
                where.parameters,
            ).fetchall()
            count = delete_traces([row[0] for row in rows])
            if count:
                self._tell_deleted(actor, project, rows[0][1], experiment_id, count)
        return count

    def delete_one(self, actor: Actor, project: Project, trace_id: str) -> None:
        """Delete one trace for good."""
        self._permit(actor, project, "trace.write")
        with atomic():
            key = hold_trace(project.id, trace_id)
            experiment_id = read_trace(key, trace_id).experiment_id
            delete_traces([key])
            self._tell_deleted(actor, project, trace_id, experiment_id, 1)

    def _tell_deleted(self, actor: Actor, project: Project, trace_id: str, experiment_id: str, count: int) -> None:
        self._record(
            "trace.deleted",
            actor=actor,
            project=project,
            object_id=trace_id,
            object_name=trace_id if count == 1 else f"{count} traces",
            before={"experiment_id": experiment_id, "count": count},
        )

    def link_to_run(self, actor: Actor, project: Project, trace_ids: Sequence[str], run_id: str) -> None:
        """Note that traces belong to a run; those that are not there are left out."""
        self._permit(actor, project, "trace.write")
        check_count("trace_ids", trace_ids, MAX_LINKS)
        with atomic():
            if not _link_to_run(project.id, trace_ids, run_id):
                raise NotFound(f"Run with id={run_id} not found.")

    def link_prompts(self, actor: Actor, project: Project, trace_id: str, prompts: Sequence[tuple[str, str]]) -> None:
        """Note which versions of prompts, as (name, version), a trace used."""
        self._permit(actor, project, "trace.write")
        check_count("prompt_versions", prompts, MAX_LINKS)
        names = [check_length("prompt version", f"{name}/{version}", MAX_PROMPT_LENGTH) for name, version in prompts]
        with atomic():
            key = hold_trace(project.id, trace_id)
            link("trace_prompt", "prompt", [(key, name) for name in names])

    def correlate(
        self,
        actor: Actor,
        project: Project,
        experiment_ids: Sequence[str],
        *,
        filter1: str,
        filter2: str,
        base_filter: str = "",
    ) -> TraceCorrelation:
        """Say how two conditions on traces go together, among those that fulfil the base."""
        self._permit(actor, project, "trace.read")
        return correlate(project.id, experiment_ids, filter1, filter2, base_filter)

    def metrics(self, actor: Actor, project: Project, query: TraceMetricsQuery) -> list[TraceMetric]:
        """Aggregate numbers of traces, of their spans or of their assessments, by time and dimension."""
        self._permit(actor, project, "trace.read")
        return aggregate(project.id, query)


def _link_to_run(project_id: int, trace_ids: Sequence[str], run_id: str) -> bool:
    """Link what is there; says whether the run is."""
    rows = execute(
        "SELECT r.id FROM run r JOIN experiment e ON e.id = r.experiment_id WHERE e.project_id = ? AND r.public_id = ?",
        (project_id, run_id),
    ).fetchall()
    if rows:
        link("trace_run", "run_id", [(key, rows[0][0]) for key in find_traces(project_id, trace_ids)])
    return bool(rows)
