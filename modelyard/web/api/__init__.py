"""The REST API: one module for each resource."""

from __future__ import annotations

from flask_smorest import Api

from modelyard.web.api import (
    connections,
    deliveries,
    deployments,
    events,
    models,
    organizations,
    plugins,
    projects,
    runs,
    session,
    sign_in_options,
    tokens,
)

RESOURCES = (
    session,
    sign_in_options,
    tokens,
    organizations,
    projects,
    connections,
    runs,
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
