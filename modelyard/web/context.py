"""What a view reaches for: the services, the actor, and the project that its address names."""

from __future__ import annotations

from typing import cast

from flask import current_app, g

from modelyard.core.access_cache import AccessView
from modelyard.core.bootstrap import Services
from modelyard.core.identity.actor import Actor
from modelyard.core.projects.access import find_project
from modelyard.core.projects.models import Project


def services() -> Services:
    """Return the platform's services."""
    return cast("Services", current_app.extensions["modelyard"])


def actor() -> Actor:
    """Return who sent the request."""
    return cast("Actor", g.actor)


def open_project(organization: str, slug: str) -> Project:
    """Return the project for the actor; a stranger gets `NotFound`."""
    return find_project(actor(), organization, slug)


def open_logged_project(organization: str, slug: str) -> Project:
    """Return the project for the actor, as `open_project` does, from the cache where a token is shown.

    It is for requests that change nothing of the project itself: others would change what all requests see.
    """
    view: AccessView | None = g.get("access")
    if view is None:
        return open_project(organization, slug)
    return view.fetch((organization, slug), lambda: open_project(organization, slug))


def release_connection() -> None:
    """Give the database connection back before something slow, such as streaming; later queries open another."""
    held = g.pop("connection", None)
    if held is not None:
        held.__exit__(None, None, None)
