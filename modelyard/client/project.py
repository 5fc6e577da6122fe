"""One project."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from modelyard.client.addresses import segments
from modelyard.client.connections import Connections
from modelyard.client.deployments import Deployments
from modelyard.client.instance import Members
from modelyard.client.models import Models
from modelyard.client.resource import Json, Resource, given
from modelyard.client.runs import Runs

if TYPE_CHECKING:
    from modelyard.client.client import Client


class Project(Resource):
    """One project, and the door to all in it."""

    def __init__(self, client: Client, organization: str, project: str) -> None:
        super().__init__(client, "/api/v1/organizations" + segments(organization) + "/projects" + segments(project))
        self.organization = organization
        self.name = project
        self.members = Members(client, self._path)
        self.connections = Connections(client, self._path)
        self.runs = Runs(client, self._path)
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
        name: str | None = None,
        description: str | None = None,
        allow_local_deployments: bool | None = None,
        archived: bool | None = None,
        storage_connection_id: str | None = None,
    ) -> Json:
        """Change what is given; `allow_local_deployments` is the instance administrator's."""
        body = given(
            name=name,
            description=description,
            allow_local_deployments=allow_local_deployments,
            archived=archived,
            storage_connection_id=storage_connection_id,
        )
        return self._one("PATCH", json=body)

    def experiments(self, *, limit: int | None = None) -> Iterator[Json]:
        """Yield the experiments."""
        return self._list("experiments", limit=limit)

    def create_experiment(self, name: str) -> Json:
        """Make an experiment."""
        return self._one("POST", "experiments", json={"name": name})

    def events(self, *, limit: int | None = None) -> Iterator[Json]:
        """Yield what happened, newest first."""
        return self._list("events", limit=limit)

    def deliveries(self, *, limit: int | None = None) -> Iterator[Json]:
        """Yield who was told of what, newest first."""
        return self._list("deliveries", limit=limit)

    def predict(self, deployment: str, data: Any) -> Any:
        """See `Client.predict`."""
        return self._client.predict(self.organization, self.name, deployment, data)
