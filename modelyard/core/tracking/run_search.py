"""Searches for runs in Modelyard's own tables, made for experiments of a million runs.

A search becomes SQL that finds the integer keys of a page, in order; who asked reads the rest of those rows by key. It
never sorts or looks at all runs where an index saves it:

- A comparison that few runs fulfil, as a bounded count in its index says, is where the search starts.
- Otherwise runs are taken in the wanted order from the index of that order (start time, or the values of the first key
  to order by) until the page is full. Such a list has parts, one behind the other: runs that have a number, those with
  NaN, those without a value.

Pages of such lists go on behind the last run of the page before, others by offset.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from modelyard.core.errors import InvalidInput
from modelyard.core.tracking.entities import Number, Query, as_number
from modelyard.core.tracking.filters import RUNS, Comparison, OrderKey, parse_filter, parse_order_by
from modelyard.core.tracking.limits import MAX_EXPERIMENTS_PER_SEARCH, check_max_results, parse_experiment_id
from modelyard.core.tracking.paging import Offset, RunPosition, fingerprint, make_token, read_token
from modelyard.core.tracking.search import by_key, metric_condition
from modelyard.core.tracking.sql import PREFIX, Clause, compare, execute, join, one_of, order, prefix_of, sortable

FEW = 1_500
"""So many candidates are looked at and sorted at once; with more, the index of the order is followed."""

FEW_OF_SEVERAL = 20_000
"""The same where several comparisons may leave next to nothing of what the index of the order has."""

LOOK_AT = 4_000
"""So many runs are looked at along the index of the order, for a full page, before more candidates than FEW are."""

MOST_NAMED = 100
"""So many experiments are named one by one in a statement."""

MOST_PROBED = 4
"""How many comparisons of a filter are counted at most."""

COLUMNS = {
    "run_id": "r.public_id",
    "run_name": "r.name",
    "user_id": "r.user_name",
    "status": "r.status",
    "start_time": "r.start_time_ms",
    "end_time": "r.end_time_ms",
    "artifact_uri": "r.artifact_uri",
}
_TABLES = {"metric": "metric_series", "param": "run_param", "tag": "run_tag"}
_START_DESCENDING = OrderKey("attribute", "start_time", ascending=False)
_NEWEST_FIRST = (Clause("r.start_time_ms DESC"), Clause("r.public_id"))


@dataclass(frozen=True, slots=True)
class Source:
    """Where runs come from: what stands behind FROM, and the conditions that make it the wanted runs."""

    tables: str
    conditions: tuple[Clause, ...]
    parameters: tuple[Any, ...] = ()

    def select(self, columns: str, ending: Clause) -> list[Any]:
        """Read columns of the runs; `ending` orders and limits them."""
        where = join(self.conditions, " AND ")
        rows: list[Any] = execute(
            f"SELECT {columns} FROM {self.tables} WHERE {where.sql} {ending.sql}",
            (*self.parameters, *where.parameters, *ending.parameters),
        ).fetchall()
        return rows

    def count(self) -> int:
        """Count the runs."""
        return int(self.select("COUNT(*)", Clause(""))[0][0])


@dataclass(frozen=True, slots=True)
class Part:
    """Runs in the order of columns, which none of them lacks, then newest first; or newest first alone."""

    source: Source
    columns: tuple[str, ...] = ()
    ascending: bool = True
    index: Source | None = None
    """All rows of the index that has this order, whether or not the search wants their runs."""

    @property
    def ordering(self) -> list[Clause]:
        """What comes first in ORDER BY."""
        return [Clause(f"{column} {'ASC' if self.ascending else 'DESC'}") for column in self.columns]

    def behind(self, position: tuple[int, Number | None, int, str]) -> Part:
        """Return the rest of the part, behind the run at that `RunPosition`."""
        _, value, start_time_ms, run_id = position
        later = Clause(
            "r.start_time_ms <= ? AND (r.start_time_ms < ? OR r.public_id > ?)", (start_time_ms, start_time_ms, run_id)
        )
        for column in self.columns:
            sign = ">" if self.ascending else "<"
            later = Clause(
                f"{column} {sign}= ? AND ({column} {sign} ? OR ({later.sql}))",
                (float(value or 0), float(value or 0), *later.parameters),
            )
        return self._where(later)

    def beginning(self, count: int, position: Any) -> Part | None:
        """Return the part as far as the next `count` rows of its index reach, from the run at that `RunPosition` on.

        None where the index has no more rows than that.
        """
        if self.index is None:
            return None
        column, rises, at = (self.columns[0], self.ascending, 1) if self.columns else ("r.start_time_ms", False, 2)
        from_here, up_to = (">=", "<=") if rises else ("<=", ">=")
        here = (
            (Clause(f"{column} {from_here} ?", (float(position[at]) if at == 1 else position[at],)),)
            if position
            else ()
        )
        rest = replace(self.index, conditions=(*self.index.conditions, *here))
        edge = rest.select(column, Clause(f"ORDER BY {column} {'ASC' if rises else 'DESC'} LIMIT 1 OFFSET {count}"))
        return self._where(Clause(f"{column} {up_to} ?", tuple(edge[0]))) if edge else None

    def _where(self, condition: Clause) -> Part:
        return replace(self, source=replace(self.source, conditions=(*self.source.conditions, condition)))


def find_runs(project_id: int, query: Query) -> tuple[list[int], str | None]:
    """Return the keys of a page of runs and the token of the next page."""
    limit = check_max_results(query.max_results)
    filters, keys = parse_filter(query.filter, RUNS), parse_order_by(query.order_by, RUNS)
    search = fingerprint(project_id, query.filter, query.order_by, query.lifecycle_stages, query.experiment_ids)
    is_walked = _is_walked(keys)
    position = read_token(query.page_token, search, RunPosition if is_walked else Offset) if query.page_token else None
    wanted = _wanted(project_id, query, filters)
    if not wanted.experiments.keys:
        return [], None
    if is_walked:
        rows = _page_behind(wanted, keys, limit + 1, position)
        place: tuple[Any, ...] = _position(rows[limit - 1]) if len(rows) > limit else ()
    else:
        offset = position[0] if position else 0
        rows, place = _page_at(wanted, keys, limit + 1, offset), (offset + limit,)
    return [row[0] for row in rows[:limit]], make_token(search, place) if len(rows) > limit else None


def _page_behind(wanted: Wanted, keys: Sequence[OrderKey], limit: int, position: Any) -> list[Any]:
    """Return a page of a list that is walked: from its index where a page is soon full, else from few candidates."""
    few = wanted.fewest(FEW)
    if few is None and len(wanted.filters) > 1:
        near = _near(wanted, keys, limit, position)
        if near is not None:
            return near
        few = wanted.fewest(FEW_OF_SEVERAL)
    return _walk(_parts(wanted, few, keys), limit, position)


def _near(wanted: Wanted, keys: Sequence[OrderKey], limit: int, position: Any) -> list[Any] | None:
    """Return a page from the next LOOK_AT runs of the list; None where they do not fill it."""
    if position and position[0]:
        return None
    part = next(_parts(wanted, None, keys)).beginning(LOOK_AT, position)
    rows = _walk(iter([part]), limit, position) if part else []
    return rows if len(rows) == limit else None


def _page_at(wanted: Wanted, keys: Sequence[OrderKey], limit: int, offset: int) -> list[Any]:
    """Return a page of any other order, by offset."""
    few = wanted.few()
    is_indexed = few is None and len(wanted.experiments.keys) == 1 and keys[0].entity != "attribute"
    parts = _parts(wanted, few, keys[:1] if is_indexed else [])
    return _across(parts, keys[1:] if is_indexed else keys, limit, offset)


def _is_walked(keys: Sequence[OrderKey]) -> bool:
    """Say whether a page goes on behind a run: that takes one short value in front of start time and id."""
    return not keys or (len(keys) == 1 and (keys[0].entity == "metric" or keys[0] == _START_DESCENDING))


def count_runs(project_id: int, query: Query) -> int:
    """Return how many runs the search finds in all."""
    wanted = _wanted(project_id, query, parse_filter(query.filter, RUNS))
    return (wanted.few() or wanted.listed).count() if wanted.experiments.keys else 0


@dataclass(frozen=True, slots=True)
class Scope:
    """The experiments to search in: the keys of the first of them, and a query that finds all."""

    keys: list[int]
    query: Clause

    def of(self, alias: str) -> Clause:
        """Make the condition that a row is of one of the experiments; of many it names none, statements have limits."""
        if len(self.keys) <= MOST_NAMED:
            return one_of(f"{alias}.experiment_id", self.keys)
        return Clause(f"{alias}.experiment_id IN ({self.query.sql})", self.query.parameters)


def _experiments(project_id: int, experiment_ids: Sequence[str] | None) -> Scope:
    """Return these experiments of the project; a foreign number finds nothing."""
    conditions = [Clause("project_id = ?", (project_id,))]
    if experiment_ids is not None:
        if len(experiment_ids) > MAX_EXPERIMENTS_PER_SEARCH:
            raise InvalidInput(f"A search takes at most {MAX_EXPERIMENTS_PER_SEARCH} experiments.")
        conditions.append(one_of("number", [parse_experiment_id(given) for given in experiment_ids]))
    where = join(conditions, " AND ")
    query = Clause(f"SELECT id FROM experiment WHERE {where.sql}", where.parameters)
    found = execute(f"{query.sql} LIMIT {MOST_NAMED + 1}", query.parameters).fetchall()
    return Scope([row[0] for row in found], query)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The runs that a search finds, and the ways to come to them."""

    experiments: Scope
    stages: Clause
    filters: Sequence[Comparison]

    @property
    def listed(self) -> Source:
        """All runs of the experiments, looked at one by one."""
        return Source("run r", (self.experiments.of("r"), self.stages, *map(_condition, self.filters)))

    def ordered(self, table: str, conditions: Sequence[Clause]) -> Source:
        """The same runs from the rows of a table that has their experiments as well, `o`, which meet the conditions.

        The run's own experiment is no condition then: PostgreSQL would seek by it where it should by the run's key.
        """
        of_runs = (Clause("r.id = o.run_id"), self.stages, *map(_condition, self.filters))
        return Source(f"{table} o CROSS JOIN run r", (self.experiments.of("o"), *conditions, *of_runs))

    def few(self) -> Source | None:
        """The runs from the candidates of one comparison, where those are few enough for any order."""
        return self.fewest(FEW if len(self.filters) == 1 else FEW_OF_SEVERAL)

    def fewest(self, most: int) -> Source | None:
        """The runs from the candidates of the comparison that leaves the fewest, if it leaves no more than `most`."""
        found = _fewest(self.experiments, self.filters, most)
        if found is None:
            return None
        few, comparison = found
        others = (_condition(other) for other in self.filters if other is not comparison)
        # The order of the tables is SQLite's order of reading; PostgreSQL chooses its own.
        conditions = (*few.conditions, Clause("r.id = d.run_id"), self.stages, *others)
        return Source(f"{few.tables} CROSS JOIN run r", conditions)


