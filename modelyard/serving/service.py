"""What a loaded model can be asked.

Importing this loads MLflow, which takes seconds: the server does it once it answers health checks.
"""

from __future__ import annotations

from modelyard.serving import invocations, open_inference
from modelyard.serving.config import Config
from modelyard.serving.messages import Request, Response
from modelyard.serving.model import Model


class Service:
    """A loaded model behind both of its protocols."""

    def __init__(self, config: Config) -> None:
        """Load the model, or raise `LoadError`."""
        self._config = config
        self._model = Model(config.model)

    def invocations(self, request: Request) -> Response:
        """Predict in MLflow's protocol."""
        return invocations.invocations(self._model, request)

    def infer(self, request: Request) -> Response:
        """Predict in the Open Inference Protocol."""
        return open_inference.infer(self._model, self._config, request)

    def metadata(self) -> Response:
        """The model's inputs and outputs, in the Open Inference Protocol."""
        return open_inference.metadata(self._model, self._config)
