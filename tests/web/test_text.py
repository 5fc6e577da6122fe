"""NUL and halves of surrogate pairs: refused in every field of every request, before anything is written."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from modelyard.core.bootstrap import Services
from modelyard.core.db import database
from modelyard.web.schemas.base import StrictSchema
from tests.factories import Factories
from tests.web.conftest import Place
from tests.web.test_api_schema import operations
from tests.web.test_problems import problem

BODIES: dict[str, dict[str, Any]] = {
    "post_session": {"username": "ada", "password": "correct horse battery"},
    "post_setup": {"username": "ada", "password": "p", "display_name": "d", "email": "a@b"},
    "post_password_reset": {"password": "p"},
    "put_password": {"current_password": "c", "password": "p"},
    "post_users": {"username": "ada", "password": "p", "display_name": "d", "email": "a@b"},
    "patch_user": {"display_name": "d", "email": "a@b"},
    "post_service_accounts": {"name": "ci", "display_name": "d"},
    "patch_service_account": {"display_name": "d"},
    "post_service_account_tokens": {"name": "t", "scopes": ["read"], "project": "p"},
    "post_tokens": {"name": "t", "scopes": ["read"], "organization": "o", "project": "p"},
    "post_plugin_block": {"reason": "r"},
    "post_organizations": {"slug": "s", "name": "n", "owner": "o"},
    "patch_organization": {"slug": "s", "name": "n"},
    "post_organization_transfer": {"username": "u", "keep_role": "admin"},
    "post_organization_restore": {"slug": "s"},
    "post_invitations": {"role": "member", "project": "p", "project_role": "viewer", "email": "e"},
    "post_acceptance": {"username": "u", "display_name": "d", "password": "correct horse battery"},
    "put_member": {"role": "member"},
    "post_projects": {"slug": "s", "name": "n", "description": "d"},
    "patch_project": {"slug": "s", "name": "n", "description": "d", "storage_connection_id": "s"},
    "post_project_restore": {"slug": "s"},
    "put_project_member": {"role": "viewer"},
    "post_connections": {
        "name": "n", "kind": "notifier", "provider": "log", "settings": {"k": ["v"]}, "subscriptions": ["*"],
    },
    "post_connection_test": {"kind": "notifier", "provider": "log", "settings": {"k": {"deep": "v"}}},
    "patch_connection": {"settings": {"k": "v"}, "subscriptions": ["*"]},
    "post_organization_connections": {
        "name": "n", "kind": "notifier", "provider": "log", "settings": {"k": ["v"]}, "subscriptions": ["*"],
    },
    "post_saved_connection_test": {"settings": {"k": {"deep": "v"}}},
    "post_saved_organization_connection_test": {"settings": {"k": {"deep": "v"}}},
    "post_organization_connection_test": {"kind": "notifier", "provider": "log", "settings": {"k": {"deep": "v"}}},
    "patch_organization_connection": {"settings": {"k": "v"}, "subscriptions": ["*"]},
    "post_experiments": {"name": "n", "note": "n", "artifact_location": "s3://b", "tags": {"k": "v"}},
    "patch_experiment": {"name": "n", "note": "n", "tags": {"k": "v"}},
    "post_runs": {"experiment_id": "0", "name": "n", "parent_run_id": "p", "note": "n", "tags": {"k": "v"}},
    "patch_run": {"name": "n", "status": "FINISHED", "note": "n", "tags": {"k": "v"}},
    "post_run_log": {"metrics": [{"key": "k", "value": "NaN"}], "params": {"k": "v"}, "tags": {"k": "v"}},
    "post_run_deletions": {"run_ids": ["r"]},
    "post_run_restorations": {"run_ids": ["r"]},
    "post_run_tags": {"run_ids": ["r"], "tags": {"k": "v"}},
    "post_metric_sample": {"run_ids": ["r"], "keys": ["k"], "x": "step", "align": "last"},
    "post_comparison": {"run_ids": ["r"], "directions": {"k": "max"}},
    "post_comparison_export": {"run_ids": ["r"], "format": "csv", "columns": ["name"]},
    "post_models": {"name": "n", "description": "d", "tags": {"k": "v"}},
    "patch_model": {"name": "n", "description": "d"},
    "post_versions": {"source": "mlflow-artifacts:/m", "run_id": "r", "description": "d", "tags": {"k": "v"}},
    "patch_version": {"description": "d"},
    "post_promotion": {"stage": "Staging", "reason": "r"},
    "post_deployments": {
        "name": "n", "model": "m", "version": "1", "target": "local_process", "environment": {"K": "v"},
    },
    "patch_deployment": {"model": "m", "version": "1", "environment": {"K": "v"}},
    "post_rollback": {"revision": None},
}  # fmt: skip


PARTS = (
    "organization", "project", "username", "connection_id", "run_id", "key", "model", "deployment", "plugin",
    "token_id", "organization_id", "project_id", "invitation_id", "token", "session_id", "name",
    "delivery_id", "experiment_id", "trace_id",
)  # fmt: skip


def spoiled(value: Any, bad: str) -> list[Any]:
    """Every way to put the bad text into one place of the value, keys too."""
    if isinstance(value, str):
        return [value + bad]
    if isinstance(value, list):
        return [[wrong] for inner in value for wrong in spoiled(inner, bad)]
    if isinstance(value, dict):
        inside = [{**value, key: wrong} for key, inner in value.items() for wrong in spoiled(inner, bad)]
        return [*inside, {**value, bad: "v"}]
    return []


def everything() -> dict[str, int]:
    tables = [table for table in database.get_tables() if table not in {"migration", "api_token", "session"}]
    return {table: database.execute_sql(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in tables}


def documented(app: Flask) -> list[tuple[str, str, dict[str, Any]]]:
    return list(operations(app.test_client().get("/api/v1/openapi.json").get_json()))


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_the_table_has_every_body(app: Flask) -> None:
    bodies = {operation["operationId"] for _, _, operation in documented(app) if "requestBody" in operation}
    assert bodies == set(BODIES)
    assert all(issubclass(schema, StrictSchema) for schema in StrictSchema.__subclasses__())


@pytest.mark.parametrize("bad", ["\0", "\ud800", "a\udfff"])
def test_no_field_takes_it(app: Flask, factories: Factories, place: Place, bad: str) -> None:
    root = factories.headers(factories.user(is_instance_admin=True))
    names = {"organization": place.project.organization.slug, "project": "churn", "username": place.user.username}
    before = everything()
    count = 0
    for method, path, operation in documented(app):
        address = path.format_map({**dict.fromkeys(PARTS, "x"), "version": 1, **names})
        for body in spoiled(BODIES.get(operation["operationId"], {}), bad) if "requestBody" in operation else []:
            headers = root if operation["operationId"] == "post_organizations" else place.headers
            answer = place.client.open(address, method=method, json=body, headers=headers)
            assert answer.status_code == 422, (operation["operationId"], body, answer.get_json())
            assert "U+" in problem(answer, 422, "invalid_input")["detail"]
            count += 1
    assert count > 70
    assert everything() == before


def test_no_address_takes_nul(services: Services, app: Flask, place: Place) -> None:
    before = everything()
    for method, path, operation in documented(app):
        body = BODIES.get(operation["operationId"])
        parts = [part for part in PARTS if f"{{{part}}}" in path]
        for bad in parts:
            names = {**dict.fromkeys(parts, "x"), "organization": place.project.organization.slug, "project": "churn"}
            address = path.format_map({**names, "version": 1, bad: "a%00b"})
            answer = place.client.open(address, method=method, json=body, headers=place.headers)
            assert 400 <= answer.status_code < 500, (address, answer.get_json())
        if not parts or method == "get":
            names = {**dict.fromkeys(parts, "x"), "organization": place.project.organization.slug, "project": "churn"}
            for query in ("cursor", "path", "filter", "order_by", "experiment", "limit", "after", "prefix", "parent"):
                address = path.format_map({**names, "version": 1})
                answer = place.client.open(f"{address}?{query}=a%00b", method=method, json=body, headers=place.headers)
                assert 400 <= answer.status_code < 500, (address, query, answer.get_json())
    assert everything() == before


def test_no_other_door_takes_nul(place: Place) -> None:
    organization = place.project.organization.slug
    for address in (
        "/mlflow/a%00b/churn/api/2.0/mlflow/experiments/search",
        f"/mlflow/{organization}/a%00b/api/2.0/mlflow/runs/search",
        "/serve/a%00b/churn/live/invocations", f"/serve/{organization}/churn/a%00b/invocations",
    ):  # fmt: skip
        answer = place.client.post(address, json={}, headers=place.headers)
        assert 400 <= answer.status_code < 500, (address, answer.get_data())
    for token in ("my_" + "\0" * 32 + "_x", "a\0b"):
        answer = place.client.get("/api/v1/session", auth=("anybody", token))
        problem(answer, 401, "authentication_required")
