"""Notifications by e-mail."""

from collections.abc import Callable

from modelyard import Notifier, hookimpl
from modelyard.plugins.email.notifier import Email


@hookimpl
def register_notifiers(register: Callable[[type[Notifier]], None]) -> None:
    """Offer `email`."""
    register(Email)
