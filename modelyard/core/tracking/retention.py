"""The end of deleted runs, experiments and logged models, when their retention is over or somebody asks for it.

What is to go is marked first: from then on it cannot be restored, and no model version can be registered from it. Then
its artifacts go, then its rows in parts, and with the last one the event of it, which also is when it counts no more.
Each step may be done twice; killed anywhere, the next pass goes on. Whatever a model version has its files from stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from modelyard.core.artifacts.service import check_artifact_path
from modelyard.core.artifacts.usage import delete_counted
from modelyard.core.db import atomic, locked, now_ms
from modelyard.core.errors import Conflict, InvalidInput, InvalidTransition, NotFound
from modelyard.core.events import Events
from modelyard.core.identity.actor import Actor, system_actor
from modelyard.core.interfaces import Tracker
from modelyard.core.jobs import Again, Lease, enqueue
from modelyard.core.projects.access import authorize, living_projects
from modelyard.core.projects.models import Project
from modelyard.core.registry.models import ModelVersion, RegisteredModel
from modelyard.core.registry.used_files import used_ids
from modelyard.core.tracking.due import (
    BATCH,
    DEFAULT_NUMBER,
    experiment_is_due,
    has_active_run,
    is_in,
    is_marked,
    mark,
    marked_experiments,
    model_is_due,
    run_is_due,
    unused_pages,
    version_using,
)
from modelyard.core.tracking.limits import parse_experiment_id
from modelyard.core.tracking.models import DELETED, Experiment, LoggedModel, Run
from modelyard.core.tracking.purge import forget_ids, forget_logged, forget_traces
from modelyard.core.tracking.service import TRANSACTIONAL
from modelyard.core.tracking.trace_models import Trace

PURGE = "tracking.purge"
ACTOR = system_actor("purge")
NAMED = 100
SCHEME = "mlflow-artifacts:/"


class TrackingRetention:
    """Purges what is deleted in Modelyard's own database; what an outside tracker keeps is its own affair."""

    def __init__(
        self,
        *,
        events: Events,
        trackers: Callable[[Project], Tracker],
        storage_of: Callable[[Project], Any],
        retention_ms: int,
    ) -> None:
        self._events = events
        self._trackers = trackers
        self._storage_of = storage_of
        self._retention_ms = retention_ms

    def purge_run(self, actor: Actor, project: Project, run_id: str) -> None:
        """Have a deleted run removed for good at once; again is no error.

        `InvalidTransition` for one that is not deleted, `Conflict` for one that a model version has its files from.
        """
        self._check(actor, project)
        used = used_ids(project)
        with atomic():
            run = locked(Run.select().where(Run.public_id == run_id, is_in(project, Run))).first()
            if run is None:
                raise NotFound(f"Run with id={run_id} not found.")
            _require_deleted("run", run_id, run)
            _refuse_used("run", run_id, used.get(run_id))
            if run.purge_started_at_ms is None:
                mark(Run, [run.id])
                self._record("run.purge_requested", actor, project, run.public_id, run.name)
            enqueue_purge(project)

    def purge_experiment(self, actor: Actor, project: Project, experiment_id: str) -> None:
        """Have a deleted experiment removed for good at once, with all in it; errors as in `purge_run`."""
        self._check(actor, project)
        used = used_ids(project)
        named = (Experiment.project == project) & (Experiment.number == parse_experiment_id(experiment_id))
        with atomic():
            row = locked(Experiment.select().where(named)).first()
            if row is None:
                raise NotFound(f"No Experiment with id={experiment_id} exists.")
            _require_deleted("experiment", experiment_id, row)
            _refuse_default(row)
            _refuse_restored(row)
            _refuse_used("experiment", experiment_id, version_using(row, used))
            if row.purge_started_at_ms is None:
                mark(Experiment, [row.id])
                self._record("experiment.purge_requested", actor, project, experiment_id, row.name)
            enqueue_purge(project)

    def enqueue_due(self) -> None:
        """Make a job for each project in which anything is to be purged, unless it has one."""
        before = now_ms() - self._retention_ms
        owners: Any = Experiment.select(Experiment.project).distinct()
        found: tuple[Any, ...] = (
            owners.where(experiment_is_due(before)),
            owners.join(Run).where(run_is_due(before)),
            owners.join(Run).where(is_marked(Run)),
            owners.join(LoggedModel).where(model_is_due(before)),
        )
        ids = {row[0] for query in found for row in query.tuples()}
        for project in list(living_projects().where(Project.id.in_(ids))):
            enqueue_purge(project)

    def purge(self, lease: Lease, project_id: str) -> Again | None:
        """Remove the next runs and logged models of a project, or an experiment that has none left."""
        project = living_projects().where(Project.public_id == project_id).first()
        if project is None or not self._keeps_rows(project):
            return None
        self._begin_experiments(lease, project)
        runs, models = self._next_runs(lease, project), self._next_models(project)
        if not runs and not models:
            return Again(0) if self._end_experiment(lease, project) else None
        self._forget_artifacts(project, [*runs, *models])
        while self._forget_logged(lease, runs, models):
            pass
        self._end(lease, project, runs, models)
        return Again(0)

    def _check(self, actor: Actor, project: Project) -> None:
        authorize(actor, project, "run.purge")
        if not self._keeps_rows(project):
            raise Conflict(
                "The project's tracker keeps its runs outside of Modelyard.", hint="Remove them there for good."
            )

    def _keeps_rows(self, project: Project) -> bool:
        return TRANSACTIONAL in self._trackers(project).capabilities

    def _begin_experiments(self, lease: Lease, project: Project) -> None:
        """Mark those that are due, and take the mark off those from which a version was registered meanwhile."""
        due = Experiment.select().where(Experiment.project == project, experiment_is_due(now_ms() - self._retention_ms))
        rows = list(due)
        used = used_ids(project) if rows else {}
        for row in rows:
            if row.purge_started_at_ms is None and not version_using(row, used):
                with atomic():
                    lease.confirm()
                    now = locked(due.where(Experiment.id == row.id)).first()
                    if now is not None and not has_active_run(now):
                        mark(Experiment, [row.id])
        used = used_ids(project) if rows else {}
        for row in due.where(is_marked(Experiment)) if rows else ():
            if version_using(row, used):
                with atomic():
                    lease.confirm()
                    mark(Experiment, [row.id], begun=False)

    def _next_runs(self, lease: Lease, project: Project) -> Sequence[Run]:
        """Return some marked runs, newly marked ones where there are none, and only those whose files nobody needs."""
        mine = Run.select().where(is_marked(Run), is_in(project, Run))
        marked = list(mine.order_by(Run.purge_started_at_ms).limit(BATCH)) or self._begin_runs(lease, project)
        used = used_ids(project) if marked else {}
        kept = [row.id for row in marked if row.public_id in used]
        if kept:
            with atomic():
                lease.confirm()
                mark(Run, kept, begun=False)
        return [row for row in marked if row.public_id not in used]

    def _begin_runs(self, lease: Lease, project: Project) -> list[Run]:
        """Mark the next runs that are due, and return them."""
        too_old = run_is_due(now_ms() - self._retention_ms)
        in_marked = Run.experiment.in_(marked_experiments(project)) & Run.deleted_at_ms.is_null(False)
        for due, order in ((too_old, [Run.deleted_at_ms, Run.id]), (in_marked, [])):
            for page in unused_pages(project, Run, due & ~is_marked(Run), *order):
                with atomic():
                    lease.confirm()
                    still = Run.id.in_([row.id for row in page])
                    begun = list(locked(Run.select().where(still, due, ~is_marked(Run)).order_by(Run.id)))
                    mark(Run, [row.id for row in begun])
                if begun:
                    return begun
        return []

    def _next_models(self, project: Project) -> Sequence[LoggedModel]:
        """Return some logged models that are due and whose files nobody needs: a deleted one never comes back."""
        too_old = model_is_due(now_ms() - self._retention_ms)
        in_marked = LoggedModel.experiment.in_(marked_experiments(project))
        for due, order in ((too_old, [LoggedModel.updated_at_ms, LoggedModel.id]), (in_marked, [])):
            for page in unused_pages(project, LoggedModel, due, *order):
                return page
        return []

    def _forget_artifacts(self, project: Project, rows: Sequence[Run | LoggedModel]) -> None:
        storage = self._storage_of(project)
        for row in rows:
            folder = folder_of(row)
            if folder is not None:
                with suppress(InvalidInput):  # a path that no storage takes: nothing was ever stored there
                    delete_counted(project, storage, folder)

    def _forget_logged(self, lease: Lease, runs: Sequence[Run], models: Sequence[LoggedModel]) -> bool:
        with atomic():
            lease.confirm()
            return forget_logged([row.id for row in runs], [row.id for row in models])

    def _forget_traces(self, lease: Lease, traces: Any) -> bool:
        with atomic():
            lease.confirm()
            return forget_traces(traces)

    def _end(self, lease: Lease, project: Project, runs: Sequence[Run], models: Sequence[LoggedModel]) -> None:
        """Delete the rows themselves, with one event for all of a kind."""
        with atomic():
            lease.confirm()
            for table, kind, rows in ((Run, "run", runs), (LoggedModel, "logged_model", models)):
                if forget_ids(table, [row.id for row in rows]):
                    self._record_all(kind, project, rows)

    def _end_experiment(self, lease: Lease, project: Project) -> bool:
        """Remove a marked experiment in which nothing is left; says whether there was one."""
        runs, models = Run.select(Run.experiment), LoggedModel.select(LoggedModel.experiment)
        empty = Experiment.id.not_in(runs.where(Run.experiment == Experiment.id)) & Experiment.id.not_in(
            models.where(LoggedModel.experiment == Experiment.id)
        )
        row = Experiment.select().where(Experiment.project == project, is_marked(Experiment), empty).first()
        if row is None:
            return False
        traces = Trace.select(Trace.id).where(Trace.experiment == row)
        while self._forget_traces(lease, traces):
            pass
        if _owns_its_folder(row):
            delete_counted(project, self._storage_of(project), str(row.number))
        with atomic():
            lease.confirm()
            row.delete_instance()
            self._record("experiment.purged", ACTOR, project, str(row.number), row.name, {"name": row.name})
        return True

    def _record_all(self, kind: str, project: Project, rows: Sequence[Any]) -> None:
        ids = [row.public_id for row in rows]
        one = len(rows) == 1
        name = rows[0].name if one else f"{len(rows)} {kind.replace('_', ' ')}s"
        before = {"count": len(rows), "ids": ids[:NAMED]}
        self._record(f"{kind}.purged", ACTOR, project, ids[0] if one else "", name, before)

    def _record(
        self, action: str, actor: Actor, project: Project, object_id: str, name: str, before: Any = None
    ) -> None:
        self._events.record(
            action, actor=actor, project=project, object_id=object_id, object_name=name[:512], before=before
        )


