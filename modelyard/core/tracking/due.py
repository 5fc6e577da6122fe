"""Which runs, experiments and logged models are to be purged, and which of them may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modelyard.core.db import now_ms
from modelyard.core.projects.models import Project
from modelyard.core.registry.used_files import used_ids
from modelyard.core.tracking.models import ACTIVE, DELETED, Experiment, LoggedModel, Run
from modelyard.core.tracking.search import pages_of

BATCH = 200
DEFAULT_NUMBER = 0
"""The experiment where clients log that name none: it is never purged, though its runs are."""


def mark(table: Any, ids: Sequence[int], *, begun: bool = True) -> None:
    """Say that the purge of these rows has begun, or that it has not."""
    table.update(purge_started_at_ms=now_ms() if begun else None).where(table.id.in_(ids)).execute()


def is_marked(table: Any) -> Any:
    """Return the condition of rows whose purge has begun."""
    return table.purge_started_at_ms.is_null(False)


def marked_experiments(project: Project) -> Any:
    """Return a query of the keys of the project's experiments whose purge has begun."""
    return Experiment.select(Experiment.id).where(Experiment.project == project, is_marked(Experiment))


def is_in(project: Project, table: Any) -> Any:
    """Return the condition of the project's rows; what is added keeps SQLite from reading all of them for it."""
    return (table.experiment + 0).in_(Experiment.select(Experiment.id).where(Experiment.project == project))


def unused_pages(project: Project, table: Any, due: Any, *order: Any) -> Iterator[list[Any]]:
    """Yield the rows that are due, some at a time, without those that model versions have their files from.

    Whoever goes on must have left the rows of the page before as they were.
    """
    query = table.select().where(due, is_in(project, table)).order_by(*order)
    seen = 0
    while page := list(query.offset(seen).limit(BATCH)):
        used = used_ids(project)
        unused = [row for row in page if row.public_id not in used]
        if unused:
            yield unused
        seen += len(page)


def run_is_due(before_ms: int) -> Any:
    """Return the condition of runs that were deleted by then."""
    return Run.deleted_at_ms <= before_ms


def model_is_due(before_ms: int) -> Any:
    """Return the condition of logged models that were deleted by then."""
    return (LoggedModel.lifecycle_stage == DELETED) & (LoggedModel.updated_at_ms <= before_ms)


def experiment_is_due(before_ms: int) -> Any:
    """Return the condition of experiments to purge; one that was marked stays due."""
    deleted = (Experiment.lifecycle_stage == DELETED) & (Experiment.updated_at_ms <= before_ms)
    return (deleted | is_marked(Experiment)) & (Experiment.number != DEFAULT_NUMBER)


def has_active_run(experiment: Experiment) -> bool:
    """Say whether a run of the deleted experiment was restored."""
    return bool(Run.select().where(Run.experiment == experiment, Run.lifecycle_stage == ACTIVE).exists())


def version_using(experiment: Experiment, used: Mapping[str, str]) -> str | None:
    """Return a version that has its files from a run or logged model of the experiment."""
    for part in pages_of(sorted(used)):
        for table in (Run, LoggedModel):
            found = table.select(table.public_id).where(table.experiment == experiment, table.public_id.in_(list(part)))
            if (public_id := found.limit(1).scalar()) is not None:
                return used[public_id]
    return None
