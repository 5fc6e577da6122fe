"""What an import would bring: counts, and nothing is changed anywhere."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.client.errors import NotFoundError
from modelyard.client.mlflow_import import logged_models, runs
from modelyard.client.mlflow_import.experiments import chosen_experiments
from modelyard.client.mlflow_import.marks import is_done
from modelyard.client.mlflow_import.progress import Progress
from modelyard.client.mlflow_import.report import Report
from modelyard.client.mlflow_import.source import Source
from modelyard.client.mlflow_import.target import Target
from modelyard.client.resource import Json


class Survey:
    """Counts what the source has and the project has not; metrics by their keys, artifacts not at all."""

    def __init__(self, source: Source, target: Target, report: Report, progress: Progress, *, artifacts: bool) -> None:
        self._source = source
        self._target = target
        self._report = report
        self._progress = progress
        self._artifacts = artifacts

    def take(self, names: Sequence[str], *, deleted: bool, models: bool) -> None:
        """Count everything."""
        present = {experiment["name"] for experiment in self._target.experiments()}
        for experiment in chosen_experiments(self._source, names, deleted=deleted):
            self._count("experiments", there=experiment["name"] in present)
            self._progress.begin(f"runs of {experiment['name']}", None)
            for run in self._source.runs(experiment["experiment_id"], deleted=deleted):
                self._count_run(run)
                self._progress.advance()
            self._count_logged_models(experiment["experiment_id"])
        if models:
            self._count_models()

    def _count_run(self, run: Json) -> None:
        known = self._target.runs.get(run["info"]["run_id"])
        there = known is not None and is_done(known.state, runs.state_of(run), artifacts=self._artifacts)
        self._count("runs", there=there)
        if not there:
            for kind in ("metrics", "params", "tags"):
                self._report.add(kind, len(run.get("data", {}).get(kind, ())))
            self._report.add("datasets", len(run.get("inputs", {}).get("dataset_inputs", ())))

    def _count_logged_models(self, experiment_id: str) -> None:
        try:
            for model in self._source.logged_models(experiment_id):
                known = self._target.models.get(model["info"]["model_id"])
                wanted = logged_models.state_of(model)
                there = known is not None and is_done(known.state, wanted, artifacts=self._artifacts)
                self._count("logged_models", there=there)
        except NotFoundError:
            self._report.note(f"The source (MLflow {self._source.version}) has no logged models; MLflow 3 has.")

    def _count_models(self) -> None:
        ours = {model["name"] for model in self._target.pages("GET", "registered-models/search", "registered_models")}
        for model in self._source.registered_models():
            self._count("registered_models", there=model["name"] in ours)
            self._report.add("model_versions", len(self._source.versions(model["name"])))

    def _count(self, kind: str, *, there: bool) -> None:
        if there:
            self._report.found(kind)
        else:
            self._report.add(kind)
