"""`modelyard predict`."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from modelyard.cli.api import connect, output_option
from modelyard.cli.output import as_json, cell, show_rows

Json = dict[str, Any]


@click.command()
@click.argument("deployment", metavar="ORG/PROJECT/DEPLOYMENT")
@click.option("--data", "source", required=True, metavar="FILE|-", help="CSV with a header, or JSON; - is stdin.")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), help="Default: by the file's name or content.")
@click.option(
    "--protocol",
    type=click.Choice(["invocations", "v2"]),
    default="invocations",
    show_default=True,
    help="MLflow's scoring protocol, or the Open Inference Protocol v2.",
)
@output_option
def predict(deployment: str, source: str, form: str | None, protocol: str, output: str) -> None:
    """Ask a deployment for predictions.

    JSON may be a list of rows, or a whole body of the protocol, such as {"dataframe_split": ...} or {"inputs": [...]}.
    """
    parts = deployment.split("/")
    if len(parts) != 3 or not all(parts):
        raise click.UsageError(f"{deployment!r} is not a deployment; write it as ORG/PROJECT/DEPLOYMENT.")
    content = _read(source)
    organization, project, name = parts
    data = _parse(content, form or _form_of(source, content))
    client = connect()
    if protocol == "invocations":
        answer = client.predict(organization, project, name, data)
    else:
        model = client.project(organization, project).deployments.get(name)["model"]
        answer = client.infer(organization, project, name, model, _tensors(data))
    if output == "json":
        click.echo(as_json(answer))
    else:
        _show(answer)


def _read(source: str) -> bytes:
    return sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()


def _form_of(source: str, content: bytes) -> str:
    suffix = Path(source).suffix.lower()
    if suffix in {".csv", ".json"}:
        return suffix[1:]
    return "json" if content.lstrip()[:1] in {b"{", b"["} else "csv"


def _parse(content: bytes, form: str) -> Any:
    """Return CSV as its bytes, which the server reads by the model's signature, and JSON decoded."""
    if form == "csv":
        return content
    try:
        return json.loads(content)
    except ValueError as error:
        raise click.UsageError(f"The data is not JSON: {error}") from None


def _tensors(data: Any) -> Json | list[Json]:
    """Make tensors of the protocol v2: one for each column, or the body that was given."""
    if isinstance(data, Mapping):
        return dict(data)
    if isinstance(data, bytes):
        rows: Sequence[Any] = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig")), strict=True))
        columns = {name: [_typed(row[name]) for row in rows] for name in (rows[0] if rows else ())}
    elif isinstance(data, list) and data and all(isinstance(row, Mapping) for row in data):
        columns = {name: [row.get(name) for row in data] for name in data[0]}
    else:
        raise click.UsageError("For --protocol v2 give CSV, a list of JSON objects, or a whole request.")
    return [_tensor(name, values) for name, values in columns.items()]


def _typed(text: str | None) -> Any:
    """Read one field of CSV: a number where it is one, nothing where it is empty, else the text."""
    if not text:
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _tensor(name: str, values: list[Any]) -> Json:
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        datatype = "BOOL"
    elif kinds == {int}:
        datatype = "INT64"
    elif kinds <= {int, float, type(None)}:
        datatype = "FP64"
    else:
        datatype = "BYTES"
        values = [None if value is None else str(value) for value in values]
    return {"name": name, "shape": [len(values)], "datatype": datatype, "data": values}


def _show(answer: Any) -> None:
    """Print predictions as a table, one line each; whatever has another form as JSON."""
    predictions = answer.get("predictions") if isinstance(answer, Mapping) else None
    if isinstance(answer, Mapping) and isinstance(answer.get("outputs"), list):
        columns = {output["name"]: _by_row(output) for output in answer["outputs"]}
    elif isinstance(predictions, list) and predictions and all(isinstance(row, Mapping) for row in predictions):
        columns = {name: [row.get(name) for row in predictions] for name in predictions[0]}
    elif isinstance(predictions, list):
        columns = {"prediction": predictions}
    else:
        click.echo(as_json(answer))
        return
    length = max(map(len, columns.values()), default=0)
    rows = [[cell(row[index]) if index < len(row) else "" for row in columns.values()] for index in range(length)]
    show_rows([cell(name) for name in columns], rows)


def _by_row(output: Mapping[str, Any]) -> list[Any]:
    """Group the flat data of a tensor by its first dimension."""
    data, shape = output["data"], output["shape"]
    per_row = max(1, len(data) // shape[0]) if shape and shape[0] else 1
    return list(data) if per_row == 1 else [data[start : start + per_row] for start in range(0, len(data), per_row)]
