"""Verbs of logged models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelyard.core.db import new_id, now_ms
from modelyard.core.errors import Conflict
from modelyard.core.interfaces import Tracker
from modelyard.core.tracking import models
from modelyard.core.tracking.entities import (
    Change,
    LoggedModel,
    LoggedModelData,
    LoggedModelInfo,
    LoggedModelQuery,
    Metric,
    NewLoggedModel,
    Page,
    Param,
    Tag,
    as_number,
)
from modelyard.core.tracking.models import DELETED, Experiment
from modelyard.core.tracking.names import random_name
from modelyard.core.tracking.search import find_logged_models, pages_of
from modelyard.core.tracking.sql import execute, marks
from modelyard.plugins.sql_tracker.rows import (
    add_values,
    delete_value,
    find_logged_model,
    hold_active_experiment,
    key_values,
    set_values,
    transaction,
)


class LoggedModelVerbs(Tracker):
    """Logged models in Modelyard's database."""

    def create_logged_model(self, project_id: int, model: NewLoggedModel) -> LoggedModel:
        """Insert the row, its params and its tags."""
        model_id = f"m-{new_id()}"
        with transaction():
            experiment = hold_active_experiment(project_id, model.experiment_id)
            row = models.LoggedModel(
                public_id=model_id,
                experiment=experiment,
                name=model.name or random_name(),
                model_type=model.model_type,
                source_run_id=model.source_run_id,
                artifact_uri=f"{experiment.artifact_location}/models/{model_id}/artifacts",
            )
            row.save(force_insert=True)
            set_values("logged_model_param", "model_id", row.id, {param.key: param.value for param in model.params})
            set_values("logged_model_tag", "model_id", row.id, {tag.key: tag.value for tag in model.tags})
            return _read([row])[0]

    def get_logged_model(self, project_id: int, model_id: str) -> LoggedModel:
        """Read one."""
        return _read([find_logged_model(project_id, model_id)])[0]

    def search_logged_models(self, project_id: int, query: LoggedModelQuery) -> Page[LoggedModel]:
        """Find keys, then read the rows."""
        keys, token = find_logged_models(project_id, query)
        table = models.LoggedModel
        rows = {
            row.id: row
            for part in pages_of(keys)
            for row in table.select(table, Experiment).join(Experiment).where(table.id.in_(list(part)))
        }
        return Page(_read([rows[key] for key in keys if key in rows]), token)

    def finalize_logged_model(self, project_id: int, model_id: str, status: str) -> Change[LoggedModel]:
        """Set the status."""
        with transaction():
            row = find_logged_model(project_id, model_id, lock=True)
            before = _read([row])[0]
            row.status, row.updated_at_ms = status, now_ms()
            row.save()
            return Change(before, _read([row])[0])

    def delete_logged_model(self, project_id: int, model_id: str) -> LoggedModel:
        """Mark it; nobody finds it any more."""
        with transaction():
            row = find_logged_model(project_id, model_id, lock=True)
            before = _read([row])[0]
            row.lifecycle_stage, row.updated_at_ms = DELETED, now_ms()
            row.save()
            return before

    def log_model_params(self, project_id: int, model_id: str, params: Mapping[str, str]) -> None:
        """Add what is new."""
        with transaction():
            row = _changing(project_id, model_id)
            differing = add_values("logged_model_param", "model_id", row.id, dict(params))
            if differing:
                raise Conflict(
                    f"Changing params is not allowed: {', '.join(sorted(differing))} of the logged model '{model_id}'."
                )

    def set_model_tags(self, project_id: int, model_id: str, tags: Mapping[str, str]) -> LoggedModel:
        """Set them all at once."""
        with transaction():
            row = _changing(project_id, model_id)
            set_values("logged_model_tag", "model_id", row.id, dict(tags))
            return _read([row])[0]

    def delete_model_tag(self, project_id: int, model_id: str, key: str) -> None:
        """Remove it under the model's lock."""
        with transaction():
            delete_value("logged_model_tag", "model_id", _changing(project_id, model_id).id, key)


def _changing(project_id: int, model_id: str) -> Any:
    row = find_logged_model(project_id, model_id, lock=True)
    row.updated_at_ms = now_ms()
    row.save(only=["updated_at_ms"])
    return row


def _read(rows: Sequence[Any]) -> list[LoggedModel]:
    """Make entities of rows that have their experiment, with params, tags and metrics."""
    keys = [row.id for row in rows]
    params, tags = key_values("logged_model_param", "model_id", keys), key_values("logged_model_tag", "model_id", keys)
    metrics = _metrics(keys)
    return [
        LoggedModel(
            info=LoggedModelInfo(
                model_id=row.public_id,
                experiment_id=str(row.experiment.number),
                name=row.name,
                status=row.status,
                artifact_uri=row.artifact_uri,
                created_at_ms=row.created_at_ms,
                updated_at_ms=row.updated_at_ms,
                tags=[Tag(*pair) for pair in tags[row.id]],
                model_type=row.model_type,
                source_run_id=row.source_run_id,
            ),
            data=LoggedModelData(params=[Param(*pair) for pair in params[row.id]], metrics=metrics[row.id]),
        )
        for row in rows
    ]


def _metrics(keys: Sequence[int]) -> dict[int, list[Metric]]:
    """Return every metric measured on each of these models."""
    found: dict[int, list[Metric]] = {key: [] for key in keys}
    for part in pages_of(keys):
        rows = execute(
            "SELECT x.model_id, m.public_id, r.public_id, x.key, x.value, x.is_nan, x.timestamp_ms, x.step,"
            " x.dataset_name, x.dataset_digest FROM logged_model_metric x"
            " JOIN logged_model m ON m.id = x.model_id JOIN run r ON r.id = x.run_id"
            f" WHERE x.model_id IN ({marks(len(part))}) ORDER BY x.model_id, x.key, x.step, x.timestamp_ms, x.id",
            part,
        )
        for key, model_id, run_id, name, value, is_nan, when, step, dataset, digest in rows.fetchall():
            found[key].append(
                Metric(
                    name,
                    as_number(value, is_nan),
                    when,
                    step,
                    model_id=model_id,
                    dataset_name=dataset or None,
                    dataset_digest=digest or None,
                    run_id=run_id,
                )
            )
    return found
