"""Verbs of what runs used and made."""

from __future__ import annotations

import json
from collections.abc import Sequence

from modelyard.core.db import now_ms
from modelyard.core.interfaces import Tracker
from modelyard.core.tracking.entities import CONTEXT_TAG, Dataset, DatasetInput, DatasetSummary, ModelInput, ModelOutput
from modelyard.core.tracking.limits import parse_experiment_id
from modelyard.core.tracking.sql import execute, marks
from modelyard.plugins.sql_tracker.rows import keys_of_models, touch_active_run, transaction


class InputVerbs(Tracker):
    """Inputs and outputs of runs in Modelyard's database."""

    def log_inputs(
        self, project_id: int, run_id: str, *, datasets: Sequence[DatasetInput] = (), models: Sequence[ModelInput] = ()
    ) -> None:
        """Write datasets that the project does not know yet, then the edges."""
        with transaction():
            run_key = touch_active_run(project_id, run_id).run
            for given in datasets:
                tags = {tag.key: tag.value for tag in given.tags}
                execute(
                    "INSERT INTO run_input (run_id, dataset_id, tags, context) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT DO NOTHING",
                    (
                        run_key,
                        _dataset_key(project_id, given.dataset),
                        json.dumps(tags, ensure_ascii=False),
                        tags.get(CONTEXT_TAG),
                    ),
                )
            keys = keys_of_models(project_id, [model.model_id for model in models])
            for model in models:
                execute(
                    "INSERT INTO run_model_input (run_id, model_id) VALUES (?, ?) ON CONFLICT DO NOTHING",
                    (run_key, keys[model.model_id]),
                )

    def dataset_summaries(
        self, project_id: int, experiment_ids: Sequence[str], *, max_results: int
    ) -> list[DatasetSummary]:
        """Read them from the inputs of the experiments' runs."""
        numbers = [parse_experiment_id(experiment_id) for experiment_id in experiment_ids]
        rows = execute(
            "SELECT number, name, digest, context FROM (SELECT DISTINCT e.number, d.name, d.digest, i.context"
            " FROM experiment e JOIN run r ON r.experiment_id = e.id JOIN run_input i ON i.run_id = r.id"
            f" JOIN dataset d ON d.id = i.dataset_id WHERE e.project_id = ? AND e.number IN ({marks(len(numbers))}))"
            " AS used ORDER BY name, digest, COALESCE(context, ''), number LIMIT ?",
            (project_id, *numbers, max_results),
        ).fetchall()
        return [DatasetSummary(str(number), *more) for number, *more in rows]

    def log_outputs(self, project_id: int, run_id: str, models: Sequence[ModelOutput]) -> None:
        """Write the edges; the same model at the same step is one."""
        with transaction():
            run_key = touch_active_run(project_id, run_id).run
            keys = keys_of_models(project_id, [model.model_id for model in models])
            for model in models:
                execute(
                    "INSERT INTO run_output (run_id, model_id, step) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                    (run_key, keys[model.model_id], model.step),
                )


def _dataset_key(project_id: int, dataset: Dataset) -> int:
    """Return the key of the dataset of that name and digest, made now if need be."""
    identity = (project_id, dataset.name, dataset.digest)
    execute(
        "INSERT INTO dataset (project_id, name, digest, source_type, source, schema, profile, created_at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (*identity, dataset.source_type, dataset.source, dataset.schema, dataset.profile, now_ms()),
    )
    rows = execute("SELECT id FROM dataset WHERE project_id = ? AND name = ? AND digest = ?", identity).fetchall()
    key: int = rows[0][0]
    return key
