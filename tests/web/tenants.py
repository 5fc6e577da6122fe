"""Who may call what: one row for each route of the API and of the MLflow wire, next to the policy that it follows.

A route that is not in these tables fails `test_tenants.py`: whoever adds one says here what it asks for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from modelyard.core.identity import policy

RUN, MODEL_ID, TRACE = "{run_id}", "{model_id}", "{trace_id}"


@dataclass(frozen=True)
class Row:
    """What a route asks for: a permission of the policy, or only a scope; with a request that is good otherwise.

    In `body` and `query`, names in braces stand for what each caller has for itself.
    """

    permission: str = ""
    scope: str | None = None
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    status: tuple[int, ...] = (200,)
    last: bool = False
    """Whether it takes the caller's own roles away: it is asked after all others."""

    @property
    def needed_scope(self) -> str | None:
        """The scope that a token needs."""
        for table in (policy.PROJECT_POLICY, policy.ORGANIZATION_POLICY):
            if self.permission in table:
                return table[self.permission][1]
        return {**policy.INSTANCE_POLICY, **policy.ACCOUNT_POLICY}.get(self.permission, self.scope)

    @property
    def is_open(self) -> bool:
        """Whether anybody may call it."""
        return not self.permission and self.scope is None


ANYBODY = Row()
CREATED, ACCEPTED, GONE = (201,), (202,), (204,)
LOG = {"kind": "notifier", "provider": "log", "settings": {}}
SHARED = {"connection_id": "{shared_id}"}
RUNS = {"run_ids": [RUN]}
NEW = {"model": "risk", "version": "1", "target": "local_process"}

