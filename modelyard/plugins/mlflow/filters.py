"""Filters, read as everywhere in Modelyard and written as MLflow reads them.

So a bad one is refused in the same words whichever tracker a project has, and numbers that no database of MLflow's
could take are brought into its range, which changes nothing about what is found.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable

from modelyard.core.errors import InvalidInput
from modelyard.core.tracking.filters import Comparison

_PREFIXES = {"metric": "metrics.", "param": "params.", "tag": "tags.", "dataset": "datasets.", "attribute": ""}
_INT64 = 2**63 - 1


def written(comparisons: Iterable[Comparison]) -> str:
    """Return the filter as MLflow's text."""
    return " AND ".join(_one(found) for found in comparisons)


def _one(found: Comparison) -> str:
    key = found.key if found.entity in {"attribute", "dataset"} else _quoted(found.key, "`", '"')
    name = f"{_PREFIXES[found.entity]}{key}"
    if found.value is None:
        return f"{name} {found.operator}"
    if isinstance(found.value, tuple):
        return f"{name} {found.operator} ({', '.join(_quoted(value) for value in found.value)})"
    if isinstance(found.value, str):
        return f"{name} {found.operator} {_quoted(found.value)}"
    return f"{name} {found.operator} {_number(found.value, is_whole=found.entity == 'attribute')}"


def _number(value: float, *, is_whole: bool) -> str:
    if is_whole and abs(value) > _INT64:
        return str(_INT64 if value > 0 else -_INT64)
    written_out = repr(value if math.isfinite(value) else math.copysign(sys.float_info.max, value))
    return written_out.replace("e+", "e")  # MLflow reads 1e20, but not 1e+20


def _quoted(text: str, *marks: str) -> str:
    """Return the text in a mark that is not in it: MLflow knows no way to write one inside."""
    mark = next((mark for mark in marks or ("'", '"') if mark not in text), None)
    if mark is None:
        raise InvalidInput(f"An MLflow server cannot be asked for {text!r}: it holds both kinds of quotes.")
    return f"{mark}{text}{mark}"
