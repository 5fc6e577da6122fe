"""Notifications as HTTP requests to an address of the user's."""

from collections.abc import Callable

from modelyard import Notifier, hookimpl
from modelyard.plugins.webhook.mlflow import MlflowWebhook
from modelyard.plugins.webhook.notifier import Webhook


@hookimpl
def register_notifiers(register: Callable[[type[Notifier]], None]) -> None:
    """Offer `webhook` and `mlflow_webhook`."""
    register(Webhook)
    register(MlflowWebhook)
