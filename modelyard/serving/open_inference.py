"""Inference and metadata of the Open Inference Protocol, version 2, over JSON."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, cast

import numpy as np
import pandas as pd
from mlflow.types import DataType, Schema, TensorSpec

from modelyard.serving.config import Config
from modelyard.serving.encoding import dumps
from modelyard.serving.messages import JSON, RefusedError, Request, Response, bad_input, json_kind, json_response
from modelyard.serving.model import Model, explain
from modelyard.serving.tensors import Array, datatype_of, decode_tensor, encode_tensor

PREDICTIONS = "predictions"
_COLUMN_DATATYPES = {
    DataType.boolean: "BOOL",
    DataType.integer: "INT32",
    DataType.long: "INT64",
    DataType.float: "FP32",
    DataType.double: "FP64",
}


def metadata(model: Model, config: Config) -> Response:
    """The model's name, versions, inputs and outputs, as its signature tells them."""
    versions = [config.model_version] if config.model_version else []
    inputs, outputs = _described(model.inputs, "input"), _described(model.outputs, PREDICTIONS)
    content = {"name": config.model_name, "versions": versions, "platform": "mlflow"}
    return json_response({**content, "inputs": inputs, "outputs": outputs})


def infer(model: Model, config: Config, request: Request) -> Response:
    """Answer one inference request."""
    if request.header("Inference-Header-Content-Length") is not None:
        raise RefusedError(415, "binary tensor data is not supported here; send every tensor's data as JSON")
    if request.media_type not in ("", JSON):
        raise RefusedError(415, f"the content type must be {JSON}, not {request.content_type!r}")
    content = request.json_object()
    request_id = content.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise bad_input(f"'id' must be a string, not {json_kind(request_id)}")
    params = _params(model, content.get("parameters"))
    wanted = _wanted(content.get("outputs"))
    outputs = _outputs(model, model.predict(_model_input(model, _tensors(content.get("inputs"))), params))
    answer: dict[str, Any] = {"model_name": config.model_name}
    if config.model_version:
        answer["model_version"] = config.model_version
    if request_id is not None:
        answer["id"] = request_id
    return Response(200, dumps({**answer, "outputs": _selected(outputs, wanted)}))


def _described(schema: Schema | None, unnamed: str) -> list[dict[str, Any]]:
    if schema is None:
        return []
    if schema.is_tensor_spec():
        specs = cast("list[TensorSpec]", schema.inputs)
        return [
            {"name": spec.name or unnamed, "datatype": datatype_of(spec.type), "shape": list(spec.shape)}
            for spec in specs
        ]
    kinds = [_column_datatype(kind) for kind in schema.input_types()]
    if schema.has_input_names():
        names = schema.input_names()
        return [{"name": str(name), "datatype": kind, "shape": [-1]} for name, kind in zip(names, kinds, strict=True)]
    datatype = kinds[0] if len(set(kinds)) == 1 else "BYTES"
    return [{"name": unnamed, "datatype": datatype, "shape": [-1, len(kinds)] if len(kinds) > 1 else [-1]}]


def _column_datatype(kind: object) -> str:
    # MLflow's types of arrays and objects cannot be hashed.
    return _COLUMN_DATATYPES.get(kind, "BYTES") if isinstance(kind, DataType) else "BYTES"


def _params(model: Model, parameters: object) -> dict[str, Any] | None:
    """The request's parameters that the model knows; the protocol lets a server pass over the others."""
    if parameters is None:
        return None
    if not isinstance(parameters, dict):
        raise bad_input(f"'parameters' must be an object, not {json_kind(parameters)}")
    if parameters.get("binary_data_output"):
        raise bad_input("binary tensor data is not supported here; leave out 'binary_data_output'")
    return {name: value for name, value in parameters.items() if name in model.params} or None


def _tensors(inputs: object) -> dict[str, Array]:
    if not isinstance(inputs, list) or not inputs:
        raise bad_input("'inputs' must be an array of at least one tensor")
    tensors: dict[str, Array] = {}
    for item in inputs:
        name, array = decode_tensor(item)
        if name in tensors:
            raise bad_input(f"two inputs have the name {name!r}")
        tensors[name] = array
    return tensors