def _wanted(project_id: int, query: Query, filters: Sequence[Comparison]) -> Wanted:
    experiments = _experiments(project_id, query.experiment_ids)
    return Wanted(experiments, one_of("r.lifecycle_stage", query.lifecycle_stages), filters)


def _condition(found: Comparison) -> Clause:
    if found.entity == "attribute":
        return compare(COLUMNS[found.key], found.operator, found.value)
    if found.entity == "dataset":
        column = "i.context" if found.key == "context" else f"d.{found.key}"
        inner = compare(column, found.operator, found.value)
        return Clause(
            "EXISTS (SELECT 1 FROM run_input i JOIN dataset d ON d.id = i.dataset_id"
            f" WHERE i.run_id = r.id AND {inner.sql})",
            inner.parameters,
        )
    if found.entity == "metric":
        inner = metric_condition("x.last_value", "x.last_is_nan", found)
        return Clause(
            f"EXISTS (SELECT 1 FROM metric_series x WHERE x.run_id = r.id AND x.key = ? AND {inner.sql})",
            (found.key, *inner.parameters),
        )
    return by_key(_TABLES[found.entity], "run_id", "r.id", found)


def _fewest(experiments: Scope, filters: Sequence[Comparison], most: int) -> tuple[Source, Comparison] | None:
    """Return the candidates of the comparison that leaves the fewest, and it, if it leaves no more than `most`."""
    probed = [(source, found) for found in filters if (source := _indexed(experiments, found)) is not None]
    best, least = None, most + 1
    for source, found in probed[:MOST_PROBED]:
        where = join(source.conditions, " AND ")
        ((count,),) = execute(
            f"SELECT COUNT(*) FROM (SELECT 1 FROM {source.tables} WHERE {where.sql} LIMIT {least}) AS probed",
            where.parameters,
        ).fetchall()
        if count < least:
            best, least = (source, found), count
    return best


