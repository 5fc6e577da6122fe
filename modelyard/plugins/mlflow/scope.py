"""Which experiments of an MLflow server are a connection's, and how they are called here.

Without a prefix all of them are, under MLflow's own names and ids. With one it is those whose names begin with it: they
are shown without it, and what is made gets it. Ids are MLflow's own, but for "0", which stands for ``<prefix>Default``.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from time import monotonic
from typing import NamedTuple

from modelyard.core.errors import AlreadyExists, NotFound
from modelyard.core.tracking.entities import DEFAULT_EXPERIMENT_ID, Experiment
from modelyard.core.tracking.filters import EXPERIMENTS, Comparison, parse_filter
from modelyard.core.tracking.limits import parse_experiment_id
from modelyard.plugins.mlflow.answers import experiment_of
from modelyard.plugins.mlflow.filters import written
from modelyard.plugins.mlflow.server import MlflowServer

LONGEST_SECONDS = 5.0
MOST_KNOWN_RUNS = 10_000
PAGE = 1000
DEFAULT_NAME = "Default"


class Known(NamedTuple):
    """The experiments that were there when it was looked, by MLflow's id."""

    experiments: dict[str, Experiment]
    expires: float


class Scope:
    """Tells the connection's experiments and runs from others. What it remembers counts for at most 5 seconds."""

    def __init__(self, server: MlflowServer, prefix: str) -> None:
        self._server = server
        self.prefix = prefix
        self._known = Known({}, 0.0)
        self._experiment_of_run: dict[str, str] = {}
        self._default_id = ""
        self._lock = threading.Lock()

    def mlflow_id(self, experiment_id: str) -> str:
        """Return MLflow's id for one of the connection's experiments; `NotFound` for any other."""
        if not self.prefix:
            return str(parse_experiment_id(experiment_id))
        if experiment_id == DEFAULT_EXPERIMENT_ID:
            return self.ensure_default()
        found = str(parse_experiment_id(experiment_id))
        if not self.has(found):
            raise NotFound(f"No Experiment with id={experiment_id} exists.")
        return found

    def shown_id(self, mlflow_id: str) -> str:
        """Return the id that MLflow's has here."""
        return DEFAULT_EXPERIMENT_ID if self.prefix and mlflow_id == self._default_id else mlflow_id

    def shown(self, experiment: Experiment) -> Experiment:
        """Return the experiment with the id and name that it has here."""
        experiment.experiment_id = self.shown_id(experiment.experiment_id)
        experiment.name = experiment.name.removeprefix(self.prefix)
        return experiment

    def owns(self, experiment: Experiment) -> bool:
        """Whether the experiment, as MLflow has it, is the connection's."""
        if not self.prefix:
            return True
        return experiment.name.startswith(self.prefix) and experiment.experiment_id != DEFAULT_EXPERIMENT_ID

    def has(self, mlflow_id: str) -> bool:
        """Whether the connection has an experiment of that id of MLflow's."""
        return not self.prefix or mlflow_id in self._remembered() or mlflow_id in self.experiments()

    def only_own(self, experiment_ids: Sequence[str] | None) -> list[str]:
        """Return MLflow's ids of those that are the connection's; of all of them for None."""
        if experiment_ids is None:
            self.ensure_default()
            return list(self.experiments())
        wanted = [str(parse_experiment_id(experiment_id)) for experiment_id in experiment_ids]
        if not self.prefix:
            return wanted
        default = self.ensure_default()
        wanted = [default if experiment_id == DEFAULT_EXPERIMENT_ID else experiment_id for experiment_id in wanted]
        known = self._remembered()
        own = known if known.keys() >= set(wanted) else self.experiments()
        return [experiment_id for experiment_id in wanted if experiment_id in own]

    def locations(self, mlflow_id: str) -> list[str]:
        """Return where the artifacts of the connection's experiments go; looked up anew where this one is not known."""
        known = self._remembered()
        found = known if mlflow_id in known else self.experiments()
        return [experiment.artifact_location for experiment in found.values()]

    def experiments(self) -> dict[str, Experiment]:
        """Ask for all of the connection's experiments, deleted ones too, by MLflow's id."""
        found: dict[str, Experiment] = {}
        fields = {"max_results": PAGE, "view_type": "ALL", "filter": self._narrowed([])}
        for page in self._server.pages("experiments/search", fields):
            made = (experiment_of(raw) for raw in page.get("experiments", ()))
            found |= {experiment.experiment_id: experiment for experiment in made if self.owns(experiment)}
        self._known = Known(found, monotonic() + LONGEST_SECONDS)
        return found

    def check_run(self, run_id: str, experiment_id: str) -> None:
        """Raise `NotFound` for a run of somebody else's experiment. A run never changes its experiment."""
        if not self.has(experiment_id):
            raise NotFound(f"Run with id={run_id} not found.")
        if self.prefix:
            with self._lock:
                self._experiment_of_run[run_id] = experiment_id
                if len(self._experiment_of_run) > MOST_KNOWN_RUNS:
                    del self._experiment_of_run[next(iter(self._experiment_of_run))]

    def require_run(self, run_id: str) -> None:
        """Raise `NotFound` for a run of somebody else's; asks the server where the run is not known yet."""
        if not self.prefix:
            return
        experiment_id = self._experiment_of_run.get(run_id)
        if experiment_id is None:
            experiment_id = self._server.get("runs/get", run_id=run_id)["run"]["info"]["experiment_id"]
        self.check_run(run_id, experiment_id)

    def ensure_default(self) -> str:
        """Return MLflow's id of the experiment that is "0" here, made now where it is not there yet."""
        if not self.prefix:
            return DEFAULT_EXPERIMENT_ID
        if not self._default_id:
            self._default_id = self._find_default() or self._make_default()
        return self._default_id

    def filter(self, text: str) -> str:
        """Return a filter of experiments as MLflow is asked it: names with the prefix, and only those."""
        return self._narrowed(parse_filter(text, EXPERIMENTS))

    def _find_default(self) -> str:
        name = f"{self.prefix}{DEFAULT_NAME}"
        try:
            found = self._server.get("experiments/get-by-name", experiment_name=name)
        except NotFound:
            return ""
        return experiment_of(found["experiment"]).experiment_id

    def _make_default(self) -> str:
        try:
            made = self._server.send("experiments/create", {"name": f"{self.prefix}{DEFAULT_NAME}"})
        except AlreadyExists:
            return self._find_default()
        return str(made["experiment_id"])

    def _remembered(self) -> dict[str, Experiment]:
        known = self._known
        return known.experiments if monotonic() < known.expires else {}

    def _narrowed(self, comparisons: Sequence[Comparison]) -> str:
        own = [Comparison("attribute", "name", "LIKE", f"{self.prefix}%")] if self.prefix else []
        return written([*own, *map(self._translated, comparisons)])

    def _translated(self, found: Comparison) -> Comparison:
        """Return the comparison about what MLflow has."""
        if not self.prefix or found.key not in {"name", "experiment_id"} or found.entity != "attribute":
            return found
        values = found.value if isinstance(found.value, tuple) else (str(found.value),)
        if found.key == "name":
            changed = tuple(self.prefix + value for value in values)
        else:
            default = self.ensure_default()
            changed = tuple(default if value == DEFAULT_EXPERIMENT_ID else value for value in values)
        value = changed if isinstance(found.value, tuple) else changed[0]
        return Comparison(found.entity, found.key, found.operator, value)
