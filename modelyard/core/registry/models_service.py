"""The verbs of registered models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from peewee import IntegrityError

from modelyard.core.db import atomic, locked, now_ms
from modelyard.core.deployments.models import Deployment, DeploymentRevision
from modelyard.core.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from modelyard.core.events import Events
from modelyard.core.identity.actor import Actor
from modelyard.core.names import check_name, check_text
from modelyard.core.projects.access import authorize
from modelyard.core.projects.models import Project
from modelyard.core.registry.models import ModelVersion, RegisteredModel, RegisteredModelTag, is_prompt
from modelyard.core.registry.search import find_models
from modelyard.core.tracking.entities import Query

LONGEST_TAG_KEY = 250
LONGEST_TAG_VALUE = 100_000
LONGEST_DESCRIPTION = 100_000


class ModelService:
    """Registered models of a project."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def create(
        self, actor: Actor, project: Project, *, name: str, description: str = "", tags: Mapping[str, str] | None = None
    ) -> RegisteredModel:
        """Register a name; `AlreadyExists` where the project has it."""
        authorize(actor, project, "model.write")
        check_name(name, "name")
        check_text(description, "description", longest=LONGEST_DESCRIPTION)
        for key, value in (tags or {}).items():
            check_tag(key, value)
        try:
            with atomic():
                model = RegisteredModel.create(project=project, name=name, description=description)
                for key, value in (tags or {}).items():
                    RegisteredModelTag.create(model=model, key=key, value=value)
                self._record(actor, model, "created", {}, {"name": name, **described(description, tags)})
                return model
        except IntegrityError:
            raise AlreadyExists(f"Registered Model (name={name}) already exists.", field="name") from None

    def list(self, actor: Actor, project: Project) -> Any:
        """Return a query of the project's models by name."""
        authorize(actor, project, "model.read")
        return RegisteredModel.select().where(RegisteredModel.project == project).order_by(RegisteredModel.name)

    def search(self, actor: Actor, project: Project, query: Query) -> tuple[Sequence[RegisteredModel], str | None]:
        """Return a page of models in MLflow's filter language, and the token of the next page."""
        authorize(actor, project, "model.read")
        return find_models(project, query)

    def get(self, actor: Actor, project: Project, name: str) -> RegisteredModel:
        """Return one model; `NotFound` where the project has none of that name."""
        authorize(actor, project, "model.read")
        return find_model(project, name)

    def edit(
        self, actor: Actor, project: Project, name: str, *, new_name: str | None = None, description: str | None = None
    ) -> RegisteredModel:
        """Rename or describe a model."""
        authorize(actor, project, "model.write")
        changes: dict[str, Any] = {}
        if new_name is not None:
            changes["name"] = check_name(new_name, "name")
        if description is not None:
            changes["description"] = check_text(description, "description", longest=LONGEST_DESCRIPTION)
        try:
            with atomic():
                model = find_model(project, name, lock=True)
                before = {key: getattr(model, key) for key in changes if getattr(model, key) != changes[key]}
                if before:
                    RegisteredModel.update(updated_at_ms=now_ms(), **changes).where(
                        RegisteredModel.id == model.id
                    ).execute()
                    self._record(actor, model, "updated", before, {key: changes[key] for key in before})
                return find_model(project, new_name or name)
        except IntegrityError:
            raise AlreadyExists(f"Registered Model (name={new_name}) already exists.", field="name") from None

    def delete(self, actor: Actor, project: Project, name: str) -> None:
        """Remove a model with its versions; `Conflict` while a deployment uses one of them. Its artifacts stay."""
        authorize(actor, project, "model.write")
        with atomic():
            model = find_model(project, name, lock=True)
            refuse_if_deployed(ModelVersion.model == model)
            self._record(actor, model, "deleted", {"name": name, "last_version": model.last_version}, {})
            model.delete_instance()

    def set_tag(self, actor: Actor, project: Project, name: str, key: str, value: str) -> None:
        """Set one tag."""
        authorize(actor, project, "model.write")
        check_tag(key, value)
        with atomic():
            model = find_model(project, name, lock=True)
            put_tag(RegisteredModelTag, {"model": model.id, "key": key}, value)
            RegisteredModel.update(updated_at_ms=now_ms()).where(RegisteredModel.id == model.id).execute()
            self._record(actor, model, "tag_set", {}, {key: value})

    def delete_tag(self, actor: Actor, project: Project, name: str, key: str) -> None:
        """Remove one tag; silent where it is not set."""
        authorize(actor, project, "model.write")
        with atomic():
            model = find_model(project, name, lock=True)
            tag = (RegisteredModelTag.model == model) & (RegisteredModelTag.key == key)
            if RegisteredModelTag.delete().where(tag).execute():
                self._record(actor, model, "tag_deleted", {"key": key}, {})

    def _record(self, actor: Actor, model: RegisteredModel, verb: str, before: Any, after: Any) -> None:
        noun = "prompt" if is_prompt(model) else "model"
        self._events.record(
            f"{noun}.{verb}",
            actor=actor,
            object_id=model.public_id,
            object_name=model.name,
            project=model.project,
            before=before,
            after=after,
        )


def described(description: str, tags: Mapping[str, str] | None) -> dict[str, Any]:
    """Return what of these is given, for the event of what was made with them."""
    return {key: value for key, value in (("description", description), ("tags", dict(tags or {}))) if value}


def find_model(project: Project, name: str, *, lock: bool = False) -> RegisteredModel:
    """Return the project's model of that name, or raise `NotFound`; changes of a model and its versions `lock` it."""
    query = RegisteredModel.select().where(RegisteredModel.project == project, RegisteredModel.name == name)
    model = (locked(query) if lock else query).first()
    if model is None:
        raise NotFound(f"Registered Model with name={name} not found")
    model.project = project
    found: RegisteredModel = model
    return found


def check_tag(key: str, value: str) -> None:
    """Refuse a tag whose key or value is too long, empty or not text."""
    check_text(key, "tag key", longest=LONGEST_TAG_KEY, shortest=1)
    check_text(value, f"tag {key!r}", longest=LONGEST_TAG_VALUE)


def put_tag(table: Any, key: Mapping[str, Any], value: str) -> None:
    """Insert the tag or change its value."""
    columns = [getattr(table, name) for name in key]
    table.insert(**key, value=value).on_conflict(conflict_target=columns, update={table.value: value}).execute()


def refuse_if_deployed(versions: Any) -> None:
    """Raise `Conflict` naming a deployment that has a revision with one of those versions."""
    used = (
        Deployment.select(Deployment.name)
        .join(DeploymentRevision)
        .join(ModelVersion, on=(DeploymentRevision.model_version == ModelVersion.id))
        .where(versions)
        .first()
    )
    if used is not None:
        raise Conflict(f"The deployment {used.name!r} uses it.", hint="Delete the deployment first.")


def check_stage(stage: str, stages: tuple[str, ...]) -> str:
    """Return the stage as the project writes it (compared without case); `InvalidInput` for another one."""
    for known in stages:
        if known.lower() == stage.lower():
            return known
    raise InvalidInput(
        f"Invalid Model Version stage: {stage}. Value must be one of {', '.join(stages)}.", field="stage"
    )
