"""The tracker of Modelyard itself: experiments and runs in its own database."""

from collections.abc import Callable

from modelyard import Tracker, hookimpl
from modelyard.plugins.sql_tracker.tracker import SqlTracker


@hookimpl
def register_trackers(register: Callable[[type[Tracker]], None]) -> None:
    """Offer `sql`."""
    register(SqlTracker)
