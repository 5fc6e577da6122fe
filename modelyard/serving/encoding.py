"""What models answer, as strict JSON."""

from __future__ import annotations

import base64
import datetime
import json
import math
from typing import Any

import numpy as np
import pandas as pd


def dumps(value: object) -> bytes:
    """Encode plain values and those of numpy and pandas as strict JSON.

    NaN, infinities, NaT and NA become null. A data frame becomes a list of records and bytes become base64, as in
    MLflow's own scoring server. A value that has no form in JSON raises `TypeError`.
    """
    try:
        return json.dumps(value, allow_nan=False, default=_plain).encode()
    except (ValueError, TypeError):
        # Rare: a number that is not finite, or a key that is no string. Only then is it walked in Python.
        return json.dumps(_strict(value), allow_nan=False).encode()


def _plain(value: Any) -> Any:
    """One step towards plain values, for what `json` does not know."""
    if isinstance(value, np.ndarray):
        return _timestamps(value) if value.dtype.kind == "M" else value.tolist()
    if isinstance(value, pd.Series | pd.DataFrame):
        return pd.DataFrame(value).to_dict(orient="records")
    if isinstance(value, set | frozenset | pd.Index):
        return list(value)
    for method in ("toarray", "model_dump"):  # scipy's sparse matrices, pydantic's models
        if callable(convert := getattr(value, method, None)):
            return convert()
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, np.datetime64):
        return _plain_scalar(pd.Timestamp(value))
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    raise TypeError(f"the model answered a {type(value).__name__}, which has no form in JSON")


def _timestamps(array: np.ndarray[Any, Any]) -> Any:
    stamps = np.empty(array.size, dtype=object)
    stamps[:] = list(pd.to_datetime(array.ravel()))
    return stamps.reshape(array.shape).tolist()


def _strict(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return _strict(_plain(value))
