"""The MLflow wire: a project as a tracking server to an unmodified MLflow client, over the same services as the API."""

from modelyard.web.mlflow import charts, experiments, logged_models, registry, runs, webhooks
from modelyard.web.mlflow.routes import register

__all__ = ["charts", "experiments", "logged_models", "register", "registry", "runs", "webhooks"]
