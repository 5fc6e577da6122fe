"""Which runs changed of late, without a look at the others."""

from __future__ import annotations

from modelyard.core.interfaces import Tracker
from modelyard.core.tracking.entities import RunChange
from modelyard.core.tracking.sql import execute

MINUTE_MS = 60_000
_CHANGED = (
    "SELECT r.public_id, e.number, r.updated_at_ms FROM experiment e JOIN run r ON r.experiment_id = e.id"
    " WHERE e.project_id = ? AND r.updated_minute >= ? AND r.updated_at_ms >= ? ORDER BY r.updated_at_ms DESC LIMIT ?"
)


class ChangeVerbs(Tracker):
    """Changes read along the index of minutes."""

    def changed_runs(self, project_id: int, since_ms: int, *, limit: int) -> list[RunChange] | None:
        """Read the newest of them."""
        rows = execute(_CHANGED, (project_id, since_ms // MINUTE_MS, since_ms, limit)).fetchall()
        return [RunChange(run_id, str(number), when) for run_id, number, when in rows]
