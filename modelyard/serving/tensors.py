"""Tensors of the Open Inference Protocol: JSON to numpy and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import NoneType
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from modelyard.serving.encoding import dumps
from modelyard.serving.messages import bad_input, json_kind

Array: TypeAlias = np.ndarray[Any, Any]

_NUMPY_TYPES = {
    "BOOL": "bool",
    **{f"{sign}INT{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"float{bits}" for bits in (16, 32, 64)},
    "BYTES": "object",
}
_DATATYPES = {name: datatype for datatype, name in _NUMPY_TYPES.items()}
_MOST_DIMENSIONS = 16


def datatype_of(dtype: np.dtype[Any]) -> str:
    """The protocol's name of a numpy type; BYTES for whatever is no number and no boolean."""
    return _DATATYPES.get(dtype.name, "BYTES")


def decode_tensor(tensor: object) -> tuple[str, Array]:
    """The name and the array of one tensor in a request; `RefusedError` (400) for one that contradicts itself.

    A null among floating point numbers is a missing value (NaN). Strings stay Python's `str`.
    """
    if not isinstance(tensor, dict):
        raise bad_input(f"an input must be an object with name, shape, datatype and data, not {json_kind(tensor)}")
    name = tensor.get("name")
    if not isinstance(name, str) or not name:
        raise bad_input("an input has no name")
    shape = _shape(name, tensor.get("shape"))
    datatype = tensor.get("datatype")
    if not isinstance(datatype, str) or datatype not in _NUMPY_TYPES:
        raise bad_input(f"input {name!r}: the datatype must be one of {', '.join(_NUMPY_TYPES)}, not {datatype!r}")
    _refuse_binary(name, tensor)
    data = tensor.get("data")
    if not isinstance(data, list):
        raise bad_input(f"input {name!r}: 'data' must be an array, not {json_kind(data)}")
    items = _flat(name, data, shape)
    if len(items) != math.prod(shape):
        raise bad_input(f"input {name!r}: shape {shape} needs {math.prod(shape)} values, 'data' has {len(items)}")
    return name, _array(name, datatype, items).reshape(shape)


def encode_tensor(name: str, value: Any) -> dict[str, Any]:
    """One tensor of an answer, its data flat in row-major order and not yet plain: `encoding.dumps` finishes it."""
    array = value if isinstance(value, np.ndarray) else _array_of(value)
    datatype = datatype_of(array.dtype)
    data = (
        array.ravel().tolist() if array.dtype.kind != "M" else [_text(item) for item in pd.to_datetime(array.ravel())]
    )
    if datatype == "BYTES":
        if array.dtype.kind == "O" and data and all(isinstance(item, bool) for item in data):
            datatype = "BOOL"
        else:
            data = [_text(item) for item in data]
    return {"name": name, "shape": list(array.shape), "datatype": datatype, "data": data}


def _shape(name: str, shape: object) -> list[int]:
    if not isinstance(shape, list) or not 1 <= len(shape) <= _MOST_DIMENSIONS:
        raise bad_input(f"input {name!r}: 'shape' must be an array of 1 to {_MOST_DIMENSIONS} sizes")
    if any(type(size) is not int or size < 0 for size in shape):
        raise bad_input(f"input {name!r}: every size in 'shape' must be a whole number, 0 or more")
    return shape


def _refuse_binary(name: str, tensor: Mapping[str, Any]) -> None:
    parameters = tensor.get("parameters")
    if isinstance(parameters, dict) and "binary_data_size" in parameters:
        raise bad_input(f"input {name!r}: binary tensor data is not supported here; send 'data' as JSON")


def _flat(name: str, data: list[Any], shape: list[int]) -> list[Any]:
    """The values in row-major order: `data` may be flat already, or nested exactly as `shape` says."""
    if not any(isinstance(item, list) for item in data):
        return data
    level: list[Any] = [data]
    for size in shape:
        if any(not isinstance(item, list) or len(item) != size for item in level):
            raise bad_input(f"input {name!r}: 'data' is not nested as shape {shape} says")
        level = [item for items in level for item in items]
    return level


def _array(name: str, datatype: str, items: list[Any]) -> Array:
    kinds = set(map(type, items))
    dtype = np.dtype(_NUMPY_TYPES[datatype])
    takes: dict[str, set[type]] = {
        "b": {bool},
        "i": {int},
        "u": {int},
        "f": {int, float, NoneType},
        "O": {str, NoneType},
    }
    if wrong := kinds - takes[dtype.kind]:
        found = sorted(json_kind(kind()) for kind in wrong)
        raise bad_input(f"input {name!r}: a {datatype} tensor cannot hold {' or '.join(found)}")
    if dtype.kind in "iu" and items:
        limits = np.iinfo(dtype)
        if min(items) < limits.min or max(items) > limits.max:
            raise bad_input(f"input {name!r}: a value is out of the range of {datatype}")
    try:
        return np.array(items, dtype=dtype)
    except OverflowError:
        raise bad_input(f"input {name!r}: a value is out of the range of {datatype}") from None


def _array_of(value: Any) -> Array:
    if isinstance(value, pd.Series):
        return np.asarray(value.to_numpy())
    if callable(to_array := getattr(value, "toarray", None)):
        return np.asarray(to_array())
    items = value if isinstance(value, list | tuple) else [value]
    try:
        array = np.asarray(items)
    except ValueError:
        array = np.empty(0, dtype=object)
    if array.dtype.kind in "biufM":
        return array
    # Texts, records and ragged lists: each item is one element, never spread over dimensions of its own.
    elements = np.empty(len(items), dtype=object)
    elements[:] = items
    return elements


def _text(item: Any) -> str | None:
    """An element of a BYTES tensor: text as it is, anything else as JSON text."""
    if item is None or isinstance(item, str):
        return item
    text = dumps(item).decode()
    return json.loads(text) if text.startswith('"') else None if text == "null" else text
