"""Searches for traces as SQL, and how two conditions on them go together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from modelyard.core.db import is_postgresql
from modelyard.core.errors import InvalidInput
from modelyard.core.tracking.entities import Query
from modelyard.core.tracking.filters import ORDERED, TRACES, Comparison, parse_filter, parse_order_by
from modelyard.core.tracking.limits import MAX_EXPERIMENTS_PER_SEARCH, parse_experiment_id
from modelyard.core.tracking.paging import fingerprint
from modelyard.core.tracking.search import page_of_keys
from modelyard.core.tracking.sql import Clause, compare, execute, join, one_of, order
from modelyard.core.tracking.trace_entities import NAME_TAG, RUN_KEY, TraceCorrelation

FROM = "FROM trace t JOIN experiment e ON e.id = t.experiment_id"
SMOOTHING = 0.5
"""What is added to each count for the smoothed correlation: Jeffreys' prior."""

FEW = 100
"""How many experiments are looked up before a search."""

_COLUMNS = {
    "request_id": "t.trace_id",
    "experiment_id": "e.number",
    "timestamp_ms": "t.start_time_ms",
    "end_time_ms": "COALESCE(t.end_time_ms, t.start_time_ms)",
    "execution_time_ms": "(t.end_time_ms - t.start_time_ms)",
    "status": "t.state",
    "client_request_id": "t.client_request_id",
    "name": f"(SELECT x.value FROM trace_tag x WHERE x.trace_id = t.id AND x.key = '{NAME_TAG}')",
    "run_id": f"(SELECT x.value FROM trace_metadata x WHERE x.trace_id = t.id AND x.key = '{RUN_KEY}')",
}
_TABLES = {"tag": "trace_tag", "metadata": "trace_metadata"}
_SPAN_COLUMNS = {"name": "s.name", "type": "s.type", "status": "s.status"}
_NEGATIVE = {"!=": "=", "NOT IN": "IN"}


def find_traces_by(project_id: int, query: Query) -> tuple[list[int], str | None]:
    """Return the keys of a page of traces, by default the newest first, and the token of the next page."""
    keys = parse_order_by(query.order_by, TRACES)
    ordering = [_order(key.entity, key.key, ascending=key.ascending) for key in keys]
    if all((key.entity, key.key) != ("attribute", "timestamp_ms") for key in keys):
        ordering.append(Clause("t.start_time_ms DESC"))
    ordering.append(Clause("t.trace_id"))
    search = fingerprint("traces", project_id, query.filter, query.order_by, query.experiment_ids)
    conditions = [scope(project_id, query.experiment_ids), *conditions_of(query.filter)]
    return page_of_keys(Clause(f"SELECT t.id {FROM}"), conditions, ordering, query, search)


def scope(project_id: int, experiment_ids: Sequence[str] | None) -> Clause:
    """Make the condition that a trace is in one of these active experiments of the project; None is all of them.

    The keys of few experiments are looked up first: of one, the index has the traces in the order of time.
    """
    mine = [Clause("project_id = ? AND lifecycle_stage = 'active'", (project_id,))]
    if experiment_ids is not None:
        if len(experiment_ids) > MAX_EXPERIMENTS_PER_SEARCH:
            raise InvalidInput(f"A search takes at most {MAX_EXPERIMENTS_PER_SEARCH} experiments.")
        mine.append(one_of("number", [parse_experiment_id(given) for given in experiment_ids]))
    where = join(mine, " AND ")
    select = f"SELECT id FROM experiment WHERE {where.sql}"
    keys = [row[0] for row in execute(f"{select} LIMIT {FEW + 1}", where.parameters).fetchall()]
    if len(keys) > FEW:
        return Clause(f"t.experiment_id IN ({select})", where.parameters)
    return Clause("t.experiment_id = ?", (keys[0],)) if len(keys) == 1 else one_of("t.experiment_id", keys)


def conditions_of(text: str) -> list[Clause]:
    """Return the conditions of a filter; those on spans must all hold for one and the same span."""
    conditions, of_span = [], []
    for found in parse_filter(text, TRACES):
        if found.entity == "span" or (found.entity == "attribute" and found.key == "text"):
            of_span.append(_span_condition(found))
        else:
            conditions.append(_condition(found))
    if of_span:
        inner = join(of_span, " AND ")
        conditions.append(
            Clause(f"EXISTS (SELECT 1 FROM span s WHERE s.trace_id = t.id AND {inner.sql})", inner.parameters)
        )
    return conditions


def _condition(found: Comparison) -> Clause:
    if found.entity == "attribute":
        return _attribute_condition(found)
    if found.entity in _TABLES:
        inner = Clause("") if found.value is None else compare("x.value", found.operator, found.value)
        return _exists(f"{_TABLES[found.entity]} x", Clause("x.key = ?", (found.key,)), inner, found.operator)
    if found.entity == "issue":
        if found.key != "id":
            raise InvalidInput(f"Invalid issue attribute {found.key!r}.", hint="The valid one is id.")
        kind = Clause("x.kind = 'issue' AND x.name = ?", (found.value,))
        return _exists("assessment x", kind, Clause(""), found.operator)
    mine = Clause("x.kind = ? AND x.name = ? AND x.is_valid = 1", (found.entity, found.key))
    return _exists("assessment x", mine, _assessment_value(found), found.operator)


def _exists(source: str, chosen: Clause, value: Clause, operator: str) -> Clause:
    inner = join([Clause("x.trace_id = t.id"), chosen, value], " AND ")
    start = "NOT EXISTS" if operator == "IS NULL" else "EXISTS"
    return Clause(f"{start} (SELECT 1 FROM {source} WHERE {inner.sql})", inner.parameters)


