"""Verbs of logged models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from modelyard.core.errors import Conflict, InvalidInput, NotFound
from modelyard.core.tracking.entities import Change, LoggedModel, LoggedModelQuery, NewLoggedModel, Page
from modelyard.core.tracking.filters import LOGGED_MODELS, Comparison, parse_filter
from modelyard.core.tracking.paging import fingerprint, make_token, read_token
from modelyard.plugins.mlflow.answers import model_of, pairs
from modelyard.plugins.mlflow.filters import written
from modelyard.plugins.mlflow.runs import RunVerbs

STATUSES = {"PENDING": 1, "READY": 2, "UPLOAD_FAILED": 3}


class LoggedModelVerbs(RunVerbs):
    """Logged models of an MLflow server."""

    def create_logged_model(self, project_id: int, model: NewLoggedModel) -> LoggedModel:
        """Make it; MLflow makes up a name."""
        mlflow_id = self._scope.mlflow_id(model.experiment_id)
        fields = {
            "experiment_id": mlflow_id,
            "name": model.name,
            "model_type": model.model_type,
            "source_run_id": model.source_run_id,
            "params": list(model.params),
            "tags": list(model.tags),
        }
        try:
            made = self._server.send("logged-models", fields)
        except InvalidInput:
            self._require_active(mlflow_id)
            raise
        return self._model(made["model"])

    def get_logged_model(self, project_id: int, model_id: str) -> LoggedModel:
        """Read one."""
        return self._model(self._server.get(_path(model_id))["model"])

    def search_logged_models(self, project_id: int, query: LoggedModelQuery) -> Page[LoggedModel]:
        """Ask for a page of the project's own experiments."""
        experiment_ids = self._scope.only_own(query.experiment_ids)
        if not experiment_ids:
            return Page([])
        search = fingerprint(query.experiment_ids, query.filter, query.datasets, query.order_by)
        fields: dict[str, Any] = {
            "experiment_ids": experiment_ids,
            "filter": written(map(_numbered, parse_filter(query.filter, LOGGED_MODELS))) or None,
            "datasets": [_given(dataset) for dataset in query.datasets],
            "order_by": [_given(key) for key in query.order_by],
            "max_results": query.max_results,
            "page_token": read_token(query.page_token, search, tuple[str])[0] if query.page_token else None,
        }
        answer = self._server.send("logged-models/search", fields)
        token = answer.get("next_page_token")
        return Page(
            [self._model(raw) for raw in answer.get("models", ())], make_token(search, (token,)) if token else None
        )

    def finalize_logged_model(self, project_id: int, model_id: str, status: str) -> Change[LoggedModel]:
        """Set the status."""
        before = self.get_logged_model(project_id, model_id)
        fields = {"model_id": model_id, "status": STATUSES[status]}
        return Change(before, self._model(self._server.send(_path(model_id), fields, method="PATCH")["model"]))

    def delete_logged_model(self, project_id: int, model_id: str) -> LoggedModel:
        """Delete it."""
        found = self.get_logged_model(project_id, model_id)
        self._server.send(_path(model_id), {}, method="DELETE")
        return found

    def log_model_params(self, project_id: int, model_id: str, params: Mapping[str, str]) -> None:
        """Add those that are not there yet; MLflow refuses whatever comes twice."""
        kept = {param.key: param.value for param in self.get_logged_model(project_id, model_id).data.params}
        for key, value in params.items():
            if kept.get(key, value) != value:
                raise Conflict(f"The param {key!r} of the logged model {model_id} has another value already.")
        new = {key: value for key, value in params.items() if key not in kept}
        if new:
            self._server.send(f"{_path(model_id)}/params", {"model_id": model_id, "params": pairs(new)})

    def set_model_tags(self, project_id: int, model_id: str, tags: Mapping[str, str]) -> LoggedModel:
        """Set them, and read the model with them."""
        self.get_logged_model(project_id, model_id)
        fields = {"model_id": model_id, "tags": pairs(tags)}
        self._server.send(f"{_path(model_id)}/tags", fields, method="PATCH")
        return self.get_logged_model(project_id, model_id)

    def delete_model_tag(self, project_id: int, model_id: str, key: str) -> None:
        """Remove it."""
        found = self.get_logged_model(project_id, model_id)
        if all(tag.key != key for tag in found.info.tags):
            raise NotFound(f"No tag with name: {key}.")
        self._server.send(f"{_path(model_id)}/tags/{quote(key, safe='')}", {}, method="DELETE")

    def _model(self, raw: Mapping[str, Any]) -> LoggedModel:
        """Return the logged model as it is here; `NotFound` for one of somebody else's experiment."""
        model = model_of(raw)
        if not self._scope.has(model.info.experiment_id):
            raise NotFound(f"Logged model with ID '{model.info.model_id}' not found.")
        model.info.experiment_id = self._scope.shown_id(model.info.experiment_id)
        return model


def _numbered(found: Comparison) -> Comparison:
    """Return the comparison with the number of a status in place of its name: MLflow stores and compares that."""
    if (found.entity, found.key) != ("attribute", "status"):
        return found
    names = found.value if isinstance(found.value, tuple) else (str(found.value),)
    if found.operator in {"LIKE", "ILIKE"} or not STATUSES.keys() >= set(names):
        raise InvalidInput(
            f"An MLflow server cannot be asked for logged models whose status {found.operator} {found.value!r}.",
            hint=f"Compare it by = or IN with {', '.join(STATUSES)}.",
        )
    numbers = tuple(str(STATUSES[name]) for name in names)
    return Comparison(found.entity, found.key, found.operator, numbers if found.value != names[0] else numbers[0])


def _path(model_id: str) -> str:
    return f"logged-models/{quote(model_id, safe='')}"


def _given(part: Any) -> dict[str, Any]:
    """Return a part of a search without what is not given."""
    return {key: value for key, value in msgspec.structs.asdict(part).items() if value is not None}
