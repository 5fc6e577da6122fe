"""How many rows each table of the project's content has, read by SQL."""

from __future__ import annotations

from modelyard.core import db

TABLES = (
    "experiment", "experiment_tag", "run", "run_tag", "run_param", "metric_series", "metric_point", "dataset",
    "run_input", "run_model_input", "run_output", "logged_model", "logged_model_tag", "logged_model_param",
    "logged_model_metric", "registered_model", "registered_model_tag", "model_version", "model_version_tag",
    "model_alias", "stage_change",
)  # fmt: skip


def rows() -> dict[str, int]:
    """Return the count of every table."""
    return {table: db.database.execute_sql(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in TABLES}
