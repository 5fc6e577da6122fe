"""`POST /invocations`: MLflow's scoring protocol, as `mlflow models serve` speaks it."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.types import DataType, Schema
from mlflow.utils import proto_json_utils

from modelyard.serving.encoding import dumps
from modelyard.serving.messages import JSON, RefusedError, Request, Response, bad_input, json_kind
from modelyard.serving.model import Model, explain

CSV = "text/csv"
FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_mlflow: Any = proto_json_utils  # MLflow's own reading of each format; it has no types.
_AS_TEXT = (DataType.string, DataType.binary, DataType.datetime)


def invocations(model: Model, request: Request) -> Response:
    """Answer one scoring request."""
    data, params = decode(model, request)
    return Response(200, dumps({"predictions": model.predict(data, params)}))


def decode(model: Model, request: Request) -> tuple[Any, dict[str, Any] | None]:
    """The model's input and params from a request's body; `RefusedError` for what the protocol does not know."""
    _require_utf8(request.content_type)
    if request.media_type == JSON:
        content = request.json_object()
        params = content.get("params")
        if params is not None and not isinstance(params, dict):
            raise bad_input(f"'params' must be an object, not {json_kind(params)}")
        return _readable(_from_json, content, model), params
    if request.media_type == CSV:
        return _readable(_from_csv, request.body(), model), None
    raise RefusedError(
        415, f"the content type must be {JSON} or {CSV}, not {request.content_type!r}", code="UNSUPPORTED_MEDIA_TYPE"
    )


def _require_utf8(content_type: str) -> None:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "charset" and value.strip('"').lower() not in ("utf-8", "utf8"):
            raise RefusedError(415, f"the charset must be utf-8, not {value}", code="UNSUPPORTED_MEDIA_TYPE")


def _readable(parse: Any, content: Any, model: Model) -> Any:
    try:
        return parse(content, model)
    except RefusedError:
        raise
    except MlflowException as error:
        raise bad_input(explain(error)) from error
    except Exception as error:
        raise bad_input(f"the input cannot be read: {explain(error)}") from error


def _from_json(content: dict[str, Any], model: Model) -> Any:
    found = [name for name in FORMATS if name in content]
    if len(found) != 1:
        got = f"both {' and '.join(found)}" if found else f"the fields {sorted(content)}"
        message = f"the body must have exactly one of the fields {', '.join(FORMATS)}; it has {got}"
        raise RefusedError(400, message, code="BAD_REQUEST")
    name = found[0]
    value = content[name]
    if model.takes_typed_input:
        if name != "inputs":
            raise bad_input(f"this model's signature comes from type hints: send 'inputs', not {name!r}")
        return value
    if name.startswith("dataframe_"):
        return _mlflow.dataframe_from_parsed_json(value, name.removeprefix("dataframe_"), model.inputs)
    return _mlflow.parse_tf_serving_input({name: value}, model.inputs)


def _from_csv(content: bytes, model: Model) -> pd.DataFrame:
    schema: Schema | None = model.inputs
    if not content.strip():
        raise bad_input("the body is empty: send CSV with a line of column names")
    named = schema is not None and schema.has_input_names() and not schema.is_tensor_spec()
    # Left to itself, pandas would read the text 007 as the number 7.
    types = {spec.name: str for spec in schema.inputs if spec.type in _AS_TEXT} if schema and named else {}
    frame = pd.read_csv(io.StringIO(content.decode("utf-8")), dtype=types)
    return _mlflow.cast_df_types_according_to_schema(frame, schema) if named else frame