def _model_input(model: Model, tensors: dict[str, Array]) -> Any:
    """What the model's signature asks for: an array, arrays by name, or a frame."""
    schema = model.inputs
    single = next(iter(tensors.values())) if len(tensors) == 1 else None
    if schema is None:
        return single if single is not None else _frame(tensors)
    if schema.is_tensor_spec():
        if schema.has_input_names():
            return tensors
        if single is None:
            raise bad_input(f"this model takes one unnamed tensor, not the {len(tensors)} inputs {sorted(tensors)}")
        return single
    names = schema.input_names() if schema.has_input_names() else list(range(len(schema.inputs)))
    if single is not None and next(iter(tensors)) not in names:
        frame = _frame(_split(next(iter(tensors)), single, names))
    else:
        frame = _frame(tensors)
    for name, kind in zip(names, schema.input_types(), strict=True):
        if name in frame:
            frame[name] = _column(frame[name], str(name), kind)
    return frame


def _split(name: str, array: Array, columns: list[Any]) -> dict[Any, Array]:
    """The columns of a tensor that holds all of them."""
    if array.ndim == 1 and len(columns) == 1:
        return {columns[0]: array}
    if array.ndim != 2 or array.shape[1] != len(columns):
        known = ", ".join(map(str, columns))
        raise bad_input(
            f"send one tensor for each of the columns {known}, or one of shape [n, {len(columns)}];"
            f" the input {name!r} has shape {list(array.shape)}"
        )
    return {column: array[:, index] for index, column in enumerate(columns)}


def _frame(tensors: dict[Any, Array]) -> pd.DataFrame:
    columns = {}
    for name, array in tensors.items():
        if array.ndim == 2 and array.shape[1] == 1:
            array = array.reshape(-1)
        if array.ndim != 1:
            raise bad_input(f"input {name!r}: a column has the shape [n] or [n, 1], not {list(array.shape)}")
        columns[name] = array
    if len({len(array) for array in columns.values()}) > 1:
        raise bad_input(f"the inputs have different lengths: { {name: len(array) for name, array in columns.items()} }")
    return pd.DataFrame(columns)


def _column(column: pd.Series, name: str, kind: object) -> Any:
    """A BYTES column as the value its type means: time, bytes or, for arrays and objects, what its JSON text says."""
    plain = isinstance(kind, DataType) and kind not in (DataType.datetime, DataType.binary)
    if plain or not column.map(lambda cell: isinstance(cell, str)).all():
        return column
    try:
        if kind == DataType.datetime:
            return pd.to_datetime(column).astype("datetime64[ns]")
        if kind == DataType.binary:
            return column.map(lambda cell: base64.b64decode(cell, validate=True))
        return column.map(json.loads)
    except (ValueError, OverflowError, binascii.Error, RecursionError) as error:
        raise bad_input(f"input {name!r}: not a {kind}: {explain(error)}") from None


def _outputs(model: Model, raw: Any) -> list[dict[str, Any]]:
    if isinstance(raw, pd.DataFrame):
        return [encode_tensor(str(name), column) for name, column in raw.items()]
    if isinstance(raw, dict):
        return [encode_tensor(str(name), value) for name, value in raw.items()]
    schema = model.outputs
    name = PREDICTIONS
    if schema is not None and schema.has_input_names() and len(schema.inputs) == 1:
        name = str(schema.input_names()[0])
    elif isinstance(raw, np.ndarray) and raw.ndim == 2 and schema is not None and schema.has_input_names():
        names = schema.input_names()
        if len(names) == raw.shape[1]:
            return [encode_tensor(str(name), raw[:, index]) for index, name in enumerate(names)]
    return [encode_tensor(name, raw)]


def _wanted(outputs: object) -> list[str] | None:
    if outputs is None:
        return None
    if not isinstance(outputs, list) or not all(isinstance(item, dict) for item in outputs):
        raise bad_input("'outputs' must be an array of objects with a name")
    names = [item.get("name") for item in outputs]
    if not all(isinstance(name, str) for name in names):
        raise bad_input("every one of 'outputs' must have a name")
    parameters = [item.get("parameters") or {} for item in outputs]
    if not all(isinstance(given, dict) for given in parameters):
        raise bad_input("the 'parameters' of an output must be an object")
    if any(given.get("binary_data") for given in parameters):
        raise bad_input("binary tensor data is not supported here; leave out 'binary_data'")
    return names


def _selected(outputs: list[dict[str, Any]], wanted: list[str] | None) -> list[dict[str, Any]]:
    if not wanted:
        return outputs
    found = {output["name"]: output for output in outputs}
    if unknown := [name for name in wanted if name not in found]:
        raise bad_input(f"the model has no output {unknown[0]!r}; it has {', '.join(found)}")
    return [found[name] for name in wanted]