def _attribute_condition(found: Comparison) -> Clause:
    if found.key == "prompt":
        if found.operator != "=" or str(found.value).count("/") != 1:
            raise InvalidInput("The filter on 'prompt' is written as prompt = \"name/version\".")
        return Clause("EXISTS (SELECT 1 FROM trace_prompt x WHERE x.trace_id = t.id AND x.prompt = ?)", (found.value,))
    if found.key == "name":
        return _condition(Comparison("tag", NAME_TAG, found.operator, found.value))
    if found.operator in {"IS NULL", "IS NOT NULL"}:
        return Clause(f"{_COLUMNS[found.key]} {found.operator}")
    if found.key != "run_id":
        return compare(_COLUMNS[found.key], found.operator, found.value)
    positive = _NEGATIVE.get(found.operator, found.operator)
    stated = _condition(Comparison("metadata", RUN_KEY, positive, found.value))
    run = compare("r.public_id", positive, found.value)
    linked = _exists("trace_run x JOIN run r ON r.id = x.run_id", Clause(""), run, positive)
    either = join([stated, linked], " OR ")
    return Clause(f"{'NOT ' if found.operator in _NEGATIVE else ''}({either.sql})", either.parameters)


def _assessment_value(found: Comparison) -> Clause:
    """Compare with the JSON of a value: a text is equal to the text, the number and the truth value that it spells."""
    if found.value is None:
        return Clause("")
    if found.operator in ORDERED:
        inner = compare("x.number", found.operator, found.value)
        return Clause(f"x.is_number = 1 AND {inner.sql}", inner.parameters)
    if found.operator in {"=", "!="}:
        quoted = msgspec.json.encode(found.value).decode()
        return Clause(f"x.value {'NOT ' if found.operator == '!=' else ''}IN (?, ?)", (found.value, quoted))
    return compare("x.value", found.operator, found.value)


def _span_condition(found: Comparison) -> Clause:
    if found.key in {"content", "text"}:
        if found.operator not in {"LIKE", "ILIKE"}:
            raise InvalidInput(f"The text of spans is searched by LIKE and ILIKE, not {found.operator!r}.")
        texts = [compare(column, found.operator, found.value) for column in ("s.content", "s.name")]
        either = join(texts, " OR ")
        return Clause(f"({either.sql})", either.parameters)
    if found.key in _SPAN_COLUMNS:
        return compare(_SPAN_COLUMNS[found.key], found.operator, found.value)
    name = found.key.removeprefix("attributes.")
    if name == found.key or not name:
        raise InvalidInput(
            f"Invalid span attribute {found.key!r}.", hint="Valid ones are name, type, status, content, attributes.KEY."
        )
    return _span_attribute(name, found)


def _span_attribute(name: str, found: Comparison) -> Clause:
    """Compare an attribute as text: what is no text stands as its JSON."""
    if is_postgresql():
        source, value = "json_each_text(s.content::json -> 'attributes')", "a.value"
    else:
        source = "json_each(s.content, '$.attributes')"
        value = "CASE a.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(a.value AS TEXT) END"
    inner = compare(value, found.operator, found.value)
    return Clause(f"EXISTS (SELECT 1 FROM {source} a WHERE a.key = ? AND {inner.sql})", (name, *inner.parameters))


def _order(entity: str, key: str, *, ascending: bool) -> Clause:
    if entity == "attribute":
        is_text = key in TRACES.texts
        return Clause(order(_COLUMNS[key], ascending=ascending, is_text=is_text))
    column = f"(SELECT x.value FROM {_TABLES[entity]} x WHERE x.trace_id = t.id AND x.key = ?)"
    return Clause(order(column, ascending=ascending, is_text=True), (key, key))


def correlate(
    project_id: int, experiment_ids: Sequence[str], filter1: str, filter2: str, base: str
) -> TraceCorrelation:
    """Count the traces that fulfil either condition and both, among those of the base."""
    where = join([scope(project_id, experiment_ids), *conditions_of(base)], " AND ")
    first, second = (join(conditions_of(text) or [Clause("1 = 1")], " AND ") for text in (filter1, filter2))
    counted = [first, second, join([first, second], " AND ")]
    sums = ", ".join(f"COALESCE(SUM(CASE WHEN {clause.sql} THEN 1 ELSE 0 END), 0)" for clause in counted)
    parameters: list[Any] = [value for clause in (*counted, where) for value in clause.parameters]
    ((total, one, two, both),) = execute(f"SELECT COUNT(*), {sums} {FROM} WHERE {where.sql}", parameters).fetchall()
    counts = (int(both), int(one - both), int(two - both), int(total - one - two + both))
    is_known = one > 0 and two > 0
    return TraceCorrelation(
        npmi=_npmi(counts, 0.0) if is_known else math.nan,
        npmi_smoothed=_npmi(counts, SMOOTHING) if is_known else math.nan,
        filter1_count=int(one),
        filter2_count=int(two),
        joint_count=int(both),
        total_count=int(total),
    )


def _npmi(counts: tuple[int, int, int, int], smoothing: float) -> float:
    """Return the normalized pointwise mutual information of (both, first only, second only, neither)."""
    if not any(counts[1:]):
        return 1.0
    both, first, second, neither = (count + smoothing for count in counts)
    if both == 0:
        return -1.0
    total = both + first + second + neither
    pmi = math.log(both * total / ((both + first) * (both + second)))
    return max(-1.0, min(1.0, pmi / -math.log(both / total)))
