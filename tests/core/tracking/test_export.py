"""Runs as a file: each form read back by somebody else's reader."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from modelyard.core.errors import InvalidInput
from modelyard.core.tracking.entities import Metric, Param, Run, RunData, RunInfo, RunInputs, RunOutputs, Tag
from modelyard.core.tracking.export import COLUMNS, Table, csv_line, written


def run(run_id: str, params: dict[str, str], metrics: dict[str, Any], tags: dict[str, str]) -> Run:
    return Run(
        RunInfo(run_id, f"n{run_id}", "0", "ada", "FINISHED", "", "active", 1000, None),
        RunData(
            [Metric(key, value, 1, 1) for key, value in metrics.items()],
            [Param(*pair) for pair in params.items()],
            [Tag(*pair) for pair in tags.items()],
        ),
        RunInputs([], []),
        RunOutputs([]),
    )


RUNS = [
    run("1", {"depth": "4"}, {"auc": 0.5, "a.b/c": "NaN"}, {"mlflow.parentRunId": "p"}),
    run("2", {"depth": "", "x,y": 'say "hi"\nü'}, {"auc": "Infinity"}, {}),
    run("3", {}, {}, {}),
]


def pages(*sizes: int) -> Iterator[list[Run]]:
    left = list(RUNS)
    for size in sizes or (2, 0, 1):
        yield [left.pop(0) for _ in range(size)]


def content(form: str, *columns: str, sizes: tuple[int, ...] = ()) -> bytes:
    table = Table.of(columns) if columns else Table.found_in(pages())
    return b"".join(written(table, pages(*sizes), form))


def test_a_table_has_all_that_the_runs_have() -> None:
    assert Table.found_in(pages()).columns == [
        *COLUMNS, "params.depth", "params.x,y", "metrics.a.b/c", "metrics.auc", "tags.mlflow.parentRunId",
    ]  # fmt: skip


def test_csv_is_read_back() -> None:
    rows = list(csv.DictReader(io.StringIO(content("csv").decode(), newline="")))
    assert [row["run_id"] for row in rows] == ["1", "2", "3"]
    assert rows[0] | {"params.x,y": ""} == rows[0]
    assert (rows[0]["metrics.auc"], rows[0]["metrics.a.b/c"], rows[0]["parent_run_id"]) == ("0.5", "NaN", "p")
    assert (rows[1]["params.x,y"], rows[1]["metrics.auc"]) == ('say "hi"\nü', "Infinity")
    assert (rows[2]["started_at_ms"], rows[2]["ended_at_ms"]) == ("1000", "")


def test_json_is_read_back() -> None:
    found = json.loads(content("json"))
    assert found == [json.loads(line) for line in content("ndjson").splitlines()]
    assert found[0]["metrics.auc"] == 0.5
    assert found[1]["params.x,y"] == 'say "hi"\nü'
    assert set(found[2]) == {
        "run_id", "name", "experiment_id", "status", "lifecycle_stage", "user", "started_at_ms",
    }  # fmt: skip


def test_parquet_is_read_back() -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(io.BytesIO(content("parquet")))
    assert table.column_names == Table.found_in(pages()).columns
    rows = table.to_pylist()
    assert [row["run_id"] for row in rows] == ["1", "2", "3"]
    assert (rows[0]["metrics.auc"], rows[1]["metrics.auc"], rows[2]["metrics.auc"]) == (0.5, math.inf, None)
    assert math.isnan(rows[0]["metrics.a.b/c"])
    assert (rows[1]["params.depth"], rows[2]["params.depth"]) == ("", None)
    assert str(table.schema.field("started_at_ms").type) == "int64"


@pytest.mark.parametrize("form", ["csv", "json", "ndjson", "parquet"])
def test_no_runs_make_a_file_too(form: str) -> None:
    found = content(form, "run_id", sizes=(0,))
    assert found == {"csv": b"run_id\r\n", "json": b"[]\n", "ndjson": b""}.get(form, found)


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
def test_a_file_is_written_as_it_is_read(form: str) -> None:
    read: list[int] = []

    def noted() -> Iterator[list[Run]]:
        for number in range(50):
            read.append(number)
            yield RUNS[:1] * 100

    pieces = written(Table.of(["run_id", "metrics.auc"]), noted(), form)
    next(pieces), next(pieces)
    assert len(read) <= 3
    assert sum(map(len, pieces)) > 1000
    assert len(read) == 50


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("=1+2", "'=1+2"), ("@x", "'@x"), ("+cmd|x", "'+cmd|x"), ("-x", "'-x"), ("\tx", "'\tx"),
        ("-0.5", "-0.5"), ("+1e-3", "+1e-3"), ("-Infinity", "-Infinity"), ("a=b", "a=b"), ("", ""), ("-1_0", "'-1_0"),
        ("-٣", "'-٣"),
    ],
)  # fmt: skip
def test_no_spreadsheet_runs_what_was_logged(text: str, kept: str) -> None:
    assert next(csv.reader([csv_line([text, -1.5]).decode()])) == [kept, "-1.5"]


@pytest.mark.parametrize("name", ["depth", "params.", "metric.auc", "params", ".x", "data.x"])
def test_a_column_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="no column"):
        Table.of(["name", name])


def test_columns_come_once_in_their_order() -> None:
    assert content("csv", "metrics.auc", "name", "metrics.auc").splitlines()[:2] == [b"metrics.auc,name", b"0.5,n1"]


def test_too_many_columns_are_to_be_named() -> None:
    many = run("1", {f"p{number}": "" for number in range(20_001)}, {}, {})
    with pytest.raises(InvalidInput, match="20000"):
        Table.found_in([[many]])


def test_parquet_without_its_library_is_refused_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InvalidInput, match="pyarrow") as refused:
        written(Table.of(["name"]), pages(), "parquet")
    assert "modelyard[parquet]" in str(refused.value.hint)
