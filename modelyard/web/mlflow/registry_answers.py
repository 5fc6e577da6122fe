"""How registered models and versions read on the MLflow wire; a page of them costs three queries, not three each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from modelyard.core.registry.models import (
    ModelAlias,
    ModelVersion,
    ModelVersionTag,
    RegisteredModel,
    RegisteredModelTag,
)

Answer = Mapping[str, Any]


def model_answers(models: Sequence[RegisteredModel]) -> list[dict[str, Any]]:
    """Describe models with their tags, aliases and the latest version of each stage."""
    keys = [model.id for model in models]
    tags = _tags(RegisteredModelTag, RegisteredModelTag.model, keys)
    aliases: dict[int, list[Answer]] = defaultdict(list)
    pointing = ModelAlias.select(ModelAlias, ModelVersion).join(ModelVersion).where(ModelAlias.model.in_(keys))
    for row in pointing.order_by(ModelAlias.name):
        aliases[row.version.model_id].append({"alias": row.name, "version": str(row.version.number)})
    latest: dict[tuple[int, str], ModelVersion] = {}
    for version in ModelVersion.select().where(ModelVersion.model.in_(keys)).order_by(ModelVersion.number):
        latest[version.model_id, version.stage] = version
    names = {model.id: model.name for model in models}
    shown: dict[int, list[Answer]] = defaultdict(list)
    for (key, _), answer in zip(latest, version_answers(list(latest.values()), names), strict=True):
        shown[key].append(answer)
    return [
        {
            "name": model.name,
            "creation_timestamp": model.created_at_ms,
            "last_updated_timestamp": model.updated_at_ms,
            "description": model.description,
            "latest_versions": shown[model.id],
            "tags": tags[model.id],
            "aliases": aliases[model.id],
        }
        for model in models
    ]


def version_answers(versions: Sequence[ModelVersion], names: Mapping[int, str]) -> list[dict[str, Any]]:
    """Describe versions with their tags and aliases; `names` gives the models' names by key."""
    keys = [version.id for version in versions]
    tags = _tags(ModelVersionTag, ModelVersionTag.version, keys)
    aliases: dict[int, list[str]] = defaultdict(list)
    for row in ModelAlias.select().where(ModelAlias.version.in_(keys)).order_by(ModelAlias.name):
        aliases[row.__data__["version"]].append(row.name)
    return [
        {
            "name": names[version.model_id],
            "version": str(version.number),
            "creation_timestamp": version.created_at_ms,
            "last_updated_timestamp": version.updated_at_ms,
            "user_id": version.created_by,
            "current_stage": version.stage,
            "description": version.description,
            "source": version.source,
            "run_id": version.run_id,
            "run_link": version.run_link,
            "status": version.status,
            "tags": tags[version.id],
            "aliases": aliases[version.id],
            **({"model_id": version.logged_model_id} if version.logged_model_id else {}),
        }
        for version in versions
    ]


def version_answer(version: ModelVersion) -> dict[str, Any]:
    """Describe one version."""
    return version_answers([version], {version.model_id: version.model.name})[0]


def _tags(table: Any, owner: Any, keys: Sequence[int]) -> dict[int, list[Answer]]:
    found: dict[int, list[Answer]] = defaultdict(list)
    for row in table.select().where(owner.in_(list(keys))).order_by(table.key):
        found[row.__data__[owner.name]].append({"key": row.key, "value": row.value})
    return found
