"""The words of the API's description: what a parameter or field of a name means wherever it stands, and examples.

A field whose schema says more keeps what that says; each body of a request has one example.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MEANINGS = {
    "archived": "Whether it is archived: kept and readable, and nothing is added to it.",
    "connection_id": "The connection's id.",
    "current_password": "The password as it is now.",
    "cursor": "`next_cursor` of the page before.",
    "delivery_id": "The delivery's id.",
    "deployment": "The deployment's name.",
    "description": "What people should know of it; Markdown.",
    "disabled": "Whether it is kept out: its sessions and tokens are refused.",
    "display_name": "What people are shown.",
    "email": "An e-mail address, to be shown.",
    "enabled": "Whether it is used at all.",
    "environment": "Environment variables of the replicas, as texts by name.",
    "experiment_id": "The experiment's id, a number within the project.",
    "expires_in_days": "After how many days it ends by itself; without it, never.",
    "invitation_id": "The invitation's id.",
    "is_instance_admin": "Whether it administers the server.",
    "key": "The metric's name.",
    "kind": "What the provider is for.",
    "limit": "How many items to answer at most.",
    "lines": "How many lines of each replica's log, from its end.",
    "model": "The registered model's name.",
    "name": "What people call it.",
    "note": "What people should know of it; Markdown, null for none.",
    "organization": "The organization's slug.",
    "organization_id": "The organization's id, which stays when its slug is free again.",
    "password": "The password.",
    "path": "A path relative to the run's artifacts.",
    "plugin": "The plugin's name.",
    "project": "The project's slug.",
    "project_id": "The project's id, which stays when its slug is free again.",
    "project_role": "The role in the project.",
    "provider": "The provider's name, as `GET /api/v1/providers` lists it.",
    "ready_within_seconds": "A revision that is not ready by then has failed, and the one before comes back.",
    "reason": "Why, for the history.",
    "replicas": "How many processes answer.",
    "role": "The role; it includes the smaller ones.",
    "run_id": "The run's id.",
    "scopes": "What it may be used for, at most; the roles of its user bound it further.",
    "session_id": "The session's id.",
    "settings": "The provider's settings, as its `settings_schema` describes them.",
    "slug": "Its name in addresses: a-z, 0-9 and single hyphens.",
    "source": "Where the files are: `runs:/RUN_ID/PATH` or `models:/MODEL/VERSION`.",
    "stage": "The stage to move it to.",
    "storage_connection_id": "The storage connection that keeps the project's artifacts; null is the server's own.",
    "subscriptions": "Actions that a notifier is told of, such as `model_version.*`.",
    "tags": "Texts by name.",
    "token": "The secret part of a one-time link.",
    "token_id": "The token's id.",
    "trace_id": "The trace's id.",
    "tracker_connection_id": "The tracker connection that keeps experiments and runs; null is the server's own.",
    "username": "The user's name.",
    "version": "The version: a number, or where it says so an alias or `latest`.",
}

NO_FILTERS = frozenset({"cursor", "limit", "lines", "path"})
"""Parameters of a query that choose no rows; every other one that does not say what it is, is a filter of a list."""

EXAMPLES: dict[str, dict[str, Any]] = {
    "Acceptance": {"username": "bo", "display_name": "Bo", "password": "correct horse battery"},
    "ComparisonWish": {
        "run_ids": ["0198c0ffee0070008000000000000000", "0198c0ffee0070008000000000000001"],
        "directions": {"auc": "max", "loss": "min"},
    },
    "ConnectionChanges": {"subscriptions": ["model_version.*"], "enabled": True},
    "ConnectionTest": {"kind": "notifier", "provider": "webhook", "settings": {"url": "https://chat.example/hook"}},
    "DeploymentChanges": {"version": "4", "replicas": 2},
    "ExperimentChanges": {"note": "Trees of all depths.", "tags": {"team": "growth", "draft": None}},
    "RunLog": {
        "metrics": [{"key": "loss", "value": 0.25, "step": 3, "timestamp": "2026-09-01T12:00:00Z"}],
        "params": {"depth": "4"},
        "tags": {"data": "2026-09"},
    },
    "ModelChanges": {"description": "Who leaves next month."},
    "NewAccountToken": {"name": "build 7", "scopes": ["read", "write"], "project": "churn", "expires_in_days": 90},
    "NewBlock": {"reason": "It leaks connections; see ticket 4711."},
    "NewConnection": {
        "kind": "notifier",
        "provider": "webhook",
        "name": "ml-alerts",
        "settings": {"url": "https://chat.example/hook"},
        "subscriptions": ["model_version.*"],
    },
    "NewDeployment": {"name": "risk-live", "model": "risk", "version": "3", "replicas": 1},
    "NewExperiment": {"name": "gradient boosting", "tags": {"team": "growth"}},
    "NewInvitation": {"role": "member", "project": "churn", "project_role": "editor", "expires_in_days": 7},
    "NewModel": {"name": "risk", "description": "Who leaves next month.", "tags": {"team": "growth"}},
    "NewOrganization": {"slug": "acme", "name": "Acme"},
    "NewProject": {"slug": "churn", "name": "Customer churn"},
    "NewRun": {"experiment_id": "1", "name": "depth 4", "tags": {"team": "growth"}},
    "NewServiceAccount": {"name": "ci", "display_name": "Build machine"},
    "NewToken": {"name": "training on node 7", "scopes": ["read", "write"], "expires_in_days": 90},
    "NewUser": {"username": "bo", "display_name": "Bo", "email": "bo@example.com"},
    "NewVersion": {"source": "runs:/0198c0ffee0070008000000000000000/model", "tags": {"data": "2026-09"}},
    "OrganizationChanges": {"name": "Acme Research"},
    "OrganizationRole": {"role": "member"},
    "Password": {"password": "correct horse battery"},
    "PasswordChange": {"current_password": "correct horse battery", "password": "staple battery horse"},
    "ProjectChanges": {"name": "Customer churn", "description": "Who leaves, and why."},
    "ProjectRole": {"role": "editor"},
    "Promotion": {"stage": "Production", "reason": "Better on the hold-out of September."},
    "Restore": {"slug": "churn-2"},
    "Rollback": {"revision": 2},
    "RunChanges": {"status": "FINISHED", "ended_at": "2026-09-01T12:30:00Z", "tags": {"draft": None}},
    "RunSelection": {"run_ids": ["0198c0ffee0070008000000000000000"]},
    "RunTable": {"run_ids": ["0198c0ffee0070008000000000000000"], "format": "csv", "columns": ["name", "metrics.auc"]},
    "RunTags": {"run_ids": ["0198c0ffee0070008000000000000000"], "tags": {"team": "growth", "draft": None}},
    "Sample": {
        "run_ids": ["0198c0ffee0070008000000000000000"],
        "keys": ["train/loss"],
        "x": "relative_time",
        "max_points": 500,
    },
    "ServiceAccountChanges": {"disabled": True},
    "SettingsTest": {"settings": {"url": "https://chat.example/hook"}},
    "Setup": {"username": "ada", "password": "correct horse battery", "display_name": "Ada"},
    "SignIn": {"username": "ada", "password": "correct horse battery"},
    "Transfer": {"username": "bo", "keep_role": "admin"},
    "UserChanges": {"display_name": "Ada Lovelace"},
    "VersionChanges": {"description": "Trained on September."},
}


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Give every parameter and every field of a body its meaning, and every body its example."""
    schemas = document["components"]["schemas"]
    for parameter in _parameters(document):
        if parameter["in"] == "query" and parameter["name"] not in NO_FILTERS:
            parameter.setdefault("description", f"Only those whose {parameter['name'].replace('_', ' ')} is this.")
        _describe(parameter, parameter["name"])
    for name in _bodies(document):
        for field, described in schemas[name].get("properties", {}).items():
            _describe(described, field)
        if name in EXAMPLES:
            schemas[name]["example"] = EXAMPLES[name]
    return document


def _describe(described: dict[str, Any], name: str) -> None:
    if name in MEANINGS:
        described.setdefault("description", MEANINGS[name])


def _parameters(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from document["components"].get("parameters", {}).values()
    for path in document["paths"].values():
        for part in (path, *(operation for name, operation in path.items() if name != "parameters")):
            yield from (parameter for parameter in part.get("parameters", ()) if "$ref" not in parameter)


def _bodies(document: dict[str, Any]) -> set[str]:
    """Return the names of the schemas that are bodies of requests."""
    return {
        media["schema"]["$ref"].rpartition("/")[2]
        for path in document["paths"].values()
        for name, operation in path.items()
        if name != "parameters"
        for media in operation.get("requestBody", {}).get("content", {}).values()
        if "$ref" in media["schema"]
    }
