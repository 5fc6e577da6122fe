"""One point in one statement on PostgreSQL: the commonest request of all, without a round trip for each table.

It does what a batch does as long as nothing but the point's own rows is concerned. The series' row is locked before it
is judged, so that the judgement is of its newest version: PostgreSQL looks at the conditions again after waiting.
"""

from __future__ import annotations

from modelyard.core.db import HeldTransaction, database, is_postgresql, now_ms
from modelyard.plugins.sql_tracker import chunks

_POINT = "step, timestamp_ms, value, is_nan"
_GIVEN = "(given.step, given.timestamp_ms, given.value, given.is_nan)"
_CHUNKED = "(s.chunked_step, s.chunked_timestamp_ms, s.chunked_value, s.chunked_is_nan)"
_LAST = "(s.last_step, s.last_timestamp_ms, s.last_value, s.last_is_nan)"


def _better(which: str, sign: str) -> str:
    better = f"given.is_nan = 0 AND (s.{which}_value IS NULL OR given.value {sign} s.{which}_value)"
    return (
        f"{which}_value = CASE WHEN {better} THEN given.value ELSE s.{which}_value END,"
        f" {which}_step = CASE WHEN {better} THEN given.step ELSE s.{which}_step END"
    )


_LOG = (
    "WITH given AS (SELECT %(step)s::int8 AS step, %(timestamp_ms)s::int8 AS timestamp_ms,"
    " %(value)s::float8 AS value, %(is_nan)s::int2 AS is_nan),"
    " active AS (UPDATE run SET updated_at_ms = %(now_ms)s::int8 WHERE public_id = %(run_id)s"
    " AND lifecycle_stage = 'active'"
    " AND experiment_id IN (SELECT id FROM experiment WHERE project_id = %(project_id)s::int8) RETURNING id),"
    " series AS (SELECT s.id FROM metric_series s, active, given WHERE s.run_id = active.id AND s.key = %(key)s"
    f" AND s.count + 1 - s.chunked_count < %(write_at)s::int8 AND (s.chunked_step IS NULL OR {_GIVEN} > {_CHUNKED})"
    " FOR UPDATE OF s),"
    f" point AS (INSERT INTO metric_point (series_id, {_POINT}) SELECT series.id, given.* FROM series, given"
    " ON CONFLICT DO NOTHING RETURNING series_id),"
    " summed AS (UPDATE metric_series s SET count = s.count + 1, "
    + ", ".join(
        f"last_{column} = CASE WHEN {_GIVEN} >= {_LAST} THEN given.{column} ELSE s.last_{column} END"
        for column in _POINT.split(", ")
    )
    + f", {_better('min', '<')}, {_better('max', '>')} FROM point, given WHERE s.id = point.series_id)"
    " SELECT EXISTS (SELECT 1 FROM series)"
)


def log_point(project_id: int, run_id: str, key: str, point: chunks.Point) -> bool:
    """Write one point durably; False, with nothing written, where a batch has to do it.

    That is where a transaction is open, on SQLite, for the first point of a metric, where the run is not there or not
    active, and where chunks are to be written or dropped.
    """
    if not is_postgresql() or database.transaction_depth() or HeldTransaction.here() is not None:
        return False
    step, timestamp_ms, value, is_nan = point
    parameters = {"project_id": project_id, "run_id": run_id, "key": key, "now_ms": now_ms()}
    parameters |= {"step": step, "timestamp_ms": timestamp_ms, "value": value, "is_nan": is_nan}
    parameters |= {"write_at": chunks.WRITE_AT}
    row = database.execute_sql(_LOG, parameters).fetchone()
    return bool(row[0])
