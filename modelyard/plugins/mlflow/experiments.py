"""Verbs of experiments."""

from __future__ import annotations

from collections.abc import Mapping

from modelyard.core.errors import AlreadyExists, Conflict, InvalidInput, InvalidTransition, NotFound
from modelyard.core.tracking.entities import Change, Experiment, Page, Query, Tag
from modelyard.core.tracking.paging import fingerprint, make_token, read_token
from modelyard.plugins.mlflow.answers import experiment_of, pairs, view_type
from modelyard.plugins.mlflow.base import OnMlflow


class ExperimentVerbs(OnMlflow):
    """Experiments of an MLflow server."""

    def create_experiment(
        self, project_id: int, *, name: str, artifact_location: str | None = None, tags: Mapping[str, str] | None = None
    ) -> Experiment:
        """Make it and read it back: MLflow answers with the id alone."""
        self._scope.ensure_default()
        if self._scope.prefix and (artifact_location or "").startswith("mlflow-artifacts:"):
            raise InvalidInput(
                f"The artifact location {artifact_location!r} may be another project's.",
                hint="Leave it out: the MLflow server chooses a folder for the experiment.",
                field="artifact_location",
            )
        fields = {"name": self._scope.prefix + name, "artifact_location": artifact_location, "tags": pairs(tags)}
        try:
            made = self._server.send("experiments/create", fields)
        except AlreadyExists:
            raise _taken(name) from None
        return self._get(str(made["experiment_id"]))

    def get_experiment(self, project_id: int, experiment_id: str) -> Experiment:
        """Read one."""
        found = self._get(self._scope.mlflow_id(experiment_id))
        if found.experiment_id != experiment_id:
            raise NotFound(f"No Experiment with id={experiment_id} exists.")
        return found

    def get_experiment_by_name(self, project_id: int, name: str) -> Experiment:
        """Read one; MLflow on MySQL compares without case, so the name is looked at."""
        self._scope.ensure_default()
        answer = self._server.get("experiments/get-by-name", experiment_name=self._scope.prefix + name)
        found = experiment_of(answer["experiment"])
        if found.name != self._scope.prefix + name or not self._scope.owns(found):
            raise NotFound(f"Could not find experiment with name '{name}'.")
        return self._scope.shown(found)

    def search_experiments(self, project_id: int, query: Query) -> Page[Experiment]:
        """Ask for a page; what only looks like the prefix to LIKE is left out, so that a page may be shorter."""
        self._scope.ensure_default()
        search = fingerprint(query.filter, query.order_by, query.lifecycle_stages)
        fields = {
            "filter": self._scope.filter(query.filter),
            "order_by": list(query.order_by),
            "max_results": query.max_results,
            "view_type": view_type(query.lifecycle_stages),
            "page_token": read_token(query.page_token, search, tuple[str])[0] if query.page_token else None,
        }
        answer = self._server.send("experiments/search", fields)
        found = [experiment_of(raw) for raw in answer.get("experiments", ())]
        token = answer.get("next_page_token")
        return Page(
            [self._scope.shown(experiment) for experiment in found if self._scope.owns(experiment)],
            make_token(search, (token,)) if token else None,
        )

    def rename_experiment(self, project_id: int, experiment_id: str, name: str) -> Change[Experiment]:
        """Look whether the name is free, rename, and read what came of it."""
        before = self.get_experiment(project_id, experiment_id)
        if before.lifecycle_stage != "active":
            raise InvalidTransition(f"Cannot rename the non-active experiment {experiment_id}.")
        if name != before.name and self._is_taken(project_id, name):
            raise _taken(name)
        fields = {"experiment_id": self._scope.mlflow_id(experiment_id), "new_name": self._scope.prefix + name}
        self._server.send("experiments/update", fields)
        return Change(before, self._get(fields["experiment_id"]))

    def set_experiment_lifecycle(self, project_id: int, experiment_id: str, stage: str) -> Change[Experiment]:
        """Delete or restore it."""
        before = self.get_experiment(project_id, experiment_id)
        if before.lifecycle_stage == stage:
            raise NotFound(f"No Experiment with id={experiment_id} exists that is not {stage} already.")
        verb = "delete" if stage == "deleted" else "restore"
        mlflow_id = self._scope.mlflow_id(experiment_id)
        self._server.send(f"experiments/{verb}", {"experiment_id": mlflow_id})
        return Change(before, self._get(mlflow_id))

    def set_experiment_tag(self, project_id: int, experiment_id: str, tag: Tag) -> None:
        """Set it."""
        self._change_tags("set-experiment-tag", experiment_id, key=tag.key, value=tag.value)

    def delete_experiment_tag(self, project_id: int, experiment_id: str, key: str) -> None:
        """Remove it."""
        self._change_tags("delete-experiment-tag", experiment_id, key=key)

    def _change_tags(self, verb: str, experiment_id: str, **fields: str) -> None:
        mlflow_id = self._scope.mlflow_id(experiment_id)
        try:
            self._server.send(f"experiments/{verb}", {"experiment_id": mlflow_id, **fields})
        except InvalidInput:
            self._require_active(mlflow_id)
            raise

    def _require_active(self, mlflow_id: str) -> None:
        """Raise `Conflict` for a deleted experiment: MLflow answers it as any other bad input."""
        found = self._get(mlflow_id)
        if found.lifecycle_stage != "active":
            raise Conflict(f"The experiment {found.experiment_id} must be in the 'active' state. It is deleted.")

    def _is_taken(self, project_id: int, name: str) -> bool:
        try:
            self.get_experiment_by_name(project_id, name)
        except NotFound:
            return False
        return True

    def _get(self, mlflow_id: str) -> Experiment:
        found = experiment_of(self._server.get("experiments/get", experiment_id=mlflow_id)["experiment"])
        if not self._scope.owns(found):
            raise NotFound(f"No Experiment with id={self._scope.shown_id(mlflow_id)} exists.")
        return self._scope.shown(found)


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(
        f"Experiment(name={name}) already exists.",
        hint="Deleted experiments keep their names; restore it, or choose another.",
    )
