"""Events as files: a JSON object on each line, or CSV that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

COLUMNS = (
    *("id", "occurred_at", "action", "actor_kind", "actor_id", "actor_name", "object_kind", "object_id", "object_name"),
    *("organization", "project", "before", "after", "request_id", "address"),
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def as_ndjson(events: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield each event as a line of JSON, in the shape of the API's lists."""
    for event in events:
        yield json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n"


def as_csv(events: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield a line with the columns' names and one for each event; `before` and `after` are JSON."""
    yield _line(COLUMNS)
    for event in events:
        yield _line([_guarded(_cell(event, column)) for column in COLUMNS])


def _cell(event: dict[str, Any], column: str) -> str:
    noun, _, part = column.partition("_")
    value = event[noun][part] if noun in ("actor", "object") else event[column]
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return "" if value is None else str(value)


def _guarded(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would run."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _line(cells: Iterable[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()
