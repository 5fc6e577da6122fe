"""Searches for experiments, runs and logged models in Modelyard's own tables, as SQL.

A search becomes one SELECT for the integer keys of a page, in order; who asked reads the rest of those rows by key.
Pages go on by offset, under a token that is bound to the search. NaN sorts behind all numbers, a missing value behind
NaN.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from modelyard.core.errors import InvalidInput
from modelyard.core.tracking.entities import DatasetFilter, LoggedModelQuery, MetricOrder, Query
from modelyard.core.tracking.filters import (
    EXPERIMENTS,
    LOGGED_MODELS,
    MAX_COMPARISONS,
    MAX_ORDER_KEYS,
    RUNS,
    Comparison,
    parse_filter,
    parse_order_by,
)
from modelyard.core.tracking.limits import MAX_EXPERIMENTS_PER_SEARCH, check_max_results, parse_experiment_id
from modelyard.core.tracking.paging import Offset, fingerprint, make_token, read_token
from modelyard.core.tracking.sql import Clause, compare, execute, join, one_of, order

RUN_COLUMNS = {
    "run_id": "r.public_id",
    "run_name": "r.name",
    "user_id": "r.user_name",
    "status": "r.status",
    "start_time": "r.start_time_ms",
    "end_time": "r.end_time_ms",
    "artifact_uri": "r.artifact_uri",
}
EXPERIMENT_COLUMNS = {
    "experiment_id": "e.number",
    "name": "e.name",
    "creation_time": "e.created_at_ms",
    "last_update_time": "e.updated_at_ms",
}
MODEL_COLUMNS = {
    "model_id": "m.public_id",
    "name": "m.name",
    "model_type": "m.model_type",
    "status": "m.status",
    "source_run_id": "m.source_run_id",
    "creation_timestamp": "m.created_at_ms",
    "last_updated_timestamp": "m.updated_at_ms",
}


def find_experiments(project_id: int, query: Query) -> tuple[list[int], str | None]:
    """Return the keys of a page of experiments and the token of the next page."""
    conditions = [Clause("e.project_id = ?", (project_id,)), one_of("e.lifecycle_stage", query.lifecycle_stages)]
    for found in parse_filter(query.filter, EXPERIMENTS):
        if found.entity == "tag":
            conditions.append(_by_key("experiment_tag", "experiment_id", "e.id", found))
        elif found.key == "experiment_id":
            conditions.append(_experiment_number(found))
        else:
            conditions.append(compare(EXPERIMENT_COLUMNS[found.key], found.operator, found.value))
    keys = parse_order_by(query.order_by or ["creation_time DESC", "experiment_id ASC"], EXPERIMENTS)
    ordering = [
        Clause(order(EXPERIMENT_COLUMNS[key.key], ascending=key.ascending, is_text=key.key == "name")) for key in keys
    ]
    if all(key.key != "experiment_id" for key in keys):
        ordering.append(Clause("e.number DESC"))
    search = fingerprint(project_id, query.filter, query.order_by, query.lifecycle_stages)
    return page_of_keys(Clause("SELECT e.id FROM experiment e"), conditions, ordering, query, search)


def _experiment_number(found: Comparison) -> Clause:
    if found.operator in {"LIKE", "ILIKE"}:
        raise InvalidInput(f"Invalid comparator for experiment_id: {found.operator!r}.")
    if isinstance(found.value, tuple):
        return compare("e.number", found.operator, tuple(parse_experiment_id(value) for value in found.value))
    return compare("e.number", found.operator, parse_experiment_id(str(found.value)))


def find_runs(project_id: int, query: Query) -> tuple[list[int], str | None]:
    """Return the keys of a page of runs and the token of the next page."""
    keys = parse_order_by(query.order_by, RUNS)
    source, ordering = [Clause("SELECT r.id FROM run r")], []
    for index, key in enumerate(keys):
        if key.entity == "attribute":
            is_text = key.key in RUNS.texts
            ordering.append(Clause(order(RUN_COLUMNS[key.key], ascending=key.ascending, is_text=is_text)))
            continue
        table, alias = _KEYED_TABLES[key.entity], f"o{index}"
        source.append(Clause(f"LEFT JOIN {table} {alias} ON {alias}.run_id = r.id AND {alias}.key = ?", (key.key,)))
        if key.entity == "metric":
            ordering.append(Clause(f"COALESCE({alias}.last_is_nan, 2)"))
            ordering.append(Clause(order(f"{alias}.last_value", ascending=key.ascending)))
        else:
            ordering.append(Clause(order(f"{alias}.value", ascending=key.ascending, is_text=True)))
    if all((key.entity, key.key) != ("attribute", "start_time") for key in keys):
        ordering.append(Clause("r.start_time_ms DESC"))
    ordering.append(Clause("r.public_id"))
    search = fingerprint(project_id, query.filter, query.order_by, query.lifecycle_stages, query.experiment_ids)
    return page_of_keys(join(source, " "), _run_conditions(project_id, query), ordering, query, search)


def count_runs(project_id: int, query: Query) -> int:
    """Return how many runs the search finds in all."""
    where = join(_run_conditions(project_id, query), " AND ")
    ((count,),) = execute(f"SELECT COUNT(*) FROM run r WHERE {where.sql}", where.parameters).fetchall()
    return int(count)


def _run_conditions(project_id: int, query: Query) -> list[Clause]:
    return [
        _of_experiments("r", project_id, query.experiment_ids),
        one_of("r.lifecycle_stage", query.lifecycle_stages),
        *(_run_condition(found) for found in parse_filter(query.filter, RUNS)),
    ]


_KEYED_TABLES = {"metric": "metric_series", "param": "run_param", "tag": "run_tag"}


def _run_condition(found: Comparison) -> Clause:
    if found.entity == "attribute":
        return compare(RUN_COLUMNS[found.key], found.operator, found.value)
    if found.entity == "dataset":
        column = "i.context" if found.key == "context" else f"d.{found.key}"
        inner = compare(column, found.operator, found.value)
        return Clause(
            "EXISTS (SELECT 1 FROM run_input i JOIN dataset d ON d.id = i.dataset_id"
            f" WHERE i.run_id = r.id AND {inner.sql})",
            inner.parameters,
        )
    if found.entity == "metric":
        inner = _metric_condition("x.last_value", "x.last_is_nan", found)
        return Clause(
            f"EXISTS (SELECT 1 FROM metric_series x WHERE x.run_id = r.id AND x.key = ? AND {inner.sql})",
            (found.key, *inner.parameters),
        )
    return _by_key(_KEYED_TABLES[found.entity], "run_id", "r.id", found)


def _metric_condition(value: str, is_nan: str, found: Comparison) -> Clause:
    """Compare a metric: NaN differs from every number and is neither above nor below any."""
    inner = compare(value, found.operator, found.value)
    if found.operator == "!=":
        return Clause(f"({inner.sql} OR {is_nan} = 1)", inner.parameters)
    return Clause(f"({inner.sql} AND {is_nan} = 0)", inner.parameters)


def _by_key(table: str, owner: str, outer: str, found: Comparison) -> Clause:
    """Make the condition on a param or tag; one that is missing fulfils IS NULL alone."""
    start = f"EXISTS (SELECT 1 FROM {table} x WHERE x.{owner} = {outer} AND x.key = ?"
    if found.operator == "IS NULL":
        return Clause(f"NOT {start})", (found.key,))
    if found.operator == "IS NOT NULL":
        return Clause(f"{start})", (found.key,))
    inner = compare("x.value", found.operator, found.value)
    return Clause(f"{start} AND {inner.sql})", (found.key, *inner.parameters))


def find_logged_models(project_id: int, query: LoggedModelQuery) -> tuple[list[int], str | None]:
    """Return the keys of a page of logged models, deleted ones left out, and the token of the next page."""
    if len(query.datasets) > MAX_COMPARISONS or len(query.order_by) > MAX_ORDER_KEYS:
        raise InvalidInput(f"A search takes at most {MAX_COMPARISONS} datasets and {MAX_ORDER_KEYS} keys to order by.")
    conditions = [_of_experiments("m", project_id, query.experiment_ids), Clause("m.lifecycle_stage = 'active'")]
    found_by = parse_filter(query.filter, LOGGED_MODELS)
    conditions += [_model_condition(found, query.datasets) for found in found_by]
    if query.datasets and all(found.entity != "metric" for found in found_by):
        measured = _on_datasets(query.datasets)
        conditions.append(
            Clause(
                f"EXISTS (SELECT 1 FROM logged_model_metric x WHERE x.model_id = m.id AND {measured.sql})",
                measured.parameters,
            )
        )
    ordering = [_model_order(key) for key in query.order_by]
    fields = {LOGGED_MODELS.aliases.get(key.field_name, key.field_name) for key in query.order_by}
    if "creation_timestamp" not in fields:
        ordering.append(Clause("m.created_at_ms DESC"))
    ordering.append(Clause("m.public_id"))
    search = fingerprint(project_id, query.filter, query.order_by, query.experiment_ids, query.datasets)
    return page_of_keys(Clause("SELECT m.id FROM logged_model m"), conditions, ordering, query, search)


def _model_condition(found: Comparison, datasets: Sequence[DatasetFilter]) -> Clause:
    if found.entity == "attribute":
        return compare(MODEL_COLUMNS[found.key], found.operator, found.value)
    if found.entity == "metric":
        conditions = [Clause("x.model_id = m.id AND x.key = ?", (found.key,))]
        conditions += [_metric_condition("x.value", "x.is_nan", found), _on_datasets(datasets)]
        inner = join(conditions, " AND ")
        return Clause(f"EXISTS (SELECT 1 FROM logged_model_metric x WHERE {inner.sql})", inner.parameters)
    return _by_key(f"logged_model_{found.entity}", "model_id", "m.id", found)


def _on_datasets(datasets: Iterable[DatasetFilter]) -> Clause:
    choices = []
    for dataset in datasets:
        digest = Clause("x.dataset_digest = ?", (dataset.dataset_digest,)) if dataset.dataset_digest else Clause("")
        choices.append(join([Clause("x.dataset_name = ?", (dataset.dataset_name,)), digest], " AND "))
    either = join(choices, " OR ")
    return Clause(f"({either.sql})", either.parameters) if either else either


def _model_order(key: MetricOrder) -> Clause:
    if key.dataset_digest and not key.dataset_name:
        raise InvalidInput("`dataset_digest` can only be given together with `dataset_name` in order_by.")
    name = LOGGED_MODELS.aliases.get(key.field_name.strip(), key.field_name.strip())
    if "." not in name:
        if name not in LOGGED_MODELS.order_by:
            raise InvalidInput(f"Invalid order by field name: {key.field_name!r}.")
        return Clause(order(MODEL_COLUMNS[name], ascending=key.ascending, is_text=name in LOGGED_MODELS.texts))
    entity, metric = name.split(".", 1)
    if entity != "metrics":
        raise InvalidInput(f"Invalid order by field name: {key.field_name!r}. Only metrics.<key> has a dot.")
    chosen = [Clause("x.model_id = m.id AND x.key = ?", (metric.strip("`"),))]
    if key.dataset_name:
        chosen.append(_on_datasets([DatasetFilter(key.dataset_name, key.dataset_digest)]))
    inner = join(chosen, " AND ")
    latest = "FROM logged_model_metric x WHERE {} ORDER BY x.timestamp_ms DESC, x.step DESC, x.run_id LIMIT 1"
    is_nan = f"COALESCE((SELECT x.is_nan {latest.format(inner.sql)}), 2)"
    value = f"(SELECT x.value {latest.format(inner.sql)}) {'ASC' if key.ascending else 'DESC'}"
    return Clause(f"{is_nan}, {value}", inner.parameters * 2)


def _of_experiments(alias: str, project_id: int, experiment_ids: Sequence[str] | None) -> Clause:
    """Make the condition that a row is in these experiments of the project; a foreign number finds nothing."""
    inside = Clause("SELECT id FROM experiment WHERE project_id = ?", (project_id,))
    if experiment_ids is not None:
        if len(experiment_ids) > MAX_EXPERIMENTS_PER_SEARCH:
            raise InvalidInput(f"A search takes at most {MAX_EXPERIMENTS_PER_SEARCH} experiments.")
        numbers = one_of("number", [parse_experiment_id(given) for given in experiment_ids])
        inside = join([inside, numbers], " AND ")
    return Clause(f"{alias}.experiment_id IN ({inside.sql})", inside.parameters)


def page_of_keys(
    source: Clause,
    conditions: Sequence[Clause],
    ordering: Sequence[Clause],
    query: Query | LoggedModelQuery,
    search: str,
) -> tuple[list[int], str | None]:
    """Return the keys of a page of what the clauses find, and the token of the next page of the search."""
    limit = check_max_results(query.max_results)
    offset = read_token(query.page_token, search, Offset)[0] if query.page_token else 0
    where, ordered = join(conditions, " AND "), join(ordering, ", ")
    rows = execute(
        f"{source.sql} WHERE {where.sql} ORDER BY {ordered.sql} LIMIT ? OFFSET ?",
        (*source.parameters, *where.parameters, *ordered.parameters, limit + 1, offset),
    ).fetchall()
    token = make_token(search, (offset + limit,)) if len(rows) > limit else None
    return [row[0] for row in rows[:limit]], token


def pages_of(keys: Sequence[Any], size: int = 1000) -> Iterable[Sequence[Any]]:
    """Divide keys so that each part fits into one statement's parameters."""
    return (keys[start : start + size] for start in range(0, len(keys), size))
