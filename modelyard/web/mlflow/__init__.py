"""The MLflow wire: a project as a tracking server to an unmodified MLflow client, over the same services as the API."""

from modelyard.web.mlflow import (
    assessments,
    charts,
    experiments,
    histories,
    logged_models,
    registry,
    runs,
    trace_metrics,
    traces,
    webhooks,
)
from modelyard.web.mlflow.routes import register

__all__ = [
    "assessments",
    "charts",
    "experiments",
    "histories",
    "logged_models",
    "register",
    "registry",
    "runs",
    "trace_metrics",
    "traces",
    "webhooks",
]
