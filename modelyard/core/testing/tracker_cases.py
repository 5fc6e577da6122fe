"""What the contract of `Tracker` tries: texts, numbers, filters and what they find, orders."""

from __future__ import annotations

import math
from typing import Any

from modelyard.core.tracking.entities import DatasetFilter, MetricOrder, MetricWindow

NO_RUN = "0" * 32
TEXTS = (
    "plain",
    "",
    " spaces ",
    "ünï cödé 漢字 🦊",
    "line\nbreak\ttab",
    "quo'te\"s`",
    "50% _off_ \\ [a-z] ? *",
    "x" * 6000,
)
NUMBERS = (0.0, -0.0, 0.1, -1e-308, 5e-324, 1.7976931348623157e308, 2.0**53 + 2, math.inf, -math.inf, math.nan)
EXPERIMENT_SEARCHES: list[tuple[str, list[str]]] = [
    ("", ["c", "b", "a", "Default"]),
    ("name = 'a'", ["a"]),
    ("name != 'a'", ["c", "b", "Default"]),
    ("name LIKE 'd%'", []),
    ("name ILIKE 'd%'", ["Default"]),
    ("tags.k = '1'", ["a"]),
    ("tags.k != '1'", ["b"]),
    ("tags.k IS NULL", ["c", "Default"]),
    ("tags.k IS NOT NULL AND name != 'a'", ["b"]),
    ("creation_time > 0 AND last_update_time >= 0", ["c", "b", "a", "Default"]),
]
RUN_SEARCHES: list[tuple[str, list[int]]] = [
    ("metrics.m > 1", [1]),
    ("metrics.m >= 1 AND metrics.m < 2.5", [0]),
    ("metrics.m = 1.0", [0]),
    ("metrics.m != 1", [1, 2, 4]),
    ("metrics.m <= 0", [4]),
    ("metrics.m < 2.5e+20 AND metrics.m > -1e16 AND metrics.m != 1e-7", [0, 1]),
    ("metrics.`a/b c` = 4", [4]),
    ('metrics."a/b c" = 4', [4]),
    ("metrics.none != 1", []),
    ("params.p = 'abc'", [0]),
    ("params.p != 'abc'", [1, 2, 4]),
    ("params.p LIKE 'A%'", [1, 4]),
    ("params.p LIKE 'ab_'", [0]),
    ("params.p ILIKE 'ab_'", [0, 1, 4]),
    ("params.p LIKE '%\\%'", []),
    ("params.p LIKE 'a[b%]c'", []),
    ("params.p IS NULL", [3]),
    ("params.p IS NOT NULL AND metrics.m != 1", [1, 2, 4]),
    ("tags.n = '3'", [3]),
    ("tag.n = '3' and tags.n != '4'", [3]),
    ("attributes.status = 'FINISHED'", [0]),
    ("status != 'FINISHED' AND start_time >= 3", [3, 4]),
    ("end_time > 0", [0]),
    ("run_name = 'run2'", [2]),
    ("attributes.`Run name` LIKE '%2'", [2]),
    ("user_id = 'ada' AND start_time < 1", [0]),
    ("start_time < 99999999999999999999", [0, 1, 2, 3, 4]),
    ("dataset.name = 'iris' AND datasets.context = 'train'", [1]),
    ("dataset.digest LIKE 'd%'", [1]),
    ("dataset.context IN ('train', 'test')", [1]),
    ("dataset.name != 'iris'", []),
]
RUN_ORDERS: list[tuple[list[str], list[int]]] = [
    ([], [4, 3, 2, 1, 0]),
    (["start_time"], [0, 1, 2, 3, 4]),
    (["metrics.m"], [4, 0, 1, 2, 3]),
    (["metrics.m DESC"], [1, 0, 4, 2, 3]),
    (["params.p"], [1, 4, 2, 0, 3]),
    (["params.p DESC"], [0, 2, 4, 1, 3]),
    (["status", "start_time ASC"], [0, 1, 2, 3, 4]),
    (["attributes.end_time DESC", "tags.n"], [0, 1, 2, 3, 4]),
    (["run_name DESC"], [4, 3, 2, 1, 0]),
    (["metrics.`a/b c`"], [0, 1, 2, 4, 3]),
]
MODEL_SEARCHES: list[tuple[dict[str, Any], list[int]]] = [
    ({"filter": "name = 'model1'"}, [1]),
    ({"filter": "attributes.name LIKE 'model%' AND params.p != '0'"}, [1, 2, 3]),
    ({"filter": "metrics.m > 50"}, [0, 1, 2]),
    ({"filter": "metrics.m > 50", "datasets": [DatasetFilter("d")]}, []),
    ({"datasets": [DatasetFilter("d", "v1"), DatasetFilter("d", "v2")]}, [1, 2]),
    ({"filter": "tags.t = 'x' AND status = 'PENDING'"}, [0, 1, 2, 3]),
    ({"filter": "params.p IN ('0', '3')"}, [0, 3]),
    ({"order_by": [MetricOrder(field_name="name", ascending=False)]}, [3, 2, 1, 0]),
]
NAN_MODEL_SEARCHES: list[tuple[dict[str, Any], list[int], list[int]]] = [
    ({"filter": "metrics.m < 1"}, [0, 1], [0, 1, 2]),
    ({"order_by": [MetricOrder(field_name="metrics.m")]}, [1, 0, 2, 3], [2, 1, 0, 3]),
    ({"order_by": [MetricOrder(field_name="metrics.m", ascending=False)]}, [0, 1, 2, 3], [0, 1, 2, 3]),
]
"""Searches that NaN decides: what they find, and what they find where NaN of a logged model is kept as 0."""

NONSENSE = ["nonsense", "metrics.m > 'x'", "params.p = 3", "unknown = 'x'", "metrics.m > 1 OR metrics.m < 0"]

WINDOWS: list[tuple[MetricWindow, list[int]]] = [
    (MetricWindow(start_step=8), [8, 9]),
    (MetricWindow(end_step=1), [0, 1]),
    (MetricWindow(start_step=3, end_step=3), [3]),
    (MetricWindow(start_time_ms=998), [0, 1, 2]),
    (MetricWindow(start_time_ms=995, end_time_ms=996), [4, 5]),
    (MetricWindow(start_step=5, start_time_ms=994), [5, 6]),
    (MetricWindow(start_step=10), []),
]
"""Parts of ten points with steps from 0 and times down from 1000, and the steps that are in them."""
