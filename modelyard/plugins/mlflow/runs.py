"""Verbs of runs, but for what is logged to them."""

from __future__ import annotations

from typing import Any

from modelyard.core.errors import Conflict, InvalidInput
from modelyard.core.tracking.entities import Change, NewRun, Page, Query, Run, RunInfo
from modelyard.core.tracking.filters import RUNS, parse_filter
from modelyard.core.tracking.paging import fingerprint, make_token, read_token
from modelyard.plugins.mlflow.answers import info_of, pairs, run_of, view_type
from modelyard.plugins.mlflow.experiments import ExperimentVerbs
from modelyard.plugins.mlflow.filters import written

COUNTED_AT_ONCE = 5000


class RunVerbs(ExperimentVerbs):
    """Runs of an MLflow server."""

    def create_run(self, project_id: int, run: NewRun) -> Run:
        """Make it; MLflow makes up a name."""
        mlflow_id = self._scope.mlflow_id(run.experiment_id)
        fields = {
            "experiment_id": mlflow_id,
            "user_id": run.user_id,
            "start_time": run.start_time_ms,
            "run_name": run.name,
            "tags": pairs({tag.key: tag.value for tag in run.tags}),
        }
        try:
            made = self._server.send("runs/create", fields)
        except InvalidInput:
            self._require_active(mlflow_id)
            raise
        return self._shown(made["run"])

    def get_run(self, project_id: int, run_id: str) -> Run:
        """Read one."""
        return self._shown(self._server.get("runs/get", run_id=run_id)["run"])

    def search_runs(self, project_id: int, query: Query) -> Page[Run]:
        """Ask for a page of the project's own experiments."""
        experiment_ids = self._scope.only_own(query.experiment_ids)
        search = fingerprint(query.filter, query.order_by, query.lifecycle_stages, query.experiment_ids)
        token = read_token(query.page_token, search, tuple[str])[0] if query.page_token else None
        fields = {
            "experiment_ids": experiment_ids,
            "filter": written(parse_filter(query.filter, RUNS)),
            "order_by": list(query.order_by),
            "max_results": query.max_results,
            "run_view_type": view_type(query.lifecycle_stages),
            "page_token": token,
        }
        answer = self._server.send("runs/search", fields)
        token = answer.get("next_page_token")
        return Page(
            [self._shown(raw) for raw in answer.get("runs", ())], make_token(search, (token,)) if token else None
        )

    def count_runs(self, project_id: int, query: Query) -> int:
        """Read all pages: MLflow counts nothing."""
        fields: dict[str, Any] = {
            "experiment_ids": self._scope.only_own(query.experiment_ids),
            "filter": written(parse_filter(query.filter, RUNS)),
            "max_results": COUNTED_AT_ONCE,
            "run_view_type": view_type(query.lifecycle_stages),
        }
        return sum(len(page.get("runs", ())) for page in self._server.pages("runs/search", fields))

    def update_run(
        self,
        project_id: int,
        run_id: str,
        *,
        status: str | None = None,
        end_time_ms: int | None = None,
        name: str | None = None,
    ) -> Change[RunInfo]:
        """Change what is given; MLflow keeps the tag of the name itself."""
        before = self._active(run_id)
        fields = {"run_id": run_id, "status": status, "end_time": end_time_ms, "run_name": name or None}
        answer = self._server.send("runs/update", fields)
        after = info_of(answer["run_info"])
        after.experiment_id = self._scope.shown_id(after.experiment_id)
        return Change(before.info, after)

    def set_run_lifecycle(self, project_id: int, run_id: str, stage: str) -> Change[RunInfo]:
        """Move it, and read what came of it."""
        before = self.get_run(project_id, run_id)
        if before.info.lifecycle_stage == stage:
            return Change(before.info, before.info)
        self._server.send(f"runs/{'delete' if stage == 'deleted' else 'restore'}", {"run_id": run_id})
        return Change(before.info, self.get_run(project_id, run_id).info)

    def _shown(self, raw: dict[str, Any]) -> Run:
        """Return the run as it is here; `NotFound` for one of somebody else's experiment."""
        run = run_of(raw)
        self._scope.check_run(run.info.run_id, run.info.experiment_id)
        run.info.experiment_id = self._scope.shown_id(run.info.experiment_id)
        return run

    def _active(self, run_id: str) -> Run:
        """Return an active run; `Conflict` for a deleted one."""
        run = self.get_run(0, run_id)
        if run.info.lifecycle_stage != "active":
            raise Conflict(f"The run {run_id} must be in the 'active' state. It is deleted.", hint="Restore it first.")
        return run