def _indexed(experiments: Scope, found: Comparison) -> Source | None:
    """Return what an index says of a comparison: series of a bounded metric, params and tags of a value."""
    of_key = (experiments.of("d"), Clause("d.key = ?", (found.key,)))
    if found.entity == "metric" and found.operator != "!=":
        bound = compare("d.last_value", found.operator, found.value)
        return Source("metric_series d", (*of_key, Clause("d.last_is_nan = 0"), bound))
    if found.entity in {"param", "tag"} and found.operator == "=":
        value = str(found.value)
        # Compared with the bare column, SQLite would put the value into the indexed beginning, and not seek by it.
        same = Clause(f"{prefix_of('d.value')} = ? AND d.value || '' = ?", (value[:PREFIX], value))
        return Source(f"{_TABLES[found.entity]} d", (*of_key, same))
    return None


def _parts(wanted: Wanted, few: Source | None, keys: Sequence[OrderKey]) -> Iterator[Part]:
    """Yield the parts of the list that has its order from the first key, or is newest first; of few runs if given."""
    source, experiments = few or wanted.listed, wanted.experiments
    if not keys or keys[0] == _START_DESCENDING:
        yield Part(source, index=Source("run r", (experiments.of("r"),)))
        return
    key = keys[0]
    table, of_key = _TABLES[key.entity], Clause("o.key = ?", (key.key,))
    if few is None:
        joined = wanted.ordered(table, [of_key])
    else:
        joined = Source(f"{few.tables} CROSS JOIN {table} o", (Clause("o.run_id = r.id"), of_key, *few.conditions))
    if key.entity == "metric":
        numbers, not_numbers = (
            replace(joined, conditions=(Clause(f"o.last_is_nan = {is_nan}"), *joined.conditions)) for is_nan in (0, 1)
        )
        index = Source(f"{table} o", (experiments.of("o"), of_key, Clause("o.last_is_nan = 0")))
        yield Part(numbers, ("o.last_value",), key.ascending, index)
        yield Part(not_numbers)
    else:
        yield Part(joined, (prefix_of("o.value"), sortable("o.value")), key.ascending)
    missing = Clause(f"NOT EXISTS (SELECT 1 FROM {table} o WHERE o.run_id = r.id AND o.key = ?)", (key.key,))
    yield Part(replace(source, conditions=(*source.conditions, missing)))


