"""Verbs of runs, but for what is logged to them."""

from __future__ import annotations

from typing import Any

from modelyard.core.db import new_id, now_ms
from modelyard.core.interfaces import Tracker
from modelyard.core.tracking import models
from modelyard.core.tracking.entities import (
    RUN_NAME_TAG,
    Change,
    NewRun,
    Page,
    Query,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
    Tag,
)
from modelyard.core.tracking.models import ACTIVE, DELETED
from modelyard.core.tracking.names import random_name
from modelyard.core.tracking.run_search import count_runs, find_runs
from modelyard.plugins.sql_tracker.reading import read_runs
from modelyard.plugins.sql_tracker.rows import (
    being_purged,
    delete_value,
    find_run,
    hold_active_experiment,
    hold_from_purge,
    not_active,
    set_values,
    touch_active_run,
    transaction,
)


class RunVerbs(Tracker):
    """Runs in Modelyard's database."""

    def create_run(self, project_id: int, run: NewRun) -> Run:
        """Insert the row and its tags, and answer without reading them back."""
        tags = {tag.key: tag.value for tag in run.tags}
        name = run.name or tags.get(RUN_NAME_TAG) or random_name()
        tags[RUN_NAME_TAG] = name
        run_id = new_id()
        with transaction():
            experiment = hold_active_experiment(project_id, run.experiment_id)
            row = models.Run(
                public_id=run_id,
                experiment=experiment,
                name=name,
                start_time_ms=run.start_time_ms,
                user_name=run.user_id,
                artifact_uri=f"{experiment.artifact_location}/{run_id}/artifacts",
            )
            row.save(force_insert=True)
            set_values("run_tag", "run_id", row.id, tags, experiment_id=experiment.id)
        data = RunData(metrics=[], params=[], tags=[Tag(key, value) for key, value in sorted(tags.items())])
        return Run(info=_info(row), data=data, inputs=RunInputs([], []), outputs=RunOutputs([]))

    def get_run(self, project_id: int, run_id: str) -> Run:
        """Read one."""
        return read_runs([find_run(project_id, run_id).id])[0]

    def search_runs(self, project_id: int, query: Query) -> Page[Run]:
        """Find keys, then read the rows."""
        keys, token = find_runs(project_id, query)
        return Page(read_runs(keys), token)

    def count_runs(self, project_id: int, query: Query) -> int:
        """Count without reading them."""
        return count_runs(project_id, query)

    def update_run(
        self,
        project_id: int,
        run_id: str,
        *,
        status: str | None = None,
        end_time_ms: int | None = None,
        name: str | None = None,
    ) -> Change[RunInfo]:
        """Change the row and, for the name, its tag."""
        with transaction():
            row = find_run(project_id, run_id, lock=True)
            if row.lifecycle_stage != ACTIVE:
                raise not_active(run_id)
            before = _info(row)
            row.status = status or row.status
            row.end_time_ms = row.end_time_ms if end_time_ms is None else end_time_ms
            if name:
                row.name = name
                set_values("run_tag", "run_id", row.id, {RUN_NAME_TAG: name}, experiment_id=row.experiment_id)
            row.updated_at_ms = now_ms()
            row.save()
            return Change(before, _info(row))

    def set_run_lifecycle(self, project_id: int, run_id: str, stage: str) -> Change[RunInfo]:
        """Move one run; its experiment stays as it is."""
        with transaction():
            if stage == ACTIVE:
                hold_from_purge(project_id, run_id)
            row = find_run(project_id, run_id, lock=True)
            if stage == ACTIVE and row.purge_started_at_ms is not None:
                raise being_purged("run", run_id)
            before = _info(row)
            now = now_ms()
            row.lifecycle_stage, row.updated_at_ms = stage, now
            row.deleted_at_ms = now if stage == DELETED else None
            row.save()
            return Change(before, _info(row))

    def delete_run_tag(self, project_id: int, run_id: str, key: str) -> None:
        """Remove it under the run's lock."""
        with transaction():
            delete_value("run_tag", "run_id", touch_active_run(project_id, run_id).run, key)


def _info(row: Any) -> RunInfo:
    return RunInfo(
        run_id=row.public_id,
        run_name=row.name,
        experiment_id=str(row.experiment.number),
        user_id=row.user_name,
        status=row.status,
        artifact_uri=row.artifact_uri,
        lifecycle_stage=row.lifecycle_stage,
        start_time_ms=row.start_time_ms,
        end_time_ms=row.end_time_ms,
    )
