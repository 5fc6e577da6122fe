"""One project and its connections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modelyard.client.addresses import segments
from modelyard.client.audit import DeliveryLog
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
        self.audit = DeliveryLog(client, self._path)
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

    def predict(self, deployment: str, data: Any) -> Any:
        """See `Client.predict`."""
        return self._client.predict(self.organization, self.name, deployment, data)


class Connections(Resource):
    """Providers with settings. Secrets stand among the settings when they are sent and never come back."""

    def list(self) -> Iterator[Json]:
        """Yield them."""
        return self._list("connections")

    def get(self, connection_id: str) -> Json:
        """Return one."""
        return self._one("GET", "connections", connection_id)

    def create(
        self,
        kind: str,
        provider: str,
        name: str,
        settings: Mapping[str, Any],
        *,
        subscriptions: Sequence[str] | None = None,
    ) -> Json:
        """Save one; `subscriptions` are the actions that a notifier is told of (``model_version.*``), else of all."""
        body = {"kind": kind, "provider": provider, "name": name, "settings": dict(settings)}
        body |= given(subscriptions=subscriptions)
        return self._one("POST", "connections", json=body)

    def edit(self, connection_id: str, **changes: Any) -> Json:
        """Change what is given: `settings` (whole, but for secrets that stay), `subscriptions`, `enabled`."""
        return self._one("PATCH", "connections", connection_id, json=changes)

    def delete(self, connection_id: str) -> None:
        """Remove one; refused while something uses it."""
        self._call("DELETE", "connections", connection_id)

    def test(self, connection_id: str) -> Json:
        """Ask what stands behind a saved one whether it answers: `{ok, message}`."""
        return self._one("POST", "connections", connection_id, "test")

    def try_out(self, kind: str, provider: str, settings: Mapping[str, Any]) -> Json:
        """Test settings that are not saved: `{ok, message}`."""
        body = {"kind": kind, "provider": provider, "settings": dict(settings)}
        return self._one("POST", "connections", "test", json=body)
