"""Which runs and logged models a project's model versions have their files from: those are not purged."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from modelyard.core.db import is_postgresql
from modelyard.core.errors import Conflict
from modelyard.core.projects.models import Project
from modelyard.core.registry.models import ModelVersion, RegisteredModel
from modelyard.core.tracking.models import DELETED, Experiment, LoggedModel, Run

ID = re.compile(r"(m-)?[0-9a-f]{32}")


def used_ids(project: Project) -> dict[str, str]:
    """Return the ids of runs and logged models in whose folders files of versions are, each with one such version."""
    rows = (
        ModelVersion.select(RegisteredModel.name, ModelVersion.number, ModelVersion.artifact_path)
        .join(RegisteredModel)
        .where(RegisteredModel.project == project)
        .tuples()
    )
    return {found: f"{name}/{number}" for name, number, path in rows.iterator() for found in _ids_in(path)}


def hold_source(project: Project, artifact_path: str) -> None:
    """Keep the run or logged model whose files these are from being purged until the transaction ends.

    `Conflict` where its purge has begun, and for a logged model that is deleted. The experiment is locked first, as
    everywhere.
    """
    ids = _ids_in(artifact_path)
    if not ids:
        return
    for table in (Run, LoggedModel):
        mine = (table.public_id.in_(ids)) & (Experiment.project == project)
        for row in [
            *_shared(Experiment.select().join(table).where(mine), Experiment),
            *_shared(table.select(table).join(Experiment).where(mine), table),
        ]:
            gone = isinstance(row, LoggedModel) and row.lifecycle_stage == DELETED
            if gone or getattr(row, "purge_started_at_ms", None) is not None:
                raise Conflict(
                    f"The files at {artifact_path[:200]!r} are being purged.", hint="Register files that stay."
                )


def _ids_in(path: str) -> list[str]:
    return [part for part in path.split("/") if ID.fullmatch(part)]


def _shared(query: Any, table: Any) -> Iterable[Any]:
    """Lock the rows of that table against a purge's beginning; others may go on to log to them."""
    found: Iterable[Any] = query.for_update("FOR KEY SHARE", of=table) if is_postgresql() else query
    return list(found)
