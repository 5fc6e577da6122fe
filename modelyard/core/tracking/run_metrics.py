"""Verbs that read the metrics of one run piece by piece: walked through whole, and followed live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from modelyard.core.errors import InvalidInput
from modelyard.core.identity.actor import Actor
from modelyard.core.interfaces import Tracker
from modelyard.core.projects.models import Project
from modelyard.core.tracking.entities import WHOLE_HISTORY, Metric, MetricWindow
from modelyard.core.tracking.limits import check_sample
from modelyard.core.tracking.many_runs import held_connection
from modelyard.core.tracking.service import TRANSACTIONAL, TrackingService
from modelyard.core.tracking.tail import Mark, Tail, tails

POINTS_AT_ONCE = 10_000
MOST_FOLLOWED = 50


class RunMetrics(TrackingService):
    """What `RunService` can do with metrics beside single pages."""

    def walk_metric(
        self,
        actor: Actor,
        project: Project,
        run_id: str,
        *,
        key: str,
        window: MetricWindow = WHOLE_HISTORY,
        page_token: str | None = None,
    ) -> Iterator[list[Metric]]:
        """Yield the points of a metric in order, in lists of at most 10,000; none is one empty list.

        The first list is read at once, so that `NotFound` and the like come before it. A database connection is held
        only while a list is read.
        """
        lists = _walk(self._reading(actor, project), project.id, run_id, key, window, page_token)
        return chain([next(lists)], lists)

    def tails(
        self, actor: Actor, project: Project, run_id: str, marks: Mapping[str, Mark | None], *, max_points: int
    ) -> list[Tail]:
        """Return what is new of up to 50 metrics of a run since the marks; `modelyard.core.tracking.tail` says how."""
        check_sample([run_id], max_points)
        if len(marks) > MOST_FOLLOWED:
            raise InvalidInput(f"At most {MOST_FOLLOWED} metrics can be followed at once. Got {len(marks)}.")
        return tails(self._reading(actor, project), project.id, run_id, marks, max_points=max_points)


def _walk(
    tracker: Tracker, project_id: int, run_id: str, key: str, window: MetricWindow, token: str | None
) -> Iterator[list[Metric]]:
    """Go on behind the last point; an outside tracker, which may cut each page out of the whole, is asked once."""
    most = POINTS_AT_ONCE if TRANSACTIONAL in tracker.capabilities else None
    while True:
        with held_connection(tracker):
            page = tracker.metric_history(project_id, run_id, key, window=window, max_results=most, page_token=token)
        for start in range(0, max(1, len(page.items)), POINTS_AT_ONCE):
            yield page.items[start : start + POINTS_AT_ONCE]
        token = page.next_page_token
        if token is None:
            return
