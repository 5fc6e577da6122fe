"""MLflow's endpoints of the model registry."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.core.errors import InvalidInput
from modelyard.core.registry.models import ModelVersion, RegisteredModel
from modelyard.core.registry.models_service import check_stage
from modelyard.core.registry.versions_service import STAGES
from modelyard.core.tracking.entities import Query
from modelyard.web.mlflow.decoding import Int64, Request, Required
from modelyard.web.mlflow.registry_answers import model_answers, version_answer, version_answers
from modelyard.web.mlflow.router import Answer, Context, endpoint
from modelyard.web.mlflow.values import TagValue

ARTIFACT_SCHEME = "mlflow-artifacts:/"
MOST_MODELS = 1000
MOST_VERSIONS = 200_000


class CreateModel(Request):
    """Fields of registered-models/create."""

    name: Required
    tags: list[TagValue] = []
    description: str = ""


class ModelByName(Request):
    """Fields of registered-models/get and delete."""

    name: Required


class RenameModel(Request):
    """Fields of registered-models/rename."""

    name: Required
    new_name: Required


class UpdateModel(Request):
    """Fields of registered-models/update."""

    name: Required
    description: str | None = None


class Search(Request):
    """Fields of registered-models/search and model-versions/search."""

    filter: str = ""
    max_results: Int64 = 100
    order_by: list[str] = []
    page_token: str = ""


class LatestVersions(Request):
    """Fields of registered-models/get-latest-versions."""

    name: Required
    stages: list[str] = []


class ModelTag(Request):
    """Fields of registered-models/set-tag and delete-tag."""

    name: Required
    key: Required
    value: str = ""


class Alias(Request):
    """Fields of registered-models/alias."""

    name: Required
    alias: Required
    version: str | int = ""


class CreateVersion(Request):
    """Fields of model-versions/create."""

    name: Required
    source: Required
    run_id: str = ""
    tags: list[TagValue] = []
    run_link: str = ""
    description: str = ""
    model_id: str = ""


class VersionByNumber(Request):
    """Fields of model-versions/get, delete and get-download-uri."""

    name: Required
    version: str | int


class UpdateVersion(VersionByNumber):
    """Fields of model-versions/update."""

    description: str = ""


class TransitionStage(VersionByNumber):
    """Fields of model-versions/transition-stage."""

    stage: Required
    archive_existing_versions: bool = False


class VersionTag(VersionByNumber):
    """Fields of model-versions/set-tag and delete-tag."""

    key: Required
    value: str = ""


def _model(model: RegisteredModel) -> Answer:
    return {"registered_model": model_answers([model])[0]}


def _version(version: ModelVersion) -> Answer:
    return {"model_version": version_answer(version)}


@endpoint("POST", "registered-models/create")
def create_registered_model(context: Context, request: CreateModel) -> Answer:
    """Register a name."""
    tags = {tag.key: tag.value for tag in request.tags}
    made = context.services.models.create(
        context.actor, context.project, name=request.name, description=request.description, tags=tags
    )
    return _model(made)


@endpoint("GET", "registered-models/get")
def get_registered_model(context: Context, request: ModelByName) -> Answer:
    """Answer one model."""
    return _model(context.services.models.get(context.actor, context.project, request.name))


@endpoint("POST", "registered-models/rename")
def rename_registered_model(context: Context, request: RenameModel) -> Answer:
    """Rename a model."""
    models = context.services.models
    return _model(models.edit(context.actor, context.project, request.name, new_name=request.new_name))


@endpoint("PATCH", "registered-models/update")
def update_registered_model(context: Context, request: UpdateModel) -> Answer:
    """Describe a model."""
    models = context.services.models
    return _model(models.edit(context.actor, context.project, request.name, description=request.description))


@endpoint("DELETE", "registered-models/delete")
def delete_registered_model(context: Context, request: ModelByName) -> Answer:
    """Remove a model with its versions."""
    context.services.models.delete(context.actor, context.project, request.name)
    return {}


@endpoint("GET", "registered-models/search")
def search_registered_models(context: Context, request: Search) -> Answer:
    """Answer a page of models."""
    query = _query(request, MOST_MODELS)
    found, token = context.services.models.search(context.actor, context.project, query)
    return {"registered_models": model_answers(found), **({"next_page_token": token} if token else {})}


@endpoint("POST", "registered-models/get-latest-versions")
@endpoint("GET", "registered-models/get-latest-versions")
def get_latest_versions(context: Context, request: LatestVersions) -> Answer:
    """Answer the newest version of each stage."""
    model = context.services.models.get(context.actor, context.project, request.name)
    wanted = {check_stage(stage, STAGES) for stage in request.stages} or set(STAGES)
    latest = model_answers([model])[0]["latest_versions"]
    return {"model_versions": [version for version in latest if version["current_stage"] in wanted]}


@endpoint("POST", "registered-models/set-tag")
def set_registered_model_tag(context: Context, request: ModelTag) -> Answer:
    """Set a tag of a model."""
    context.services.models.set_tag(context.actor, context.project, request.name, request.key, request.value)
    return {}


@endpoint("DELETE", "registered-models/delete-tag")
def delete_registered_model_tag(context: Context, request: ModelTag) -> Answer:
    """Remove a tag of a model."""
    context.services.models.delete_tag(context.actor, context.project, request.name, request.key)
    return {}


@endpoint("POST", "registered-models/alias")
def set_registered_model_alias(context: Context, request: Alias) -> Answer:
    """Point an alias at a version."""
    versions = context.services.model_versions
    versions.set_alias(context.actor, context.project, request.name, request.alias, request.version)
    return {}


@endpoint("DELETE", "registered-models/alias")
def delete_registered_model_alias(context: Context, request: Alias) -> Answer:
    """Remove an alias."""
    context.services.model_versions.delete_alias(context.actor, context.project, request.name, request.alias)
    return {}


@endpoint("GET", "registered-models/alias")
def get_model_version_by_alias(context: Context, request: Alias) -> Answer:
    """Answer the version that an alias points to."""
    versions = context.services.model_versions
    return _version(versions.get_by_alias(context.actor, context.project, request.name, request.alias))


@endpoint("POST", "model-versions/create")
def create_model_version(context: Context, request: CreateVersion) -> Answer:
    """Register files as the next version."""
    made = context.services.model_versions.create(
        context.actor,
        context.project,
        request.name,
        source=request.source,
        run_id=request.run_id,
        run_link=request.run_link,
        logged_model_id=request.model_id,
        description=request.description,
        tags={tag.key: tag.value for tag in request.tags},
    )
    return _version(made)


@endpoint("GET", "model-versions/get")
def get_model_version(context: Context, request: VersionByNumber) -> Answer:
    """Answer one version."""
    return _version(_find(context, request))


@endpoint("GET", "model-versions/get-download-uri")
def get_model_version_download_uri(context: Context, request: VersionByNumber) -> Answer:
    """Answer where the version's files are."""
    version = _find(context, request)
    return {"artifact_uri": ARTIFACT_SCHEME + version.artifact_path if version.artifact_path else version.source}


