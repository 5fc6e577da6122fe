"""Runs from their rows: a fixed number of statements for a page, however many runs it has."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from modelyard.core.tracking.entities import (
    Dataset,
    DatasetInput,
    Metric,
    ModelInput,
    ModelOutput,
    Param,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
    Tag,
    as_number,
)
from modelyard.core.tracking.search import pages_of
from modelyard.core.tracking.sql import execute, within
from modelyard.plugins.sql_tracker.rows import key_values

_INFO = (
    "SELECT r.id, r.public_id, r.name, e.number, r.user_name, r.status, r.artifact_uri, r.lifecycle_stage,"
    " r.start_time_ms, r.end_time_ms FROM run r JOIN experiment e ON e.id = r.experiment_id WHERE {}"
)
_METRICS = (
    "SELECT run_id, key, last_value, last_is_nan, last_timestamp_ms, last_step FROM metric_series"
    " WHERE {} ORDER BY run_id, key"
)
_DATASETS = (
    "SELECT i.run_id, d.name, d.digest, d.source_type, d.source, d.schema, d.profile, i.tags"
    " FROM run_input i JOIN dataset d ON d.id = i.dataset_id WHERE {} ORDER BY i.id"
)
_MODELS_IN = (
    "SELECT i.run_id, m.public_id FROM run_model_input i JOIN logged_model m ON m.id = i.model_id"
    " WHERE {} ORDER BY i.id"
)
_MODELS_OUT = (
    "SELECT o.run_id, m.public_id, o.step FROM run_output o JOIN logged_model m ON m.id = o.model_id"
    " WHERE {} ORDER BY o.id"
)
_LINKS = (
    ("run_input", _DATASETS, "i.run_id"),
    ("run_model_input", _MODELS_IN, "i.run_id"),
    ("run_output", _MODELS_OUT, "o.run_id"),
)


def read_runs(keys: Sequence[int]) -> list[Run]:
    """Return the runs of these keys, in this order; one that is gone meanwhile is left out."""
    infos = {
        row[0]: RunInfo(
            run_id=row[1],
            run_name=row[2],
            experiment_id=str(row[3]),
            user_id=row[4],
            status=row[5],
            artifact_uri=row[6],
            lifecycle_stage=row[7],
            start_time_ms=row[8],
            end_time_ms=row[9],
        )
        for row in _rows(_INFO, "r.id", keys)
    }
    metrics = _grouped(_METRICS, "run_id", keys)
    params, tags = key_values("run_param", "run_id", keys), key_values("run_tag", "run_id", keys)
    datasets, models_in, models_out = _linked(keys)
    return [
        Run(
            info=infos[key],
            data=RunData(
                metrics=[Metric(row[1], as_number(row[2], row[3]), row[4], row[5]) for row in metrics[key]],
                params=[Param(*pair) for pair in params[key]],
                tags=[Tag(*pair) for pair in tags[key]],
            ),
            inputs=RunInputs([_dataset(row) for row in datasets[key]], [ModelInput(row[1]) for row in models_in[key]]),
            outputs=RunOutputs([ModelOutput(row[1], row[2]) for row in models_out[key]]),
        )
        for key in keys
        if key in infos
    ]


def _dataset(row: Any) -> DatasetInput:
    return DatasetInput(dataset=Dataset(*row[1:7]), tags=[Tag(key, value) for key, value in json.loads(row[7]).items()])


def _linked(keys: Sequence[int]) -> Sequence[defaultdict[int, list[Any]]]:
    """Return the datasets, models in and models out of runs; most runs have none, and one statement says so."""
    found: list[defaultdict[int, list[Any]]] = [defaultdict(list) for _ in _LINKS]
    for part in pages_of(keys):
        inside = within("run_id", part)
        asked = ", ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {inside.sql})" for table, _, _ in _LINKS)
        there = execute(f"SELECT {asked}", inside.parameters * len(_LINKS)).fetchone()
        for groups, exists, (_, statement, column) in zip(found, there, _LINKS, strict=True):
            if exists:
                groups.update(_grouped(statement, column, part))
    return found


def _rows(statement: str, column: str, keys: Sequence[int]) -> Iterator[Any]:
    for part in pages_of(keys):
        inside = within(column, part)
        yield from execute(statement.format(inside.sql), inside.parameters).fetchall()


def _grouped(statement: str, column: str, keys: Sequence[int]) -> defaultdict[int, list[Any]]:
    """Group rows by their first column."""
    groups: defaultdict[int, list[Any]] = defaultdict(list)
    for row in _rows(statement, column, keys):
        groups[row[0]].append(row)
    return groups
