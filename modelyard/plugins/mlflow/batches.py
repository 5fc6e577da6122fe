"""What is logged to runs.

MLflow writes the params, the metrics and the tags of a batch one after another, and checks each before it writes that.
What it would refuse halfway is therefore looked for before anything is sent; only a server that dies between two of its
own steps leaves a part, and the same batch sent again completes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelyard.core.errors import Conflict, InvalidInput
from modelyard.core.tracking.entities import DatasetInput, Metric, ModelInput, ModelOutput
from modelyard.plugins.mlflow.answers import given_metric, pairs
from modelyard.plugins.mlflow.logged_models import LoggedModelVerbs


class LoggingVerbs(LoggedModelVerbs):
    """Metrics, params, tags, inputs and outputs of runs of an MLflow server."""

    def log_batch(
        self,
        project_id: int,
        run_id: str,
        *,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Send it in one request, once the logged models that it names are found."""
        self._scope.require_run(run_id)
        for model_id in sorted({metric.model_id for metric in metrics if metric.model_id}):
            self.get_logged_model(project_id, model_id)
        fields = {
            "run_id": run_id,
            "metrics": [given_metric(metric) for metric in metrics],
            "params": pairs(params),
            "tags": pairs(tags),
        }
        try:
            self._server.send("runs/log-batch", fields)
        except InvalidInput:
            self._explain(run_id, params or {})
            raise

    def delete_run_tag(self, project_id: int, run_id: str, key: str) -> None:
        """Remove it."""
        self._scope.require_run(run_id)
        try:
            self._server.send("runs/delete-tag", {"run_id": run_id, "key": key})
        except InvalidInput:
            self._active(run_id)
            raise

    def log_inputs(
        self, project_id: int, run_id: str, *, datasets: Sequence[DatasetInput] = (), models: Sequence[ModelInput] = ()
    ) -> None:
        """Note what the run is not known to use yet."""
        known = {model.model_id for model in self._active(run_id).inputs.model_inputs}
        new = [model for model in models if model.model_id not in known]
        for model in new:
            self.get_logged_model(project_id, model.model_id)
        if datasets or new:
            self._server.send("runs/log-inputs", {"run_id": run_id, "datasets": list(datasets), "models": new})

    def log_outputs(self, project_id: int, run_id: str, models: Sequence[ModelOutput]) -> None:
        """Note what the run is not known to have made yet; MLflow keeps one step for each model."""
        known = {model.model_id for model in self._active(run_id).outputs.model_outputs}
        new = {model.model_id: model for model in models if model.model_id not in known}
        for model_id in new:
            self.get_logged_model(project_id, model_id)
        if new:
            self._server.send("runs/outputs", {"run_id": run_id, "models": list(new.values())})

    def _explain(self, run_id: str, params: Mapping[str, str]) -> None:
        """Raise `Conflict` where that is what MLflow calls a bad input: a deleted run, or a param that differs."""
        kept = {param.key: param.value for param in self._active(run_id).data.params}
        changed = [key for key, value in params.items() if kept.get(key, value) != value]
        if changed:
            key = changed[0]
            raise Conflict(
                f"Changing param values is not allowed. The param {key!r} of the run {run_id} has the value"
                f" {kept[key][:100]!r}, not {params[key][:100]!r}."
            )
