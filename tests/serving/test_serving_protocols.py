"""Decoding and encoding of both protocols, against a model that hands back what it is given."""

import datetime
import io
import json
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.types import ColSpec, Schema, TensorSpec
from mlflow.types.schema import Array, DataType

from modelyard.serving.config import Config
from modelyard.serving.encoding import dumps
from modelyard.serving.invocations import decode
from modelyard.serving.messages import RefusedError, Request
from modelyard.serving.model import Model
from modelyard.serving.open_inference import infer, metadata
from modelyard.serving.tensors import decode_tensor, encode_tensor

from .conftest import answer_or_refusal

CONFIG = Config(cast("Any", None), model_name="m")
TYPES = ["boolean", "integer", "long", "float", "double", "string", "binary", "datetime"]
MIXED = Schema(
    [ColSpec(cast("Any", name), name) for name in TYPES] + [ColSpec(Array(DataType.long), "array", required=False)]
)
MATRIX = Schema([TensorSpec(np.dtype("float32"), (-1, 2))])
NAMED = Schema([TensorSpec(np.dtype("int64"), (-1,), "a"), TensorSpec(np.dtype("float64"), (-1, 2), "b")])
TWO = Schema([ColSpec(DataType.double, "a"), ColSpec(DataType.double, "b")])
UNNAMED = Schema([ColSpec(DataType.double), ColSpec(DataType.double)])


def model(inputs: Schema | None = None, outputs: Schema | None = None, answer: Any = None, typed: bool = False) -> Any:
    """A model that keeps what it is given in `seen` and answers `answer`."""
    fake = SimpleNamespace(
        inputs=inputs, outputs=outputs, params=frozenset({"scale"}), takes_typed_input=typed, seen=[]
    )

    def predict(data: Any, params: Any = None) -> Any:
        fake.seen.append((data, params))
        return np.array([0]) if answer is None else answer

    fake.predict = predict
    return cast("Model", fake)


def post(body: bytes | Any, content_type: str = "application/json") -> Request:
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    environ = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(body))}
    return Request({**environ, "wsgi.input": io.BytesIO(body)}, 10**8)


def plain(data: Any) -> Any:
    return json.loads(dumps(data))


ROW = {
    "boolean": True,
    "integer": 1,
    "long": 2,
    "float": 1.5,
    "double": 2,
    "string": "007",
    "binary": "eA==",
    "datetime": "2024-01-02T03:04:05",
    "array": [1, 2],
}


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_records": [ROW]},
        {"dataframe_split": {"columns": list(ROW), "data": [list(ROW.values())]}},
        {"dataframe_split": {"columns": list(ROW), "data": [list(ROW.values())], "index": [7]}},
    ],
)
def test_frames_get_the_types_of_the_signature(body: dict[str, Any]) -> None:
    data, params = decode(model(MIXED), post(body))
    row = data.iloc[0].to_dict()
    assert params is None
    assert (data["integer"].dtype, data["float"].dtype, data["double"].dtype) == (np.int32, np.float32, np.float64)
    assert (row["string"], row["binary"], list(row["array"])) == ("007", b"x", [1, 2])
    assert row["datetime"] == datetime.datetime(2024, 1, 2, 3, 4, 5)


def test_csv_gets_the_types_of_the_signature() -> None:
    names = TYPES
    line = ",".join(str(ROW[name]) for name in names)
    data, _ = decode(model(MIXED), post(f"{','.join(names)}\n{line}\n".encode(), "text/csv"))
    row = data.iloc[0].to_dict()
    assert (row["boolean"], row["double"], row["string"], row["binary"]) == (True, 2.0, "007", b"x")
    assert row["datetime"] == datetime.datetime(2024, 1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("schema", "body", "expected"),
    [
        (MATRIX, {"inputs": [[1, 2]]}, [[1.0, 2.0]]),
        (MATRIX, {"instances": [[1, 2], [3, 4]]}, [[1.0, 2.0], [3.0, 4.0]]),
        (NAMED, {"inputs": {"a": [1], "b": [[1, 2]]}}, {"a": [1], "b": [[1.0, 2.0]]}),
        (NAMED, {"instances": [{"a": 1, "b": [1, 2]}]}, {"a": [1], "b": [[1.0, 2.0]]}),
        (TWO, {"dataframe_records": [{"a": 1, "b": None}]}, [{"a": 1.0, "b": None}]),
        (None, {"dataframe_split": {"data": [[1, "x"]]}}, [{"0": 1, "1": "x"}]),
        (None, {"inputs": {"a": [1]}}, {"a": [1]}),
    ],
)
def test_json_becomes_what_the_model_takes(schema: Schema | None, body: dict[str, Any], expected: Any) -> None:
    assert plain(decode(model(schema), post(body))[0]) == expected


