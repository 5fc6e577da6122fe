"""Small pieces of SQL that mean the same on SQLite and PostgreSQL.

Statements are written with ``?`` for each parameter. Text is compared by its bytes on both databases; LIKE minds case
and ILIKE ignores it for ASCII letters; neither has an escape character.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from modelyard.core.db import database, is_postgresql

_UPPER, _LOWER = string.ascii_uppercase, string.ascii_lowercase
PREFIX = 64
"""So many characters of a value are indexed."""

_TO_LOWER = str.maketrans(_UPPER, _LOWER)
_TO_GLOB = str.maketrans({"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"})


@dataclass(frozen=True, slots=True)
class Clause:
    """A piece of SQL and its parameters."""

    sql: str
    parameters: tuple[Any, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.sql)


def execute(sql: str, parameters: Sequence[Any] = ()) -> Any:
    """Run a statement and return its cursor."""
    return database.execute_sql(sql.replace("?", database.param), parameters)


def marks(count: int) -> str:
    """Write that many parameters for a list."""
    return ", ".join("?" * count)


def join(clauses: Iterable[Clause], separator: str) -> Clause:
    """Put clauses together, empty ones left out."""
    present = [clause for clause in clauses if clause]
    return Clause(
        separator.join(clause.sql for clause in present),
        tuple(parameter for clause in present for parameter in clause.parameters),
    )


def one_of(column: str, values: Sequence[Any]) -> Clause:
    """Make the condition that the column is one of the values; none of no values."""
    return Clause(f"{column} IN ({marks(len(values))})", tuple(values)) if values else Clause("1 = 0")


def within(column: str, keys: Sequence[int]) -> Clause:
    """Make the condition that the column is one of these integer keys, the same text for any count on PostgreSQL.

    There it is parsed and planned once, and its keys are written as one value.
    """
    if is_postgresql():
        return Clause(f"{column} = ANY(?::int8[])", (f"{{{','.join(map(str, keys))}}}",))
    return one_of(column, keys)


def compare(column: str, operator: str, value: Any) -> Clause:
    """Make a condition of a filter's operator; the operators are those of `modelyard.core.tracking.filters`."""
    if operator in {"LIKE", "ILIKE"}:
        return _like(column, value, ignore_case=operator == "ILIKE")
    if operator in {"IN", "NOT IN"}:
        return Clause(f"{column} {operator} ({marks(len(value))})", tuple(value))
    return Clause(f"{column} {operator} ?", (value,))


def _like(column: str, pattern: str, *, ignore_case: bool) -> Clause:
    if is_postgresql():
        if ignore_case:
            return Clause(
                f"translate({column}, '{_UPPER}', '{_LOWER}') LIKE ? ESCAPE ''", (pattern.translate(_TO_LOWER),)
            )
        return Clause(f"{column} LIKE ? ESCAPE ''", (pattern,))
    if ignore_case:
        return Clause(f"{column} LIKE ?", (pattern,))
    return Clause(f"{column} GLOB ?", (pattern.translate(_TO_GLOB),))


def sortable(column: str) -> str:
    """Make a text column sort by its bytes."""
    return f'{column} COLLATE "C"' if is_postgresql() else column


def prefix_of(column: str) -> str:
    """Make the beginning of a param's or tag's value, as it is indexed: all of it can be longer than an index takes."""
    return sortable(f"substr({column}, 1, {PREFIX})")


def order(column: str, *, ascending: bool, is_text: bool = False) -> str:
    """Order by the column with NULL last in both directions."""
    value = sortable(column) if is_text else column
    return f"CASE WHEN {column} IS NULL THEN 1 ELSE 0 END, {value} {'ASC' if ascending else 'DESC'}"
