"""Verbs of experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from peewee import IntegrityError

from modelyard.core.db import atomic, new_id, now_ms
from modelyard.core.errors import AlreadyExists, Conflict, InvalidTransition, NotFound
from modelyard.core.interfaces import Tracker
from modelyard.core.tracking import models
from modelyard.core.tracking.entities import Change, Experiment, Page, Query, Tag
from modelyard.core.tracking.models import ACTIVE, DELETED
from modelyard.core.tracking.search import find_experiments, pages_of
from modelyard.core.tracking.sql import execute, marks
from modelyard.plugins.sql_tracker.rows import (
    being_purged,
    delete_value,
    find_experiment,
    key_values,
    set_values,
    transaction,
)


class ExperimentVerbs(Tracker):
    """Experiments in Modelyard's database."""

    def create_experiment(
        self, project_id: int, *, name: str, artifact_location: str | None = None, tags: Mapping[str, str] | None = None
    ) -> Experiment:
        """Number it from the project's counter, which a refusal rolls back with everything else."""
        with transaction():
            ((number,),) = execute(
                "UPDATE project SET last_experiment_number = last_experiment_number + 1 WHERE id = ?"
                " RETURNING last_experiment_number",
                (project_id,),
            ).fetchall()
            row = _insert(project_id, number, name, artifact_location)
            set_values("experiment_tag", "experiment_id", row.id, dict(tags or {}))
            return read_experiments([row])[0]

    def get_experiment(self, project_id: int, experiment_id: str) -> Experiment:
        """Read one."""
        return read_experiments([find_experiment(project_id, experiment_id)])[0]

    def get_experiment_by_name(self, project_id: int, name: str) -> Experiment:
        """Read one."""
        row = models.Experiment.get_or_none(project=project_id, name=name)
        if row is None:
            raise NotFound(f"Could not find experiment with name '{name}'.")
        return read_experiments([row])[0]

    def search_experiments(self, project_id: int, query: Query) -> Page[Experiment]:
        """Find keys, then read the rows."""
        keys, token = find_experiments(project_id, query)
        rows = {
            row.id: row
            for part in pages_of(keys)
            for row in models.Experiment.select().where(models.Experiment.id.in_(list(part)))
        }
        return Page(read_experiments([rows[key] for key in keys if key in rows]), token)

    def rename_experiment(self, project_id: int, experiment_id: str, name: str) -> Change[Experiment]:
        """Rename under a savepoint: the unique index is what knows whether the name is free."""
        with transaction():
            row = find_experiment(project_id, experiment_id, lock=True)
            if row.lifecycle_stage != ACTIVE:
                raise InvalidTransition(f"Cannot rename the non-active experiment {experiment_id}.")
            before = read_experiments([row])[0]
            row.name, row.updated_at_ms = name, now_ms()
            try:
                with atomic():
                    row.save()
            except IntegrityError:
                raise _taken(name) from None
            return Change(before, read_experiments([row])[0])

    def set_experiment_lifecycle(self, project_id: int, experiment_id: str, stage: str) -> Change[Experiment]:
        """Move it and all its runs."""
        with transaction():
            row = find_experiment(project_id, experiment_id, lock=True)
            if row.lifecycle_stage == stage:
                raise NotFound(f"No Experiment with id={experiment_id} exists that is not {stage} already.")
            if row.purge_started_at_ms is not None:
                raise being_purged("experiment", experiment_id)
            before = read_experiments([row])[0]
            now = now_ms()
            row.lifecycle_stage, row.updated_at_ms = stage, now
            row.save()
            models.Run.update(
                lifecycle_stage=stage, deleted_at_ms=now if stage == DELETED else None, updated_at_ms=now
            ).where(models.Run.experiment == row.id, models.Run.purge_started_at_ms.is_null()).execute()
            return Change(before, read_experiments([row])[0])

    def set_experiment_tag(self, project_id: int, experiment_id: str, tag: Tag) -> None:
        """Set it and move the experiment's time of change."""
        with transaction():
            row = _changing(project_id, experiment_id)
            set_values("experiment_tag", "experiment_id", row.id, {tag.key: tag.value})

    def delete_experiment_tag(self, project_id: int, experiment_id: str, key: str) -> None:
        """Remove it and move the experiment's time of change."""
        with transaction():
            row = _changing(project_id, experiment_id)
            delete_value("experiment_tag", "experiment_id", row.id, key)


def _changing(project_id: int, experiment_id: str) -> Any:
    row = find_experiment(project_id, experiment_id, lock=True)
    if row.lifecycle_stage != ACTIVE:
        raise Conflict(f"The experiment {experiment_id} must be in the 'active' state. It is deleted.")
    models.Experiment.update(updated_at_ms=now_ms()).where(models.Experiment.id == row.id).execute()
    return row


def _insert(project_id: int, number: int, name: str, artifact_location: str | None) -> Any:
    now = now_ms()
    values = {
        "public_id": new_id(),
        "project_id": project_id,
        "number": number,
        "name": name,
        "lifecycle_stage": ACTIVE,
        "artifact_location": artifact_location or f"mlflow-artifacts:/{number}",
        "created_at_ms": now,
        "updated_at_ms": now,
    }
    columns = ", ".join(values)
    rows = execute(
        f"INSERT INTO experiment ({columns}) VALUES ({marks(len(values))}) ON CONFLICT DO NOTHING RETURNING id",
        list(values.values()),
    ).fetchall()
    if not rows:
        raise _taken(name)
    return models.Experiment(id=rows[0][0], **values)


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(
        f"Experiment(name={name}) already exists.",
        hint="Deleted experiments keep their names; restore it, or choose another.",
    )


def read_experiments(rows: Sequence[Any]) -> list[Experiment]:
    """Make entities of rows, with their tags."""
    tags = key_values("experiment_tag", "experiment_id", [row.id for row in rows])
    return [
        Experiment(
            experiment_id=str(row.number),
            name=row.name,
            artifact_location=row.artifact_location,
            lifecycle_stage=row.lifecycle_stage,
            created_at_ms=row.created_at_ms,
            updated_at_ms=row.updated_at_ms,
            tags=[Tag(key, value) for key, value in tags[row.id]],
        )
        for row in rows
    ]
