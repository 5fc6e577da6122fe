"""What a view reaches for: the services, the actor, and the project that its address names."""

from __future__ import annotations

import re
from typing import cast

import structlog
from flask import current_app, g

from modelyard.core import telemetry
from modelyard.core.access_cache import AccessView
from modelyard.core.bootstrap import Services
from modelyard.core.db import new_id
from modelyard.core.identity.actor import Actor
from modelyard.core.projects.access import find_project
from modelyard.core.projects.models import Project

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id_of(given: str) -> str:
    """Return the caller's id for a request, if it is a plain one, or a new one."""
    return given if REQUEST_ID.fullmatch(given) else new_id()


def services() -> Services:
    """Return the platform's services."""
    return cast("Services", current_app.extensions["modelyard"])


def actor() -> Actor:
    """Return who sent the request."""
    return cast("Actor", g.actor)


def open_project(organization: str, slug: str) -> Project:
    """Return the project for the actor; a stranger gets `NotFound`."""
    project = find_project(actor(), organization, slug)
    structlog.contextvars.bind_contextvars(project=f"{organization}/{slug}")
    return project


def purge_at_ms(deleted_at_ms: int | None) -> int | None:
    """Return when what was deleted then is purged; None for what is not deleted."""
    return None if deleted_at_ms is None else deleted_at_ms + services().settings.data.deleted_retention_ms


def open_logged_project(organization: str, slug: str) -> Project:
    """Return the project for the actor, as `open_project` does, from the cache where a token is shown.

    It is for requests that change nothing of the project itself: others would change what all requests see.
    """
    view: AccessView | None = g.get("access")
    if view is None:
        return open_project(organization, slug)
    project = view.fetch((organization, slug), lambda: find_project(actor(), organization, slug))
    structlog.contextvars.bind_contextvars(project=f"{organization}/{slug}")
    return project


def release_connection() -> None:
    """Give the database connection back before something slow, such as streaming; later queries open another."""
    held = g.pop("connection", None)
    if held is not None:
        held.__exit__(None, None, None)
        telemetry.CONNECTIONS_IN_USE.dec()
