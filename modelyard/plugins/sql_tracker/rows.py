"""How verbs find the rows they work on: inside the project, locked where they are about to change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from modelyard.core.db import atomic, database, is_postgresql, locked, now_ms
from modelyard.core.errors import Conflict, NotFound
from modelyard.core.tracking.limits import parse_experiment_id
from modelyard.core.tracking.models import ACTIVE, Experiment, LoggedModel, Run
from modelyard.core.tracking.search import pages_of
from modelyard.core.tracking.sql import execute, marks, within


def transaction() -> AbstractContextManager[Any]:
    """Join the caller's transaction, or open one.

    A savepoint for each verb would cost every managed change two round trips.
    """
    return nullcontext() if database.transaction_depth() else atomic()


def find_experiment(project_id: int, experiment_id: str, *, lock: bool = False) -> Any:
    """Return the experiment's row, also of a deleted one."""
    query = Experiment.select().where(
        Experiment.project == project_id, Experiment.number == parse_experiment_id(experiment_id)
    )
    row = (locked(query) if lock else query).first()
    if row is None:
        raise NotFound(f"No Experiment with id={experiment_id} exists.")
    return row


def hold_active_experiment(project_id: int, experiment_id: str) -> Any:
    """Return the row of an active experiment, and keep it from being deleted until the transaction ends."""
    query: Any = Experiment.select().where(
        Experiment.project == project_id, Experiment.number == parse_experiment_id(experiment_id)
    )
    row = (query.for_update("FOR SHARE") if is_postgresql() else query).first()
    if row is None:
        raise NotFound(f"No Experiment with id={experiment_id} exists.")
    if row.lifecycle_stage != ACTIVE:
        raise Conflict(f"The experiment {experiment_id} must be in the 'active' state. It is deleted.")
    return row


def find_run(project_id: int, run_id: str, *, lock: bool = False) -> Any:
    """Return the run's row with its experiment, also of a deleted one."""
    query: Any = (
        Run.select(Run, Experiment).join(Experiment).where(Run.public_id == run_id, Experiment.project == project_id)
    )
    if lock and is_postgresql():
        query = query.for_update("FOR UPDATE", of=Run)
    row = query.first()
    if row is None:
        raise _no_run(run_id)
    return row


class RunKey(NamedTuple):
    """The integer keys of a run and of its experiment."""

    run: int
    experiment: int


def hold_from_purge(project_id: int, run_id: str) -> None:
    """Keep the purge of the run's experiment from beginning until the transaction ends; `Conflict` where it has."""
    query: Any = Experiment.select().join(Run).where(Run.public_id == run_id, Experiment.project == project_id)
    row = (query.for_update("FOR SHARE", of=Experiment) if is_postgresql() else query).first()
    if row is not None and row.purge_started_at_ms is not None:
        raise being_purged("experiment", row.number)


def being_purged(kind: str, which: object) -> Conflict:
    """Make the refusal to restore what is being removed for good."""
    return Conflict(f"The {kind} {which} is being purged: it cannot be restored any more.")


def touch_active_run(project_id: int, run_id: str) -> RunKey:
    """Move the time of an active run's last change and return its keys; no one else writes to it until the end."""
    rows = execute(
        "UPDATE run SET updated_at_ms = ? WHERE public_id = ? AND lifecycle_stage = 'active'"
        " AND experiment_id IN (SELECT id FROM experiment WHERE project_id = ?) RETURNING id, experiment_id",
        (now_ms(), run_id, project_id),
    ).fetchall()
    if rows:
        return RunKey(*rows[0])
    find_run(project_id, run_id)
    raise not_active(run_id)


def not_active(run_id: str) -> Conflict:
    """Make the refusal to write to a deleted run."""
    return Conflict(f"The run {run_id} must be in the 'active' state. It is deleted.", hint="Restore it first.")


def _no_run(run_id: str) -> NotFound:
    return NotFound(f"Run with id={run_id} not found.")


