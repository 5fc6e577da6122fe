"""One project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modelyard.client.addresses import segments
from modelyard.client.audit import DeliveryLog
from modelyard.client.connections import Connections
from modelyard.client.deployments import Deployments
from modelyard.client.experiments import Experiments
from modelyard.client.models import Models
from modelyard.client.organizations import Members
from modelyard.client.resource import Json, Resource, given
from modelyard.client.runs import Runs
from modelyard.client.traces import Traces

if TYPE_CHECKING:
    from modelyard.client.client import Client


class Project(Resource):
    """One project, and the door to all in it."""

    def __init__(self, client: Client, organization: str, project: str) -> None:
        super().__init__(client, "/api/v1/organizations" + segments(organization) + "/projects" + segments(project))
        self.client = client
        self.organization = organization
        self.name = project
        self.members = Members(client, self._path)
        self.audit = DeliveryLog(client, self._path)
        self.connections = Connections(client, self._path)
        self.experiments = Experiments(client, self._path)
        self.runs = Runs(client, self._path)
        self.traces = Traces(client, self._path)
        self.models = Models(client, self._path)
        self.deployments = Deployments(client, self._path)

    def __repr__(self) -> str:
        return f"Project({self.organization}/{self.name} on {self._client.url})"

    def get(self) -> Json:
        """Return it."""
        return self._one("GET")

    def edit(
        self,
        *,
        slug: str | None = None,
        name: str | None = None,
        description: str | None = None,
        allow_local_deployments: bool | None = None,
        archived: bool | None = None,
        storage_connection_id: str | None = None,
        tracker_connection_id: str | None = None,
        confirm: str | None = None,
        quotas: Mapping[str, int | None] | None = None,
    ) -> Json:
        """Change what is given; `allow_local_deployments` and `quotas` are the instance administrator's.

        The slug before leads to the project until another one takes that. `tracker_connection_id` "" is the server's
        own tracker; `confirm` is the slug, where another tracker leaves runs behind that stay there unseen.
        """
        body = given(
            slug=slug,
            name=name,
            description=description,
            allow_local_deployments=allow_local_deployments,
            archived=archived,
            storage_connection_id=storage_connection_id,
            tracker_connection_id=tracker_connection_id,
            confirm=confirm,
            quotas=None if quotas is None else dict(quotas),
        )
        if tracker_connection_id == "":
            body["tracker_connection_id"] = None
        return self._one("PATCH", json=body)

    def usage(self) -> Json:
        """Return how much it has of what its quotas are about: `{runs, deployments, artifact_bytes, quotas}`."""
        return self._one("GET", "usage")

    def changes(self, after: str | None = None) -> Json:
        """Return what changed since a cursor: `{cursor, runs, things, complete}`; without one, the cursor of now."""
        return self._one("GET", "changes", after=after)

    def predict(self, deployment: str, data: Any) -> Any:
        """See `Client.predict`."""
        return self._client.predict(self.organization, self.name, deployment, data)
