"""One MLflow model, loaded: its signature, and its predictions with refusals that callers can read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import mlflow.pyfunc
from mlflow.exceptions import MlflowException
from mlflow.types import Schema

from modelyard.serving.messages import RefusedError, bad_input

_LONGEST_MESSAGE = 800
_MODULES = {
    "sklearn": "scikit-learn",
    "cv2": "opencv-python",
    "PIL": "pillow",
    "yaml": "pyyaml",
    "skimage": "scikit-image",
}


class LoadError(Exception):
    """The model cannot be loaded; the message says why and what to do."""


class Model:
    """A loaded model. `predict` may be called from many threads at once."""

    def __init__(self, path: Path) -> None:
        """Load the model from its folder, or raise `LoadError`."""
        try:
            self._pyfunc = mlflow.pyfunc.load_model(str(path))
        except (Exception, SystemExit) as error:
            raise LoadError(_why_not_loaded(error, path)) from error
        metadata = self._pyfunc.metadata
        self.inputs: Schema | None = metadata.get_input_schema()
        self.outputs: Schema | None = metadata.get_output_schema()
        params = metadata.get_params_schema()
        self.params: frozenset[str] = frozenset(param.name for param in params.params) if params else frozenset()
        typed: Callable[[], bool] = getattr(metadata, "_is_signature_from_type_hint", bool)
        self.takes_typed_input = typed()

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Predict; input that the signature refuses is a 400, a model that raises a 500 with its short message."""
        try:
            return self._pyfunc.predict(data, params=params)
        except MlflowException as error:
            if cast("Any", error).get_http_status_code() < 500:
                raise bad_input(explain(error)) from error
            raise _model_failed(error) from error
        except (Exception, SystemExit) as error:
            raise _model_failed(error) from error


def explain(error: BaseException) -> str:
    """The useful part of an error's message, without the caller's data repeated in it."""
    if isinstance(error, MlflowException):
        text = str(error.message)
        if text.startswith("Failed to enforce schema") and error.__context__ is not None:
            return explain(error.__context__)
    else:
        text = str(error)
    return shorten(text)


def shorten(text: str) -> str:
    """The text without a stack trace, on one line, and not longer than a screen."""
    text = " ".join(text.partition("Traceback (most recent call last)")[0].split())
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "..."


def _model_failed(error: BaseException) -> RefusedError:
    return RefusedError(500, f"the model raised {type(error).__name__}: {explain(error)}", code="INTERNAL_ERROR")


def _why_not_loaded(error: BaseException, path: Path) -> str:
    if not (path / "MLmodel").is_file():
        return f"{path} is not a folder of an MLflow model: it has no MLmodel file"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ModuleNotFoundError) and cause.name:
            return _missing_package(cause.name, path)
        cause = cause.__cause__ or cause.__context__
    return f"the model cannot be loaded: {type(error).__name__}: {explain(error)}"


def _missing_package(module: str, path: Path) -> str:
    top = module.partition(".")[0]
    package = _MODULES.get(top, top)
    requirement = _pinned(package, path / "requirements.txt") or package
    return f"the model needs the package {package}, which is not installed here; run: pip install '{requirement}'"


def _pinned(package: str, requirements: Path) -> str | None:
    if not requirements.is_file():
        return None
    wanted = re.sub(r"[-_.]+", "-", package).lower()
    for line in requirements.read_text(encoding="utf-8", errors="replace").splitlines():
        name = re.match(r"[A-Za-z0-9._-]+", line.strip())
        if name and re.sub(r"[-_.]+", "-", name[0]).lower() == wanted:
            return line.partition("#")[0].strip()
    return None
