"""Verbs of many runs at once: read together, walked through, deleted, restored and tagged."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from msgspec.structs import replace

from modelyard.core.db import connection
from modelyard.core.errors import InvalidInput, NotFound
from modelyard.core.identity.actor import Actor
from modelyard.core.interfaces import Tracker
from modelyard.core.projects.models import Project
from modelyard.core.tracking.entities import LIFECYCLE_STAGES, Page, Query, Run, Tag
from modelyard.core.tracking.limits import check_few_runs, check_tags
from modelyard.core.tracking.models import ACTIVE, DELETED
from modelyard.core.tracking.service import TRANSACTIONAL, TrackingService

MOST_CHANGED_AT_ONCE = 1000
WALKED_PAGE = 500
_RUN_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


class ManyRuns(TrackingService):
    """What is done to many runs at once is one event; a tracker of our own database does all of it, or nothing."""

    def get_many(self, actor: Actor, project: Project, run_ids: Sequence[str]) -> list[Run]:
        """Return these runs, at most 200, in this order, also deleted ones; `NotFound` names one that is not there."""
        check_few_runs(run_ids)
        tracker = self._reading(actor, project)
        wanted = list(dict.fromkeys(run_ids))
        known = {run.info.run_id: run for run in _find(tracker, project, wanted)}
        for run_id in wanted:
            if run_id not in known:
                raise NotFound(f"Run with id={run_id} not found.")
        return [known[run_id] for run_id in wanted]

    def walk(self, actor: Actor, project: Project, query: Query) -> Iterator[list[Run]]:
        """Yield all runs of a search, the earliest start first, in lists that a process can hold.

        Each comes once, whatever is added or deleted meanwhile: a list goes on behind the last start, not at a count.
        A search with an order of its own goes on at a count. A database connection is held only while a list is read.
        """
        tracker = self._reading(actor, project)
        return _walk(tracker, project, query) if not query.order_by else _walk_ordered(tracker, project, query)

    def delete_many(self, actor: Actor, project: Project, run_ids: Sequence[str]) -> int:
        """Delete up to 1000 runs and return how many were not deleted already."""
        return self._move_many(actor, project, run_ids, DELETED, "runs.deleted")

    def restore_many(self, actor: Actor, project: Project, run_ids: Sequence[str]) -> int:
        """Bring up to 1000 deleted runs back and return how many were deleted."""
        return self._move_many(actor, project, run_ids, ACTIVE, "runs.restored")

    def tag_many(self, actor: Actor, project: Project, run_ids: Sequence[str], tags: Mapping[str, str | None]) -> int:
        """Set the same tags of up to 1000 active runs, of which one whose value is None goes; return how many runs."""
        kept = check_tags([Tag(key, value) for key, value in tags.items() if value is not None])
        gone = {key for key, value in tags.items() if value is None}

        def retag(tracker: Tracker, run_id: str) -> bool:
            present = {tag.key for tag in tracker.get_run(project.id, run_id).data.tags} if gone else set()
            tracker.log_batch(project.id, run_id, tags=kept)
            for key in sorted(gone & present):
                tracker.delete_run_tag(project.id, run_id, key)
            return True

        return self._change_many(actor, project, run_ids, retag, "runs.tagged", {"tags": dict(tags)})

    def _move_many(self, actor: Actor, project: Project, run_ids: Sequence[str], stage: str, action: str) -> int:
        def move(tracker: Tracker, run_id: str) -> bool:
            return tracker.set_run_lifecycle(project.id, run_id, stage).before.lifecycle_stage != stage

        return self._change_many(actor, project, run_ids, move, action, {"lifecycle_stage": stage})

    def _change_many(
        self,
        actor: Actor,
        project: Project,
        run_ids: Sequence[str],
        change: Callable[[Tracker, str], bool],
        action: str,
        after: Mapping[str, object],
    ) -> int:
        """Change run by run; what an outside tracker did before it failed is told nevertheless."""
        wanted = _in_order(run_ids)
        changed: list[str] = []
        with self._changing(actor, project) as tracker:
            may_tell = TRANSACTIONAL not in tracker.capabilities
            try:
                changed.extend(run_id for run_id in wanted if change(tracker, run_id))
                may_tell = True
            finally:
                if changed and may_tell:
                    self._tell_many(action, actor, project, changed, after)
        return len(changed)

    def _tell_many(
        self, action: str, actor: Actor, project: Project, run_ids: Sequence[str], after: Mapping[str, object]
    ) -> None:
        self._record(
            action,
            actor=actor,
            project=project,
            object_id=run_ids[0],
            object_name=f"{len(run_ids)} runs",
            after={"run_ids": list(run_ids), **after},
        )


def _in_order(run_ids: Sequence[str]) -> list[str]:
    """Return each id once, sorted, so that two who change the same runs never wait for each other in a ring."""
    wanted = sorted(set(run_ids))
    if not 1 <= len(wanted) <= MOST_CHANGED_AT_ONCE:
        raise InvalidInput(f"From 1 to {MOST_CHANGED_AT_ONCE} runs can be changed at once. Got {len(wanted)}.")
    return wanted


def _find(tracker: Tracker, project: Project, run_ids: Sequence[str]) -> list[Run]:
    if not run_ids or not all(_RUN_ID.fullmatch(run_id) for run_id in run_ids):
        return []
    listed = ", ".join(f"'{run_id}'" for run_id in run_ids)
    query = Query(
        filter=f"attributes.run_id IN ({listed})", max_results=len(run_ids), lifecycle_stages=LIFECYCLE_STAGES
    )
    return tracker.search_runs(project.id, query).items


def _walk(tracker: Tracker, project: Project, query: Query) -> Iterator[list[Run]]:
    """Go on with the runs that started when the last one did or later, without those that were there already."""
    order = ["attributes.start_time ASC", "attributes.run_id ASC"]
    query = replace(query, order_by=order, max_results=WALKED_PAGE, page_token=None)
    since: int | None = None
    seen: set[str] = set()
    token: str | None = None
    while True:
        start = f"attributes.start_time >= {since}" if since is not None else ""
        narrowed = " AND ".join(part for part in (query.filter, start) if part)
        page = _read(tracker, project, replace(query, filter=narrowed, page_token=token))
        yield [run for run in page.items if run.info.run_id not in seen]
        if page.next_page_token is None:
            return
        last = page.items[-1].info.start_time_ms
        here = {run.info.run_id for run in page.items if run.info.start_time_ms == last}
        if last is None or last == since:  # so many started at one moment that they fill the page
            seen, token = seen | here, page.next_page_token
        else:
            since, seen, token = last, here, None


def _walk_ordered(tracker: Tracker, project: Project, query: Query) -> Iterator[list[Run]]:
    query = replace(query, max_results=WALKED_PAGE, page_token=None)
    while True:
        page = _read(tracker, project, query)
        yield page.items
        if page.next_page_token is None:
            return
        query = replace(query, page_token=page.next_page_token)


def _read(tracker: Tracker, project: Project, query: Query) -> Page[Run]:
    with held_connection(tracker):
        return tracker.search_runs(project.id, query)


def held_connection(tracker: Tracker) -> AbstractContextManager[None]:
    """Hold a database connection for a tracker of our own database; others need none."""
    return connection() if TRANSACTIONAL in tracker.capabilities else nullcontext()
