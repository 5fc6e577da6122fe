"""The model registry."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint
from marshmallow import fields

from modelyard.core.registry.models import (
    ModelAlias,
    ModelVersion,
    RegisteredModel,
    StageChange,
)
from modelyard.web.context import actor, open_project, services
from modelyard.web.pagination import Listing, page_of, page_schema
from modelyard.web.schemas.registry import (
    ModelChangesSchema,
    ModelSchema,
    NewModelSchema,
    NewVersionSchema,
    PromotionSchema,
    StageChangeSchema,
    VersionChangesSchema,
    VersionSchema,
)

URL_PREFIX = "/api/v1/organizations/<organization>/projects/<project>/models"
MODELS = Listing(
    RegisteredModel.name,
    sort={
        "name": RegisteredModel.name,
        "created_at": RegisteredModel.created_at_ms,
        "updated_at": RegisteredModel.updated_at_ms,
    },
    search=(RegisteredModel.name, RegisteredModel.description),
)
STAGE_CHANGES = Listing(
    StageChange.id,
    descending=True,
    sort={"changed_at": StageChange.id, "version": StageChange.version_number},
    search=(StageChange.reason, StageChange.actor_name),
    filters={
        "version": (StageChange.version_number, fields.Integer()),
        "to_stage": (StageChange.to_stage, fields.String()),
    },
)
VERSIONS = Listing(
    ModelVersion.number,
    descending=True,
    sort={
        "version": ModelVersion.number,
        "stage": ModelVersion.stage,
        "created_at": ModelVersion.created_at_ms,
        "updated_at": ModelVersion.updated_at_ms,
    },
    search=(ModelVersion.description,),
    filters={
        "stage": (ModelVersion.stage, fields.String()),
        "status": (ModelVersion.status, fields.String()),
        "run_id": (ModelVersion.run_id, fields.String()),
        "created_by": (ModelVersion.created_by, fields.String()),
    },
)
blueprint = Blueprint("models", __name__, url_prefix=URL_PREFIX, description="The model registry")


def show_model(row: RegisteredModel) -> dict[str, Any]:
    """Sum up a model's versions, stages and aliases."""
    versions = [
        (version.number, version.stage)
        for version in ModelVersion.select().where(ModelVersion.model == row).order_by(ModelVersion.number)
    ]
    aliases = ModelAlias.select(ModelAlias, ModelVersion).join(ModelVersion).where(ModelAlias.model == row)
    return {
        "id": row.public_id,
        "tags": {tag.key: tag.value for tag in row.tags},
        "latest_version": versions[-1][0] if versions else None,
        "versions_count": len(versions),
        "stages": {stage: number for number, stage in versions if stage != "None"},
        "aliases": {alias.name: alias.version.number for alias in aliases},
        **{key: getattr(row, key) for key in ("name", "description", "created_at_ms", "updated_at_ms")},
    }


def show_version(row: ModelVersion) -> dict[str, Any]:
    """Put a version's tags and aliases beside it."""
    columns = ["stage", "status", "description", "run_id", "source", "created_by", "created_at_ms", "updated_at_ms"]
    return {
        "id": row.public_id,
        "model": row.model.name,
        "version": row.number,
        "tags": {tag.key: tag.value for tag in row.tags},
        "aliases": sorted(alias.name for alias in row.aliases),
        **{key: getattr(row, key) for key in columns},
    }


@blueprint.route("")
class ModelsView(MethodView):
    """A project's models."""

    @blueprint.arguments(MODELS.arguments, location="query")
    @blueprint.response(200, page_schema(ModelSchema))
    def get(self, arguments: dict[str, Any], organization: str, project: str) -> Any:
        """List the models by name."""
        found = services().models.list(actor(), open_project(organization, project))
        return page_of(found, arguments, MODELS, show=show_model)

    @blueprint.arguments(NewModelSchema)
    @blueprint.response(201, ModelSchema)
    def post(self, wish: dict[str, Any], organization: str, project: str) -> dict[str, Any]:
        """Register a model."""
        return show_model(services().models.create(actor(), open_project(organization, project), **wish))


