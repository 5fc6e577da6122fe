"""Traces and their spans."""

from __future__ import annotations

from collections.abc import Iterator

from modelyard.client.resource import Json, Resource


class Traces(Resource):
    """Traces of a project; they are made by MLflow's client or an OpenTelemetry SDK."""

    def list(
        self,
        *,
        experiment: str | None = None,
        filter: str | None = None,  # noqa: A002 - the API's word
        order_by: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Json]:
        """Yield traces without spans; `filter` is in MLflow's language, such as ``attributes.status = 'ERROR'``."""
        return self._list("traces", limit=limit, experiment=experiment, filter=filter, order_by=order_by)

    def get(self, trace_id: str) -> Json:
        """Return one with its spans, in the order of their tree."""
        return self._one("GET", "traces", trace_id)

    def delete(self, trace_id: str) -> None:
        """Delete one for good."""
        self._call("DELETE", "traces", trace_id)