API: dict[str, Row] = {
    "get_session": Row(scope=""),
    "post_session": ANYBODY,
    "delete_session": ANYBODY,
    "get_sign_in_options": ANYBODY,
    "post_setup": ANYBODY,
    "post_password_reset": ANYBODY,
    "put_password": Row("account.edit", body={"current_password": "wrong", "password": "new"}, status=(422,)),
    "get_account_sessions": Row("session.read"),
    "delete_account_sessions": Row("session.end", status=GONE),
    "delete_account_session": Row("session.end", names={"session_id": "0" * 32}, status=(404,)),
    "get_tokens": Row("token.read"),
    "post_tokens": Row("token.create", body={"name": "t", "scopes": ["read"]}, status=CREATED),
    "delete_token": Row("token.revoke", status=(404,)),
    "get_users": Row("user.read"),
    "post_users": Row("user.create", body={"username": "new-{role}"}, status=CREATED),
    "get_user": Row("user.read"),
    "patch_user": Row("user.edit", body={"display_name": "by {role}"}),
    "delete_user": Row("user.delete", status=GONE),
    "delete_user_sessions": Row("user.edit", status=GONE),
    "get_user_tokens": Row("user.read"),
    "delete_user_token": Row("user.edit", names={"token_id": "{user_token_id}"}, status=GONE),
    "post_user_password_reset": Row("user.edit", status=CREATED),
    "get_service_accounts": Row("service_account.read"),
    "post_service_accounts": Row("service_account.write", body={"name": "new-{role}"}, status=CREATED),
    "get_service_account": Row("service_account.read"),
    "patch_service_account": Row("service_account.write", body={"display_name": "by {role}"}),
    "delete_service_account": Row("service_account.write", names={"name": "doomed-{role}"}, status=GONE),
    "get_service_account_tokens": Row("service_account.tokens"),
    "post_service_account_tokens": Row("service_account.tokens", body={"name": "t"}, status=CREATED),
    "delete_service_account_token": Row(
        "service_account.tokens", names={"token_id": "{service_token_id}"}, status=GONE
    ),
    "get_plugins": Row(scope="read"),
    "get_plugin": Row(scope="read", names={"plugin": "webhook"}),
    "post_plugin_block": Row("plugin.block", body={"reason": "it leaks"}, names={"plugin": "webhook"}),
    "delete_plugin_block": Row("plugin.block", names={"plugin": "webhook"}, status=GONE),
    "get_providers": Row(scope="read"),
    "get_organizations": Row(scope="read"),
    "post_organizations": Row("organization.create", body={"slug": "new-{role}", "name": "N"}, status=CREATED),
    "get_organization": Row("organization.read"),
    "patch_organization": Row("organization.edit", body={"name": "by {role}"}),
    "delete_organization": Row("organization.delete", status=(422,)),
    "post_organization_restore": Row(scope="admin", status=(404,)),
    "post_organization_leave": Row("organization.leave", status=(204, 409), last=True),
    "post_organization_transfer": Row("organization.transfer", body={"username": "nobody"}, status=(422,)),
    "get_members": Row("organization.read"),
    "put_member": Row("organization.members", body={"role": "member"}, names={"username": "joining-{role}"}),
    "delete_member": Row("organization.members", names={"username": "leaving-{role}"}, status=GONE),
    "get_invitations": Row("organization.members"),
    "post_invitations": Row("organization.members", body={"role": "member"}, status=CREATED),
    "delete_invitation": Row("organization.members", status=(404,)),
    "get_offer": ANYBODY,
    "post_acceptance": ANYBODY,
    "get_projects": Row("organization.read"),
    "post_projects": Row("project.create", body={"slug": "new-{role}", "name": "N"}, status=CREATED),
    "get_project": Row("project.read"),
    "patch_project": Row("project.edit", body={"description": "by {role}"}),
    "delete_project": Row(
        "project.delete", query={"confirm": "doomed-{role}"}, names={"project": "doomed-{role}"}, status=GONE
    ),
    "post_project_restore": Row("project.delete", status=(404,)),
    "post_project_leave": Row("project.leave", status=(204, 404), last=True),
    "get_project_usage": Row("project.read"),
    "get_project_members": Row("project.read"),
    "put_project_member": Row("project.members", body={"role": "viewer"}, names={"username": "working-{role}"}),
    "delete_project_member": Row("project.members", names={"username": "working-{role}"}, status=GONE),
    "get_connections": Row("connection.read"),
    "post_connections": Row("connection.write", body={**LOG, "name": "new-{role}"}, status=CREATED),
    "post_connection_test": Row("connection.write", body=LOG),
    "get_connection": Row("connection.read"),
    "patch_connection": Row("connection.write", body={"enabled": False}),
    "delete_connection": Row("connection.write", status=GONE),
    "post_saved_connection_test": Row("connection.write"),
    "get_connection_health": Row("connection.use"),
    "get_organization_connections": Row("organization_connection.read"),
    "post_organization_connections": Row(
        "organization_connection.write", body={**LOG, "name": "shared-new-{role}"}, status=CREATED
    ),
    "post_organization_connection_test": Row("organization_connection.write", body=LOG),
    "get_organization_connection": Row("organization_connection.read", names=SHARED),
    "patch_organization_connection": Row("organization_connection.write", body={"enabled": False}, names=SHARED),
    "delete_organization_connection": Row("organization_connection.write", names=SHARED, status=GONE),
    "post_saved_organization_connection_test": Row("organization_connection.write", names=SHARED),
    "get_organization_connection_health": Row("organization_connection.use", names=SHARED),
    "get_experiments": Row("run.read"),
    "post_experiments": Row("run.write", body={"name": "new {role}"}, status=CREATED),
    "get_experiment": Row("run.read"),
    "patch_experiment": Row("run.write", body={"name": "renamed by {role}"}),
    "delete_experiment": Row("run.write", status=GONE),
    "post_experiment_restore": Row("run.write", status=(200, 404)),
    "get_runs": Row("run.read"),
    "post_runs": Row("run.write", body={"name": "new {role}"}, status=CREATED),
    "get_run_export": Row("run.read"),
    "post_run_deletions": Row("run.write", body=RUNS),
    "post_run_restorations": Row("run.write", body=RUNS),
    "post_run_tags": Row("run.write", body={**RUNS, "tags": {"k": "{role}"}}),
    "post_comparison": Row("run.read", body=RUNS),
    "post_comparison_export": Row("run.read", body=RUNS),
    "get_run": Row("run.read"),
    "patch_run": Row("run.write", body={"name": "renamed by {role}"}),
    "delete_run": Row("run.write", status=GONE),
    "post_restore": Row("run.write"),
    "post_run_purge": Row("run.purge", status=(409,)),
    "post_experiment_purge": Row("run.purge", status=(409,)),
    "post_run_log": Row("run.write", body={"tags": {"by": "{role}"}}, status=GONE),
    "get_run_metrics": Row("run.read"),
    "get_history": Row("run.read"),
    "get_history_export": Row("run.read", query={"key": "loss"}),
    "get_metric_tails": Row("run.read", query={"key": "loss"}),
    "post_metric_sample": Row("run.read", body={**RUNS, "keys": ["loss"]}),
    "get_artifacts": Row("artifact.read"),
    "get_artifact_content": Row("artifact.read", query={"path": "a.txt"}),
    "get_traces": Row("trace.read"),
    "get_trace": Row("trace.read"),
    "delete_trace": Row("trace.write", names={"trace_id": "{doomed_trace_id}"}, status=GONE),
    "get_changes": Row("run.read"),
    "get_models": Row("model.read"),
    "post_models": Row("model.write", body={"name": "new-{role}"}, status=CREATED),
    "get_model": Row("model.read"),
    "patch_model": Row("model.write", body={"description": "by {role}"}),
    "delete_model": Row("model.write", names={"model": "doomed-{role}"}, status=GONE),
    "get_stage_changes": Row("model.read"),
    "get_versions": Row("model.read"),
    "post_versions": Row("model.write", body={"source": "mlflow-artifacts:/m"}, status=CREATED),
    "get_version": Row("model.read"),
    "patch_version": Row("model.write", body={"description": "by {role}"}),
    "delete_version": Row("model.write", names={"model": "doomed-{role}"}, status=GONE),
    "post_promotion": Row("model_version.promote", body={"stage": "Staging"}),
    "get_deployments": Row("deployment.read"),
    "post_deployments": Row("deployment.write", body={**NEW, "name": "new-{role}"}, status=CREATED),
    "get_deployment": Row("deployment.read"),
    "patch_deployment": Row("deployment.write", body={"replicas": 2}),
    "delete_deployment": Row("deployment.write", status=ACCEPTED),
    "post_stop": Row("deployment.write", names={"deployment": "running-{role}"}, status=ACCEPTED),
    "post_start": Row("deployment.write", names={"deployment": "stopped-{role}"}, status=ACCEPTED),
    "post_rollback": Row("deployment.write", body={"revision": 1}),
    "get_revisions": Row("deployment.read"),
    "get_logs": Row("deployment.read"),
    "get_events": Row("event.read"),
    "get_event_export": Row("event.read"),
    "get_organization_events": Row("organization.events"),
    "get_organization_event_export": Row("organization.events"),
    "get_instance_events": Row("instance.events"),
    "get_instance_event_export": Row("instance.events"),
    "get_deliveries": Row("event.read"),
    "get_delivery": Row("event.read"),
    "post_redelivery": Row("delivery.redeliver", status=ACCEPTED),
    "get_organization_deliveries": Row("organization.events"),
    "get_organization_delivery": Row("organization.events"),
    "post_organization_redelivery": Row(
        "organization.redeliver", names={"delivery_id": "{other_delivery_id}"}, status=ACCEPTED
    ),
}

