"""Notifications in the server's own log."""

from collections.abc import Callable

from modelyard import Notifier, hookimpl
from modelyard.plugins.log.notifier import LogNotifier


@hookimpl
def register_notifiers(register: Callable[[type[Notifier]], None]) -> None:
    """Offer `log`."""
    register(LogNotifier)
