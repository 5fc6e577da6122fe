"""Everything that the API can do has a command and a verb of the client: whoever adds an operation names both here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.cli.tree import LEAVES
from tests.client.test_verbs import LISTS, VERBS

DOCUMENT = Path(__file__).parents[2] / "modelyard" / "web" / "ui" / "openapi.json"

COMMANDS = {
    "get_session": "whoami",
    "post_session": "login",
    "delete_session": "logout",
    "put_password": "account password",
    "get_account_sessions": "account sessions list",
    "delete_account_session": "account sessions end",
    "delete_account_sessions": "account sessions end-all",
    "post_password_reset": "account reset-password",
    "post_setup": "account set-up",
    "get_users": "users list",
    "post_users": "users create",
    "get_user": "users show",
    "patch_user": "users edit",
    "delete_user": "users delete",
    "delete_user_sessions": "users end-sessions",
    "get_user_tokens": "users tokens list",
    "delete_user_token": "users tokens revoke",
    "post_user_password_reset": "users reset-password",
    "get_service_accounts": "service-accounts list",
    "post_service_accounts": "service-accounts create",
    "get_service_account": "service-accounts show",
    "patch_service_account": "service-accounts edit",
    "delete_service_account": "service-accounts delete",
    "get_service_account_tokens": "service-accounts tokens list",
    "post_service_account_tokens": "service-accounts tokens create",
    "delete_service_account_token": "service-accounts tokens revoke",
    "get_tokens": "tokens list",
    "post_tokens": "tokens create",
    "delete_token": "tokens revoke",
    "get_organizations": "organizations list",
    "post_organizations": "organizations create",
    "get_organization": "organizations show",
    "patch_organization": "organizations edit",
    "delete_organization": "organizations delete",
    "post_organization_restore": "organizations restore",
    "post_organization_leave": "organizations leave",
    "post_organization_transfer": "organizations transfer",
    "get_invitations": "organizations invitations list",
    "post_invitations": "organizations invitations create",
    "delete_invitation": "organizations invitations revoke",
    "get_offer": "organizations invitations accept",
    "post_acceptance": "organizations invitations accept",
    "get_members": "organizations members list",
    "put_member": "organizations members set",
    "delete_member": "organizations members remove",
    "get_projects": "projects list",
    "post_projects": "projects create",
    "get_project": "projects show",
    "patch_project": "projects edit",
    "delete_project": "projects delete",
    "post_project_restore": "projects restore",
    "post_project_leave": "projects leave",
    "get_project_usage": "projects usage",
    "get_project_members": "projects members list",
    "put_project_member": "projects members set",
    "delete_project_member": "projects members remove",
    "get_connections": "connections list",
    "post_connections": "connections create",
    "post_connection_test": "connections create",
    "get_connection": "connections show",
    "patch_connection": "connections edit",
    "delete_connection": "connections delete",
    "post_saved_connection_test": "connections test",
    "get_connection_health": "connections health",
    "get_organization_connections": "connections list",
    "post_organization_connections": "connections create",
    "post_organization_connection_test": "connections create",
    "get_organization_connection": "connections show",
    "patch_organization_connection": "connections edit",
    "delete_organization_connection": "connections delete",
    "post_saved_organization_connection_test": "connections test",
    "get_organization_connection_health": "connections health",
    "get_experiments": "experiments list",
    "post_experiments": "experiments create",
    "get_experiment": "experiments show",
    "patch_experiment": "experiments edit",
    "delete_experiment": "experiments delete",
    "post_experiment_restore": "experiments restore",
    "get_runs": "runs list",
    "post_runs": "runs create",
    "get_run": "runs show",
    "patch_run": "runs edit",
    "delete_run": "runs delete",
    "post_restore": "runs restore",
    "post_run_purge": "runs purge",
    "post_experiment_purge": "experiments purge",
    "post_run_log": "runs log",
    "post_run_deletions": "runs delete",
    "post_run_restorations": "runs restore",
    "post_run_tags": "runs tag",
    "get_run_metrics": "runs metrics",
    "get_history": "runs metrics",
    "get_history_export": "runs metrics",
    "get_metric_tails": "runs tail",
    "post_metric_sample": "runs compare",
    "post_comparison": "runs compare",
    "post_comparison_export": "runs export",
    "get_run_export": "runs export",
    "get_artifacts": "runs artifacts list",
    "get_artifact_content": "runs artifacts download",
    "get_traces": "traces list",
    "get_trace": "traces show",
    "delete_trace": "traces delete",
    "get_models": "models list",
    "post_models": "models create",
    "get_model": "models show",
    "patch_model": "models edit",
    "delete_model": "models delete",
    "get_stage_changes": "models history",
    "get_versions": "models versions",
    "post_versions": "models register",
    "get_version": "models version",
    "patch_version": "models describe",
    "delete_version": "models delete-version",
    "post_promotion": "models promote",
    "get_deployments": "deployments list",
    "post_deployments": "deployments create",
    "get_deployment": "deployments show",
    "patch_deployment": "deployments edit",
    "delete_deployment": "deployments delete",
    "post_stop": "deployments stop",
    "post_start": "deployments start",
    "post_rollback": "deployments rollback",
    "get_revisions": "deployments revisions",
    "get_logs": "deployments logs",
    "get_events": "events list",
    "get_event_export": "events export",
    "get_organization_events": "events list",
    "get_organization_event_export": "events export",
    "get_instance_events": "events list",
    "get_instance_event_export": "events export",
    "get_deliveries": "deliveries list",
    "get_delivery": "deliveries show",
    "post_redelivery": "deliveries redeliver",
    "get_organization_deliveries": "deliveries list",
    "get_organization_delivery": "deliveries show",
    "post_organization_redelivery": "deliveries redeliver",
    "get_plugins": "plugins list",
    "get_plugin": "plugins show",
    "get_providers": "plugins providers",
    "post_plugin_block": "plugins block",
    "delete_plugin_block": "plugins unblock",
}
IN_A_BROWSER: set[str] = {"get_sign_in_options", "get_changes"}
"""What only a page asks."""
TESTED_ELSEWHERE = {
    "get_session", "post_session", "delete_session", "post_tokens", "get_runs",
    "get_artifacts", "get_artifact_content", "get_models", "get_deployment",
}  # fmt: skip
"""Operations whose verbs do more than send one request: `test_identity`, `test_download`, `test_deployments`."""


def operations() -> dict[str, tuple[str, str]]:
    """Return (method, path) of every operation of the kept document, which `test_openapi_types` compares."""
    paths: dict[str, Any] = json.loads(DOCUMENT.read_text())["paths"]
    return {
        operation["operationId"]: (method.upper(), path)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if method != "parameters"
    }


def test_every_operation_has_a_command() -> None:
    assert set(COMMANDS) == set(operations()) - IN_A_BROWSER
    unknown = {command for command in COMMANDS.values() if f"modelyard {command}" not in LEAVES}
    assert unknown == set()


def test_every_operation_has_a_verb_of_the_client() -> None:
    known = [(method, path) for _, method, path, _ in VERBS] + [("GET", path) for _, path in LISTS]
    missing = {
        name
        for name, (method, path) in operations().items()
        if not any(method == verb and _fits(path, shown) for verb, shown in known)
    }
    assert missing == TESTED_ELSEWHERE


def _fits(template: str, path: str) -> bool:
    """Say whether a path is one of the template's; the name of a metric may hold slashes."""
    pattern = re.escape(template).replace(r"\{key\}", ".+")
    return re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", pattern), path) is not None
