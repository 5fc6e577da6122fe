"""Experiments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from modelyard.client.resource import Json, Resource, given


class Experiments(Resource):
    """Experiments of a project; their ids count within it."""

    def list(
        self,
        *,
        q: str | None = None,
        filter: str | None = None,  # noqa: A002 - the API's word
        order_by: str | None = None,
        lifecycle: str | None = None,
        runs_count: bool = False,
        limit: int | None = None,
    ) -> Iterator[Json]:
        """Yield experiments; `lifecycle` is active, deleted or all, and `runs_count` counts the runs of each."""
        counted = "true" if runs_count else None
        query: dict[str, Any] = {
            "q": q,
            "filter": filter,
            "order_by": order_by,
            "lifecycle": lifecycle,
            "runs_count": counted,
        }
        return self._list("experiments", limit=limit, **query)

    def get(self, experiment_id: str, *, runs_count: bool = False) -> Json:
        """Return one, also a deleted one."""
        return self._one("GET", "experiments", experiment_id, runs_count="true" if runs_count else None)

    def create(
        self,
        name: str,
        *,
        tags: Mapping[str, str] | None = None,
        note: str | None = None,
        artifact_location: str | None = None,
    ) -> Json:
        """Make one."""
        body = {"name": name, **given(tags=tags, note=note, artifact_location=artifact_location)}
        return self._one("POST", "experiments", json=body)

    def edit(self, experiment_id: str, **changes: Any) -> Json:
        """Change what is given: `name`, `note`, `tags` (of which one that is None goes)."""
        return self._one("PATCH", "experiments", experiment_id, json=changes)

    def delete(self, experiment_id: str) -> None:
        """Move one with its runs to the deleted ones; `restore` brings them back."""
        self._call("DELETE", "experiments", experiment_id)

    def restore(self, experiment_id: str) -> Json:
        """Bring a deleted one back with all its runs."""
        return self._one("POST", "experiments", experiment_id, "restore")

    def purge(self, experiment_id: str) -> None:
        """Have a deleted one removed for good, with all its runs; soon after it is gone."""
        self._call("POST", "experiments", experiment_id, "purge")