@endpoint("PATCH", "model-versions/update")
def update_model_version(context: Context, request: UpdateVersion) -> Answer:
    """Describe a version."""
    versions = context.services.model_versions
    number, text = request.version, request.description
    return _version(versions.describe(context.actor, context.project, request.name, number, text))


@endpoint("POST", "model-versions/transition-stage")
def transition_model_version_stage(context: Context, request: TransitionStage) -> Answer:
    """Move a version to a stage."""
    moved = context.services.model_versions.promote(
        context.actor,
        context.project,
        request.name,
        request.version,
        stage=request.stage,
        archive_existing=request.archive_existing_versions,
    )
    return _version(moved)


@endpoint("DELETE", "model-versions/delete")
def delete_model_version(context: Context, request: VersionByNumber) -> Answer:
    """Remove a version."""
    context.services.model_versions.delete(context.actor, context.project, request.name, request.version)
    return {}


@endpoint("GET", "model-versions/search")
def search_model_versions(context: Context, request: Search) -> Answer:
    """Answer a page of versions of all models."""
    query = _query(request, MOST_VERSIONS)
    found, token = context.services.model_versions.search(context.actor, context.project, query)
    names = _names(found)
    return {"model_versions": version_answers(found, names), **({"next_page_token": token} if token else {})}


@endpoint("POST", "model-versions/set-tag")
def set_model_version_tag(context: Context, request: VersionTag) -> Answer:
    """Set a tag of a version."""
    versions, number = context.services.model_versions, request.version
    versions.set_tag(context.actor, context.project, request.name, number, request.key, request.value)
    return {}


@endpoint("DELETE", "model-versions/delete-tag")
def delete_model_version_tag(context: Context, request: VersionTag) -> Answer:
    """Remove a tag of a version."""
    versions, number = context.services.model_versions, request.version
    versions.delete_tag(context.actor, context.project, request.name, number, request.key)
    return {}


def _find(context: Context, request: VersionByNumber) -> ModelVersion:
    return context.services.model_versions.get(context.actor, context.project, request.name, request.version)


def _query(request: Search, most: int) -> Query:
    if not 0 < request.max_results <= most:
        raise InvalidInput(f"Invalid value {request.max_results} for parameter 'max_results': 1 to {most} are allowed.")
    return Query(
        filter=request.filter,
        order_by=request.order_by,
        max_results=request.max_results,
        page_token=request.page_token or None,
    )


def _names(versions: Sequence[ModelVersion]) -> dict[int, str]:
    keys = {version.model_id for version in versions}
    models = RegisteredModel.select(RegisteredModel.id, RegisteredModel.name).where(RegisteredModel.id.in_(list(keys)))
    return {model.id: model.name for model in models}
