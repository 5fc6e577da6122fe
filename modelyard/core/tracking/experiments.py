"""The verbs of experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelyard.core.identity.actor import Actor
from modelyard.core.projects.models import Project
from modelyard.core.tracking import models
from modelyard.core.tracking.entities import Change, Experiment, Page, Query, Tag
from modelyard.core.tracking.limits import (
    check_artifact_location,
    check_experiment_name,
    check_experiment_tags,
    check_max_results,
)
from modelyard.core.tracking.models import ACTIVE, DELETED
from modelyard.core.tracking.service import TrackingService


class ExperimentService(TrackingService):
    """Experiments of projects."""

    def create_default_experiment(self, project: Project) -> None:
        """Give a new project its experiment "Default", whose id is "0".

        Call it in the transaction that makes the project.
        """
        models.Experiment.create(project=project, number=0, name="Default", artifact_location="mlflow-artifacts:/0")

    def create(
        self,
        actor: Actor,
        project: Project,
        *,
        name: str,
        artifact_location: str | None = None,
        tags: Sequence[Tag] = (),
    ) -> Experiment:
        """Make an experiment; `AlreadyExists` where the name is taken, be it by a deleted one."""
        location = check_artifact_location(artifact_location) if artifact_location else None
        with self._changing(actor, project) as tracker:
            made = tracker.create_experiment(
                project.id,
                name=check_experiment_name(name),
                artifact_location=location,
                tags=check_experiment_tags(tags),
            )
            self._tell("experiment.created", actor, project, Change(made, made))
        return made

    def get(self, actor: Actor, project: Project, experiment_id: str) -> Experiment:
        """Return the experiment, also a deleted one."""
        return self._reading(actor, project).get_experiment(project.id, experiment_id)

    def get_by_name(self, actor: Actor, project: Project, name: str) -> Experiment:
        """Return the experiment of exactly that name, also a deleted one."""
        return self._reading(actor, project).get_experiment_by_name(project.id, name)

    def search(self, actor: Actor, project: Project, query: Query) -> Page[Experiment]:
        """Return a page of experiments."""
        check_max_results(query.max_results)
        return self._reading(actor, project).search_experiments(project.id, query)

    def rename(self, actor: Actor, project: Project, experiment_id: str, *, name: str) -> Experiment:
        """Give an active experiment another name; the name that it has is no change and no event."""
        with self._changing(actor, project) as tracker:
            change = tracker.rename_experiment(project.id, experiment_id, check_experiment_name(name))
            if change.before.name != change.after.name:
                self._tell("experiment.renamed", actor, project, change, "name")
        return change.after

    def edit(
        self,
        actor: Actor,
        project: Project,
        experiment_id: str,
        *,
        name: str | None = None,
        tags: Mapping[str, str | None] | None = None,
    ) -> Experiment:
        """Rename an active experiment and set tags, of which one whose value is None goes; all of it, or nothing."""
        wanted = tags or {}
        kept = check_experiment_tags([Tag(key, value) for key, value in wanted.items() if value is not None])
        with self._changing(actor, project) as tracker:
            before = tracker.get_experiment(project.id, experiment_id)
            for key, value in kept.items():
                tracker.set_experiment_tag(project.id, experiment_id, Tag(key, value))
            for tag in before.tags:
                if wanted.get(tag.key, "") is None:
                    tracker.delete_experiment_tag(project.id, experiment_id, tag.key)
            if name is not None:
                tracker.rename_experiment(project.id, experiment_id, check_experiment_name(name))
            after = tracker.get_experiment(project.id, experiment_id)
            if before.name != after.name:  # told last: an outside tracker is never called in a transaction
                self._tell("experiment.renamed", actor, project, Change(before, after), "name")
        return after

    def delete(self, actor: Actor, project: Project, experiment_id: str) -> Experiment:
        """Delete an active experiment with its runs; `restore` brings them back."""
        with self._changing(actor, project) as tracker:
            change = tracker.set_experiment_lifecycle(project.id, experiment_id, DELETED)
            self._tell("experiment.deleted", actor, project, change, "lifecycle_stage")
        return change.after

    def restore(self, actor: Actor, project: Project, experiment_id: str) -> Experiment:
        """Bring a deleted experiment back with all its runs, also those that were deleted before it."""
        with self._changing(actor, project) as tracker:
            change = tracker.set_experiment_lifecycle(project.id, experiment_id, ACTIVE)
            self._tell("experiment.restored", actor, project, change, "lifecycle_stage")
        return change.after

    def set_tag(self, actor: Actor, project: Project, experiment_id: str, tag: Tag) -> None:
        """Set a tag of an active experiment."""
        check_experiment_tags([tag])
        self._writing(actor, project).set_experiment_tag(project.id, experiment_id, tag)

    def delete_tag(self, actor: Actor, project: Project, experiment_id: str, key: str) -> None:
        """Remove a tag of an active experiment."""
        self._writing(actor, project).delete_experiment_tag(project.id, experiment_id, key)

    def _tell(self, action: str, actor: Actor, project: Project, change: Change[Experiment], changed: str = "") -> None:
        self._record(
            action,
            actor=actor,
            project=project,
            object_id=change.after.experiment_id,
            object_name=change.after.name,
            before={changed: getattr(change.before, changed)} if changed else None,
            after={changed: getattr(change.after, changed)} if changed else {"name": change.after.name},
        )
