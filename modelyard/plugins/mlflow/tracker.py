"""The class that is registered; its bases have the verbs, each of one subject."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from modelyard.core import outgoing
from modelyard.core.errors import PluginError
from modelyard.core.interfaces import Health
from modelyard.plugins.mlflow.histories import HistoryVerbs

_PRINTABLE = validate.Regexp(r"[\x21-\x7e]+\Z", error="Printable ASCII without spaces only.")


class MlflowSettings(Schema):
    """Which server, with which credentials, and which of its experiments."""

    tracking_uri = fields.String(
        required=True,
        validate=validate.Regexp(r"https?://[^/@?#\s]+(?:/[^?#\s]*)?\Z", error="Write it as https://host/path."),
        metadata={"title": "Tracking URI", "description": "The address that MLflow's own client would use."},
    )
    username = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Regexp(r"[^:\x00-\x1f]+\Z", error="It may not hold a colon."),
        metadata={"title": "User", "description": "With a password, for MLflow's basic authentication."},
    )
    password = fields.String(load_default=None, allow_none=True, metadata={"title": "Password", "secret": True})
    token = fields.String(
        load_default=None,
        allow_none=True,
        validate=_PRINTABLE,
        metadata={"title": "Token", "description": "Sent as `Bearer`, in place of user and password.", "secret": True},
    )
    experiment_prefix = fields.String(
        load_default="",
        validate=validate.Regexp(r"(?:[\w.-]+/)*\Z", error="Letters, digits, '_', '.', '-', ending in '/': team-a/"),
        metadata={
            "title": "Prefix of experiments",
            "description": "Only experiments whose names begin so are the project's; empty: the whole server.",
            "secret_goes_to": False,
        },
    )
    timeout_seconds = fields.Float(
        load_default=15.0,
        validate=validate.Range(min=0.5, max=25.0),
        metadata={"title": "Seconds to wait for an answer"},
    )

    @validates_schema
    def check_credentials(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Take one way of authentication at most."""
        if data.get("token") and data.get("username"):
            raise ValidationError("Give a token, or a user with a password; null takes one away.", "token")


class MlflowTracker(HistoryVerbs):
    """Keeps experiments, runs, logged models and their artifacts on an existing MLflow server."""

    name = "mlflow"
    title = "MLflow server"
    settings_schema = MlflowSettings
    capabilities = frozenset({"artifacts"})

    def health(self) -> Health:
        """Ask for one experiment, so that wrong credentials show."""
        try:
            self._server.send("experiments/search", {"max_results": 1})
        except (PluginError, outgoing.AddressRefused) as error:
            return Health(False, error.message)
        return Health(True)