def enqueue_purge(project: Project) -> None:
    """Have the project's next things purged; in the caller's transaction if there is one."""
    enqueue(PURGE, {"id": project.public_id}, dedupe_key=f"{PURGE}:{project.public_id}")


def folder_of(row: Run | LoggedModel) -> str | None:
    """Return the folder within the project that holds only this one's files; None where they are not kept here."""
    path = row.artifact_uri.removeprefix(SCHEME)
    if path == row.artifact_uri or not path.endswith(f"/{row.public_id}/artifacts"):
        return None
    try:
        return check_artifact_path(path).removesuffix("/artifacts")
    except InvalidInput:
        return None


def _owns_its_folder(experiment: Experiment) -> bool:
    """Whether nothing but this experiment has files in its folder."""
    uri = f"{SCHEME}{experiment.number}"
    others = (Experiment.project == experiment.project_id) & (Experiment.id != experiment.id)
    inside = (Experiment.artifact_location == uri) | Experiment.artifact_location.startswith(f"{uri}/")
    versions = ModelVersion.select().join(RegisteredModel).where(RegisteredModel.project == experiment.project_id)
    return bool(
        experiment.artifact_location == uri
        and not Experiment.select().where(others, inside).exists()
        and not versions.where(ModelVersion.artifact_path.startswith(f"{experiment.number}/")).exists()
    )


def _require_deleted(kind: str, which: str, row: Run | Experiment) -> None:
    if row.lifecycle_stage != DELETED:
        raise InvalidTransition(f"The {kind} {which} is not deleted.", hint="Delete it first: that can be undone.")


def _refuse_default(row: Experiment) -> None:
    if row.number == DEFAULT_NUMBER:
        raise Conflict(
            f"The experiment {DEFAULT_NUMBER} is where clients log that name none: it is never purged.",
            hint="Purge its runs.",
        )


def _refuse_restored(row: Experiment) -> None:
    if has_active_run(row):
        raise Conflict(f"A run of the experiment {row.number} was restored.", hint="Delete it, or the rest, by itself.")


def _refuse_used(kind: str, which: str, version: str | None) -> None:
    if version is not None:
        raise Conflict(f"The model version {version} has its files from the {kind} {which}.", hint="Delete it first.")
