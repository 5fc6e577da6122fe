"""Traces by the unmodified MLflow client, against a live server."""

from __future__ import annotations

from typing import Any

import pytest
from mlflow.entities import AssessmentError, AssessmentSource
from mlflow.entities.model_registry import PromptVersion
from mlflow.exceptions import MlflowException

from tests.web.mlflow.conftest import Wire

pytestmark = [
    pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]
on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def tracing(mlflow: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The client, sending its spans at once."""
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")
    mlflow.tracing.reset()
    mlflow.set_experiment("Default")
    yield mlflow
    mlflow.tracing.reset()


def answer_a_question(mlflow: Any, question: str = "why?") -> str:
    """Trace a chain of three steps, and return the trace's id."""

    @mlflow.trace(span_type="RETRIEVER")
    def retrieve(text: str) -> list[dict[str, Any]]:
        return [{"text": text, "score": 0.5}]

    @mlflow.trace(name="answer", attributes={"depth": 3, "ratio": 0.25, "on": True})
    def answer(question: str) -> dict[str, Any]:
        found = retrieve(question)
        with mlflow.start_span("judge", span_type="LLM") as span:
            span.set_inputs({"docs": found})
            span.set_outputs("because ünï")
            span.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12})
            span.add_event(mlflow.entities.SpanEvent("thought", attributes={"k": "v"}))
        mlflow.update_current_trace(tags={"team": "a"}, session_id="s-1", user="ada")
        return {"answer": "because"}

    answer(question)
    trace_id: str = mlflow.get_last_active_trace_id()
    return trace_id


def test_a_trace_with_all_that_belongs_to_it(tracing: Any) -> None:
    trace = tracing.get_trace(answer_a_question(tracing))
    assert trace.info.state == "OK"
    assert trace.info.experiment_id == "0"
    assert trace.info.tags["team"] == "a"
    assert trace.info.tags["mlflow.traceName"] == "answer"
    assert trace.info.tags["mlflow.trace.spansLocation"] == "TRACKING_STORE"
    assert trace.info.trace_metadata["mlflow.trace.session"] == "s-1"
    assert trace.info.token_usage == {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}
    assert trace.info.request_preview == '{"question": "why?"}'
    assert trace.info.execution_duration is not None
    root, retrieve, judge = trace.data.spans
    assert [span.name for span in trace.data.spans] == ["answer", "retrieve", "judge"]
    assert (root.parent_id, retrieve.parent_id, judge.parent_id) == (None, root.span_id, root.span_id)
    assert root.inputs == {"question": "why?"}
    assert root.outputs == {"answer": "because"}
    assert {key: root.attributes[key] for key in ("depth", "ratio", "on")} == {"depth": 3, "ratio": 0.25, "on": True}
    assert retrieve.span_type == "RETRIEVER"
    assert retrieve.outputs == [{"text": "why?", "score": 0.5}]
    assert judge.outputs == "because ünï"
    assert [(event.name, event.attributes) for event in judge.events] == [("thought", {"k": "v"})]
    assert judge.trace_id == trace.info.trace_id
    assert judge.end_time_ns >= judge.start_time_ns > 0


@on_sqlite
def test_an_error_is_the_state_of_the_trace(tracing: Any) -> None:
    @tracing.trace
    def fail() -> None:
        raise ValueError("no way")

    with pytest.raises(ValueError, match="no way"):
        fail()
    trace = tracing.get_trace(tracing.get_last_active_trace_id())
    assert trace.info.state == "ERROR"
    assert trace.data.spans[0].status.status_code == "ERROR"
    assert "no way" in trace.data.spans[0].status.description
    assert trace.data.spans[0].events[0].attributes["exception.type"] == "ValueError"