def test_params_and_typed_input_are_handed_on() -> None:
    assert decode(model(typed=True), post({"inputs": ["x"], "params": {"scale": 2}})) == (["x"], {"scale": 2})
    with pytest.raises(RefusedError, match="type hints"):
        decode(model(typed=True), post({"instances": ["x"]}))


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_records": {"a": 1}},
        {"dataframe_split": {"columns": ["a"]}},
        {"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}},
        {"dataframe_records": [{**ROW, "long": "many"}]},
        {"dataframe_records": [{**ROW, "binary": 3}]},
        {"dataframe_records": [{**ROW, "datetime": "yesterday"}]},
        {"dataframe_records": [{**ROW, "array": 3}]},
        {"inputs": {"long": [[1], 2]}},
        {"instances": [{"long": 1, "double": 2}, {"long": 1}]},
        {"instances": [{"long": 1}, 3]},
    ],
)
def test_unreadable_input_is_refused_in_one_line(body: dict[str, Any]) -> None:
    with pytest.raises(RefusedError) as caught:
        decode(model(MIXED), post(body))
    assert (caught.value.status, caught.value.code) == (400, "INVALID_PARAMETER_VALUE")
    assert "\n" not in caught.value.message
    assert "Traceback" not in caught.value.message


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "data", "columns"]), inner),
    max_leaves=10,
)


@given(st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs"]), JSON_VALUES)
def test_any_value_is_decoded_or_refused(name: str, value: object) -> None:
    for schema in (TWO, MATRIX, None):
        read = answer_or_refusal(lambda schema=schema: decode(model(schema), post({name: value})))
        assert isinstance(read, tuple) or read.status == 400


def tensor(data: Any, shape: list[int], datatype: str = "FP64", name: str = "x", **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data, **more}


@pytest.mark.parametrize(
    ("given_tensor", "dtype", "expected"),
    [
        (tensor([1, 2.5], [2]), "float64", [1.0, 2.5]),
        (tensor([1, None], [2], "FP32"), "float32", [1.0, None]),
        (tensor([[1, 2], [3, 4]], [2, 2], "INT8"), "int8", [[1, 2], [3, 4]]),
        (tensor([1, 2, 3, 4], [2, 1, 2], "UINT64"), "uint64", [[[1, 2]], [[3, 4]]]),
        (tensor([True], [1], "BOOL"), "bool", [True]),
        (tensor(["a", None], [2, 1], "BYTES"), "object", [["a"], [None]]),
        (tensor([], [0, 3]), "float64", []),
    ],
)
def test_tensors_become_arrays(given_tensor: dict[str, Any], dtype: str, expected: Any) -> None:
    name, array = decode_tensor(given_tensor)
    assert (name, array.dtype, list(array.shape)) == ("x", np.dtype(dtype), given_tensor["shape"])
    assert plain(array) == expected


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ("x", "an object with name"),
        ({"shape": [1]}, "has no name"),
        (tensor([1], []), "'shape' must be"),
        (tensor([1], [-1]), "whole number"),
        (tensor([1], [True]), "whole number"),  # type: ignore[list-item]
        (tensor([1], [1] * 17), "1 to 16"),
        (tensor([1], [1], "FP8"), "datatype must be one of"),
        (tensor([1], [10**9, 10**9]), "needs 1000000000000000000 values"),
        (tensor([[1], [2, 3]], [2, 2]), "not nested as"),
        (tensor([[1], 2], [2, 1]), "not nested as"),
        (tensor([1.5], [1], "INT64"), "INT64 tensor cannot hold a number"),
        (tensor([True], [1], "INT64"), "cannot hold a boolean"),
        (tensor([None], [1], "BOOL"), "cannot hold null"),
        (tensor(["1"], [1]), "cannot hold a string"),
        (tensor([{}, [1]], [2], "BYTES"), "cannot hold an array or an object"),
        (tensor([{}], [1], "BYTES"), "cannot hold an object"),
        (tensor([300], [1], "UINT8"), "out of the range of UINT8"),
        (tensor([-1], [1], "UINT64"), "out of the range"),
        (tensor([10**400], [1]), "out of the range of FP64"),
        (tensor("abc", [3], "BYTES"), "'data' must be an array"),
        ({"name": "x", "shape": [1], "datatype": "FP64"}, "not null"),
        (tensor([], [1], parameters={"binary_data_size": 8}), "binary"),
    ],
)
def test_tensors_that_contradict_themselves_are_refused(wrong: Any, text: str) -> None:
    with pytest.raises(RefusedError, match=text) as caught:
        decode_tensor(wrong)
    assert caught.value.status == 400


