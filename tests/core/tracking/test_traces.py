"""Traces by their services: what a search finds, what numbers come out, and what several writers leave."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from modelyard.core import db
from modelyard.core.bootstrap import Services
from modelyard.core.db import database
from modelyard.core.errors import AlreadyExists, Conflict, InvalidInput, NotFound, PermissionDenied
from modelyard.core.identity.actor import Actor
from modelyard.core.notifications.models import Event
from modelyard.core.projects.models import Project
from modelyard.core.tracking.entities import NewRun, Query, Tag
from modelyard.core.tracking.trace_entities import (
    Aggregation,
    Assessment,
    AssessmentChange,
    Span,
    SpanBatch,
    SpanContent,
    Trace,
    TraceMetricsQuery,
)
from modelyard.core.tracking.trace_spans import MAX_PREVIEW_LENGTH, in_tree_order, preview
from modelyard.core.tracking.traces import TraceService
from modelyard.plugins.sql_tracker.tracker import SqlTracker
from tests.factories import Factories

HOUR_MS = 3_600_000


class Outside(SqlTracker):
    """A tracker that does not write to our database, as far as its capabilities say."""

    capabilities = frozenset()


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project()


@pytest.fixture
def editor(factories: Factories, project: Project) -> Actor:
    return factories.actor(factories.member(project, "editor"))


def told(number: int, **more: Any) -> Trace:
    """A finished trace of that number, which began in the hour of its number and took as many milliseconds."""
    start = number * HOUR_MS
    given = {"experiment_id": "0", "state": "OK", "start_time_ms": start, "end_time_ms": start + number, **more}
    return Trace(trace_id=f"tr-{number}", **given)


def step(number: int = 1, trace: int = 1, **more: Any) -> Span:
    """A span of that number."""
    attributes = more.pop("attributes", {})
    given = {"name": f"s{number}", "start_time_ns": number * 1_000_000, "end_time_ns": number * 2_000_000, **more}
    content = SpanContent(attributes=attributes)
    return Span(trace_id=f"tr-{trace}", span_id=f"{number:016x}", content=content, **given)


def judged(number: int = 1, **more: Any) -> Assessment:
    """An assessment of the trace of that number."""
    given = {"name": "score", "kind": "feedback", "value": 1, "source_type": "CODE", "assessment_id": "", **more}
    return Assessment(trace_id=f"tr-{number}", created_at_ms=number, updated_at_ms=number, **given)


ODD = "50% _a'b\"c`ü\\"
FOUND: list[tuple[str, list[int]]] = [
    ("tags.k = 'x'", [1, 3]),
    ("tags.k != 'x'", [2]),
    ("tags.k LIKE 'X%'", []),
    ("tags.k ILIKE 'X%'", [1, 3]),
    ("tags.k IS NOT NULL", [1, 2, 3]),
    ("metadata.m IS NULL", [2, 3, 4]),
    ("request_metadata.m = 'v'", [1]),
    (f"tags.odd = '{ODD.replace(chr(39), chr(39) * 2)}'", [4]),
    ("status = 'ERROR'", [2]),
    ("attributes.status NOT IN ('ERROR')", [1, 3, 4]),
    ("timestamp_ms >= 7200000 AND timestamp_ms < 14400000", [2, 3]),
    ("execution_time > 1.5", [2, 3, 4]),
    ("end_time_ms = 3600001", [1]),
    ("name = 'one'", [1]),
    ("name IS NULL", [2, 3, 4]),
    ("client_request_id = 'c'", [3]),
    ("run_id = 'r'", [2]),
    ("run_id != 'r'", [1, 3, 4]),
    ("run_id IN ('r', 's')", [2]),
    ("span.name = 's1' AND span.status = 'OK'", [1]),
    ("span.name = 's2' AND span.status = 'OK'", []),
    ("span.attributes.n = '5'", [1]),
    ("span.attributes.flag = 'true'", [1]),
    ("span.attributes.`a.b` LIKE '%ÜN%'", []),
    ("span.attributes.`a.b` ILIKE '%n%'", [1]),
    ("span.attributes.n IN ('4', '5')", [1]),
    ("span.attributes.map LIKE '%\"in\"%'", [1]),
    ("span.content LIKE '%ün%'", [1]),
    ("trace.text ILIKE '%S2%'", [1]),
    ("feedback.score > 1", [2]),
    ("feedback.score <= 1", [1]),
    ("feedback.score = '2'", [2]),
    ("feedback.score != '2'", [1, 3]),
    ("feedback.score = 'high'", [3]),
    ("expectation.score IS NULL", [1, 2, 3, 4]),
    ("issue.id = 'i'", [4]),
    ("prompt = 'greet/1'", [3]),
]
"""Filters with the traces that they find."""


def tell_four(services: Services, actor: Actor, project: Project) -> None:
    """Make four traces that differ."""
    issue = judged(4, name="i", kind="issue", value={"issue_name": "bad"})
    for trace in (
        told(1, tags={"k": "x", "mlflow.traceName": "one"}, metadata={"m": "v"}, assessments=[judged(1)]),
        told(2, tags={"k": "y"}, state="ERROR", metadata={"mlflow.sourceRun": "r"}, assessments=[judged(2, value=2)]),
        told(3, tags={"k": "x"}, client_request_id="c", assessments=[judged(3, value="high")]),
        told(4, tags={"odd": ODD}, assessments=[issue]),
    ):
        services.traces.start(actor, project, trace)
    attributes = {"n": 5, "flag": True, "a.b": "ün", "map": {"in": [1]}}
    spans = [step(1, status="OK", attributes=attributes), step(2, status="ERROR", parent_span_id=f"{1:016x}")]
    services.traces.log_spans(actor, project, "0", [SpanBatch(spans)])
    services.traces.set_tag(actor, project, "tr-1", Tag("mlflow.traceName", "one"))
    services.traces.link_prompts(actor, project, "tr-3", [("greet", "1")])


def found(services: Services, actor: Actor, project: Project, text: str, *order_by: str) -> list[int]:
    query = Query(filter=text, order_by=order_by or ["timestamp_ms ASC"], max_results=100)
    return [int(trace.trace_id[3:]) for trace in services.traces.search(actor, project, query).items]


def test_filters_find_the_same_on_both_databases(services: Services, editor: Actor, project: Project) -> None:
    tell_four(services, editor, project)
    for text, expected in FOUND:
        assert found(services, editor, project, text) == expected, text
    assert found(services, editor, project, "", "execution_time DESC") == [4, 3, 2, 1]
    assert found(services, editor, project, "", "tags.k DESC", "timestamp ASC") == [2, 1, 3, 4]
    assert found(services, editor, project, "", "name", "request_id DESC") == [1, 4, 3, 2]
    assert found(services, editor, project, "", "experiment_id", "metadata.m") == [1, 4, 3, 2]


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize(
    "text",
    [
        "color = 'red'", "span.color = 'red'", "span.attributes. = 'x'", "trace.text = 'x'", "span.content = 'x'",
        "prompt LIKE 'a/1'", "prompt = 'a'", "issue.name = 'i'", "feedback.score > 'a'", "feedback.score = 1",
        "tags.k > 'x'", "tags.k RLIKE 'x'", "params.p = '1'", "name = 'a' OR name = 'b'",
    ],
)  # fmt: skip
def test_a_bad_filter_is_refused(services: Services, editor: Actor, project: Project, text: str) -> None:
    with pytest.raises(InvalidInput):
        found(services, editor, project, text)


def test_pages_go_on_and_belong_to_their_search(services: Services, editor: Actor, project: Project) -> None:
    tell_four(services, editor, project)
    first = services.traces.search(editor, project, Query(max_results=3))
    assert [trace.trace_id for trace in first.items] == ["tr-4", "tr-3", "tr-2"]
    second = services.traces.search(editor, project, Query(max_results=3, page_token=first.next_page_token))
    assert ([trace.trace_id for trace in second.items], second.next_page_token) == (["tr-1"], None)
    with pytest.raises(InvalidInput, match="another search"):
        services.traces.search(
            editor, project, Query(filter="name = 'x'", max_results=3, page_token=first.next_page_token)
        )
    with pytest.raises(InvalidInput, match="from 1 to 500"):
        services.traces.search(editor, project, Query(max_results=501))


def numbers(services: Services, actor: Actor, project: Project, view: str, metric: str, **more: Any) -> list[Any]:
    """Aggregate; return (dimensions, values) of each group."""
    kinds = more.pop("kinds", ["COUNT"])
    aggregations = [Aggregation("PERCENTILE", kind) if isinstance(kind, float) else Aggregation(kind) for kind in kinds]
    query = TraceMetricsQuery(experiment_ids=["0"], view=view, metric=metric, aggregations=aggregations, **more)
    return [(point.dimensions, point.values) for point in services.traces.metrics(actor, project, query)]


def test_numbers_are_aggregated(services: Services, editor: Actor, project: Project) -> None:
    for number in range(1, 6):
        usage = {"mlflow.trace.tokenUsage": f'{{"input_tokens": {number * 10}}}'}
        session = {"mlflow.trace.session": f"s{number % 2}"} if number < 5 else {}
        services.traces.start(editor, project, told(number, metadata={**usage, **session}, tags={"k": str(number % 2)}))
    cost = {"mlflow.llm.cost": {"total_cost": 0.5}, "mlflow.llm.model": "m", "mlflow.llm.provider": "p"}
    services.traces.log_spans(editor, project, "0", [SpanBatch([step(1, attributes=cost), step(2, type="TOOL")])])
    overridden = services.assessments.create(editor, project, judged(1, value=3))
    services.assessments.create(editor, project, judged(1, value=True, overrides=overridden.assessment_id))
    services.assessments.create(editor, project, judged(2, value=False))

    def of(view: str, metric: str, **more: Any) -> list[Any]:
        return numbers(services, editor, project, view, metric, **more)

    assert of("TRACES", "trace_count") == [({}, {"COUNT": 5.0})]
    assert of("TRACES", "session_count") == [({}, {"COUNT": 2.0})]
    assert of("TRACES", "latency", kinds=["AVG", "MIN", "MAX", 0.0, 50.0, 90.0, 100.0]) == [
        (
            {},
            {"AVG": 3.0, "MIN": 1.0, "MAX": 5.0, "P0.0": 1.0, "P50.0": 3.0, "P90.0": pytest.approx(4.6), "P100.0": 5.0},
        )
    ]
    assert of("TRACES", "input_tokens", kinds=["SUM"], filters=["trace.tag.k = '1'"]) == [({}, {"SUM": 90.0})]
    assert of("TRACES", "trace_count", filters=["trace.status = 'ERROR'"]) == [({}, {"COUNT": 0.0})]
    assert of("TRACES", "trace_count", filters=["trace.metadata.`mlflow.trace.session` = 's0'"]) == [
        ({}, {"COUNT": 2.0})
    ]
    hours = of(
        "TRACES",
        "trace_count",
        interval_seconds=7200,
        start_time_ms=0,
        end_time_ms=4 * HOUR_MS,
        dimensions=["trace_status"],
    )
    assert [(group["time_bucket"], values["COUNT"]) for group, values in hours] == [
        ("1970-01-01T00:00:00+00:00", 1.0),
        ("1970-01-01T02:00:00+00:00", 2.0),
        ("1970-01-01T04:00:00+00:00", 1.0),
    ]
    assert hours[0][0]["trace_status"] == "OK"
    assert of("SPANS", "span_count", filters=["span.type = 'TOOL'"]) == [({}, {"COUNT": 1.0})]
    assert of("SPANS", "latency", kinds=["MAX"], dimensions=["span_name"])[1] == ({"span_name": "s2"}, {"MAX": 2.0})
    assert of("SPANS", "total_cost", kinds=["SUM"], dimensions=["span_model_name", "span_model_provider"]) == [
        ({"span_model_name": "m", "span_model_provider": "p"}, {"SUM": 0.5})
    ]
    values = of("ASSESSMENTS", "assessment_value", kinds=["AVG"], dimensions=["assessment_name"])
    assert values == [({"assessment_name": "score"}, {"AVG": 0.5})]
    assert of("ASSESSMENTS", "assessment_count", filters=["assessment.type = 'issue'"]) == [({}, {"COUNT": 0.0})]


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize(
    ("view", "metric", "more"),
    [
        ("RUNS", "trace_count", {}), ("TRACES", "color", {}), ("TRACES", "latency", {}),
        ("TRACES", "latency", {"kinds": [101.0]}), ("TRACES", "latency", {"kinds": ["PERCENTILE"]}),
        ("TRACES", "trace_count", {"dimensions": ["span_name"]}), ("TRACES", "trace_count", {"kinds": []}),
        ("TRACES", "trace_count", {"interval_seconds": 60}), ("TRACES", "trace_count", {"interval_seconds": 0}),
        ("TRACES", "trace_count", {"max_results": 0}), ("TRACES", "trace_count", {"filters": ["span.name = 'a'"]}),
        ("TRACES", "trace_count", {"filters": ["trace.color = 'a'"]}),
        ("TRACES", "trace_count", {"filters": ["trace.tag = 'a'"]}),
        ("TRACES", "trace_count", {"filters": ["trace.status != 'a'"]}),
    ],
)  # fmt: skip
def test_a_number_that_there_is_not_is_refused(
    services: Services, editor: Actor, project: Project, view: str, metric: str, more: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput):
        numbers(services, editor, project, view, metric, **more)


def test_conditions_are_correlated(services: Services, editor: Actor, project: Project) -> None:
    for number in range(1, 5):
        services.traces.start(editor, project, told(number, tags={"k": "x" if number < 3 else "y"}))

    def of(first: str, second: str, base: str = "") -> Any:
        return services.traces.correlate(editor, project, ["0"], filter1=first, filter2=second, base_filter=base)

    same = of("tags.k = 'x'", "execution_time < 3")
    assert (same.npmi, same.joint_count, same.total_count) == (1.0, 2, 4)
    assert 0 < same.npmi_smoothed < 1
    assert of("tags.k = 'x'", "tags.k = 'y'").npmi == -1.0
    assert of("tags.k = 'x'", "tags.k = 'x'", "tags.k = 'x'").npmi == 1.0
    nothing = of("tags.k = 'z'", "tags.k = 'x'")
    assert (nothing.npmi != nothing.npmi, nothing.filter1_count, nothing.filter2_count) == (True, 0, 2)


def test_writers_to_the_same_traces_take_turns(services: Services, editor: Actor, project: Project) -> None:
    errors: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            with db.connection():
                for turn in range(5):
                    spans = [
                        step(writer * 100 + turn, trace=trace)
                        for trace in (range(6) if writer % 2 else range(5, -1, -1))
                    ]
                    services.traces.log_spans(editor, project, "0", [SpanBatch(spans, {"host": str(writer)})])
                    services.traces.start(editor, project, told(turn))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test shows it
            errors.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    counts = database.execute_sql("SELECT count(*) FROM span GROUP BY trace_id").fetchall()
    assert [row[0] for row in counts] == [20] * 6


def test_a_span_batch_is_kept_as_a_whole_or_not_at_all(services: Services, editor: Actor, project: Project) -> None:
    services.traces.log_spans(editor, project, "0", [SpanBatch([step(1)])])
    made = services.experiments.create(editor, project, name="gone")
    services.experiments.delete(editor, project, made.experiment_id)
    for experiment_id, error in (("99", NotFound), (made.experiment_id, Conflict)):
        with pytest.raises(error):
            services.traces.log_spans(editor, project, experiment_id, [SpanBatch([step(2), step(1, trace=2)])])
    assert database.execute_sql("SELECT count(*) FROM span").fetchone()[0] == 1
    with pytest.raises(Conflict):
        services.traces.start(editor, project, told(3, experiment_id=made.experiment_id))


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_what_is_too_long_is_cut_or_refused(services: Services, editor: Actor, project: Project) -> None:
    long = "x" * 9000
    services.traces.start(editor, project, told(1, tags={"k": long}, metadata={"m": long}, request_preview=long))
    kept = services.traces.get(editor, project, "tr-1")
    assert (len(kept.tags["k"]), len(kept.metadata["m"])) == (8000, 8000)
    assert len(kept.request_preview or "") == MAX_PREVIEW_LENGTH
    services.traces.set_tag(editor, project, "tr-1", Tag("l", long))
    assert len(services.traces.get(editor, project, "tr-1").tags["l"]) == 8000
    for refused in (told(2, tags={long: ""}), told(2, client_request_id=long), told(2, state="FINE")):
        with pytest.raises(InvalidInput):
            services.traces.start(editor, project, refused)
    for trace_id in ("", long):
        with pytest.raises(InvalidInput):
            services.traces.start(editor, project, told_as(trace_id))
    for more in (
        {"name": ""},
        {"name": long},
        {"kind": "mood"},
        {"source_type": "CAT"},
        {"value": long * 10},
        {"value": 10**400},
    ):
        with pytest.raises(InvalidInput):
            services.assessments.create(editor, project, judged(1, **more))
    for key in ("mlflow.trace.spansLocation", "../up", ""):
        with pytest.raises(InvalidInput):
            services.traces.set_tag(editor, project, "tr-1", Tag(key, "v"))
    with pytest.raises(InvalidInput, match="at most 100"):
        services.traces.link_to_run(editor, project, ["t"] * 101, "r")
    with pytest.raises(InvalidInput, match="at most 1000"):
        services.traces.get_many(editor, project, ["t"] * 1001)


def told_as(trace_id: str) -> Trace:
    return Trace(trace_id=trace_id, experiment_id="0", state="OK", start_time_ms=1)


def test_deletion_takes_what_it_names_and_is_told(services: Services, editor: Actor, project: Project) -> None:
    tell_four(services, editor, project)
    for bad in (
        {},
        {"trace_ids": ["tr-1"], "until_ms": 1},
        {"trace_ids": ["tr-1"], "limit": 1},
        {"until_ms": 1, "limit": 0},
    ):
        with pytest.raises(InvalidInput):
            services.traces.delete(editor, project, "0", **bad)
    assert services.traces.delete(editor, project, "0", until_ms=HOUR_MS - 1) == 0
    assert services.traces.delete(editor, project, "7", trace_ids=["tr-1"]) == 0
    assert services.traces.delete(editor, project, "0", until_ms=9 * HOUR_MS, limit=2) == 2
    assert found(services, editor, project, "") == [3, 4]
    services.traces.delete_one(editor, project, "tr-3")
    with pytest.raises(NotFound):
        services.traces.delete_one(editor, project, "tr-3")
    events = Event.select().where(Event.action == "trace.deleted").order_by(Event.id)
    assert [(event.object_id, event.before["count"]) for event in events] == [("tr-1", 2), ("tr-3", 1)]
    left = [database.execute_sql(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("span", "trace_prompt")]
    assert left == [0, 0]


def test_assessments_keep_their_kind_and_id(services: Services, editor: Actor, project: Project) -> None:
    services.traces.start(editor, project, told(1))
    made = services.assessments.create(editor, project, judged(1, assessment_id="a-mine", metadata={"k": "v"}))
    with pytest.raises(AlreadyExists):
        services.assessments.create(editor, project, judged(1, assessment_id="a-mine"))
    with pytest.raises(NotFound):
        services.assessments.create(editor, project, judged(1, overrides="a-none"))
    with pytest.raises(InvalidInput, match="Cannot update expectation"):
        services.assessments.update(editor, project, "tr-1", "a-mine", AssessmentChange(kind="expectation", value=1))
    changed = services.assessments.update(
        editor, project, "tr-1", "a-mine", AssessmentChange(kind="feedback", value=None)
    )
    assert (changed.value, changed.metadata, changed.created_at_ms) == (None, {"k": "v"}, made.created_at_ms)
    assert len(services.traces.get(editor, project, "tr-1").assessments) == 1
    again = told(1, assessments=[judged(1, assessment_id="a-mine", name="other")])
    assert [one.name for one in services.traces.start(editor, project, again).assessments] == ["score"]


def test_a_viewer_reads_and_a_stranger_finds_nothing(
    services: Services, factories: Factories, editor: Actor, project: Project
) -> None:
    services.traces.start(editor, project, told(1))
    viewer = factories.actor(factories.member(project, "viewer"))
    assert services.traces.get(viewer, project, "tr-1").state == "OK"
    with pytest.raises(PermissionDenied):
        services.traces.start(viewer, project, told(2))
    with pytest.raises(PermissionDenied):
        services.assessments.create(viewer, project, judged(1))
    with pytest.raises(NotFound):
        services.traces.get(factories.actor(), project, "tr-1")
    other = factories.project()
    theirs = factories.actor(factories.member(other, "editor"))
    with pytest.raises(NotFound):
        services.traces.get(theirs, other, "tr-1")
    run = services.runs.create(editor, project, NewRun(experiment_id="0", user_id="", start_time_ms=1))
    services.traces.start(theirs, other, told(1))
    with pytest.raises(NotFound):
        services.traces.link_to_run(theirs, other, ["tr-1"], run.info.run_id)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_project_with_a_tracker_elsewhere_keeps_no_traces_here(
    services: Services, editor: Actor, project: Project
) -> None:
    traces = TraceService(services.events, lambda _: Outside({}))
    assert not traces.are_kept(project)
    with pytest.raises(Conflict, match="a server of its own"):
        traces.start(editor, project, told(1))


def test_spans_stand_behind_their_parents() -> None:
    spans = [
        step(1), step(2, parent_span_id=f"{1:016x}"), step(3, parent_span_id=f"{2:016x}"),
        step(4, parent_span_id=f"{1:016x}"), step(5, parent_span_id="f" * 16),
        step(6, parent_span_id=f"{7:016x}"), step(7, parent_span_id=f"{6:016x}"),
    ]  # fmt: skip
    shown = [(int(span.span_id, 16), depth) for span, depth in in_tree_order(spans)]
    assert shown == [(1, 0), (2, 1), (3, 2), (4, 1), (5, 0), (6, 0), (7, 1)]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        ("text", "text"),
        ({"a": "ü"}, '{"a":"ü"}'),
        ({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]}, "hi"),
        ({"messages": [{"role": "system", "content": [{"type": "text", "text": "be"}]}]}, "be"),
        ({"choices": [{"message": {"role": "assistant", "content": "done"}}]}, "done"),
        ({"messages": "none"}, '{"messages":"none"}'),
        ("x" * 1001, "x" * 997 + "..."),
    ],
)
def test_a_preview_is_the_beginning(value: Any, shown: str | None) -> None:
    assert preview(value, "user") == shown
