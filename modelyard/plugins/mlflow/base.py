"""What all verbs stand on: the server, and which of its experiments are the connection's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard.core.interfaces import Tracker
from modelyard.plugins.mlflow.artifacts import MlflowArtifacts
from modelyard.plugins.mlflow.scope import Scope
from modelyard.plugins.mlflow.server import MlflowServer


class OnMlflow(Tracker):
    """A tracker of one MLflow server. A connection is of one project, which is why no verb looks at its number."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self._server = MlflowServer(settings)
        self._scope = Scope(self._server, settings["experiment_prefix"])
        self._artifacts = MlflowArtifacts(settings, self._server, self._scope)

    @property
    def artifacts(self) -> MlflowArtifacts:
        """Return what the server keeps itself."""
        return self._artifacts
