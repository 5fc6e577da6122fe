"""Searches for models and versions in MLflow's filter language, as SQL; prompts show only where it asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelyard.core.projects.models import Project
from modelyard.core.registry.models import PROMPT_TAG, ModelVersion, RegisteredModel
from modelyard.core.tracking.entities import Query
from modelyard.core.tracking.filters import MODEL_VERSIONS, REGISTERED_MODELS, Comparison, parse_filter, parse_order_by
from modelyard.core.tracking.paging import fingerprint
from modelyard.core.tracking.search import page_of_keys
from modelyard.core.tracking.sql import Clause, compare, order

MODEL_COLUMNS = {
    "name": "m.name",
    "creation_timestamp": "m.created_at_ms",
    "last_updated_timestamp": "m.updated_at_ms",
}
VERSION_COLUMNS = {
    "name": "m.name",
    "version_number": "v.number",
    "run_id": "v.run_id",
    "source_path": "v.source",
    "creation_timestamp": "v.created_at_ms",
    "last_updated_timestamp": "v.updated_at_ms",
}


def find_models(project: Project, query: Query) -> tuple[Sequence[RegisteredModel], str | None]:
    """Return a page of the project's models in order, and the token of the next page."""
    conditions = [Clause("m.project_id = ?", (project.id,))]
    found = parse_filter(query.filter, REGISTERED_MODELS)
    for comparison in _apart_from_prompts(found):
        if comparison.entity == "tag":
            conditions.append(_tagged("registered_model_tag", "model_id", "m.id", comparison))
        else:
            conditions.append(compare(MODEL_COLUMNS[comparison.key], comparison.operator, comparison.value))
    if not _asks_for_prompts(found):
        conditions.append(_no_prompt("m.id"))
    keys = parse_order_by(query.order_by or ["name ASC"], REGISTERED_MODELS)
    ordering = [
        Clause(order(MODEL_COLUMNS[key.key], ascending=key.ascending, is_text=key.key == "name")) for key in keys
    ]
    ordering.append(Clause("m.id"))
    search = fingerprint(project.id, "models", query.filter, query.order_by)
    ids, token = page_of_keys(Clause("SELECT m.id FROM registered_model m"), conditions, ordering, query, search)
    return _in_order(RegisteredModel, ids), token


def find_versions(project: Project, query: Query) -> tuple[Sequence[ModelVersion], str | None]:
    """Return a page of the project's versions in order (by default the newest first), and the next page's token."""
    conditions = [Clause("m.project_id = ?", (project.id,))]
    found = parse_filter(query.filter, MODEL_VERSIONS)
    for comparison in _apart_from_prompts(found):
        if comparison.entity == "tag":
            conditions.append(_tagged("model_version_tag", "version_id", "v.id", comparison))
        else:
            conditions.append(compare(VERSION_COLUMNS[comparison.key], comparison.operator, comparison.value))
    if not _asks_for_prompts(found):
        conditions.append(_no_prompt("m.id"))
    keys = parse_order_by(query.order_by or ["last_updated_timestamp DESC"], MODEL_VERSIONS)
    ordering = [
        Clause(order(VERSION_COLUMNS[key.key], ascending=key.ascending, is_text=key.key == "name")) for key in keys
    ]
    ordering.append(Clause("m.name, v.number DESC"))
    search = fingerprint(project.id, "versions", query.filter, query.order_by)
    source = Clause("SELECT v.id FROM model_version v JOIN registered_model m ON m.id = v.model_id")
    ids, token = page_of_keys(source, conditions, ordering, query, search)
    return _in_order(ModelVersion, ids), token


def _tagged(table: str, owner: str, outer: str, found: Comparison) -> Clause:
    inner = compare("t.value", found.operator, found.value)
    return Clause(
        f"EXISTS (SELECT 1 FROM {table} t WHERE t.{owner} = {outer} AND t.key = ? AND {inner.sql})",
        (found.key, *inner.parameters),
    )


def _asks_for_prompts(found: Sequence[Comparison]) -> bool:
    """Say whether prompts are wanted. Models have no such tag, so all else that is said of it means: no prompts."""
    asked = [(comparison.operator, str(comparison.value).lower()) for comparison in found if _is_of_prompts(comparison)]
    return ("=", "true") in asked or ("!=", "false") in asked


def _apart_from_prompts(found: Sequence[Comparison]) -> Sequence[Comparison]:
    """Return what is to be compared; MLflow's client itself adds ``tag.`mlflow.prompt.is_prompt` != 'true'``."""
    if _asks_for_prompts(found):
        return found
    return [comparison for comparison in found if not _is_of_prompts(comparison)]


def _is_of_prompts(comparison: Comparison) -> bool:
    return comparison.entity == "tag" and comparison.key == PROMPT_TAG


def _no_prompt(outer: str) -> Clause:
    return Clause(
        f"NOT EXISTS (SELECT 1 FROM registered_model_tag p WHERE p.model_id = {outer} AND p.key = ? AND p.value = ?)",
        (PROMPT_TAG, "true"),
    )


def _in_order(table: Any, ids: Sequence[int]) -> Sequence[Any]:
    rows = {row.id: row for row in table.select().where(table.id.in_(list(ids)))}
    return [rows[row_id] for row_id in ids if row_id in rows]
