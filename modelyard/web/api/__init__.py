"""The REST API: one module for each resource."""

from __future__ import annotations

from flask_smorest import Api

from modelyard.web.api import (
    account,
    artifacts,
    changes,
    comparison,
    connections,
    deliveries,
    deployments,
    events,
    experiments,
    invitations,
    metrics,
    models,
    organization_connections,
    organizations,
    plugins,
    projects,
    runs,
    service_accounts,
    session,
    sign_in_options,
    tokens,
    traces,
    users,
)

RESOURCES = (
    session,
    sign_in_options,
    account,
    tokens,
    users,
    organizations,
    invitations,
    service_accounts,
    projects,
    connections,
    organization_connections,
    experiments,
    runs,
    metrics,
    comparison,
    artifacts,
    changes,
    traces,
    models,
    deployments,
    events,
    deliveries,
    plugins,
)


def register(api: Api) -> None:
    """Add every resource to the API."""
    for resource in RESOURCES:
        api.register_blueprint(resource.blueprint)
