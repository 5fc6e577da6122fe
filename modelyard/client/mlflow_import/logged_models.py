"""Logged models of MLflow 3: made before the runs are filled, which name them; filled afterwards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import Executor

from modelyard.client.errors import ClientError, NotFoundError
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
    without,
)
from modelyard.client.mlflow_import.progress import Progress
from modelyard.client.mlflow_import.report import Report
from modelyard.client.mlflow_import.runs import number
from modelyard.client.mlflow_import.source import Owner, Source
from modelyard.client.mlflow_import.target import Known, Target
from modelyard.client.mlflow_import.wire import concerns_one_thing
from modelyard.client.resource import Json

PENDING = "LOGGED_MODEL_PENDING"


class LoggedModels:
    """Brings logged models. `artifacts` is None where those stay behind."""

    def __init__(
        self, source: Source, target: Target, report: Report, progress: Progress, artifacts: Artifacts | None
    ) -> None:
        self._source = source
        self._target = target
        self._report = report
        self._progress = progress
        self._artifacts = artifacts
        self._pending: list[tuple[str, str]] = []

    def create(self, experiments: Experiments) -> None:
        """Make the models that are missing, and note which are still to be filled."""
        for experiment in experiments.all:
            self._progress.begin(f"logged models of {experiment.name}", None)
            try:
                for model in self._source.logged_models(experiment.source_id):
                    self._note(experiments, experiment, model)
                    self._progress.advance()
            except NotFoundError:
                self._report.note(f"The source (MLflow {self._source.version}) has no logged models; MLflow 3 has.")
                return
            except ClientError as error:
                if not concerns_one_thing(error):
                    raise
                self._report.leave_out("logged_models", experiment.name, error)

    def _note(self, experiments: Experiments, experiment: Experiment, model: Json) -> None:
        model_id, wanted = model["info"]["model_id"], state_of(model)
        known = self._target.models.get(model_id)
        if known is not None and is_done(known.state, wanted, artifacts=self._artifacts is not None):
            self._report.found("logged_models")
            return
        experiments.open(experiment)
        self._pending.append((model_id, wanted))
        if known is None:
            self._create(experiment, model["info"])

    def _create(self, experiment: Experiment, info: Json) -> None:
        model_id = info["model_id"]
        marks = birth_marks(self._source.url, model_id, created_ms=info.get("creation_timestamp_ms"))
        try:
            made = self._target.create(
                "logged-models",
                find=lambda: self._find(experiment, model_id),
                experiment_id=experiment.id,
                name=info.get("name"),
                model_type=info.get("model_type"),
                source_run_id=self._target.ours(info.get("source_run_id", "")),
                tags=pairs(marks),
            )
        except ClientError as error:
            if not concerns_one_thing(error):
                raise
            self._report.leave_out("logged_models", model_id, error)
        else:
            self._target.models[model_id] = Known(made["model"]["info"]["model_id"])

    def _find(self, experiment: Experiment, model_id: str) -> Json | None:
        return self._target.find("logged-models/search", "models", experiment.id, model_id)

    def fill(self, pool: Executor, *, ahead: int) -> None:
        """Bring what belongs to the models, several at a time."""
        self._progress.begin("logged models", len(self._pending))
        in_parallel(pool, self._fill_one, self._pending, ahead=ahead)

    def _fill_one(self, pending: tuple[str, str]) -> None:
        model_id, state = pending
        known = self._target.models.get(model_id)
        try:
            if known is not None:
                self._fill(self._source.get(f"logged-models/{model_id}")["model"], known.id, state)
        except ClientError as error:
            if not concerns_one_thing(error):
                raise
            self._report.leave_out("logged_models", model_id, error)
        self._progress.advance()

    def _fill(self, model: Json, our_id: str, state: str) -> None:
        info, data = model["info"], model.get("data", {})
        address = f"logged-models/{our_id}"
        self._send(lambda batch: self._target.post(f"{address}/params", params=batch), data.get("params", ()), "params")
        self._send(lambda batch: self._target.patch(f"{address}/tags", tags=batch), pairs(self._tags(info)), "tags")
        self._log_metrics(data, our_id)
        done = self._bring_artifacts(info, our_id)
        if info.get("status", PENDING) != PENDING:
            self._target.patch(address, status=info["status"])
            self._target.patch(
                f"{address}/tags", tags=[{"key": STATE, "value": state + (WITH_ARTIFACTS if done else "")}]
            )
        self._report.add("logged_models")

    def _tags(self, info: Json) -> dict[str, str]:
        return {
            key: with_ids(text, self._target.ours) if key.startswith("mlflow.") else text
            for key, text in own_tags(info).items()
        }

    def _log_metrics(self, data: Json, our_id: str) -> None:
        """Say of the points, which their runs have already, that they were measured on this model."""
        by_run: dict[str, list[Json]] = defaultdict(list)
        for metric in data.get("metrics", ()):
            point = {**metric, "value": number(metric.get("value", 0.0)), "model_id": our_id}
            by_run[metric.get("run_id", "")].append(without(point, ["run_id"]))
        for run_id, points in by_run.items():
            our_run = self._target.ours(run_id)
            if our_run is None:
                reason = "the run that measured them was not brought"
                self._report.leave_out("model_metrics", run_id, reason, count=len(points))
                continue
            self._log_points(our_run, points)

    def _log_points(self, our_run: str, points: list[Json]) -> None:
        def send(batch: list[Json]) -> Json:
            return self._target.post("runs/log-batch", run_id=our_run, metrics=batch)

        self._send(send, points, "model_metrics", most=MOST_METRICS)

    def _send(
        self, send: Callable[[list[Json]], Json], things: Iterable[Json], kind: str, *, most: int = MOST_VALUES
    ) -> None:
        send_all(send, things, most=most, kind=kind, report=self._report, name=lambda thing: str(thing["key"]))

    def _bring_artifacts(self, info: Json, our_id: str) -> bool:
        if self._artifacts is None:
            return False
        root = self._target.get(f"logged-models/{our_id}")["model"]["info"]["artifact_uri"]
        owner = Owner(info["model_id"], info.get("artifact_uri", ""), is_model=True)
        return self._artifacts.bring(owner, root)


def state_of(model: Json) -> str:
    """Return the digest of what the source shows of a logged model."""
    return digest(without(model["info"], ["last_updated_timestamp_ms", "registrations"]), model.get("data"))