def _walk(parts: Iterator[Part], limit: int, position: Any) -> list[Any]:
    """Read from the parts as if they were one list: key and position of each run, which are its part, value, ...."""
    rows: list[Any] = []
    for number, part in enumerate(parts):
        if position and number < position[0]:
            continue
        rest = part.behind(position) if position and number == position[0] else part
        columns = f"r.id, {number}, {part.columns[0] if part.columns else 'NULL'}, r.start_time_ms, r.public_id"
        rows += rest.source.select(columns, _ending([*part.ordering, *_NEWEST_FIRST], limit - len(rows), 0))
        if len(rows) == limit:
            break
    return rows


def _position(row: Any) -> tuple[Any, ...]:
    """Return the `RunPosition` of a row of `_walk`."""
    return (row[1], None if row[2] is None else as_number(row[2]), *row[3:])


def _across(parts: Iterator[Part], keys: Sequence[OrderKey], limit: int, offset: int) -> list[Any]:
    """Read from the parts as if they were one list; each is in its own order, then in that of the keys."""
    joins, ordering = _ordering(keys)
    rows: list[Any] = []
    for part in parts:
        tables = " ".join([part.source.tables, *(clause.sql for clause in joins)])
        parameters = tuple(parameter for clause in joins for parameter in clause.parameters)
        joined = replace(part.source, tables=tables, parameters=parameters)
        found = joined.select("r.id", _ending([*part.ordering, *ordering], limit - len(rows), offset))
        rows += found
        if len(rows) == limit:
            break
        offset = 0 if found or not offset else offset - part.source.count()
    return rows


def _ordering(keys: Sequence[OrderKey]) -> tuple[list[Clause], list[Clause]]:
    """Return the joins that the keys need, and what to order by."""
    joins, ordering = [], []
    for index, key in enumerate(keys):
        if key.entity == "attribute":
            ordering.append(_attribute_order(key))
            continue
        table, alias = _TABLES[key.entity], f"o{index}"
        joins.append(Clause(f"LEFT JOIN {table} {alias} ON {alias}.run_id = r.id AND {alias}.key = ?", (key.key,)))
        if key.entity == "metric":
            ordering.append(Clause(f"COALESCE({alias}.last_is_nan, 2)"))
            ordering.append(Clause(order(f"{alias}.last_value", ascending=key.ascending)))
        else:
            ordering.append(Clause(order(f"{alias}.value", ascending=key.ascending, is_text=True)))
    is_by_start = any((key.entity, key.key) == ("attribute", "start_time") for key in keys)
    return joins, [*ordering, *(_NEWEST_FIRST[1:] if is_by_start else _NEWEST_FIRST)]


def _attribute_order(key: OrderKey) -> Clause:
    if key.key == "start_time":  # never NULL, and an index has its order
        return Clause(f"r.start_time_ms {'ASC' if key.ascending else 'DESC'}")
    return Clause(order(COLUMNS[key.key], ascending=key.ascending, is_text=key.key in RUNS.texts))


def _ending(ordering: Sequence[Clause], limit: int, offset: int) -> Clause:
    ordered = join(ordering, ", ")
    return Clause(f"ORDER BY {ordered.sql} LIMIT ? OFFSET ?", (*ordered.parameters, limit, offset))
