"""Runs as a table in a file: CSV, JSON (an array, or an object on each line) or Parquet.

A table has a row for each run. Its columns are the run's own (`COLUMNS`) and ``params.KEY``, ``metrics.KEY`` and
``tags.KEY``. It is written as it is read, a page of runs at a time. Texts in CSV that a spreadsheet would run as a
formula get an apostrophe in front, unless they are numbers; JSON and Parquet have every text as it is.
"""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec

from modelyard.core.errors import InvalidInput
from modelyard.core.tracking.entities import PARENT_TAG, Run

FORMS = {
    "csv": "text/csv",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
COLUMNS: dict[str, Callable[[Run], Any]] = {
    "run_id": lambda run: run.info.run_id,
    "name": lambda run: run.info.run_name,
    "experiment_id": lambda run: run.info.experiment_id,
    "status": lambda run: run.info.status,
    "lifecycle_stage": lambda run: run.info.lifecycle_stage,
    "user": lambda run: run.info.user_id,
    "started_at_ms": lambda run: run.info.start_time_ms,
    "ended_at_ms": lambda run: run.info.end_time_ms,
    "parent_run_id": lambda run: next((tag.value for tag in run.data.tags if tag.key == PARENT_TAG), None),
}
NUMBERS = frozenset({"started_at_ms", "ended_at_ms"})
GROUPS = ("params", "metrics", "tags")
MOST_COLUMNS = 20_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Table:
    """The columns of a file, in order."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = list(columns)

    @classmethod
    def of(cls, columns: Sequence[str]) -> Table:
        """Make a table of the columns that were asked for; `InvalidInput` for one that cannot be."""
        for name in columns:
            group, dot, key = name.partition(".")
            if name not in COLUMNS and not (dot and key and group in GROUPS):
                raise InvalidInput(
                    f"There is no column {name[:100]!r}.",
                    hint=f"There are {', '.join(COLUMNS)}, params.KEY, metrics.KEY and tags.KEY.",
                    field="column",
                )
        return cls(list(dict.fromkeys(columns)))

    @classmethod
    def found_in(cls, pages: Iterable[Sequence[Run]]) -> Table:
        """Make a table of all that the runs have."""
        found: set[str] = set()
        for run in chain.from_iterable(pages):
            found.update(f"{group}.{one.key}" for group in GROUPS for one in getattr(run.data, group))
            if len(found) > MOST_COLUMNS:
                raise InvalidInput(
                    f"The runs have more than {MOST_COLUMNS} different params, metrics and tags.",
                    hint="Name the columns that are wanted.",
                    field="column",
                )
        return cls([*COLUMNS, *sorted(found, key=lambda name: (GROUPS.index(name.split(".")[0]), name))])

    def row(self, run: Run) -> list[Any]:
        """Return the run's value in each column; None where it has none."""
        known = {f"{group}.{one.key}": one.value for group in GROUPS for one in getattr(run.data, group)}
        return [COLUMNS[name](run) if name in COLUMNS else known.get(name) for name in self.columns]


def written(table: Table, pages: Iterator[Sequence[Run]], form: str) -> Iterator[bytes]:
    """Return the file's pieces; the first page is read at once, so that what is wrong is known before any is sent."""
    write = {"csv": _csv, "json": _json, "ndjson": _ndjson, "parquet": _parquet}[form]
    if form == "parquet":
        _pyarrow("pyarrow")
    return write(table, chain([next(pages)], pages))


def csv_line(cells: Iterable[Any]) -> bytes:
    """Write a line of CSV that no spreadsheet takes for formulas."""
    line = io.StringIO()
    csv.writer(line).writerow([_guarded(value) if isinstance(value, str) else value for value in cells])
    return line.getvalue().encode()


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and "_" not in text and text.strip() == text


def _csv(table: Table, pages: Iterable[Sequence[Run]]) -> Iterator[bytes]:
    yield csv_line(table.columns)
    for page in pages:
        yield b"".join(csv_line(table.row(run)) for run in page)


def _object(table: Table, run: Run) -> bytes:
    pairs = zip(table.columns, table.row(run), strict=True)
    return msgspec.json.encode({name: value for name, value in pairs if value is not None})


def _ndjson(table: Table, pages: Iterable[Sequence[Run]]) -> Iterator[bytes]:
    for page in pages:
        yield b"".join(_object(table, run) + b"\n" for run in page)


def _json(table: Table, pages: Iterable[Sequence[Run]]) -> Iterator[bytes]:
    separator = b"["
    for page in pages:
        for run in page:
            yield separator + _object(table, run)
            separator = b",\n"
    yield b"[]\n" if separator == b"[" else b"]\n"


class _Sink(io.RawIOBase):
    """What Parquet is written into: gives away what it has, and knows how much it was in all."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._count = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        self._count += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._count

    def take(self) -> bytes:
        taken, self._pieces = b"".join(self._pieces), []
        return taken


def _parquet(table: Table, pages: Iterable[Sequence[Run]]) -> Iterator[bytes]:
    """Write a row group for each page; times and metrics are numbers, all else is text."""
    arrow, parquet = _pyarrow("pyarrow"), _pyarrow("pyarrow.parquet")
    is_metric = [name.startswith("metrics.") for name in table.columns]
    types = [
        arrow.float64() if metric else arrow.int64() if name in NUMBERS else arrow.string()
        for name, metric in zip(table.columns, is_metric, strict=True)
    ]
    schema = arrow.schema(list(zip(table.columns, types, strict=True)))
    sink = _Sink()
    with parquet.ParquetWriter(sink, schema) as writer:
        for page in pages:
            rows = [table.row(run) for run in page]
            columns = [
                [float(row[index]) if metric and row[index] is not None else row[index] for row in rows]
                for index, metric in enumerate(is_metric)
            ]
            arrays = [arrow.array(column, kind) for column, kind in zip(columns, types, strict=True)]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
            yield sink.take()
    yield sink.take()


def _pyarrow(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InvalidInput(
            "Parquet needs pyarrow, which this server does not have.",
            hint="Its administrator runs pip install 'modelyard[parquet]'; csv and json need nothing.",
            field="format",
        ) from None