def find_logged_model(project_id: int, model_id: str, *, lock: bool = False) -> Any:
    """Return the row of a logged model that is not deleted."""
    query: Any = (
        LoggedModel.select(LoggedModel, Experiment)
        .join(Experiment)
        .where(
            LoggedModel.public_id == model_id, LoggedModel.lifecycle_stage == ACTIVE, Experiment.project == project_id
        )
    )
    if lock and is_postgresql():
        query = query.for_update("FOR UPDATE", of=LoggedModel)
    row = query.first()
    if row is None:
        raise _no_model(model_id)
    return row


def keys_of_models(project_id: int, model_ids: Iterable[str]) -> dict[str, int]:
    """Return the integer key of each of these logged models."""
    wanted = sorted(set(model_ids))
    keys: dict[str, int] = {}
    for part in pages_of(wanted):
        rows = execute(
            "SELECT m.public_id, m.id FROM logged_model m JOIN experiment e ON e.id = m.experiment_id"
            f" WHERE e.project_id = ? AND m.lifecycle_stage = 'active' AND m.public_id IN ({marks(len(part))})",
            (project_id, *part),
        )
        keys.update(rows.fetchall())
    for model_id in wanted:
        if model_id not in keys:
            raise _no_model(model_id)
    return keys


def _no_model(model_id: str) -> NotFound:
    return NotFound(f"Logged model with ID '{model_id}' not found.")


def key_values(table: str, owner: str, keys: Iterable[int]) -> dict[int, list[tuple[str, str]]]:
    """Return the (key, value) pairs of each owner, by key: params or tags of many rows at once."""
    wanted = list(keys)
    found: dict[int, list[tuple[str, str]]] = {key: [] for key in wanted}
    for part in pages_of(wanted):
        inside = within(owner, part)
        rows = execute(
            f"SELECT {owner}, key, value FROM {table} WHERE {inside.sql} ORDER BY {owner}, key", inside.parameters
        )
        for owner_key, key, value in rows.fetchall():
            found[owner_key].append((key, value))
    return found


def add_values(table: str, owner: str, owner_key: int, values: dict[str, str], **more: int) -> dict[str, str]:
    """Add values that never change again; return those of `values` that differ from what is stored.

    `more` are columns that all of them have alike.
    """
    if not values:
        return {}
    rows = _insert_values(table, owner, owner_key, values, more, "ON CONFLICT DO NOTHING RETURNING key").fetchall()
    known = [key for key in values if key not in {row[0] for row in rows}]
    if not known:
        return {}
    stored = dict(
        execute(
            f"SELECT key, value FROM {table} WHERE {owner} = ? AND key IN ({marks(len(known))})",
            (owner_key, *known),
        ).fetchall()
    )
    return {key: stored[key] for key in known if stored[key] != values[key]}


def set_values(table: str, owner: str, owner_key: int, values: dict[str, str], **more: int) -> None:
    """Set values that may change, such as tags; `more` as in `add_values`."""
    if values:
        otherwise = f"ON CONFLICT ({owner}, key) DO UPDATE SET value = excluded.value"
        _insert_values(table, owner, owner_key, dict(sorted(values.items())), more, otherwise)


def _insert_values(
    table: str, owner: str, owner_key: int, values: Mapping[str, str], more: Mapping[str, int], otherwise: str
) -> Any:
    columns = ", ".join((owner, "key", "value", *more))
    group = f"({marks(3 + len(more))})"
    return execute(
        f"INSERT INTO {table} ({columns}) VALUES {', '.join([group] * len(values))} {otherwise}",
        [part for key, value in values.items() for part in (owner_key, key, value, *more.values())],
    )


def delete_value(table: str, owner: str, owner_key: int, key: str) -> None:
    """Remove one value; `NotFound` where there is none of that key."""
    gone = execute(f"DELETE FROM {table} WHERE {owner} = ? AND key = ? RETURNING id", (owner_key, key))
    if not gone.fetchall():
        raise NotFound(f"No tag with name: {key}.")