@blueprint.route("/<model>")
class ModelView(MethodView):
    """One model."""

    @blueprint.response(200, ModelSchema)
    def get(self, organization: str, project: str, model: str) -> dict[str, Any]:
        """Show a model."""
        return show_model(services().models.get(actor(), open_project(organization, project), model))

    @blueprint.arguments(ModelChangesSchema)
    @blueprint.response(200, ModelSchema)
    def patch(self, changes: dict[str, Any], organization: str, project: str, model: str) -> dict[str, Any]:
        """Rename or describe a model."""
        found = open_project(organization, project)
        name, description = changes.get("name"), changes.get("description")
        return show_model(services().models.edit(actor(), found, model, new_name=name, description=description))

    @blueprint.response(204)
    def delete(self, organization: str, project: str, model: str) -> None:
        """Remove a model that no deployment uses, with its versions."""
        services().models.delete(actor(), open_project(organization, project), model)


@blueprint.route("/<model>/stage-changes")
class StageChangesView(MethodView):
    """The history of a model's stages."""

    @blueprint.arguments(STAGE_CHANGES.arguments, location="query")
    @blueprint.response(200, page_schema(StageChangeSchema))
    def get(self, arguments: dict[str, Any], organization: str, project: str, model: str) -> Any:
        """List the stage changes, newest first."""
        found = services().model_versions.stage_changes(actor(), open_project(organization, project), model)
        return page_of(found, arguments, STAGE_CHANGES)


@blueprint.route("/<model>/versions")
class VersionsView(MethodView):
    """A model's versions."""

    @blueprint.arguments(VERSIONS.arguments, location="query")
    @blueprint.response(200, page_schema(VersionSchema))
    def get(self, arguments: dict[str, Any], organization: str, project: str, model: str) -> Any:
        """List the versions, newest first."""
        found = services().model_versions.list(actor(), open_project(organization, project), model)
        return page_of(found, arguments, VERSIONS, show=show_version)

    @blueprint.arguments(NewVersionSchema)
    @blueprint.response(201, VersionSchema)
    def post(self, wish: dict[str, Any], organization: str, project: str, model: str) -> dict[str, Any]:
        """Register files of this project as the next version."""
        return show_version(
            services().model_versions.create(actor(), open_project(organization, project), model, **wish)
        )


@blueprint.route("/<model>/versions/<int:version>")
class VersionView(MethodView):
    """One version."""

    @blueprint.response(200, VersionSchema)
    def get(self, organization: str, project: str, model: str, version: int) -> dict[str, Any]:
        """Show a version."""
        found = open_project(organization, project)
        return show_version(services().model_versions.get(actor(), found, model, version))

    @blueprint.arguments(VersionChangesSchema)
    @blueprint.response(200, VersionSchema)
    def patch(
        self, changes: dict[str, Any], organization: str, project: str, model: str, version: int
    ) -> dict[str, Any]:
        """Describe a version."""
        found = open_project(organization, project)
        text = changes["description"]
        return show_version(services().model_versions.describe(actor(), found, model, version, text))

    @blueprint.response(204)
    def delete(self, organization: str, project: str, model: str, version: int) -> None:
        """Remove a version that no deployment uses."""
        services().model_versions.delete(actor(), open_project(organization, project), model, version)


@blueprint.route("/<model>/versions/<int:version>/promote")
class PromotionView(MethodView):
    """Moves to stages."""

    @blueprint.arguments(PromotionSchema)
    @blueprint.response(200, VersionSchema)
    def post(self, wish: dict[str, Any], organization: str, project: str, model: str, version: int) -> dict[str, Any]:
        """Move a version to a stage, and those that hold it now to Archived, at once."""
        found = open_project(organization, project)
        return show_version(services().model_versions.promote(actor(), found, model, version, **wish))