ARTIFACTS = "mlflow-artifacts/artifacts"
TAG: dict[str, Any] = {"key": "k-{role}", "value": "v"}
MODEL, VERSION = {"name": "risk"}, {"name": "risk", "version": "1"}
DOOMED = {"name": "doomed-wire-{role}"}
NOWHERE, VERSION_CREATED = "http://127.0.0.1:9/hook", {"entity": "MODEL_VERSION", "action": "CREATED"}
PLACE = {"mlflow_experiment": {"experiment_id": "0"}}
TRACE_INFO = {"trace_id": "tr-by-{role}", "trace_location": PLACE, "request_time": "2026-01-01T00:00:00Z"}
FEEDBACK = {"assessment_name": "good", "feedback": {"value": True}}
COUNT_OF_TRACES = {"experiment_ids": ["0"], "view_type": "TRACES", "metric_name": "trace_count"}
COUNT_OF_TRACES |= {"aggregations": [{"aggregation_type": "COUNT"}]}
TWO_FILTERS = {"experiment_ids": ["0"], "filter_string1": "status = 'OK'", "filter_string2": "name = 'a'"}


def _run_write(**body: Any) -> Row:
    return Row("run.write", body=body)


def _model_write(**body: Any) -> Row:
    return Row("model.write", body=body)


