"""What the API answers, one of each kind."""

from __future__ import annotations

from typing import Any

TIME = "2026-01-02T03:04:05.678Z"

RUN = {
    "id": "r1",
    "name": "bold-fox",
    "status": "FINISHED",
    "experiment": {"id": "0", "name": "Default"},
    "user": "ada",
    "started_at": TIME,
    "ended_at": TIME,
    "duration_seconds": 1.5,
    "params": {"depth": "4"},
    "metrics": {"auc": 0.91, "loss": "NaN"},
    "tags": {},
}
MODEL = {
    "id": "m1",
    "name": "risk",
    "description": "",
    "tags": {},
    "latest_version": 3,
    "versions_count": 3,
    "stages": {"Production": 3},
    "aliases": {"champion": 3},
    "created_at": TIME,
    "updated_at": TIME,
}
VERSION = {"model": "risk", "version": 3, "stage": "Production", "status": "READY", "aliases": [], "run_id": "r1"}
VERSION |= {"created_by": "ada", "created_at": TIME, "source": "runs:/r1/model", "description": "", "tags": {}}
DEPLOYMENT = {
    "id": "d1",
    "name": "live",
    "model": "risk",
    "version": 3,
    "target": "local_process",
    "desired_status": "running",
    "status": "pending",
    "message": "",
    "revision": 1,
    "replicas": 2,
    "ready_replicas": 0,
    "address": "http://127.0.0.1:5000/serve/acme/churn/live",
    "replica_states": [{"index": 0, "state": "starting", "address": None, "message": "loading"}],
    "created_at": TIME,
    "updated_at": TIME,
}
CONNECTION: dict[str, Any] = {"id": "c1", "name": "hook", "kind": "notifier", "provider": "webhook", "enabled": True}
CONNECTION |= {"settings": {"url": "https://x"}, "subscriptions": ["*"], "has_secrets": True}
PROJECT_ITEM: dict[str, Any] = {"id": "p1", "slug": "churn", "name": "Churn", "organization": "acme", "role": "admin"}
PROJECT_ITEM |= {"description": "", "allow_local_deployments": True, "created_at": TIME, "archived_at": None}
PROJECT_ITEM |= {"mlflow_uri": "http://127.0.0.1:5000/mlflow/acme/churn"}
PLUGIN: dict[str, Any] = {
    "name": "s3",
    "distribution": "x",
    "version": "1",
    "state": "failed",
    "error": "No module named boto3",
}
PLUGIN |= {"hint": "pip install boto3", "moments": [], "providers": [], "hold": None}
PLUGIN |= {"calls": [], "last_failures": [], "breakers": [], "lost_threads": 0}