@given(
    st.fixed_dictionaries(
        {"name": st.just("x") | JSON_VALUES, "shape": st.lists(st.integers(-1, 3)) | JSON_VALUES, "data": JSON_VALUES},
        optional={
            "datatype": st.sampled_from(["FP64", "FP16", "INT8", "UINT64", "BOOL", "BYTES"]),
            "parameters": JSON_VALUES,
        },
    )
)
def test_any_tensor_is_decoded_or_refused(value: dict[str, Any]) -> None:
    read = answer_or_refusal(lambda: decode_tensor(value))
    assert isinstance(read, tuple) or read.status == 400


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False))
    | st.lists(st.integers(-(2**63), 2**63 - 1))
    | st.lists(st.text())
)
def test_a_tensor_comes_back_as_it_went(values: list[Any]) -> None:
    encoded = plain(encode_tensor("x", values))
    assert encoded["shape"] == [len(values)]
    assert encoded["data"] == values
    assert decode_tensor(encoded)[1].tolist() == values


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.array([[1.0, np.nan]], dtype="float32"), tensor([1.0, None], [1, 2], "FP32")),
        (np.array([True]), tensor([True], [1], "BOOL")),
        (np.array(["a", "b"]), tensor(["a", "b"], [2], "BYTES")),
        (np.array([True, False], dtype=object), tensor([True, False], [2], "BOOL")),
        (np.array(["2024-01-02"], dtype="M8[ns]"), tensor(["2024-01-02T00:00:00"], [1], "BYTES")),
        (pd.Series(["a", None]), tensor(["a", None], [2], "BYTES")),
        ([{"a": 1}, [1, 2]], tensor(['{"a": 1}', "[1, 2]"], [2], "BYTES")),
        ([[1, 2], [3, 4]], tensor([1, 2, 3, 4], [2, 2], "INT64")),
        (["text"], tensor(["text"], [1], "BYTES")),
        ("text", tensor(["text"], [1], "BYTES")),
        (1.5, tensor([1.5], [1], "FP64")),
        (b"x", tensor(["eA=="], [1], "BYTES")),
    ],
)
def test_answers_become_tensors(value: Any, expected: dict[str, Any]) -> None:
    assert plain(encode_tensor("x", value)) == expected


def asked(fake: Any, *inputs: dict[str, Any], **more: Any) -> Any:
    return plain(json.loads(infer(fake, CONFIG, post({"inputs": list(inputs), **more})).body))


@pytest.mark.parametrize(
    ("schema", "inputs", "expected"),
    [
        (TWO, [tensor([1], [1], name="a"), tensor([[2]], [1, 1], name="b")], [{"a": 1.0, "b": 2.0}]),
        (TWO, [tensor([1, 2], [1, 2])], [{"a": 1.0, "b": 2.0}]),
        (UNNAMED, [tensor([1, 2], [1, 2])], [{"0": 1.0, "1": 2.0}]),
        (Schema([ColSpec(DataType.double, "a")]), [tensor([1, 2], [2])], [{"a": 1.0}, {"a": 2.0}]),
        (MATRIX, [tensor([1, 2], [1, 2], "FP32")], [[1.0, 2.0]]),
        (NAMED, [tensor([1], [1], "INT64", "a"), tensor([1, 2], [1, 2], name="b")], {"a": [1], "b": [[1.0, 2.0]]}),
        (None, [tensor([1, 2], [1, 2])], [[1.0, 2.0]]),
        (None, [tensor([1], [1], name="a"), tensor(["x"], [1], "BYTES", "b")], [{"a": 1.0, "b": "x"}]),
    ],
)
def test_infer_gives_the_model_what_its_signature_asks(schema: Any, inputs: list[Any], expected: Any) -> None:
    fake = model(schema)
    answer = asked(fake, *inputs, id="7", parameters={"scale": 2, "other": 3})
    assert plain(fake.seen[0][0]) == expected
    assert fake.seen[0][1] == {"scale": 2}
    assert answer == {"model_name": "m", "id": "7", "outputs": [tensor([0], [1], "INT64", "predictions")]}


