"""The verbs of laying runs side by side, and of taking them away as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modelyard.core.errors import InvalidInput
from modelyard.core.identity.actor import Actor
from modelyard.core.projects.models import Project
from modelyard.core.tracking.comparison import DIRECTIONS, Comparison, compare
from modelyard.core.tracking.curves import Curve, aligned, common_grid, curve
from modelyard.core.tracking.entities import WHOLE_HISTORY, MetricWindow, Query
from modelyard.core.tracking.export import Table, written
from modelyard.core.tracking.runs import RunService

MOST_POINTS_AT_ONCE = 1_000_000


class ComparisonService:
    """Up to 200 runs of a project side by side. Who may read runs may compare them."""

    def __init__(self, runs: RunService) -> None:
        self._runs = runs

    def compare(
        self, actor: Actor, project: Project, run_ids: Sequence[str], directions: Mapping[str, str] | None = None
    ) -> Comparison:
        """Lay runs side by side; `directions` says of metrics whether the ``max`` or the ``min`` is the best."""
        for key, direction in (directions or {}).items():
            if direction not in DIRECTIONS:
                raise InvalidInput(f"The direction {direction!r} of the metric {key!r} is neither max nor min.")
        runs = self._runs.get_many(actor, project, run_ids)
        summaries = self._runs.metric_summaries(actor, project, [run.info.run_id for run in runs])
        return compare(runs, summaries, directions)

    def curves(
        self,
        actor: Actor,
        project: Project,
        run_ids: Sequence[str],
        keys: Sequence[str],
        *,
        x: str,
        max_points: int,
        window: MetricWindow = WHOLE_HISTORY,
    ) -> list[Curve]:
        """Return the curves of these metrics of these runs, each of at most `max_points`; none for what has no point.

        `x` is one of `modelyard.core.tracking.curves.X_AXES`.
        """
        wanted = list(dict.fromkeys(keys))
        runs = self._runs.get_many(actor, project, run_ids) if x == "relative_time" else []
        starts = {run.info.run_id: run.info.start_time_ms for run in runs}
        count = len(set(run_ids)) * len(wanted) * max_points
        if count > MOST_POINTS_AT_ONCE:
            raise InvalidInput(
                f"Runs times metrics times max_points is {count}, more than {MOST_POINTS_AT_ONCE}.",
                hint="Ask for fewer points of each.",
                field="max_points",
            )
        found = []
        for key in wanted:
            points = self._runs.sample_metric(actor, project, run_ids, key=key, max_points=max_points, window=window)
            found += [
                curve(run_id, key, points[run_id], x=x, start_ms=starts.get(run_id))
                for run_id in points
                if points[run_id]
            ]
        return found

    def align(self, curves: Sequence[Curve], how: str, max_points: int) -> tuple[list[float], list[Curve]]:
        """Return the grid that the curves share, and the curves on it; the steps are lost."""
        grid = common_grid(curves, max_points)
        return grid, [Curve(one.run_id, one.key, x=[], values=aligned(one, grid, how), steps=[]) for one in curves]

    def export(
        self, actor: Actor, project: Project, query: Query, *, form: str, columns: Sequence[str] = ()
    ) -> Iterator[bytes]:
        """Return a table of all runs of a search as a file, piece by piece; a process holds a page of them at a time.

        Without `columns` all runs are read twice: what they have is known only then. Raises `InvalidInput` before the
        first piece for a search that cannot be understood, and for a form that needs what is not installed.
        """
        table = Table.of(columns) if columns else Table.found_in(self._runs.walk(actor, project, query))
        return written(table, self._runs.walk(actor, project, query), form)
