"""Registered models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from modelyard.client.resource import Json, Resource, given


class Models(Resource):
    """Registered models, their versions and stages."""

    def list(self, *, limit: int | None = None, **query: Any) -> Iterator[Json]:
        """Yield models."""
        return self._list("models", limit=limit, **query)

    def get(self, model: str) -> Json:
        """Return one by name."""
        return self._one("GET", "models", model)

    def create(self, name: str, *, description: str | None = None, tags: Mapping[str, str] | None = None) -> Json:
        """Make a model without versions."""
        body = {"name": name, **given(description=description, tags=tags)}
        return self._one("POST", "models", json=body)

    def edit(self, model: str, **changes: Any) -> Json:
        """Change what is given: `name`, `description`."""
        return self._one("PATCH", "models", model, json=changes)

    def delete(self, model: str) -> None:
        """Remove the model with its versions; refused while one is deployed."""
        self._call("DELETE", "models", model)

    def versions(self, model: str, *, limit: int | None = None, **query: Any) -> Iterator[Json]:
        """Yield the versions, newest first."""
        return self._list("models", model, "versions", limit=limit, **query)

    def version(self, model: str, version: int) -> Json:
        """Return one version."""
        return self._one("GET", "models", model, "versions", version)

    def create_version(
        self,
        model: str,
        source: str,
        *,
        run_id: str | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Json:
        """Register what lies at `source` (such as ``runs:/RUN/model``) as the next version."""
        body = {"source": source, **given(run_id=run_id, description=description, tags=tags)}
        return self._one("POST", "models", model, "versions", json=body)

    def edit_version(self, model: str, version: int, *, description: str) -> Json:
        """Describe a version anew."""
        return self._one("PATCH", "models", model, "versions", version, json={"description": description})

    def delete_version(self, model: str, version: int) -> None:
        """Remove a version; refused while it is deployed. Its number is not used again."""
        self._call("DELETE", "models", model, "versions", version)

    def promote(
        self, model: str, version: int, stage: str, *, reason: str | None = None, archive_existing: bool | None = None
    ) -> Json:
        """Move a version to a stage, and those that hold it to Archived unless `archive_existing` is false."""
        body = {"stage": stage, **given(reason=reason, archive_existing=archive_existing)}
        return self._one("POST", "models", model, "versions", version, "promote", json=body)

    def stage_changes(self, model: str, *, limit: int | None = None, **query: Any) -> Iterator[Json]:
        """Yield who moved which version where, newest first."""
        return self._list("models", model, "stage-changes", limit=limit, **query)