WIRE: dict[tuple[str, str], Row] = {
    ("POST", "experiments/create"): _run_write(name="wire {role}"),
    ("GET", "experiments/get"): Row("run.read", query={"experiment_id": "0"}),
    ("GET", "experiments/get-by-name"): Row("run.read", query={"experiment_name": "Default"}),
    ("GET", "experiments/search"): Row("run.read"),
    ("POST", "experiments/search"): Row("run.read", body={}),
    ("POST", "experiments/delete"): _run_write(experiment_id="{experiment_id}"),
    ("POST", "experiments/restore"): _run_write(experiment_id="{experiment_id}"),
    ("POST", "experiments/update"): _run_write(experiment_id="{experiment_id}", new_name="renamed {role}"),
    ("POST", "experiments/set-experiment-tag"): _run_write(experiment_id="0", **TAG),
    ("POST", "experiments/delete-experiment-tag"): _run_write(experiment_id="0", key="k-{role}"),
    ("POST", "runs/create"): _run_write(experiment_id="0"),
    ("GET", "runs/get"): Row("run.read", query={"run_id": RUN}),
    ("POST", "runs/search"): Row("run.read", body={"experiment_ids": ["0"]}),
    ("POST", "runs/update"): _run_write(run_id=RUN, run_name="by {role}"),
    ("POST", "runs/delete"): _run_write(run_id=RUN),
    ("POST", "runs/restore"): _run_write(run_id=RUN),
    ("POST", "runs/log-metric"): _run_write(run_id=RUN, key="m", value=1.0, timestamp=1),
    ("POST", "runs/log-parameter"): _run_write(run_id=RUN, key="p-{role}", value="1"),
    ("POST", "runs/log-batch"): _run_write(run_id=RUN),
    ("POST", "runs/log-inputs"): _run_write(run_id=RUN),
    ("POST", "runs/log-model"): _run_write(run_id=RUN, model_json="{}"),
    ("POST", "runs/outputs"): _run_write(run_id=RUN),
    ("POST", "runs/set-tag"): _run_write(run_id=RUN, **TAG),
    ("POST", "runs/delete-tag"): _run_write(run_id=RUN, key="k-{role}"),
    ("GET", "metrics/get-history"): Row("run.read", query={"run_id": RUN, "metric_key": "loss"}),
    ("GET", "metrics/get-history-bulk"): Row("run.read", query={"run_id": RUN, "metric_key": "loss"}),
    ("GET", "metrics/get-history-bulk-interval"): Row("run.read", query={"run_ids": RUN, "metric_key": "loss"}),
    ("POST", "experiments/search-datasets"): Row("run.read", body={"experiment_ids": ["0"]}),
    ("POST", "upload-artifact"): Row("artifact.write", query={"run_uuid": RUN, "path": "b.txt"}, body=b"x"),
    ("GET", "logged-models/{model_id}/artifacts/files"): Row("artifact.read", query={"artifact_file_path": "a.txt"}),
    ("POST", "webhooks"): Row("connection.write", body={"name": "wire", "url": NOWHERE, "events": [VERSION_CREATED]}),
    ("GET", "webhooks"): Row("connection.read"),
    ("GET", "webhooks/{webhook_id}"): Row("connection.read"),
    ("PATCH", "webhooks/{webhook_id}"): Row("connection.write", body={"name": "renamed"}),
    ("DELETE", "webhooks/{webhook_id}"): Row("connection.write", body={}),
    ("POST", "webhooks/{webhook_id}/test"): Row("connection.write", body={}),
    ("POST", "3.0/traces"): Row("trace.write", body={"trace": {"trace_info": TRACE_INFO}}),
    ("GET", "3.0/traces/get"): Row("trace.read", query={"trace_id": TRACE}),
    ("GET", "3.0/traces/{trace_id}"): Row("trace.read"),
    ("GET", "3.0/traces/batchGet"): Row("trace.read", query={"trace_ids": TRACE}),
    ("POST", "3.0/traces/batchGetInfos"): Row("trace.read", body={"trace_ids": [TRACE]}),
    ("POST", "3.0/traces/search"): Row("trace.read", body={"locations": [PLACE]}),
    ("POST", "3.0/traces/metrics"): Row("trace.read", body=COUNT_OF_TRACES),
    ("POST", "3.0/traces/calculate-filter-correlation"): Row("trace.read", body=TWO_FILTERS),
    ("PATCH", "traces/{trace_id}/tags"): Row("trace.write", body=TAG),
    ("PATCH", "3.0/traces/{trace_id}/tags"): Row("trace.write", body=TAG),
    ("DELETE", "traces/{trace_id}/tags"): Row("trace.write", body={"key": "one"}),
    ("DELETE", "3.0/traces/{trace_id}/tags"): Row("trace.write", body={"key": "two"}),
    ("POST", "traces/delete-traces"): Row("trace.write", body={"experiment_id": "0", "request_ids": ["none"]}),
    ("POST", "3.0/traces/delete-traces"): Row("trace.write", body={"experiment_id": "0", "request_ids": ["none"]}),
    ("POST", "traces/link-to-run"): Row("trace.write", body={"trace_ids": [TRACE], "run_id": RUN}),
    ("POST", "traces/link-prompts"): Row("trace.write", body={"trace_id": TRACE, "prompt_versions": [VERSION]}),
    ("POST", "3.0/traces/{trace_id}/assessments"): Row("trace.write", body={"assessment": FEEDBACK}),
    ("GET", "3.0/traces/{trace_id}/assessments/{assessment_id}"): Row("trace.read"),
    ("PATCH", "3.0/traces/{trace_id}/assessments/{assessment_id}"): Row(
        "trace.write", body={"assessment": {"rationale": "by {role}"}, "update_mask": "rationale"}
    ),
    ("DELETE", "3.0/traces/{trace_id}/assessments/{assessment_id}"): Row("trace.write"),
    ("GET", "artifacts/list"): Row("artifact.read", query={"run_id": RUN}),
    ("POST", "logged-models"): _run_write(experiment_id="0", name="wire"),
    ("POST", "logged-models/search"): Row("run.read", body={"experiment_ids": ["0"]}),
    ("GET", "logged-models/{model_id}"): Row("run.read"),
    ("PATCH", "logged-models/{model_id}"): _run_write(status="LOGGED_MODEL_READY"),
    ("DELETE", "logged-models/{model_id}"): _run_write(),
    ("PATCH", "logged-models/{model_id}/tags"): _run_write(tags=[TAG]),
    ("DELETE", "logged-models/{model_id}/tags/{tag_key}"): Row("run.write", names={"tag_key": "k-{role}"}),
    ("POST", "logged-models/{model_id}/params"): _run_write(params=[TAG]),
    ("GET", "logged-models/{model_id}/artifacts/directories"): Row("artifact.read"),
    ("POST", "registered-models/create"): _model_write(name="wire-{role}"),
    ("GET", "registered-models/get"): Row("model.read", query=MODEL),
    ("GET", "registered-models/search"): Row("model.read"),
    ("POST", "registered-models/rename"): _model_write(name="wire-old-{role}", new_name="wire-new-{role}"),
    ("PATCH", "registered-models/update"): _model_write(**MODEL, description="d"),
    ("DELETE", "registered-models/delete"): _model_write(**DOOMED),
    ("GET", "registered-models/get-latest-versions"): Row("model.read", query=MODEL),
    ("POST", "registered-models/get-latest-versions"): Row("model.read", body=MODEL),
    ("POST", "registered-models/set-tag"): _model_write(**MODEL, **TAG),
    ("DELETE", "registered-models/delete-tag"): _model_write(**MODEL, key="k-{role}"),
    ("POST", "registered-models/alias"): _model_write(**VERSION, alias="best"),
    ("GET", "registered-models/alias"): Row("model.read", query={**MODEL, "alias": "latest"}),
    ("DELETE", "registered-models/alias"): _model_write(**MODEL, alias="best"),
    ("POST", "model-versions/create"): _model_write(**MODEL, source="mlflow-artifacts:/m"),
    ("GET", "model-versions/get"): Row("model.read", query=VERSION),
    ("GET", "model-versions/get-download-uri"): Row("model.read", query=VERSION),
    ("GET", "model-versions/search"): Row("model.read"),
    ("PATCH", "model-versions/update"): _model_write(**VERSION, description="d"),
    ("POST", "model-versions/transition-stage"): Row("model_version.promote", body={**VERSION, "stage": "Staging"}),
    ("DELETE", "model-versions/delete"): _model_write(name="wire-version-{role}", version="1"),
    ("POST", "model-versions/set-tag"): _model_write(**VERSION, **TAG),
    ("DELETE", "model-versions/delete-tag"): _model_write(**VERSION, key="k-{role}"),
}

FILES: dict[tuple[str, str], Row] = {
    ("GET", "artifacts"): Row("artifact.read", query={"path": "files"}),
    ("GET", "artifacts/files/a.txt"): Row("artifact.read"),
    ("PUT", "artifacts/files/by-{role}.txt"): Row("artifact.write", body=b"x"),
    ("DELETE", "artifacts/files/by-{role}.txt"): Row("artifact.write"),
}
