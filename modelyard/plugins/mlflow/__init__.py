"""The tracker of teams that have an MLflow server: experiments and runs stay there and are worked on from here."""

from collections.abc import Callable

from modelyard import Tracker, hookimpl
from modelyard.plugins.mlflow.tracker import MlflowTracker


@hookimpl
def register_trackers(register: Callable[[type[Tracker]], None]) -> None:
    """Offer `mlflow`."""
    register(MlflowTracker)
