"""What happened, and who was told: of a project, of an organization, and of the server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from modelyard.client.addresses import segments
from modelyard.client.errors import ServerUnreachableError
from modelyard.client.resource import Json, Resource


class AuditLog(Resource):
    """Events, newest first.

    The filters are `actor` (id or name), `action` (``model.created`` or ``model.*``), `object_kind`, `object_id`,
    `request_id`, `address` (for admins), and `since` and `until` in RFC 3339, such as ``2026-03-01T00:00:00Z``.
    """

    def events(
        self, *, limit: int | None = None, since: str | None = None, until: str | None = None, **filters: Any
    ) -> Iterator[Json]:
        """Yield what happened."""
        return self._list("events", limit=limit, **{**filters, "from": since, "to": until})

    def export_events(
        self, form: str = "ndjson", *, since: str | None = None, until: str | None = None, **filters: Any
    ) -> Iterator[bytes]:
        """Yield all of it as a file, ``ndjson`` or ``csv``, in chunks."""
        params = {**filters, "from": since, "to": until, "format": form}
        address = self._path + segments("events", "export")
        response = self._client.send("GET", address, params=params, stream=True)
        with contextlib.closing(response):
            try:
                yield from response.chunks
            except OSError as error:
                raise ServerUnreachableError("The export broke off.", hint="Try again.") from error


class DeliveryLog(AuditLog):
    """Events, and the deliveries that they were told by."""

    def deliveries(self, *, limit: int | None = None, **filters: Any) -> Iterator[Json]:
        """Yield who was told of what, newest first.

        The filters are `state` (queued, running, done, failed), `subscriber`, `action`, `connection_id`, `event_id`.
        """
        return self._list("deliveries", limit=limit, **filters)

    def delivery(self, delivery_id: str) -> Json:
        """Return one with its attempts as `log`."""
        return self._one("GET", "deliveries", delivery_id)

    def redeliver(self, delivery_id: str) -> Json:
        """Tell the subscriber of an ended delivery again."""
        return self._one("POST", "deliveries", delivery_id, "redeliver")
