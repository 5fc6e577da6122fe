"""What changed in a project: what a page asks every two seconds that shows it live."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint

from modelyard.core.tracking.changes import Changes
from modelyard.web.context import actor, open_logged_project, services
from modelyard.web.schemas.changes import ChangeArguments, ChangesSchema

URL_PREFIX = "/api/v1/organizations/<organization>/projects/<project>/changes"
blueprint = Blueprint("changes", __name__, url_prefix=URL_PREFIX, description="What changed of late")


@blueprint.route("")
class ChangesView(MethodView):
    """A project's changes."""

    @blueprint.arguments(ChangeArguments, location="query")
    @blueprint.response(200, ChangesSchema)
    def get(self, arguments: dict[str, Any], organization: str, project: str) -> Changes:
        """Answer which runs and things changed since a cursor; without one nothing, and the cursor of now.

        Where nothing is new the answer stays as it was, so that a request with `If-None-Match` is answered 304.
        """
        found = open_logged_project(organization, project)
        return services().changes.changes(actor(), found, after=arguments["after"])