def test_text_columns_become_what_their_types_mean() -> None:
    fake = model(MIXED)
    cells = {"string": "007", "binary": "eA==", "datetime": "2024-01-02T03:04:05", "array": "[1, 2]"}
    asked(fake, *(tensor([text], [1], "BYTES", name) for name, text in cells.items()))
    row = fake.seen[0][0].iloc[0].to_dict()
    assert (row["string"], row["binary"], row["array"]) == ("007", b"x", [1, 2])
    assert row["datetime"] == datetime.datetime(2024, 1, 2, 3, 4, 5)
    for name, text in (("binary", "?"), ("datetime", "yesterday"), ("array", "[")):
        with pytest.raises(RefusedError, match=f"input '{name}': not a"):
            asked(fake, tensor([text], [1], "BYTES", name))


@pytest.mark.parametrize(
    ("schema", "body", "text"),
    [
        (TWO, {}, "'inputs' must be"),
        (TWO, {"inputs": [tensor([1], [1])] * 2}, "two inputs have the name 'x'"),
        (TWO, {"inputs": [tensor([1, 2, 3], [1, 3])]}, r"one of shape \[n, 2\]"),
        (TWO, {"inputs": [tensor([1], [1], name="a"), tensor([1, 2], [2], name="b")]}, "different lengths"),
        (TWO, {"inputs": [tensor([1, 2], [1, 2], name="a"), tensor([1], [1], name="b")]}, r"\[n\] or \[n, 1\]"),
        (MATRIX, {"inputs": [tensor([1], [1]), tensor([1], [1], name="y")]}, "one unnamed tensor"),
        (MATRIX, {"inputs": [tensor([1], [1])], "id": 3}, "'id' must be a string"),
        (MATRIX, {"inputs": [tensor([1], [1])], "parameters": []}, "'parameters' must be an object"),
        (MATRIX, {"inputs": [tensor([1], [1])], "parameters": {"binary_data_output": True}}, "binary"),
        (MATRIX, {"inputs": [tensor([1], [1])], "outputs": [3]}, "'outputs' must be"),
        (MATRIX, {"inputs": [tensor([1], [1])], "outputs": [{}]}, "must have a name"),
        (MATRIX, {"inputs": [tensor([1], [1])], "outputs": [{"name": "y"}]}, "no output 'y'; it has predictions"),
        (
            MATRIX,
            {"inputs": [tensor([1], [1])], "outputs": [{"name": "y", "parameters": {"binary_data": 1}}]},
            "binary",
        ),
        (MATRIX, {"inputs": [tensor([1], [1])], "outputs": [{"name": "y", "parameters": 3}]}, "'parameters'"),
    ],
)
def test_requests_that_do_not_fit_are_refused(schema: Schema, body: dict[str, Any], text: str) -> None:
    with pytest.raises(RefusedError, match=text) as caught:
        infer(model(schema), CONFIG, post(body))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("outputs", "answer", "expected"),
    [
        (
            None,
            pd.DataFrame({"p": [0.5], "q": ["x"]}),
            [tensor([0.5], [1], name="p"), tensor(["x"], [1], "BYTES", "q")],
        ),
        (None, {"p": np.array([1.0])}, [tensor([1.0], [1], name="p")]),
        (Schema([ColSpec(DataType.double, "p")]), np.array([1.0]), [tensor([1.0], [1], name="p")]),
        (TWO, np.array([[1.0, 2.0]]), [tensor([1.0], [1], name="a"), tensor([2.0], [1], name="b")]),
        (None, np.array([[1.0, 2.0]]), [tensor([1.0, 2.0], [1, 2], name="predictions")]),
    ],
)
def test_outputs_are_named_by_the_signature(outputs: Schema | None, answer: Any, expected: list[Any]) -> None:
    fake = model(None, outputs, answer)
    assert asked(fake, tensor([1], [1]))["outputs"] == expected
    last = expected[-1]["name"]
    assert asked(fake, tensor([1], [1]), outputs=[{"name": last}])["outputs"] == expected[-1:]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (None, []),
        (MATRIX, [("input", "FP32", [-1, 2])]),
        (NAMED, [("a", "INT64", [-1]), ("b", "FP64", [-1, 2])]),
        (UNNAMED, [("input", "FP64", [-1, 2])]),
        (
            MIXED,
            [
                (name, datatype, [-1])
                for name, datatype in zip(
                    [*TYPES, "array"], ["BOOL", "INT32", "INT64", "FP32", "FP64", *["BYTES"] * 4], strict=True
                )
            ],
        ),
    ],
)
def test_metadata_tells_the_signature(schema: Schema | None, expected: list[Any]) -> None:
    content = json.loads(metadata(model(schema), CONFIG).body)
    assert [(item["name"], item["datatype"], item["shape"]) for item in content["inputs"]] == expected
