"""Notifications as messages in a Slack channel."""

from collections.abc import Callable
from importlib.util import find_spec

from modelyard import Notifier, hookimpl
from modelyard.plugins.slack.notifier import Slack

if find_spec("slack_sdk") is None:  # said at the start, though it is imported at the first message only
    raise ModuleNotFoundError("No module named 'slack_sdk'", name="slack_sdk")


@hookimpl
def register_notifiers(register: Callable[[type[Notifier]], None]) -> None:
    """Offer `slack`."""
    register(Slack)
