"""Requests as MLflow's clients of all ages and languages spell them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from modelyard.core.errors import InvalidInput
from modelyard.web.mlflow.decoding import Decoder
from modelyard.web.mlflow.experiments import SearchExperiments, SetExperimentTag
from modelyard.web.mlflow.logged_models import FinalizeLoggedModel, OfModel
from modelyard.web.mlflow.runs import CreateRun, LogBatch, LogMetric, SearchRuns

METRIC = {"run_id": "r", "key": "m", "value": 1.5, "timestamp": 2}
log_metric = Decoder(LogMetric)


def body(decoder: Decoder, value: Any, **extra: str) -> Any:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return decoder.body(data, extra)


@pytest.mark.parametrize(
    ("field", "given", "read"),
    [
        ("value", 1, 1.0),
        ("value", "0.5", 0.5),
        ("value", "NaN", math.nan),
        ("value", "Infinity", math.inf),
        ("value", "-Infinity", -math.inf),
        ("timestamp", "12", 12),
        ("timestamp", 12.0, 12),
        ("timestamp", 9223372036854775807, 2**63 - 1),
        ("timestamp", "9223372036854775807", 2**63 - 1),
        ("step", -9223372036854775808, -(2**63)),
        ("step", None, 0),
        ("step", "7", 7),
        ("model_id", None, ""),
        ("unknown", {"a": [1, None]}, None),
        ("key", "ünï \U0001f98a", "ünï \U0001f98a"),
        ("key", "\\u0000", "\\u0000"),
    ],
)
def test_what_is_taken(field: str, given: Any, read: Any) -> None:
    found = getattr(body(log_metric, {**METRIC, field: given}), field, None)
    assert found == read or (math.isnan(found) and math.isnan(read))
    assert type(found) is type(read)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": None}, "Missing value for required parameter 'key'."),
        ({"key": ""}, "Missing value for required parameter 'key'."),
        ({"value": None}, "Missing value for required parameter 'value'."),
        ({"value": "abc"}, "'value'"),
        ({"value": True}, "'value'"),
        ({"value": "1_0"}, "'value'"),
        ({"timestamp": 1.5}, "'timestamp'"),
        ({"timestamp": "1.5"}, "'timestamp'"),
        ({"timestamp": 9223372036854775808}, "'timestamp'"),
        ({"timestamp": "99999999999999999999"}, "'timestamp'"),
        ({"timestamp": False}, "'timestamp'"),
        ({"step": -9223372036854775809}, "'step'"),
        ({"key": 3}, "'key'"),
        ({"key": ["a"]}, "'key'"),
        ({"key": "a\0b"}, "'key' contains NUL"),
        ({"model_id": "\0"}, "'model_id' contains NUL"),
    ],
)
def test_what_is_refused_names_the_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        body(log_metric, {**METRIC, **change})
    assert message in refused.value.message


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b'"a"',
        b"null",
        b"12",
        b"\xff\xfe",
        b'{"key": "\\ud800"}',
        b'{"key": "\\udc00x"}',
        b'{"value": NaN}',
        b"{}{}",
    ],
)
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    for decoder in (log_metric, Decoder(OfModel), Decoder(SearchRuns)):
        with pytest.raises(InvalidInput):
            decoder.body(data, {})
        with pytest.raises(InvalidInput):
            decoder.body(data, {"model_id": "m"})


@pytest.mark.parametrize("text", ["", "\0"], ids=["plain", "with NUL"])
def test_what_is_nested_too_deep_is_refused(text: str) -> None:
    deep = b"[" * 950 + json.dumps(text).encode() + b"]" * 950
    for data in (b'{"run_id": "r", "x": %s}', b'{"run_id": "r", "metrics": null, "x": %s}'):
        with pytest.raises(InvalidInput, match=r"deep|NUL"):
            body(log_metric, data % deep)


def test_a_nested_field_is_named_with_its_place() -> None:
    metrics = [{"key": "a", "value": 1, "timestamp": 1}, {"key": "b", "timestamp": 1}]
    with pytest.raises(InvalidInput, match=r"'metrics\[1\].value'"):
        body(Decoder(LogBatch), {"run_id": "r", "metrics": metrics})
    with pytest.raises(InvalidInput, match=r"'tags\[0\].key'"):
        body(Decoder(LogBatch), {"run_id": "r", "tags": [{"value": "x"}]})
    with pytest.raises(InvalidInput, match=r"'tags\[0\].value' contains NUL"):
        body(Decoder(LogBatch), {"run_id": "r", "tags": [{"key": "k", "value": "\0"}]})


def test_no_body_has_the_defaults() -> None:
    assert body(Decoder(CreateRun), b"").experiment_id == "0"
    with pytest.raises(InvalidInput, match="'key'"):
        body(log_metric, b"")


def test_the_address_goes_before_the_body() -> None:
    found = body(Decoder(FinalizeLoggedModel), {"model_id": "other", "status": "LOGGED_MODEL_READY"}, model_id="m-1")
    assert found.model_id == "m-1"
    with pytest.raises(InvalidInput, match="'model_id' contains NUL"):
        body(Decoder(FinalizeLoggedModel), {"status": "LOGGED_MODEL_READY"}, model_id="m\0")
    with pytest.raises(InvalidInput, match="'model_id' contains NUL"):
        Decoder(OfModel).query(MultiDict(), {"model_id": "m\0"})


def test_a_query_string_has_texts_and_lists() -> None:
    arguments = MultiDict(
        [("max_results", "7"), ("order_by", "name"), ("order_by", "experiment_id DESC"), ("filter", "")]
    )
    found = Decoder(SearchExperiments).query(arguments, {})
    assert (found.max_results, found.order_by, found.filter) == (7, ["name", "experiment_id DESC"], "")
    with pytest.raises(InvalidInput, match="NUL"):
        Decoder(SearchExperiments).query(MultiDict([("filter", "a\0")]), {})
    with pytest.raises(InvalidInput, match="'max_results'"):
        Decoder(SearchExperiments).query(MultiDict([("max_results", "many")]), {})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["key", "value", "tags", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(value=st.dictionaries(st.sampled_from(["experiment_id", "key", "value"]), json_values, max_size=3))
def test_whatever_comes_is_read_or_refused(value: dict[str, Any]) -> None:
    try:
        found = body(Decoder(SetExperimentTag), value)
    except InvalidInput:
        return
    assert isinstance(found.key, str)
    assert found.key


@given(data=st.binary(max_size=50))
def test_whatever_bytes_come_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        log_metric.body(data, {})