def test_traces_are_found_by_what_they_have(tracing: Any) -> None:
    with tracing.start_run() as run:
        inside = answer_a_question(tracing, "inside")
    outside = answer_a_question(tracing, "outside")
    tracing.set_trace_tag(outside, "stage", "late")
    tracing.log_feedback(trace_id=outside, name="good", value=True)
    tracing.log_feedback(trace_id=outside, name="score", value=0.75)
    tracing.log_feedback(trace_id=inside, name="score", value=0.25)

    def found(text: str, **more: Any) -> list[str]:
        return [
            trace.info.trace_id
            for trace in tracing.search_traces(
                locations=["0"], filter_string=text, return_type="list", order_by=["timestamp_ms ASC"], **more
            )
        ]

    both = [inside, outside]
    for text, expected in (
        ("", both),
        ("tags.stage = 'late'", [outside]),
        ("tag.stage IS NULL AND attributes.status = 'OK'", [inside]),
        ("name = 'answer' AND trace.status IN ('OK', 'ERROR')", both),
        ("name LIKE 'ans%' AND timestamp_ms > 0 AND execution_time_ms >= 0", both),
        (f"run_id = '{run.info.run_id}'", [inside]),
        (f"request_id IN ('{outside}', 'tr-none')", [outside]),
        ("metadata.`mlflow.trace.session` = 's-1'", both),
        ("span.type = 'RETRIEVER' AND span.name = 'retrieve'", both),
        ("span.type = 'RETRIEVER' AND span.name = 'judge'", []),
        ("span.attributes.depth = '3' AND span.attributes.on = 'true'", both),
        ("span.attributes.`mlflow.spanInputs` LIKE '%outside%' AND span.name = 'answer'", [outside]),
        ("trace.text LIKE '%ünï%'", both),
        ("trace.text LIKE '%inside%'", [inside]),
        ("feedback.good = 'true'", [outside]),
        ("feedback.score > 0.5", [outside]),
        ("feedback.good IS NULL", [inside]),
    ):
        assert found(text) == expected, text
    pages = tracing.MlflowClient().search_traces(locations=["0"], max_results=1)
    assert [trace.info.trace_id for trace in pages] == [outside]
    rest = tracing.MlflowClient().search_traces(locations=["0"], max_results=1, page_token=pages.token)
    assert [trace.info.trace_id for trace in rest] == [inside]
    with pytest.raises(MlflowException, match="Invalid attribute key"):
        found("color = 'red'")


def test_assessments_are_made_changed_overridden_and_deleted(tracing: Any) -> None:
    trace_id = answer_a_question(tracing)
    human = AssessmentSource(source_type="HUMAN", source_id="ada")
    made = tracing.log_feedback(
        trace_id=trace_id, name="helpful", value={"a": 1}, source=human, rationale="it is", metadata={"k": "v"}
    )
    broken = AssessmentError(error_code="RATE_LIMIT", error_message="too often")
    failed = tracing.log_feedback(trace_id=trace_id, name="judge", error=broken)
    expected = tracing.log_expectation(trace_id=trace_id, name="facts", value=["one", "two"])
    assert tracing.get_assessment(trace_id, expected.assessment_id).value == ["one", "two"]
    assert tracing.get_assessment(trace_id, failed.assessment_id).error.error_code == "RATE_LIMIT"
    changed = tracing.update_assessment(
        trace_id, made.assessment_id, tracing.entities.Feedback(name="useful", value=False, metadata={"l": "w"})
    )
    assert (changed.name, changed.value, changed.rationale) == ("useful", False, "it is")
    assert changed.metadata == {"k": "v", "l": "w"}
    assert (changed.source.source_type, changed.source.source_id) == ("HUMAN", "ada")
    other = tracing.override_feedback(trace_id=trace_id, assessment_id=made.assessment_id, value=True)
    assert not tracing.get_assessment(trace_id, made.assessment_id).valid
    tracing.delete_assessment(trace_id, other.assessment_id)
    assert tracing.get_assessment(trace_id, made.assessment_id).valid
    tracing.delete_assessment(trace_id, expected.assessment_id)
    tracing.delete_assessment(trace_id, expected.assessment_id)
    left = tracing.get_trace(trace_id).info.assessments
    assert [(assessment.name, assessment.value) for assessment in left] == [("useful", False), ("judge", None)]
    with pytest.raises(MlflowException, match="not found"):
        tracing.get_assessment(trace_id, expected.assessment_id)
    with pytest.raises(MlflowException, match="Cannot update expectation value on a feedback"):
        tracing.update_assessment(trace_id, made.assessment_id, tracing.entities.Expectation(name="x", value=1))


@on_sqlite
def test_tags_links_and_deletion(tracing: Any) -> None:
    client = tracing.MlflowClient()
    ids = [answer_a_question(tracing, str(number)) for number in range(3)]
    client.set_trace_tag(ids[0], "a", "1")
    client.set_trace_tag(ids[0], "a", "2")
    assert client.get_trace(ids[0]).info.tags["a"] == "2"
    client.delete_trace_tag(ids[0], "a")
    with pytest.raises(MlflowException, match="No trace tag with key 'a'"):
        client.delete_trace_tag(ids[0], "a")
    run = client.create_run("0")
    client.link_traces_to_run(ids[:2], run.info.run_id)
    client.link_traces_to_run(ids[:1], run.info.run_id)
    found = client.search_traces(locations=["0"], run_id=run.info.run_id, order_by=["timestamp_ms ASC"])
    assert [trace.info.trace_id for trace in found] == ids[:2]
    prompt = PromptVersion(name="greet", version=1, template="Hello {{name}}")
    client.link_prompt_versions_to_trace([prompt], ids[2])
    found = client.search_traces(locations=["0"], filter_string="prompt = 'greet/1'")
    assert [trace.info.trace_id for trace in found] == [ids[2]]
    assert client.delete_traces("0", trace_ids=ids[:1]) == 1
    assert client.delete_traces("0", max_timestamp_millis=2**52, max_traces=1) == 1
    assert [trace.info.trace_id for trace in client.search_traces(locations=["0"])] == [ids[2]]
    with pytest.raises(MlflowException, match="not found"):
        client.get_trace(ids[0])


