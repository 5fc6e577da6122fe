"""Runs: made first, all of them, so that every id that a tag or model holds has its counterpart; then filled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any

from modelyard.client.errors import ClientError
from modelyard.client.mlflow_import.artifacts import Artifacts, in_parallel
from modelyard.client.mlflow_import.batches import MOST_METRICS, MOST_VALUES, send_all
from modelyard.client.mlflow_import.experiments import Experiment, Experiments
from modelyard.client.mlflow_import.marks import (
    STATE,
    WITH_ARTIFACTS,
    birth_marks,
    digest,
    is_done,
    own_tags,
    pairs,
    with_ids,
)
from modelyard.client.mlflow_import.progress import Progress
from modelyard.client.mlflow_import.report import Report
from modelyard.client.mlflow_import.source import Owner, Source
from modelyard.client.mlflow_import.target import Known, Target
from modelyard.client.mlflow_import.wire import concerns_one_thing
from modelyard.client.resource import Json

PARENT = "mlflow.parentRunId"
UNFINISHED = ("RUNNING", "SCHEDULED")


class Runs:
    """Brings runs. `artifacts` is None where those stay behind."""

    def __init__(
        self, source: Source, target: Target, report: Report, progress: Progress, artifacts: Artifacts | None
    ) -> None:
        self._source = source
        self._target = target
        self._report = report
        self._progress = progress
        self._artifacts = artifacts
        self._pending: list[tuple[str, str]] = []
        self._to_delete: list[str] = []

    def create(self, experiments: Experiments, pool: Executor, *, deleted: bool, ahead: int) -> None:
        """Make the runs that are missing, and note which are still to be filled or deleted."""
        for experiment in experiments.all:
            self._progress.begin(f"runs of {experiment.name}", None)

            def create(run: Json, experiment: Experiment = experiment) -> None:
                self._create(run, experiment)
                self._progress.advance()

            runs = self._missing(experiments, experiment, deleted=deleted)
            try:
                in_parallel(pool, create, runs, ahead=ahead)
            except ClientError as error:
                if not concerns_one_thing(error):
                    raise
                self._report.leave_out("experiments", experiment.name, error)

    def _missing(self, experiments: Experiments, experiment: Experiment, *, deleted: bool) -> Iterator[Json]:
        seen: set[str] = set()
        for run in self._source.runs(experiment.source_id, deleted=deleted):
            info, wanted = run["info"], state_of(run)
            if info["run_id"] in seen:  # pages of a source that is written to meanwhile may overlap
                continue
            seen.add(info["run_id"])
            known = self._target.runs.get(info["run_id"])
            is_deleted = info.get("lifecycle_stage") == "deleted"
            if known is not None and is_done(known.state, wanted, artifacts=self._artifacts is not None):
                self._report.found("runs")
                if is_deleted and known.stage == "active":
                    self._to_delete.append(info["run_id"])
                continue
            if known is not None and known.stage == "deleted" and not is_deleted:
                reason = "it is deleted in the project; restore it, and import again"
                self._report.leave_out("runs", info["run_id"], reason)
                continue
            experiments.open(experiment)
            if known is not None and known.stage == "deleted":
                self._target.post("runs/restore", run_id=known.id)
            self._pending.append((info["run_id"], wanted))
            if is_deleted:
                self._to_delete.append(info["run_id"])
            if known is None:
                yield run

    def _create(self, run: Json, experiment: Experiment) -> None:
        info = run["info"]
        run_id = info["run_id"]

        def find() -> Json | None:
            return self._target.find("runs/search", "runs", experiment.id, run_id, run_view_type="ALL")

        try:
            made = self._target.create(
                "runs/create",
                find=find,
                experiment_id=experiment.id,
                user_id=info.get("user_id"),
                run_name=info.get("run_name"),
                start_time=info.get("start_time"),
                tags=pairs(birth_marks(self._source.url, run_id)),
            )
        except ClientError as error:
            if not concerns_one_thing(error):
                raise
            self._report.leave_out("runs", run_id, error)
        else:
            self._target.runs[run_id] = Known(made["run"]["info"]["run_id"])

    def fill(self, pool: Executor, *, ahead: int) -> None:
        """Bring what the runs logged, several at a time."""
        self._progress.begin("runs", len(self._pending))
        in_parallel(pool, self._fill_one, self._pending, ahead=ahead)

    def _fill_one(self, pending: tuple[str, str]) -> None:
        run_id, state = pending
        known = self._target.runs.get(run_id)
        try:
            if known is not None:
                self._fill(run_id, known.id, state)
        except ClientError as error:
            if not concerns_one_thing(error):
                raise
            self._report.leave_out("runs", run_id, error)
        self._progress.advance()

    def _fill(self, run_id: str, our_id: str, state: str) -> None:
        run = self._source.run(run_id)
        info, data = run["info"], run.get("data", {})
        self._log(our_id, "metrics", self._points(run_id, data.get("metrics", ())), "metric_points")
        self._log(our_id, "params", data.get("params", ()), "params")
        self._log(our_id, "tags", pairs(self._tags(run_id, data)), "tags")
        self._log_inputs(our_id, run)
        done = self._bring_artifacts(info, our_id)
        if info["status"] in UNFINISHED:
            self._report.note("Some runs had not ended: import again when they have.")
        if info["status"] != "RUNNING":
            self._target.post("runs/update", run_id=our_id, status=info["status"], end_time=info.get("end_time"))
        if info["status"] not in UNFINISHED:
            self._target.post("runs/set-tag", run_id=our_id, key=STATE, value=state + (WITH_ARTIFACTS if done else ""))
        self._report.add("runs")

    def _log(self, our_id: str, field: str, things: Any, kind: str) -> None:
        send_all(
            lambda batch: self._target.post("runs/log-batch", run_id=our_id, **{field: batch}),
            things,
            most=MOST_METRICS if field == "metrics" else MOST_VALUES,
            kind=kind,
            report=self._report,
            name=lambda thing: str(thing["key"]),
        )

    def _points(self, run_id: str, latest: Any) -> Iterator[Json]:
        for metric in latest:
            for point in self._source.history(run_id, metric["key"]):
                yield {
                    "key": metric["key"],
                    "value": number(point.get("value", 0.0)),
                    "timestamp": point.get("timestamp", 0),
                    "step": point.get("step", 0),
                }

    def _tags(self, run_id: str, data: Json) -> dict[str, str]:
        tags = own_tags(data)
        parent = tags.get(PARENT)
        if parent and self._target.ours(parent) is None:
            reason = "the run it belongs to was not brought; the tag keeps the id that it has in the source"
            self._report.leave_out("parents", run_id, reason)
        return {
            key: with_ids(text, self._target.ours) if key.startswith("mlflow.") else text for key, text in tags.items()
        }

    def _log_inputs(self, our_id: str, run: Json) -> None:
        datasets = run.get("inputs", {}).get("dataset_inputs", ())
        send_all(
            lambda batch: self._target.post("runs/log-inputs", run_id=our_id, datasets=batch),
            datasets,
            most=MOST_VALUES,
            kind="datasets",
            report=self._report,
            name=lambda given: str(given["dataset"]["name"]),
        )
        self._log_models(our_id, "runs/log-inputs", run.get("inputs", {}).get("model_inputs", ()))
        self._log_models(our_id, "runs/outputs", run.get("outputs", {}).get("model_outputs", ()))

    def _log_models(self, our_id: str, path: str, models: Any) -> None:
        wanted = []
        for model in models:
            known = self._target.ours(model["model_id"])
            if known is None:
                reason = "the run names it, but the source does not show it or it was not brought"
                self._report.leave_out("logged_models", model["model_id"], reason)
            else:
                wanted.append({"model_id": known, **({"step": model["step"]} if "step" in model else {})})
        if wanted:
            self._target.post(path, run_id=our_id, models=wanted)

    def _bring_artifacts(self, info: Json, our_id: str) -> bool:
        if self._artifacts is None:
            return False
        root = self._target.get("runs/get", run_id=our_id)["run"]["info"]["artifact_uri"]
        return self._artifacts.bring(Owner(info["run_id"], info.get("artifact_uri", "")), root)

    def close(self) -> None:
        """Delete what the source has deleted."""
        for run_id in self._to_delete:
            known = self._target.runs.get(run_id)
            if known is not None:
                self._target.post("runs/delete", run_id=known.id)


def state_of(run: Json) -> str:
    """Return the digest of what the source shows of a run."""
    return digest({key: run.get(key) for key in ("info", "data", "inputs", "outputs")})


def number(value: Any) -> Any:
    """Write a metric's value the way that JSON can hold it."""
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
