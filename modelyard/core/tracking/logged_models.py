"""The verbs of logged models: models as runs log them, before and apart from any registration."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.core.errors import InvalidInput
from modelyard.core.identity.actor import Actor
from modelyard.core.projects.models import Project
from modelyard.core.tracking.entities import (
    MODEL_STATUSES,
    LoggedModel,
    LoggedModelQuery,
    NewLoggedModel,
    Page,
    Param,
    Tag,
)
from modelyard.core.tracking.limits import (
    MAX_ID_LENGTH,
    MAX_MODEL_NAME_LENGTH,
    check_length,
    check_max_results,
    check_model_name,
    check_params,
    check_tags,
)
from modelyard.core.tracking.service import TrackingService


class LoggedModelService(TrackingService):
    """Logged models of projects."""

    def create(self, actor: Actor, project: Project, model: NewLoggedModel) -> LoggedModel:
        """Make a pending logged model; without a name it gets one."""
        if model.name is not None:
            check_model_name(model.name)
        check_length("model_type", model.model_type or "", MAX_MODEL_NAME_LENGTH)
        check_length("source_run_id", model.source_run_id or "", MAX_ID_LENGTH)
        wanted = NewLoggedModel(
            experiment_id=model.experiment_id,
            name=model.name,
            model_type=model.model_type,
            source_run_id=model.source_run_id,
            params=[Param(key, value) for key, value in check_params(model.params).items()],
            tags=[Tag(key, value) for key, value in check_tags(model.tags).items()],
        )
        with self._changing(actor, project) as tracker:
            made = tracker.create_logged_model(project.id, wanted)
            self._tell("logged_model.created", actor, project, made, after={"name": made.info.name})
        return made

    def get(self, actor: Actor, project: Project, model_id: str) -> LoggedModel:
        """Return the logged model."""
        return self._reading(actor, project).get_logged_model(project.id, model_id)

    def search(self, actor: Actor, project: Project, query: LoggedModelQuery) -> Page[LoggedModel]:
        """Return a page of logged models."""
        check_max_results(query.max_results)
        return self._reading(actor, project).search_logged_models(project.id, query)

    def finalize(self, actor: Actor, project: Project, model_id: str, *, status: str) -> LoggedModel:
        """Say how the upload ended: READY or UPLOAD_FAILED."""
        if status not in MODEL_STATUSES:
            raise InvalidInput(f"Invalid model status {status!r}.", hint=f"It is one of {', '.join(MODEL_STATUSES)}.")
        with self._changing(actor, project) as tracker:
            before, after = tracker.finalize_logged_model(project.id, model_id, status)
            if before.info.status != status:
                self._tell(
                    "logged_model.finalized",
                    actor,
                    project,
                    after,
                    before={"status": before.info.status},
                    after={"status": status},
                )
        return after

    def delete(self, actor: Actor, project: Project, model_id: str) -> None:
        """Delete the logged model."""
        with self._changing(actor, project) as tracker:
            deleted = tracker.delete_logged_model(project.id, model_id)
            self._tell("logged_model.deleted", actor, project, deleted, before={"name": deleted.info.name})

    def log_params(self, actor: Actor, project: Project, model_id: str, params: Sequence[Param]) -> None:
        """Add params that never change again."""
        self._writing(actor, project).log_model_params(project.id, model_id, check_params(params))

    def set_tags(self, actor: Actor, project: Project, model_id: str, tags: Sequence[Tag]) -> LoggedModel:
        """Set tags."""
        return self._writing(actor, project).set_model_tags(project.id, model_id, check_tags(tags))

    def delete_tag(self, actor: Actor, project: Project, model_id: str, key: str) -> None:
        """Remove one tag."""
        self._writing(actor, project).delete_model_tag(project.id, model_id, key)

    def _tell(
        self,
        action: str,
        actor: Actor,
        project: Project,
        model: LoggedModel,
        *,
        before: dict[str, str] | None = None,
        after: dict[str, str] | None = None,
    ) -> None:
        self._record(
            action,
            actor=actor,
            project=project,
            object_id=model.info.model_id,
            object_name=model.info.name,
            before=before,
            after=after,
        )
