"""The class that is registered; each of its bases has the verbs of one subject."""

from __future__ import annotations

from modelyard.core.interfaces import Health
from modelyard.core.tracking.sql import execute
from modelyard.plugins.sql_tracker.batches import LoggingVerbs
from modelyard.plugins.sql_tracker.changes import ChangeVerbs
from modelyard.plugins.sql_tracker.experiments import ExperimentVerbs
from modelyard.plugins.sql_tracker.histories import HistoryVerbs
from modelyard.plugins.sql_tracker.inputs import InputVerbs
from modelyard.plugins.sql_tracker.logged_models import LoggedModelVerbs
from modelyard.plugins.sql_tracker.runs import RunVerbs


class SqlTracker(ExperimentVerbs, RunVerbs, LoggingVerbs, HistoryVerbs, InputVerbs, LoggedModelVerbs, ChangeVerbs):
    """Keeps everything in Modelyard's database, on SQLite and PostgreSQL alike."""

    name = "sql"
    title = "Modelyard's own database"
    capabilities = frozenset({"transactional", "local"})

    def health(self) -> Health:
        """Ask the database for the simplest thing."""
        execute("SELECT 1").fetchall()
        return Health(ok=True)
