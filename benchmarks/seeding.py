"""The same runs in every server: through the wire, and for MLflow, which would take hours, into its tables."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from servers import Mlflow, Server, Space
from wire import Request, Wire, drive, post

NOW = 1_760_000_000_000
BATCH = 1000
WRITERS = 8
DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Run:
    """What run number `number` of a filled space says; every server is given the same."""

    number: int

    @property
    def name(self) -> str:
        """Its name."""
        return f"run-{self.number}"

    @property
    def metrics(self) -> dict[str, float]:
        """Five metrics, even between 0 and 1."""
        draw = random.Random(self.number)
        return {f"m{key}": draw.random() for key in range(5)}

    @property
    def params(self) -> dict[str, str]:
        """Five params of ten values each."""
        return {f"p{key}": str((self.number * (key + 1)) % 10) for key in range(5)}

    @property
    def tags(self) -> dict[str, str]:
        """Three tags."""
        return {f"t{key}": f"tag {self.number % (7 + key)}" for key in range(3)}


def pairs(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a dict as the protocol's list of keys and values."""
    return [{"key": key, "value": value} for key, value in values.items()]


def fill_runs(server: Server, space: Space, numbers: range) -> float:
    """Create runs through the wire, by eight clients; returns the seconds."""

    def fill(mine: range) -> Iterator[Request]:
        wire = Wire(server)
        for number in mine:
            run = Run(number)
            run_id = wire.create_run(space, start_time=NOW + number, run_name=run.name, tags=pairs(run.tags))
            metrics = [{**pair, "timestamp": NOW, "step": 0} for pair in pairs(run.metrics)]
            yield post(space, "runs/log-batch", run_id=run_id, metrics=metrics, params=pairs(run.params))

    began = time.perf_counter()
    done = drive(server, [fill(numbers[first::WRITERS]) for first in range(WRITERS)], DAY_SECONDS)
    if done.errors or len(done.took) != len(numbers):
        raise RuntimeError(f"{server.name}: {len(done.took)} of {len(numbers)} runs were made: {done.errors[:1]}")
    return time.perf_counter() - began


def fill_history(server: Server, space: Space, run_id: str, key: str, steps: range) -> float:
    """Log a history through the wire, 1000 points in a request; returns the seconds."""

    def batches() -> Iterator[Request]:
        for first in steps[::BATCH]:
            points = map(history_point, range(first, min(first + BATCH, steps.stop)))
            metrics = [{"key": key, "value": value, "timestamp": at, "step": step} for step, at, value in points]
            yield post(space, "runs/log-batch", run_id=run_id, metrics=metrics)

    began = time.perf_counter()
    done = drive(server, [batches()], DAY_SECONDS)
    if done.errors or len(done.took) != len(steps[::BATCH]):
        raise RuntimeError(f"{server.name}: the history broke off: {done.errors[:1]}")
    return time.perf_counter() - began


def history_point(step: int) -> tuple[int, int, float]:
    """Return step, time and value of a point of the long histories: a slope with a spike in each thousand."""
    return step, NOW + step, step * 0.001 + (50.0 if step % 1000 == 500 else 0.0)


def fill_mlflow_runs(server: Mlflow, space: Space, numbers: range) -> None:
    """Put runs into MLflow's tables."""
    experiment = int(space.experiment_id)
    runs, metrics, params, tags = [], [], [], []
    for number in numbers:
        run, run_id = Run(number), f"{experiment:08x}{number:024x}"
        at = f"mlflow-artifacts:/{experiment}/{run_id}/artifacts"
        who = ("UNKNOWN", "", "", "", "RUNNING", "active", "")
        runs.append((run_id, run.name, *who, NOW + number, at, experiment))
        metrics += [(key, value, NOW, 0, False, run_id) for key, value in run.metrics.items()]
        params += [(key, value, run_id) for key, value in run.params.items()]
        tags += [(key, value, run_id) for key, value in {**run.tags, "mlflow.runName": run.name}.items()]
    said = "run_uuid name source_type source_name entry_point_name user_id status lifecycle_stage source_version"
    points = ("key", "value", "timestamp", "step", "is_nan", "run_uuid")
    load(server.database_url, "runs", [*said.split(), "start_time", "artifact_uri", "experiment_id"], runs)
    load(server.database_url, "metrics", points, metrics)
    load(server.database_url, "latest_metrics", points, metrics)
    load(server.database_url, "params", ("key", "value", "run_uuid"), params)
    load(server.database_url, "tags", ("key", "value", "run_uuid"), tags)
    analyze(server.database_url)


def fill_mlflow_history(server: Mlflow, run_id: str, key: str, steps: range) -> None:
    """Put a history into MLflow's tables."""
    points = ("key", "value", "timestamp", "step", "is_nan", "run_uuid")
    rows = [(key, value, at, step, False, run_id) for step, at, value in map(history_point, steps)]
    load(server.database_url, "metrics", points, rows)
    load(server.database_url, "latest_metrics", points, rows[-1:])
    analyze(server.database_url)


def load(database_url: str, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write rows by the quickest way of the database."""
    names = ", ".join(columns)
    if database_url.startswith("sqlite"):
        with sqlite3.connect(database_url.removeprefix("sqlite:///"), timeout=60) as connection:
            marks = ", ".join("?" * len(columns))
            connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
        connection.close()
        return
    import psycopg

    with (
        psycopg.connect(database_url) as db,
        db.cursor() as cursor,
        cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)


def analyze(database_url: str) -> None:
    """Let the database know what is in its tables."""
    if database_url.startswith("sqlite"):
        with sqlite3.connect(database_url.removeprefix("sqlite:///"), timeout=60) as connection:
            connection.execute("ANALYZE")
        connection.close()
        return
    import psycopg

    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ANALYZE")
