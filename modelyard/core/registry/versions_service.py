"""The verbs of model versions: registering, promoting, tagging, pointing aliases at them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from modelyard.core.db import atomic, now_ms
from modelyard.core.errors import InvalidInput, NotFound
from modelyard.core.events import Events
from modelyard.core.identity.actor import Actor
from modelyard.core.interfaces import Tracker
from modelyard.core.names import check_text
from modelyard.core.projects.access import authorize
from modelyard.core.projects.models import Project
from modelyard.core.registry.models import (
    ModelAlias,
    ModelVersion,
    ModelVersionTag,
    RegisteredModel,
    StageChange,
    is_prompt,
)
from modelyard.core.registry.models_service import (
    LONGEST_DESCRIPTION,
    check_stage,
    check_tag,
    described,
    find_model,
    put_tag,
    refuse_if_deployed,
)
from modelyard.core.registry.search import find_versions
from modelyard.core.registry.sources import resolve_source
from modelyard.core.registry.used_files import hold_source
from modelyard.core.tracking.entities import Query

STAGES = ("None", "Staging", "Production", "Archived")
LONGEST_ALIAS = 255
LONGEST_SOURCE = 4096
ALIAS = re.compile(r"[\w-]+")
VERSION_SOURCE = re.compile(r"models:/(?P<model>[^/@]+)/(?P<number>[0-9]+)")
RESERVED_ALIAS = re.compile(r"latest|v\d+", re.IGNORECASE)


class ModelVersionService:
    """Versions of registered models; `trackers` gives the tracker of a project, which knows where runs' files are."""

    def __init__(self, events: Events, trackers: Callable[[Project], Tracker]) -> None:
        self._events = events
        self._trackers = trackers

    def create(
        self,
        actor: Actor,
        project: Project,
        model_name: str,
        *,
        source: str,
        run_id: str = "",
        run_link: str = "",
        logged_model_id: str = "",
        description: str = "",
        tags: Mapping[str, str] | None = None,
    ) -> ModelVersion:
        """Register the files at `source` as the next version.

        `source` is ``mlflow-artifacts:/PATH``, ``runs:/RUN/PATH``, ``models:/m-ID`` or another version as
        ``models:/MODEL/NUMBER``, in this project; `InvalidInput` for any other, except that a prompt's may be anything,
        `Conflict` for files that are being purged. Numbers count from 1 within the model and are never used again.
        """
        authorize(actor, project, "model.write")
        check_text(description, "description", longest=LONGEST_DESCRIPTION)
        check_text(source, "source", longest=LONGEST_SOURCE, shortest=1)
        check_text(run_id, "run_id", longest=32)
        check_text(run_link, "run_link", longest=LONGEST_SOURCE)
        check_text(logged_model_id, "model_id", longest=64)
        for key, value in (tags or {}).items():
            check_tag(key, value)
        artifact_path = self._files_at(project, find_model(project, model_name), source)
        if original := _copied(project, source):
            run_id, logged_model_id = run_id or original.run_id, logged_model_id or original.logged_model_id
        with atomic():
            model = find_model(project, model_name, lock=True)
            if artifact_path:
                hold_source(project, artifact_path)
            number = model.last_version + 1
            RegisteredModel.update(last_version=number, updated_at_ms=now_ms()).where(
                RegisteredModel.id == model.id
            ).execute()
            version = ModelVersion.create(
                model=model,
                number=number,
                source=source,
                artifact_path=artifact_path,
                run_id=run_id,
                run_link=run_link,
                logged_model_id=logged_model_id,
                description=description,
                created_by=actor.name,
            )
            for key, value in (tags or {}).items():
                ModelVersionTag.create(version=version, key=key, value=value)
            after = {"source": source, "run_id": run_id, **described(description, tags)}
            self._record(actor, version, "created", {}, after)
            return version

    def list(self, actor: Actor, project: Project, model_name: str) -> Any:
        """Return a query of a model's versions, newest first."""
        authorize(actor, project, "model.read")
        model = find_model(project, model_name)
        return (
            ModelVersion.select(ModelVersion, RegisteredModel)
            .join(RegisteredModel)
            .where(ModelVersion.model == model)
            .order_by(ModelVersion.number.desc())
        )

    def search(self, actor: Actor, project: Project, query: Query) -> tuple[Sequence[ModelVersion], str | None]:
        """Return a page of the project's versions in MLflow's filter language, and the token of the next page."""
        authorize(actor, project, "model.read")
        return find_versions(project, query)

    def get(self, actor: Actor, project: Project, model_name: str, number: int | str) -> ModelVersion:
        """Return one version by its number."""
        authorize(actor, project, "model.read")
        return find_version(project, model_name, number)

    def get_by_alias(self, actor: Actor, project: Project, model_name: str, alias: str) -> ModelVersion:
        """Return the version that an alias points to; ``latest`` is the highest number."""
        authorize(actor, project, "model.read")
        model = find_model(project, model_name)
        if alias.lower() == "latest":
            newest = (
                ModelVersion.select().where(ModelVersion.model == model).order_by(ModelVersion.number.desc()).first()
            )
            if newest is None:
                raise NotFound(f"Registered model {model_name} has no versions")
            return find_version(project, model_name, newest.number)
        row = ModelAlias.get_or_none(model=model, name=alias)
        if row is None:
            raise NotFound(f"Registered model alias {alias} not found.")
        return find_version(project, model_name, row.version.number)

    def describe(self, actor: Actor, project: Project, model_name: str, number: int | str, text: str) -> ModelVersion:
        """Change a version's description."""
        authorize(actor, project, "model.write")
        check_text(text, "description", longest=LONGEST_DESCRIPTION)
        with atomic():
            version = find_version(project, model_name, number, lock=True)
            ModelVersion.update(description=text, updated_at_ms=now_ms()).where(ModelVersion.id == version.id).execute()
            self._record(actor, version, "updated", {"description": version.description}, {"description": text})
        return find_version(project, model_name, number)

    def promote(
        self,
        actor: Actor,
        project: Project,
        model_name: str,
        number: int | str,
        *,
        stage: str,
        reason: str = "",
        archive_existing: bool = True,
    ) -> ModelVersion:
        """Move a version to a stage, and those that hold it now to Archived, in one transaction.

        Moving it to the stage that it is in changes nothing. Two who promote at once come one after the other, each
        seeing what the other did.
        """
        authorize(actor, project, "model_version.promote")
        check_text(reason, "reason", longest=10_000)
        to_stage = check_stage(stage, STAGES)
        with atomic():
            model = find_model(project, model_name, lock=True)
            version = find_version(project, model_name, number)
            if archive_existing and to_stage in {"Staging", "Production"}:
                holders = ModelVersion.select().where(
                    ModelVersion.model == model, ModelVersion.stage == to_stage, ModelVersion.id != version.id
                )
                for holder in holders:
                    holder.model = model
                    self._move(actor, holder, "Archived", f"replaced by version {version.number}")
            if version.stage != to_stage:
                self._move(actor, version, to_stage, reason)
        return find_version(project, model_name, number)

    def _move(self, actor: Actor, version: ModelVersion, to_stage: str, reason: str) -> None:
        ModelVersion.update(stage=to_stage, updated_at_ms=now_ms()).where(ModelVersion.id == version.id).execute()
        StageChange.create(
            model=version.model_id,
            version_number=version.number,
            from_stage=version.stage,
            to_stage=to_stage,
            reason=reason,
            actor_name=actor.name,
        )
        after = {"stage": to_stage, "reason": reason} if reason else {"stage": to_stage}
        self._record(actor, version, "stage_changed", {"stage": version.stage}, after)

    def stage_changes(self, actor: Actor, project: Project, model_name: str) -> Any:
        """Return a query of the model's stage history, newest first."""
        authorize(actor, project, "model.read")
        model = find_model(project, model_name)
        return StageChange.select().where(StageChange.model == model).order_by(StageChange.id.desc())

    def delete(self, actor: Actor, project: Project, model_name: str, number: int | str) -> None:
        """Remove a version; `Conflict` while a deployment has a revision with it. Its artifacts stay."""
        authorize(actor, project, "model.write")
        with atomic():
            version = find_version(project, model_name, number, lock=True)
            refuse_if_deployed(ModelVersion.id == version.id)
            self._record(actor, version, "deleted", {"stage": version.stage, "source": version.source}, {})
            version.delete_instance()

    def set_tag(self, actor: Actor, project: Project, model_name: str, number: int | str, key: str, value: str) -> None:
        """Set one tag."""
        authorize(actor, project, "model.write")
        check_tag(key, value)
        with atomic():
            version = find_version(project, model_name, number, lock=True)
            put_tag(ModelVersionTag, {"version": version.id, "key": key}, value)
            self._record(actor, version, "tag_set", {}, {key: value})

    def delete_tag(self, actor: Actor, project: Project, model_name: str, number: int | str, key: str) -> None:
        """Remove one tag; silent where it is not set."""
        authorize(actor, project, "model.write")
        with atomic():
            version = find_version(project, model_name, number, lock=True)
            tag = (ModelVersionTag.version == version) & (ModelVersionTag.key == key)
            if ModelVersionTag.delete().where(tag).execute():
                self._record(actor, version, "tag_deleted", {"key": key}, {})

    def set_alias(self, actor: Actor, project: Project, model_name: str, alias: str, number: int | str) -> None:
        """Point an alias at a version, away from where it pointed."""
        authorize(actor, project, "model.write")
        check_text(alias, "alias", longest=LONGEST_ALIAS, shortest=1)
        if not ALIAS.fullmatch(alias):
            hint = "Use letters, digits, underscores and hyphens."
            raise InvalidInput(f"The alias {alias!r} cannot be taken.", hint=hint, field="alias")
        if RESERVED_ALIAS.fullmatch(alias):
            raise InvalidInput(f"The alias {alias!r} is reserved.", hint="Choose another one.", field="alias")
        with atomic():
            version = find_version(project, model_name, number, lock=True)
            before = ModelAlias.get_or_none(model=version.model, name=alias)
            if before is None:
                ModelAlias.create(model=version.model, name=alias, version=version)
            else:
                ModelAlias.update(version=version).where(ModelAlias.id == before.id).execute()
            old = {"alias": alias, "version": before.version.number} if before else {}
            self._record(actor, version, "alias_set", old, {"alias": alias, "version": version.number})

    def delete_alias(self, actor: Actor, project: Project, model_name: str, alias: str) -> None:
        """Remove an alias; silent where there is none."""
        authorize(actor, project, "model.write")
        with atomic():
            model = find_model(project, model_name, lock=True)
            row = ModelAlias.get_or_none(model=model, name=alias)
            if row is not None:
                version = row.version
                row.delete_instance()
                self._record(actor, version, "alias_deleted", {"alias": alias, "version": version.number}, {})

    def _record(self, actor: Actor, version: ModelVersion, verb: str, before: Any, after: Any) -> None:
        noun = "prompt_version" if is_prompt(version.model) else "model_version"
        self._events.record(
            f"{noun}.{verb}",
            actor=actor,
            object_id=version.public_id,
            object_name=f"{version.model.name}/{version.number}",
            project=version.model.project,
            before=before,
            after=after,
        )

    def _files_at(self, project: Project, model: RegisteredModel, source: str) -> str:
        """Return the artifact path that a new version's `source` names; a prompt has no files."""
        if is_prompt(model):
            return ""
        original = _copied(project, source)
        if original is None:
            return resolve_source(self._trackers(project), project, source)
        if not original.artifact_path:
            raise InvalidInput(
                f"The source {source[:200]!r} is a prompt's version, which has no files.", field="source"
            )
        return original.artifact_path


def _copied(project: Project, source: str) -> ModelVersion | None:
    """Return the version that ``models:/MODEL/NUMBER`` names."""
    named = VERSION_SOURCE.fullmatch(source)
    return find_version(project, named["model"], named["number"]) if named else None


def find_version(project: Project, model_name: str, number: int | str, *, lock: bool = False) -> ModelVersion:
    """Return the version, or raise `NotFound`; a number that is none is `InvalidInput`. Changes `lock` its model."""
    text = str(number)
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise InvalidInput(f"{text[:40]!r} is not the number of a version.", field="version")
    model = find_model(project, model_name, lock=lock)
    version = ModelVersion.get_or_none(model=model, number=int(text))
    if version is None:
        raise NotFound(f"Model Version (name={model_name}, version={text}) not found")
    version.model = model
    found: ModelVersion = version
    return found