@on_sqlite
def test_a_deleted_experiment_hides_its_traces(tracing: Any) -> None:
    experiment = tracing.set_experiment("short")
    trace_id = answer_a_question(tracing)
    client = tracing.MlflowClient()
    client.delete_experiment(experiment.experiment_id)
    assert client.search_traces(locations=[experiment.experiment_id]) == []
    with pytest.raises(MlflowException, match="not found"):
        client.get_trace(trace_id)
    client.restore_experiment(experiment.experiment_id)
    assert client.get_trace(trace_id).info.trace_id == trace_id


@on_sqlite
def test_spans_are_sent_in_the_background(tracing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "true")
    tracing.tracing.reset()
    ids = [answer_a_question(tracing, str(number)) for number in range(5)]
    tracing.flush_trace_async_logging(terminate=True)
    assert [len(tracing.get_trace(trace_id).data.spans) for trace_id in ids] == [3] * 5


@on_sqlite
def test_a_token_of_one_project_traces_to_the_bare_host(
    tracing: Any, live: str, wire: Wire, factories: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", factories.token(wire.owner, project=wire.project))
    tracing.set_tracking_uri(live)
    trace_id = answer_a_question(tracing)
    assert len(tracing.get_trace(trace_id).data.spans) == 3
    tracing.set_tracking_uri(f"{live}{wire.prefix}")
    assert len(tracing.get_trace(trace_id).data.spans) == 3


@on_sqlite
def test_filters_and_numbers_are_compared(tracing: Any) -> None:
    from mlflow.entities.trace_metrics import AggregationType, MetricAggregation, MetricViewType

    ids = [answer_a_question(tracing, str(number)) for number in range(4)]
    for trace_id in ids[:2]:
        tracing.set_trace_tag(trace_id, "half", "first")
    store = tracing.tracking._tracking_service.utils._get_store()
    found = store.calculate_trace_filter_correlation(["0"], "tags.half = 'first'", "name = 'answer'")
    assert (found.filter1_count, found.filter2_count, found.joint_count, found.total_count) == (2, 4, 2, 4)
    assert found.npmi == 0
    (point,) = store.query_trace_metrics(
        ["0"],
        MetricViewType.TRACES,
        "total_tokens",
        [MetricAggregation(AggregationType.SUM), MetricAggregation(AggregationType.PERCENTILE, 50)],
        dimensions=["trace_name"],
        filters=["trace.tag.half = 'first'"],
    )
    assert point.dimensions == {"trace_name": "answer"}
    assert point.values == {"SUM": 24.0, "P50.0": 12.0}
    points = store.query_trace_metrics(
        ["0"], MetricViewType.SPANS, "span_count", [MetricAggregation(AggregationType.COUNT)], dimensions=["span_type"]
    )
    counts = {point.dimensions["span_type"]: point.values["COUNT"] for point in points}
    assert counts == {"LLM": 4.0, "RETRIEVER": 4.0, "UNKNOWN": 4.0}


@on_sqlite
def test_an_evaluation_assesses_its_traces(tracing: Any) -> None:
    from mlflow.genai.scorers import scorer

    @scorer
    def exact(outputs: Any, expectations: dict[str, Any]) -> bool:
        return bool(outputs == expectations["expected_response"])

    @tracing.trace
    def predict(question: str) -> str:
        return question.upper()

    data = [{"inputs": {"question": "a"}, "expectations": {"expected_response": expected}} for expected in ("A", "B")]
    result = tracing.genai.evaluate(data=data, predict_fn=predict, scorers=[exact])
    assert result.metrics == {"exact/mean": 0.5}
    found = tracing.search_traces(locations=["0"], run_id=result.run_id, return_type="list")
    assert sorted(one.value for trace in found for one in trace.info.assessments if one.name == "exact") == [
        False,
        True,
    ]
